//! Tables as rows: what people want to see of one, and what they type into it.

use super::Table;
use super::definition::MapDef;
use super::text::Named;

/// What a table's name has in it when its indices are powers of two.
const LOG2: &str = "log2";

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its key's bytes.
    pub bytes: Vec<u8>,
    /// The key as text; empty where there are no keys.
    pub key: String,
    /// The value as text.
    pub value: String,
    /// The number that the value stands for, if it is one.
    pub amount: Option<u64>,
}

/// The entries that are shown, and how many there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// The first of them.
    pub list: Vec<Row>,
    /// All: of those that were there from the beginning, only what is not 0.
    pub total: usize,
}

impl Table {
    /// Up to `most` entries as people read them. `names` knows some keys by name.
    #[must_use]
    pub fn rows(&self, named: Named<'_>, names: impl Fn(&[u8]) -> Option<String>, most: usize) -> Rows {
        let def = self.def();
        let (mut list, mut total, mut zeros) = (Vec::new(), 0, Vec::new());
        let buckets = def.is_histogram();
        for (bytes, value) in self.entries() {
            let nothing = def.kind.preset() && value.iter().all(|&byte| byte == 0);
            let shown = list.len() + zeros.len() < most;
            // Between buckets that hold something, one that does not says something, too.
            total += usize::from(!nothing);
            if !shown || nothing && !(buckets && total > 0) {
                continue;
            }
            let key = match bytes.first_chunk() {
                Some(&index) if buckets => bucket(u32::from_le_bytes(index)),
                _ => names(&bytes).unwrap_or_else(|| def.key_text(&bytes)),
            };
            let row = Row { key, value: self.entry_text(&value, named), amount: self.amount(&value), bytes };
            if nothing {
                zeros.push(row);
            } else {
                list.append(&mut zeros);
                list.push(row);
            }
        }
        Rows { list, total }
    }
}

impl MapDef {
    /// Whether its indices are powers of two, as its name says then.
    #[must_use]
    pub fn is_histogram(&self) -> bool {
        self.kind.preset() && self.name.contains(LOG2)
    }
}

/// The numbers that bucket `index` counts: those whose highest bit it is, 0 with 1.
fn bucket(index: u32) -> String {
    match index {
        0 => "0..1".to_owned(),
        1..64 => format!("{}..{}", 1u64 << index, u64::MAX >> (63 - index)),
        _ => index.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maps::{ARRAY, HASH, change};
    use std::rc::Rc;

    fn filled(name: &str, kind: &'static dyn super::super::Kind, entries: &[(u32, u32)]) -> Table {
        let mut table = Table::new(Rc::new(MapDef::new(name, kind, 4, 4, 8)), 1);
        for (key, value) in entries {
            table.update(&key.to_le_bytes(), &value.to_le_bytes(), change::ANY).expect("there is room");
        }
        table
    }

    #[test]
    fn zeros_are_shown_between_buckets_only() {
        let rows = filled("us_log2", ARRAY, &[(1, 3), (3, 1)]).rows(Named::default(), |_| None, 9);
        let keys: Vec<&str> = rows.list.iter().map(|row| &*row.key).collect();
        assert_eq!((keys, rows.total), (vec!["2..3", "4..7", "8..15"], 2));
        let rows = filled("plain", ARRAY, &[(1, 3), (3, 1)]).rows(Named::default(), |_| None, 9);
        assert_eq!((rows.list.len(), rows.total, rows.list[1].amount), (2, 2, Some(1)));
    }

    #[test]
    fn what_is_too_much_is_counted() {
        let rows = filled("counts", HASH, &[(1, 3), (2, 0), (3, 1)]).rows(
            Named::default(),
            |_| Some("a".to_owned()),
            2,
        );
        assert_eq!((rows.list.len(), rows.total, &*rows.list[0].key), (2, 3, "a"));
    }
}
