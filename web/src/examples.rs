//! The gallery: one table of programs, each with a capture and the packet to look at first, or with a context.
//!
//! Data only. The files lie in `www/examples`, whose README says how each was made; adding an example means a
//! file there, a paragraph in `about` there, a line in that README and an entry here. The first program is part of the
//! module; all others come in one file that is fetched when somebody chooses one ([`Gallery`]), captures by their names.

use bpf64_core::environment::{Environment, KPROBE, RAW_TRACEPOINT, SECCOMP};
use std::rc::Rc;

/// One entry of the gallery.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// The program's file in `www/examples`.
    pub file: &'static str,
    /// What the gallery shows.
    pub title: &'static str,
    /// The heading it stands under. Entries of a group follow one another.
    pub group: &'static str,
    /// File name of the capture in `www/examples`; none for programs that see no packets.
    pub capture: Option<&'static str>,
    /// The packet shown first, counted from 0: one on which the program does something instructive.
    pub packet: usize,
    /// The program type, where the text cannot say it.
    pub program_type: Option<&'static Environment>,
    /// Fields of the context, as they are typed.
    pub context: &'static [(&'static str, &'static str)],
    /// Tells the program's text from any other.
    hash: u64,
}

/// Entries are told apart by their files.
impl PartialEq for Example {
    fn eq(&self, other: &Self) -> bool {
        self.file == other.file
    }
}

impl Eq for Example {}

impl Example {
    /// Names the entry in the page: its program's file name without the ending.
    #[must_use]
    pub fn id(&self) -> &'static str {
        self.file.split('.').next().unwrap_or(self.file)
    }

    /// Whether this is its program, byte for byte.
    #[must_use]
    pub fn is(&self, source: &str) -> bool {
        hash(source.as_bytes()) == self.hash
    }
}

/// FNV-1a.
const fn hash(bytes: &[u8]) -> u64 {
    let (mut hash, mut at) = (0xcbf2_9ce4_8422_2325_u64, 0);
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
}

/// An entry: over a packet, or with a type and a context.
macro_rules! example {
    ($file:literal, $title:literal, $group:ident, $capture:literal, $packet:literal) => {
        Example {
            capture: Some($capture),
            packet: $packet,
            ..example!($file, $title, $group, None, [])
        }
    };
    ($file:literal, $title:literal, $group:ident, $type:expr, [$($field:expr),*]) => {
        Example {
            file: $file,
            title: $title,
            group: $group,
            capture: None,
            packet: 0,
            program_type: $type,
            context: &[$($field),*],
            hash: const { hash(include_bytes!(concat!("../../www/examples/", $file))) },
        }
    };
}

/// The program that a visitor meets, and what is said of it.
pub const FIRST: (&str, &str) = (
    include_str!("../../www/examples/port-22.txt"),
    "The classic: TCP, UDP or SCTP from or to port 22, over IPv6 and IPv4. The packet is the client's first line of an SSH connection; watch how the length of the IPv4 header, loaded into X, decides where the ports are.",
);

const FIRST_STEPS: &str = "First steps";
const TRANSPORT: &str = "TCP and UDP";
const LAYERS: &str = "Layers";
const BY_HAND: &str = "Written by hand";
const BEYOND: &str = "Beyond the packet";
const XDP_GROUP: &str = "XDP";
const COMPILED: &str = "Compiled from C";
const TC_GROUP: &str = "Traffic control";
const SANDBOX: &str = "System calls";
const TRACING: &str = "Tracing";
const REFUSED: &str = "Refused, and cured";

