//! The sweep from the last instruction back to the first: what nobody uses is taken out.

use super::Why;
use super::effects::{Locs, effects};
use super::graph::{Graph, Work};
use crate::isa::{Insn, Reg, Src};

/// What is needed behind each node: what it must leave as it is, or write.
pub(super) fn needed_behind(graph: &Graph) -> Vec<Locs> {
    liveness(graph, |_, _| false)
}

/// Takes out what nobody uses; whether there was anything.
pub(super) fn sweep(graph: &mut Graph) -> bool {
    let mut unused = Vec::new();
    liveness(graph, |at, behind| {
        let out = is_unused(&graph.nodes[at].work, behind);
        unused.extend(out.then_some(at));
        out
    });
    for &at in &unused {
        if let Work::Do { insn, next, .. } = graph.nodes[at].work {
            let why = if matches!(insn, Insn::Store { .. }) { Why::DeadStore } else { Why::Unused };
            graph.nodes[at].work = Work::Gone { why: Some(why), next, jump: false };
        }
    }
    if !unused.is_empty() {
        graph.compact();
    }
    !unused.is_empty()
}

/// What is needed behind each node, if those that `left_out` names are not there.
fn liveness(graph: &Graph, mut left_out: impl FnMut(usize, Locs) -> bool) -> Vec<Locs> {
    let mut before = vec![Locs::NONE; graph.nodes.len()];
    let mut behind = before.clone();
    for (at, node) in graph.nodes.iter().enumerate().rev() {
        let after = node.work.edges().fold(Locs::NONE, |locs, edge| locs.union(before[edge.to]));
        behind[at] = after;
        before[at] = match &node.work {
            Work::Exit => Locs::NONE.with(Reg::R0),
            Work::Gone { .. } => after,
            Work::Branch { test, .. } => match test.src {
                Src::Reg(reg) => after.with(test.dst).with(reg),
                Src::Imm(_) => after.with(test.dst),
            },
            Work::Do { .. } if left_out(at, after) => after,
            Work::Do { insn, .. } => {
                let effects = effects(insn);
                after.without(effects.writes()).union(effects.reads)
            }
        };
    }
    behind
}

/// Whether an instruction is good for nothing but a result that is not needed. A packet load also ends the program
/// when it is outside, so it stays unless it is known to be inside.
fn is_unused(work: &Work, behind: Locs) -> bool {
    let Work::Do { insn, inside, .. } = work else { return false };
    let effects = effects(insn);
    effects.result.is_some_and(|result| !behind.has(result)) && (!effects.may_end || *inside)
}
