//! What an instruction requires, told without looking at any state. In Linux's order, since the first thing that does
//! not hold is the one a refusal names.

use super::rejection;
use crate::isa::{AluOp, AtomicOp, Callee, Insn, PacketOffset, Reg, Size, Src, Width};

/// One thing that must hold before an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Requirement {
    /// The register holds something.
    Readable(Reg),
    /// The register may be changed.
    Writable(Reg),
    /// A constant divisor is not 0.
    Divisor(i32),
    /// A constant shift is shorter than the number.
    Shift(Width, i32),
    /// If pointers are among the operands, the operation means something.
    Arithmetic { width: Width, op: AluOp, dst: Reg, src: Src },
    /// Memory may be accessed.
    Access(Memory),
    /// Memory may be accessed by atomic operations; what Linux calls those.
    AtomicMemory(&'static str, Reg),
    /// The same instruction is not used with pointers that need other code.
    SamePointers(Reg),
    /// There is a packet that can be loaded from.
    Packet,
    /// There is such a function.
    Callable(Callee),
    /// What is left in r0 may be returned.
    Returnable,
    /// It is implemented here.
    Implemented(&'static str),
}

/// An access to memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) access: rejection::Access,
    pub(super) base: Reg,
    pub(super) offset: i16,
    pub(super) size: Size,
    /// The register that is written to memory, if it is one.
    pub(super) value: Option<Reg>,
    /// Whether the bytes read go to no register.
    pub(super) to_nowhere: bool,
}

impl Memory {
    const fn read(base: Reg, offset: i16, size: Size) -> Self {
        Memory { access: rejection::Access::Read, base, offset, size, value: None, to_nowhere: false }
    }

    const fn write(base: Reg, offset: i16, size: Size, value: Option<Reg>) -> Self {
        Memory { access: rejection::Access::Write, base, offset, size, value, to_nowhere: false }
    }
}

/// Adds what `insn` requires to the list.
pub(super) fn requirements(insn: Insn, list: &mut Vec<Requirement>) {
    use Requirement::{Access, *};
    let source = |src: Src| match src {
        Src::Reg(reg) => Some(Readable(reg)),
        Src::Imm(_) => None,
    };
    match insn {
        Insn::Alu { op: AluOp::Mov, dst, src, .. } => {
            list.extend(source(src));
            list.push(Writable(dst));
        }
        Insn::Alu { width, op, dst, src } => {
            list.extend(source(src));
            list.push(Readable(dst));
            match (op, src) {
                (AluOp::Div | AluOp::SDiv | AluOp::Mod | AluOp::SMod, Src::Imm(by)) => list.push(Divisor(by)),
                (AluOp::Lsh | AluOp::Rsh | AluOp::Arsh, Src::Imm(by)) => list.push(Shift(width, by)),
                _ => {}
            }
            list.extend([Writable(dst), Arithmetic { width, op, dst, src }]);
        }
        Insn::Neg { dst, .. } | Insn::Swap { dst, .. } => list.extend([Readable(dst), Writable(dst)]),
        Insn::MovSx { dst, src, .. } => list.extend([Readable(src), Writable(dst)]),
        Insn::LoadImm { dst, imm } => {
            if !matches!(imm, crate::isa::WideImm::Const(_)) {
                list.push(Implemented("loading addresses is"));
            }
            list.push(Writable(dst));
        }
        Insn::LoadPacket { from, .. } => {
            list.extend([Packet, Readable(Reg::R6)]);
            if let PacketOffset::Ind(reg, _) = from {
                list.push(Readable(reg));
            }
        }
        Insn::Load { size, dst, base, offset, .. } => list.extend([
            Readable(base),
            Writable(dst),
            Access(Memory::read(base, offset, size)),
            SamePointers(base),
        ]),
        Insn::LoadAcquire { size, dst, base, offset } => list.extend([
            Readable(base),
            Writable(dst),
            Access(Memory::read(base, offset, size)),
            SamePointers(base),
            AtomicMemory("loads from", base),
        ]),
        Insn::Store { size, base, offset, src } => {
            list.extend(source(src));
            let value = match src {
                Src::Reg(reg) => Some(reg),
                Src::Imm(_) => None,
            };
            list.extend([
                Readable(base),
                Access(Memory::write(base, offset, size, value)),
                SamePointers(base),
            ]);
        }
        Insn::StoreRelease { size, base, offset, src } => list.extend([
            Readable(src),
            Readable(base),
            Access(Memory::write(base, offset, size, Some(src))),
            SamePointers(base),
            AtomicMemory("stores into", base),
        ]),
        Insn::Atomic { width, op, base, offset, src } => {
            list.extend([Readable(src), Readable(base)]);
            if op == AtomicOp::Cmpxchg {
                list.push(Readable(Reg::R0));
            }
            list.push(AtomicMemory("stores into", base));
            if op.fetches() {
                list.push(Writable(if op == AtomicOp::Cmpxchg { Reg::R0 } else { src }));
            }
            let read = Memory { to_nowhere: true, ..Memory::read(base, offset, width.size()) };
            list.extend([Access(read), Access(Memory::write(base, offset, width.size(), None))]);
        }
        Insn::Branch { dst, src, .. } => {
            list.push(Readable(dst));
            list.extend(source(src));
        }
        Insn::MayGoto { .. } => list.push(Implemented("`may_goto` is")),
        Insn::Jump { .. } | Insn::JumpLong { .. } => {}
        Insn::Call(callee) => list.push(Callable(callee)),
        Insn::Exit => list.push(Returnable),
    }
}
