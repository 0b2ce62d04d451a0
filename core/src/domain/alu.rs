//! What arithmetic makes of what is known. Source: `adjust_scalar_min_max_vals` of Linux 6.18 and what it calls.
//!
//! A 32-bit operation is computed in both widths and then zero-extended from the low half, as Linux does: what the
//! 64-bit half of the work finds out about the bits is kept.

use super::bounds::Bounds;
use super::interval::Interval;
use super::scalar::Scalar;
use crate::isa::{AluOp, Size, SwapKind, Width};

impl Scalar {
    /// `self op src`. [`AluOp::Mov`] gives the source.
    #[must_use]
    pub fn alu(self, width: Width, op: AluOp, src: Scalar) -> Self {
        let result = match op {
            AluOp::Add => Scalar {
                bits: self.bits.add(src.bits),
                wide: self.wide.plus(src.wide),
                low: self.low.plus(src.low),
            },
            AluOp::Sub => self.minus(src),
            AluOp::Mul => Scalar {
                bits: self.bits.mul(src.bits),
                wide: self.wide.times(src.wide),
                low: self.low.times(src.low),
            },
            AluOp::And | AluOp::Or | AluOp::Xor => self.bitwise(op, src),
            AluOp::Lsh | AluOp::Rsh | AluOp::Arsh => match src.shift_amount(width) {
                Some(by) => match width {
                    Width::W32 => self.shift32(op, by),
                    Width::W64 => self.shift64(op, by),
                },
                None => return Scalar::UNKNOWN,
            },
            AluOp::Mov => src,
            // Linux 6.18 does not follow divisions, and forgets even that a 32-bit result has no high half.
            AluOp::Div | AluOp::SDiv | AluOp::Mod | AluOp::SMod => return Scalar::UNKNOWN,
        };
        result.finished(width)
    }

    /// `-self`
    #[must_use]
    pub fn neg(self, width: Width) -> Self {
        Scalar::constant(0).minus(self).finished(width)
    }

    /// What a byte swap gives, on a machine whose numbers begin with the low byte.
    #[must_use]
    pub fn swap(self, kind: SwapKind, size: Size) -> Self {
        let swapped = match kind {
            SwapKind::ToLe => self,
            SwapKind::ToBe | SwapKind::Always => {
                Scalar { bits: self.bits.swap_bytes(size.bits_wide()), ..Scalar::UNKNOWN }
            }
        };
        match size {
            Size::DW => swapped.sync(),
            _ => swapped.truncate(size).sync(),
        }
    }

    /// The two numbers that it can be, if those are 0 and all ones in 64 bits, or in the low 32: what a sign bit
    /// shifted down gives. Linux follows each by itself when such a number meets a constant in `&` or `|`
    /// (`maybe_fork_scalars`); the first is 0.
    #[must_use]
    pub fn split_sign(self) -> Option<[Scalar; 2]> {
        let (wide, low) = (self.wide.signed, self.low.signed);
        if (wide.min, wide.max) == (-1, 0) {
            Some([Scalar::constant(0), Scalar::constant(u64::MAX)])
        } else if (low.min, low.max) == (-1, 0) {
            Some([self.with_low32(0), self.with_low32(u32::MAX)])
        } else {
            None
        }
    }

    fn finished(self, width: Width) -> Self {
        match width {
            Width::W32 => self.zero_extended().sync(),
            Width::W64 => self.sync(),
        }
    }

    fn minus(self, src: Scalar) -> Self {
        Scalar {
            bits: self.bits.sub(src.bits),
            wide: self.wide.minus(src.wide),
            low: self.low.minus(src.low),
        }
    }

