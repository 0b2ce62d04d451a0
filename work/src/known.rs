//! What the verifier knows of each register, in a form that is sent and drawn.

use crate::subject::Subject;
use bpf64_core::domain::Scalar;
use bpf64_core::verifier::{Fact, Pointee};
use serde::{Deserialize, Serialize};

/// What is known of a register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Known {
    /// Nothing, or nobody reads it any more.
    Nothing,
    /// A number within this.
    Number(Span),
    /// So many bytes behind the beginning of something.
    Pointer {
        /// Its name: "packet", "value of counts".
        to: String,
        /// The bytes.
        offset: Span,
    },
}

/// What is known of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The smallest and the greatest it can be.
    pub unsigned: (u64, u64),
    /// The same, read with a sign.
    pub signed: (i64, i64),
    /// Its known bits, 0 elsewhere.
    pub bits: u64,
    /// The unknown bits.
    pub unknown: u64,
}

impl Span {
    /// The only number it can be, if there is only one.
    #[must_use]
    pub fn only(&self) -> Option<u64> {
        let (least, most) = self.unsigned;
        (least == most).then_some(least)
    }

    /// Whether the number is one of those it can be.
    #[must_use]
    pub fn contains(&self, number: u64) -> bool {
        let (least, most) = self.unsigned;
        let (low, high) = self.signed;
        (least..=most).contains(&number)
            && (low..=high).contains(&(number as i64))
            && number & !self.unknown == self.bits
    }

    /// Nothing is known.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.unsigned == (0, u64::MAX) && self.signed == (i64::MIN, i64::MAX) && self.unknown == u64::MAX
    }

    /// The shorter of both readings: "0 … 255", "-8 … 8".
    #[must_use]
    pub fn bounds(&self) -> String {
        let ((least, most), (low, high)) = (self.unsigned, self.signed);
        match self.only() {
            _ if self.is_any() => "any number".to_owned(),
            Some(only) if (only as i64) < 0 && only as i64 > -65_536 => (only as i64).to_string(),
            Some(only) => number(only),
            None if low < 0 && (most == u64::MAX || high.wrapping_sub(low) as u64 <= most - least) => {
                format!("{} … {}", signed(low), signed(high))
            }
            None => format!("{} … {}", number(least), number(most)),
        }
    }
}

/// Large numbers are near powers of two, which are read best in hexadecimal digits.
fn number(value: u64) -> String {
    if value < 1 << 24 { value.to_string() } else { format!("{value:#x}") }
}

fn signed(value: i64) -> String {
    match value {
        i64::MIN => "-2^63".to_owned(),
        value if value < 0 => format!("-{}", number(value.unsigned_abs())),
        value => number(value as u64),
    }
}

impl From<Scalar> for Span {
    fn from(scalar: Scalar) -> Self {
        let (unsigned, signed) = (scalar.wide.unsigned, scalar.wide.signed);
        Span {
            unsigned: (unsigned.min, unsigned.max),
            signed: (signed.min, signed.max),
            bits: scalar.bits.value(),
            unknown: scalar.bits.mask(),
        }
    }
}

/// A fact with the names that the program gives to things.
pub(super) fn known(fact: Fact, subject: &Subject) -> Known {
    match fact {
        Fact::Unknown => Known::Nothing,
        Fact::Number(scalar) => Known::Number(scalar.into()),
        Fact::Pointer { to, offset } => Known::Pointer { to: name(to, subject), offset: offset.into() },
    }
}

fn name(to: Pointee, subject: &Subject) -> String {
    let of = |what: &str, table: u16| match subject.ebpf.maps().get(usize::from(table)) {
        Some(map) => format!("{what} of {}", map.name),
        None => format!("{what} of a table"),
    };
    match to {
        Pointee::Context => "context".to_owned(),
        Pointee::Stack { frames_up: 0 } => "stack".to_owned(),
        Pointee::Stack { frames_up: 1 } => "the caller's stack".to_owned(),
        Pointee::Stack { frames_up } => format!("the stack {frames_up} calls up"),
        Pointee::Packet => "packet".to_owned(),
        Pointee::PacketMeta => "metadata".to_owned(),
        Pointee::PacketEnd => "packet's end".to_owned(),
        Pointee::Table(table) => of("the table", table).replace("the table of", "table"),
        Pointee::Value(table) => of("value", table),
        Pointee::ValueOrNull(table) => format!("0, or {}", of("value", table)),
        Pointee::Key(table) => of("key", table),
        Pointee::Record => "record".to_owned(),
        Pointee::RecordOrNull => "0, or record".to_owned(),
        Pointee::Code => "instruction".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_told_by_the_shorter_reading() {
        let span = |scalar: Scalar| Span::from(scalar);
        assert_eq!(span(Scalar::UNKNOWN).bounds(), "any number");
        assert_eq!(span(Scalar::constant(7)).bounds(), "7");
        assert_eq!(span(Scalar::constant(-8i64 as u64)).bounds(), "-8");
        let byte = span(Scalar::loaded(bpf64_core::isa::Size::B, false));
        assert_eq!((byte.bounds().as_str(), byte.unknown), ("0 … 255", 255));
        assert!(byte.contains(255) && !byte.contains(256));
        let signed = span(Scalar::loaded(bpf64_core::isa::Size::B, true));
        assert_eq!(signed.bounds(), "-128 … 127");
        assert!(signed.contains(-128i64 as u64) && !signed.contains(128));
    }
}
