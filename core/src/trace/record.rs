//! A record made again of what was printed of it.

use super::format::{Field, Format, MAX_RECORD, Shape};
use super::print::{How, Printed};
use std::collections::HashMap;

/// Addresses for functions that were printed by name.
#[derive(Debug, Clone, Default)]
pub struct Symbols {
    names: Vec<String>,
    numbers: HashMap<String, usize>,
}

/// The first address that is given, in the kernel's half, and how far they are apart.
const FIRST: u64 = 0xffff_ffff_8000_0000;
const APART: u64 = 16;
/// The most names that are kept; what comes later has the address of the last one.
const MOST: usize = 1 << 16;

impl Symbols {
    /// The address of `kfree_skb+0x10`: always the same for the same text.
    pub fn address(&mut self, text: &str) -> u64 {
        let number = match self.numbers.get(text) {
            Some(number) => *number,
            None if self.names.len() == MOST => MOST - 1,
            None => {
                self.numbers.insert(text.to_owned(), self.names.len());
                self.names.push(text.to_owned());
                self.names.len() - 1
            }
        };
        FIRST + number as u64 * APART
    }

    /// Every address that was given, with its text.
    pub fn all(&self) -> impl Iterator<Item = (u64, &str)> {
        (0..).map(|number| FIRST + number * APART).zip(self.names.iter().map(String::as_str))
    }

    /// The text that has this address.
    #[must_use]
    pub fn name(&self, address: u64) -> Option<&str> {
        let number = address.checked_sub(FIRST)?;
        if number % APART != 0 {
            return None;
        }
        self.names.get(usize::try_from(number / APART).ok()?).map(String::as_str)
    }
}

/// A field of which the text was not understood, which is 0 then.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loss {
    /// The field's name.
    pub field: String,
    /// What stood there; nothing when the line has no such value.
    pub text: String,
}

impl Format {
    /// The record that was printed as this line, with the thread's number in it; and what of it could not be read.
    #[must_use]
    pub fn record(&self, line: &str, pid: u32, symbols: &mut Symbols) -> (Vec<u8>, Vec<Loss>) {
        let mut record = self.empty(pid);
        let mut lost = Vec::new();
        let mut seen = vec![false; self.fields.len()];
        match self.pattern.as_ref().and_then(|pattern| Some((pattern, pattern.values(line)?))) {
            Some((pattern, values)) => {
                for (printed, text) in pattern.values.iter().zip(values) {
                    let Some(at) = printed.field else { continue };
                    seen[at] = true;
                    let field = &self.fields[at];
                    if put(&mut record, field, text, printed, symbols).is_none() {
                        lost.push(Loss { field: field.name.clone(), text: text.to_owned() });
                    }
                }
            }
            None => {
                for (at, text) in self.by_name(line) {
                    seen[at] = true;
                    let field = &self.fields[at];
                    if put(&mut record, field, text, &PLAIN, symbols).is_none() {
                        lost.push(Loss { field: field.name.clone(), text: text.to_owned() });
                    }
                }
            }
        }
        for (field, _) in self.fields.iter().zip(seen).filter(|(field, seen)| !seen && !is_common(field)) {
            lost.push(Loss { field: field.name.clone(), text: String::new() });
        }
        (record, lost)
    }

    /// A record of zeros, with its number and the thread's.
    #[must_use]
    pub fn empty(&self, pid: u32) -> Vec<u8> {
        let mut record = vec![0; self.size() as usize];
        for (name, value) in [("common_type", u32::from(self.id)), ("common_pid", pid)] {
            if let Some(field) = self.fields.iter().find(|field| field.name == name) {
                number(&mut record, field, value.into());
            }
        }
        record
    }

    /// Puts a value, as text, into a field of a record. `None` when there is no such field, or it cannot hold that.
    #[must_use]
    pub fn put(&self, record: &mut Vec<u8>, name: &str, text: &str, symbols: &mut Symbols) -> Option<()> {
        let at = self.fields.iter().position(|field| field.name == name)?;
        let mut values = self.pattern.iter().flat_map(|pattern| &pattern.values);
        let printed = values.find(|printed| printed.field == Some(at));
        // A text that was not printed has no digits without `0x`.
        let printed = printed.map_or(PLAIN, |printed| match printed.how {
            How::Hexadecimal => Printed { how: How::Decimal, ..printed.clone() },
            _ => printed.clone(),
        });
        put(record, &self.fields[at], text, &printed, symbols)
    }

    /// Values that stand behind their fields' names: `len=84 name: eth0`.
    fn by_name<'t>(&self, line: &'t str) -> Vec<(usize, &'t str)> {
        let mut places: Vec<(usize, usize, usize)> = Vec::new();
        for (at, field) in self.fields.iter().enumerate().filter(|(_, field)| !is_common(field)) {
            for (start, _) in line.match_indices(&field.name) {
                let is_start = line[..start].ends_with([' ', ',', '\t', '(', '{']) || start == 0;
                let behind = &line[start + field.name.len()..];
                let sign = [": ", "=", ":"].into_iter().find(|sign| behind.starts_with(sign));
                if let (true, Some(sign)) = (is_start, sign) {
                    places.push((start, start + field.name.len() + sign.len(), at));
                    break;
                }
            }
        }
        places.sort_unstable();
        let ends = places.iter().skip(1).map(|place| place.0).chain([line.len()]);
        let trimmed = |text: &'t str| text.trim().trim_end_matches([',', ')', '}']).trim();
        places.iter().zip(ends).map(|(&(_, start, at), end)| (at, trimmed(&line[start..end]))).collect()
    }
}

