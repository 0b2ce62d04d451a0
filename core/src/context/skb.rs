//! A packet as Linux hands it to socket filters: `struct sk_buff` behind, `struct __sk_buff` in front.
//!
//! Classic programs reach it through packet loads and ancillary loads, eBPF programs through the fields of
//! [`SK_BUFF`] (include/uapi/linux/bpf.h) and legacy packet loads. Both read the same [`Skb`].

mod dissect;

use super::{Image, descriptions};
use crate::isa::Size;
pub use crate::isa::{LINK_WINDOW, NETWORK_WINDOW};

/// Link types of captures whose headers are understood (the numbers of <https://www.tcpdump.org/linktypes.html>).
pub mod link_type {
    /// BSD loopback: 4 bytes of address family.
    pub const NULL: u32 = 0;
    /// Ethernet.
    pub const ETHERNET: u32 = 1;
    /// IPv4 or IPv6 without a link layer.
    pub const RAW: u32 = 101;
    /// OpenBSD loopback: as `NULL`, in network order.
    pub const LOOP: u32 = 108;
    /// Linux cooked capture.
    pub const LINUX_SLL: u32 = 113;
    /// Linux cooked capture, version 2.
    pub const LINUX_SLL2: u32 = 276;
}

/// A network device, as far as filters see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// Interface number; never 0 in Linux.
    pub ifindex: u32,
    /// Hardware type (`ARPHRD_*`).
    pub hatype: u16,
}

/// A packet and what the kernel knows about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skb {
    /// The bytes that were captured.
    pub packet: Vec<u8>,
    /// How long the packet was on the wire: what `len` says. At least `packet.len()`.
    pub len: u32,
    /// Where the link-layer header starts, if there is one.
    pub link_header: Option<u32>,
    /// Where the network header starts.
    pub network_header: u32,
    /// The protocol of the network layer, an EtherType.
    pub protocol: u16,
    /// For whom the packet is (`PACKET_HOST` 0, `BROADCAST` 1, `MULTICAST` 2, `OTHERHOST` 3, `OUTGOING` 4).
    pub pkt_type: u8,
    /// The device it came through.
    pub device: Option<Device>,
    /// The firewall's mark.
    pub mark: u32,
    /// The queue it came through.
    pub queue_mapping: u16,
    /// The flow hash.
    pub hash: u32,
    /// The VLAN tag that the device took out of the packet: its TPID and its TCI.
    pub vlan: Option<(u16, u16)>,
}

impl Skb {
    /// A packet of an Ethernet device, captured whole: offset 0 is the first byte of the Ethernet header.
    #[must_use]
    pub fn ethernet(packet: Vec<u8>) -> Self {
        let len = packet.len() as u32;
        Skb::captured(packet, len, link_type::ETHERNET)
    }

    /// A packet of a capture file: `len` is its length on the wire, `link` the file's link type. Link types
    /// that are not known have no network header of their own: it is taken to be at 0.
    #[must_use]
    pub fn captured(packet: Vec<u8>, len: u32, link: u32) -> Self {
        let be16 =
            |at: usize| packet.get(at..at + 2).map_or(0, |bytes| u16::from_be_bytes([bytes[0], bytes[1]]));
        let ip_version = |at: usize| match packet.get(at).map(|byte| byte >> 4) {
            Some(4) => 0x0800,
            Some(6) => 0x86dd,
            _ => 0,
        };
        let (network_header, protocol, hatype) = match link {
            link_type::ETHERNET => (14, ether_protocol(&packet), 1),
            link_type::LINUX_SLL => (16, be16(14), be16(2)),
            link_type::LINUX_SLL2 => (20, be16(0), be16(8)),
            link_type::NULL | link_type::LOOP => (4, ip_version(4), 772),
            link_type::RAW => (0, ip_version(0), 65534),
            _ => (0, 0, 65534),
        };
        let pkt_type = match (link, packet.first()) {
            (link_type::ETHERNET, _) if packet.starts_with(&[0xff; 6]) => 1,
            (link_type::ETHERNET, Some(first)) if first & 1 == 1 => 2,
            (link_type::LINUX_SLL, _) => be16(0) as u8,
            _ => 0,
        };
        Skb {
            len: len.max(packet.len() as u32),
            link_header: Some(0),
            network_header,
            protocol,
            pkt_type,
            device: Some(Device { ifindex: 1, hatype }),
            mark: 0,
            queue_mapping: 0,
            hash: 0,
            vlan: None,
            packet,
        }
    }

