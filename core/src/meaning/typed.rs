//! Numbers as people type them in their place: `IPv4`, `ssh`, `SYN+ACK`, `192.0.2.1`, `openat`, `0x86dd`, `22`.

use super::{Meaning, names};
use crate::seccomp::{Arch, syscalls};
use names::Names;
use std::net::Ipv4Addr;

impl Meaning {
    /// A number of so many bytes as [`Meaning::parse`] reads it: by its name, where the place has a name for it.
    #[must_use]
    pub fn typed(self, bytes: usize, value: u64) -> String {
        let hex = || format!("{value:#0width$x}", width = 2 + 2 * bytes);
        match self {
            Meaning::Number | Meaning::Port => value.to_string(),
            Meaning::Ipv4Address | Meaning::MacAddress => self.name(value).unwrap_or_else(hex),
            Meaning::TcpFlags if value != 0 => names::flags(names::TCP_FLAGS, value as u32),
            Meaning::VlanTag if value <= 0xfff => value.to_string(),
            Meaning::SystemCall(_) => self.name(value).unwrap_or_else(|| value.to_string()),
            Meaning::Architecture => self.name(value).unwrap_or_else(hex),
            Meaning::EtherType
            | Meaning::Protocol
            | Meaning::IpProtocol
            | Meaning::ArpOperation
            | Meaning::IcmpType
            | Meaning::Icmpv6Type
            | Meaning::PacketType
            | Meaning::HardwareType => {
                let name = self.tables().iter().find_map(|table| names::find(table, value as u32));
                name.map_or_else(hex, ToOwned::to_owned)
            }
            Meaning::Bits
            | Meaning::Ipv6Address
            | Meaning::TcpFlags
            | Meaning::TcpLength
            | Meaning::Fragment
            | Meaning::Fragment6
            | Meaning::Ipv4Start
            | Meaning::Ipv6Start
            | Meaning::VlanTag
            | Meaning::Payload => hex(),
        }
    }

    /// The number that was typed in a place of so many bytes, at most 8: decimal, with `0x` hexadecimal, or what the
    /// place has names for. Names may be written in any case.
    ///
    /// # Errors
    /// What was expected instead, in a sentence.
    pub fn parse(self, bytes: usize, text: &str) -> Result<u64, String> {
        let text = text.trim();
        let value = match self {
            Meaning::Ipv4Address if text.contains('.') => {
                text.parse::<Ipv4Addr>().ok().map(|address| u32::from(address).into())
            }
            Meaning::MacAddress if text.contains([':', '-']) => mac(text),
            Meaning::TcpFlags => flags(text),
            Meaning::Architecture => {
                Arch::ALL.into_iter().find(|arch| arch.name() == text).map(|arch| arch.audit().into())
            }
            Meaning::SystemCall(arch) => syscalls::number(arch, text).map(u64::from),
            _ => named(self.tables(), text),
        };
        let value = value.or_else(|| number(text)).ok_or_else(|| self.expected(text))?;
        match 1u64.checked_shl(8 * bytes as u32) {
            Some(limit) if value >= limit => {
                Err(format!("{text} is too large: there is room for {} at most", limit - 1))
            }
            _ => Ok(value),
        }
    }

    /// The tables of names that people type here.
    fn tables(self) -> &'static [Names] {
        match self {
            Meaning::EtherType => &[names::ETHER_TYPES],
            Meaning::Protocol => &[names::LINUX_PROTOCOLS, names::ETHER_TYPES],
            Meaning::IpProtocol => &[names::IP_PROTOCOLS],
            Meaning::Port => &[names::PORTS],
            Meaning::ArpOperation => &[names::ARP_OPERATIONS],
            Meaning::IcmpType => &[names::ICMP_TYPES],
            Meaning::Icmpv6Type => &[names::ICMPV6_TYPES],
            Meaning::PacketType => &[names::PACKET_TYPES],
            Meaning::HardwareType => &[names::HARDWARE_TYPES],
            Meaning::Number
            | Meaning::Bits
            | Meaning::Ipv4Address
            | Meaning::Ipv6Address
            | Meaning::MacAddress
            | Meaning::TcpFlags
            | Meaning::TcpLength
            | Meaning::Fragment
            | Meaning::Fragment6
            | Meaning::Ipv4Start
            | Meaning::Ipv6Start
            | Meaning::VlanTag
            | Meaning::Architecture
            | Meaning::SystemCall(_)
            | Meaning::Payload => &[],
        }
    }

    fn expected(self, text: &str) -> String {
        let examples = match self {
            Meaning::Ipv4Address => "an address like 192.0.2.1",
            Meaning::MacAddress => "an address like 00:00:5e:00:53:01",
            Meaning::TcpFlags => "flags like SYN+ACK, or a number",
            Meaning::EtherType | Meaning::Protocol => "a name like IPv4, or a number like 0x0800",
            Meaning::IpProtocol => "a name like TCP, or a number like 6",
            Meaning::Port => "a number like 22, or a service like ssh",
            Meaning::ArpOperation => "a name like ARP reply, or a number",
            Meaning::IcmpType | Meaning::Icmpv6Type => "a name like echo request, or a number",
            Meaning::Architecture => "a name like x86_64, or a number like 0xc000003e",
            Meaning::SystemCall(_) => "a system call like openat, or a number",
            Meaning::PacketType | Meaning::HardwareType => "a name like broadcast or Ethernet, or a number",
            Meaning::Number
            | Meaning::Bits
            | Meaning::Ipv6Address
            | Meaning::TcpLength
            | Meaning::Fragment
            | Meaning::Fragment6
            | Meaning::Ipv4Start
            | Meaning::Ipv6Start
            | Meaning::VlanTag
            | Meaning::Payload => "a number like 64 or 0x40",
        };
        if text.is_empty() {
            format!("expected {examples}")
        } else {
            format!("expected {examples}, found `{text}`")
        }
    }
}

