//! The sweep from the first instruction to the last: what is known before each one makes it simpler, or takes it out.
//!
//! Every rewriting ([`rewrite`]) puts one instruction in the place of one, or nothing, and every edge that is led elsewhere passes
//! fewer instructions: so the program becomes no longer and no path through it takes more steps.

use super::Why;
use super::effects::{self, Loc};
use super::graph::{At, Edge, Graph, Node, Test, Work};
use super::range::Range;
use super::rewrite;
use super::state::{Question, State};
use super::values::{Value, Values};
use crate::isa::{CmpOp, Insn, Reg, Src};
use std::collections::BTreeMap;

/// A test and where it leads.
struct Branch {
    test: Test,
    then: Edge,
    otherwise: Edge,
}

/// How many nodes an edge may pass at once. Long chains of jumps are rare, and looking along all of them from
/// everywhere would take the square of their length.
const MOST_PASSED: usize = 64;

/// Simplifies the whole program; whether anything changed.
pub(super) fn sweep(graph: &mut Graph) -> bool {
    let mut values = Values::default();
    let entry = State::entry(&mut values);
    let loads_packet = |node: &Node| matches!(node.work, Work::Do { insn: Insn::LoadPacket { .. }, .. });
    let loads_packet = graph.nodes.iter().any(loads_packet);
    let arriving = BTreeMap::from([(0, entry)]);
    let mut sweep = Sweep { graph, values, arriving, loads_packet, now: 0, changed: false };
    while let Some((at, state)) = sweep.arriving.pop_first() {
        sweep.now += 1;
        sweep.node(at, state);
    }
    let changed = sweep.changed;
    graph.compact();
    changed
}

struct Sweep<'a> {
    graph: &'a mut Graph,
    values: Values,
    /// What is known where edges have arrived at nodes that the sweep has not come to yet. All of them are behind
    /// the node that it is at, and the first is the next one.
    arriving: BTreeMap<At, State>,
    /// Whether the program has packet loads.
    loads_packet: bool,
    /// Counts nodes, for [`State::set`].
    now: u32,
    changed: bool,
}

