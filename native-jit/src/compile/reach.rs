//! How far the packet is known to reach: a load that goes no further than one before it on every path needs no check.

use super::plan::{NOWHERE, Op};
use bpf64_core::isa::{Insn, PacketOffset};

/// Before each op, how many bytes the packet is known to have. One pass in order; where a loop begins, nothing is known.
pub(super) fn reach(ops: &[Op]) -> Vec<u32> {
    let mut before = vec![u32::MAX; ops.len() + 1];
    let mut here = 0;
    for (at, op) in ops.iter().enumerate() {
        here = match op {
            Op { loops: true, .. } => 0,
            Op { leader: true, .. } => before[at].min(here),
            _ => here,
        };
        before[at] = here;
        if op.insn.jump_offset().is_some() && op.target != NOWHERE {
            let target = &mut before[op.target as usize];
            *target = here.min(*target);
        }
        match op.insn {
            Insn::LoadPacket { size, from: PacketOffset::Abs(offset @ 0..) } => {
                here = here.max((offset as u32).saturating_add(size.bytes() as u32));
            }
            // A function may change the packet.
            Insn::Call(_) => here = 0,
            // Behind these no path goes on.
            Insn::Jump { .. } | Insn::JumpLong { .. } if op.target as usize != at + 1 => here = u32::MAX,
            Insn::Exit => here = u32::MAX,
            Insn::Jump { .. }
            | Insn::JumpLong { .. }
            | Insn::LoadPacket { .. }
            | Insn::Alu { .. }
            | Insn::Neg { .. }
            | Insn::MovSx { .. }
            | Insn::Swap { .. }
            | Insn::LoadImm { .. }
            | Insn::Load { .. }
            | Insn::Store { .. }
            | Insn::Atomic { .. }
            | Insn::LoadAcquire { .. }
            | Insn::StoreRelease { .. }
            | Insn::Branch { .. }
            | Insn::MayGoto { .. } => {}
        }
    }
    before
}
