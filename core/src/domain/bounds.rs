//! What is known of a number of one width by its bounds: as an unsigned and as a signed number, each improving the
//! other. The rules are the same for 64 and for 32 bits, so they are written once.
//!
//! Source: `kernel/bpf/verifier.c` of Linux 6.18, from `__update_reg32_bounds` to `__reg64_deduce_bounds`, and the
//! functions named `scalar_min_max_…` and `scalar32_min_max_…`.

use super::interval::{Int, Interval};
use super::tnum::Tnum;
use crate::isa::CmpOp;

/// `u64` or `u32`: the unsigned numbers of a width, and how they are read with a sign.
pub trait Word: Int {
    /// The signed numbers of the width.
    type Signed: Int;

    /// Bits of the width.
    const BITS: u32;

    /// The same bits with a sign.
    fn signed(self) -> Self::Signed;
    /// The same bits without a sign.
    fn unsigned(signed: Self::Signed) -> Self;
    /// The low bits of a number.
    fn low_of(number: u64) -> Self;
    /// Zero-extended.
    fn wide(self) -> u64;
}

macro_rules! word {
    ($unsigned:ident $signed:ident) => {
        impl Word for $unsigned {
            type Signed = $signed;
            const BITS: u32 = $unsigned::BITS;

            fn signed(self) -> $signed {
                self as $signed
            }

            fn unsigned(signed: $signed) -> Self {
                signed as $unsigned
            }

            fn low_of(number: u64) -> Self {
                number as $unsigned
            }

            fn wide(self) -> u64 {
                self.into()
            }
        }
    };
}

word!(u64 i64);
word!(u32 i32);

/// Bounds of a number of the width of `U`, without and with sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bounds<U: Word> {
    /// Read without a sign.
    pub unsigned: Interval<U>,
    /// Read with a sign.
    pub signed: Interval<U::Signed>,
}

impl<U: Word> Bounds<U> {
    /// Nothing is known.
    pub const FULL: Self = Bounds { unsigned: Interval::FULL, signed: Interval::FULL };

    /// This number and no other.
    #[must_use]
    pub fn constant(number: U) -> Self {
        Bounds { unsigned: Interval::constant(number), signed: Interval::constant(number.signed()) }
    }

    /// From `min` to `max` without a sign; with a sign, the same if none of them is negative or all are.
    #[must_use]
    pub fn unsigned(min: U, max: U) -> Self {
        let unsigned = Interval { min, max };
        let signed = Interval { min: min.signed(), max: max.signed() };
        Bounds { unsigned, signed: if signed.is_empty() { Interval::FULL } else { signed } }
    }

    /// Whether the number is inside all bounds.
    #[must_use]
    pub fn contains(self, number: U) -> bool {
        self.unsigned.contains(number) && self.signed.contains(number.signed())
    }

