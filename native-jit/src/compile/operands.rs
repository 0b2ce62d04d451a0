//! Which registers an instruction names, and the same instruction with others.

use bpf64_core::isa::{Insn, PacketOffset, Reg, Src};

const fn source(src: Src) -> Option<Reg> {
    match src {
        Src::Reg(reg) => Some(reg),
        Src::Imm(_) => None,
    }
}

/// The registers that stand in an instruction. What calls, `exit` and packet loads use besides does not.
pub(super) const fn regs_of(insn: &Insn) -> [Option<Reg>; 2] {
    match *insn {
        Insn::Alu { dst, src, .. } | Insn::Branch { dst, src, .. } => [Some(dst), source(src)],
        Insn::Neg { dst, .. } | Insn::Swap { dst, .. } | Insn::LoadImm { dst, .. } => [Some(dst), None],
        Insn::MovSx { dst, src, .. } => [Some(dst), Some(src)],
        Insn::LoadPacket { from: PacketOffset::Abs(_), .. } => [None, None],
        Insn::LoadPacket { from: PacketOffset::Ind(reg, _), .. } => [Some(reg), None],
        Insn::Load { dst, base, .. } | Insn::LoadAcquire { dst, base, .. } => [Some(dst), Some(base)],
        Insn::Store { base, src, .. } => [Some(base), source(src)],
        Insn::Atomic { base, src, .. } | Insn::StoreRelease { base, src, .. } => [Some(base), Some(src)],
        Insn::Jump { .. } | Insn::JumpLong { .. } | Insn::MayGoto { .. } | Insn::Call(_) | Insn::Exit => {
            [None, None]
        }
    }
}

/// The instruction with other registers, for a frame that begins so many bytes further on.
pub(super) fn renamed(insn: &Insn, rename: impl Fn(Reg) -> Reg, frame: i16) -> Insn {
    let source = |src: Src| match src {
        Src::Reg(reg) => Src::Reg(rename(reg)),
        Src::Imm(_) => src,
    };
    let place = |base: Reg, offset: i16| if base == Reg::R10 { offset + frame } else { offset };
    match *insn {
        Insn::Alu { width, op, dst, src } => Insn::Alu { width, op, dst: rename(dst), src: source(src) },
        Insn::Branch { width, op, dst, src, offset } => {
            Insn::Branch { width, op, dst: rename(dst), src: source(src), offset }
        }
        Insn::Neg { width, dst } => Insn::Neg { width, dst: rename(dst) },
        Insn::Swap { kind, size, dst } => Insn::Swap { kind, size, dst: rename(dst) },
        Insn::LoadImm { dst, imm } => Insn::LoadImm { dst: rename(dst), imm },
        Insn::MovSx { width, from, dst, src } => {
            Insn::MovSx { width, from, dst: rename(dst), src: rename(src) }
        }
        Insn::LoadPacket { size, from: PacketOffset::Ind(reg, offset) } => {
            Insn::LoadPacket { size, from: PacketOffset::Ind(rename(reg), offset) }
        }
        Insn::Load { size, signed, dst, base, offset } => {
            let offset = place(base, offset);
            Insn::Load { size, signed, dst: rename(dst), base: rename(base), offset }
        }
        Insn::LoadAcquire { size, dst, base, offset } => {
            let offset = place(base, offset);
            Insn::LoadAcquire { size, dst: rename(dst), base: rename(base), offset }
        }
        Insn::Store { size, base, offset, src } => {
            let offset = place(base, offset);
            Insn::Store { size, base: rename(base), offset, src: source(src) }
        }
        Insn::StoreRelease { size, base, offset, src } => {
            let offset = place(base, offset);
            Insn::StoreRelease { size, base: rename(base), offset, src: rename(src) }
        }
        Insn::Atomic { width, op, base, offset, src } => {
            let offset = place(base, offset);
            Insn::Atomic { width, op, base: rename(base), offset, src: rename(src) }
        }
        Insn::LoadPacket { .. }
        | Insn::Jump { .. }
        | Insn::JumpLong { .. }
        | Insn::MayGoto { .. }
        | Insn::Call(_)
        | Insn::Exit => *insn,
    }
}