    /// Where in `packet` a load at `offset` finds its `size` bytes, or `None` when they are not all there.
    /// Negative offsets are the windows: `bpf_internal_load_pointer_neg_helper()`.
    #[must_use]
    pub fn locate(&self, offset: i32, size: Size) -> Option<usize> {
        let start = if offset >= 0 {
            i64::from(offset)
        } else if offset >= NETWORK_WINDOW {
            i64::from(self.network_header) + i64::from(offset) - i64::from(NETWORK_WINDOW)
        } else if offset >= LINK_WINDOW {
            i64::from(self.link_header?) + i64::from(offset) - i64::from(LINK_WINDOW)
        } else {
            return None;
        };
        let start = usize::try_from(start).ok()?;
        (start.checked_add(size.bytes())? <= self.packet.len()).then_some(start)
    }

    /// The bytes found by [`Skb::locate`] as a number in network order.
    #[must_use]
    pub fn number_at(&self, start: usize, size: Size) -> u32 {
        self.packet[start..start + size.bytes()].iter().fold(0, |number, &byte| number << 8 | u32::from(byte))
    }

    /// `struct __sk_buff` as the program reads it. Fields that need a socket or a conversation are 0.
    #[must_use]
    pub fn context(&self) -> Vec<u8> {
        let mut image = Image::new(&SK_BUFF);
        image.put("len", self.len.into());
        image.put("pkt_type", self.pkt_type.into());
        image.put("mark", self.mark.into());
        image.put("queue_mapping", self.queue_mapping.into());
        image.put("protocol", self.protocol.to_be().into());
        image.put("ifindex", self.device.map_or(0, |device| device.ifindex.into()));
        image.put("hash", self.hash.into());
        image.put("wire_len", self.len.into());
        if let Some((tpid, tci)) = self.vlan {
            image.put("vlan_present", 1);
            image.put("vlan_tci", tci.into());
            image.put("vlan_proto", tpid.to_be().into());
        }
        image.bytes
    }
}

/// The EtherType Linux gives an Ethernet frame: `eth_type_trans()`.
fn ether_protocol(packet: &[u8]) -> u16 {
    const ETH_P_802_3: u16 = 1;
    const ETH_P_802_2: u16 = 4;
    match packet.get(12..14).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]])) {
        Some(ether_type) if ether_type >= 0x0600 => ether_type,
        // A length: Novell's raw 802.3 starts with a checksum of ones, all else is LLC.
        Some(_) if packet.get(14..16) == Some(&[0xff, 0xff]) => ETH_P_802_3,
        Some(_) => ETH_P_802_2,
        None => 0,
    }
}

