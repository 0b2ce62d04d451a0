//! Conditions at which a run stops: a comparison of a register or of a table's value, or that a byte or an entry is written
//! or read.
//!
//! `r0 == 5`, `a > 0x800`, `m[3] != 0`, `counts[3] >= 10`, `write packet + 12`, `read stack - 8`, `write counts[3]`, `write`
//! (any memory).

use bpf64_core::interp::STACK_SIZE;
use bpf64_core::isa::Reg;
use bpf64_core::machine::{Change, Place, Read, Region};
use bpf64_core::maps::Table;
use std::fmt;

/// A condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// What a place holds compares like this with a number.
    Holds(Place, Comparison, u64),
    /// The value of an entry does.
    Entry(Entry, Comparison, u64),
    /// A step reads memory here.
    Reads(Span),
    /// A step writes memory here.
    Writes(Span),
}

/// How two numbers compare, without a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

/// Some memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Span {
    /// All there is.
    All,
    /// A region, or one byte of it.
    Region(Region, Option<u32>),
    /// The values of a table.
    Table(String),
    /// One of them.
    Entry(Entry),
}

/// An entry of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The table's name.
    pub table: String,
    /// The key as a number, in the order of bytes that it has in memory.
    pub key: u64,
}

const COMPARISONS: [(&str, Comparison); 6] = [
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

/// What the page offers as an example of what can be typed.
pub const EXAMPLE: &str = "r0 == 5, or write packet + 12";

impl Condition {
    /// Reads a condition. Whether there is a table of that name says `is_table`.
    ///
    /// # Errors
    /// A sentence about what is not understood, with an example.
    pub fn parse(text: &str, is_table: &dyn Fn(&str) -> bool) -> Result<Self, String> {
        let text = text.trim();
        for (word, make) in
            [("write", Condition::Writes as fn(Span) -> Condition), ("read", Condition::Reads)]
        {
            let start = text.get(..word.len()).filter(|start| start.eq_ignore_ascii_case(word));
            let rest = start.map(|_| &text[word.len()..]);
            if let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with(' ')) {
                return span(rest.trim(), is_table).map(make);
            }
        }
        let found = COMPARISONS.iter().find_map(|(sign, how)| Some((text.split_once(sign)?, *how)));
        let ((left, right), how) =
            found.ok_or_else(|| format!("`{text}` is no condition; write for example {EXAMPLE}"))?;
        let (left, right) = (left.trim(), number(right.trim())?);
        match entry(left, is_table) {
            Some(entry) => Ok(Condition::Entry(entry?, how, right)),
            None => Ok(Condition::Holds(place(&left.to_ascii_lowercase())?, how, right)),
        }
    }

    /// Whether it came to hold by a step that read and wrote this. `before` is what [`Condition::state`] was before it, and
    /// is then what it is after it.
    #[must_use]
    pub fn holds(&self, (reads, changes): (&[Read], &[Change]), tables: &[Table], before: &mut bool) -> bool {
        match self {
            Condition::Holds(place, how, number) => {
                // When it came to hold, not as long as it does: otherwise every step would stop.
                let Some(change) = changes.iter().rev().find(|change| change.place == *place) else {
                    return false;
                };
                let first = changes.iter().find(|change| change.place == *place).unwrap_or(change);
                how.compare(change.after, *number) && !how.compare(first.before, *number)
            }
            Condition::Entry(entry, ..) => {
                if !changes.iter().any(|change| entry.is_of(change.place, tables)) {
                    return false;
                }
                let (was, now) = (*before, self.state(tables));
                *before = now;
                now && !was
            }
            Condition::Reads(span) => reads.iter().any(|read| span.covers(read.place, tables)),
            Condition::Writes(span) => {
                let (was, now) = (*before, self.state(tables));
                *before = now;
                // What was taken out of a table is written, too.
                now != was || changes.iter().any(|change| span.covers(change.place, tables))
            }
        }
    }

    /// What of the tables must be known before a step: whether the comparison holds, or whether the entry is there.
    #[must_use]
    pub fn state(&self, tables: &[Table]) -> bool {
        match self {
            Condition::Entry(entry, how, number) => {
                entry.value(tables).is_some_and(|value| how.compare(value, *number))
            }
            Condition::Writes(Span::Entry(entry)) => entry.place(tables).is_some(),
            Condition::Holds(..) | Condition::Reads(_) | Condition::Writes(_) => false,
        }
    }
}

impl Comparison {
    fn compare(self, left: u64, right: u64) -> bool {
        match self {
            Comparison::Equal => left == right,
            Comparison::NotEqual => left != right,
            Comparison::Less => left < right,
            Comparison::AtMost => left <= right,
            Comparison::Greater => left > right,
            Comparison::AtLeast => left >= right,
        }
    }
}

impl Span {
    fn covers(&self, place: Place, tables: &[Table]) -> bool {
        let Place::Memory { region, offset, size } = place else { return false };
        let bytes = u64::from(offset)..u64::from(offset) + size.bytes() as u64;
        match self {
            Span::All => true,
            Span::Region(wanted, byte) => {
                *wanted == region && byte.is_none_or(|byte| bytes.contains(&byte.into()))
            }
            Span::Table(name) => {
                Some(region) == table(tables, name).map(|(number, _)| Region::Values(number))
            }
            Span::Entry(entry) => entry.place(tables).is_some_and(|(number, start, length)| {
                let (start, end) = (u64::from(start), u64::from(start) + u64::from(length));
                region == Region::Values(number) && start < bytes.end && bytes.start < end
            }),
        }
    }
}

