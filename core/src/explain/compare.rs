//! Comparisons: what is true of two values.

use super::moment::{Moment, Stepped};
use super::number;
use super::origin::Origin;
use crate::isa::{CmpOp, Width, eval};
use crate::machine::Place;

/// An operand: what it holds, and where that is if it is no constant.
#[derive(Clone, Copy)]
pub(super) struct Operand {
    pub(super) value: u64,
    pub(super) place: Option<Place>,
}

impl<M: Stepped> Moment<'_, M> {
    /// "0x0800 (IPv4) is not 0x86dd (IPv6)", and whether the comparison holds.
    pub(super) fn compared(&self, width: Width, op: CmpOp, a: Operand, b: Operand) -> (String, bool) {
        let holds = eval::compare(width, op, a.value, b.value);
        let [x, y] = [a, b].map(|operand| eval::truncate(width.size(), operand.value));
        let (origin, other) = (self.origin_of_operand(a), self.origin_of_operand(b));
        let signed = matches!(op, CmpOp::SGt | CmpOp::SGe | CmpOp::SLt | CmpOp::SLe);
        let plain = |value| match (signed, width) {
            (true, Width::W32) => (value as i32).to_string(),
            (true, Width::W64) if (value as i64) < 0 => (value as i64).to_string(),
            _ => self.number(value),
        };
        let constant = |origin: Option<Origin>, value| match op {
            CmpOp::Set => origin.and_then(|origin| origin.mask(value)).or_else(|| Some(number::mask(value))),
            _ => origin.and_then(|origin| origin.constant(value)),
        };
        let first =
            origin.and_then(|origin| origin.text(x)).or_else(|| other.and_then(|other| other.constant(x)));
        let second = other.and_then(|other| other.text(y)).or_else(|| constant(origin, y));
        let relation = relation(op, holds);
        let note = if signed { ", signed" } else { "" };
        let (first, second) = (first.unwrap_or_else(|| plain(x)), second.unwrap_or_else(|| plain(y)));
        (format!("{first} {relation} {second}{note}"), holds)
    }

    fn origin_of_operand(&self, operand: Operand) -> Option<Origin> {
        operand.place.and_then(|place| self.origin(place))
    }
}

/// What a comparison that holds, or does not, says of its operands.
fn relation(op: CmpOp, holds: bool) -> &'static str {
    match (op, holds) {
        (CmpOp::Eq, true) | (CmpOp::Ne, false) => "is",
        (CmpOp::Eq, false) | (CmpOp::Ne, true) => "is not",
        (CmpOp::Gt | CmpOp::SGt, true) | (CmpOp::Le | CmpOp::SLe, false) => "is greater than",
        (CmpOp::Gt | CmpOp::SGt, false) | (CmpOp::Le | CmpOp::SLe, true) => "is at most",
        (CmpOp::Ge | CmpOp::SGe, true) | (CmpOp::Lt | CmpOp::SLt, false) => "is at least",
        (CmpOp::Ge | CmpOp::SGe, false) | (CmpOp::Lt | CmpOp::SLt, true) => "is less than",
        (CmpOp::Set, true) => "has some of the bits",
        (CmpOp::Set, false) => "has none of the bits",
    }
}
