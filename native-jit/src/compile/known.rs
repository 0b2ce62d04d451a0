//! What the proof says of a place in the program, in the questions that the code generator has.

use super::plan::Op;
use bpf64_core::domain::Scalar;
use bpf64_core::isa::Reg;
use bpf64_core::program::Pc;
use bpf64_core::verifier::{Fact, Facts, Pointee, Verified};

/// The proof's facts.
pub(super) struct Known<'a> {
    facts: &'a Facts,
}

impl<'a> Known<'a> {
    pub(super) fn new(verified: &'a Verified) -> Self {
        Known { facts: verified.facts() }
    }

    /// Whether any path comes here.
    pub(super) fn reached(&self, pc: Pc) -> bool {
        self.facts.is_reached(pc)
    }

    /// Where in the context the register points to before the op, if that is where it points.
    pub(super) fn in_context(&self, op: &Op, reg: Reg) -> Option<i64> {
        match self.facts.of(op.pc, op.proved(reg)) {
            Fact::Pointer { to: Pointee::Context, offset } => {
                offset.as_constant().map(|offset| offset as i64)
            }
            Fact::Pointer { .. } | Fact::Number(_) | Fact::Unknown => None,
        }
    }

    /// The table whose handle the register holds.
    pub(super) fn table(&self, op: &Op, reg: Reg) -> Option<u16> {
        match self.facts.of(op.pc, op.proved(reg)) {
            Fact::Pointer { to: Pointee::Table(map), .. } => Some(map),
            Fact::Pointer { .. } | Fact::Number(_) | Fact::Unknown => None,
        }
    }

    /// The table into a value of which the register points for certain behind the op.
    pub(super) fn value_behind(&self, op: &Op, reg: Reg) -> Option<u16> {
        match self.facts.of(op.pc.next(), op.proved(reg)) {
            Fact::Pointer { to: Pointee::Value(map), .. } => Some(map),
            Fact::Pointer { .. } | Fact::Number(_) | Fact::Unknown => None,
        }
    }

    /// Where in the function's frame the register points to.
    pub(super) fn in_frame(&self, op: &Op, reg: Reg) -> Option<i64> {
        match self.facts.of(op.pc, op.proved(reg)) {
            Fact::Pointer { to: Pointee::Stack { frames_up: 0 }, offset } => {
                offset.as_constant().map(|offset| offset as i64)
            }
            Fact::Pointer { .. } | Fact::Number(_) | Fact::Unknown => None,
        }
    }

    /// Whether the register points to memory that is no stack.
    pub(super) fn outside_frames(&self, op: &Op, reg: Reg) -> bool {
        match self.facts.of(op.pc, op.proved(reg)) {
            Fact::Pointer { to, .. } => !matches!(to, Pointee::Stack { .. }),
            Fact::Number(_) | Fact::Unknown => false,
        }
    }

    /// What number the register holds before the op, as far as that is known.
    pub(super) fn number(&self, op: &Op, reg: Reg) -> Scalar {
        match self.facts.of(op.pc, op.proved(reg)) {
            Fact::Number(number) => number,
            Fact::Pointer { .. } | Fact::Unknown => Scalar::UNKNOWN,
        }
    }
}
