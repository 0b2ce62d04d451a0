//! Scratch cells move into registers that are free as long as they are needed.
//!
//! r1 to r5 do for what is not needed over packet loads and calls, r8, r9 and an unused X for the rest; what finds none
//! stays on the stack. As a store becomes a move and a load another, nothing becomes longer.

use super::Why;
use super::backward::needed_behind;
use super::effects::{Loc, Locs, effects};
use super::graph::{Graph, Work};
use crate::isa::{AluOp, Insn, Reg, Src, Width};

/// In the order in which they are given away: those that calls leave alone are needed more.
const FREE: [Reg; 8] = [Reg::R1, Reg::R2, Reg::R3, Reg::R4, Reg::R5, Reg::R9, Reg::R8, Reg::R7];

/// Gives registers to scratch cells; whether any got one.
pub(super) fn allocate(graph: &mut Graph) -> bool {
    let apart = interference(graph);
    let mut cells: Vec<(usize, Loc)> = Loc::all()
        .filter(|loc| loc.cell().is_some())
        .map(|cell| (uses(graph, cell), cell))
        .filter(|&(uses, _)| uses > 0)
        .collect();
    cells.sort_by_key(|&(uses, cell)| (usize::MAX - uses, cell));

    let mut given: Vec<(Loc, Reg)> = Vec::new();
    for (_, cell) in cells {
        let taken = |reg: Reg| {
            apart[cell.index()].has(reg)
                || given.iter().any(|&(other, had)| had == reg && apart[cell.index()].has(other))
        };
        given.extend(FREE.into_iter().find(|&reg| !taken(reg)).map(|reg| (cell, reg)));
    }
    for node in &mut graph.nodes {
        let Work::Do { insn, .. } = &mut node.work else { continue };
        let register = |size, base, offset| {
            let cell = Loc::at(size, base, offset)?;
            let &(_, reg) = given.iter().find(|(had, _)| *had == cell)?;
            Some((cell.cell()?, reg))
        };
        let mov = |dst, src| Insn::Alu { width: Width::W32, op: AluOp::Mov, dst, src };
        let (cell, new) = match *insn {
            Insn::Load { size, dst, base, offset, .. } => match register(size, base, offset) {
                Some((cell, reg)) => (cell, mov(dst, Src::Reg(reg))),
                None => continue,
            },
            Insn::Store { size, base, offset, src } => match register(size, base, offset) {
                Some((cell, reg)) => (cell, mov(reg, src)),
                None => continue,
            },
            _ => continue,
        };
        *insn = new;
        node.because(Why::InRegister(cell));
    }
    !given.is_empty()
}

/// How often a cell is read or written.
fn uses(graph: &Graph, cell: Loc) -> usize {
    let touches = |work: &Work| match work {
        Work::Do { insn, .. } => {
            let effects = effects(insn);
            effects.reads.has(cell) || effects.writes().has(cell)
        }
        Work::Branch { .. } | Work::Exit | Work::Gone { .. } => false,
    };
    graph.nodes.iter().filter(|node| touches(&node.work)).count()
}

/// For each place, those that are written while it is needed, and the other way round: they cannot be one.
fn interference(graph: &Graph) -> [Locs; Loc::COUNT] {
    let mut apart = [Locs::NONE; Loc::COUNT];
    for (node, behind) in graph.nodes.iter().zip(needed_behind(graph)) {
        let Work::Do { insn, .. } = &node.work else { continue };
        for written in effects(insn).writes().iter() {
            for needed in behind.iter().filter(|&needed| needed != written) {
                apart[written.index()] = apart[written.index()].with(needed);
                apart[needed.index()] = apart[needed.index()].with(written);
            }
        }
    }
    apart
}
