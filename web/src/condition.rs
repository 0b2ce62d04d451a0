//! Conditions at which a run stops: a comparison of a register, or that a byte is written or read.
//!
//! `r0 == 5`, `a > 0x800`, `m[3] != 0`, `write packet + 12`, `read stack - 8`, `write` (any memory).

use bpf64_core::interp::STACK_SIZE;
use bpf64_core::isa::Reg;
use bpf64_core::machine::{Change, Place, Read, Region};
use std::fmt;

/// A condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// What a place holds compares like this with a number.
    Holds(Place, Comparison, u64),
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

/// A byte of memory; none of the two says any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The region; `None` is every one.
    pub region: Option<Region>,
    /// The byte in it; `None` is every one.
    pub offset: Option<u32>,
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
    /// Reads a condition.
    ///
    /// # Errors
    /// A sentence about what is not understood, with an example.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim().to_ascii_lowercase();
        for (word, make) in
            [("write", Condition::Writes as fn(Span) -> Condition), ("read", Condition::Reads)]
        {
            if let Some(rest) =
                text.strip_prefix(word).filter(|rest| rest.is_empty() || rest.starts_with(' '))
            {
                return span(rest.trim()).map(make);
            }
        }
        let found = COMPARISONS.iter().find_map(|(sign, how)| Some((text.split_once(sign)?, *how)));
        let ((left, right), how) =
            found.ok_or_else(|| format!("`{text}` is no condition; write for example {EXAMPLE}"))?;
        Ok(Condition::Holds(place(left.trim())?, how, number(right.trim())?))
    }

    /// Whether it came to hold by a step that read and wrote this.
    #[must_use]
    pub fn holds(&self, (reads, changes): (&[Read], &[Change])) -> bool {
        match self {
            Condition::Holds(place, how, number) => {
                // When it came to hold, not as long as it does: otherwise every step would stop.
                let Some(change) = changes.iter().rev().find(|change| change.place == *place) else {
                    return false;
                };
                let first = changes.iter().find(|change| change.place == *place).unwrap_or(change);
                how.compare(change.after, *number) && !how.compare(first.before, *number)
            }
            Condition::Reads(span) => reads.iter().any(|read| span.covers(read.place)),
            Condition::Writes(span) => changes.iter().any(|change| span.covers(change.place)),
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
    fn covers(self, place: Place) -> bool {
        let Place::Memory { region, offset, size } = place else { return false };
        let bytes = offset..offset.saturating_add(size.bytes() as u32);
        self.region.is_none_or(|wanted| wanted == region)
            && self.offset.is_none_or(|wanted| bytes.contains(&wanted))
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
            format!("`{name}` holds nothing that could be compared; there are r0 to r10, and for classic programs a, x and m[0] to m[15]")
        }),
    }
}

fn span(text: &str) -> Result<Span, String> {
    if text.is_empty() || text == "memory" {
        return Ok(Span { region: None, offset: None });
    }
    let (name, sign, rest) = match text.find(['+', '-', '[']) {
        Some(at) => (text[..at].trim(), &text[at..=at], text[at + 1..].trim().trim_end_matches(']')),
        None => (text, "", ""),
    };
    let region = match name {
        "packet" => Region::Packet,
        "stack" | "r10" | "fp" => Region::Stack,
        "context" | "ctx" => Region::Context,
        _ => return Err(format!("`{name}` is no memory; there are packet, stack and context")),
    };
    if sign.is_empty() {
        return Ok(Span { region: Some(region), offset: None });
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
    Ok(Span { region: Some(region), offset: Some(offset) })
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
        match self {
            Condition::Holds(place, how, number) => {
                let sign = COMPARISONS.iter().find(|row| row.1 == *how).map_or("", |row| row.0);
                if *number < 10 {
                    write!(f, "{place} {sign} {number}")
                } else {
                    write!(f, "{place} {sign} {number:#x}")
                }
            }
            Condition::Reads(span) => write!(f, "read {span}"),
            Condition::Writes(span) => write!(f, "write {span}"),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.region, self.offset) {
            (None, _) => f.write_str("memory"),
            (Some(region), None) => region.fmt(f),
            (Some(Region::Stack), Some(offset)) if (offset as usize) < STACK_SIZE => {
                write!(f, "stack - {}", STACK_SIZE - offset as usize)
            }
            (Some(region), Some(offset)) => write!(f, "{region} + {offset}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::levels::{Level, read};
    use crate::player::Player;
    use bpf64_core::context::skb::Skb;
    use bpf64_core::environment::World;

    #[test]
    fn conditions_are_read_and_told_alike() {
        for (text, told) in [
            ("r0 == 5", "r0 == 5"),
            ("R7>=0x10", "r7 >= 0x10"),
            ("a != 2048", "A != 0x800"),
            ("m[3] < 4", "M[3] < 4"),
            ("write packet + 12", "write packet + 12"),
            ("read packet[12]", "read packet + 12"),
            ("write stack - 8", "write stack - 8"),
            ("write", "write memory"),
            ("read context", "read context"),
        ] {
            let read = Condition::parse(text);
            assert_eq!(read.as_ref().map(ToString::to_string).as_deref(), Ok(told), "{text}");
            assert_eq!(Condition::parse(told), read, "{told} in a link");
        }
        for (text, says) in [
            ("r0", "no condition"),
            ("r11 == 0", "`r11` holds nothing"),
            ("r0 == five", "`five` is no number"),
            ("m[16] == 0", "`m[16]`"),
            ("write heap", "`heap` is no memory"),
            ("write stack - 513", "outside"),
        ] {
            let fault = Condition::parse(text).unwrap_err();
            assert!(fault.contains(says), "{fault}");
        }
    }

    #[test]
    fn a_condition_holds_at_the_step_that_makes_it_hold() {
        let source = "r0 = 0\nl: r0 += 1\n*(u8 *)(r10 - 8) = r0\nif r0 < 9 goto l\nexit";
        let levels = read(source, None, None).unwrap();
        let mut player = Player::new(&levels, Level::Ebpf, World::new(Skb::ethernet(vec![0; 14])));
        let mut stops = |text: &str| {
            let condition = Condition::parse(text).unwrap();
            let mut found = Vec::new();
            for position in 0..=player.steps() {
                player.seek(position);
                if condition.holds(player.last()) {
                    found.push(position);
                }
            }
            found
        };
        assert_eq!(stops("r0 == 5"), [14]);
        assert_eq!(stops("r0 > 7"), [23]);
        assert_eq!(stops("write stack - 8").len(), 9);
        assert_eq!(stops("write stack - 7").len(), 0);
        assert_eq!(stops("read").len(), 0);
    }
}
