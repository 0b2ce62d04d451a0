//! What two ancillary loads compute from the packet: where the payload starts, and netlink attributes.
//!
//! Sources: `skb_get_poff()` and the flow dissector (net/core/flow_dissector.c), `bpf_skb_get_nlattr()` and
//! `bpf_skb_get_nlattr_nest()` (net/core/filter.c).

use super::Skb;

/// Bytes of a netlink attribute's header: length and type, both in the machine's byte order.
const ATTRIBUTE_HEADER: usize = 4;
/// The bits of an attribute's type that are not flags.
const ATTRIBUTE_TYPE: u16 = 0x3fff;

impl Skb {
    /// Where the transport payload starts, counted from the packet's first byte; 0 for what is not understood.
    #[must_use]
    pub fn payload_offset(&self) -> u32 {
        let mut walk = Walk {
            packet: &self.packet,
            at: self.network_header as usize,
            transport: 0,
            later_fragment: false,
            headers: 0,
        };
        match walk.network(self.protocol) {
            Some(()) => walk.payload(self.len as usize) as u32,
            None => 0,
        }
    }

    /// The offset of the first netlink attribute of type `wanted` at or behind `start`, or 0.
    #[must_use]
    pub fn attribute(&self, start: u32, wanted: u32) -> u32 {
        match self.attribute_room(start) {
            Some(start) => self.find_attribute(start, self.packet.len(), wanted),
            None => 0,
        }
    }

    /// The same among the attributes nested in the one at `start`.
    #[must_use]
    pub fn nested_attribute(&self, start: u32, wanted: u32) -> u32 {
        let Some(start) = self.attribute_room(start) else { return 0 };
        let length = usize::from(self.le16(start));
        if length < ATTRIBUTE_HEADER || length > self.packet.len() - start {
            return 0;
        }
        self.find_attribute(start + ATTRIBUTE_HEADER, start + length, wanted)
    }

    /// `start` as an index, if an attribute header fits there.
    fn attribute_room(&self, start: u32) -> Option<usize> {
        let start = start as usize;
        (start.checked_add(ATTRIBUTE_HEADER)? <= self.packet.len()).then_some(start)
    }

    /// `nla_find()`: walks the attributes from `at` as long as they fit before `end`.
    fn find_attribute(&self, mut at: usize, end: usize, wanted: u32) -> u32 {
        while at + ATTRIBUTE_HEADER <= end {
            let length = usize::from(self.le16(at));
            if length < ATTRIBUTE_HEADER || at + length > end {
                return 0;
            }
            if u32::from(self.le16(at + 2) & ATTRIBUTE_TYPE) == wanted {
                return at as u32;
            }
            at += length.next_multiple_of(4);
        }
        0
    }

    fn le16(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.packet[at], self.packet[at + 1]])
    }
}

/// The most headers that are looked into (`MAX_FLOW_DISSECT_HDRS`).
const MAX_HEADERS: usize = 15;

/// The flow dissector on its way through a packet. It stops where it understands no more, and that is no failure
/// unless a header is cut off or wrong.
struct Walk<'a> {
    packet: &'a [u8],
    at: usize,
    /// The protocol that the last IP header names.
    transport: u8,
    /// Whether this is a fragment without a transport header.
    later_fragment: bool,
    headers: usize,
}