fn table<'a>(tables: &'a [Table], name: &str) -> Option<(u16, &'a Table)> {
    (0..).zip(tables).find(|(_, table)| table.def().name == name)
}

impl Entry {
    /// Whether a change of this place can have changed it.
    fn is_of(&self, place: Place, tables: &[Table]) -> bool {
        let Some((number, _)) = table(tables, &self.table) else { return false };
        match place {
            Place::Memory { region, .. } => region == Region::Values(number),
            Place::Cell { map, .. } => map == number,
            _ => false,
        }
    }

    /// The number of its table, and where in that table's memory its value begins and how long it is; none when it is not
    /// there.
    fn place(&self, tables: &[Table]) -> Option<(u16, u32, u32)> {
        let (number, table) = table(tables, &self.table)?;
        let def = table.def();
        let size = def.key_size as usize;
        let mut key = self.key.to_le_bytes().to_vec();
        // A number that takes more bytes than a key has is nobody's.
        let over = key.get(size..).is_some_and(|rest| rest.iter().any(|&byte| byte != 0));
        key.resize(size, 0);
        let slot = def.kind.find(table, &key).filter(|_| !over)?;
        Some((number, def.kind.value(table, slot, 0), def.value_size))
    }

    /// Its value, of at most 8 bytes.
    fn value(&self, tables: &[Table]) -> Option<u64> {
        let (number, start, length) = self.place(tables).filter(|place| place.2 <= 8)?;
        let bytes = tables.get(usize::from(number))?.copy(start, length);
        Some(bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }
}

fn place(name: &str) -> Result<Place, String> {
    let register = Reg::ALL.iter().find(|reg| reg.to_string() == name).map(|&reg| Place::Reg(reg));
    let cell = || {
        let number: u8 = name.strip_prefix("m[")?.strip_suffix(']')?.parse().ok()?;
        (number < 16).then_some(Place::Scratch(number))
    };
    match name {
        "a" => Ok(Place::A),
        "x" => Ok(Place::X),
        _ => register.or_else(cell).ok_or_else(|| {
            format!("`{name}` holds nothing that could be compared; there are r0 to r10, for classic programs a, x and m[0] to m[15], and entries of tables, such as counts[3]")
        }),
    }
}

/// `counts[3]`, if there is such a table.
fn entry(text: &str, is_table: &dyn Fn(&str) -> bool) -> Option<Result<Entry, String>> {
    let (name, key) = text.strip_suffix(']')?.split_once('[')?;
    let name = name.trim();
    // Those of classic programs are called m, too; these have no tables.
    let named = is_table(name) && !name.eq_ignore_ascii_case("m");
    named.then(|| number(key.trim()).map(|key| Entry { table: name.to_owned(), key }))
}

fn span(text: &str, is_table: &dyn Fn(&str) -> bool) -> Result<Span, String> {
    if text.is_empty() || text.eq_ignore_ascii_case("memory") {
        return Ok(Span::All);
    }
    let (name, sign, rest) = match text.find(['+', '-', '[']) {
        Some(at) => (text[..at].trim(), &text[at..=at], text[at + 1..].trim().trim_end_matches(']')),
        None => (text, "", ""),
    };
    let region = match name.to_ascii_lowercase().as_str() {
        "packet" => Region::Packet,
        "stack" | "r10" | "fp" => Region::Stack,
        "context" | "ctx" => Region::Context,
        _ if is_table(name) => {
            return match entry(text, is_table) {
                Some(entry) => entry.map(Span::Entry),
                None => Ok(Span::Table(name.to_owned())),
            };
        }
        _ => {
            return Err(format!(
                "`{name}` is no memory; there are packet, stack, context and the program's tables"
            ));
        }
    };
    if sign.is_empty() {
        return Ok(Span::Region(region, None));
    }
    let distance = number(rest)?;
    let offset = match (region, sign) {
        // Stacks are counted from their upper end.
        (Region::Stack, "-") => (STACK_SIZE as u64).checked_sub(distance),
        (_, "-") => None,
        _ => Some(distance),
    };
    let offset = offset.and_then(|offset| u32::try_from(offset).ok());
    let offset = offset.ok_or_else(|| format!("`{text}` is outside that memory"))?;
    Ok(Span::Region(region, Some(offset)))
}

fn number(text: &str) -> Result<u64, String> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let parsed = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    let value = parsed.map_err(|_| format!("`{text}` is no number; write 5 or 0x800"))?;
    Ok(if negative { value.wrapping_neg() } else { value })
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let comparison = |left: &dyn fmt::Display, how: &Comparison, number: u64| {
            let sign = COMPARISONS.iter().find(|row| row.1 == *how).map_or("", |row| row.0);
            if number < 10 { format!("{left} {sign} {number}") } else { format!("{left} {sign} {number:#x}") }
        };
        match self {
            Condition::Holds(place, how, number) => f.write_str(&comparison(place, how, *number)),
            Condition::Entry(entry, how, number) => f.write_str(&comparison(entry, how, *number)),
            Condition::Reads(span) => write!(f, "read {span}"),
            Condition::Writes(span) => write!(f, "write {span}"),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.table, self.key)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Span::All => f.write_str("memory"),
            Span::Region(region, None) => region.fmt(f),
            Span::Region(Region::Stack, Some(offset)) if (*offset as usize) < STACK_SIZE => {
                write!(f, "stack - {}", STACK_SIZE - *offset as usize)
            }
            Span::Region(region, Some(offset)) => write!(f, "{region} + {offset}"),
            Span::Table(name) => f.write_str(name),
            Span::Entry(entry) => entry.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
