//! Cells of the stack in registers that are free.
//!
//! A cell is a stretch of the frame that is only stored to and loaded from, always as a whole, by its place in the
//! frame. If the frame's address is used in no other way, nobody else can look at it, and a register does as well.

use super::operands::regs_of;
use super::plan::{Function, Op};
use super::registers::{Census, Registers};
use crate::x64::Gpr;
use bpf64_core::isa::{Insn, Reg, Size, Src};

/// A cell, and how often it is used: in loops it counts more.
struct Cell {
    offset: i16,
    size: Size,
    uses: u32,
}

/// Puts the cells that are used most into the registers that are left over. `first` says whether the function is entered
/// once a run, so that its stack holds zeros.
pub(super) fn promote(function: &mut Function, census: &mut Census, registers: &mut Registers, first: bool) {
    let Some(mut cells) = cells(&function.ops) else { return };
    if !first {
        return;
    }
    cells.sort_by_key(|cell| std::cmp::Reverse(cell.uses));
    let free = registers.free(census);
    let mut taken: Vec<(i16, Gpr)> = Vec::new();
    for (cell, register) in cells.iter().zip(free) {
        // A register that has to be saved costs two accesses itself.
        if crate::abi::KEPT.has(register) && cell.uses < 4 {
            break;
        }
        taken.push((cell.offset, register));
        registers.take(register);
    }
    for op in &mut function.ops {
        let place = match op.insn {
            Insn::Load { base: Reg::R10, offset, .. } | Insn::Store { base: Reg::R10, offset, .. } => offset,
            _ => continue,
        };
        if let Some(&(_, register)) = taken.iter().find(|(offset, _)| *offset == place) {
            op.cell = Some(register);
            census.named[Reg::R10.index()] -= 1;
        }
    }
}

/// The cells of a function; `None` when its frame's address is used otherwise.
fn cells(ops: &[Op]) -> Option<Vec<Cell>> {
    let mut cells: Vec<Cell> = Vec::new();
    let loops = loops(ops);
    let mut whole = true;
    for (at, op) in ops.iter().enumerate() {
        let (offset, size) = match op.insn {
            Insn::Load { base: Reg::R10, offset, size, dst, .. } if dst != Reg::R10 => (offset, size),
            Insn::Store { base: Reg::R10, offset, size, src } if src != Src::Reg(Reg::R10) => (offset, size),
            insn if regs_of(&insn).contains(&Some(Reg::R10)) => return None,
            _ => continue,
        };
        let uses = if loops[at] { 8 } else { 1 };
        let end = i32::from(offset) + size.bytes() as i32;
        match cells.iter_mut().find(|cell| {
            i32::from(cell.offset) < end
                && i32::from(offset) < i32::from(cell.offset) + cell.size.bytes() as i32
        }) {
            Some(cell) if (cell.offset, cell.size) == (offset, size) => cell.uses += uses,
            Some(_) => whole = false,
            None => cells.push(Cell { offset, size, uses }),
        }
        if cells.len() > 16 {
            return None;
        }
    }
    whole.then_some(cells)
}

/// Of each op, whether a jump goes back over it.
fn loops(ops: &[Op]) -> Vec<bool> {
    let mut depth = vec![0i32; ops.len() + 1];
    for (at, op) in ops.iter().enumerate() {
        if op.insn.jump_offset().is_some() && op.target as usize <= at {
            depth[op.target as usize] += 1;
            depth[at + 1] -= 1;
        }
    }
    let mut open = 0;
    depth[..ops.len()]
        .iter()
        .map(|change| {
            open += change;
            open > 0
        })
        .collect()
}
