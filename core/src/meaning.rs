//! What numbers stand for: protocols, ports, flags, addresses, system calls.
//!
//! A number means something only in its place: 6 is TCP where an IP header says what it carries, and the length of a
//! hardware address in ARP. So a place (a field of a packet or of a context) says which [`Meaning`] its numbers have,
//! and only the meaning has names for them. The names are in [`names`].

pub mod names;
pub mod typed;

use crate::seccomp::{Arch, syscalls};
use names::{find, flags};
use std::fmt::Write as _;
use std::net::Ipv4Addr;

/// What the numbers of a place stand for. Numbers are given in the place's own order: an IPv4 address is
/// `0xc0000201` for 192.0.2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// A count, a length, a number that goes up: best read in decimal.
    Number,
    /// Bits that have no names: checksums, identifiers.
    Bits,
    /// What an Ethernet frame carries, or below 0x600 how long it is (IEEE 802.3).
    EtherType,
    /// A packet's protocol as Linux keeps it (include/uapi/linux/if_ether.h): an EtherType, or a number below 0x600.
    Protocol,
    /// What an IP header is followed by (IANA, "Assigned Internet Protocol Numbers").
    IpProtocol,
    /// A port of TCP or UDP.
    Port,
    /// An IPv4 address.
    Ipv4Address,
    /// An IPv6 address, which only `u128` holds; programs read it in parts.
    Ipv6Address,
    /// A hardware address of six bytes.
    MacAddress,
    /// The flags of TCP (RFC 9293).
    TcpFlags,
    /// TCP's data offset, in the upper four bits of its byte.
    TcpLength,
    /// What an ARP packet wants (RFC 826).
    ArpOperation,
    /// An ICMP message (RFC 792).
    IcmpType,
    /// An ICMPv6 message (RFC 4443, 4861).
    Icmpv6Type,
    /// IPv4's flags and fragment offset (RFC 791).
    Fragment,
    /// IPv6's fragment offset and flag (RFC 8200).
    Fragment6,
    /// IPv4's first byte: version and length of the header.
    Ipv4Start,
    /// IPv6's first four bytes: version, traffic class, flow label.
    Ipv6Start,
    /// A VLAN tag's priority and number (IEEE 802.1Q).
    VlanTag,
    /// For whom a packet is (`PACKET_HOST` and so on, include/uapi/linux/if_packet.h).
    PacketType,
    /// A kind of network hardware (`ARPHRD_*`, include/uapi/linux/if_arp.h).
    HardwareType,
    /// A calling convention (`AUDIT_ARCH_*`, include/uapi/linux/audit.h).
    Architecture,
    /// A system call of this convention.
    SystemCall(Arch),
    /// Bytes of a payload: text, where they are.
    Payload,
}

/// Some bytes of a longer number: of an address, or of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Part {
    /// The first of them.
    pub start: usize,
    /// How many they are, 1 to 8.
    pub size: usize,
    /// How many the whole has.
    pub of: usize,
}

impl Meaning {
    /// The name of a number of which all bytes are there, if it has one: "IPv4", "port 22, ssh", "192.0.2.1".
    #[must_use]
    pub fn name(self, value: u64) -> Option<String> {
        let word = value as u32;
        Some(match self {
            Meaning::Number => value.to_string(),
            Meaning::Bits | Meaning::Payload | Meaning::Ipv6Address => return None,
            Meaning::EtherType if value < 0x600 => format!("length {value}"),
            Meaning::EtherType => find(names::ETHER_TYPES, word)?.to_owned(),
            Meaning::Protocol => {
                find(names::LINUX_PROTOCOLS, word).or_else(|| find(names::ETHER_TYPES, word))?.to_owned()
            }
            Meaning::IpProtocol => find(names::IP_PROTOCOLS, word)?.to_owned(),
            Meaning::Port => match find(names::PORTS, word) {
                Some(service) => format!("port {value}, {service}"),
                None => format!("port {value}"),
            },
            Meaning::Ipv4Address => Ipv4Addr::from(word).to_string(),
            Meaning::MacAddress => hex_groups(&value.to_be_bytes()[2..], 1),
            Meaning::TcpFlags if value == 0 => "no flags".to_owned(),
            Meaning::TcpFlags => flags(names::TCP_FLAGS, word),
            Meaning::TcpLength => format!("header of {} bytes", word >> 4 << 2),
            Meaning::ArpOperation => find(names::ARP_OPERATIONS, word)?.to_owned(),
            Meaning::IcmpType => find(names::ICMP_TYPES, word)?.to_owned(),
            Meaning::Icmpv6Type => find(names::ICMPV6_TYPES, word)?.to_owned(),
            Meaning::Fragment => fragment((word & 0x1fff) * 8, word & 0x2000 != 0, word & 0x4000 != 0),
            Meaning::Fragment6 => fragment(word & 0xfff8, word & 1 != 0, false),
            // Another version would not be laid out like this.
            Meaning::Ipv4Start if word >> 4 == 4 => {
                format!("version 4, header of {} bytes", (word & 0xf) * 4)
            }
            Meaning::Ipv4Start => return None,
            Meaning::Ipv6Start if word >> 28 != 6 => return None,
            Meaning::Ipv6Start => {
                let (class, flow) = (word >> 20 & 0xff, word & 0xf_ffff);
                let mut text = "version 6".to_owned();
                if class != 0 {
                    let _ = write!(text, ", traffic class {class:#x}");
                }
                if flow != 0 {
                    let _ = write!(text, ", flow {flow:#x}");
                }
                text
            }
            Meaning::VlanTag => match word >> 13 {
                0 => format!("VLAN {}", word & 0xfff),
                priority => format!("VLAN {}, priority {priority}", word & 0xfff),
            },
            Meaning::PacketType => find(names::PACKET_TYPES, word)?.to_owned(),
            Meaning::HardwareType => find(names::HARDWARE_TYPES, word)?.to_owned(),
            Meaning::Architecture => Arch::of(word, 0)?.name().to_owned(),
            Meaning::SystemCall(arch) => syscalls::name(arch, word)?.to_owned(),
        })
    }

