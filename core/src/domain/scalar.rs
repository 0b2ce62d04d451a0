//! All that is known of the number in a register: its bits, and its bounds in 64 and in 32 bits.
//!
//! Each of the three is sound by itself; [`Scalar::sync`] improves each by the others. How far it goes is how far
//! Linux goes, neither less nor more, since what is known decides which programs are accepted and what the log says.
//! Source: `kernel/bpf/verifier.c` of Linux 6.18 (with the fixes of 6.18.44), from `__update_reg_bounds` to
//! `coerce_subreg_to_size_sx`.

use super::bounds::Bounds;
use super::interval::Interval;
use super::tnum::Tnum;
use crate::isa::{Size, Width};

/// How often bounds are improved by each other in [`Scalar::sync`]: what one round finds may help the next.
const ROUNDS: usize = 3;

/// A number of which something is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scalar {
    /// Which of its bits are known.
    pub bits: Tnum,
    /// Between what it lies.
    pub wide: Bounds<u64>,
    /// Between what its low half lies.
    pub low: Bounds<u32>,
}

impl Scalar {
    /// Any number.
    pub const UNKNOWN: Scalar = Scalar { bits: Tnum::UNKNOWN, wide: Bounds::FULL, low: Bounds::FULL };

    /// This number and no other.
    #[must_use]
    pub fn constant(number: u64) -> Self {
        Scalar {
            bits: Tnum::constant(number),
            wide: Bounds::constant(number),
            low: Bounds::constant(number as u32),
        }
    }

    /// What a load of `size` bytes gives of which nothing is known, zero- or sign-extended.
    #[must_use]
    pub fn loaded(size: Size, signed: bool) -> Self {
        match (size, signed) {
            (Size::DW, _) => Scalar::UNKNOWN,
            (_, true) => Scalar::UNKNOWN.sign_extend(size),
            (_, false) => Scalar::UNKNOWN.truncate(size),
        }
    }

    /// The only number it can be, if there is only one.
    #[must_use]
    pub fn as_constant(self) -> Option<u64> {
        self.bits.as_constant()
    }

    /// The only number that the half or the whole of it can be, read without a sign.
    #[must_use]
    pub fn as_constant_in(self, width: Width) -> Option<u64> {
        match width {
            Width::W32 => self.bits.low32().as_constant(),
            Width::W64 => self.bits.as_constant(),
        }
    }

    /// Whether the number is possible.
    #[must_use]
    pub fn contains(self, number: u64) -> bool {
        self.bits.contains(number) && self.wide.contains(number) && self.low.contains(number as u32)
    }

    /// Whether everything that is known of this is known of `other`, too: then each number that `other` can be is one
    /// that this can be.
    #[must_use]
    pub fn includes(self, other: Scalar) -> bool {
        self.wide.includes(other.wide) && self.low.includes(other.low) && self.bits.includes(other.bits)
    }

    /// What is known of a number that is one of these or one of those.
    #[must_use]
    pub fn union(self, other: Scalar) -> Self {
        Scalar {
            bits: self.bits.union(other.bits),
            wide: self.wide.union(other.wide),
            low: self.low.union(other.low),
        }
    }

    /// What is known of it in 32 bits is that of a constant, the high half being left as it is.
    #[must_use]
    pub fn with_low32(self, number: u32) -> Self {
        Scalar {
            bits: self.bits.with_low32(Tnum::constant(number.into())),
            wide: self.wide,
            low: Bounds::constant(number),
        }
    }

    /// Bits and bounds improved by each other (`reg_bounds_sync`).
    #[must_use]
    pub fn sync(self) -> Self {
        let mut known = self.bounds_from_bits();
        for _ in 0..ROUNDS {
            known = known.bounds_from_bounds();
        }
        // The new bits may know the bounds better still: of at most 0x7fff_ffff and a multiple of 4 follows at most
        // 0x7fff_fffc.
        known.bits_from_bounds().bounds_from_bits()
    }

    /// `__update_reg_bounds`.
    #[must_use]
    pub(super) fn bounds_from_bits(self) -> Self {
        let known = self.low_bounds_from_bits();
        let known = Scalar { wide: known.wide.within(known.bits), ..known };
        known.only_common().map_or(known, Scalar::constant)
    }

    /// `__update_reg32_bounds`.
    #[must_use]
    pub(super) fn low_bounds_from_bits(self) -> Self {
        Scalar { low: self.low.within(self.bits), ..self }
    }

    /// The number that bits and unsigned bounds have in common, if it is the only one.
    fn only_common(self) -> Option<u64> {
        let Interval { min, max } = self.wide.unsigned;
        let next = self.bits.above(min);
        if self.bits.contains(min) {
            (next > max).then_some(min)
        } else if next == self.bits.max() || next <= max && self.bits.above(next) > max {
            Some(next)
        } else {
            None
        }
    }

