//! One instruction in the place of another: what its result is, and what gives the same from nearer or with better
//! operands.

use super::Why;
use super::effects::{Loc, effects, is_pure};
use super::state::State;
use super::values::{Expr, Value, Values};
use crate::isa::{AluOp, Callee, Insn, PacketOffset, Reg, Size, Src, SwapKind, Width};

/// Where the instruction's result goes and what it is, if it has one that can be told.
pub(super) fn expression(insn: &Insn, state: &State, values: &mut Values) -> Option<(Loc, Value)> {
    Some(match *insn {
        Insn::Alu { width: Width::W64, op: AluOp::Mov, dst, src: Src::Reg(src) } => {
            let context = values.context();
            (dst.into(), state.get(src, values).filter(|&value| value == context)?)
        }
        Insn::Alu { width: Width::W32, op: AluOp::Mov, dst, src } => {
            (dst.into(), operand(src, state, values)?)
        }
        Insn::Alu { width: Width::W32, op, dst, src } => {
            let (a, b) = (state.get(dst, values)?, operand(src, state, values)?);
            let ranges = [a, b].map(|value| state.range(value, values));
            (dst.into(), values.alu(op, a, b, ranges))
        }
        Insn::Neg { width: Width::W32, dst } => {
            let value = state.get(dst, values)?;
            (dst.into(), values.neg(value))
        }
        Insn::Swap { kind: SwapKind::ToBe, size: Size::H, dst } => {
            let value = state.get(dst, values)?;
            (dst.into(), values.swap(value))
        }
        Insn::Load { size, signed: false, dst, base, offset } => {
            let value = match Loc::at(size, base, offset) {
                Some(cell) => state.get(cell, values)?,
                None if state.get(base, values)? == values.context() => values.field(size, offset),
                None => return None,
            };
            (dst.into(), value)
        }
        Insn::Store { size, base, offset, src } => {
            (Loc::at(size, base, offset)?, operand(src, state, values)?)
        }
        Insn::LoadPacket { size, from } => {
            let (base, offset) = place(from, state, values)?;
            (Reg::R0.into(), values.packet(size, base, offset))
        }
        Insn::Call(Callee::Helper(id)) if is_pure(id) => {
            let reads = effects(insn).reads;
            let mut arguments = [None; 2];
            for (argument, reg) in arguments.iter_mut().zip([Reg::R2, Reg::R3]) {
                if reads.has(reg) {
                    *argument = Some(state.get(reg, values)?);
                }
            }
            (Reg::R0.into(), values.call(id, arguments))
        }
        Insn::Alu { .. }
        | Insn::Neg { .. }
        | Insn::MovSx { .. }
        | Insn::Swap { .. }
        | Insn::LoadImm { .. }
        | Insn::Load { .. }
        | Insn::Atomic { .. }
        | Insn::LoadAcquire { .. }
        | Insn::StoreRelease { .. }
        | Insn::Jump { .. }
        | Insn::JumpLong { .. }
        | Insn::Branch { .. }
        | Insn::MayGoto { .. }
        | Insn::Call(_)
        | Insn::Exit => return None,
    })
}

pub(super) fn operand(src: Src, state: &State, values: &mut Values) -> Option<Value> {
    match src {
        Src::Reg(reg) => state.get(reg, values),
        Src::Imm(imm) => Some(values.number(imm as u32)),
    }
}

/// Where a packet load finds its bytes: the base, if X is not known, and the offset.
pub(super) fn place(from: PacketOffset, state: &State, values: &mut Values) -> Option<(Option<Value>, i32)> {
    match from {
        PacketOffset::Abs(offset) => Some((None, offset)),
        PacketOffset::Ind(reg, offset) => {
            let base = state.get(reg, values)?;
            Some(values.place(Some(base), offset))
        }
    }
}

