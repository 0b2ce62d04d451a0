//! What a run must find fresh: most filters look at neither context nor stack, and making them ready takes longer than
//! such a filter.

use super::op::Op;
use crate::helpers::{Function, Implementation};
use crate::interp::{MAX_FRAMES, STACK_SIZE};
use crate::isa::{Insn, Reg};
use crate::program::{Pc, Program};
use crate::verifier::{Fact, Facts, Pointee};
use std::ops::Range;

/// What a program may look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Needs {
    /// Whether operations look at the context. Who else may look at it, functions and the stepping form, finds it filled
    /// in by the machine when he does.
    pub(super) context: bool,
    /// The bytes of the stack that it may see.
    pub(super) stack: Range<usize>,
    /// Whether it only looks at the packet, computes, and jumps forward.
    pub(super) small: bool,
}

impl Needs {
    pub(super) fn of(
        program: &Program,
        facts: &Facts,
        ops: &[Op],
        function: impl Fn(u32) -> &'static Function,
    ) -> Self {
        let forward = ops.iter().enumerate().all(|(pc, op)| op.target().is_none_or(|to| to as usize > pc));
        let frames = ops.iter().any(|op| match *op {
            Op::Local { .. } => true,
            Op::Function { index } => matches!(function(index).call, Implementation::Control(_)),
            _ => false,
        });
        let deepest = program.pcs().map(|pc| deepest(program, facts, pc)).max().unwrap_or_default();
        Needs {
            context: ops.iter().any(|op| op.reads_context()),
            stack: match frames {
                true => 0..MAX_FRAMES * STACK_SIZE,
                false => STACK_SIZE - deepest..STACK_SIZE,
            },
            small: forward && ops.iter().all(|op| op.is_small()),
        }
    }
}

/// How many bytes of its function's stack an instruction may see, counted from the frame pointer downwards.
fn deepest(program: &Program, facts: &Facts, pc: Pc) -> usize {
    let Some(facts) = facts.before(pc) else { return 0 };
    let moved = |reg: Reg| match program.insn(pc) {
        Insn::Load { base, offset, .. }
        | Insn::LoadAcquire { base, offset, .. }
        | Insn::Store { base, offset, .. }
        | Insn::StoreRelease { base, offset, .. }
        | Insn::Atomic { base, offset, .. }
            if base == reg =>
        {
            i64::from(offset)
        }
        _ => 0,
    };
    let depths = Reg::ALL.iter().map(|&reg| match facts[reg.index()] {
        Fact::Pointer { to: Pointee::Stack { .. }, offset } => {
            let lowest = offset.wide.signed.min.saturating_add(moved(reg));
            lowest.saturating_neg().clamp(0, STACK_SIZE as i64) as usize
        }
        Fact::Pointer { .. } | Fact::Number(_) | Fact::Unknown => 0,
    });
    depths.max().unwrap_or_default()
}
