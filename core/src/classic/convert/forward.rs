//! The sweep from the first instruction to the last: what is known before each one makes it simpler, or takes it out.
//!
//! Every rewriting puts one instruction in the place of one, or nothing, and every edge that is led elsewhere passes
//! fewer instructions: so the program becomes no longer and no path through it takes more steps.

use super::Why;
use super::effects::{self, Loc};
use super::graph::{At, Edge, Graph, Node, Test, Work};
use super::state::{Question, State};
use super::values::{Expr, Value, Values};
use crate::isa::{AluOp, Callee, CmpOp, Insn, PacketOffset, Reg, Size, Src, SwapKind, Width};
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

    fn rewrite(&mut self, at: At, new: Insn, why: Why) {
        if let Work::Do { insn, .. } = &mut self.graph.nodes[at].work
            && *insn != new
        {
            *insn = new;
            self.graph.nodes[at].because(why);
            self.changed = true;
        }
    }

    // Instructions.

    fn operand(&mut self, src: Src, state: &State) -> Option<Value> {
        match src {
            Src::Reg(reg) => state.get(reg, &mut self.values),
            Src::Imm(imm) => Some(self.values.number(imm as u32)),
        }
    }

    /// Where the instruction's result goes and what it is, if it has one that can be told.
    fn evaluate(&mut self, insn: &Insn, state: &State) -> Option<(Loc, Value)> {
        let (loc, value) = self.expression(insn, state)?;
        Some((loc, state.resolved(value, &mut self.values)))
    }

    fn expression(&mut self, insn: &Insn, state: &State) -> Option<(Loc, Value)> {
        let values = &mut self.values;
        Some(match *insn {
            Insn::Alu { width: Width::W64, op: AluOp::Mov, dst, src: Src::Reg(src) } => {
                let context = values.context();
                (dst.into(), state.get(src, values).filter(|&value| value == context)?)
            }
            Insn::Alu { width: Width::W32, op: AluOp::Mov, dst, src } => {
                (dst.into(), self.operand(src, state)?)
            }
            Insn::Alu { width: Width::W32, op, dst, src } => {
                let (a, b) = (state.get(dst, values)?, self.operand(src, state)?);
                let ranges = [a, b].map(|value| state.range(value, &self.values));
                (dst.into(), self.values.alu(op, a, b, ranges))
            }
            Insn::Neg { width: Width::W32, dst } => {
                let value = state.get(dst, values)?;
                (dst.into(), values.neg(value))
            }
            Insn::Swap { kind: SwapKind::ToBe, size: Size::H, dst } => {
                let value = state.get(dst, values)?;
                (dst.into(), values.swap(value))
            }
            Insn::Load { size, signed: false, dst, base, offset } => {
                let value = match Loc::at(size, base, offset) {
                    Some(cell) => state.get(cell, values)?,
                    None if state.get(base, values)? == values.context() => values.field(size, offset),
                    None => return None,
                };
                (dst.into(), value)
            }
            Insn::Store { size, base, offset, src } => {
                (Loc::at(size, base, offset)?, self.operand(src, state)?)
            }
            Insn::LoadPacket { size, from } => {
                let (base, offset) = place(from, state, values)?;
                (Reg::R0.into(), values.packet(size, base, offset))
            }
            Insn::Call(Callee::Helper(id)) if effects::is_pure(id) => {
                let reads = effects::effects(insn).reads;
                let arguments =
                    [Reg::R2, Reg::R3].map(|reg| reads.has(reg).then(|| state.get(reg, values)).flatten());
                (Reg::R0.into(), values.call(id, arguments))
            }
            Insn::Alu { .. }
            | Insn::Neg { .. }
            | Insn::MovSx { .. }
            | Insn::Swap { .. }
            | Insn::LoadImm { .. }
            | Insn::Load { .. }
            | Insn::Atomic { .. }
            | Insn::LoadAcquire { .. }
            | Insn::StoreRelease { .. }
            | Insn::Jump { .. }
            | Insn::JumpLong { .. }
            | Insn::Branch { .. }
            | Insn::MayGoto { .. }
            | Insn::Call(_)
            | Insn::Exit => return None,
        })
    }

    /// Executes and simplifies the instruction at `at`.
    fn insn(&mut self, at: At, insn: Insn, next: Edge, state: &mut State) {
        let known = self.evaluate(&insn, state);
        if let Some((loc, value)) = known {
            if state.get(loc, &mut self.values) == Some(value) {
                return self.gone(at, Why::There, next, false);
            }
            match self.simpler(&insn, loc, value, state) {
                Some((new, why)) => self.rewrite(at, new, why),
                None => self.operands(at, insn, state),
            }
        }
        // What is executed now, simplified or not.
        let Work::Do { insn, inside, .. } = &mut self.graph.nodes[at].work else { return };
        if let Insn::LoadPacket { size, from } = *insn
            && let Some((base, offset)) = place(from, state, &mut self.values)
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
                        let value = self.values.unknown(super::range::Range::ANY);
                        state.set(loc, value, self.now);
                    }
                }
            }
        }
    }

    /// A plain copy that gives the same.
    fn simpler(&mut self, insn: &Insn, loc: Loc, value: Value, state: &State) -> Option<(Insn, Why)> {
        let values = &mut self.values;
        let number = values.as_number(value);
        let Some(dst) = loc.register() else {
            // Into a scratch cell.
            let Insn::Store { size, base, offset, .. } = *insn else { return None };
            let (src, why) = match number {
                Some(number) => (Src::Imm(number as i32), Why::Known),
                None => (Src::Reg(state.register_of(value, values)?), Why::First),
            };
            return Some((Insn::Store { size, base, offset, src }, why));
        };
        let copied = matches!(insn, Insn::Alu { op: AluOp::Mov, .. });
        let mov = |width, src| Insn::Alu { width, op: AluOp::Mov, dst, src };
        if let Some(number) = number {
            return Some((mov(Width::W32, Src::Imm(number as i32)), Why::Known));
        }
        if let Some(reg) = state.register_of(value, values) {
            let width = if values.expr(value) == Expr::Context { Width::W64 } else { Width::W32 };
            return Some((mov(width, Src::Reg(reg)), if copied { Why::First } else { Why::Again }));
        }
        // A cell is nearer than the packet.
        let far = matches!(insn, Insn::LoadPacket { .. } | Insn::Call(_));
        let cell = state.cell_of(value, values).and_then(Loc::cell).filter(|_| far)?;
        let offset = super::plain::cell_offset(cell);
        Some((Insn::Load { size: Size::W, signed: false, dst, base: Reg::R10, offset }, Why::Again))
    }

    /// Better operands for the same operation.
    fn operands(&mut self, at: At, insn: Insn, state: &State) {
        let values = &mut self.values;
        match insn {
            Insn::Alu { width: Width::W32, op, dst, src } => {
                let Some((src, why)) = better(src, state, values) else { return };
                let (op, src, why) = match src {
                    // Linux's verifier takes no constant shifts by 32 and more, and no division by a constant 0.
                    Src::Imm(by) if matches!(op, AluOp::Lsh | AluOp::Rsh) => (op, Src::Imm(by & 31), why),
                    Src::Imm(0) if matches!(op, AluOp::Div | AluOp::Mod) => return,
                    Src::Imm(by) => match cheaper(op, by as u32) {
                        Some((op, by)) => (op, Src::Imm(by as i32), Why::Cheaper),
                        None => (op, src, why),
                    },
                    Src::Reg(_) => (op, src, why),
                };
                self.rewrite(at, Insn::Alu { width: Width::W32, op, dst, src }, why);
            }
            // r6 has the context for packet loads. Where there are none, r1 will do.
            Insn::Load { size, signed, dst, base, offset }
                if Loc::at(size, base, offset).is_none() && !self.loads_packet =>
            {
                let first = state.get(base, values).and_then(|value| state.register_of(value, values));
                let base = first.unwrap_or(base);
                self.rewrite(at, Insn::Load { size, signed, dst, base, offset }, Why::StillThere);
            }
            Insn::LoadPacket { size, from } => {
                let Some((base, offset)) = place(from, state, values) else { return };
                let (from, why) = match base.map(|base| state.register_of(base, values)) {
                    None => (PacketOffset::Abs(offset), Why::Offset),
                    Some(Some(reg)) if matches!(from, PacketOffset::Ind(_, old) if old == offset) => {
                        (PacketOffset::Ind(reg, offset), Why::First)
                    }
                    Some(Some(reg)) => (PacketOffset::Ind(reg, offset), Why::Offset),
                    // What the offset is counted from is nowhere any more: X with the constant in it is.
                    Some(None) => {
                        let PacketOffset::Ind(reg, offset) = from else { return };
                        let first = state.get(reg, values).and_then(|value| state.register_of(value, values));
                        (PacketOffset::Ind(first.unwrap_or(reg), offset), Why::First)
                    }
                };
                self.rewrite(at, Insn::LoadPacket { size, from }, why);
            }
            _ => {}
        }
    }

    // Branches.

    fn question(&mut self, test: Test, state: &State) -> Option<Question> {
        let (a, b) = (state.get(test.dst, &mut self.values)?, self.operand(test.src, state)?);
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
            let first = state.register_of(value, &mut self.values).unwrap_or(test.dst);
            let (src, better) = better(test.src, &state, &mut self.values).unwrap_or((test.src, Why::First));
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

/// Where a packet load finds its bytes: the base, if X is not known, and the offset.
fn place(from: PacketOffset, state: &State, values: &mut Values) -> Option<(Option<Value>, i32)> {
    match from {
        PacketOffset::Abs(offset) => Some((None, offset)),
        PacketOffset::Ind(reg, offset) => {
            let base = state.get(reg, values)?;
            Some(values.place(Some(base), offset))
        }
    }
}

/// The operand as a constant, or from where it was first.
fn better(src: Src, state: &State, values: &mut Values) -> Option<(Src, Why)> {
    let Src::Reg(reg) = src else { return Some((src, Why::Cheaper)) };
    let value = state.get(reg, values)?;
    Some(match values.as_number(value) {
        Some(number) => (Src::Imm(number as i32), Why::Known),
        None => (Src::Reg(state.register_of(value, values)?), Why::First),
    })
}

/// A shift or a mask that does what this operation does.
fn cheaper(op: AluOp, by: u32) -> Option<(AluOp, u32)> {
    let power = by.is_power_of_two();
    match op {
        AluOp::Mul if power => Some((AluOp::Lsh, by.trailing_zeros())),
        AluOp::Div if power => Some((AluOp::Rsh, by.trailing_zeros())),
        AluOp::Mod if power => Some((AluOp::And, by - 1)),
        _ => None,
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
