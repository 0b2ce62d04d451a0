//! Lengths and checksums of a packet: what they should be, and how to put them right.
//!
//! Sources: RFC 791 and 1071 (IPv4, the sum), 768 (UDP), 9293 (TCP), 792 (ICMP), 8200 and 4443 (IPv6, ICMPv6).

use super::layers::{Kind, Layer};
use std::ops::Range;

/// The longest frame that may have been filled up to Ethernet's least length, with two tags.
const PADDED: usize = 68;

/// A length or a checksum that is not what the rest of the packet says it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mend {
    /// The layer it is in: "IPv4".
    pub layer: &'static str,
    /// What it is called: "header checksum".
    pub label: &'static str,
    /// Its bytes.
    pub bytes: Range<usize>,
    /// What they should be, in network order.
    pub value: u16,
}

/// What is wrong with the lengths and checksums of `packet`, in the order in which they have to be mended: checksums
/// are said as they are once the lengths are right. `wire_len` is how long it was before it was cut off, if it was.
///
/// Nothing is said of what cannot be known: checksums of fragments, of what was cut off, or behind a routing header;
/// and of tunnels, what is inside.
#[must_use]
pub fn faults(packet: &[u8], layers: &[Layer], wire_len: usize) -> Vec<Mend> {
    let Some(at) = layers.iter().position(|layer| layer.kind == Kind::Network) else { return Vec::new() };
    let mut work = Work { packet: packet.to_vec(), whole: wire_len.max(packet.len()), found: Vec::new() };
    let network = &layers[at];
    let end = match network.name {
        "IPv4" => work.ipv4(network.bytes.clone()),
        "IPv6" => work.ipv6(network.bytes.clone()),
        _ => None,
    };
    if let (Some(end), Some(transport)) = (end, layers.get(at + 1)) {
        work.transport(network, transport, end);
    }
    work.found
}

/// Puts the lengths and checksums of a packet right.
pub fn apply(packet: &mut [u8], mends: &[Mend]) {
    for mend in mends {
        if let Some(bytes) = packet.get_mut(mend.bytes.clone()).filter(|bytes| bytes.len() == 2) {
            bytes.copy_from_slice(&mend.value.to_be_bytes());
        }
    }
}

/// The packet as it is mended, so that sums see the right lengths.
struct Work {
    packet: Vec<u8>,
    /// How long it was on the wire.
    whole: usize,
    found: Vec<Mend>,
}

impl Work {
    fn be16(&self, at: usize) -> Option<u16> {
        self.packet.get(at..)?.first_chunk().map(|&bytes| u16::from_be_bytes(bytes))
    }

    fn set(&mut self, layer: &'static str, label: &'static str, at: usize, value: u16) {
        if self.be16(at).is_some_and(|is| is != value) {
            self.packet[at..at + 2].copy_from_slice(&value.to_be_bytes());
            self.found.push(Mend { layer, label, bytes: at..at + 2, value });
        }
    }

    /// Where a datagram ends whose header says `said`: there, if what follows fills up the frame, and else where the
    /// packet does.
    fn end(&self, said: usize, header_end: usize) -> usize {
        let padding = self.packet.get(said..).is_some_and(|rest| rest.iter().all(|&byte| byte == 0));
        let padded = (header_end..self.whole).contains(&said) && self.whole <= PADDED && padding;
        if padded { said } else { self.whole }
    }

    fn ipv4(&mut self, header: Range<usize>) -> Option<usize> {
        let start = header.start;
        let said = start + usize::from(self.be16(start + 2)?);
        let end = self.end(said, header.end);
        self.set("IPv4", "total length", start + 2, u16::try_from(end - start).ok()?);
        let fragment = self.be16(start + 6)?;
        let sum = self.sum(header.clone(), start + 10)?;
        self.set("IPv4", "header checksum", start + 10, sum);
        (fragment & 0x3fff == 0).then_some(end)
    }

    fn ipv6(&mut self, header: Range<usize>) -> Option<usize> {
        let start = header.start;
        let said = start + 40 + usize::from(self.be16(start + 4)?);
        let end = self.end(said, header.end);
        self.set("IPv6", "payload length", start + 4, u16::try_from(end.checked_sub(start + 40)?).ok()?);
        let (mut next, mut at) = (*self.packet.get(start + 6)?, start + 40);
        while at < header.end {
            let length = *self.packet.get(at + 1)?;
            // A routing header has another address for the sum, and a fragment not all its bytes.
            if next == 43 || next == 44 && self.be16(at + 2)? & 0xfff9 != 0 {
                return None;
            }
            let extension = if next == 44 { 8 } else { (usize::from(length) + 1) * 8 };
            next = *self.packet.get(at)?;
            at += extension;
        }
        Some(end)
    }

