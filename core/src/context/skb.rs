//! A packet as Linux hands it to socket filters: `struct sk_buff` behind, `struct __sk_buff` in front.
//!
//! Classic programs reach it through packet loads and ancillary loads, eBPF programs through the fields of
//! [`SK_BUFF`] (include/uapi/linux/bpf.h) and legacy packet loads. Both read the same [`Skb`].

mod dissect;
mod fields;

pub use fields::{SK_BUFF, SK_BUFF_CGROUP, SK_BUFF_TC, store};

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

/// A packet and what the kernel knows about it. The default is an empty packet about which nothing is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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
    /// What is of no use to filters, but to programs that sort and send packets.
    pub control: Control,
    /// What is before the packet.
    pub headroom: Headroom,
}

/// How far a packet can grow at its front (`XDP_PACKET_HEADROOM`).
pub const HEADROOM: usize = 256;

/// The [`HEADROOM`] bytes before a packet. The last of them are metadata that programs at the driver leave for those
/// behind them; before those is what was pushed out of the packet.
#[derive(Debug, Clone, Default)]
pub struct Headroom {
    /// All of them, or none when all are 0.
    bytes: Vec<u8>,
    /// How many bytes are metadata.
    pub metadata: u32,
}

impl Headroom {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        if self.bytes.is_empty() { &[0; HEADROOM] } else { &self.bytes }
    }

    /// The bytes, to be changed.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.bytes.resize(HEADROOM, 0);
        &mut self.bytes
    }
}

impl PartialEq for Headroom {
    fn eq(&self, other: &Self) -> bool {
        self.metadata == other.metadata && self.bytes() == other.bytes()
    }
}

impl Eq for Headroom {}

/// What the layers of the network stack write down about a packet for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Control {
    /// Scheduling priority.
    pub priority: u32,
    /// The interface it arrived at; 0 for packets that were made here.
    pub ingress_ifindex: u32,
    /// Traffic control's index.
    pub tc_index: u16,
    /// Traffic control's class.
    pub tc_classid: u32,
    /// Notes of programs to those behind them.
    pub cb: [u8; 20],
    /// The polling context.
    pub napi_id: u32,
    /// Time stamp, in nanoseconds.
    pub tstamp: u64,
    /// What `tstamp` counts: 0 unspecified, 1 the time since boot, 2 the time of day (`BPF_SKB_CLOCK_…`).
    pub tstamp_type: u8,
    /// The device's time stamp, in nanoseconds.
    pub hwtstamp: u64,
    /// How many segments the packet stands for, and their size.
    pub gso: (u32, u32),
    /// Its socket's connection.
    pub socket: Socket,
}

/// A connection, as programs of control groups see it. Addresses are as they are on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Socket {
    /// Address family (`AF_INET` 2, `AF_INET6` 10); 0 when there is no socket.
    pub family: u32,
    /// The peer's IPv4 address and ours.
    pub ip4: [[u8; 4]; 2],
    /// The peer's IPv6 address and ours.
    pub ip6: [[u8; 16]; 2],
    /// The peer's port and ours.
    pub ports: [u16; 2],
    /// The number that tells it from all others (`get_socket_cookie`).
    pub cookie: u64,
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
            packet,
            ..Skb::default()
        }
    }

    /// The same packet without what is before the network header, as control groups see it.
    #[must_use]
    pub fn from_network_header(mut self) -> Self {
        let cut = (self.network_header as usize).min(self.packet.len());
        self.packet.drain(..cut);
        self.len = self.len.saturating_sub(self.network_header);
        self.network_header = 0;
        self.link_header = None;
        self
    }

    /// Makes the packet so many bytes long, by cutting it or by zeros.
    pub fn resize(&mut self, length: usize) {
        self.len = self.len.wrapping_add(length as u32).wrapping_sub(self.packet.len() as u32);
        self.packet.resize(length, 0);
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
}

/// The EtherType Linux gives an Ethernet frame: `eth_type_trans()`.
pub(crate) fn ether_protocol(packet: &[u8]) -> u16 {
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
}