    /// One round of `__reg_deduce_bounds`.
    fn bounds_from_bounds(mut self) -> Self {
        self.low = self.low_from_wide().deduced();
        self.wide = self.wide.deduced();
        self.wide_from_low()
    }

    /// The low half's bounds, improved by those of the whole (first half of `__reg32_deduce_bounds`).
    fn low_from_wide(self) -> Bounds<u32> {
        let (Interval { min: umin, max: umax }, Interval { min: smin, max: smax }) =
            (self.wide.unsigned, self.wide.signed);
        let mut low = self.low;
        // Of all numbers with the same high half, the low halves lie between those of the ends.
        if umin >> 32 == umax >> 32 {
            low.unsigned = low.unsigned.intersect(Interval { min: umin as u32, max: umax as u32 });
            low = low.signed_at_most(umin, umax);
        }
        if smin >> 32 == smax >> 32 {
            let part = Interval { min: smin as u32, max: smax as u32 };
            if !part.is_empty() {
                low.unsigned = low.unsigned.intersect(part);
            }
            low = low.signed_at_most(smin as u64, smax as u64);
        }
        // Where the high half counts on by one, low halves that go from negative to not negative are in order.
        for (min, max) in [(umin, umax), (smin as u64, smax as u64)] {
            let follows = ((min >> 32) as u32).wrapping_add(1) == (max >> 32) as u32;
            if follows && (min as i32) < 0 && max as i32 >= 0 {
                low = low.signed_at_most(min, max);
            }
        }
        low
    }

    /// The whole's bounds, improved by those of the low half (`__reg_deduce_mixed_bounds`).
    fn wide_from_low(mut self) -> Self {
        const HIGH: u64 = !(u32::MAX as u64);
        let Interval { min, max } = self.low.unsigned;
        // The end of a range, with another low half, is still outside or at the end.
        let put = |end: u64, low: u32| end & HIGH | u64::from(low);
        let unsigned = self.wide.unsigned;
        self.wide.unsigned =
            unsigned.intersect(Interval { min: put(unsigned.min, min), max: put(unsigned.max, max) });
        let signed = self.wide.signed;
        self.wide.signed = signed.intersect(Interval {
            min: put(signed.min as u64, min) as i64,
            max: put(signed.max as u64, max) as i64,
        });
        // A sign-extended number whose low half is not negative has nothing above it.
        let low = self.low.signed;
        let extended = Interval { min: i32::MIN.into(), max: i32::MAX.into() };
        if low.min >= 0 && extended.includes(self.wide.signed) {
            self.wide.unsigned = Interval { min: i64::from(low.min) as u64, max: i64::from(low.max) as u64 };
            self.wide.signed = Interval { min: low.min.into(), max: low.max.into() };
            self.bits = self.bits.intersect(Tnum::range(low.min as u64, i64::from(low.max) as u64));
        }
        self
    }

    /// `__reg_bound_offset`.
    fn bits_from_bounds(self) -> Self {
        let range = |min, max| Tnum::range(min, max);
        let Interval { min, max } = self.wide.unsigned;
        let bits = self.bits.intersect(range(min, max));
        let Interval { min, max } = self.low.unsigned;
        let low = bits.low32().intersect(range(min.into(), max.into()));
        Scalar { bits: bits.shr(32).shl(32).or(low), ..self }
    }

    /// Where bits or bounds contradict each other, the bounds are forgotten (`reg_bounds_sanity_check`): the branch
    /// cannot be taken, which Linux found out too late, and goes on with what cannot be wrong.
    ///
    /// # Errors
    /// Then; what is known afterwards.
    pub fn sane(self) -> Result<Self, Contradiction> {
        let contradiction = if self.wide.is_empty() || self.low.is_empty() {
            "range bounds violation"
        } else if self.bits.as_constant().is_some_and(|number| !self.wide.is(number)) {
            "const tnum out of sync with range bounds"
        } else if self.bits.low32().as_constant().is_some_and(|number| !self.low.is(number as u32)) {
            "const subreg tnum out of sync with range bounds"
        } else {
            return Ok(self);
        };
        Err(Contradiction { before: self, contradiction })
    }

    /// Nothing is known of its bounds.
    #[must_use]
    pub fn unbounded(self) -> Self {
        Scalar { wide: Bounds::FULL, low: Bounds::FULL, ..self }
    }

    /// The low half, zero-extended, before it is synced (`zext_32_to_64`).
    #[must_use]
    pub(super) fn zero_extended(self) -> Self {
        let Interval { min, max } = self.low.unsigned;
        let unsigned = Interval { min: min.into(), max: max.into() };
        let low = self.low.signed;
        let signed = if low.min >= 0 && low.max >= 0 {
            Interval { min: low.min.into(), max: low.max.into() }
        } else {
            Interval { min: 0, max: u32::MAX.into() }
        };
        Scalar { bits: self.bits.low32(), wide: Bounds { unsigned, signed }, low: self.low }
    }

