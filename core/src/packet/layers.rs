//! Which bytes of a packet belong to which protocol, and a line about the whole.
//!
//! Enough to tint a hex view and to label a list; fields within the layers are another matter.

use crate::context::skb::{Skb, link_type};
use crate::count::Count;
use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

/// The bytes of one protocol's header, or of the payload behind the last known one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// The protocol.
    pub name: &'static str,
    /// Its kind, for colours: protocols of a kind never follow each other but for tags and tunnels.
    pub kind: Kind,
    /// The bytes.
    pub bytes: Range<usize>,
    /// What it says in a few words: addresses, ports, flags.
    pub summary: String,
}

/// What a layer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Ethernet and its kin.
    Link,
    /// VLAN tags.
    Tag,
    /// IP, ARP.
    Network,
    /// TCP, UDP, ICMP.
    Transport,
    /// What they carry.
    Payload,
}

/// The layers of a packet, outermost first. They cover it without gaps.
#[must_use]
pub fn layers(skb: &Skb, link: u32) -> Vec<Layer> {
    let mut walk = Walk { packet: &skb.packet, at: 0, layers: Vec::new() };
    let network = skb.network_header as usize;
    match link {
        link_type::ETHERNET => walk.ethernet(),
        link_type::RAW => walk.network(skb.protocol),
        link_type::LINUX_SLL | link_type::LINUX_SLL2 => {
            walk.take("Linux cooked", Kind::Link, network, String::new());
            walk.network(skb.protocol);
        }
        link_type::NULL | link_type::LOOP => {
            walk.take("Loopback", Kind::Link, network, String::new());
            walk.network(skb.protocol);
        }
        _ => {}
    }
    walk.rest();
    walk.layers
}

/// A line about the packet, what matters most first: "TCP 51204 > 22 SYN, 192.0.2.1 > 192.0.2.2".
#[must_use]
pub fn summary(layers: &[Layer]) -> String {
    let mut line = String::new();
    let network = layers.iter().rfind(|layer| layer.kind == Kind::Network);
    let transport = layers.iter().find(|layer| layer.kind == Kind::Transport);
    if let Some(tag) = layers.iter().find(|layer| layer.kind == Kind::Tag) {
        let _ = write!(line, "{} {}, ", tag.name, tag.summary);
    }
    match (network, transport) {
        (Some(network), Some(transport)) => {
            let _ = write!(line, "{} {}, {}", transport.name, transport.summary, network.summary);
        }
        (Some(network), None) => {
            let _ = write!(line, "{} {}", network.name, network.summary);
        }
        _ => {
            let first = layers.first();
            line.push_str(first.map_or("empty", |layer| layer.name));
        }
    }
    line.trim_end().to_owned()
}

struct Walk<'a> {
    packet: &'a [u8],
    at: usize,
    layers: Vec<Layer>,
}