    /// Whether the bounds contradict themselves.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.unsigned.is_empty() || self.signed.is_empty()
    }

    /// Whether it is exactly this number.
    #[must_use]
    pub fn is(self, number: U) -> bool {
        self == Self::constant(number)
    }

    /// The numbers of both.
    #[must_use]
    pub fn intersect(self, other: Self) -> Self {
        Bounds {
            unsigned: self.unsigned.intersect(other.unsigned),
            signed: self.signed.intersect(other.signed),
        }
    }

    /// The numbers of either, and those between them.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Bounds { unsigned: self.unsigned.union(other.unsigned), signed: self.signed.union(other.signed) }
    }

    /// Whether all of these bounds are at least as wide as the other ones.
    #[must_use]
    pub fn includes(self, other: Self) -> bool {
        self.unsigned.includes(other.unsigned) && self.signed.includes(other.signed)
    }

    /// Improved by the bits that are known (`__update_reg32_bounds`, first half of `__update_reg64_bounds`).
    #[must_use]
    pub fn within(self, bits: Tnum) -> Self {
        let bits = bits.low(U::BITS);
        let sign = 1 << (U::BITS - 1);
        // Least with the sign bit if it may be set, and nothing else that may be; greatest the other way round.
        let least = bits.value() | bits.mask() & sign;
        let most = bits.value() | bits.mask() & (sign - 1);
        self.intersect(Bounds {
            unsigned: Interval { min: U::low_of(bits.min()), max: U::low_of(bits.max()) },
            signed: Interval { min: U::low_of(least).signed(), max: U::low_of(most).signed() },
        })
    }

    /// Each kind of bounds improved by the other (second half of `__reg32_deduce_bounds`, `__reg64_deduce_bounds`).
    #[must_use]
    pub fn deduced(mut self) -> Self {
        // An unsigned range on one side of the sign bit is a signed range.
        let Interval { min, max } = self.unsigned;
        if min.signed() <= max.signed() {
            self.signed = self.signed.intersect(Interval { min: min.signed(), max: max.signed() });
        }
        let low = U::unsigned(self.signed.min);
        let high = U::unsigned(self.signed.max);
        if low <= high {
            // And the other way round.
            self.unsigned = self.unsigned.intersect(Interval { min: low, max: high });
        } else if self.unsigned.max < low {
            // The signed range has a part at either end of the unsigned one, and only that of the numbers that are
            // not negative is met.
            self.signed.min = self.unsigned.min.signed();
            self.unsigned.max = self.unsigned.max.min(high);
        } else if high < self.unsigned.min {
            // Or only that of the negative ones.
            self.signed.max = self.unsigned.max.signed();
            self.unsigned.min = self.unsigned.min.max(low);
        }
        self
    }

    /// `a + b`
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Bounds {
            unsigned: self.unsigned.plus(other.unsigned, true),
            signed: self.signed.plus(other.signed, false),
        }
    }

    /// `a - b`
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Bounds {
            unsigned: self.unsigned.minus(other.unsigned, true),
            signed: self.signed.minus(other.signed, false),
        }
    }

    /// `a * b`
    #[must_use]
    pub fn times(self, other: Self) -> Self {
        Bounds { unsigned: self.unsigned.times(other.unsigned), signed: self.signed.times(other.signed) }
    }

    /// `a & b`, `bits` being the known bits of the result: no more than either operand.
    #[must_use]
    pub fn and(self, other: Self, bits: Tnum) -> Self {
        Self::unsigned(U::low_of(bits.min()), self.unsigned.max.min(other.unsigned.max))
    }

    /// `a | b`, `bits` being the known bits of the result: no less than either operand.
    #[must_use]
    pub fn or(self, other: Self, bits: Tnum) -> Self {
        Self::unsigned(self.unsigned.min.max(other.unsigned.min), U::low_of(bits.max()))
    }

    /// What the known bits alone tell, as the result of `a ^ b`.
    #[must_use]
    pub fn of_bits(bits: Tnum) -> Self {
        Self::unsigned(U::low_of(bits.min()), U::low_of(bits.max()))
    }

    /// Whether `dst op src` holds for all members of these and `src`, for none, or for some (`None`), as far as
    /// bounds tell (`is_scalar_branch_taken`; `Set` is a matter of bits).
    #[must_use]
    pub fn decides(self, op: CmpOp, src: Self) -> Option<bool> {
        /// `a < b`, for all or for none.
        fn less<T: Int>(a: Interval<T>, b: Interval<T>) -> Option<bool> {
            if a.max < b.min {
                Some(true)
            } else if a.min >= b.max {
                Some(false)
            } else {
                None
            }
        }
        match op {
            CmpOp::Eq | CmpOp::Ne => {
                let apart = !self.unsigned.overlaps(src.unsigned) || !self.signed.overlaps(src.signed);
                apart.then_some(op == CmpOp::Ne)
            }
            CmpOp::Set => None,
            CmpOp::Lt => less(self.unsigned, src.unsigned),
            CmpOp::Gt => less(src.unsigned, self.unsigned),
            CmpOp::Ge => less(self.unsigned, src.unsigned).map(|less| !less),
            CmpOp::Le => less(src.unsigned, self.unsigned).map(|less| !less),
            CmpOp::SLt => less(self.signed, src.signed),
            CmpOp::SGt => less(src.signed, self.signed),
            CmpOp::SGe => less(self.signed, src.signed).map(|less| !less),
            CmpOp::SLe => less(src.signed, self.signed).map(|less| !less),
        }
    }
}

/// What `a <= b` tells of both, or `a < b` if `strictly` (`regs_refine_cond_op`).
pub(super) fn refine_order<T: Int>(a: &mut Interval<T>, b: &mut Interval<T>, strictly: bool) {
    let step = |number: T, by: fn(T, T) -> (T, bool)| if strictly { by(number, T::ONE).0 } else { number };
    let (least, most) = (step(a.min, T::adding), step(b.max, T::subtracting));
    a.max = a.max.min(most);
    b.min = b.min.max(least);
}
