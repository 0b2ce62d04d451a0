//! Numbers of which some bits are known: the model is Linux's `kernel/bpf/tnum.c`.
//!
//! A [`Tnum`] stands for every number that agrees with it in the known bits. Each operation gives a tnum that holds
//! every result of its operands' members; which of them give the *smallest* such tnum is written at each, and counted
//! by a test over all tnums of a few bits.

use std::fmt;

/// A number whose bits are each 0, 1 or unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tnum {
    /// The known bits; 0 where the bit is unknown.
    value: u64,
    /// 1 where the bit is unknown.
    mask: u64,
}

impl Tnum {
    /// Nothing is known.
    pub const UNKNOWN: Tnum = Tnum { value: 0, mask: u64::MAX };

    /// This number and no other.
    #[must_use]
    pub const fn constant(value: u64) -> Self {
        Tnum { value, mask: 0 }
    }

    /// The bits of `value` where `mask` is 0; where it is 1, they are unknown.
    #[must_use]
    pub const fn new(value: u64, mask: u64) -> Self {
        Tnum { value: value & !mask, mask }
    }

    /// The smallest tnum that holds all numbers from `min` to `max`: the bits above the highest one in which the two
    /// differ are known.
    #[must_use]
    pub const fn range(min: u64, max: u64) -> Self {
        Tnum::new(min, filled(min ^ max))
    }