    /// The name of part of a number: "2001:db8:…" for the first four bytes of an IPv6 address.
    #[must_use]
    pub fn part_name(self, part: Part, value: u64) -> Option<String> {
        let bytes = value.to_be_bytes();
        let bytes = bytes.get(8usize.checked_sub(part.size)?..)?;
        let digits = match self {
            Meaning::Payload => return text(bytes),
            Meaning::Ipv4Address => {
                let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
                return Some(between(part, '.', numbers.join(".")));
            }
            Meaning::MacAddress => hex_groups(bytes, 1),
            Meaning::Ipv6Address if (part.start | part.size).is_multiple_of(2) => hex_groups(bytes, 2),
            _ => return None,
        };
        Some(between(part, ':', digits))
    }

    /// What a value of a field called `label` says: "source port 22, ssh", "TTL 64", "IPv4". Where the name alone
    /// says what the field is, the label is left out; a number without a name is "unknown EtherType". Nothing where
    /// there is neither name nor label.
    #[must_use]
    pub fn describe(self, label: &str, value: u64) -> Option<String> {
        let tells_all = match self {
            Meaning::Bits => return Some(label.to_owned()).filter(|label| !label.is_empty()),
            Meaning::EtherType
            | Meaning::Protocol
            | Meaning::IpProtocol
            | Meaning::TcpFlags
            | Meaning::TcpLength
            | Meaning::ArpOperation
            | Meaning::IcmpType
            | Meaning::Icmpv6Type
            | Meaning::Fragment
            | Meaning::Fragment6
            | Meaning::Ipv4Start
            | Meaning::Ipv6Start
            | Meaning::VlanTag
            | Meaning::PacketType
            | Meaning::Architecture
            | Meaning::SystemCall(_) => true,
            Meaning::Number
            | Meaning::Port
            | Meaning::Ipv4Address
            | Meaning::Ipv6Address
            | Meaning::MacAddress
            | Meaning::HardwareType
            | Meaning::Payload => false,
        };
        match self.name(value) {
            Some(name) if tells_all || label.is_empty() => Some(name),
            Some(name) => Some(format!("{label} {name}")),
            None if label.is_empty() => None,
            None => Some(format!("unknown {label}")),
        }
    }

    /// A number of so many bytes in the digits in which it is known: system calls have decimal numbers.
    #[must_use]
    pub fn digits(self, bytes: usize, value: u64) -> String {
        match self {
            Meaning::SystemCall(_) => value.to_string(),
            _ => format!("{value:#0width$x}", width = 2 + 2 * bytes),
        }
    }

    /// What a field called `label` is: "source port", "TTL".
    #[must_use]
    pub fn noun(self, label: &str) -> String {
        match self {
            Meaning::Port => format!("{label} port"),
            Meaning::Ipv4Address | Meaning::Ipv6Address | Meaning::MacAddress => format!("{label} address"),
            _ => label.to_owned(),
        }
    }

    /// Whether some of a number's bits still mean what the number did: flags and parts of addresses do, part of a
    /// port does not.
    #[must_use]
    pub const fn survives_a_mask(self) -> bool {
        match self {
            Meaning::Ipv4Address
            | Meaning::Ipv6Address
            | Meaning::MacAddress
            | Meaning::TcpFlags
            | Meaning::VlanTag => true,
            Meaning::Number
            | Meaning::Bits
            | Meaning::EtherType
            | Meaning::Protocol
            | Meaning::IpProtocol
            | Meaning::Port
            | Meaning::TcpLength
            | Meaning::ArpOperation
            | Meaning::IcmpType
            | Meaning::Icmpv6Type
            | Meaning::Fragment
            | Meaning::Fragment6
            | Meaning::Ipv4Start
            | Meaning::Ipv6Start
            | Meaning::PacketType
            | Meaning::HardwareType
            | Meaning::Architecture
            | Meaning::SystemCall(_)
            | Meaning::Payload => false,
        }
    }
}