/// The gallery in the order of the page. The first entry is the one a visitor meets.
pub static EXAMPLES: &[Example] = &[
    example!("port-22.txt", "tcpdump: port 22", FIRST_STEPS, "ssh.pcap", 9),
    example!("arp.txt", "tcpdump: arp", FIRST_STEPS, "arp.pcap", 0),
    example!("icmp-echo.txt", "tcpdump: icmp[icmptype] == icmp-echo", FIRST_STEPS, "icmp.pcap", 0),
    example!("greater-500.txt", "tcpdump: greater 500", FIRST_STEPS, "ssh.pcap", 14),
    example!("multicast.txt", "tcpdump: ether multicast", FIRST_STEPS, "ipv6.pcap", 0),
    example!("snap-64.txt", "One instruction: keep 64 bytes", FIRST_STEPS, "ssh.pcap", 14),
    example!("tcp-data.txt", "tcpdump: SSH segments with data", TRANSPORT, "ssh.pcap", 9),
    example!("tcp-syn-fin.txt", "tcpdump: tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", TRANSPORT, "http.pcap", 0),
    example!("tcp-syn-only.txt", "tcpdump -dd: connection attempts", TRANSPORT, "scan.pcap", 2),
    example!("http-get.txt", "tcpdump: HTTP GET", TRANSPORT, "http.pcap", 3),
    example!("dns-query.txt", "tcpdump -ddd: DNS queries", TRANSPORT, "dns.pcap", 0),
    example!("host-or-net.txt", "tcpdump: host 192.0.2.2 or net 198.51.100.0/24", TRANSPORT, "icmp.pcap", 4),
    example!("ip6-tcp.txt", "tcpdump: ip6 and tcp", LAYERS, "ipv6.pcap", 4),
    example!("fragments.txt", "tcpdump: ip[6:2] & 0x1fff != 0", LAYERS, "fragments.pcap", 1),
    example!("icmp.txt", "tcpdump: icmp (and a VLAN tag)", LAYERS, "vlan.pcap", 6),
    example!("vlan-icmp.txt", "tcpdump: vlan and icmp", LAYERS, "vlan.pcap", 6),
    example!("icmp-or-vlan.txt", "tcpdump: icmp or (vlan 42 and icmp)", LAYERS, "vlan.pcap", 6),
    example!("vlan-live.txt", "tcpdump -i eth0: vlan 42 and icmp", LAYERS, "vlan.pcap", 6),
    example!("snap-by-kind.txt", "Keep as much as the kind deserves", BY_HAND, "ssh.pcap", 14),
    example!("headers-only.txt", "Keep the headers, cut the data", BY_HAND, "http.pcap", 5),
    example!("overhead.txt", "At least half is headers", BY_HAND, "http.pcap", 3),
    example!("flow-bucket.txt", "Share flows between three listeners", BY_HAND, "dns.pcap", 0),
    example!("ip-checksum.txt", "Check the IPv4 header checksum", BY_HAND, "icmp.pcap", 0),
    example!("sample.txt", "One in four, by chance", BEYOND, "http.pcap", 3),
    example!("ssh-banner.txt", "SSH on whatever port", BEYOND, "ssh.pcap", 9),
    example!("vlan-offload.txt", "Ask for a VLAN tag that is gone", BEYOND, "vlan.pcap", 6),
    example!("cpu-share.txt", "Share by processor", BEYOND, "icmp.pcap", 0),
    example!("xdp-drop-dns.bpf", "XDP: drop DNS queries", XDP_GROUP, "dns.pcap", 0),
    example!("xdp-protocols.bpf", "XDP: count by protocol", XDP_GROUP, "ipv6.pcap", 22),
    example!("xdp-lengths.bpf", "XDP: histogram of lengths", XDP_GROUP, "ssh.pcap", 9),
    example!("xdp-reflect.bpf", "XDP: answer pings", XDP_GROUP, "icmp.pcap", 0),
    example!("xdp-blocked.bpf", "XDP: blocked networks", XDP_GROUP, "icmp.pcap", 0),
    example!("c-portcount.bpf", "XDP in C: traffic by port", COMPILED, "ssh.pcap", 9),
    example!("tc-mark.bpf", "tc: mark packets", TC_GROUP, "http.pcap", 3),
    example!("tc-police.bpf", "tc: ten packets each", TC_GROUP, "ssh.pcap", 9),
    example!("tc-syn-events.bpf", "tc: tell of new connections", TC_GROUP, "scan.pcap", 2),
    example!(
        "seccomp-allow-list.seccomp",
        "seccomp: four calls only",
        SANDBOX,
        Some(&SECCOMP),
        [("arch", "x86_64"), ("nr", "write")]
    ),
    example!(
        "seccomp-read-only.seccomp",
        "seccomp: open for reading only",
        SANDBOX,
        Some(&SECCOMP),
        [("arch", "x86_64"), ("nr", "openat"), ("args[2]", "0x241")]
    ),
    example!(
        "seccomp-x32.seccomp",
        "seccomp: log ptrace, refuse x32",
        SANDBOX,
        Some(&SECCOMP),
        [("arch", "x86_64"), ("nr", "ptrace")]
    ),
    example!(
        "trace-write-sizes.bpf",
        "kprobe: sizes of writes",
        TRACING,
        Some(&KPROBE),
        [("di", "0xffff888104546a00"), ("dx", "4096")]
    ),
    example!(
        "trace-syscalls.bpf",
        "raw trace point: count system calls",
        TRACING,
        Some(&RAW_TRACEPOINT),
        [("args[1]", "257")]
    ),
    example!(
        "trace-slow.bpf",
        "A record of one's own",
        TRACING,
        None,
        [("status", "200"), ("ns", "130000000")]
    ),
    example!("refused-bounds.bpf", "Refused: one byte too far", REFUSED, "icmp.pcap", 0),
    example!("cured-bounds.bpf", "Its cure", REFUSED, "icmp.pcap", 0),
    example!("refused-null.bpf", "Refused: a lookup that may fail", REFUSED, "ssh.pcap", 9),
    example!("cured-null.bpf", "Its cure", REFUSED, "ssh.pcap", 9),
    example!("refused-unset.bpf", "Refused: no result on one path", REFUSED, "ssh.pcap", 9),
    example!("cured-unset.bpf", "Its cure", REFUSED, "ssh.pcap", 9),
    example!("refused-offset.bpf", "Refused: an unbounded offset", REFUSED, "ssh.pcap", 9),
    example!("cured-offset.bpf", "Its cure", REFUSED, "ssh.pcap", 9),
    example!("refused-index.bpf", "Refused: an index without a limit", REFUSED, "ssh.pcap", 9),
    example!("cured-index.bpf", "Its cure", REFUSED, "ssh.pcap", 9),
    example!("refused-loop.bpf", "Refused: a loop without an end", REFUSED, "ssh.pcap", 9),
    example!("cured-loop.bpf", "Its cure", REFUSED, "ssh.pcap", 9),
];