/// A number as people write it; negative ones fill all 64 bits.
#[must_use]
pub fn number(text: &str) -> Option<u64> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let value = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) if !digits.starts_with('+') => u64::from_str_radix(digits, 16).ok()?,
        Some(_) => return None,
        None if digits.starts_with('+') => return None,
        None => digits.parse().ok()?,
    };
    Some(if negative { value.wrapping_neg() } else { value })
}

fn named(tables: &[Names], text: &str) -> Option<u64> {
    let mut rows = tables.iter().flat_map(|table| table.iter());
    rows.find(|(_, name)| name.eq_ignore_ascii_case(text)).map(|&(number, _)| number.into())
}

fn mac(text: &str) -> Option<u64> {
    let parts: Vec<&str> = text.split([':', '-']).collect();
    let bytes = parts.iter().map(|part| u8::from_str_radix(part, 16).ok().filter(|_| part.len() <= 2));
    let bytes = bytes.collect::<Option<Vec<u8>>>().filter(|bytes| bytes.len() == 6)?;
    Some(bytes.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

fn flags(text: &str) -> Option<u64> {
    let mut value = 0;
    for word in text.split(['+', ',', ' ', '|']).filter(|word| !word.is_empty()) {
        value |= named(&[names::TCP_FLAGS], word).or_else(|| number(word))?;
    }
    (!text.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_can_be_typed() {
        let places = [
            (Meaning::EtherType, 2),
            (Meaning::Protocol, 2),
            (Meaning::IpProtocol, 1),
            (Meaning::Port, 2),
            (Meaning::TcpFlags, 1),
            (Meaning::ArpOperation, 2),
            (Meaning::IcmpType, 1),
            (Meaning::Icmpv6Type, 1),
            (Meaning::VlanTag, 2),
            (Meaning::Fragment, 2),
            (Meaning::PacketType, 2),
            (Meaning::HardwareType, 2),
            (Meaning::Ipv4Start, 1),
        ];
        for (meaning, bytes) in places {
            for value in 0..1u64 << (8 * bytes) {
                let text = meaning.typed(bytes, value);
                assert_eq!(meaning.parse(bytes, &text), Ok(value), "{meaning:?} `{text}`");
            }
        }
        for (meaning, bytes, value) in [
            (Meaning::Ipv4Address, 4, 0xc000_0201),
            (Meaning::MacAddress, 6, 0x5e00_5301),
            (Meaning::SystemCall(Arch::X86_64), 4, 257),
            (Meaning::SystemCall(Arch::X86_64), 4, 9999),
            (Meaning::Architecture, 4, 0xc000_003e),
            (Meaning::Number, 8, u64::MAX),
        ] {
            let text = meaning.typed(bytes, value);
            assert_eq!(meaning.parse(bytes, &text), Ok(value), "{meaning:?} `{text}`");
        }
    }

    #[test]
    fn names_and_numbers_are_understood() {
        assert_eq!(Meaning::Port.parse(2, "ssh"), Ok(22));
        assert_eq!(Meaning::EtherType.parse(2, "ipv6"), Ok(0x86dd));
        assert_eq!(Meaning::TcpFlags.parse(1, "syn, ack"), Ok(0x12));
        assert_eq!(Meaning::SystemCall(Arch::X86_64).parse(4, "execve"), Ok(59));
        assert_eq!(Meaning::Number.parse(8, "-1"), Ok(u64::MAX));
        assert_eq!(Meaning::MacAddress.parse(6, "0:0:5e:0:53:1"), Ok(0x5e00_5301));
        let told = |meaning: Meaning, text| meaning.parse(1, text).unwrap_err();
        assert_eq!(told(Meaning::Number, "256"), "256 is too large: there is room for 255 at most");
        assert!(told(Meaning::IpProtocol, "tpc").contains("a name like TCP"));
        assert!(told(Meaning::Ipv4Address, "1.2.3").contains("192.0.2.1"));
        assert!(told(Meaning::TcpFlags, "").starts_with("expected flags"));
        assert!(told(Meaning::Number, "0x+1").starts_with("expected a number"));
    }
}
