//! Which bytes of a packet belong to which protocol and to which of its fields, and a line about the whole.

use super::fields::{self, Field, Table};
use crate::context::skb::{Skb, link_type};
use crate::count::Count;
use crate::isa::Size;
use crate::meaning::Meaning;
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
    /// Its fields, as far as they are in the packet whole.
    pub fields: Vec<Field>,
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
            let table = if link == link_type::LINUX_SLL { fields::LINUX_SLL } else { fields::LINUX_SLL2 };
            walk.take("Linux cooked", Kind::Link, table, network, String::new());
            walk.network(skb.protocol);
        }
        link_type::NULL | link_type::LOOP => {
            walk.take("Loopback", Kind::Link, fields::LOOPBACK, network, String::new());
            walk.network(skb.protocol);
        }
        _ => {}
    }
    walk.rest();
    walk.layers
}

/// The field in which all `size` bytes at `start` lie.
#[must_use]
pub fn field_at(layers: &[Layer], start: usize, size: Size) -> Option<&Field> {
    let layer = layers.iter().find(|layer| layer.bytes.contains(&start))?;
    layer.fields.iter().find(|field| field.part(start, size).is_some())
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
    fn take(&mut self, name: &'static str, kind: Kind, table: Table, length: usize, summary: String) {
        let end = (self.at + length).min(self.packet.len());
        if end > self.at {
            let fields = self.fields(self.at, table);
            self.layers.push(Layer { name, kind, bytes: self.at..end, summary, fields });
            self.at = end;
        }
    }

    /// The fields of a header at `start` that are in the packet whole.
    fn fields(&self, start: usize, table: Table) -> Vec<Field> {
        let placed = table.iter().map(|&(label, offset, size, meaning)| {
            let first = start + offset;
            Field { label, bytes: first..first + size, meaning }
        });
        placed.filter(|field| field.bytes.end <= self.packet.len()).collect()
    }

    fn rest(&mut self) {
        let left = self.packet.len() - self.at;
        let bytes = self.at..self.packet.len();
        self.take("Payload", Kind::Payload, &[], left, Count(left, "byte").to_string());
        if let Some(layer) = self.layers.last_mut().filter(|layer| layer.kind == Kind::Payload) {
            layer.fields.push(Field { label: "payload", bytes, meaning: Meaning::Payload });
        }
    }

    fn ethernet(&mut self) {
        let (Some(to), Some(from), Some(mut protocol)) =
            (self.array::<6>(0), self.array::<6>(6), self.be16(12))
        else {
            return;
        };
        self.take("Ethernet", Kind::Link, fields::ETHERNET, 14, format!("{} > {}", mac(from), mac(to)));
        while matches!(protocol, 0x8100 | 0x88a8) {
            let (Some(tag), Some(inner)) = (self.be16(0), self.be16(2)) else { return };
            self.take("VLAN", Kind::Tag, fields::VLAN, 4, (tag & 0xfff).to_string());
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
        self.take("IPv4", Kind::Network, fields::IPV4, length, text);
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
        let mut extensions = Vec::new();
        while let (0 | 43 | 44 | 60, Some(following), Some(length)) = (next, self.byte(0), self.byte(1)) {
            let table = if next == 44 { fields::IPV6_FRAGMENT } else { fields::IPV6_EXTENSION };
            extensions.extend(self.fields(self.at, table));
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
        self.take("IPv6", Kind::Network, fields::IPV6, length, text);
        if let Some(layer) = self.layers.last_mut() {
            layer.fields.append(&mut extensions);
        }
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
        self.take("ARP", Kind::Network, fields::ARP, 28, text);
    }

    fn transport(&mut self, protocol: u8) {
        let ports = self.be16(0).zip(self.be16(2)).map(|(from, to)| format!("{from} > {to}"));
        match protocol {
            6 => {
                let (Some(mut text), Some(length), Some(flags)) = (ports, self.byte(12), self.byte(13))
                else {
                    return;
                };
                if let Some(flags) = Meaning::TcpFlags.name(flags.into()).filter(|_| flags != 0) {
                    let _ = write!(text, " {flags}");
                }
                self.take("TCP", Kind::Transport, fields::TCP, usize::from(length >> 4).max(5) * 4, text);
            }
            17 => {
                let Some(text) = ports else { return };
                self.take("UDP", Kind::Transport, fields::UDP, 8, text);
            }
            1 | 58 => {
                let Some((kind, code)) = self.byte(0).zip(self.byte(1)) else { return };
                let (name, table, meaning) = match protocol {
                    1 => ("ICMP", fields::ICMP, Meaning::IcmpType),
                    _ => ("ICMPv6", fields::ICMPV6, Meaning::Icmpv6Type),
                };
                let mut text = meaning.name(kind.into()).unwrap_or_else(|| format!("type {kind}"));
                if code != 0 {
                    let _ = write!(text, ", code {code}");
                }
                let echo = matches!((protocol, kind), (1, 0 | 8) | (58, 128 | 129));
                let mut more = if echo { self.fields(self.at, fields::ECHO) } else { Vec::new() };
                self.take(name, Kind::Transport, table, 8, text);
                if let Some(layer) = self.layers.last_mut() {
                    layer.fields.append(&mut more);
                }
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
    use crate::meaning::Part;

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
    fn fields_lie_where_the_headers_put_them() {
        let start = [[2; 12].as_slice(), &[0x81, 0, 0, 42, 0x86, 0xdd]].concat();
        let ipv6 = [&[0x60, 0, 0, 0, 0, 16, 44, 64][..], &[0; 32], &[58, 0, 0, 0, 0, 0, 0, 1]].concat();
        let echo = [128, 0, 1, 2, 0, 3, 0, 4, b'h', b'i'];
        let found = layers(&Skb::ethernet([start, ipv6, echo.to_vec()].concat()), link_type::ETHERNET);
        let label = |start, size| field_at(&found, start, size).map(|field| (field.label, field.meaning));
        assert_eq!(label(12, Size::H), Some(("EtherType", Meaning::EtherType)));
        assert_eq!(label(14, Size::H), Some(("tag", Meaning::VlanTag)));
        assert_eq!(label(24, Size::B), Some(("protocol", Meaning::IpProtocol)));
        assert_eq!(label(30, Size::W), Some(("source", Meaning::Ipv6Address)));
        assert_eq!(label(58, Size::B), Some(("protocol", Meaning::IpProtocol)));
        assert_eq!(label(60, Size::H), Some(("fragment", Meaning::Fragment6)));
        assert_eq!(label(66, Size::B), Some(("ICMPv6 type", Meaning::Icmpv6Type)));
        assert_eq!(label(72, Size::H), Some(("sequence number", Meaning::Number)));
        assert_eq!(label(74, Size::H), Some(("payload", Meaning::Payload)));
        assert_eq!(label(13, Size::H), None, "two fields are no field");
        let part = field_at(&found, 34, Size::W).and_then(|field| field.part(34, Size::W));
        assert_eq!(part, Some(Part { start: 8, size: 4, of: 16 }));
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
                for field in &layer.fields {
                    let inside = layer.bytes.start <= field.bytes.start && field.bytes.end <= layer.bytes.end;
                    assert!(inside, "seed {seed}: {field:?}");
                }
                layer.bytes.end
            });
            assert_eq!(end, length, "seed {seed}");
        }
    }
}
