//! From the graph back to a list: which way branches jump, what is shared, and where a jump is needed after all.
//!
//! Nodes stay in the order of the program, so that all jumps go forward. A branch jumps to what is not next; a
//! comparison that has an opposite can do so either way.

use super::Why;
use super::graph::{At, Edge, Graph, Node, Test, Work};
use super::plain::Translated;
use crate::isa::{AluOp, CmpOp, Insn, Reg, Src, Width};
use std::collections::HashMap;

/// How a node goes on to others than the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Onward {
    /// It does not: it falls through, or ends.
    Falls,
    /// It jumps.
    Goes(Edge),
    /// It is a branch, and where that does not jump it falls through or jumps, too.
    Branches { op: CmpOp, src: Src, why: Option<Why>, to: Edge, else_to: Option<Edge> },
}

impl Graph {
    fn onward(&self, at: At) -> Onward {
        let next = at + 1;
        match self.nodes[at].work {
            Work::Exit => Onward::Falls,
            Work::Do { next: edge, .. } | Work::Gone { next: edge, .. } if edge.to == next => Onward::Falls,
            Work::Do { next: edge, .. } | Work::Gone { next: edge, .. } => Onward::Goes(edge),
            Work::Branch { test, then, otherwise, may } => {
                let opposite = opposite(test, may);
                let ends = |edge: Edge| self.is_return(edge.to);
                // Of two that are not next, the return is better jumped to behind: a copy of it does.
                let turned = then.to == next || (otherwise.to != next && ends(then) && !ends(otherwise));
                let straight = Onward::Branches {
                    op: test.op,
                    src: test.src,
                    why: None,
                    to: then,
                    else_to: (otherwise.to != next).then_some(otherwise),
                };
                match opposite {
                    Some((op, src, why)) if turned => {
                        let else_to = (then.to != next).then_some(then);
                        Onward::Branches { op, src, why: Some(why), to: otherwise, else_to }
                    }
                    _ => straight,
                }
            }
        }
    }

    /// Whether a node returns, itself or after setting r0 to a constant.
    fn is_return(&self, at: At) -> bool {
        match self.nodes[at].work {
            Work::Exit => true,
            Work::Do {
                insn: Insn::Alu { op: AluOp::Mov, dst: Reg::R0, src: Src::Imm(_), .. }, next, ..
            } => self.nodes[next.to].work == Work::Exit,
            Work::Do { .. } | Work::Branch { .. } | Work::Gone { .. } => false,
        }
    }

    /// How many instructions the list will have.
    fn length(&self) -> usize {
        let more = |at| match self.onward(at) {
            Onward::Falls | Onward::Branches { else_to: None, .. } => 0,
            Onward::Goes(_) | Onward::Branches { else_to: Some(_), .. } => 1,
        };
        (0..self.nodes.len()).map(|at| 1 + more(at)).sum()
    }
}

/// The comparison that holds when this one does not, with its operand, and why it is another one.
fn opposite(test: Test, may: u32) -> Option<(CmpOp, Src, Why)> {
    let op = match test.op {
        CmpOp::Eq => CmpOp::Ne,
        CmpOp::Gt => CmpOp::Le,
        CmpOp::Ge => CmpOp::Lt,
        CmpOp::SGe => CmpOp::SLt,
        CmpOp::Set => {
            // If no bit above the mask's lowest can be set but those of the mask, they are set in what is not below it.
            let Src::Imm(mask) = test.src else { return None };
            let lowest = 1u32.checked_shl(mask.trailing_zeros())?;
            let highest = may & !(mask as u32) & !(lowest - 1) == 0;
            return highest.then_some((CmpOp::Lt, Src::Imm(lowest as i32), Why::Highest));
        }
        _ => return None,
    };
    Some((op, test.src, Why::Inverted))
}

