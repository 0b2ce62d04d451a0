//! What a comparison tells: whether a branch is taken at all, and what is known on either side of it.
//!
//! Source: `is_scalar_branch_taken`, `regs_refine_cond_op`, `reg_set_min_max` of Linux 6.18.

use super::bounds::{Bounds, Word, refine_order};
use super::scalar::Scalar;
use super::tnum::Tnum;
use crate::isa::{CmpOp, Width};

/// A condition that holds on one side of a branch: the comparison, or that none of the bits is set in both, for which
/// BPF has no comparison.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    Holds(CmpOp),
    NoBitInCommon,
}

impl Scalar {
    /// Whether `self op src` holds for all numbers they can be, for none, or for some (`None`).
    #[must_use]
    pub fn decides(self, width: Width, op: CmpOp, src: Scalar) -> Option<bool> {
        let (a, b) = match width {
            Width::W32 => (self.bits.low32(), src.bits.low32()),
            Width::W64 => (self.bits, src.bits),
        };
        match op {
            CmpOp::Eq | CmpOp::Ne => {
                if let (Some(a), Some(b)) = (a.as_constant(), b.as_constant()) {
                    return Some((a == b) == (op == CmpOp::Eq));
                }
                if !a.overlaps(b) {
                    return Some(op == CmpOp::Ne);
                }
            }
            CmpOp::Set => {
                let (other, bits) = if b.is_constant() { (a, b) } else { (b, a) };
                let bits = bits.as_constant()?;
                return match (other.value() & bits, other.max() & bits) {
                    (0, 0) => Some(false),
                    (0, _) => None,
                    _ => Some(true),
                };
            }
            CmpOp::Gt
            | CmpOp::Ge
            | CmpOp::Lt
            | CmpOp::Le
            | CmpOp::SGt
            | CmpOp::SGe
            | CmpOp::SLt
            | CmpOp::SLe => {}
        }
        match width {
            Width::W32 => self.low.decides(op, src.low),
            // Numbers whose low halves differ are not equal.
            Width::W64 => self.wide.decides(op, src.wide).or_else(|| match op {
                CmpOp::Eq | CmpOp::Ne => self.low.decides(op, src.low),
                _ => None,
            }),
        }
    }

    /// What is known of a register that is compared with itself. Linux 6.18 does not see that it is the same number
    /// and refines it as both operands, so that of `r0 < r0`, which never holds, the two ends are cut off.
    #[must_use]
    pub fn refine_itself(mut self, width: Width, op: CmpOp, holds: bool) -> Scalar {
        match if holds { op } else { negated(op) } {
            CmpOp::Lt | CmpOp::Gt => match width {
                Width::W32 => self.low.unsigned = self.low.unsigned.inner(),
                Width::W64 => self.wide.unsigned = self.wide.unsigned.inner(),
            },
            CmpOp::SLt | CmpOp::SGt => match width {
                Width::W32 => self.low.signed = self.low.signed.inner(),
                Width::W64 => self.wide.signed = self.wide.signed.inner(),
            },
            CmpOp::Eq | CmpOp::Ne | CmpOp::Set | CmpOp::Ge | CmpOp::Le | CmpOp::SGe | CmpOp::SLe => {}
        }
        self.sync()
    }

