//! Keys and values as people read them: in their types where these are known, else as numbers, else in digits.

use super::{Holds, LPM_TRIE, MapDef, Table};
use crate::btf::{Id, Kind};
use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

/// What the numbers in tables of tables and of programs stand for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Named<'a> {
    /// The program's tables.
    pub tables: &'a [Table],
    /// The names of the programs that it may go on to.
    pub programs: &'a [String],
}

impl<'a> Named<'a> {
    /// The name of what a table holds under this value; `None` if it holds values, or what is not there.
    #[must_use]
    pub fn name(&self, def: &MapDef, value: &[u8]) -> Option<&'a str> {
        let number = number(value)? as usize;
        match def.kind.holds() {
            Holds::Tables => self.tables.get(number).map(|table| &*table.def().name),
            Holds::Programs => self.programs.get(number).map(|name| &**name),
            Holds::Values | Holds::Facts | Holds::Sockets => None,
        }
    }
}

impl MapDef {
    /// A key.
    #[must_use]
    pub fn key_text(&self, key: &[u8]) -> String {
        self.prefix_text(key).or_else(|| self.typed(|types| types.key, key)).unwrap_or_else(|| untyped(key))
    }

    /// The prefix that a trie's key is: `192.0.2.0/24`, or digits where it is no address.
    fn prefix_text(&self, key: &[u8]) -> Option<String> {
        let (length, bits) = key.split_first_chunk().filter(|_| self.kind.number() == LPM_TRIE.number())?;
        let length = u32::from_le_bytes(*length);
        let address: Box<dyn std::fmt::Display> = match bits.len() {
            4 => Box::new(Ipv4Addr::from(*bits.first_chunk()?)),
            16 => Box::new(Ipv6Addr::from(*bits.first_chunk()?)),
            _ => Box::new(hex(bits)),
        };
        Some(format!("{address}/{length}"))
    }

    /// The key of a trie for a prefix as [`MapDef::key_text`] writes it. Bits behind the prefix are taken as they are.
    ///
    /// # Errors
    /// A sentence when it is none, or of another table's size.
    pub fn prefix(&self, text: &str) -> Result<Vec<u8>, String> {
        let size = (self.key_size as usize).saturating_sub(4);
        let wanted = || match size {
            4 => "a prefix is written as 192.0.2.0/24".to_owned(),
            16 => "a prefix is written as 2001:db8::/32".to_owned(),
            _ => format!("a prefix is written as {} digits, a slash, and how many bits count", 2 * size),
        };
        let (address, length) = text.trim().split_once('/').ok_or_else(wanted)?;
        let length = length.parse::<u32>().map_err(|_| wanted())?;
        let bits = match size {
            4 => address.parse::<Ipv4Addr>().ok().map(|address| address.octets().to_vec()),
            16 => address.parse::<Ipv6Addr>().ok().map(|address| address.octets().to_vec()),
            _ => digits(address).ok(),
        };
        let bits = bits.filter(|bits| bits.len() == size).ok_or_else(wanted)?;
        if length as usize > 8 * size {
            return Err(format!("a prefix has up to {} bits here, and this has {length}", 8 * size));
        }
        Ok([&length.to_le_bytes()[..], &bits].concat())
    }

    /// A value; of what each CPU has of its own, that of one.
    #[must_use]
    pub fn value_text(&self, value: &[u8]) -> String {
        if self.kind.lists_addresses() {
            let words = value.chunks(8).map(|word| number(word).unwrap_or(0)).take_while(|&word| word != 0);
            return words.map(|word| format!("{word:#x}")).collect::<Vec<_>>().join(" ");
        }
        self.typed(|types| types.value, value).unwrap_or_else(|| untyped(value))
    }

    fn typed(&self, which: fn(&super::Types) -> Id, bytes: &[u8]) -> Option<String> {
        let types = self.types.as_deref()?;
        let id = which(types);
        match types.btf.kind(id) {
            Kind::Void => None,
            _ => Some(types.btf.value(id, bytes).to_string()),
        }
    }
}