    /// The low half, zero-extended: what `w1 = w2` gives.
    #[must_use]
    pub fn zero_extend(self) -> Self {
        self.zero_extended().sync()
    }

    /// The low `size` bytes, at most 4, zero-extended (`coerce_reg_to_size`).
    #[must_use]
    pub fn truncate(self, size: Size) -> Self {
        let kept = u64::MAX >> (64 - size.bits_wide());
        let Interval { min, max } = self.wide.unsigned;
        let unsigned = if min & !kept == max & !kept {
            Interval { min: min & kept, max: max & kept }
        } else {
            Interval { min: 0, max: kept }
        };
        let signed = Interval { min: unsigned.min as i64, max: unsigned.max as i64 };
        let low = if matches!(size, Size::W) { self.low } else { Bounds::FULL };
        Scalar { bits: self.bits.low(size.bits_wide()), wide: Bounds { unsigned, signed }, low }.sync()
    }

    /// The low `from` bytes, at most 4, sign-extended to 64 bits (`coerce_reg_to_size_sx`). It is not synced: Linux
    /// does that only when something else happens to the number.
    #[must_use]
    pub fn sign_extend(self, from: Size) -> Self {
        let extend = |number: u64| crate::isa::eval::sign_extend(from, number) as i64;
        if let Some(number) = self.as_constant() {
            return Scalar::constant(extend(number) as u64);
        }
        let Interval { min, max } = self.wide.signed;
        let range = (min >> from.bits_wide() == max >> from.bits_wide())
            .then(|| between(extend(min as u64), extend(max as u64)))
            .filter(|range| (range.min >= 0) == (range.max >= 0));
        let Some(signed) = range else {
            let signed = Interval {
                min: extend(1 << (from.bits_wide() - 1)),
                max: i64::MAX >> (64 - from.bits_wide()),
            };
            let low = Interval { min: signed.min as i32, max: signed.max as i32 };
            return Scalar {
                bits: Tnum::UNKNOWN,
                wide: Bounds { unsigned: Interval::FULL, signed },
                low: Bounds { unsigned: Interval::FULL, signed: low },
            };
        };
        let unsigned = Interval { min: signed.min as u64, max: signed.max as u64 };
        Scalar {
            bits: Tnum::range(unsigned.min, unsigned.max),
            wide: Bounds { unsigned, signed },
            low: Bounds {
                unsigned: Interval { min: signed.min as u32, max: signed.max as u32 },
                signed: Interval { min: signed.min as i32, max: signed.max as i32 },
            },
        }
    }

    /// The low `from` bytes, at most 2, sign-extended to 32 bits and zero-extended from there: what `w1 = (s8)w2`
    /// gives (`coerce_subreg_to_size_sx`).
    #[must_use]
    pub fn sign_extend32(self, from: Size) -> Self {
        let extend = |number: i32| crate::isa::eval::sign_extend(from, number as u64) as i32;
        let (bits, low) = if let Some(number) = self.as_constant() {
            let number = extend(number as i32);
            (Tnum::constant(i64::from(number) as u64), Bounds::constant(number as u32))
        } else {
            let Interval { min, max } = self.low.signed;
            let range = (min >> from.bits_wide() == max >> from.bits_wide())
                .then(|| between(extend(min), extend(max)))
                .filter(|range| (range.min >= 0) == (range.max >= 0));
            match range {
                Some(signed) => {
                    let unsigned = Interval { min: signed.min as u32, max: signed.max as u32 };
                    (Tnum::range(signed.min as u64, signed.max as u64), Bounds { unsigned, signed })
                }
                None => {
                    let most = i32::MAX >> (32 - from.bits_wide());
                    let signed = Interval { min: -most - 1, max: most };
                    (Tnum::UNKNOWN, Bounds { unsigned: Interval::FULL, signed })
                }
            }
        };
        Scalar { bits: bits.low32(), low, ..self }.zero_extend()
    }
}

/// Two numbers in their order.
fn between<T: super::interval::Int>(a: T, b: T) -> Interval<T> {
    Interval { min: a.min(b), max: a.max(b) }
}

impl Bounds<u32> {
    /// Improved by the low halves of two numbers, if they are in order as signed numbers.
    fn signed_at_most(mut self, min: u64, max: u64) -> Self {
        let part = Interval { min: min as i32, max: max as i32 };
        if !part.is_empty() {
            self.signed = self.signed.intersect(part);
        }
        self
    }
}

/// Bits and bounds that no number fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contradiction {
    /// What was known.
    pub before: Scalar,
    /// Linux's words for the kind of contradiction.
    pub contradiction: &'static str,
}