    /// What is known of both operands where `self op src` has turned out as `holds` (`reg_set_min_max`, one side of
    /// it). Contradictions are not looked for: see [`Scalar::sane`].
    #[must_use]
    pub fn refine(self, width: Width, op: CmpOp, src: Scalar, holds: bool) -> (Scalar, Scalar) {
        let condition = match (holds, op) {
            (true, op) => Condition::Holds(op),
            (false, CmpOp::Set) => Condition::NoBitInCommon,
            (false, op) => Condition::Holds(negated(op)),
        };
        let (mut a, mut b) = (self, src);
        match condition {
            Condition::Holds(CmpOp::Eq) => equal(width, &mut a, &mut b),
            Condition::Holds(CmpOp::Ne) => {
                if let Some((a, number)) = against_constant(width, &mut a, &mut b) {
                    match width {
                        Width::W32 => a.low = without(a.low, number as u32),
                        Width::W64 => a.wide = without(a.wide, number),
                    }
                }
            }
            Condition::Holds(CmpOp::Set) => {
                // Of several bits it is not known which one is set.
                match against_constant(width, &mut a, &mut b) {
                    Some((a, bit)) if bit.is_power_of_two() => {
                        a.bits = with_bits(width, a.bits, |bits| bits.or(Tnum::constant(bit)));
                    }
                    _ => {}
                }
            }
            Condition::NoBitInCommon => {
                if let Some((a, bits)) = against_constant(width, &mut a, &mut b) {
                    // Linux forgets the bounds first, lest they contradict the bits on a branch that is dead.
                    *a = a.unbounded();
                    a.bits = with_bits(width, a.bits, |known| known.and(Tnum::constant(!bits)));
                }
            }
            Condition::Holds(CmpOp::Lt | CmpOp::Le) => {
                unsigned_order(width, op_is_strict(condition), &mut a, &mut b)
            }
            Condition::Holds(CmpOp::Gt | CmpOp::Ge) => {
                unsigned_order(width, op_is_strict(condition), &mut b, &mut a)
            }
            Condition::Holds(CmpOp::SLt | CmpOp::SLe) => {
                signed_order(width, op_is_strict(condition), &mut a, &mut b)
            }
            Condition::Holds(CmpOp::SGt | CmpOp::SGe) => {
                signed_order(width, op_is_strict(condition), &mut b, &mut a)
            }
        }
        (a.sync(), b.sync())
    }
}

/// The comparison that holds where this one does not; none for [`CmpOp::Set`], which stays.
fn negated(op: CmpOp) -> CmpOp {
    match op {
        CmpOp::Eq => CmpOp::Ne,
        CmpOp::Ne => CmpOp::Eq,
        CmpOp::Set => CmpOp::Set,
        CmpOp::Gt => CmpOp::Le,
        CmpOp::Le => CmpOp::Gt,
        CmpOp::Ge => CmpOp::Lt,
        CmpOp::Lt => CmpOp::Ge,
        CmpOp::SGt => CmpOp::SLe,
        CmpOp::SLe => CmpOp::SGt,
        CmpOp::SGe => CmpOp::SLt,
        CmpOp::SLt => CmpOp::SGe,
    }
}

fn op_is_strict(condition: Condition) -> bool {
    matches!(condition, Condition::Holds(CmpOp::Lt | CmpOp::Gt | CmpOp::SLt | CmpOp::SGt))
}

/// Both are what they have in common.
fn equal(width: Width, a: &mut Scalar, b: &mut Scalar) {
    match width {
        Width::W32 => {
            a.low = a.low.intersect(b.low);
            b.low = a.low;
            let common = a.bits.low32().intersect(b.bits.low32());
            a.bits = a.bits.with_low32(common);
            b.bits = b.bits.with_low32(common);
        }
        Width::W64 => {
            a.wide = a.wide.intersect(b.wide);
            b.wide = a.wide;
            a.bits = a.bits.intersect(b.bits);
            b.bits = a.bits;
        }
    }
}

/// The operand that is compared with a constant, and the constant; nothing if neither is one.
fn against_constant<'a>(width: Width, a: &'a mut Scalar, b: &'a mut Scalar) -> Option<(&'a mut Scalar, u64)> {
    if let Some(number) = b.as_constant_in(width) {
        return Some((a, number));
    }
    let number = a.as_constant_in(width)?;
    Some((b, number))
}

fn without<U: Word>(bounds: Bounds<U>, number: U) -> Bounds<U> {
    Bounds { unsigned: bounds.unsigned.without(number), signed: bounds.signed.without(number.signed()) }
}

/// The known bits changed in the width that is compared.
fn with_bits(width: Width, bits: Tnum, change: impl FnOnce(Tnum) -> Tnum) -> Tnum {
    match width {
        Width::W32 => bits.with_low32(change(bits.low32())),
        Width::W64 => change(bits),
    }
}

/// `a < b` or `a <= b`, without sign.
fn unsigned_order(width: Width, strictly: bool, a: &mut Scalar, b: &mut Scalar) {
    match width {
        Width::W32 => refine_order(&mut a.low.unsigned, &mut b.low.unsigned, strictly),
        Width::W64 => refine_order(&mut a.wide.unsigned, &mut b.wide.unsigned, strictly),
    }
}

/// `a < b` or `a <= b`, with sign.
fn signed_order(width: Width, strictly: bool, a: &mut Scalar, b: &mut Scalar) {
    match width {
        Width::W32 => refine_order(&mut a.low.signed, &mut b.low.signed, strictly),
        Width::W64 => refine_order(&mut a.wide.signed, &mut b.wide.signed, strictly),
    }
}
