//! Decisions as a graph of tests, and the graph as classic instructions.
//!
//! Nodes are made from the end: what a test leads to is there before it. So a node's number is greater than those of
//! all it leads to, instructions are laid out by falling numbers, and every jump goes forward. Equal nodes are one.

use crate::classic::{AluOp, CmpOp, Insn, Operand, PacketOffset, Returned};
use crate::context::seccomp::Action;
use crate::diagnostic::Span;
use crate::isa::Size;
use std::collections::HashMap;

/// A node of the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Node(usize);

/// What a test looks at: a word of the record, or some bits of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Word {
    /// Where it is.
    pub(super) offset: u32,
    /// The bits; the others are taken for 0.
    pub(super) mask: u32,
}

/// A comparison of a word with a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Test {
    pub(super) word: Word,
    pub(super) op: CmpOp,
    pub(super) k: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Return(u32),
    Test { test: Test, yes: Node, no: Node },
}

/// The graph, growing.
#[derive(Debug, Default)]
pub(super) struct Graph {
    steps: Vec<(Step, Span)>,
    known: HashMap<Step, Node>,
}

impl Graph {
    /// The end: this action.
    pub(super) fn action(&mut self, action: Action, span: &Span) -> Node {
        self.node(Step::Return(action.value()), span)
    }

    /// A test and where it leads; no test when that is decided without.
    pub(super) fn test(&mut self, test: Test, yes: Node, no: Node, span: &Span) -> Node {
        match (test.op, test.k) {
            _ if yes == no => yes,
            (CmpOp::Ge, 0) => yes,
            (CmpOp::Gt, u32::MAX) => no,
            _ => self.node(Step::Test { test, yes, no }, span),
        }
    }

    /// The first of equal nodes says where they come from.
    fn node(&mut self, step: Step, span: &Span) -> Node {
        *self.known.entry(step).or_insert_with(|| {
            self.steps.push((step, span.clone()));
            Node(self.steps.len() - 1)
        })
    }

    /// The instructions from `root` on, each with the part of the profile that it comes from.
    pub(super) fn code(&self, root: Node) -> Vec<(Insn, Span)> {
        let (reached, needs_load) = self.reached(root);
        let mut code = Backwards { out: Vec::new() };
        let mut entries = vec![Entry::default(); root.0 + 1];
        for number in (0..=root.0).filter(|&number| reached[number]) {
            let (step, span) = &self.steps[number];
            match *step {
                Step::Return(value) => {
                    let at = code.push(Insn::Return(Returned::K(value)), span);
                    entries[number] = Entry { fresh: at, loaded: at };
                }
                Step::Test { test, yes, no } => {
                    let Test { word, op, k } = test;
                    let places = [yes, no].map(|node| {
                        let loaded = self.holds(node, word);
                        code.bring_near(&mut entries[node.0], &self.steps[node.0], loaded)
                    });
                    let [jt, jf] = places.map(|place| code.skip_to(place));
                    let loaded = code.push(Insn::Branch { op, with: Operand::K(k), jt, jf }, span);
                    let mut fresh = loaded;
                    if needs_load[number] {
                        if word.mask != u32::MAX {
                            code.push(Insn::Alu(AluOp::And, Operand::K(word.mask)), span);
                        }
                        let from = PacketOffset::Abs(word.offset);
                        fresh = code.push(Insn::LoadPacket { size: Size::W, from }, span);
                    }
                    entries[number] = Entry { fresh, loaded };
                }
            }
        }
        code.out.reverse();
        code.out
    }

    /// Which nodes are reached from `root`, and which of them by a way on which A is not what they look at.
    fn reached(&self, root: Node) -> (Vec<bool>, Vec<bool>) {
        let mut reached = vec![false; root.0 + 1];
        let mut needs_load = vec![false; root.0 + 1];
        (reached[root.0], needs_load[root.0]) = (true, true);
        for number in (0..=root.0).rev().filter(|&number| number < self.steps.len()) {
            if let (true, Step::Test { test, yes, no }) = (reached[number], self.steps[number].0) {
                for node in [yes, no] {
                    reached[node.0] = true;
                    needs_load[node.0] |= !self.holds(node, test.word);
                }
            }
        }
        (reached, needs_load)
    }

    /// Whether a node that is reached with `word` in A looks at just that.
    fn holds(&self, node: Node, word: Word) -> bool {
        matches!(self.steps[node.0].0, Step::Test { test, .. } if test.word == word)
    }
}

/// Where a node's instructions begin, counted from the end of the code.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    /// With whatever in A.
    fresh: usize,
    /// With A as the node wants it.
    loaded: usize,
}

/// Code that grows at its front.
struct Backwards {
    out: Vec<(Insn, Span)>,
}

impl Backwards {
    fn push(&mut self, insn: Insn, span: &Span) -> usize {
        self.out.push((insn, span.clone()));
        self.out.len() - 1
    }

    /// Where a node is that a branch which is put in front now can reach. What is too far is brought nearer: an end is
    /// written once more, all else gets a jump.
    fn bring_near(&mut self, entry: &mut Entry, (step, span): &(Step, Span), loaded: bool) -> usize {
        // A branch skips up to 255, and the other of its two targets may be brought in between.
        const NEAR: usize = 253;
        let place = if loaded { entry.loaded } else { entry.fresh };
        let distance = self.distance(place);
        if distance <= NEAR {
            return place;
        }
        match *step {
            Step::Return(value) => {
                let at = self.push(Insn::Return(Returned::K(value)), span);
                // As good as the original for all that comes before it.
                *entry = Entry { fresh: at, loaded: at };
                at
            }
            Step::Test { .. } => self.push(Insn::Jump(distance as u32), span),
        }
    }

    /// How many instructions are between what is put in front now and a place.
    fn distance(&self, place: usize) -> usize {
        self.out.len() - place - 1
    }

    fn skip_to(&self, place: usize) -> u8 {
        u8::try_from(self.distance(place)).expect("it was brought near")
    }
}
