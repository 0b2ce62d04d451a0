//! Packets made from nothing: a header of each kind that is wanted, with addresses that are kept for examples
//! (RFC 5737, 3849, 7042). What else they should say is edited in them.

use super::{layers, mend};
use crate::context::skb::{Skb, link_type};

/// What is behind the Ethernet header and its tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Network {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
    /// An ARP request for an IPv4 address.
    Arp,
}

/// What IP carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// The first segment of a connection to port 80.
    Tcp,
    /// A datagram to port 53.
    Udp,
    /// An echo request, of ICMP or ICMPv6.
    Icmp,
}

/// What packet is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Recipe {
    /// How many VLAN tags, up to [`MAX_TAGS`].
    pub tags: u8,
    /// The network layer.
    pub network: Network,
    /// What it carries; nothing for ARP.
    pub transport: Transport,
}

impl Default for Recipe {
    fn default() -> Self {
        Recipe { tags: 0, network: Network::Ipv4, transport: Transport::Tcp }
    }
}

/// The most VLAN tags: one of the provider's around one of the customer's.
pub const MAX_TAGS: u8 = 2;

/// What TCP, UDP and ICMP carry.
const PAYLOAD: &[u8] = b"hello, packet";

/// An Ethernet packet with right lengths and checksums.
#[must_use]
pub fn build(recipe: Recipe) -> Vec<u8> {
    const STATION: [u8; 6] = [0x00, 0x00, 0x5e, 0x00, 0x53, 0x01];
    const PEER: [u8; 6] = [0x00, 0x00, 0x5e, 0x00, 0x53, 0x02];
    let (to, ether_type) = match recipe.network {
        Network::Ipv4 => (PEER, 0x0800u16),
        Network::Ipv6 => (PEER, 0x86dd),
        Network::Arp => ([0xff; 6], 0x0806),
    };
    let mut packet = [to, STATION].concat();
    for tag in (0..recipe.tags.min(MAX_TAGS)).rev() {
        let (kind, number) = if tag == 0 { (0x8100u16, 42u16) } else { (0x88a8, 100) };
        packet.extend(kind.to_be_bytes());
        packet.extend(number.to_be_bytes());
    }
    packet.extend(ether_type.to_be_bytes());
    match recipe.network {
        Network::Ipv4 => {
            let protocol = match recipe.transport {
                Transport::Tcp => 6,
                Transport::Udp => 17,
                Transport::Icmp => 1,
            };
            packet.extend([0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
        }
        Network::Ipv6 => {
            let protocol = match recipe.transport {
                Transport::Tcp => 6,
                Transport::Udp => 17,
                Transport::Icmp => 58,
            };
            packet.extend([0x60, 0, 0, 0, 0, 0, protocol, 64]);
            for last in [1, 2] {
                packet.extend([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
            }
        }
        Network::Arp => {
            packet.extend([0, 1, 8, 0, 6, 4, 0, 1]);
            packet.extend(STATION);
            packet.extend([192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 192, 0, 2, 2]);
            return packet;
        }
    }
    let echo = if recipe.network == Network::Ipv4 { 8 } else { 128 };
    match recipe.transport {
        Transport::Tcp => {
            packet.extend([0xc0, 0x00, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xfa, 0xf0, 0, 0, 0, 0]);
        }
        // A sum of 0 would stand for none.
        Transport::Udp => packet.extend([0xc0, 0x00, 0, 53, 0, 0, 0xff, 0xff]),
        Transport::Icmp => packet.extend([echo, 0, 0, 0, 0, 1, 0, 1]),
    }
    packet.extend(PAYLOAD);
    let found = layers(&Skb::ethernet(packet.clone()), link_type::ETHERNET);
    let faults = mend::faults(&packet, &found, packet.len());
    mend::apply(&mut packet, &faults);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::layers::summary;

    #[test]
    fn every_recipe_gives_its_layers_whole_and_right() {
        for tags in 0..=MAX_TAGS {
            for network in [Network::Ipv4, Network::Ipv6, Network::Arp] {
                for transport in [Transport::Tcp, Transport::Udp, Transport::Icmp] {
                    let recipe = Recipe { tags, network, transport };
                    let packet = build(recipe);
                    let found = layers(&Skb::ethernet(packet.clone()), link_type::ETHERNET);
                    let names: Vec<_> = found.iter().map(|layer| layer.name).collect();
                    let wanted = match (network, transport) {
                        (Network::Arp, _) => vec!["ARP"],
                        (Network::Ipv4, Transport::Tcp) => vec!["IPv4", "TCP", "Payload"],
                        (Network::Ipv4, Transport::Udp) => vec!["IPv4", "UDP", "Payload"],
                        (Network::Ipv4, Transport::Icmp) => vec!["IPv4", "ICMP", "Payload"],
                        (Network::Ipv6, Transport::Tcp) => vec!["IPv6", "TCP", "Payload"],
                        (Network::Ipv6, Transport::Udp) => vec!["IPv6", "UDP", "Payload"],
                        (Network::Ipv6, Transport::Icmp) => vec!["IPv6", "ICMPv6", "Payload"],
                    };
                    assert_eq!(names[0], "Ethernet");
                    assert_eq!(names[1..=tags as usize], vec!["VLAN"; tags as usize]);
                    assert_eq!(names[1 + tags as usize..], wanted, "{recipe:?}");
                    assert_eq!(mend::faults(&packet, &found, packet.len()), [], "{recipe:?}");
                }
            }
        }
        let found = layers(&Skb::ethernet(build(Recipe::default())), link_type::ETHERNET);
        assert_eq!(summary(&found), "TCP 49152 > 80 SYN, 192.0.2.1 > 192.0.2.2");
    }
}
