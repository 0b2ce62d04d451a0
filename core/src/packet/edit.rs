//! A field of a packet as text that people edit, and what they typed put back into the packet.

use super::Field;
use crate::meaning::Meaning;
use std::fmt::Write as _;
use std::net::Ipv6Addr;

/// The longest packet that an edit makes: what captures hold.
pub const MAX_PACKET: usize = super::capture::MAX_PACKET;

/// What a field holds, as [`replace`] reads it. Nothing when the packet does not have the field whole.
#[must_use]
pub fn text(field: &Field, packet: &[u8]) -> Option<String> {
    let bytes = packet.get(field.bytes.clone())?;
    Some(match field.meaning {
        Meaning::Payload => payload(bytes),
        Meaning::Ipv6Address => Ipv6Addr::from(*bytes.first_chunk::<16>()?).to_string(),
        meaning => meaning.typed(bytes.len(), number(bytes)),
    })
}

/// What the field's number stands for, where [`text`] does not say it: "version 4, header of 20 bytes".
#[must_use]
pub fn remark(field: &Field, packet: &[u8]) -> Option<String> {
    let bytes = packet.get(field.bytes.clone())?;
    match field.meaning {
        Meaning::Fragment
        | Meaning::Fragment6
        | Meaning::Ipv4Start
        | Meaning::Ipv6Start
        | Meaning::VlanTag
        | Meaning::TcpLength => field.meaning.name(number(bytes)),
        Meaning::Port => {
            let name = field.meaning.name(number(bytes))?;
            Some(name.split_once(", ")?.1.to_owned())
        }
        Meaning::EtherType | Meaning::IpProtocol if field.meaning.name(number(bytes)).is_some() => {
            Some(format!("{:#x}", number(bytes)))
        }
        _ => None,
    }
}

/// Puts what was typed into a field. A payload may become longer or shorter; every other field keeps its bytes.
///
/// # Errors
/// What was expected instead, in a sentence; the packet is as it was.
pub fn replace(field: &Field, packet: &mut Vec<u8>, typed: &str) -> Result<(), String> {
    let size = field.bytes.len();
    if packet.get(field.bytes.clone()).is_none() {
        return Err("the packet no longer has this field".to_owned());
    }
    let bytes = match field.meaning {
        Meaning::Payload => read_payload(typed)?,
        Meaning::Ipv6Address => {
            let address: Ipv6Addr = typed
                .trim()
                .parse()
                .map_err(|_| format!("expected an address like 2001:db8::1, found `{}`", typed.trim()))?;
            address.octets().to_vec()
        }
        meaning => meaning.parse(size, typed)?.to_be_bytes()[8 - size..].to_vec(),
    };
    if packet.len() - size + bytes.len() > MAX_PACKET {
        return Err(format!("a packet has at most {MAX_PACKET} bytes"));
    }
    packet.splice(field.bytes.clone(), bytes);
    Ok(())
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |value, &byte| value << 8 | u64::from(byte))
}

/// In quotation marks if it is text, and in hexadecimal if it is not.
fn payload(bytes: &[u8]) -> String {
    let is_text = |&byte: &u8| matches!(byte, b' '..=b'~' | b'\r' | b'\n' | b'\t');
    if !bytes.is_empty() && bytes.iter().all(is_text) {
        return format!("\"{}\"", bytes.escape_ascii());
    }
    bytes.iter().enumerate().fold(String::new(), |mut text, (at, byte)| {
        let _ = write!(text, "{}{byte:02x}", if at > 0 { " " } else { "" });
        text
    })
}

