//! The fields of each protocol's header: where they lie and what their numbers mean.
//!
//! Tables only; which headers a packet has is found out in `layers`. Sources: IEEE 802.3 and 802.1Q, RFC 791 (IPv4),
//! 8200 (IPv6), 826 (ARP), 9293 (TCP), 768 (UDP), 792 (ICMP), 4443 (ICMPv6), and for Linux cooked captures
//! <https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html> and its second version.

use crate::isa::Size;
use crate::meaning::{Meaning, Part};
use std::ops::Range;

/// A field of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// What it is called: "source", "TTL".
    pub label: &'static str,
    /// Its bytes in the packet.
    pub bytes: Range<usize>,
    /// What its numbers stand for, in network order.
    pub meaning: Meaning,
}

impl Field {
    /// Which part of the field `size` bytes at `start` are, if they lie in it.
    #[must_use]
    pub fn part(&self, start: usize, size: Size) -> Option<Part> {
        let end = start.checked_add(size.bytes())?;
        (self.bytes.start <= start && end <= self.bytes.end).then(|| Part {
            start: start - self.bytes.start,
            size: size.bytes(),
            of: self.bytes.len(),
        })
    }
}

/// The fields of a header: label, first byte, bytes, meaning.
pub(super) type Table = &'static [(&'static str, usize, usize, Meaning)];

pub(super) const ETHERNET: Table = &[
    ("destination", 0, 6, Meaning::MacAddress),
    ("source", 6, 6, Meaning::MacAddress),
    ("EtherType", 12, 2, Meaning::EtherType),
];

pub(super) const VLAN: Table = &[("tag", 0, 2, Meaning::VlanTag), ("EtherType", 2, 2, Meaning::EtherType)];

pub(super) const LINUX_SLL: Table = &[
    ("packet type", 0, 2, Meaning::PacketType),
    ("hardware type", 2, 2, Meaning::HardwareType),
    ("address length", 4, 2, Meaning::Number),
    ("source", 6, 6, Meaning::MacAddress),
    ("protocol", 14, 2, Meaning::Protocol),
];

pub(super) const LINUX_SLL2: Table = &[
    ("protocol", 0, 2, Meaning::Protocol),
    ("interface", 4, 4, Meaning::Number),
    ("hardware type", 8, 2, Meaning::HardwareType),
    ("packet type", 10, 1, Meaning::PacketType),
    ("address length", 11, 1, Meaning::Number),
    ("source", 12, 6, Meaning::MacAddress),
];

/// Four bytes in the byte order of the machine that captured, or in network order; the numbers differ by system.
pub(super) const LOOPBACK: Table = &[("address family", 0, 4, Meaning::Bits)];

pub(super) const IPV4: Table = &[
    ("version", 0, 1, Meaning::Ipv4Start),
    ("type of service", 1, 1, Meaning::Number),
    ("total length", 2, 2, Meaning::Number),
    ("identification", 4, 2, Meaning::Bits),
    ("fragment", 6, 2, Meaning::Fragment),
    ("TTL", 8, 1, Meaning::Number),
    ("protocol", 9, 1, Meaning::IpProtocol),
    ("header checksum", 10, 2, Meaning::Bits),
    ("source", 12, 4, Meaning::Ipv4Address),
    ("destination", 16, 4, Meaning::Ipv4Address),
];

pub(super) const IPV6: Table = &[
    ("version", 0, 4, Meaning::Ipv6Start),
    ("payload length", 4, 2, Meaning::Number),
    ("protocol", 6, 1, Meaning::IpProtocol),
    ("hop limit", 7, 1, Meaning::Number),
    ("source", 8, 16, Meaning::Ipv6Address),
    ("destination", 24, 16, Meaning::Ipv6Address),
];

/// An extension header of IPv6 that says how long it is.
pub(super) const IPV6_EXTENSION: Table =
    &[("protocol", 0, 1, Meaning::IpProtocol), ("header length", 1, 1, Meaning::Bits)];

pub(super) const IPV6_FRAGMENT: Table = &[
    ("protocol", 0, 1, Meaning::IpProtocol),
    ("fragment", 2, 2, Meaning::Fragment6),
    ("identification", 4, 4, Meaning::Bits),
];

/// ARP for IPv4 over Ethernet.
pub(super) const ARP: Table = &[
    ("hardware type", 0, 2, Meaning::HardwareType),
    ("protocol", 2, 2, Meaning::EtherType),
    ("hardware address length", 4, 1, Meaning::Number),
    ("protocol address length", 5, 1, Meaning::Number),
    ("operation", 6, 2, Meaning::ArpOperation),
    ("sender", 8, 6, Meaning::MacAddress),
    ("sender", 14, 4, Meaning::Ipv4Address),
    ("target", 18, 6, Meaning::MacAddress),
    ("target", 24, 4, Meaning::Ipv4Address),
];

pub(super) const TCP: Table = &[
    ("source", 0, 2, Meaning::Port),
    ("destination", 2, 2, Meaning::Port),
    ("sequence number", 4, 4, Meaning::Number),
    ("acknowledged", 8, 4, Meaning::Number),
    ("header length", 12, 1, Meaning::TcpLength),
    ("flags", 13, 1, Meaning::TcpFlags),
    ("window", 14, 2, Meaning::Number),
    ("checksum", 16, 2, Meaning::Bits),
    ("urgent pointer", 18, 2, Meaning::Number),
];

pub(super) const UDP: Table = &[
    ("source", 0, 2, Meaning::Port),
    ("destination", 2, 2, Meaning::Port),
    ("length", 4, 2, Meaning::Number),
    ("checksum", 6, 2, Meaning::Bits),
];

pub(super) const ICMP: Table = &[
    ("ICMP type", 0, 1, Meaning::IcmpType),
    ("code", 1, 1, Meaning::Number),
    ("checksum", 2, 2, Meaning::Bits),
];

pub(super) const ICMPV6: Table = &[
    ("ICMPv6 type", 0, 1, Meaning::Icmpv6Type),
    ("code", 1, 1, Meaning::Number),
    ("checksum", 2, 2, Meaning::Bits),
];

/// What follows in the header of an echo request or reply, of either ICMP.
pub(super) const ECHO: Table =
    &[("identifier", 4, 2, Meaning::Number), ("sequence number", 6, 2, Meaning::Number)];
