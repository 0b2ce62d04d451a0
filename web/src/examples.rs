//! The gallery: one table of programs, each with a capture and the packet to look at first.
//!
//! Data only. The files lie in `www/examples`, whose README says how each was made; adding an example means a
//! file there, a line in that README and an entry here. Programs are part of the module, captures are fetched
//! by name.

/// One entry of the gallery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Example {
    /// Names the entry in links and in the page: its program's file name without `.txt`.
    pub id: &'static str,
    /// What the gallery shows.
    pub title: &'static str,
    /// The heading it stands under. Entries of a group follow one another.
    pub group: &'static str,
    /// One or two sentences: what the program does and what to look at.
    pub about: &'static str,
    /// The program as text, byte for byte as its tool printed it or its author wrote it.
    pub source: &'static str,
    /// File name of the capture in `www/examples`.
    pub capture: &'static str,
    /// The packet shown first, counted from 0: one on which the program does something instructive.
    pub packet: usize,
}

/// The text of a program in `www/examples`.
macro_rules! program {
    ($file:literal) => {
        include_str!(concat!("../../www/examples/", $file))
    };
}

const FIRST_STEPS: &str = "First steps";
const TRANSPORT: &str = "TCP and UDP";
const LAYERS: &str = "Layers";
const BY_HAND: &str = "Written by hand";
const BEYOND: &str = "Beyond the packet";

