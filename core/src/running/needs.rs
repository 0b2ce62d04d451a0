//! What a run must find fresh: most filters look at neither context nor stack, and making them ready takes longer than
//! such a filter.

use super::op::Op;
use crate::interp::{MAX_FRAMES, STACK_SIZE};
use crate::isa::{Insn, Reg, Src};
use crate::program::Program;

/// What a program may look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Needs {
    /// Whether it may look at its context, or a function for it.
    pub(super) context: bool,
    /// Bytes of stack that it may see.
    pub(super) stack: usize,
}

impl Needs {
    pub(super) fn of(program: &Program, ops: &[Op]) -> Self {
        let insns = program.insns();
        // Whoever gets a stack pointer gets it from r10, and a function only from its caller.
        let stack = insns.iter().any(|insn| operands(insn).contains(&Some(Reg::R10)));
        let calls = insns.iter().any(|insn| matches!(insn, Insn::Call(_)));
        Needs {
            context: ops.iter().any(|op| op.may_see_context()),
            stack: match (stack, calls) {
                (false, _) => 0,
                (true, false) => STACK_SIZE,
                (true, true) => MAX_FRAMES * STACK_SIZE,
            },
        }
    }
}

/// The registers that an instruction may take a stack pointer from.
fn operands(insn: &Insn) -> [Option<Reg>; 2] {
    let source = |src: Src| match src {
        Src::Reg(reg) => Some(reg),
        Src::Imm(_) => None,
    };
    match *insn {
        Insn::Alu { src, .. } | Insn::Branch { src, .. } => [source(src), None],
        Insn::MovSx { src, .. } => [Some(src), None],
        Insn::Store { base, src, .. } => [Some(base), source(src)],
        Insn::StoreRelease { base, src, .. } | Insn::Atomic { base, src, .. } => [Some(base), Some(src)],
        Insn::Load { base, .. } | Insn::LoadAcquire { base, .. } => [Some(base), None],
        Insn::Neg { .. }
        | Insn::Swap { .. }
        | Insn::LoadImm { .. }
        | Insn::LoadPacket { .. }
        | Insn::Jump { .. }
        | Insn::JumpLong { .. }
        | Insn::MayGoto { .. }
        | Insn::Call(_)
        | Insn::Exit => [None, None],
    }
}
