//! A scalar as Linux's verifier prints it: `print_reg_state` and `print_scalar_ranges` of `kernel/bpf/log.c`.

use super::interval::Int;
use super::scalar::Scalar;
use super::tnum::Tnum;
use std::fmt;

/// A signed number: decimal if it fits 16 bits, otherwise the hexadecimal of all its 64.
pub(super) struct Signed(pub(super) i64);

impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match i16::try_from(self.0) {
            Ok(number) => number.fmt(f),
            Err(_) => write!(f, "{:#x}", self.0),
        }
    }
}

/// One bound: its name, the number, whether it tells nothing, and whether it is read with a sign.
struct Bound {
    name: &'static str,
    number: u64,
    silent: bool,
    signed: bool,
}

fn signed<T: Int + Into<i64>>(name: &'static str, bound: T, limit: T, hexadecimal: u64) -> Bound {
    let wide: i64 = bound.into();
    // In hexadecimal, 32 bits are 32 bits: extending their sign would mislead.
    let number = if i16::try_from(wide).is_ok() { wide as u64 } else { hexadecimal };
    Bound { name, number, silent: bound == limit, signed: true }
}

fn unsigned<T: Int + Into<u64>>(name: &'static str, bound: T, limit: T) -> Bound {
    Bound { name, number: bound.into(), silent: bound == limit, signed: false }
}

/// What is known of a scalar that is no constant, as a list: `smin=0,smax=umax=255,var_off=(0x0; 0xff)`. Bounds that
/// tell nothing are left out, and those that are the same number are told together.
pub struct Ranges<'a>(pub &'a Scalar);

impl fmt::Display for Ranges<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scalar { bits, wide, low } = self.0;
        let bounds = [
            signed("smin", wide.signed.min, i64::MIN, wide.signed.min as u64),
            signed("smax", wide.signed.max, i64::MAX, wide.signed.max as u64),
            unsigned("umin", wide.unsigned.min, 0),
            unsigned("umax", wide.unsigned.max, u64::MAX),
            signed("smin32", low.signed.min, i32::MIN, (low.signed.min as u32).into()),
            signed("smax32", low.signed.max, i32::MAX, (low.signed.max as u32).into()),
            unsigned("umin32", low.unsigned.min, 0),
            unsigned("umax32", low.unsigned.max, u32::MAX),
        ];
        let negative = |bound: &Bound| bound.signed && (bound.number as i64) < 0;
        let same = |a: &Bound, b: &Bound| a.number == b.number && negative(a) == negative(b);
        let mut separator = "";
        for (at, bound) in bounds.iter().enumerate() {
            // Minima stand at even places, maxima at odd ones.
            let alike =
                |other: &usize| other % 2 == at % 2 && !bounds[*other].silent && same(&bounds[*other], bound);
            if bound.silent || (0..at).any(|earlier| alike(&earlier)) {
                continue;
            }
            write!(f, "{separator}{}=", bound.name)?;
            separator = ",";
            for later in (at + 1..bounds.len()).filter(alike) {
                write!(f, "{}=", bounds[later].name)?;
            }
            match bound.signed {
                true => Signed(bound.number as i64).fmt(f)?,
                false if bound.number <= u16::MAX.into() => bound.number.fmt(f)?,
                false => write!(f, "{:#x}", bound.number)?,
            }
        }
        if *bits != Tnum::UNKNOWN {
            write!(f, "{separator}var_off={bits}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Scalar {
    /// A constant as a number, otherwise `scalar(…)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_constant() {
            Some(number) => Signed(number as i64).fmt(f),
            None => write!(f, "scalar({})", Ranges(self)),
        }
    }
}