/// A plain copy of `value` to `loc`, in the place of an instruction that computes or loads it.
pub(super) fn copy(
    insn: &Insn,
    loc: Loc,
    value: Value,
    state: &State,
    values: &mut Values,
) -> Option<(Insn, Why)> {
    let number = values.as_number(value);
    let Some(dst) = loc.register() else {
        // Into a scratch cell.
        let Insn::Store { size, base, offset, .. } = *insn else { return None };
        let (src, why) = match number {
            Some(number) => (Src::Imm(number as i32), Why::Known),
            None => (Src::Reg(state.register_of(value)?), Why::First),
        };
        return Some((Insn::Store { size, base, offset, src }, why));
    };
    let copied = matches!(insn, Insn::Alu { op: AluOp::Mov, .. });
    let mov = |width, src| Insn::Alu { width, op: AluOp::Mov, dst, src };
    if let Some(number) = number {
        return Some((mov(Width::W32, Src::Imm(number as i32)), Why::Known));
    }
    if let Some(reg) = state.register_of(value) {
        let width = if values.expr(value) == Expr::Context { Width::W64 } else { Width::W32 };
        return Some((mov(width, Src::Reg(reg)), if copied { Why::First } else { Why::Again }));
    }
    // A cell is nearer than the packet.
    let far = matches!(insn, Insn::LoadPacket { .. } | Insn::Call(_));
    let cell = state.cell_of(value).filter(|_| far)?;
    let offset = super::plain::cell_offset(cell);
    Some((Insn::Load { size: Size::W, signed: false, dst, base: Reg::R10, offset }, Why::Again))
}

/// The same operation with better operands. With `by_r1` the context may be read by way of r1.
pub(super) fn operands(insn: &Insn, state: &State, values: &mut Values, by_r1: bool) -> Option<(Insn, Why)> {
    match *insn {
        Insn::Alu { width: Width::W32, op, dst, src } => {
            let (src, why) = better(src, state, values);
            let (op, src, why) = match src {
                // Linux's verifier takes no constant shifts by 32 and more, and no division by a constant 0.
                Src::Imm(by) if matches!(op, AluOp::Lsh | AluOp::Rsh) => (op, Src::Imm(by & 31), why),
                Src::Imm(0) if matches!(op, AluOp::Div | AluOp::Mod) => return None,
                Src::Imm(by) => match cheaper(op, by as u32) {
                    Some((op, by)) => (op, Src::Imm(by as i32), Why::Cheaper),
                    None => (op, src, why),
                },
                Src::Reg(_) => (op, src, why),
            };
            Some((Insn::Alu { width: Width::W32, op, dst, src }, why))
        }
        Insn::Load { size, signed, dst, base, offset } if by_r1 && Loc::at(size, base, offset).is_none() => {
            let base = first(base, state, values);
            Some((Insn::Load { size, signed, dst, base, offset }, Why::StillThere))
        }
        Insn::LoadPacket { size, from } => {
            let (base, offset) = place(from, state, values)?;
            let (from, why) = match (base, from) {
                (None, _) => (PacketOffset::Abs(offset), Why::Offset),
                (Some(base), PacketOffset::Ind(reg, old)) => match state.register_of(base) {
                    Some(reg) if old == offset => (PacketOffset::Ind(reg, offset), Why::First),
                    Some(reg) => (PacketOffset::Ind(reg, offset), Why::Offset),
                    // What the offset is counted from is nowhere any more: X with the constant in it is.
                    None => (PacketOffset::Ind(first(reg, state, values), old), Why::First),
                },
                (Some(_), PacketOffset::Abs(_)) => return None,
            };
            Some((Insn::LoadPacket { size, from }, why))
        }
        _ => None,
    }
}

/// The register that had what this one has first.
fn first(reg: Reg, state: &State, values: &mut Values) -> Reg {
    let value = state.get(reg, values);
    value.and_then(|value| state.register_of(value)).unwrap_or(reg)
}

/// The operand as a constant, or from where it was first.
pub(super) fn better(src: Src, state: &State, values: &mut Values) -> (Src, Why) {
    let Src::Reg(reg) = src else { return (src, Why::Known) };
    match state.get(reg, values).and_then(|value| values.as_number(value)) {
        Some(number) => (Src::Imm(number as i32), Why::Known),
        None => (Src::Reg(first(reg, state, values)), Why::First),
    }
}

/// A shift or a mask that does what this operation does.
fn cheaper(op: AluOp, by: u32) -> Option<(AluOp, u32)> {
    let power = by.is_power_of_two();
    match op {
        AluOp::Mul if power => Some((AluOp::Lsh, by.trailing_zeros())),
        AluOp::Div if power => Some((AluOp::Rsh, by.trailing_zeros())),
        AluOp::Mod if power => Some((AluOp::And, by - 1)),
        _ => None,
    }
}