impl Table {
    /// The parts of a value that [`Table::entries`] gives: one, or one for each CPU.
    #[must_use]
    pub fn parts<'a>(&self, value: &'a [u8]) -> Vec<&'a [u8]> {
        let size = self.def().value_size as usize;
        if !self.def().kind.per_cpu() {
            return vec![value];
        }
        value.chunks(size.next_multiple_of(8).max(1)).map(|part| &part[..size.min(part.len())]).collect()
    }

    /// A value that [`Table::entries`] gives, as people read it: those of all CPUs in turn up to the last that has
    /// something, tables and programs by their names.
    #[must_use]
    pub fn entry_text(&self, value: &[u8], named: Named<'_>) -> String {
        let def = self.def();
        if let Some(name) = named.name(def, value) {
            let what = if def.kind.holds() == Holds::Tables { "table" } else { "program" };
            return format!("{what} {name}");
        }
        let parts = self.parts(value);
        // Of CPUs that have nothing the last ones say nothing.
        let used =
            parts.iter().rposition(|part| part.iter().any(|&byte| byte != 0)).map_or(1, |last| last + 1);
        let texts: Vec<String> = parts.iter().take(used).map(|part| self.def().value_text(part)).collect();
        texts.join(" | ")
    }

    /// The number that a value stands for, if it is one: of what each CPU has of its own, all together.
    #[must_use]
    pub fn amount(&self, value: &[u8]) -> Option<u64> {
        let is_number = match self.def().types.as_deref() {
            Some(types) => {
                matches!(types.btf.kind(types.value), Kind::Int { signed: false, .. } | Kind::Void)
            }
            None => true,
        };
        let counts = matches!(self.def().value_size, 4 | 8) && self.def().kind.holds() == Holds::Values;
        if !is_number || !counts {
            return None;
        }
        self.parts(value).iter().try_fold(0u64, |sum, part| Some(sum.saturating_add(number(part)?)))
    }
}

/// The little-endian number in 1, 2, 4 or 8 bytes.
fn number(bytes: &[u8]) -> Option<u64> {
    matches!(bytes.len(), 1 | 2 | 4 | 8)
        .then(|| bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
}

/// Bytes without a type: a number where they have the size of one, which is small or no address, else their digits.
fn untyped(bytes: &[u8]) -> String {
    /// From here on a number of 8 bytes is rather an address or two numbers.
    const LARGE: u64 = 1 << 53;
    match number(bytes) {
        Some(number) if number < LARGE => number.to_string(),
        Some(number) => format!("{number:#x}"),
        None => hex(bytes),
    }
}

/// Bytes as hexadecimal digits, in order, with `0x` before them or not.
///
/// # Errors
/// A sentence when they are none.
pub fn digits(text: &str) -> Result<Vec<u8>, String> {
    let wrong =
        || format!("expected a text in quotes or hexadecimal digits, two for each byte, found `{text}`");
    let digits = text.strip_prefix("0x").unwrap_or(text);
    if digits.is_empty() || digits.len() % 2 == 1 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| wrong()))
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maps::{HASH, PERCPU_HASH, PROG_ARRAY};
    use std::rc::Rc;

    #[test]
    fn what_has_no_type_is_a_number_or_digits() {
        assert_eq!(untyped(&[1, 2]), "513");
        assert_eq!(untyped(&[1, 2, 3]), "010203");
        assert_eq!(untyped(&[0xff; 8]), "0xffffffffffffffff");
    }

    #[test]
    fn prefixes_read_as_they_are_written() {
        for (size, text) in [(8, "192.0.2.0/24"), (20, "2001:db8::/32"), (8, "0.0.0.0/0"), (6, "0a0b/16")] {
            let def = MapDef::new("trie", LPM_TRIE, size, 4, 4);
            let key = def.prefix(text).unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!((key.len(), def.key_text(&key)), (size as usize, text.to_owned()));
        }
        let def = MapDef::new("trie", LPM_TRIE, 8, 4, 4);
        for wrong in ["192.0.2.0", "192.0.2.0/33", "192.0.2/24", "/", "2001:db8::/32", "192.0.2.0/-1"] {
            assert!(def.prefix(wrong).is_err(), "{wrong}");
        }
        assert_eq!(MapDef::new("plain", HASH, 8, 4, 4).key_text(&[24, 0, 0, 0, 1, 0, 0, 0]), "4294967320");
    }

    #[test]
    fn programs_and_tables_have_names() {
        let programs = ["parse".to_owned()];
        let table = Table::new(Rc::new(MapDef::new("jumps", PROG_ARRAY, 4, 4, 4)), 1);
        let named = Named { tables: std::slice::from_ref(&table), programs: &programs };
        assert_eq!(table.entry_text(&[0; 4], named), "program parse");
        assert_eq!(table.entry_text(&[1, 0, 0, 0], named), "1", "which is not there");
        assert_eq!(table.amount(&[0; 4]), None);
    }

    #[test]
    fn an_amount_is_that_of_all_processors() {
        let table = |kind, size| Table::new(Rc::new(MapDef::new("t", kind, 4, size, 4)), 2);
        let each = [[3, 0, 0, 0, 0, 0, 0, 0], [4, 0, 0, 0, 0, 0, 0, 0]].concat();
        assert_eq!(table(PERCPU_HASH, 4).amount(&each), Some(7));
        assert_eq!(table(PERCPU_HASH, 4).entry_text(&each, Named::default()), "3 | 4");
        assert_eq!(table(HASH, 8).amount(&each[..8]), Some(3));
        assert_eq!(table(HASH, 16).amount(&each), None);
    }
}
