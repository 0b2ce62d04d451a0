//! Instructions that do together what one does alone, or what one does where another would put it.

use super::Why;
use super::backward::needed_behind;
use super::effects::{Loc, effects};
use super::graph::{At, Graph, Node, Test, Work};
use crate::isa::{AluOp, CmpOp, Insn, Reg, Size, Src, SwapKind, Width, eval};
use crate::program::Pc;

/// Puts single instructions in the place of pairs; whether there were any.
pub(super) fn merge(graph: &mut Graph) -> bool {
    let copies = in_place(graph);
    let masks = masks(graph);
    let swaps = swaps(graph);
    copies || masks || swaps
}

/// `w0 += w7` and `w7 = w0`, with nobody else asking for w0: `w7 += w0`. So also a load and a copy of it.
fn in_place(graph: &mut Graph) -> bool {
    let (ways_in, needed) = (graph.ways_in(), needed_behind(graph));
    let mut changed = false;
    for at in 0..graph.nodes.len() {
        let Work::Do { insn, next, inside } = graph.nodes[at].work else { continue };
        let Node { work: Work::Do { insn: copy, next: beyond, .. }, from, .. } = graph.nodes[next.to] else {
            continue;
        };
        let Insn::Alu { width: Width::W32, op: AluOp::Mov, dst: to, src: Src::Reg(through) } = copy else {
            continue;
        };
        if ways_in[next.to] != 1 || needed[next.to].has(through) {
            continue;
        }
        let new = match insn {
            Insn::Alu { width: Width::W32, op, dst, src: Src::Reg(src) }
                if dst == through && src == to && commutes(op) =>
            {
                Insn::Alu { width: Width::W32, op, dst: to, src: Src::Reg(dst) }
            }
            Insn::Load { size, signed, dst, base, offset } if dst == through => {
                Insn::Load { size, signed, dst: to, base, offset }
            }
            _ => continue,
        };
        let into = graph.nodes[at].from;
        let node = &mut graph.nodes[at];
        node.work = Work::Do { insn: new, next, inside };
        from.into_iter().for_each(|pc| node.because(Why::InPlace(pc)));
        let why = into.map_or(Why::Unused, Why::Merged);
        graph.nodes[next.to].work = Work::Gone { why: Some(why), next: beyond, jump: false };
        changed = true;
    }
    if changed {
        graph.compact();
    }
    changed
}

fn commutes(op: AluOp) -> bool {
    matches!(op, AluOp::Add | AluOp::Mul | AluOp::Or | AluOp::And | AluOp::Xor)
}

/// `w0 &= 7` and `if w0 == 0`, with nobody else asking for w0: `if w0 & 7`. So also a comparison with the only bit of
/// the mask.
fn masks(graph: &mut Graph) -> bool {
    let (ways_in, needed) = (graph.ways_in(), needed_behind(graph));
    let mut changed = false;
    for at in 0..graph.nodes.len() {
        let Work::Do { insn, next, .. } = graph.nodes[at].work else { continue };
        let Insn::Alu { width: Width::W32, op: AluOp::And, dst, src: Src::Imm(mask) } = insn else {
            continue;
        };
        let Work::Branch { test, then, otherwise, .. } = graph.nodes[next.to].work else { continue };
        if ways_in[next.to] != 1 || needed[next.to].has(dst) || (test.op, test.dst) != (CmpOp::Eq, dst) {
            continue;
        }
        let (then, otherwise) = match test.src {
            Src::Imm(0) => (otherwise, then),
            Src::Imm(bit) if bit == mask && (bit as u32).is_power_of_two() => (then, otherwise),
            _ => continue,
        };
        let (cut, asked) = (graph.nodes[at].from, graph.nodes[next.to].from);
        let test = Test { op: CmpOp::Set, dst, src: Src::Imm(mask) };
        // What the value may have been before it was masked is not known here.
        let branch = &mut graph.nodes[next.to];
        branch.work = Work::Branch { test, then, otherwise, may: u32::MAX };
        cut.into_iter().for_each(|pc| branch.because(Why::TestsBits(pc)));
        let why = asked.map_or(Why::Unused, Why::Merged);
        graph.nodes[at].work = Work::Gone { why: Some(why), next, jump: false };
        changed = true;
    }
    if changed {
        graph.compact();
    }
    changed
}