impl Walk<'_> {
    fn byte(&self, offset: usize) -> Option<u8> {
        self.packet.get(self.at + offset).copied()
    }

    fn be16(&self, offset: usize) -> Option<u16> {
        Some(u16::from_be_bytes([self.byte(offset)?, self.byte(offset + 1)?]))
    }

    fn array<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        self.packet.get(self.at + offset..)?.first_chunk().copied()
    }

    /// The next `length` bytes are this layer. Cut off at the packet's end.
    fn take(&mut self, name: &'static str, kind: Kind, length: usize, summary: String) {
        let end = (self.at + length).min(self.packet.len());
        if end > self.at {
            self.layers.push(Layer { name, kind, bytes: self.at..end, summary });
            self.at = end;
        }
    }

    fn rest(&mut self) {
        let left = self.packet.len() - self.at;
        self.take("Payload", Kind::Payload, left, Count(left, "byte").to_string());
    }

    fn ethernet(&mut self) {
        let (Some(to), Some(from), Some(mut protocol)) =
            (self.array::<6>(0), self.array::<6>(6), self.be16(12))
        else {
            return;
        };
        self.take("Ethernet", Kind::Link, 14, format!("{} > {}", mac(from), mac(to)));
        while matches!(protocol, 0x8100 | 0x88a8) {
            let (Some(tag), Some(inner)) = (self.be16(0), self.be16(2)) else { return };
            self.take("VLAN", Kind::Tag, 4, (tag & 0xfff).to_string());
            protocol = inner;
        }
        self.network(protocol);
    }

    fn network(&mut self, protocol: u16) {
        match protocol {
            0x0800 => self.ipv4(),
            0x86dd => self.ipv6(),
            0x0806 => self.arp(),
            _ => {}
        }
    }

    fn ipv4(&mut self) {
        let (Some(first), Some(from), Some(to)) = (self.byte(0), self.array::<4>(12), self.array::<4>(16))
        else {
            return;
        };
        let length = usize::from(first & 0xf) * 4;
        let (Some(protocol), Some(fragment)) = (self.byte(9), self.be16(6)) else { return };
        if first >> 4 != 4 || length < 20 {
            return;
        }
        let later = fragment & 0x1fff != 0;
        let mut text = format!("{} > {}", Ipv4Addr::from(from), Ipv4Addr::from(to));
        if later || fragment & 0x2000 != 0 {
            let _ = write!(text, ", fragment at {}", u32::from(fragment & 0x1fff) * 8);
        }
        self.take("IPv4", Kind::Network, length, text);
        if !later {
            self.transport(protocol);
        }
    }

    fn ipv6(&mut self) {
        let (Some(mut next), Some(from), Some(to)) =
            (self.byte(6), self.array::<16>(8), self.array::<16>(24))
        else {
            return;
        };
        let mut text = format!("{} > {}", Ipv6Addr::from(from), Ipv6Addr::from(to));
        // The extension headers belong to the network layer.
        let start = self.at;
        self.at += 40;
        let mut later = false;
        while let (0 | 43 | 44 | 60, Some(following), Some(length)) = (next, self.byte(0), self.byte(1)) {
            if next == 44 {
                let fragment = self.be16(2).unwrap_or(0);
                later = fragment & 0xfff8 != 0;
                let _ = write!(text, ", fragment at {}", fragment & 0xfff8);
                self.at += 8;
            } else {
                self.at += (usize::from(length) + 1) * 8;
            }
            next = following;
        }
        let length = self.at - start;
        self.at = start;
        self.take("IPv6", Kind::Network, length, text);
        if !later {
            self.transport(next);
        }
    }

    fn arp(&mut self) {
        let (Some(operation), Some(asker), Some(wanted)) =
            (self.be16(6), self.array::<4>(14), self.array::<4>(24))
        else {
            return;
        };
        let (asker, wanted) = (Ipv4Addr::from(asker), Ipv4Addr::from(wanted));
        let text = match operation {
            1 => format!("who has {wanted}? {asker} asks"),
            2 => format!("{asker} is here"),
            other => format!("operation {other}"),
        };
        self.take("ARP", Kind::Network, 28, text);
    }

    fn transport(&mut self, protocol: u8) {
        let ports = self.be16(0).zip(self.be16(2)).map(|(from, to)| format!("{from} > {to}"));
        match protocol {
            6 => {
                let (Some(mut text), Some(length), Some(flags)) = (ports, self.byte(12), self.byte(13))
                else {
                    return;
                };
                let names = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];
                for (bit, name) in names.iter().enumerate().filter(|(bit, _)| flags & 1 << bit != 0) {
                    let _ = write!(
                        text,
                        "{}{name}",
                        if bit == flags.trailing_zeros() as usize { ' ' } else { '+' }
                    );
                }
                self.take("TCP", Kind::Transport, usize::from(length >> 4).max(5) * 4, text);
            }
            17 => {
                let Some(text) = ports else { return };
                self.take("UDP", Kind::Transport, 8, text);
            }
            1 | 58 => {
                let Some((kind, code)) = self.byte(0).zip(self.byte(1)) else { return };
                let name = if protocol == 1 { "ICMP" } else { "ICMPv6" };
                let text = match (protocol, kind) {
                    (1, 0) | (58, 129) => "echo reply".to_owned(),
                    (1, 8) | (58, 128) => "echo request".to_owned(),
                    (1, 3) | (58, 1) => format!("unreachable, code {code}"),
                    (1, 11) | (58, 3) => "time exceeded".to_owned(),
                    (58, 133) => "router solicitation".to_owned(),
                    (58, 134) => "router advertisement".to_owned(),
                    (58, 135) => "neighbour solicitation".to_owned(),
                    (58, 136) => "neighbour advertisement".to_owned(),
                    _ => format!("type {kind}, code {code}"),
                };
                self.take(name, Kind::Transport, 8, text);
            }
            _ => {}
        }
    }
}

fn mac(address: [u8; 6]) -> String {
    address.map(|byte| format!("{byte:02x}")).join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tagged_syn_has_five_layers() {
        let packet = [
            [2; 12].as_slice(),
            &[0x81, 0, 0, 42, 8, 0],
            &[0x45, 0, 0, 44, 0, 0, 0, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2],
            &[0xc8, 4, 0, 22, 0, 0, 0, 0, 0, 0, 0, 0, 0x60, 0x12, 0, 0, 0, 0, 0, 0, 2, 4, 5, 180, 9],
        ]
        .concat();
        let found = layers(&Skb::ethernet(packet), link_type::ETHERNET);
        let bounds: Vec<_> = found.iter().map(|layer| (layer.name, layer.bytes.clone())).collect();
        assert_eq!(
            bounds,
            [("Ethernet", 0..14), ("VLAN", 14..18), ("IPv4", 18..38), ("TCP", 38..62), ("Payload", 62..63)]
        );
        assert_eq!(summary(&found), "VLAN 42, TCP 51204 > 22 SYN+ACK, 192.0.2.1 > 192.0.2.2");
    }

    #[test]
    fn any_bytes_are_covered_without_gaps() {
        for seed in 0..2000u32 {
            let mut random = crate::environment::Random(seed.into());
            let mut packet: Vec<u8> = (0..random.next_u32() % 90).map(|_| random.next_u32() as u8).collect();
            for (at, value) in [(12, [8, 0]), (12, [0x86, 0xdd]), (12, [0x81, 0])] {
                if seed % 2 == 0 && packet.len() > at + 2 {
                    packet[at..at + 2].copy_from_slice(&value);
                }
            }
            let length = packet.len();
            let found = layers(&Skb::ethernet(packet), link_type::ETHERNET);
            let end = found.iter().fold(0, |end, layer| {
                assert_eq!(layer.bytes.start, end, "seed {seed}");
                layer.bytes.end
            });
            assert_eq!(end, length, "seed {seed}");
        }
    }
}
