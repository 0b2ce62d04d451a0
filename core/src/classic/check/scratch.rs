//! Scratch cells that are read before they are written: the one rule that looks at ways through the program.
//!
//! Source: `check_load_and_stores()`, net/core/filter.c. Linux takes execution to go on behind a `ret`, so what stands
//! there is looked at, while nothing comes to what stands behind a jump.

use crate::classic::{Insn, Value};
use crate::program::Pc;

/// A cell that some way to its reader does not write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unwritten {
    /// The reader.
    pub(super) pc: usize,
    /// The cell.
    pub(super) cell: u32,
    /// The last jump on such a way, from where to where; `None` if there is one without jumps.
    pub(super) jump: Option<(Pc, Pc)>,
}

/// The first one in program order. As jumps only go forward, one pass sees every predecessor first.
pub(super) fn unwritten(insns: &[Insn]) -> Option<Unwritten> {
    let mut written_at_targets = vec![u16::MAX; insns.len()];
    let mut written = 0u16;
    for (pc, insn) in insns.iter().enumerate() {
        written &= written_at_targets[pc];
        let mut reach = |skipped: u32, written: u16| written_at_targets[pc + 1 + skipped as usize] &= written;
        match *insn {
            Insn::StoreA(cell) | Insn::StoreX(cell) => written |= 1 << cell,
            Insn::LoadA(Value::Mem(cell)) | Insn::LoadX(Value::Mem(cell)) if written & 1 << cell == 0 => {
                return Some(Unwritten { pc, cell, jump: last_jump(insns, pc, cell) });
            }
            Insn::Jump(k) => {
                reach(k, written);
                written = u16::MAX;
            }
            Insn::Branch { jt, jf, .. } => {
                reach(jt.into(), written);
                reach(jf.into(), written);
                written = u16::MAX;
            }
            _ => {}
        }
    }
    None
}

/// The last jump on a way from the start to `reader` that does not write `cell`.
fn last_jump(insns: &[Insn], reader: usize, cell: u32) -> Option<(Pc, Pc)> {
    // For each instruction that such a way comes to, the one before it on the way; the start's is itself.
    let mut before = vec![None; reader + 1];
    before[0] = Some(0);
    for (pc, insn) in insns[..reader].iter().enumerate() {
        let mut reach = |skipped: u32| {
            if let Some(before) = before.get_mut(pc + 1 + skipped as usize) {
                before.get_or_insert(pc);
            }
        };
        match *insn {
            Insn::StoreA(stored) | Insn::StoreX(stored) if stored == cell => {}
            Insn::Jump(k) => reach(k),
            Insn::Branch { jt, jf, .. } => {
                reach(jt.into());
                reach(jf.into());
            }
            _ => reach(0),
        }
    }
    let way = std::iter::successors(Some(reader), |&pc| before[pc].filter(|&before| before != pc));
    let mut steps = way.clone().skip(1).zip(way);
    steps.find(|(from, to)| from + 1 != *to).map(|(from, to)| (Pc(from as u32), Pc(to as u32)))
}
