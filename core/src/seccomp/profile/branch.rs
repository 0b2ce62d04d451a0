//! The rules for one number: a branch for each, made of tests of words.

use super::code::{Graph, Node, Test, Word};
use super::{Comparison, Condition, Rule};
use crate::classic::CmpOp;
use crate::context::seccomp::ARGUMENTS;
use crate::diagnostic::Span;
use crate::seccomp::arch::Arch;

/// A rule as it is for one number.
pub(super) struct Branch<'a> {
    /// All must hold.
    pub(super) conditions: Vec<Wanted<'a>>,
    pub(super) rule: &'a Rule,
}

/// A condition of a branch.
pub(super) enum Wanted<'a> {
    /// The profile's.
    Condition(&'a Condition),
    /// The first argument of a call that stands for many.
    First(u32),
}

/// Where the rules for one number begin. `whole` is the place of what comes from no condition.
pub(super) fn chain(
    graph: &mut Graph,
    arch: Arch,
    branches: &[Branch<'_>],
    default: Node,
    whole: &Span,
) -> Node {
    let parts: Vec<Vec<Part<'_>>> = branches
        .iter()
        .map(|branch| branch.conditions.iter().flat_map(|wanted| wanted.parts(arch, whole)).collect())
        .collect();
    if let Some((branch, _)) = branches.iter().zip(&parts).find(|(_, parts)| parts.is_empty()) {
        return graph.action(branch.rule.action, &branch.rule.action_span);
    }
    let mut after = After { default, branches: Vec::with_capacity(branches.len()) };
    for (branch, parts) in branches.iter().zip(&parts).rev() {
        let mut yes = graph.action(branch.rule.action, &branch.rule.action_span);
        let mut nodes = vec![yes];
        for (at, part) in parts.iter().enumerate().rev() {
            let held: Vec<Test> = parts[..at].iter().filter_map(Part::needed).collect();
            yes = part.node(graph, yes, &held, &after);
            nodes.push(yes);
        }
        nodes.reverse();
        let needed = parts.iter().filter_map(Part::needed).collect();
        let leading = parts.iter().map_while(Part::needed).count();
        after.branches.push(Built { nodes, needed, leading });
    }
    after.next(&[], None)
}

impl Wanted<'_> {
    /// As tests of words, all of which must hold.
    fn parts<'a>(&'a self, arch: Arch, whole: &'a Span) -> Vec<Part<'a>> {
        let (condition, span) = match self {
            Wanted::First(number) => {
                let tests = Words::of(arch, 0).equal(u64::MAX, u64::from(*number));
                return tests.into_iter().map(|test| Part::Test { test, span: whole }).collect();
            }
            Wanted::Condition(condition) => (condition, &condition.span),
        };
        let Condition { index, op, value, second, .. } = **condition;
        let words = Words::of(arch, index);
        let tests = |mask, value| {
            words.equal(mask, value).into_iter().map(|test| Part::Test { test, span }).collect()
        };
        let order = |op, holds| vec![Part::Order { words, op, value, holds, span }];
        match op {
            Comparison::Eq => tests(u64::MAX, value),
            Comparison::MaskedEq => tests(value, second & value),
            Comparison::Ne => vec![Part::Differs { tests: words.equal(u64::MAX, value), span }],
            Comparison::Gt => order(CmpOp::Gt, true),
            Comparison::Ge => order(CmpOp::Ge, true),
            Comparison::Le => order(CmpOp::Gt, false),
            Comparison::Lt => order(CmpOp::Ge, false),
        }
    }
}

/// A part of a branch.
enum Part<'a> {
    /// This test holds.
    Test { test: Test, span: &'a Span },
    /// Not all of these hold.
    Differs { tests: Vec<Test>, span: &'a Span },
    /// The argument is greater ([`CmpOp::Gt`]), or greater or equal ([`CmpOp::Ge`]), or it is not.
    Order { words: Words, op: CmpOp, value: u64, holds: bool, span: &'a Span },
}

impl Part<'_> {
    /// The test that must hold, if it is one.
    fn needed(&self) -> Option<Test> {
        match self {
            Part::Test { test, .. } => Some(*test),
            Part::Differs { .. } | Part::Order { .. } => None,
        }
    }

    /// Where it begins, `yes` being what follows when it holds. `held` are tests that have held before.
    fn node(&self, graph: &mut Graph, yes: Node, held: &[Test], after: &After) -> Node {
        match self {
            Part::Test { test, span } => graph.test(*test, yes, after.next(held, Some(*test)), span),
            Part::Differs { tests, span } => {
                let equal = after.next(held, None);
                tests.iter().rev().fold(equal, |equal, test| graph.test(*test, equal, yes, span))
            }
            Part::Order { words, op, value, holds, span } => {
                let no = after.next(held, None);
                let (yes, no) = if *holds { (yes, no) } else { (no, yes) };
                words.greater(graph, *op, *value, yes, no, span)
            }
        }
    }
}

/// The branches behind one that is being made.
struct After {
    /// When none holds.
    default: Node,
    /// The last one first.
    branches: Vec<Built>,
}

/// A branch whose nodes are made.
struct Built {
    /// Where each part begins, and at the end the action.
    nodes: Vec<Node>,
    /// Tests that must hold.
    needed: Vec<Test>,
    /// How many parts at the beginning are such tests.
    leading: usize,
}

impl After {
    /// Where to go on when a branch does not hold, but these tests of it did, and perhaps one did not: branches that
    /// need that one are passed over, and what is known is not asked again.
    fn next(&self, held: &[Test], failed: Option<Test>) -> Node {
        let possible = |built: &&Built| failed.is_none_or(|failed| !built.needed.contains(&failed));
        let Some(built) = self.branches.iter().rev().find(possible) else { return self.default };
        let known = built.needed[..built.leading].iter().take_while(|test| held.contains(test)).count();
        built.nodes[known]
    }
}

/// The two words of an argument.
#[derive(Clone, Copy)]
struct Words {
    low: u32,
    /// `None` where arguments have 32 bits.
    high: Option<u32>,
}

impl Words {
    fn of(arch: Arch, index: usize) -> Self {
        let low = (ARGUMENTS + 8 * index) as u32;
        Words { low, high: arch.has_wide_arguments().then_some(low + 4) }
    }

    /// The tests that are an equality of the bits in `mask`, the upper word first.
    fn equal(self, mask: u64, value: u64) -> Vec<Test> {
        let part = |offset, shift: u32| {
            let mask = (mask >> shift) as u32;
            (mask != 0).then_some(Test {
                word: Word { offset, mask },
                op: CmpOp::Eq,
                k: (value >> shift) as u32,
            })
        };
        let high = self.high.and_then(|offset| part(offset, 32));
        high.into_iter().chain(part(self.low, 0)).collect()
    }

    fn greater(self, graph: &mut Graph, op: CmpOp, value: u64, yes: Node, no: Node, span: &Span) -> Node {
        let test = |offset, op, k| Test { word: Word { offset, mask: u32::MAX }, op, k };
        let (low, high) = (value as u32, (value >> 32) as u32);
        let lower = graph.test(test(self.low, op, low), yes, no, span);
        let Some(offset) = self.high else { return lower };
        // Not above 0 is 0, and nothing is above the greatest.
        let equal = match high {
            0 => lower,
            _ => graph.test(test(offset, CmpOp::Eq, high), lower, no, span),
        };
        graph.test(test(offset, CmpOp::Gt, high), yes, equal, span)
    }
}