/// A value of which nothing is known but its text.
const PLAIN: Printed = Printed { field: None, how: How::Other, names: Vec::new(), behind: String::new() };

fn is_common(field: &Field) -> bool {
    field.name.starts_with("common_")
}

fn put(
    record: &mut Vec<u8>,
    field: &Field,
    text: &str,
    printed: &Printed,
    symbols: &mut Symbols,
) -> Option<()> {
    let (start, size) = (field.offset as usize, field.size as usize);
    match field.shape {
        Shape::Number => {
            let named = printed.names.is_empty() && is_symbol(text);
            let value = read(text, printed).or_else(|| named.then(|| symbols.address(text)))?;
            number(record, field, value);
        }
        Shape::Text => {
            let kept = &text.as_bytes()[..text.len().min(size.saturating_sub(1))];
            record[start..start + kept.len()].copy_from_slice(kept);
        }
        Shape::PlacedText | Shape::RelativeText => {
            let (place, length) = (record.len(), text.len() + 1);
            if field.size != 4 || place + length > MAX_RECORD as usize {
                return None;
            }
            let from = if field.shape == Shape::PlacedText { 0 } else { start + size };
            let offset = place.checked_sub(from)?;
            record.extend(text.bytes());
            record.push(0);
            number(record, field, (length as u64) << 16 | offset as u64);
        }
        Shape::Other => return None,
    }
    Some(())
}

fn number(record: &mut [u8], field: &Field, value: u64) {
    let (start, size) = (field.offset as usize, (field.size as usize).min(8));
    record[start..start + size].copy_from_slice(&value.to_le_bytes()[..size]);
}

/// A number as it was printed.
fn read(text: &str, printed: &Printed) -> Option<u64> {
    if !printed.names.is_empty() {
        let named =
            |name: &str| printed.names.iter().find(|(_, known)| known == name).map(|(number, _)| *number);
        let all = || text.split('|').try_fold(0, |sum, name| Some(sum | named(name.trim())?));
        if let Some(number) = named(text).or_else(all) {
            return Some(number);
        }
    }
    // glibc's and perf's way to print a null pointer.
    if matches!(text, "(nil)" | "(null)" | "NULL") {
        return Some(0);
    }
    let text = text.strip_suffix(',').unwrap_or(text);
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None if printed.how == How::Hexadecimal => u64::from_str_radix(text, 16).ok(),
        None => text.parse().ok().or_else(|| text.parse::<i64>().ok().map(|number| number as u64)),
    }
}

/// The name of a function: a word, perhaps with an offset.
fn is_symbol(text: &str) -> bool {
    let word = text.split(['+', ' ']).next().unwrap_or_default();
    word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'$'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: &str = r#"name: ev
ID: 7
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:void * where;	offset:8;	size:8;	signed:0;
	field:int reason;	offset:16;	size:4;	signed:1;
	field:__data_loc char[] name;	offset:20;	size:4;	signed:0;
	field:char comm[8];	offset:24;	size:8;	signed:0;

print fmt: "where=%pS (%s) dev=%s comm=%s", REC->where, __print_flags(REC->reason, "|", { 1, "ONE" }, { (1 << 1), "TWO" }), __get_str(name), REC->comm
"#;

    fn word(record: &[u8], at: usize) -> u32 {
        u32::from_le_bytes(record[at..at + 4].try_into().unwrap())
    }

    #[test]
    fn a_printed_record_is_made_again() {
        let format = Format::parse(FORMAT).unwrap();
        let mut symbols = Symbols::default();
        let line = "where=f+0x10/0x20 (ONE|TWO) dev=my eth comm=a longer name";
        let (record, lost) = format.record(line, 5, &mut symbols);
        assert_eq!(lost, []);
        assert_eq!((record[0], word(&record, 4), word(&record, 16)), (7, 5, 3));
        let address = u64::from_le_bytes(record[8..16].try_into().unwrap());
        assert_eq!(symbols.name(address), Some("f+0x10/0x20"));
        let place = word(&record, 20);
        assert_eq!(&record[place as usize & 0xffff..][..place as usize >> 16], b"my eth\0");
        assert_eq!(&record[24..32], b"a longe\0");
    }

    #[test]
    fn what_is_printed_otherwise_is_found_by_name() {
        let format = Format::parse(FORMAT).unwrap();
        let mut symbols = Symbols::default();
        let (record, lost) = format.record("reason: 2, name=lo where=0x10", 5, &mut symbols);
        assert_eq!((word(&record, 16), record[8]), (2, 16));
        assert_eq!(lost, [Loss { field: "comm".to_owned(), text: String::new() }]);
        let (_, lost) = format.record("where=1 (THREE) dev= comm=", 5, &mut symbols);
        assert_eq!(lost, [Loss { field: "reason".to_owned(), text: "THREE".to_owned() }]);
        let (_, lost) = format.record("where=%% (ONE) dev= comm=", 5, &mut symbols);
        assert_eq!(lost, [Loss { field: "where".to_owned(), text: "%%".to_owned() }]);
    }
}
