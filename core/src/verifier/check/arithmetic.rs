//! What arithmetic with a pointer gives, if it may be done.

use super::FARTHEST;
use crate::domain::{Scalar, Tnum};
use crate::isa::{AluOp, Reg, Width};
use crate::verifier::Verifier;
use crate::verifier::rejection::Reason;
use crate::verifier::state::{Kind, Register};

impl Verifier<'_> {
    /// The pointer that arithmetic with a pointer gives, or the number; nothing if both operands are numbers
    /// (`adjust_reg_min_max_vals`, `adjust_ptr_min_max_vals`).
    pub(in crate::verifier) fn moved(
        &self,
        width: Width,
        op: AluOp,
        dst: Reg,
        src: Register,
    ) -> Result<Option<Register>, Reason> {
        let target = *self.state.frame().get(dst);
        let (pointer, by) = match (target.kind.is_pointer(), src.kind.is_pointer()) {
            (false, false) => return Ok(None),
            (true, true) if op == AluOp::Sub => return Ok(Some(Register::unknown())),
            (true, true) => return Err(Reason::TwoPointers(dst, op)),
            (true, false) => (target, src.value),
            (false, true) => (src, target.value),
        };
        if by.wide.is_empty() || by.as_constant().is_some_and(|number| !by.wide.is(number)) {
            return Ok(Some(Register::unknown()));
        }
        match (width, op) {
            (Width::W32, AluOp::Sub) => return Ok(Some(Register::unknown())),
            (Width::W32, _) => return Err(Reason::Arithmetic32(dst)),
            (Width::W64, _) => {}
        }
        let name = pointer.kind.name();
        if pointer.kind.may_be_null() {
            return Err(Reason::MaybeNull(dst, name));
        }
        match pointer.kind {
            // Adding nothing leaves it what it is.
            Kind::Map(_) if op == AluOp::Add && by.as_constant() == Some(0) => {}
            Kind::PacketEnd | Kind::Map(_) => return Err(Reason::FixedPointer(dst, name)),
            Kind::Unset
            | Kind::Scalar
            | Kind::Context
            | Kind::Stack(_)
            | Kind::Packet
            | Kind::PacketMeta
            | Kind::Value(_)
            | Kind::ValueOrNull(_)
            | Kind::Key(_)
            | Kind::Record(_)
            | Kind::RecordOrNull(_)
            | Kind::Code(_) => {}
        }
        sane_offset(name, 0, by)?;
        sane_offset(name, pointer.offset, pointer.value)?;
        let moved = match op {
            AluOp::Add => plus(pointer, by),
            AluOp::Sub if !target.kind.is_pointer() => return Err(Reason::PointerFromNumber(dst)),
            AluOp::Sub if matches!(pointer.kind, Kind::Stack(_)) => {
                return Err(Reason::StackSubtraction(dst));
            }
            AluOp::Sub => minus(pointer, by),
            _ => return Err(Reason::PointerOperator(dst, op)),
        };
        sane_offset(name, moved.offset, moved.value)?;
        Ok(Some(Register { value: moved.value.sync(), ..moved }))
    }
}

/// Offsets are so small that nothing can wrap around (`check_reg_sane_offset`).
fn sane_offset(kind: &'static str, fixed: i32, variable: Scalar) -> Result<(), Reason> {
    let out = |number: i64| number >= FARTHEST || number <= -FARTHEST;
    if let Some(number) = variable.as_constant().map(|number| number as i64).filter(|&number| out(number)) {
        return Err(Reason::OffsetTooLarge(kind, number));
    }
    if out(fixed.into()) {
        return Err(Reason::PointerOffset(kind, fixed));
    }
    let least = variable.wide.signed.min;
    if least == i64::MIN {
        return Err(Reason::OffsetUnbounded(kind));
    }
    if out(least) { Err(Reason::OffsetOut(kind, least)) } else { Ok(()) }
}

/// `pointer + by`: a constant goes to the fixed part, everything else to the variable one.
fn plus(pointer: Register, by: Scalar) -> Register {
    let fixed = by.as_constant().and_then(|by| i32::try_from(i64::from(pointer.offset) + by as i64).ok());
    match fixed {
        Some(offset) => Register { offset, ..pointer },
        None => {
            let mut wide = pointer.value.wide;
            wide.signed = wide.signed.plus(by.wide.signed, false);
            wide.unsigned = wide.unsigned.plus(by.wide.unsigned, false);
            with_variable(pointer, pointer.value.bits.add(by.bits), wide)
        }
    }
}

/// `pointer - by`, in the same way.
fn minus(pointer: Register, by: Scalar) -> Register {
    let fixed = by.as_constant().and_then(|by| i32::try_from(i64::from(pointer.offset) - by as i64).ok());
    match fixed {
        Some(offset) => Register { offset, ..pointer },
        None => {
            let mut wide = pointer.value.wide;
            wide.signed = wide.signed.minus(by.wide.signed, false);
            wide.unsigned = wide.unsigned.minus(by.wide.unsigned, false);
            with_variable(pointer, pointer.value.bits.sub(by.bits), wide)
        }
    }
}

/// Pointers have no bounds in 32 bits.
fn with_variable(pointer: Register, bits: Tnum, wide: crate::domain::Bounds<u64>) -> Register {
    Register { value: Scalar { bits, wide, low: crate::domain::Bounds::FULL }, ..pointer }
}
