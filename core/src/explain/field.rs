//! Fields of contexts as people read and type them: by name where their numbers have names, else as numbers, else as
//! quoted text or digits.

use super::context::named;
use super::origin::Order;
use crate::context::{Field, FieldKind};
use crate::environment::Environment;
use crate::isa::Size;
use crate::maps::digits;
use crate::meaning::{Meaning, typed};
use std::fmt::Write as _;

/// What a field of this context holds, as [`parse`] reads it.
#[must_use]
pub fn text(environment: &Environment, context: &[u8], field: &Field) -> String {
    let Some(bytes) = context.get(field.offset..field.offset + field.size) else { return String::new() };
    match number(environment, context, field) {
        Some(Number { meaning, size, order }) => {
            let value = read(&bytes[..size], order);
            // So large a number is rather an address.
            let is_plain = meaning == Meaning::Number && value >> 40 != 0;
            if is_plain { format!("{value:#x}") } else { meaning.typed(size, value) }
        }
        None => long(bytes),
    }
}

/// The bytes of a field of this context for what was typed.
///
/// # Errors
/// What was expected instead, in a sentence.
pub fn parse(
    environment: &Environment,
    context: &[u8],
    field: &Field,
    typed: &str,
) -> Result<Vec<u8>, String> {
    let mut bytes = match number(environment, context, field) {
        Some(Number { meaning, size, order }) => {
            let value = meaning.parse(size, typed)?.to_le_bytes();
            let mut bytes = value[..size].to_vec();
            if order == Order::Network {
                bytes.reverse();
            }
            bytes
        }
        None => long_bytes(typed)?,
    };
    if bytes.len() > field.size {
        return Err(format!("there is room for {} bytes, and this has {}", field.size, bytes.len()));
    }
    bytes.resize(field.size, 0);
    Ok(bytes)
}

/// Whether a person may set the field: addresses are the run's own.
#[must_use]
pub fn is_input(field: &Field) -> bool {
    match field.kind {
        FieldKind::Number | FieldKind::Whole | FieldKind::Bytes => true,
        FieldKind::PacketStart | FieldKind::PacketEnd | FieldKind::PacketMeta | FieldKind::Socket => false,
    }
}

/// A field that holds one number.
struct Number {
    meaning: Meaning,
    size: usize,
    order: Order,
}

fn number(environment: &Environment, context: &[u8], field: &Field) -> Option<Number> {
    let size = Size::ALL.iter().copied().find(|size| size.bytes() == field.size)?;
    let known = named(&environment.context, context, field.offset, size);
    Some(
        known.map_or(Number { meaning: Meaning::Number, size: field.size, order: Order::Machine }, |known| {
            Number { meaning: known.meaning, size: known.bytes, order: known.order }
        }),
    )
}

fn read(bytes: &[u8], order: Order) -> u64 {
    let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    match order {
        Order::Network => bytes.iter().fold(0, add),
        Order::Machine => bytes.iter().rev().fold(0, add),
    }
}

/// Bytes that are no number: quoted where they are text, else digits, without the zeros at their end.
fn long(bytes: &[u8]) -> String {
    let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    let bytes = &bytes[..end];
    if bytes.is_empty() {
        return "0x00".to_owned();
    }
    if bytes.iter().all(|&byte| (0x20..0x7f).contains(&byte) && byte != b'"') {
        return format!("\"{}\"", String::from_utf8_lossy(bytes));
    }
    bytes.iter().fold("0x".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn long_bytes(text: &str) -> Result<Vec<u8>, String> {
    let text = text.trim();
    if let Some(quoted) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        return Ok(quoted.as_bytes().to_vec());
    }
    digits(text)
}

/// The number that is typed for bytes without a meaning.
///
/// # Errors
/// A sentence when it is none, or does not fit.
pub fn plain(bytes: usize, text: &str) -> Result<u64, String> {
    match typed::number(text) {
        Some(negative) if text.starts_with('-') && bytes < 8 => {
            let fits = negative as i64 >= -1 << (8 * bytes - 1);
            fits.then_some(negative & ((1 << (8 * bytes)) - 1))
                .ok_or_else(|| format!("{text} does not fit into {bytes} bytes"))
        }
        _ => Meaning::Number.parse(bytes, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::skb::Skb;
    use crate::environment::{SECCOMP, SOCKET_FILTER, World};

    #[test]
    fn fields_are_read_as_they_are_typed() {
        let mut world = World::default();
        for (name, typed) in [("arch", "x86_64"), ("nr", "openat"), ("args[2]", "0x241")] {
            let context = SECCOMP.context_in(&world);
            let field = SECCOMP.context.field(name).expect(name);
            let bytes = parse(&SECCOMP, &context, field, typed).expect(name);
            SECCOMP.give(&mut world, &[(field.offset, &bytes)]);
        }
        let context = SECCOMP.context_in(&world);
        let shown = |name: &str| text(&SECCOMP, &context, SECCOMP.context.field(name).expect(name));
        assert_eq!(["arch", "nr", "args[2]", "args[0]"].map(shown), ["x86_64", "openat", "577", "0"]);
        let nr = SECCOMP.context.field("nr").expect("there is one");
        let mut high = context.clone();
        high[16..24].copy_from_slice(&0xffff_8881_0454_6a00_u64.to_le_bytes());
        let first = SECCOMP.context.field("args[0]").expect("there is one");
        assert_eq!(text(&SECCOMP, &high, first), "0xffff888104546a00");
        assert!(parse(&SECCOMP, &context, nr, "opnat").is_err_and(|why| why.contains("opnat")));
    }

    #[test]
    fn the_order_on_the_wire_and_long_fields() {
        let mut packet = vec![0; 14];
        packet[12] = 8;
        let context = SOCKET_FILTER.context_in(&World::new(Skb::ethernet(packet)));
        let field = |name: &str| SOCKET_FILTER.context.field(name).expect("there is one");
        assert_eq!(text(&SOCKET_FILTER, &context, field("protocol")), "IPv4");
        let bytes = parse(&SOCKET_FILTER, &context, field("protocol"), "0x86dd");
        assert_eq!(bytes, Ok(vec![0x86, 0xdd, 0, 0]));
        assert!(!is_input(&Field { kind: FieldKind::PacketStart, ..field("protocol").clone() }));
        assert_eq!((long(b"eth0\0\0"), long(&[0, 1, 0])), ("\"eth0\"".to_owned(), "0x0001".to_owned()));
        assert_eq!(long_bytes("\"eth0\""), Ok(b"eth0".to_vec()));
        assert_eq!((long_bytes("0x0a0b"), long_bytes("abc").is_err()), (Ok(vec![10, 11]), true));
        assert_eq!((plain(4, "-1"), plain(1, "-129").is_err()), (Ok(0xffff_ffff), true));
    }
}
