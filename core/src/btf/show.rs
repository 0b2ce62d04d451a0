//! Bytes as values of their types, written as C initialisers: `{.packets = 5, .source = "eth0"}`.

use super::{Btf, DEPTH, Id, Kind, Member};
use std::fmt::{self, Write as _};

/// The most numbers that a value is written with; `…` stands for the rest.
const ITEMS: usize = 256;

/// Bytes as a value of a type, ready to be displayed. Bytes that are missing are shown as `…`.
#[derive(Debug, Clone, Copy)]
pub struct Value<'a> {
    pub(super) btf: &'a Btf,
    pub(super) id: Id,
    pub(super) bytes: &'a [u8],
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Writer { btf: self.btf, f, items: ITEMS }.value(self.id, self.bytes, DEPTH)
    }
}

/// Writes a value, and counts.
struct Writer<'a, 'f, 'b> {
    btf: &'a Btf,
    f: &'f mut fmt::Formatter<'b>,
    /// How many numbers may still be written.
    items: usize,
}

impl Writer<'_, '_, '_> {
    /// Printable text between quotes.
    fn string(&mut self, text: &[u8]) -> fmt::Result {
        self.f.write_char('"')?;
        for &byte in text {
            match byte {
                b'"' | b'\\' => write!(self.f, "\\{}", char::from(byte))?,
                b'\n' => self.f.write_str("\\n")?,
                b'\r' => self.f.write_str("\\r")?,
                b'\t' => self.f.write_str("\\t")?,
                _ => self.f.write_char(byte.into())?,
            }
        }
        self.f.write_char('"')
    }

    fn value(&mut self, id: Id, bytes: &[u8], depth: usize) -> fmt::Result {
        let Some(items) = self.items.checked_sub(1) else { return self.rest() };
        self.items = items;
        let Some(depth) = depth.checked_sub(1) else { return self.rest() };
        let id = self.btf.resolve(id);
        match &self.btf.get(id).kind {
            Kind::Int { size, bits, first_bit, signed, boolean } => {
                match number(bytes, *first_bit, (*bits).min(size.saturating_mul(8))) {
                    Some(0) if *boolean => self.f.write_str("false"),
                    Some(1) if *boolean => self.f.write_str("true"),
                    Some(value) => self.int(value, *bits, *signed),
                    None => self.hex(bytes.get(..*size as usize)),
                }
            }
            Kind::Enum { size, values } => self.named(bytes.get(..*size as usize), values),
            Kind::Pointer(_) => self.hex(bytes.get(..8)),
            Kind::Float { size } => self.hex(bytes.get(..*size as usize)),
            Kind::Array { element, count } => self.array(*element, *count, bytes, depth),
            Kind::Record { members, .. } => {
                self.list(members, |writer, member| writer.member(member, bytes, depth))
            }
            Kind::Section { variables, .. } => self.list(variables, |writer, placed| {
                let start = placed.offset as usize;
                let name = writer.btf.name(placed.variable);
                write!(writer.f, ".{name} = ")?;
                writer.value(placed.variable, bytes.get(start..).unwrap_or_default(), depth)
            }),
            Kind::Void
            | Kind::Forward
            | Kind::Typedef(_)
            | Kind::Qualified(_)
            | Kind::Function(_)
            | Kind::Prototype
            | Kind::Variable { .. }
            | Kind::Tag => self.rest(),
        }
    }

    fn rest(&mut self) -> fmt::Result {
        self.f.write_str("…")
    }

    /// Things between braces, up to the most that are written.
    fn list<T>(&mut self, all: &[T], mut one: impl FnMut(&mut Self, &T) -> fmt::Result) -> fmt::Result {
        self.f.write_str("{")?;
        for (number, item) in all.iter().enumerate() {
            if number > 0 {
                self.f.write_str(", ")?;
            }
            if self.items == 0 {
                self.rest()?;
                break;
            }
            one(self, item)?;
        }
        self.f.write_str("}")
    }

    fn member(&mut self, member: &Member, bytes: &[u8], depth: usize) -> fmt::Result {
        let name = self.btf.text(member.name);
        if !name.is_empty() {
            write!(self.f, ".{name} = ")?;
        }
        let start = (member.bit_offset / 8) as usize;
        match member.bit_size {
            None => self.value(member.of, bytes.get(start..).unwrap_or_default(), depth),
            Some(bits) => {
                self.items = self.items.saturating_sub(1);
                let Some(value) = number(bytes, member.bit_offset, bits) else { return self.rest() };
                match self.btf.kind(member.of) {
                    Kind::Int { signed, .. } => self.int(value, bits, *signed),
                    Kind::Enum { values, .. } => self.named(Some(&value.to_le_bytes()), values),
                    _ => write!(self.f, "{value}"),
                }
            }
        }
    }

    fn array(&mut self, element: Id, count: u32, bytes: &[u8], depth: usize) -> fmt::Result {
        let size = self.btf.size_of(element).unwrap_or(0) as usize;
        let there = bytes.get(..size.saturating_mul(count as usize)).unwrap_or(bytes);
        if there.is_empty() && count > 0 {
            return self.rest();
        }
        if size == 1 && self.btf.is_char(element) {
            let end = there.iter().position(|&byte| byte == 0).unwrap_or(there.len());
            let (text, behind) = there.split_at(end);
            let printable = |byte: &u8| byte.is_ascii_graphic() || b" \t\n\r".contains(byte);
            if text.iter().all(printable) && behind.iter().all(|&byte| byte == 0) {
                return self.string(text);
            }
        }
        let elements: Vec<&[u8]> = there.chunks(size.max(1)).take(self.items + 1).collect();
        self.list(&elements, |writer, bytes| writer.value(element, bytes, depth))
    }

    fn int(&mut self, value: u64, bits: u32, signed: bool) -> fmt::Result {
        let unused = 64 - bits.clamp(1, 64);
        if signed {
            write!(self.f, "{}", (value << unused) as i64 >> unused)
        } else {
            write!(self.f, "{value}")
        }
    }

    /// A number by its name, if it has one.
    fn named(&mut self, bytes: Option<&[u8]>, values: &[(super::Name, u64)]) -> fmt::Result {
        let Some(bytes) = bytes.filter(|bytes| bytes.len() <= 8) else { return self.rest() };
        let value = little_endian(bytes);
        // What is smaller than its word is compared as far as it goes.
        let mask = u64::MAX.checked_shr(64 - 8 * bytes.len().min(8) as u32).unwrap_or(0);
        match values.iter().find(|(_, known)| known & mask == value) {
            Some(&(name, _)) => write!(self.f, "{}", self.btf.text(name)),
            None => write!(self.f, "{value}"),
        }
    }

    fn hex(&mut self, bytes: Option<&[u8]>) -> fmt::Result {
        let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty() && bytes.len() <= 16) else {
            return self.rest();
        };
        self.f.write_str("0x")?;
        bytes.iter().rev().skip_while(|byte| **byte == 0).enumerate().try_for_each(|(number, byte)| {
            if number == 0 { write!(self.f, "{byte:x}") } else { write!(self.f, "{byte:02x}") }
        })?;
        if bytes.iter().all(|&byte| byte == 0) { self.f.write_str("0") } else { Ok(()) }
    }
}