/// A number for each node, the same for those that do the same from there to the end.
fn kinds(graph: &Graph) -> Vec<usize> {
    /// What a node does, and the kinds of where it goes on.
    #[derive(PartialEq, Eq, Hash)]
    enum Kind {
        Do(Insn, usize),
        Branch(Test, usize, usize),
        Exit,
    }
    let mut numbers: HashMap<Kind, usize> = HashMap::new();
    let mut kinds = vec![0; graph.nodes.len()];
    for (at, node) in graph.nodes.iter().enumerate().rev() {
        let kind = match node.work {
            Work::Do { insn, next, .. } => Kind::Do(insn, kinds[next.to]),
            Work::Branch { test, then, otherwise, .. } => {
                Kind::Branch(test, kinds[then.to], kinds[otherwise.to])
            }
            Work::Exit => Kind::Exit,
            Work::Gone { next, .. } => {
                kinds[at] = kinds[next.to];
                continue;
            }
        };
        let new = numbers.len();
        kinds[at] = *numbers.entry(kind).or_insert(new);
    }
    kinds
}

/// Takes out branches between equal ends of the program, and leads what jumps to one of several equal ends to another
/// further on; whether there were any.
pub(super) fn share(graph: &mut Graph) -> bool {
    let kinds = kinds(graph);
    let mut changed = false;
    for at in 0..graph.nodes.len() {
        if let Work::Branch { then, otherwise, .. } = graph.nodes[at].work
            && kinds[then.to] == kinds[otherwise.to]
        {
            let next = if then.to == at + 1 { then } else { otherwise };
            graph.nodes[at].work = Work::Gone { why: Some(Why::Decided), next, jump: true };
            changed = true;
        }
    }
    if !changed {
        let equal = equal_ends(graph, &kinds);
        changed = !equal.is_empty();
        for (nodes, other) in equal {
            for edge in graph.nodes.iter_mut().flat_map(|node| node.work.edges_mut()) {
                edge.to = if edge.to == nodes.start { other } else { edge.to };
            }
            let why = graph.nodes[other].from.map(Why::Shared);
            graph.passed.extend(nodes.flat_map(|at| why.map(|why| (at, why))));
        }
    }
    if changed {
        graph.compact();
    }
    changed
}

/// Nodes that would go if what leads to the first of them were led to another node, and that other node.
fn equal_ends(graph: &Graph, kinds: &[usize]) -> Vec<(std::ops::Range<At>, At)> {
    let ways_in = graph.ways_in();
    let mut last_way_in = vec![0; graph.nodes.len()];
    for (at, node) in graph.nodes.iter().enumerate() {
        node.work.edges().for_each(|edge| last_way_in[edge.to] = at);
    }
    // What goes with a node: all that follows, as far as nobody else comes in.
    let behind = |at: At| {
        let mut end = at;
        while let Work::Do { next, .. } = graph.nodes[end].work
            && next.to == end + 1
            && ways_in[end + 1] == 1
        {
            end += 1;
        }
        end + 1
    };
    let mut found = Vec::new();
    let (mut last_of, mut before_last) = (HashMap::new(), HashMap::new());
    for at in (0..graph.nodes.len()).rev() {
        let last = *last_of.entry(kinds[at]).or_insert(at);
        if last == at {
            continue;
        }
        before_last.entry(kinds[at]).or_insert(at);
        let behind = behind(at);
        if only_jumped_to(graph, at, behind) {
            found.push((at..behind, last));
        }
    }
    // The last of its kind can go if the one before it is still ahead of all that leads to it. One at a time, as that
    // one must stay now.
    if found.is_empty() {
        let mut ahead: Vec<(At, At)> =
            before_last.iter().map(|(kind, &before)| (last_of[kind], before)).collect();
        ahead.sort_unstable();
        let goes = |&(last, before): &(At, At)| {
            last_way_in[last] < before && only_jumped_to(graph, last, behind(last))
        };
        found.extend(ahead.into_iter().find(goes).map(|(last, before)| (last..behind(last), before)));
    }
    found
}

/// Whether leading everything that comes to `at` elsewhere takes no jump that was not there before, if the nodes from
/// `at` to `behind` go: nothing falls through to it, or a branch that could as well fall through to what is behind.
fn only_jumped_to(graph: &Graph, at: At, behind: At) -> bool {
    let Some(before) = at.checked_sub(1) else { return false };
    match (graph.onward(before), graph.nodes[before].work) {
        (Onward::Falls, work) => work == Work::Exit,
        (Onward::Goes(_) | Onward::Branches { else_to: Some(_), .. }, _) => true,
        (Onward::Branches { to, .. }, Work::Branch { test, then, may, .. }) => {
            to.to == behind && (then.to == at || opposite(test, may).is_some())
        }
        (Onward::Branches { .. }, _) => false,
    }
}

