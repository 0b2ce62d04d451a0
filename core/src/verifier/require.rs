//! What an instruction requires, told without looking at any state. In Linux's order, since the first thing that does
//! not hold is the one a refusal names.

use super::rejection::{self, Unsupported};
use crate::environment::Environment;
use crate::helpers::{Arg, Function, Given};
use crate::isa::{AluOp, AtomicOp, Callee, Insn, PacketOffset, Reg, Size, Src, WideImm, Width};

/// One thing that must hold before an instruction.
#[derive(Debug, Clone, Copy)]
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
    /// What an atomic operation loads does not overwrite the address that it is loaded from: Linux forgets the register
    /// before it looks at it.
    KeptAddress { base: Reg, offset: i16, size: Size },
    /// The same instruction is not used with pointers that need other code.
    SamePointers(Reg),
    /// There is a packet that can be loaded from.
    Packet,
    /// There is such a function.
    Callable(Callee),
    /// The program's licence is compatible with the GPL.
    Licensed,
    /// An argument, counted from 0, is what the function takes.
    Argument(&'static Function, usize),
    /// Programs may change the table that the function is given.
    TableChange(&'static Function),
    /// The function can go on in the programs of the table that it is given.
    Programs(&'static Function),
    /// Everything was given back, before that is done.
    NothingHeld(&'static str),
    /// The function's format is one, and for as many numbers as it is given.
    Format,
    /// Callbacks can be given what lies in the table.
    Elements(&'static Function),
    /// The function is one for tables of that kind.
    TakesTable(&'static Function),
    /// What is left in r0 may be returned.
    Returnable,
    /// What the program leaves in r0 means something.
    Result,
    /// It is implemented here.
    Implemented(Unsupported),
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
    /// Whether a sign is extended.
    pub(super) signed: bool,
    /// Whether it has to be aligned in any case: atomic operations.
    pub(super) aligned: bool,
}

impl Memory {
    const fn read(base: Reg, offset: i16, size: Size) -> Self {
        Memory {
            access: rejection::Access::Read,
            base,
            offset,
            size,
            value: None,
            to_nowhere: false,
            signed: false,
            aligned: false,
        }
    }

    const fn aligned(self) -> Self {
        Memory { aligned: true, ..self }
    }

    const fn write(base: Reg, offset: i16, size: Size, value: Option<Reg>) -> Self {
        Memory {
            access: rejection::Access::Write,
            base,
            offset,
            size,
            value,
            to_nowhere: false,
            signed: false,
            aligned: false,
        }
    }
}

/// Adds what `insn` requires to the list.
pub(super) fn requirements(insn: Insn, environment: &Environment, list: &mut Vec<Requirement>) {
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
            list.push(Writable(dst));
            match imm {
                WideImm::Variable { .. } => list.push(Implemented(Unsupported::Variable)),
                WideImm::Const(_)
                | WideImm::MapFd(_)
                | WideImm::MapIndex(_)
                | WideImm::MapFdValue { .. }
                | WideImm::MapIndexValue { .. }
                | WideImm::Code(_) => {}
            }
        }
        Insn::LoadPacket { from, .. } => {
            list.extend([Packet, Readable(Reg::R6), NothingHeld("BPF_LD_[ABS|IND]")]);
            if let PacketOffset::Ind(reg, _) = from {
                list.push(Readable(reg));
            }
        }
        Insn::Load { size, signed, dst, base, offset } => list.extend([
            Readable(base),
            Writable(dst),
            Access(Memory { signed, ..Memory::read(base, offset, size) }),
            SamePointers(base),
        ]),
        Insn::LoadAcquire { size, dst, base, offset } => list.extend([
            Readable(base),
            Writable(dst),
            Access(Memory::read(base, offset, size).aligned()),
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
            Access(Memory::write(base, offset, size, Some(src)).aligned()),
            SamePointers(base),
            AtomicMemory("stores into", base),
        ]),
        Insn::Atomic { width, op, base, offset, src } => {
            list.extend([Readable(src), Readable(base)]);
            if op == AtomicOp::Cmpxchg {
                list.push(Readable(Reg::R0));
            }
            list.push(AtomicMemory("stores into", base));
            if let Some(loaded) = op.loads_into(src) {
                list.push(Writable(loaded));
                if loaded == base {
                    list.push(KeptAddress { base, offset, size: width.size() });
                }
            }
            let read = Memory { to_nowhere: true, ..Memory::read(base, offset, width.size()).aligned() };
            list.extend([Access(read), Access(Memory::write(base, offset, width.size(), None).aligned())]);
        }
        Insn::Branch { dst, src, .. } => {
            list.push(Readable(dst));
            list.extend(source(src));
        }
        Insn::MayGoto { .. } | Insn::Jump { .. } | Insn::JumpLong { .. } => {}
        Insn::Call(callee) => {
            list.push(Callable(callee));
            if let Callee::Helper(id) = callee
                && let Some(function) = environment.function(id)
            {
                call(function, list);
            }
        }
        Insn::Exit => {
            list.extend([NothingHeld("BPF_EXIT instruction in main prog"), Returnable, Result]);
        }
    }
}

/// What a call of `function` requires besides, in Linux's order.
fn call(function: &'static Function, list: &mut Vec<Requirement>) {
    use Requirement::*;
    let prototype = &function.prototype;
    if prototype.gpl_only {
        list.push(Licensed);
    }
    for (at, &arg) in prototype.args.iter().enumerate() {
        if arg != Arg::None {
            list.push(Argument(function, at));
        }
    }
    if prototype.changes_table {
        list.push(TableChange(function));
    }
    if prototype.goes_on {
        list.extend([Programs(function), NothingHeld("tail_call")]);
    }
    if prototype.formats {
        list.push(Format);
    }
    if prototype.callback.is_some_and(|callback| callback.with.contains(&Given::Value)) {
        list.push(Elements(function));
    }
    if prototype.args.contains(&Arg::Map) {
        list.push(TakesTable(function));
    }
}