/// The entry with this id.
#[must_use]
pub fn find(id: &str) -> Option<&'static Example> {
    EXAMPLES.iter().find(|example| example.id() == id)
}

/// The entry whose program this is.
#[must_use]
pub fn of(source: &str) -> Option<&'static Example> {
    EXAMPLES.iter().find(|example| example.is(source))
}

/// The programs and what is said of them, as far as they were fetched.
#[derive(Debug, Clone, Default)]
pub struct Gallery(Option<Rc<str>>);

impl Gallery {
    /// The file with all of them, which `www/bundle.mjs` writes.
    pub const FILE: &str = "gallery.txt";

    /// What that file says.
    #[must_use]
    pub fn new(text: Rc<str>) -> Self {
        Gallery(Some(text))
    }

    /// Whether it was fetched.
    #[must_use]
    pub fn is_here(&self) -> bool {
        self.0.is_some()
    }

    /// An example's program, and what is said of it.
    #[must_use]
    pub fn get(&self, example: &Example) -> Option<(&str, &str)> {
        if *example == EXAMPLES[0] {
            return Some(FIRST);
        }
        self.0.as_deref()?.split('\u{1e}').find_map(|entry| {
            let (about, source) =
                entry.strip_prefix(example.file)?.strip_prefix('\u{1f}')?.split_once('\u{1f}')?;
            Some((source, about))
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
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

    /// The file as `www/bundle.mjs` makes it.
    pub(crate) fn gallery_text() -> Rc<str> {
        let read =
            |name: &str| fs::read_to_string(Path::new(FOLDER).join(name)).expect("it is in www/examples");
        let about = read("about");
        let entry = |block: &str| {
            let (id, about) = block.split_once(": ").expect("a paragraph begins with its example");
            let example = find(id).unwrap_or_else(|| panic!("there is no example {id}"));
            format!("{}\u{1f}{}\u{1f}{}", example.file, about.trim_end(), read(example.file))
        };
        about.split("\n\n").map(entry).collect::<Vec<_>>().join("\u{1e}").into()
    }

    pub(crate) fn fetched() -> Gallery {
        Gallery::new(gallery_text())
    }

    #[test]
    fn the_default_is_port_22() {
        assert_eq!(EXAMPLES[0].id(), "port-22");
        assert_eq!(find("port-22"), Some(&EXAMPLES[0]));
        assert_eq!(find("no such example"), None);
        assert_eq!((of(FIRST.0), of("")), (Some(&EXAMPLES[0]), None));
        let text = gallery_text();
        let first = text.split('\u{1e}').next().and_then(|entry| entry.split('\u{1f}').nth(1));
        assert_eq!(first, Some(FIRST.1), "the module says of the first one what the file says");
    }

    #[test]
    fn ids_are_unique_and_groups_whole() {
        let ids: HashSet<_> = EXAMPLES.iter().map(Example::id).collect();
        assert_eq!(ids.len(), EXAMPLES.len());
        assert!(EXAMPLES.len() >= 50);
        let groups: HashSet<_> = EXAMPLES.iter().map(|example| example.group).collect();
        let headings = EXAMPLES.chunk_by(|a, b| a.group == b.group).count();
        assert_eq!(headings, groups.len(), "entries of a group follow one another");
    }

    #[test]
    fn each_shows_a_packet_that_exists_or_fields_that_do() {
        let gallery = fetched();
        for example in EXAMPLES {
            let (source, about) = gallery.get(example).expect("every example is in the file");
            assert!(example.is(source) && about.len() > 40, "{}", example.file);
            if let Some(capture) = example.capture {
                assert!(example.packet < packets(capture), "{}: packet {}", example.file, example.packet);
            }
            let levels = crate::levels::read(source, None, example.program_type.map(Into::into));
            let levels = levels.unwrap_or_else(|faults| panic!("{}: {faults:?}", example.file));
            for (name, _) in example.context {
                assert!(levels.program_type.context.field(name).is_some(), "{}: {name}", example.file);
            }
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
            if let Some((id, "txt" | "bpf" | "seccomp")) = name.split_once('.') {
                assert_eq!(find(id).map(|example| example.file), Some(&*name), "{name}");
            }
        }
    }
}