pub(super) fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// `bits` bits from bit `first` on, at most 64; `None` when they are not all there.
pub(super) fn number(bytes: &[u8], first: u32, bits: u32) -> Option<u64> {
    let end = first.checked_add(bits)?;
    let all = bytes.get((first / 8) as usize..end.div_ceil(8) as usize)?;
    if !(1..=64).contains(&bits) || all.len() > 16 {
        return None;
    }
    let wide = all.iter().rev().fold(0u128, |number, &byte| number << 8 | u128::from(byte));
    let value = (wide >> (first % 8)) as u64;
    Some(if bits == 64 { value } else { value & ((1 << bits) - 1) })
}

#[cfg(test)]
mod tests {
    use super::super::{Name, Type};
    use super::*;

    const INT: Kind = Kind::Int { size: 4, bits: 32, first_bit: 0, signed: true, boolean: false };
    const CHAR: Kind = Kind::Int { size: 1, bits: 8, first_bit: 0, signed: true, boolean: false };

    fn btf(kinds: Vec<(&str, Kind)>) -> Btf {
        let mut strings = vec![0];
        let mut types = vec![Type { name: Name(0), kind: Kind::Void }];
        for (name, kind) in kinds {
            types.push(Type { name: Name(strings.len() as u32), kind });
            strings.extend(name.bytes());
            strings.push(0);
        }
        Btf { types, strings }
    }

    fn member(name: u32, of: u32, bit_offset: u32, bit_size: Option<u32>) -> Member {
        Member { name: Name(name), of: Id(of), bit_offset, bit_size }
    }

    #[test]
    fn structures_show_their_members() {
        let members = vec![member(1, 1, 0, None), member(5, 3, 32, None), member(11, 1, 64, Some(3))];
        let record = Kind::Record { union: false, size: 12, members };
        let array = Kind::Array { element: Id(2), count: 4 };
        let btf = btf(vec![("int", INT), ("char", CHAR), ("", array), ("s", record)]);
        let value = |bytes: &[u8]| btf.value(Id(4), bytes).to_string();
        assert_eq!(value(b"\xff\xff\xff\xffhi\0\0\x0d\0\0\0"), "{.int = -1, .char = \"hi\", .s = -3}");
        assert_eq!(value(b"\x01\0\0\0h\xff\0\0"), "{.int = 1, .char = {104, -1, 0, 0}, .s = …}");
        assert_eq!(value(b""), "{.int = …, .char = …, .s = …}");
    }

    #[test]
    fn what_has_no_end_is_cut() {
        // A structure that holds itself, and very many of nothing.
        let own = Kind::Record { union: true, size: 8, members: vec![member(0, 1, 0, None); 9] };
        let btf = btf(vec![("own", own), ("", Kind::Array { element: Id(1), count: u32::MAX })]);
        assert!(btf.value(Id(1), &[0; 8]).to_string().len() < 4096);
        assert!(btf.value(Id(2), &[0; 1 << 16]).to_string().len() < 4096);
    }

    #[test]
    fn numbers_are_cut_out_of_bytes() {
        assert_eq!(number(&[0b1010_0000], 5, 3), Some(0b101));
        assert_eq!(number(&[0xff; 9], 7, 64), Some(u64::MAX));
        assert_eq!(number(&[0xff; 8], 7, 64), None);
        assert_eq!(number(&[1; 8], u32::MAX, 9), None);
    }
}