fn fragment(offset: u32, more: bool, whole: bool) -> String {
    match (offset, more) {
        (0, false) if whole => "not to be fragmented".to_owned(),
        (0, false) => "not a fragment".to_owned(),
        (_, false) => format!("last fragment, at {offset}"),
        (_, true) => format!("fragment at {offset}, more follow"),
    }
}

/// Bytes as hexadecimal groups: each byte in two digits, or each two as IPv6 writes them.
fn hex_groups(bytes: &[u8], group: usize) -> String {
    let groups: Vec<String> = match group {
        1 => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        _ => bytes
            .chunks(2)
            .map(|pair| format!("{:x}", pair.iter().fold(0u16, |n, &b| n << 8 | u16::from(b))))
            .collect(),
    };
    groups.join(":")
}

/// The digits of a part with signs of what is missing around them.
fn between(part: Part, separator: char, digits: String) -> String {
    let before = if part.start > 0 { format!("…{separator}") } else { String::new() };
    let after = if part.start + part.size < part.of { format!("{separator}…") } else { String::new() };
    format!("{before}{digits}{after}")
}

/// Bytes as text in quotation marks, if they are printable ASCII and enough to be more than chance.
fn text(bytes: &[u8]) -> Option<String> {
    let printable = bytes.len() > 2 && bytes.iter().all(|byte| (b' '..=b'~').contains(byte));
    printable.then(|| format!("\"{}\"", bytes.iter().map(|&byte| char::from(byte)).collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_names_in_their_place_only() {
        assert_eq!(Meaning::EtherType.describe("EtherType", 0x86dd).as_deref(), Some("IPv6"));
        assert_eq!(Meaning::EtherType.describe("EtherType", 46).as_deref(), Some("length 46"));
        assert_eq!(Meaning::EtherType.describe("EtherType", 0x1234).as_deref(), Some("unknown EtherType"));
        assert_eq!(Meaning::IpProtocol.describe("protocol", 6).as_deref(), Some("TCP"));
        assert_eq!(Meaning::Port.describe("source", 6).as_deref(), Some("source port 6"));
        assert_eq!(Meaning::Port.describe("destination", 22).as_deref(), Some("destination port 22, ssh"));
        assert_eq!(Meaning::Number.describe("TTL", 64).as_deref(), Some("TTL 64"));
        assert_eq!(Meaning::Bits.describe("checksum", 64).as_deref(), Some("checksum"));
        assert_eq!(Meaning::Protocol.name(4).as_deref(), Some("802.2"));
        assert_eq!(Meaning::Architecture.name(0xc000_003e).as_deref(), Some("x86_64"));
        assert_eq!(Meaning::SystemCall(Arch::X86_64).name(59).as_deref(), Some("execve"));
        assert_eq!(Meaning::SystemCall(Arch::Aarch64).name(59).as_deref(), Some("pipe2"));
    }

    #[test]
    fn headers_in_a_number_are_taken_apart() {
        assert_eq!(Meaning::Ipv4Start.name(0x46).as_deref(), Some("version 4, header of 24 bytes"));
        assert_eq!(Meaning::TcpLength.name(0x80).as_deref(), Some("header of 32 bytes"));
        assert_eq!(Meaning::Fragment.name(0x4000).as_deref(), Some("not to be fragmented"));
        assert_eq!(Meaning::Fragment.name(0x2000).as_deref(), Some("fragment at 0, more follow"));
        assert_eq!(Meaning::Fragment.name(0x00b9).as_deref(), Some("last fragment, at 1480"));
        assert_eq!(Meaning::Fragment6.name(0x05a9).as_deref(), Some("fragment at 1448, more follow"));
        assert_eq!(Meaning::VlanTag.name(0x602a).as_deref(), Some("VLAN 42, priority 3"));
    }

    #[test]
    fn parts_of_addresses_show_what_is_missing() {
        let part =
            |meaning: Meaning, start, size, of, value| meaning.part_name(Part { start, size, of }, value);
        assert_eq!(part(Meaning::MacAddress, 2, 4, 6, 0x0a0b_0c0d).as_deref(), Some("…:0a:0b:0c:0d"));
        assert_eq!(part(Meaning::MacAddress, 0, 2, 6, 0x0102).as_deref(), Some("01:02:…"));
        assert_eq!(part(Meaning::Ipv6Address, 0, 4, 16, 0x2001_0db8).as_deref(), Some("2001:db8:…"));
        assert_eq!(part(Meaning::Ipv6Address, 12, 4, 16, 2).as_deref(), Some("…:0:2"));
        assert_eq!(part(Meaning::Ipv4Address, 0, 2, 4, 0xc000).as_deref(), Some("192.0.…"));
        assert_eq!(part(Meaning::Payload, 0, 4, 90, 0x4745_5420).as_deref(), Some("\"GET \""));
        assert_eq!(part(Meaning::Payload, 0, 4, 90, 0x4745_540a), None);
        assert_eq!(part(Meaning::Payload, 0, 2, 90, 0x4745), None, "two letters are chance");
    }
}