/// Puts copies of returns in the place of jumps to them, as long as the list becomes no longer than `most`.
pub(super) fn copy_returns(graph: &mut Graph, most: usize) {
    let mut room = most.saturating_sub(graph.length());
    let mut copies: Vec<Vec<At>> = Vec::with_capacity(graph.nodes.len());
    for at in 0..graph.nodes.len() {
        let jump = match graph.onward(at) {
            Onward::Goes(edge) | Onward::Branches { else_to: Some(edge), .. } => Some(edge.to),
            Onward::Falls | Onward::Branches { else_to: None, .. } => None,
        };
        let copied = jump.filter(|&to| graph.is_return(to)).map_or_else(Vec::new, |to| {
            let behind = graph.nodes[to].work.edges().map(|edge| edge.to);
            [to].into_iter().chain(behind).collect()
        });
        // One instruction stands where the jump stood, the other is one more.
        let more = copied.len().saturating_sub(1);
        let fits = more <= room;
        room -= if fits { more } else { 0 };
        copies.push(if fits { copied } else { Vec::new() });
    }
    let mut numbers = Vec::with_capacity(copies.len());
    let mut count = 0;
    for copied in &copies {
        numbers.push(count);
        count += 1 + copied.len();
    }
    let old = std::mem::take(&mut graph.nodes);
    for (at, copied) in copies.iter().enumerate() {
        let mut node = old[at].clone();
        for edge in node.work.edges_mut() {
            let own = copied.first() == Some(&edge.to);
            edge.to = if own { numbers[at] + 1 } else { numbers[edge.to] };
        }
        graph.nodes.push(node);
        for &from in copied {
            let mut node = old[from].clone();
            let beyond = graph.nodes.len() + 1;
            node.work.edges_mut().for_each(|edge| edge.to = beyond);
            node.because(Why::OwnReturn);
            graph.nodes.push(node);
        }
    }
    graph.compact();
}

/// The list of instructions.
pub(super) fn list(graph: &Graph) -> Vec<Translated> {
    let mut out: Vec<Translated> = Vec::with_capacity(graph.length());
    let mut starts = Vec::with_capacity(graph.nodes.len());
    let mut jumps: Vec<(usize, At)> = Vec::new();
    for (at, node) in graph.nodes.iter().enumerate() {
        starts.push(out.len());
        let Node { work, from, why } = node;
        let insn = match *work {
            Work::Do { insn, .. } => insn,
            Work::Exit => Insn::Exit,
            Work::Branch { .. } | Work::Gone { .. } => Insn::Jump { offset: 0 },
        };
        let (onward, why) = (graph.onward(at), why.clone());
        let mut push = |insn, from, why, to: Option<Edge>| {
            jumps.extend(to.map(|to| (out.len(), to.to)));
            out.push((insn, from, why));
        };
        let goto = |edge: Edge| (Insn::Jump { offset: 0 }, edge.via.or(*from));
        match (onward, work) {
            (Onward::Branches { op, src, why: inverted, to, else_to }, Work::Branch { test, .. }) => {
                let mut why: Vec<Why> = inverted.into_iter().chain(why).collect();
                // The constant may have become another one.
                why.retain(|why| *why != Why::Wide);
                why.extend(matches!(src, Src::Imm(..0)).then_some(Why::Wide));
                let branch = Insn::Branch { width: Width::W32, op, dst: test.dst, src, offset: 0 };
                push(branch, *from, why, Some(to));
                if let Some(edge) = else_to {
                    let (insn, from) = goto(edge);
                    let why = if opposite(*test, 0).is_none() { Why::NoOpposite } else { Why::OtherCase };
                    push(insn, from, vec![why], Some(edge));
                }
            }
            (Onward::Goes(edge), _) => {
                push(insn, *from, why, None);
                let (insn, from) = goto(edge);
                push(insn, from, Vec::new(), Some(edge));
            }
            (Onward::Falls | Onward::Branches { .. }, _) => push(insn, *from, why, None),
        }
    }
    for (at, target) in jumps {
        let distance = i16::try_from(starts[target] - at - 1)
            .expect("the list is no longer than the plain translation, whose jumps reach");
        if let Insn::Jump { offset } | Insn::Branch { offset, .. } = &mut out[at].0 {
            *offset = distance;
        }
    }
    out
}