/// The gallery in the order of the page. The first entry is the one a visitor meets.
pub const EXAMPLES: &[Example] = &[
    Example {
        id: "port-22",
        title: "tcpdump: port 22",
        group: FIRST_STEPS,
        about: "The classic: TCP, UDP or SCTP from or to port 22, over IPv6 and IPv4. The packet is the \
                client's first line of an SSH connection; watch how the length of the IPv4 header, loaded \
                into X, decides where the ports are.",
        source: program!("port-22.txt"),
        capture: "ssh.pcap",
        packet: 9,
    },
    Example {
        id: "arp",
        title: "tcpdump: arp",
        group: FIRST_STEPS,
        about: "Four instructions: load the EtherType, compare it, accept or drop. Packet 7 of this capture \
                is a ping, and dropped.",
        source: program!("arp.txt"),
        capture: "arp.pcap",
        packet: 0,
    },
    Example {
        id: "icmp-echo",
        title: "tcpdump: icmp[icmptype] == icmp-echo",
        group: FIRST_STEPS,
        about: "Echo requests, but not their replies: the first byte behind the IPv4 header tells them \
                apart. Packet 0 is a request, packet 1 its reply.",
        source: program!("icmp-echo.txt"),
        capture: "icmp.pcap",
        packet: 0,
    },
    Example {
        id: "greater-500",
        title: "tcpdump: greater 500",
        group: FIRST_STEPS,
        about: "No byte of the packet is read, only its length. Two of the 27 packets are long enough: both \
                carry the server's part of the key exchange.",
        source: program!("greater-500.txt"),
        capture: "ssh.pcap",
        packet: 14,
    },
    Example {
        id: "multicast",
        title: "tcpdump: ether multicast",
        group: FIRST_STEPS,
        about: "One bit decides: the lowest of the first byte, which an Ethernet address has set if it \
                means more than one station. The packet asks every neighbour that may own an IPv6 address.",
        source: program!("multicast.txt"),
        capture: "ipv6.pcap",
        packet: 0,
    },
    Example {
        id: "snap-64",
        title: "One instruction: keep 64 bytes",
        group: FIRST_STEPS,
        about: "The smallest program. What it returns is the number of bytes to keep: here 64 of 1154. \
                Change it to 0 and every packet is dropped.",
        source: program!("snap-64.txt"),
        capture: "ssh.pcap",
        packet: 14,
    },
    Example {
        id: "tcp-data",
        title: "tcpdump: SSH segments with data",
        group: TRANSPORT,
        about: "From tcpdump's manual, for port 22: the length of the packet less the IPv4 and the TCP \
                header must not be zero. The parts wait in scratch memory, M[1] and M[5]. Packet 9 carries \
                data, packet 8 is a bare acknowledgement.",
        source: program!("tcp-data.txt"),
        capture: "ssh.pcap",
        packet: 9,
    },
    Example {
        id: "tcp-syn-fin",
        title: "tcpdump: tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
        group: TRANSPORT,
        about: "The first and the last packets of every connection over IPv4. One `jset` tests both flags \
                at once.",
        source: program!("tcp-syn-fin.txt"),
        capture: "http.pcap",
        packet: 0,
    },
    Example {
        id: "tcp-syn-only",
        title: "tcpdump -dd: connection attempts",
        group: TRANSPORT,
        about: "tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn, printed as rows of C. In this port scan \
                packet 2 asks for a connection; packet 3 answers with SYN and ACK, and is dropped.",
        source: program!("tcp-syn-only.txt"),
        capture: "scan.pcap",
        packet: 2,
    },
    Example {
        id: "http-get",
        title: "tcpdump: HTTP GET",
        group: TRANSPORT,
        about: "tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x47455420: the first four bytes of the data are \"GET \
                \". Two header lengths are added before they can be read.",
        source: program!("http-get.txt"),
        capture: "http.pcap",
        packet: 3,
    },
    Example {
        id: "dns-query",
        title: "tcpdump -ddd: DNS queries",
        group: TRANSPORT,
        about: "udp dst port 53 and udp[10] & 0x80 == 0, printed as plain numbers with their count in \
                front. The first bit of the flags tells a question from an answer.",
        source: program!("dns-query.txt"),
        capture: "dns.pcap",
        packet: 0,
    },
    Example {
        id: "host-or-net",
        title: "tcpdump: host 192.0.2.2 or net 198.51.100.0/24",
        group: TRANSPORT,
        about: "Source and destination are compared, whole for the host and masked for the net, and then \
                both again for ARP. This ping goes into the net; packet 6 goes elsewhere and is dropped.",
        source: program!("host-or-net.txt"),
        capture: "icmp.pcap",
        packet: 4,
    },
    Example {
        id: "ip6-tcp",
        title: "tcpdump: ip6 and tcp",
        group: LAYERS,
        about: "IPv6 names its next header in byte 20. A fragment (0x2c) is looked through, every other \
                extension header is not: the filter would miss TCP behind one.",
        source: program!("ip6-tcp.txt"),
        capture: "ipv6.pcap",
        packet: 4,
    },
    Example {
        id: "fragments",
        title: "tcpdump: ip[6:2] & 0x1fff != 0",
        group: LAYERS,
        about: "Fragments of IPv4 packets, but never the first one: its offset is 0. Packets 0 to 2 are the \
                three parts of one ping; 1 and 2 are accepted.",
        source: program!("fragments.txt"),
        capture: "fragments.pcap",
        packet: 1,
    },
    Example {
        id: "icmp",
        title: "tcpdump: icmp (and a VLAN tag)",
        group: LAYERS,
        about: "Why does the filter miss this ping? A VLAN tag stands where the filter looks for the \
                EtherType, and everything behind it has moved by four bytes. Packet 2 is the same without \
                the tag.",
        source: program!("icmp.txt"),
        capture: "vlan.pcap",
        packet: 6,
    },
    Example {
        id: "vlan-icmp",
        title: "tcpdump: vlan and icmp",
        group: LAYERS,
        about: "The cure for the example before: after `vlan` every offset is four higher. But now the ping \
                without a tag, packet 2, is dropped.",
        source: program!("vlan-icmp.txt"),
        capture: "vlan.pcap",
        packet: 6,
    },
    Example {
        id: "icmp-or-vlan",
        title: "tcpdump: icmp or (vlan 42 and icmp)",
        group: LAYERS,
        about: "Both kinds of ping. The order matters: `vlan` moves the offsets of everything written after \
                it, so the plain case has to come first.",
        source: program!("icmp-or-vlan.txt"),
        capture: "vlan.pcap",
        packet: 6,
    },
    Example {
        id: "vlan-live",
        title: "tcpdump -i eth0: vlan 42 and icmp",
        group: LAYERS,
        about: "The same for a live interface, where the kernel may have taken the tag out: the filter asks \
                it ([vlanp], [vlan_tci]) and keeps in M[0] and M[1] by how much the rest has moved. Here \
                the tag is in the bytes.",
        source: program!("vlan-live.txt"),
        capture: "vlan.pcap",
        packet: 6,
    },
    Example {
        id: "snap-by-kind",
        title: "Keep as much as the kind deserves",
        group: BY_HAND,
        about: "Several returns with different lengths: ARP and UDP whole, of TCP 66 bytes, nothing else. \
                The packet is cut from 1154 bytes.",
        source: program!("snap-by-kind.txt"),
        capture: "ssh.pcap",
        packet: 14,
    },
    Example {
        id: "headers-only",
        title: "Keep the headers, cut the data",
        group: BY_HAND,
        about: "Computes how long the headers are and returns that with `ret a`. Of this HTTP answer 66 of \
                251 bytes are left.",
        source: program!("headers-only.txt"),
        capture: "http.pcap",
        packet: 5,
    },
    Example {
        id: "overhead",
        title: "At least half is headers",
        group: BY_HAND,
        about: "Multiplies and divides, with the results in M[0] and M[1]. This request has 47 percent of \
                headers and is dropped; packet 2 before it is nothing but headers.",
        source: program!("overhead.txt"),
        capture: "http.pcap",
        packet: 3,
    },
    Example {
        id: "flow-bucket",
        title: "Share flows between three listeners",
        group: BY_HAND,
        about: "A hash of addresses and ports, modulo 3. Query and answer (packets 0 and 1) come to the \
                same listener; the next pair (2 and 3) belongs to another.",
        source: program!("flow-bucket.txt"),
        capture: "dns.pcap",
        packet: 0,
    },
    Example {
        id: "ip-checksum",
        title: "Check the IPv4 header checksum",
        group: BY_HAND,
        about: "Ten additions in a row, for classic programs have no loops. Watch A and X grow, and the \
                last division leave nothing.",
        source: program!("ip-checksum.txt"),
        capture: "icmp.pcap",
        packet: 0,
    },
    Example {
        id: "sample",
        title: "One in four, by chance",
        group: BEYOND,
        about: "`ld rand` asks the kernel for a random number instead of reading the packet. Run it a few \
                times: the verdict may change.",
        source: program!("sample.txt"),
        capture: "http.pcap",
        packet: 3,
    },
    Example {
        id: "ssh-banner",
        title: "SSH on whatever port",
        group: BEYOND,
        about: "`ld #poff` asks the kernel where the data begins, so that four instructions find \"SSH-\" \
                behind any headers.",
        source: program!("ssh-banner.txt"),
        capture: "ssh.pcap",
        packet: 9,
    },
    Example {
        id: "vlan-offload",
        title: "Ask for a VLAN tag that is gone",
        group: BEYOND,
        about: "For a live interface, whose packets have their tag taken out and kept beside them. In this \
                capture the tag is still in the bytes: the kernel knows of none, and the filter drops the \
                packet.",
        source: program!("vlan-offload.txt"),
        capture: "vlan.pcap",
        packet: 6,
    },
    Example {
        id: "cpu-share",
        title: "Share by processor",
        group: BEYOND,
        about: "Two facts that no packet holds: whether this machine sends it, and which processor handles \
                it.",
        source: program!("cpu-share.txt"),
        capture: "icmp.pcap",
        packet: 0,
    },
];