    fn transport(&mut self, network: &Layer, transport: &Layer, end: usize) {
        let start = transport.bytes.start;
        let (protocol, field) = match transport.name {
            "TCP" => (6, 16),
            "UDP" => (17, 6),
            "ICMP" => (1, 2),
            "ICMPv6" => (58, 2),
            _ => return,
        };
        let Some(length) = end.checked_sub(start) else { return };
        if transport.name == "UDP" {
            let Ok(length) = u16::try_from(length) else { return };
            self.set("UDP", "length", start + 4, length);
            // Over IPv4 the sender may do without.
            if network.name == "IPv4" && self.be16(start + 6) == Some(0) {
                return;
            }
        }
        let pseudo = match (protocol, network.name) {
            (1, _) => 0,
            (_, "IPv4") => self.words(network.bytes.start + 12, 8) + protocol + length as u64,
            _ => self.words(network.bytes.start + 8, 32) + protocol + length as u64,
        };
        let at = start + field;
        let Some(mut sum) = self.partial(start..end, at).map(|sum| fold(sum + pseudo)) else { return };
        if protocol == 17 && sum == 0 {
            sum = 0xffff;
        }
        self.set(transport.name, "checksum", at, sum);
    }

    /// The checksum of these bytes, of which those at `field` do not count; nothing when they are not all there.
    fn sum(&self, bytes: Range<usize>, field: usize) -> Option<u16> {
        self.partial(bytes, field).map(fold)
    }

    fn partial(&self, bytes: Range<usize>, field: usize) -> Option<u64> {
        let own = self.be16(field)?;
        (bytes.end <= self.packet.len() && field + 2 <= bytes.end)
            .then(|| self.words(bytes.start, bytes.len()) - u64::from(own))
    }

    /// The sum of the 16-bit words, the last one filled up with a zero.
    fn words(&self, start: usize, length: usize) -> u64 {
        let bytes = self.packet.get(start..start + length).unwrap_or_default();
        bytes
            .chunks(2)
            .map(|pair| u64::from(pair[0]) << 8 | pair.get(1).map_or(0, |&low| u64::from(low)))
            .sum()
    }
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::skb::{Skb, link_type};
    use crate::packet::layers;

    fn faults_of(packet: &[u8], wire_len: usize) -> Vec<Mend> {
        let skb = Skb::captured(packet.to_vec(), wire_len as u32, link_type::ETHERNET);
        faults(packet, &layers(&skb, link_type::ETHERNET), wire_len)
    }

    /// An IPv4 header as in the best-known example of the sum, which is 0xb861 there.
    fn udp() -> Vec<u8> {
        let ip = [69, 0, 0, 115, 0, 0, 0x40, 0, 0x40, 0x11, 0xb8, 0x61, 192, 168, 0, 1, 192, 168, 0, 199];
        [&[2; 12][..], &[8, 0], &ip, &[0, 53, 0xc0, 0, 0, 95, 0, 0], &[1; 87]].concat()
    }

    #[test]
    fn what_is_right_is_left_alone() {
        assert_eq!(faults_of(&udp(), 129), []);
        assert_eq!(faults_of(&[], 0), []);
        let mut padded = udp();
        padded.truncate(42);
        padded[17] = 28;
        padded[24..26].copy_from_slice(&0xb8b8u16.to_be_bytes());
        padded[39] = 8;
        assert_eq!(faults_of(&padded, 42), []);
        padded.resize(60, 0);
        assert_eq!(faults_of(&padded, 60), [], "the rest fills up the frame");
        padded[59] = 1;
        assert_eq!(faults_of(&padded, 60).len(), 3, "the rest is data that nobody counts");
    }

    #[test]
    fn lengths_come_before_the_sums_over_them() {
        let mut packet = udp();
        packet.extend([1, 2, 3]);
        packet[41] = 7;
        let found = faults_of(&packet, 132);
        let labels: Vec<_> = found.iter().map(|mend| (mend.layer, mend.label)).collect();
        assert_eq!(
            labels,
            [("IPv4", "total length"), ("IPv4", "header checksum"), ("UDP", "length"), ("UDP", "checksum")]
        );
        apply(&mut packet, &found);
        assert_eq!(faults_of(&packet, 132), []);
        assert_eq!(packet[16..18], [0, 118]);
    }

    #[test]
    fn of_what_is_missing_nothing_is_said() {
        let mut packet = udp();
        packet[40..42].copy_from_slice(&[1, 2]);
        assert_eq!(faults_of(&packet, 129).len(), 1);
        assert_eq!(faults_of(&packet[..100], 129), [], "the sum is over bytes that were not captured");
        assert_eq!(faults_of(&packet[..24], 129), [], "a header in part");
        packet[20] = 0x20;
        packet[24] -= 0x20;
        packet[20] = 0x60;
        assert!(faults_of(&packet, 129).iter().all(|mend| mend.layer == "IPv4"), "a fragment");
    }

    #[test]
    fn any_bytes_can_be_mended_once_and_for_all() {
        for seed in 0..3000u32 {
            let mut random = crate::environment::Random(seed.into());
            let mut packet: Vec<u8> = (0..random.next_u32() % 140).map(|_| random.next_u32() as u8).collect();
            let version = if seed % 2 == 0 { [8, 0, 0x45] } else { [0x86, 0xdd, 0x60] };
            let protocol = [6, 17, 1, 58][seed as usize % 4];
            for (at, value) in
                [(12, version[0]), (13, version[1]), (14, version[2]), (23, protocol), (20, 17)]
            {
                if let Some(byte) = packet.get_mut(at) {
                    *byte = value;
                }
            }
            let length = packet.len();
            let found = faults_of(&packet, length);
            apply(&mut packet, &found);
            assert_eq!(faults_of(&packet, length), [], "seed {seed}");
        }
    }
}