    /// The known bits, with 0 for the others; so also the smallest member, unsigned.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.value
    }

    /// The unknown bits.
    #[must_use]
    pub const fn mask(self) -> u64 {
        self.mask
    }

    /// The smallest member, unsigned.
    #[must_use]
    pub const fn min(self) -> u64 {
        self.value
    }

    /// The greatest member, unsigned.
    #[must_use]
    pub const fn max(self) -> u64 {
        self.value | self.mask
    }

    /// Whether every bit is known.
    #[must_use]
    pub const fn is_constant(self) -> bool {
        self.mask == 0
    }

    /// The only member, if there is only one.
    #[must_use]
    pub const fn as_constant(self) -> Option<u64> {
        if self.is_constant() { Some(self.value) } else { None }
    }

    /// Whether the number is a member.
    #[must_use]
    pub const fn contains(self, number: u64) -> bool {
        number & !self.mask == self.value
    }

    /// Whether every member of `other` is one of this (`tnum_in`).
    #[must_use]
    pub const fn includes(self, other: Tnum) -> bool {
        other.mask & !self.mask == 0 && self.contains(other.value)
    }

    /// Whether they have a member in common (`tnum_overlap`).
    #[must_use]
    pub const fn overlaps(self, other: Tnum) -> bool {
        (self.value ^ other.value) & !self.mask & !other.mask == 0
    }

    /// Whether every member is a multiple of `size`, which is a power of two; of 0, everything is.
    #[must_use]
    pub const fn is_aligned(self, size: u64) -> bool {
        size == 0 || self.max() & (size - 1) == 0
    }

    /// The smallest member above `number`; the greatest member if there is none above (`tnum_step`).
    #[must_use]
    pub const fn above(self, number: u64) -> u64 {
        if number >= self.max() {
            return self.max();
        }
        if number < self.value {
            return self.value;
        }
        // The member that follows `number` in its unknown bits: it may be below `number`, at it, or above it.
        let near = self.value | number & self.mask;
        if near > number {
            // Highest difference: a known 1 where `number` has 0. From there down, the smallest is above already.
            let low = filled(near & !number);
            near & !low | self.value & low
        } else {
            // Highest difference: a known 0 where `number` has 1, if any. Counting on in the unknown bits above it is
            // adding 1 with the known bits set, so that they hand on the carry.
            let low = filled(number & !near);
            let counted = (near & self.mask | !self.mask | low).wrapping_add(1);
            counted & self.mask | self.value
        }
    }

    /// The members of both. If there are none, a bit that they disagree about is 1, which is what Linux gives; ask
    /// [`overlaps`](Tnum::overlaps) first where it matters.
    #[must_use]
    pub const fn intersect(self, other: Tnum) -> Self {
        Tnum::new(self.value | other.value, self.mask & other.mask)
    }

    /// The smallest tnum that holds the members of both.
    #[must_use]
    pub const fn union(self, other: Tnum) -> Self {
        Tnum::new(self.value, self.mask | other.mask | (self.value ^ other.value))
    }

    /// `a + b`: the smallest.
    #[must_use]
    pub const fn add(self, other: Tnum) -> Self {
        let least = self.value.wrapping_add(other.value);
        let most = least.wrapping_add(self.mask.wrapping_add(other.mask));
        // A bit is unknown if it is so in an operand, or if a carry into it happens only with the greatest members.
        Tnum::new(least, (least ^ most) | self.mask | other.mask)
    }

    /// `a - b`: the smallest.
    #[must_use]
    pub const fn sub(self, other: Tnum) -> Self {
        let difference = self.value.wrapping_sub(other.value);
        let most = difference.wrapping_add(self.mask);
        let least = difference.wrapping_sub(other.mask);
        Tnum::new(difference, (least ^ most) | self.mask | other.mask)
    }

    /// `-a`: the smallest.
    #[must_use]
    pub const fn neg(self) -> Self {
        Tnum::constant(0).sub(self)
    }

    /// `a & b`: the smallest.
    #[must_use]
    pub const fn and(self, other: Tnum) -> Self {
        let ones = self.value & other.value;
        Tnum { value: ones, mask: self.max() & other.max() & !ones }
    }

    /// `a | b`: the smallest.
    #[must_use]
    pub const fn or(self, other: Tnum) -> Self {
        let ones = self.value | other.value;
        Tnum { value: ones, mask: (self.mask | other.mask) & !ones }
    }

    /// `a ^ b`: the smallest.
    #[must_use]
    pub const fn xor(self, other: Tnum) -> Self {
        Tnum::new(self.value ^ other.value, self.mask | other.mask)
    }

    /// `a * b`: as Linux has it since 6.18, by long multiplication over the bits of `a`: a bit that is 1 adds `b` at
    /// its place, an unknown one gives the union of adding it and not. Not always the smallest, and not commutative.
    #[must_use]
    pub const fn mul(self, other: Tnum) -> Self {
        let (mut factor, mut shifted, mut sum) = (self, other, Tnum::constant(0));
        while factor.max() != 0 {
            if factor.value & 1 == 1 {
                sum = sum.add(shifted);
            } else if factor.mask & 1 == 1 {
                sum = sum.union(sum.add(shifted));
            }
            factor = factor.shr(1);
            shifted = shifted.shl(1);
        }
        sum
    }

    /// `a << by`, `by` below 64: the smallest.
    #[must_use]
    pub const fn shl(self, by: u32) -> Self {
        Tnum { value: self.value << by, mask: self.mask << by }
    }

    /// `a >> by`, `by` below 64: the smallest.
    #[must_use]
    pub const fn shr(self, by: u32) -> Self {
        Tnum { value: self.value >> by, mask: self.mask >> by }
    }

    /// `a >> by` with the sign bit coming in, `by` below 64: the smallest.
    #[must_use]
    pub const fn sar(self, by: u32) -> Self {
        Tnum { value: ((self.value as i64) >> by) as u64, mask: ((self.mask as i64) >> by) as u64 }
    }

    /// The same of the low 32 bits, zero-extended; `by` below 32.
    #[must_use]
    pub const fn sar32(self, by: u32) -> Self {
        Tnum { value: (self.value as i32 >> by) as u32 as u64, mask: (self.mask as i32 >> by) as u32 as u64 }
    }

    /// The low `bits` bits, 1 to 64, zero-extended (`tnum_cast`).
    #[must_use]
    pub const fn low(self, bits: u32) -> Self {
        let kept = u64::MAX >> (64 - bits);
        Tnum { value: self.value & kept, mask: self.mask & kept }
    }

    /// The low half, zero-extended (`tnum_subreg`).
    #[must_use]
    pub const fn low32(self) -> Self {
        self.low(32)
    }

    /// The high half of this with the low half of `low` (`tnum_with_subreg`).
    #[must_use]
    pub const fn with_low32(self, low: Tnum) -> Self {
        self.shr(32).shl(32).or(low.low32())
    }

    /// The low `bits` bits in the reverse order of bytes, zero-extended; `bits` is 16, 32 or 64.
    #[must_use]
    pub const fn swap_bytes(self, bits: u32) -> Self {
        Tnum { value: self.value.swap_bytes() >> (64 - bits), mask: self.mask.swap_bytes() >> (64 - bits) }
    }
}

/// The highest bit that is set, and all below it.
const fn filled(bits: u64) -> u64 {
    if bits == 0 { 0 } else { u64::MAX >> bits.leading_zeros() }
}

impl fmt::Display for Tnum {
    /// As Linux's verifier prints it: a constant as a number, otherwise `(value; mask)` (`tnum_strn`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_constant() {
            Some(number) if number > u16::MAX.into() => super::text::Signed(number as i64).fmt(f),
            Some(number) => number.fmt(f),
            None => write!(f, "({:#x}; {:#x})", self.value, self.mask),
        }
    }
}