/// The entry with this `id`.
pub fn find(id: &str) -> Option<&'static Example> {
    EXAMPLES.iter().find(|example| example.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::HashSet, fs, path::Path};

    const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../www/examples");

    /// Number of packets in a classic little-endian capture: walks from record header to record header.
    fn packets(capture: &str) -> usize {
        let bytes = fs::read(Path::new(FOLDER).join(capture)).expect("the capture is in www/examples");
        assert_eq!(
            bytes[..4],
            [0xd4, 0xc3, 0xb2, 0xa1],
            "{capture}: classic pcap, microseconds, little endian"
        );
        let (mut at, mut count) = (24, 0);
        while at < bytes.len() {
            let kept = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().expect("four bytes"));
            at += 16 + kept as usize;
            count += 1;
        }
        assert_eq!(at, bytes.len(), "{capture}: ends with a whole packet");
        count
    }

    #[test]
    fn the_default_is_port_22() {
        assert_eq!(EXAMPLES[0].id, "port-22");
        assert_eq!(find("port-22"), Some(&EXAMPLES[0]));
        assert_eq!(find("no such example"), None);
    }

    #[test]
    fn ids_are_unique_and_groups_whole() {
        let ids: HashSet<_> = EXAMPLES.iter().map(|example| example.id).collect();
        assert_eq!(ids.len(), EXAMPLES.len());
        let groups: HashSet<_> = EXAMPLES.iter().map(|example| example.group).collect();
        let headings = EXAMPLES.chunk_by(|a, b| a.group == b.group).count();
        assert_eq!(headings, groups.len(), "entries of a group follow one another");
    }

    #[test]
    fn each_shows_a_packet_that_exists() {
        for example in EXAMPLES {
            assert!(example.packet < packets(example.capture), "{}: packet {}", example.id, example.packet);
        }
    }

    #[test]
    fn files_gallery_and_readme_agree() {
        let readme =
            fs::read_to_string(Path::new(FOLDER).join("README.md")).expect("www/examples has a README");
        for entry in fs::read_dir(FOLDER).expect("www/examples is there") {
            let name = entry.expect("a readable entry").file_name().into_string().expect("an ASCII name");
            let named = name == "README.md" || readme.contains(&format!("`{name}`"));
            assert!(named, "the README does not name {name}");
            if let Some(id) = name.strip_suffix(".txt") {
                let text = fs::read_to_string(Path::new(FOLDER).join(&name)).expect("a program is text");
                assert_eq!(find(id).map(|example| example.source), Some(text.as_str()), "{name}");
            }
        }
    }
}
