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
        self.dissect().unwrap_or(0) as u32
    }

    fn dissect(&self) -> Option<usize> {
        let (mut at, mut protocol) = (self.network_header as usize, self.protocol);
        // Linux follows two tags and gives up behind them.
        for _ in 0..2 {
            if matches!(protocol, 0x8100 | 0x88a8) {
                protocol = self.be16(at + 2)?;
                at += 4;
            }
        }
        let (transport, next, later_fragment) = match protocol {
            0x0800 => {
                let header = self.packet.get(at..at + 20)?;
                let length = usize::from(header[0] & 0xf) * 4;
                if length < 20 {
                    return None;
                }
                (at + length, header[9], self.be16(at + 6)? & 0x1fff != 0)
            }
            0x86dd => self.behind_ipv6(at)?,
            _ => return None,
        };
        if later_fragment {
            return Some(transport);
        }
        Some(match next {
            // A TCP header says its own length; one cut off before it does ends the search at its start.
            6 => match self.packet.get(transport + 12) {
                Some(byte) => transport + usize::from((byte & 0xf0) >> 2).max(20),
                None => transport,
            },
            17 | 136 => transport + 8,
            1 | 58 => transport + 8,
            2 => transport + 8,
            33 => transport + 16,
            132 => transport + 12,
            _ => transport,
        })
    }

    /// Over IPv6's extension headers: where the transport starts, its protocol, whether this is a later fragment.
    fn behind_ipv6(&self, at: usize) -> Option<(usize, u8, bool)> {
        let mut next = self.packet.get(at..at + 40)?[6];
        let mut at = at + 40;
        loop {
            match next {
                // Hop-by-hop, routing and destination options.
                0 | 43 | 60 => {
                    let header = self.packet.get(at..at + 2)?;
                    next = header[0];
                    at += (usize::from(header[1]) + 1) * 8;
                }
                44 => {
                    let header = self.packet.get(at..at + 8)?;
                    next = header[0];
                    let later = self.be16(at + 2)? & 0xfff8 != 0;
                    at += 8;
                    if later {
                        return Some((at, next, true));
                    }
                }
                _ => return Some((at, next, false)),
            }
        }
    }

    fn be16(&self, at: usize) -> Option<u16> {
        let bytes = self.packet.get(at..at + 2)?;
        Some(u16::from_be_bytes([bytes[0], bytes[1]]))
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
        assert_eq!(ethernet([8, 6], &packet).payload_offset(), 0);
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
