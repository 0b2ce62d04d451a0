//! A program as a graph: one node an instruction, in the order of the program, and every edge goes forward.
//!
//! So one sweep from the first node to the last sees all that can come before a node before the node itself, and one
//! sweep back all that can come behind it. Jumps that always happen are edges, not nodes.

use super::Why;
use super::plain::Translated;
use crate::isa::{CmpOp, Insn, Reg, Src};
use crate::program::Pc;
use std::collections::HashMap;

/// A node's number.
pub(super) type At = usize;

/// The way to another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edge {
    /// The node.
    pub to: At,
    /// The last jump on the way that has been taken out: whose instruction it is, should one be needed again.
    pub via: Option<Pc>,
}

/// What a branch asks. `op` is one of `==`, `>`, `>=`, `&`, and of hardware types `s>=`: for the opposite, the
/// edges change places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Test {
    pub op: CmpOp,
    pub dst: Reg,
    pub src: Src,
}

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// Executes an instruction that is no jump.
    Do {
        insn: Insn,
        next: Edge,
        /// Of a packet load: that the packet is known to be long enough.
        inside: bool,
    },
    /// Goes one of two ways.
    Branch {
        test: Test,
        then: Edge,
        otherwise: Edge,
        /// The bits that the tested value may have set.
        may: u32,
    },
    /// Ends the program with r0.
    Exit,
    /// Nothing any more, for this reason; gone with the next [`Graph::compact`].
    Gone {
        why: Option<Why>,
        next: Edge,
        /// Whether it was a jump.
        jump: bool,
    },
}

/// An instruction.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub work: Work,
    /// The classic instruction it comes from.
    pub from: Option<Pc>,
    /// Why it looks as it does.
    pub why: Vec<Why>,
}

/// A program.
#[derive(Debug)]
pub(super) struct Graph {
    /// In the order of the program. The first one is where it begins.
    pub nodes: Vec<Node>,
    /// Why instructions are gone, in the order in which they went.
    pub gone: Vec<(Pc, Why)>,
    /// Why nodes were passed by, for those that nothing leads to since.
    pub passed: HashMap<At, Why>,
}

impl Work {
    /// Where it goes on, in the order then, otherwise.
    pub(super) fn edges(&self) -> impl Iterator<Item = Edge> + use<> {
        let (first, second) = match *self {
            Work::Do { next, .. } | Work::Gone { next, .. } => (Some(next), None),
            Work::Branch { then, otherwise, .. } => (Some(then), Some(otherwise)),
            Work::Exit => (None, None),
        };
        first.into_iter().chain(second)
    }

    pub(super) fn edges_mut(&mut self) -> impl Iterator<Item = &mut Edge> {
        let (first, second) = match self {
            Work::Do { next, .. } | Work::Gone { next, .. } => (Some(next), None),
            Work::Branch { then, otherwise, .. } => (Some(then), Some(otherwise)),
            Work::Exit => (None, None),
        };
        first.into_iter().chain(second)
    }
}

impl Node {
    /// Says why it looks as it does, unless it was said before.
    pub(super) fn because(&mut self, why: Why) {
        if !self.why.contains(&why) {
            self.why.push(why);
        }
    }
}

impl Graph {
    /// The graph of a translated program.
    pub(super) fn new(translated: Vec<Translated>) -> Self {
        let edge = |to: At| Edge { to, via: None };
        let nodes = translated.into_iter().enumerate().map(|(at, (insn, from, why))| {
            let landing = |offset: i16| edge((at + 1).wrapping_add_signed(offset.into()));
            let (next, may) = (edge(at + 1), u32::MAX);
            let work = match insn {
                Insn::Jump { offset } => {
                    // The second jump of a branch is no instruction of its own to anybody.
                    let why_gone = why.is_empty().then_some(Why::FallsThrough);
                    Work::Gone { why: why_gone, next: landing(offset), jump: true }
                }
                Insn::Branch { op, dst, src, offset, .. } => {
                    let (op, then, otherwise) = match op {
                        CmpOp::Ne => (CmpOp::Eq, next, landing(offset)),
                        CmpOp::Le => (CmpOp::Gt, next, landing(offset)),
                        CmpOp::Lt => (CmpOp::Ge, next, landing(offset)),
                        op => (op, landing(offset), next),
                    };
                    Work::Branch { test: Test { op, dst, src }, then, otherwise, may }
                }
                Insn::Exit => Work::Exit,
                insn => Work::Do { insn, next, inside: false },
            };
            // Which way a branch jumps is decided anew in the end.
            let why = why.into_iter().filter(|why| !matches!(why, Why::Inverted)).collect();
            Node { work, from, why }
        });
        let mut graph = Graph { nodes: nodes.collect(), gone: Vec::new(), passed: HashMap::new() };
        graph.compact();
        graph
    }

    /// Takes out nodes that do nothing or that nothing leads to, and remembers why.
    pub(super) fn compact(&mut self) {
        let mut reached = vec![false; self.nodes.len()];
        reached[0] = true;
        for at in 0..self.nodes.len() {
            if reached[at] {
                self.nodes[at].work.edges().for_each(|edge| reached[edge.to] = true);
            }
        }
        // From the end, so that what a node leads to is known already.
        let mut leads_to: Vec<Edge> = Vec::with_capacity(self.nodes.len());
        let count = self.nodes.len();
        for (at, node) in self.nodes.iter().enumerate().rev() {
            leads_to.push(match node.work {
                Work::Gone { next, jump, .. } => {
                    let beyond = leads_to[count - 1 - next.to];
                    let own = next.via.or(if jump { node.from } else { None });
                    Edge { to: beyond.to, via: beyond.via.or(own) }
                }
                Work::Do { .. } | Work::Branch { .. } | Work::Exit => Edge { to: at, via: None },
            });
        }
        leads_to.reverse();

        let mut numbers = vec![0; count];
        let mut kept = Vec::with_capacity(count);
        for (at, node) in std::mem::take(&mut self.nodes).into_iter().enumerate() {
            let why = match node.work {
                Work::Gone { why, .. } if reached[at] || why != Some(Why::FallsThrough) => why,
                _ if !reached[at] => Some(self.passed.get(&at).copied().unwrap_or(Why::Unreachable)),
                Work::Gone { .. } => None,
                Work::Do { .. } | Work::Branch { .. } | Work::Exit => {
                    numbers[at] = kept.len();
                    kept.push(node);
                    continue;
                }
            };
            self.gone.extend(node.from.zip(why));
        }
        for edge in kept.iter_mut().flat_map(|node| node.work.edges_mut()) {
            let beyond = leads_to[edge.to];
            *edge = Edge { to: numbers[beyond.to], via: beyond.via.or(edge.via) };
        }
        self.nodes = kept;
        self.passed.clear();
    }

    /// How many edges lead to each node; the first has one from outside.
    pub(super) fn ways_in(&self) -> Vec<usize> {
        let mut ways = vec![0; self.nodes.len()];
        ways[0] = 1;
        self.nodes.iter().flat_map(|node| node.work.edges()).for_each(|edge| ways[edge.to] += 1);
        ways
    }
}
