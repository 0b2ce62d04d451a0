//! What is known of a 32-bit number: between what it lies, and which bits it may have.

use crate::isa::AluOp;

/// The numbers from `low` to `high` that have no bit outside `may`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub low: u32,
    pub high: u32,
    pub may: u32,
}

impl Range {
    /// Any number.
    pub(super) const ANY: Range = Range { low: 0, high: u32::MAX, may: u32::MAX };

    pub(super) const fn exactly(number: u32) -> Self {
        Range { low: number, high: number, may: number }
    }

    /// The numbers up to `high`.
    pub(super) const fn up_to(high: u32) -> Self {
        Range { low: 0, high, may: bits_below(high) }
    }

    /// The number, if there is only one.
    pub(super) fn number(self) -> Option<u32> {
        (self.low == self.high).then_some(self.low)
    }

    /// What is in both, or this one as it is when that would be nothing.
    #[must_use]
    pub(super) fn within(self, low: u32, high: u32, may: u32) -> Self {
        let may = self.may & may;
        let (low, high) = (self.low.max(low), self.high.min(high).min(may));
        if low > high { self } else { Range { low, high, may: may & bits_below(high) } }
    }

    /// What holds of a number that is in this or in that.
    #[must_use]
    pub(super) fn or(self, other: Range) -> Self {
        Range { low: self.low.min(other.low), high: self.high.max(other.high), may: self.may | other.may }
    }

    /// What holds of the result. Division by zero is eBPF's, which classic programs never come to.
    pub(super) fn alu(op: AluOp, a: Range, b: Range) -> Self {
        let any = Range::ANY;
        match op {
            AluOp::And => any.within(0, a.high.min(b.high), a.may & b.may),
            AluOp::Or => any.within(a.low.max(b.low), u32::MAX, a.may | b.may),
            AluOp::Xor => any.within(0, u32::MAX, a.may | b.may),
            AluOp::Add => match a.high.checked_add(b.high) {
                Some(high) => any.within(a.low + b.low, high, bits_below(high)),
                None => any,
            },
            AluOp::Sub if a.low >= b.high => {
                let high = a.high - b.low;
                any.within(a.low - b.high, high, bits_below(high))
            }
            AluOp::Mul => match a.high.checked_mul(b.high) {
                Some(high) => any.within(a.low * b.low, high, bits_below(high)),
                None => any,
            },
            AluOp::Div => match a.high.checked_div(b.low) {
                Some(high) => any.within(a.low / b.high, high, bits_below(high)),
                None => any.within(0, a.high, bits_below(a.high)),
            },
            AluOp::Mod => match b.low {
                0 => any.within(0, a.high, bits_below(a.high)),
                _ => any.within(0, a.high.min(b.high - 1), bits_below(a.high.min(b.high - 1))),
            },
            AluOp::Lsh => match b.number() {
                Some(by @ 0..32) if a.high.leading_zeros() >= by => {
                    any.within(a.low << by, a.high << by, a.may << by)
                }
                Some(by @ 0..32) => any.within(0, u32::MAX, a.may << by),
                _ => any,
            },
            AluOp::Rsh => match b.number() {
                Some(by @ 0..32) => any.within(a.low >> by, a.high >> by, a.may >> by),
                _ => any.within(0, a.high, bits_below(a.high)),
            },
            AluOp::Sub | AluOp::SDiv | AluOp::SMod | AluOp::Mov | AluOp::Arsh => any,
        }
    }
}

/// All bits up to the highest of `high`.
const fn bits_below(high: u32) -> u32 {
    match high {
        0 => 0,
        _ => u32::MAX >> high.leading_zeros(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::{Width, eval};

    /// Every range of some small and some large numbers, and two masks.
    fn ranges() -> Vec<(Range, Vec<u32>)> {
        let numbers = [0, 1, 2, 3, 5, 8, 31, 32, 0xff, 0x7fff_ffff, 0x8000_0000, u32::MAX - 1, u32::MAX];
        let mut found = Vec::new();
        for low in numbers {
            for high in numbers.into_iter().filter(|&high| high >= low) {
                for may in [u32::MAX, 0x8000_00f1] {
                    let inside: Vec<u32> = numbers
                        .into_iter()
                        .filter(|number| (low..=high).contains(number) && number & !may == 0)
                        .collect();
                    if !inside.is_empty() {
                        found.push((Range::ANY.within(low, high, may), inside));
                    }
                }
            }
        }
        found
    }

    fn holds(range: Range, number: u32) -> bool {
        (range.low..=range.high).contains(&number) && number & !range.may == 0
    }

    #[test]
    fn results_lie_where_they_are_said_to() {
        let ranges = ranges();
        for (a, in_a) in &ranges {
            assert!(in_a.iter().all(|&number| holds(*a, number)), "{a:x?}");
            for (b, in_b) in &ranges {
                assert!(in_a.iter().chain(in_b).all(|&number| holds(a.or(*b), number)));
                for &op in AluOp::ALL {
                    let range = Range::alu(op, *a, *b);
                    for (&x, &y) in in_a.iter().flat_map(|x| in_b.iter().map(move |y| (x, y))) {
                        let result = eval::alu(Width::W32, op, x.into(), y.into()) as u32;
                        assert!(
                            holds(range, result),
                            "{x:#x} {op:?} {y:#x} = {result:#x}, not in {range:x?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn known_operands_give_known_results() {
        let result = |op, a, b| Range::alu(op, Range::exactly(a), Range::exactly(b)).number();
        assert_eq!(result(AluOp::Add, 3, 4), Some(7));
        assert_eq!(result(AluOp::Rsh, 0xf0, 4), Some(15));
        assert_eq!(Range::alu(AluOp::And, Range::ANY, Range::exactly(0xf0)).high, 0xf0);
        assert_eq!(Range::up_to(60).may, 63);
    }
}