    /// `&`, `|` and `^` (`scalar32_min_max_and`, `scalar_min_max_and`, and their like).
    fn bitwise(self, op: AluOp, src: Scalar) -> Self {
        let bits = match op {
            AluOp::And => self.bits.and(src.bits),
            AluOp::Or => self.bits.or(src.bits),
            _ => self.bits.xor(src.bits),
        };
        let low = match op {
            _ if bits.low32().is_constant() && src.bits.low32().is_constant() => {
                Bounds::constant(bits.value() as u32)
            }
            AluOp::And => self.low.and(src.low, bits.low32()),
            AluOp::Or => self.low.or(src.low, bits.low32()),
            _ => Bounds::of_bits(bits.low32()),
        };
        if let (Some(number), true) = (bits.as_constant(), src.bits.is_constant()) {
            return Scalar::constant(number);
        }
        let wide = match op {
            AluOp::And => self.wide.and(src.wide, bits),
            AluOp::Or => self.wide.or(src.wide, bits),
            _ => Bounds::of_bits(bits),
        };
        Scalar { bits, wide, low }.bounds_from_bits()
    }

    /// By how much it shifts, if that is known and below the width; otherwise Linux knows nothing of the result.
    fn shift_amount(self, width: Width) -> Option<u32> {
        let amount = self.as_constant_in(width)?;
        // The whole register is asked for being below the width, even where the low half decides.
        let bounded = self.wide.unsigned.max < width.size().bits_wide().into();
        bounded.then_some(amount as u32)
    }

    /// A shift of the low half.
    fn shift32(self, op: AluOp, by: u32) -> Self {
        let low = self.bits.low32();
        let Interval { min, max } = self.low.unsigned;
        let (bits, low) = match op {
            AluOp::Lsh => (low.shl(by).low32(), self.low.shifted_left(by)),
            AluOp::Rsh => (
                low.shr(by),
                Bounds { unsigned: Interval { min: min >> by, max: max >> by }, signed: Interval::FULL },
            ),
            _ => {
                let Interval { min, max } = self.low.signed;
                let signed = Interval { min: min >> by, max: max >> by };
                (low.sar32(by), Bounds { unsigned: Interval::FULL, signed })
            }
        };
        Scalar { bits, wide: Bounds::FULL, low }.low_bounds_from_bits()
    }

    /// A shift of all 64 bits.
    fn shift64(self, op: AluOp, by: u32) -> Self {
        let Interval { min, max } = self.wide.unsigned;
        let shifted = match op {
            AluOp::Lsh => {
                // Compilers sign-extend by shifting the low half up and down again: then its signed bounds are those
                // of the result.
                let Interval { min: low_min, max: low_max } = self.low.signed;
                let signed = match by {
                    32 => Interval { min: i64::from(low_min) << 32, max: i64::from(low_max) << 32 },
                    _ => Interval::FULL,
                };
                let unsigned = if max > 1 << (63 - by) {
                    Interval::FULL
                } else {
                    Interval { min: min << by, max: max << by }
                };
                let wide = Bounds { unsigned, signed };
                Scalar { bits: self.bits.shl(by), wide, low: self.low.shifted_left(by) }
            }
            AluOp::Rsh => Scalar {
                bits: self.bits.shr(by),
                wide: Bounds {
                    unsigned: Interval { min: min >> by, max: max >> by },
                    signed: Interval::FULL,
                },
                low: Bounds::FULL,
            },
            _ => {
                let Interval { min, max } = self.wide.signed;
                let signed = Interval { min: min >> by, max: max >> by };
                let wide = Bounds { unsigned: Interval::FULL, signed };
                Scalar { bits: self.bits.sar(by), wide, low: Bounds::FULL }
            }
        };
        shifted.bounds_from_bits()
    }
}

impl Bounds<u32> {
    /// `self << by`: unsigned bounds if no bit that may be set is shifted out.
    fn shifted_left(self, by: u32) -> Self {
        let Interval { min, max } = self.unsigned;
        let unsigned = if by > 31 || max > 1 << (31 - by) {
            Interval::FULL
        } else {
            Interval { min: min << by, max: max << by }
        };
        Bounds { unsigned, signed: Interval::FULL }
    }
}
