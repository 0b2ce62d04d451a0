//! Which registers hold what is still wanted: a pass from the last op to the first, and again where there are loops.

use super::find::Key;
use super::plan::{NOWHERE, Op};
use super::registers::Registers;
use crate::x64::Set;
use bpf64_core::isa::{AluOp, AtomicOp, Callee, Insn, PacketOffset, Reg, Src};

/// What an op reads and writes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Effect {
    pub(super) reads: Set,
    pub(super) writes: Set,
    /// Whether it does more than to write registers.
    pub(super) acts: bool,
}

/// eBPF registers as a mask.
const fn bit(reg: Reg) -> u16 {
    1 << reg.bits()
}

fn source(src: Src) -> u16 {
    match src {
        Src::Reg(reg) => bit(reg),
        Src::Imm(_) => 0,
    }
}

/// r1 to r5, and r0 to r5.
const ARGUMENTS: u16 = 0b11_1110;
pub(super) const CLOBBERED: u16 = 0b11_1111;

/// The registers that an instruction reads and writes, and whether it does more.
pub(super) fn effect(insn: &Insn) -> (u16, u16, bool) {
    match *insn {
        Insn::Alu { op: AluOp::Mov, dst, src, .. } => (source(src), bit(dst), false),
        Insn::Alu { dst, src, .. } => (bit(dst) | source(src), bit(dst), false),
        Insn::Neg { dst, .. } | Insn::Swap { dst, .. } => (bit(dst), bit(dst), false),
        Insn::MovSx { dst, src, .. } => (bit(src), bit(dst), false),
        Insn::LoadImm { dst, .. } => (0, bit(dst), false),
        Insn::LoadPacket { from: PacketOffset::Abs(_), .. } => (0, bit(Reg::R0), true),
        Insn::LoadPacket { from: PacketOffset::Ind(reg, _), .. } => (bit(reg), bit(Reg::R0), true),
        Insn::Load { dst, base, .. } => (bit(base), bit(dst), false),
        Insn::LoadAcquire { dst, base, .. } => (bit(base), bit(dst), true),
        Insn::Store { base, src, .. } => (bit(base) | source(src), 0, true),
        Insn::StoreRelease { base, src, .. } => (bit(base) | bit(src), 0, true),
        Insn::Atomic { op: AtomicOp::Cmpxchg, base, src, .. } => {
            (bit(base) | bit(src) | bit(Reg::R0), bit(Reg::R0), true)
        }
        Insn::Atomic { op, base, src, .. } => {
            (bit(base) | bit(src), if op.fetches() { bit(src) } else { 0 }, true)
        }
        Insn::Jump { .. } | Insn::JumpLong { .. } | Insn::MayGoto { .. } => (0, 0, true),
        Insn::Branch { dst, src, .. } => (bit(dst) | source(src), 0, true),
        Insn::Call(Callee::Helper(_) | Callee::Local(_) | Callee::Platform(_)) => {
            (ARGUMENTS, CLOBBERED, true)
        }
        Insn::Exit => (bit(Reg::R0), 0, true),
    }
}

/// The effect of an op, in machine registers.
pub(super) fn effect_of(op: &Op, registers: &Registers) -> Effect {
    if op.gone {
        return Effect::default();
    }
    if let Some(find) = op.find {
        let reads = match find.key {
            Key::Memory => bit(Reg::R2),
            Key::In(reg) => bit(reg),
            Key::Is(_) => 0,
        };
        return Effect { reads: registers.set(reads), writes: registers.set(bit(Reg::R0)), acts: false };
    }
    if let Some(cell) = op.cell {
        return of_cell(&op.insn, Set::of(&[cell]), registers);
    }
    let (reads, writes, acts) = effect(&op.insn);
    Effect { reads: registers.set(reads), writes: registers.set(writes), acts }
}

/// The effect of a load or store whose cell is in a register.
fn of_cell(insn: &Insn, cell: Set, registers: &Registers) -> Effect {
    match *insn {
        Insn::Store { src, .. } => Effect { reads: registers.set(source(src)), writes: cell, acts: false },
        Insn::Load { dst, .. } => Effect { reads: cell, writes: registers.set(bit(dst)), acts: false },
        _ => unreachable!("only loads and stores have cells"),
    }
}

/// For each op, the registers wanted before it and behind it.
pub(super) fn live(ops: &[Op], registers: &Registers) -> (Vec<Set>, Vec<Set>) {
    let mut before = vec![Set::NONE; ops.len() + 1];
    let mut behind = vec![Set::NONE; ops.len()];
    loop {
        let mut again = false;
        for (at, op) in ops.iter().enumerate().rev() {
            let mut wanted = match op.insn {
                Insn::Exit | Insn::Jump { .. } | Insn::JumpLong { .. } => Set::NONE,
                _ => before[at + 1],
            };
            if op.insn.jump_offset().is_some() && op.target != NOWHERE {
                wanted = wanted.or(before[op.target as usize]);
            }
            behind[at] = wanted;
            let effect = effect_of(op, registers);
            let needed = effect.acts || !effect.writes.and(wanted).is_empty();
            if needed {
                wanted = wanted.without(effect.writes).or(effect.reads);
            }
            if before[at] != wanted {
                before[at] = wanted;
                // A jump further on comes here and has been looked at already.
                again |= op.loops;
            }
        }
        if !again {
            return (before, behind);
        }
    }
}