fn read_payload(typed: &str) -> Result<Vec<u8>, String> {
    let typed = typed.trim();
    let Some(rest) = typed.strip_prefix('"') else {
        let digits: Vec<u8> = typed.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let pairs = digits.chunks(2).map(|pair| {
            let digits = std::str::from_utf8(pair).ok().filter(|_| pair.iter().all(u8::is_ascii_hexdigit));
            digits.filter(|_| pair.len() == 2).and_then(|digits| u8::from_str_radix(digits, 16).ok())
        });
        return pairs
            .collect::<Option<_>>()
            .ok_or_else(|| "expected bytes like 68 65 6c 6c 6f, or text in quotation marks".to_owned());
    };
    let mut bytes = Vec::new();
    let mut rest = rest.strip_suffix('"').unwrap_or(rest).chars();
    while let Some(next) = rest.next() {
        if next != '\\' {
            bytes.extend(next.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        bytes.push(match rest.next() {
            Some('n') => b'\n',
            Some('r') => b'\r',
            Some('t') => b'\t',
            Some('0') => 0,
            Some(same @ ('"' | '\\' | '\'')) => same as u8,
            Some('x') => {
                let digit = |c: Option<char>| c.and_then(|c| c.to_digit(16));
                let (high, low) = (digit(rest.next()), digit(rest.next()));
                match high.zip(low) {
                    Some((high, low)) => (high * 16 + low) as u8,
                    None => return Err("expected two hexadecimal digits behind `\\x`".to_owned()),
                }
            }
            other => {
                let found = other.map(String::from).unwrap_or_default();
                return Err(format!("`\\{found}` stands for nothing; a backslash is written `\\\\`"));
            }
        });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::skb::{Skb, link_type};
    use crate::packet::build::{Network, Recipe, Transport, build};
    use crate::packet::layers;

    fn fields(packet: &[u8]) -> Vec<Field> {
        let found = layers(&Skb::ethernet(packet.to_vec()), link_type::ETHERNET);
        found.into_iter().flat_map(|layer| layer.fields).collect()
    }

    #[test]
    fn every_field_typed_as_it_is_shown_changes_nothing() {
        for network in [Network::Ipv4, Network::Ipv6, Network::Arp] {
            for transport in [Transport::Tcp, Transport::Udp, Transport::Icmp] {
                let packet = build(Recipe { tags: 2, network, transport });
                for field in fields(&packet) {
                    let shown = text(&field, &packet).expect("fields are in the packet");
                    let mut edited = packet.clone();
                    assert_eq!(replace(&field, &mut edited, &shown), Ok(()), "{field:?} `{shown}`");
                    assert_eq!(edited, packet, "{field:?} `{shown}`");
                }
            }
        }
    }

    #[test]
    fn what_is_typed_goes_where_the_field_is() {
        let mut packet = build(Recipe::default());
        let field = |packet: &[u8], label: &str, meaning| {
            fields(packet)
                .into_iter()
                .find(|field| (field.label, field.meaning) == (label, meaning))
                .expect("is there")
        };
        let port = field(&packet, "destination", Meaning::Port);
        assert_eq!(replace(&port, &mut packet, "https"), Ok(()));
        assert_eq!(packet[36..38], [1, 187]);
        assert_eq!(remark(&port, &packet).as_deref(), Some("https"));
        let payload = field(&packet, "payload", Meaning::Payload);
        assert_eq!(text(&payload, &packet).as_deref(), Some("\"hello, packet\""));
        assert_eq!(replace(&payload, &mut packet, "\"GET /\\r\\n\\x00\""), Ok(()));
        assert_eq!(packet[54..], *b"GET /\r\n\0");
        let payload = field(&packet, "payload", Meaning::Payload);
        assert_eq!(text(&payload, &packet).as_deref(), Some("47 45 54 20 2f 0d 0a 00"));
        assert_eq!(replace(&payload, &mut packet, "a b0"), Err(read_payload("a b0").unwrap_err()));
        assert_eq!(replace(&payload, &mut packet, ""), Ok(()));
        assert_eq!(packet.len(), 54);
        assert!(replace(&payload, &mut packet, "00").unwrap_err().contains("no longer"));
        let address = field(&packet, "source", Meaning::Ipv4Address);
        assert!(replace(&address, &mut packet, "1.2.3.4.5").unwrap_err().contains("192.0.2.1"));
        let version = field(&packet, "version", Meaning::Ipv4Start);
        assert_eq!(remark(&version, &packet).as_deref(), Some("version 4, header of 20 bytes"));
    }
}