// What each type may read and write: `sk_filter_is_valid_access`, `tc_cls_act_is_valid_access`,
// `cg_skb_is_valid_access` and what they have in common, `bpf_skb_is_valid_access` (net/core/filter.c).
descriptions! {
    /// `struct __sk_buff` of Linux 6.18 for socket filters.
    SK_BUFF = "__sk_buff", 192 bytes, 0;
    /// The same for traffic control.
    SK_BUFF_TC = "__sk_buff", 192 bytes, 1;
    /// The same for control groups.
    SK_BUFF_CGROUP = "__sk_buff", 192 bytes, 2;
    => {
        "len"             @   0,  4, Number,      b"rrr", "length of the packet on the wire";
        "pkt_type"        @   4,  4, Number,      b"rrr", "for whom it is: 0 host, 1 broadcast, 2 multicast, 3 other host, 4 outgoing";
        "mark"            @   8,  4, Number,      b"rww", "the firewall's mark";
        "queue_mapping"   @  12,  4, Number,      b"rwr", "the queue it came through";
        "protocol"        @  16,  4, Number,      b"rrr", "EtherType, in network order";
        "vlan_present"    @  20,  4, Number,      b"rrr", "1 if the device took out a VLAN tag";
        "vlan_tci"        @  24,  4, Number,      b"rrr", "that tag's priority and VLAN number";
        "vlan_proto"      @  28,  4, Number,      b"rrr", "that tag's protocol, in network order";
        "priority"        @  32,  4, Number,      b"rww", "scheduling priority";
        "ingress_ifindex" @  36,  4, Number,      b"rrr", "the interface it arrived at";
        "ifindex"         @  40,  4, Number,      b"rrr", "the interface it is at";
        "tc_index"        @  44,  4, Number,      b"rwr", "traffic-control index";
        "cb"              @  48, 20, Number,      b"www", "20 bytes for programs to leave notes in";
        "hash"            @  68,  4, Number,      b"rrr", "flow hash";
        "tc_classid"      @  72,  4, Number,      b"-w-", "traffic class";
        "data"            @  76,  4, PacketStart, b"-rr", "start of the packet";
        "data_end"        @  80,  4, PacketEnd,   b"-rr", "end of the packet";
        "napi_id"         @  84,  4, Number,      b"rrr", "polling context";
        "family"          @  88,  4, Number,      b"--r", "address family of the socket";
        "remote_ip4"      @  92,  4, Number,      b"--r", "the socket's peer, in network order";
        "local_ip4"       @  96,  4, Number,      b"--r", "the socket's address, in network order";
        "remote_ip6"      @ 100, 16, Number,      b"--r", "the socket's peer, in network order";
        "local_ip6"       @ 116, 16, Number,      b"--r", "the socket's address, in network order";
        "remote_port"     @ 132,  4, Number,      b"--r", "the peer's port, in network order";
        "local_port"      @ 136,  4, Number,      b"--r", "the socket's port";
        "data_meta"       @ 140,  4, PacketMeta,  b"-r-", "start of the metadata before the packet";
        "flow_keys"       @ 144,  8, Whole,       b"---", "flow dissector's result";
        "tstamp"          @ 152,  8, Whole,       b"-ww", "time stamp, nanoseconds";
        "wire_len"        @ 160,  4, Number,      b"-r-", "length on the wire";
        "gso_segs"        @ 164,  4, Number,      b"rrr", "segments this packet stands for";
        "sk"              @ 168,  8, Whole,       b"---", "the socket";
        "gso_size"        @ 176,  4, Number,      b"rrr", "size of those segments";
        "tstamp_type"     @ 180,  1, Whole,       b"-r-", "the clock of tstamp";
        "hwtstamp"        @ 184,  8, Whole,       b"-rr", "the device's time stamp, nanoseconds";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_count_from_their_headers() {
        let skb = Skb::ethernet((0..40).collect());
        assert_eq!(skb.locate(0, Size::B), Some(0));
        assert_eq!(skb.locate(NETWORK_WINDOW, Size::W), Some(14));
        assert_eq!(skb.locate(LINK_WINDOW + 12, Size::H), Some(12));
        assert_eq!(skb.locate(37, Size::W), None);
        assert_eq!(skb.locate(36, Size::W), Some(36));
        assert_eq!(skb.locate(LINK_WINDOW - 1, Size::B), None);
        assert_eq!(skb.locate(-1, Size::B), None);
        assert_eq!(skb.number_at(1, Size::W), 0x0102_0304);
    }

    #[test]
    fn fields_do_not_overlap() {
        for pair in SK_BUFF.fields.windows(2) {
            assert!(pair[0].offset + pair[0].size <= pair[1].offset, "{} and {}", pair[0].name, pair[1].name);
        }
        assert_eq!(SK_BUFF.field_at(17).map(|field| &*field.name), Some("protocol"));
        assert_eq!(SK_BUFF.field_at(182), None);
    }

    #[test]
    fn the_context_carries_the_metadata() {
        let mut skb = Skb::ethernet([[0xff; 12].as_slice(), &[0x08, 0x06]].concat());
        skb.vlan = Some((0x8100, 42));
        let image = skb.context();
        assert_eq!(image[..8], [14, 0, 0, 0, 1, 0, 0, 0]);
        assert_eq!(image[16..18], [0x08, 0x06]);
        assert_eq!(image[20..30], [1, 0, 0, 0, 42, 0, 0, 0, 0x81, 0x00]);
    }
}