impl Walk<'_> {
    /// Walks on from a header of the network layer, an EtherType; `None` when the packet makes no sense.
    fn network(&mut self, mut protocol: u16) -> Option<()> {
        while let Some(inside) = self.header(protocol)? {
            self.headers += 1;
            if self.headers > MAX_HEADERS {
                break;
            }
            protocol = inside;
        }
        Some(())
    }

    /// Goes over one header; gives the EtherType of what is inside, if that is to be looked at.
    fn header(&mut self, protocol: u16) -> Option<Option<u16>> {
        match protocol {
            0x0800 => {
                let header = self.bytes(20)?;
                let (length, transport) = (usize::from(header[0] & 0xf) * 4, header[9]);
                let fragment = u16::from_be_bytes([header[6], header[7]]);
                if length < 20 {
                    return None;
                }
                self.at += length;
                self.transport = transport;
                self.later_fragment = fragment & 0x1fff != 0;
                if fragment & 0x3fff != 0 { Some(None) } else { self.behind_ip(false) }
            }
            0x86dd => {
                self.transport = self.bytes(40)?[6];
                self.at += 40;
                self.behind_ip(true)
            }
            0x8100 | 0x88a8 => {
                let inside = self.be16(2)?;
                self.at += 4;
                Some(Some(inside))
            }
            0x8864 => self.pppoe(),
            // MPLS: what is below the label is not told, nor is the label itself looked at.
            0x8847 | 0x8848 => {
                self.at += 4;
                Some(None)
            }
            // PTP and FCoE.
            0x88f7 => self.over(34),
            0x8906 => self.over(38),
            // ARP, RARP, TIPC, CFM: known, but not looked into.
            0x0806 | 0x8035 | 0x8902 => Some(None),
            0x88ca => self.bytes(16).map(|_| None),
            _ => None,
        }
    }

    /// What IP carries: extension headers of IPv6, tunnels, or the transport.
    fn behind_ip(&mut self, ipv6: bool) -> Option<Option<u16>> {
        loop {
            match self.transport {
                // Hop-by-hop, routing and destination options.
                0 | 43 | 60 if ipv6 => {
                    let [next, length] = [self.bytes(2)?[0], self.bytes(2)?[1]];
                    self.transport = next;
                    self.at += (usize::from(length) + 1) * 8;
                }
                44 if ipv6 => {
                    let header = self.bytes(8)?;
                    let (next, fragment) = (header[0], u16::from_be_bytes([header[2], header[3]]));
                    self.transport = next;
                    self.at += 8;
                    self.later_fragment = fragment & 0xfff8 != 0;
                    return Some(None);
                }
                4 => return Some(Some(0x0800)),
                41 => return Some(Some(0x86dd)),
                137 => return Some(Some(0x8847)),
                47 => return self.gre(),
                _ => return Some(None),
            }
            self.headers += 1;
            if self.headers > MAX_HEADERS {
                return Some(None);
            }
        }
    }

    /// GRE without routing; version 1, which is PPTP, is not followed.
    fn gre(&mut self) -> Option<Option<u16>> {
        let (flags, inside) = (self.be16(0)?, self.be16(2)?);
        if flags & 0x4007 != 0 {
            return Some(None);
        }
        // Checksum, key and sequence number are there if their bits are.
        let length = 4 + [0x8000, 0x2000, 0x1000].iter().filter(|&bit| flags & bit != 0).count() * 4;
        self.at += length;
        if inside != 0x6558 {
            return Some(Some(inside));
        }
        let inside = self.be16(12)?;
        self.at += 14;
        Some(Some(inside))
    }

    fn pppoe(&mut self) -> Option<Option<u16>> {
        let (start, mut protocol) = (self.be16(0)?, self.be16(6)?);
        if start != 0x1100 {
            return None;
        }
        self.at += 8;
        // An odd first byte is all of the protocol.
        if protocol & 0x0100 != 0 {
            protocol >>= 8;
            self.at -= 1;
        }
        match protocol {
            0x0021 => Some(Some(0x0800)),
            0x0057 => Some(Some(0x86dd)),
            0x0281 => Some(Some(0x8847)),
            0x0283 => Some(Some(0x8848)),
            other if other & 0x0101 == 1 => Some(None),
            _ => None,
        }
    }

    /// Over a header behind which nothing is looked at.
    fn over(&mut self, length: usize) -> Option<Option<u16>> {
        self.bytes(length)?;
        self.at += length;
        Some(None)
    }

    /// Behind the transport header, if this is one (`__skb_get_poff()`).
    fn payload(&self, length: usize) -> usize {
        let start = self.at.min(length);
        if self.later_fragment {
            return start;
        }
        start
            + match self.transport {
                // A TCP header says its own length; one cut off before it does ends the search at its start.
                6 => self.packet.get(start + 12).map_or(0, |byte| usize::from((byte & 0xf0) >> 2).max(20)),
                // UDP, UDP-Lite, ICMP, ICMPv6, IGMP.
                17 | 136 | 1 | 58 | 2 => 8,
                // DCCP, SCTP.
                33 | 132 => 12,
                _ => 0,
            }
    }

    fn bytes(&self, length: usize) -> Option<&[u8]> {
        self.packet.get(self.at..)?.get(..length)
    }

    fn be16(&self, offset: usize) -> Option<u16> {
        let bytes = self.packet.get(self.at + offset..)?.first_chunk()?;
        Some(u16::from_be_bytes(*bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ethernet(ether_type: [u8; 2], rest: &[u8]) -> Skb {
        Skb::ethernet([&[2; 12], ether_type.as_slice(), rest].concat())
    }

    #[test]
    fn the_payload_of_tcp_lies_behind_its_options() {
        let mut packet = vec![0x45, 0, 0, 60, 0, 0, 0, 0, 64, 6, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2];
        packet.extend([0, 22, 0, 23, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0]);
        assert_eq!(ethernet([8, 0], &packet).payload_offset(), 14 + 20 + 32);
        packet[6] = 0x00;
        packet[7] = 0x01;
        assert_eq!(ethernet([8, 0], &packet).payload_offset(), 34, "a later fragment has no header");
        let tagged = [&[0, 5, 0x08, 0x00], packet.as_slice()].concat();
        assert_eq!(ethernet([0x81, 0], &tagged).payload_offset(), 38);
        assert_eq!(ethernet([8, 6], &packet).payload_offset(), 14, "ARP is known, but has no transport");
        assert_eq!(ethernet([0x12, 0x34], &packet).payload_offset(), 0);
    }

    #[test]
    fn attributes_are_found_by_type() {
        // 8 bytes of type 1, then 12 of type 2 that hold one of type 5.
        let packet = [8, 0, 1, 0, 9, 9, 9, 9, 12, 0, 2, 0, 8, 0, 5, 0, 7, 7, 7, 7];
        let skb = Skb::ethernet(packet.to_vec());
        assert_eq!(skb.attribute(0, 1), 0);
        assert_eq!(skb.attribute(0, 2), 8);
        assert_eq!(skb.attribute(0, 3), 0);
        assert_eq!(skb.nested_attribute(8, 5), 12);
        assert_eq!(skb.nested_attribute(8, 6), 0);
        assert_eq!(skb.attribute(17, 2), 0, "no room for a header");
        assert_eq!(skb.attribute(u32::MAX, 2), 0);
    }
}