/// What a register is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wanted {
    /// Nothing.
    Not,
    /// To be compared with constants of two bytes, which a swap does not disturb.
    Compared,
    /// Something else.
    Whole,
}

/// Fields of two bytes in network order that are only compared with constants: the constants are swapped instead.
fn swaps(graph: &mut Graph) -> bool {
    let wanted = wanted(graph);
    let mut changed = false;
    for at in 0..graph.nodes.len() {
        let Work::Do { insn: Insn::Swap { kind: SwapKind::ToBe, size: Size::H, dst }, next, .. } =
            graph.nodes[at].work
        else {
            continue;
        };
        if dst != SWAPPED || wanted[next.to] != Wanted::Compared {
            continue;
        }
        let first = swap_constants(graph, &wanted, next.to);
        let why = first.map_or(Why::Unused, Why::Merged);
        graph.nodes[at].work = Work::Gone { why: Some(why), next, jump: false };
        changed = true;
    }
    if changed {
        graph.compact();
    }
    changed
}

/// The register that fields are swapped in: A.
const SWAPPED: Reg = Reg::R0;

/// What that register is wanted for before each node. Where ways meet, a value that came swapped could meet one that
/// did not, so behind that it counts as wanted whole.
fn wanted(graph: &Graph) -> Vec<Wanted> {
    let ways_in = graph.ways_in();
    let mut wanted = vec![Wanted::Not; graph.nodes.len()];
    for (at, node) in graph.nodes.iter().enumerate().rev() {
        let behind = node.work.edges().map(|edge| wanted[edge.to]).max().unwrap_or(Wanted::Not);
        let here = match &node.work {
            Work::Exit => Wanted::Whole,
            Work::Gone { .. } => behind,
            Work::Branch { test, .. } if test.src == Src::Reg(SWAPPED) => Wanted::Whole,
            Work::Branch { test, .. } if test.dst == SWAPPED => match (test.op, test.src) {
                (CmpOp::Eq | CmpOp::Set, Src::Imm(0..=0xffff)) => behind.max(Wanted::Compared),
                _ => Wanted::Whole,
            },
            Work::Branch { .. } => behind,
            Work::Do { insn, .. } => {
                let effects = effects(insn);
                if effects.reads.has(SWAPPED) {
                    Wanted::Whole
                } else if effects.writes().has(Loc::from(SWAPPED)) {
                    Wanted::Not
                } else {
                    behind
                }
            }
        };
        let meets = ways_in[at] > 1 && here == Wanted::Compared;
        wanted[at] = if meets { Wanted::Whole } else { here };
    }
    wanted
}

/// Swaps the constants that the register is compared with from `at` on; the first that it met.
fn swap_constants(graph: &mut Graph, wanted: &[Wanted], at: At) -> Option<Pc> {
    let (mut todo, mut first) = (vec![at], None);
    while let Some(at) = todo.pop() {
        if wanted[at] != Wanted::Compared {
            continue;
        }
        let node = &mut graph.nodes[at];
        if let Work::Branch { test, may, .. } = &mut node.work
            && test.dst == SWAPPED
            && let Src::Imm(constant) = &mut test.src
        {
            *constant = eval::swap(SwapKind::ToBe, Size::H, *constant as u64) as i32;
            *may = u32::MAX;
            first = first.or(node.from);
            node.because(Why::SwappedConstant);
        }
        todo.extend(graph.nodes[at].work.edges().map(|edge| edge.to));
    }
    first
}