impl Sweep<'_> {
    fn node(&mut self, at: At, mut state: State) {
        match self.graph.nodes[at].work {
            Work::Exit => return,
            Work::Branch { test, then, otherwise, .. } => {
                return self.branch(at, Branch { test, then, otherwise }, state);
            }
            Work::Do { insn, next, .. } => self.insn(at, insn, next, &mut state),
            Work::Gone { .. } => {}
        }
        if let Work::Do { next, .. } | Work::Gone { next, .. } = self.graph.nodes[at].work {
            let (next, _) = self.arrive(next, state);
            self.graph.nodes[at].work.edges_mut().for_each(|edge| *edge = next);
        }
    }

    /// The edge is taken with this state: where it leads when it passes what would change nothing, and whether that
    /// is a jump past something.
    fn arrive(&mut self, edge: Edge, mut state: State) -> (Edge, bool) {
        let (mut to, mut past) = (edge.to, false);
        for _ in 0..MOST_PASSED {
            // Control falls through to the first node that anything arrives at. It must not be led past one that stays
            // for others: that would take a jump, which costs what it saves.
            let falls = self.arriving.first_key_value().is_none_or(|(&first, _)| first >= to);
            let shared = self.arriving.contains_key(&to);
            if falls && shared {
                break;
            }
            let Some((next, why)) = self.passes(to, &mut state) else { break };
            past |= shared || !falls;
            self.graph.passed.insert(to, why);
            to = next;
        }
        match self.arriving.get_mut(&to) {
            Some(there) => there.merge(&state, &mut self.values),
            None => drop(self.arriving.insert(to, state)),
        }
        self.changed |= to != edge.to;
        (Edge { to, ..edge }, past)
    }

    /// Where a node leads that does nothing in this state, and why it does not.
    fn passes(&mut self, at: At, state: &mut State) -> Option<(At, Why)> {
        match self.graph.nodes[at].work {
            Work::Exit => None,
            Work::Gone { next, why, .. } => Some((next.to, why.unwrap_or(Why::FallsThrough))),
            Work::Do { insn, next, .. } => {
                let (loc, value) = self.evaluate(&insn, state)?;
                (state.get(loc, &mut self.values) == Some(value)).then_some((next.to, Why::There))
            }
            Work::Branch { test, then, otherwise, .. } => {
                let question = self.question(test, state)?;
                let answer = state.answer(question, &self.values)?;
                Some((if answer { then.to } else { otherwise.to }, Why::Decided))
            }
        }
    }

    fn gone(&mut self, at: At, why: Why, next: Edge, jump: bool) {
        self.graph.nodes[at].work = Work::Gone { why: Some(why), next, jump };
        self.changed = true;
    }

    // Instructions.

    /// Where the instruction's result goes and what it is, if it has one that can be told.
    fn evaluate(&mut self, insn: &Insn, state: &State) -> Option<(Loc, Value)> {
        let (loc, value) = rewrite::expression(insn, state, &mut self.values)?;
        Some((loc, state.resolved(value, &mut self.values)))
    }

    /// Executes and simplifies the instruction at `at`.
    fn insn(&mut self, at: At, insn: Insn, next: Edge, state: &mut State) {
        let known = self.evaluate(&insn, state);
        if let Some((loc, value)) = known {
            if state.get(loc, &mut self.values) == Some(value) {
                return self.gone(at, Why::There, next, false);
            }
            let copy = rewrite::copy(&insn, loc, value, state, &mut self.values);
            let new = copy.or_else(|| rewrite::operands(&insn, state, &mut self.values, !self.loads_packet));
            if let Some((new, why)) = new.filter(|(new, _)| *new != insn) {
                self.graph.nodes[at].work = Work::Do { insn: new, next, inside: false };
                self.graph.nodes[at].because(why);
                self.changed = true;
            }
        }
        // What is executed now, simplified or not.
        let Work::Do { insn, inside, .. } = &mut self.graph.nodes[at].work else { return };
        if let Insn::LoadPacket { size, from } = *insn
            && let Some((base, offset)) = rewrite::place(from, state, &mut self.values)
        {
            *inside = state.reaches(size, base, offset);
            state.reached(size, base, offset, &self.values);
        }
        let effects = effects::effects(insn);
        state.forget(effects.writes());
        match known {
            Some((loc, value)) => state.set(loc, value, self.now),
            None => {
                for loc in effects.result.into_iter().chain([Reg::R0.into()]) {
                    if effects.writes().has(loc) {
                        let value = self.values.unknown(Range::ANY);
                        state.set(loc, value, self.now);
                    }
                }
            }
        }
    }

    // Branches.

    fn question(&mut self, test: Test, state: &State) -> Option<Question> {
        let a = state.get(test.dst, &mut self.values)?;
        let b = rewrite::operand(test.src, state, &mut self.values)?;
        Some(Question { op: test.op, a, b })
    }

    fn branch(&mut self, at: At, branch: Branch, state: State) {
        let Branch { mut test, mut then, mut otherwise } = branch;
        let question = self.question(test, &state);
        let decided = match question.and_then(|question| state.answer(question, &self.values)) {
            Some(answer) => Some(if answer { then } else { otherwise }),
            None => (then.to == otherwise.to).then_some(otherwise),
        };
        if let Some(edge) = decided {
            let (edge, _) = self.arrive(edge, state);
            return self.gone(at, Why::Decided, edge, true);
        }
        let (mut yes, mut no) = (state.clone(), state.clone());
        let (mut may, mut why) = (u32::MAX, Vec::new());
        if let Some(question) = question {
            let Question { a, b, .. } = question;
            yes.learn(question, true, &self.values);
            no.learn(question, false, &self.values);
            let mut value = a;
            if self.values.as_number(a).is_some()
                && let Src::Reg(other) = test.src
                && let Some((op, turned)) = mirrored(test.op)
            {
                (test, value) = (Test { op, dst: other, src: Src::Reg(test.dst) }, b);
                if turned {
                    ((then, yes), (otherwise, no)) = ((otherwise, no), (then, yes));
                }
            }
            let first = state.register_of(value).unwrap_or(test.dst);
            let (src, better) = rewrite::better(test.src, &state, &mut self.values);
            why.extend((src != test.src).then_some(better));
            why.extend((first != test.dst).then_some(Why::First));
            (test.dst, test.src) = (first, src);
            may = state.range(value, &self.values).may;
            if let (CmpOp::Set, Src::Imm(mask)) = (test.op, test.src)
                && may & !(mask as u32) == 0
            {
                test = Test { op: CmpOp::Eq, src: Src::Imm(0), ..test };
                ((then, yes), (otherwise, no)) = ((otherwise, no), (then, yes));
                why.push(Why::AnyBit);
            }
        }
        self.changed |= branch.test != test;
        // What comes next first, or the other edge would seem to fall through.
        let past;
        if then.to < otherwise.to {
            let (way, other) = (self.arrive(then, yes), self.arrive(otherwise, no));
            (then, otherwise, past) = (way.0, other.0, way.1 || other.1);
        } else {
            let (other, way) = (self.arrive(otherwise, no), self.arrive(then, yes));
            (then, otherwise, past) = (way.0, other.0, way.1 || other.1);
        }
        why.extend(past.then_some(Why::Straight));
        let node = &mut self.graph.nodes[at];
        node.work = Work::Branch { test, then, otherwise, may };
        why.into_iter().for_each(|why| node.because(why));
    }
}

/// The comparison with its operands exchanged, and whether its answer is then the opposite.
fn mirrored(op: CmpOp) -> Option<(CmpOp, bool)> {
    match op {
        CmpOp::Eq | CmpOp::Set => Some((op, false)),
        CmpOp::Gt => Some((CmpOp::Ge, true)),
        CmpOp::Ge => Some((CmpOp::Gt, true)),
        _ => None,
    }
}
