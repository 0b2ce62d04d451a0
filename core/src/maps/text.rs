//! Keys and values as people read them: in their types where these are known, else as numbers, else in digits.

use super::{Holds, MapDef, Table};
use crate::btf::{Id, Kind};
use std::fmt::Write as _;

impl MapDef {
    /// A key.
    #[must_use]
    pub fn key_text(&self, key: &[u8]) -> String {
        self.typed(|types| types.key, key).unwrap_or_else(|| untyped(key))
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
    /// something, tables by their names among `all`.
    #[must_use]
    pub fn entry_text(&self, value: &[u8], all: &[Table]) -> String {
        if self.def().kind.holds() == Holds::Tables {
            let inner = number(value).and_then(|inner| all.get(inner as usize));
            return inner.map_or_else(|| untyped(value), |inner| format!("table {}", inner.def().name));
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
        None => bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maps::{HASH, PERCPU_HASH};
    use std::rc::Rc;

    #[test]
    fn what_has_no_type_is_a_number_or_digits() {
        assert_eq!(untyped(&[1, 2]), "513");
        assert_eq!(untyped(&[1, 2, 3]), "010203");
        assert_eq!(untyped(&[0xff; 8]), "0xffffffffffffffff");
    }

    #[test]
    fn an_amount_is_that_of_all_processors() {
        let table = |kind, size| Table::new(Rc::new(MapDef::new("t", kind, 4, size, 4)), 2);
        let each = [[3, 0, 0, 0, 0, 0, 0, 0], [4, 0, 0, 0, 0, 0, 0, 0]].concat();
        assert_eq!(table(PERCPU_HASH, 4).amount(&each), Some(7));
        assert_eq!(table(PERCPU_HASH, 4).entry_text(&each, &[]), "3 | 4");
        assert_eq!(table(HASH, 8).amount(&each[..8]), Some(3));
        assert_eq!(table(HASH, 16).amount(&each), None);
    }
}
