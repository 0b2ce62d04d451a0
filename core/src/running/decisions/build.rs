//! From a program to its decisions.
//!
//! The program is read along all its paths at once, with [`Value`]s in place of numbers. Where a path arrives at a
//! comparison with different values than another one, there are two nodes; registers that nobody will read are forgotten
//! first, so that this is rare.

use super::emit::Emit;
use super::value::{Ask, Load, Outcome, Value};
use super::{Decisions, Leaf};
use crate::isa::{Insn, PacketOffset, Reg, Size, Src, SwapKind};
use crate::program::{Pc, Program};
use crate::running::op::Op;

/// Longer programs are no filters.
const MOST_INSNS: usize = 4096;

/// What is known at some place of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    registers: [Value; 11],
    /// A packet load of which it is still to be seen whether the packet has it.
    due: Option<Load>,
    /// Where a load ended that the packet had.
    seen: u32,
}

/// Where a path leads, and how many instructions are executed on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Path {
    pub(super) to: To,
    pub(super) count: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum To {
    /// One of the questions.
    Question(usize),
    End(Leaf),
}

/// A decision with two outcomes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question {
    pub(super) ask: Ask,
    /// If the number is `imm[0]`, or above it, or it is so.
    pub(super) yes: Path,
    pub(super) no: Path,
}

/// What is being made.
struct Build<'a> {
    program: &'a Program,
    ops: &'a [Op],
    /// A bit for each register that is still read, at each instruction.
    live: Vec<u16>,
    /// What arrives at each instruction to have a question answered, and the question's number.
    arrivals: Vec<Vec<(State, usize)>>,
    questions: usize,
}

impl Decisions {
    /// The decisions of a program that is nothing else.
    pub(in crate::running) fn of(program: &Program, ops: &[Op]) -> Option<Decisions> {
        let insns = program.insns();
        if insns.len() > MOST_INSNS {
            return None;
        }
        let live = live(program)?;
        let arrivals = vec![Vec::new(); insns.len()];
        let mut build = Build { program, ops, live, arrivals, questions: 0 };
        let start = build.follow(Pc(0), State { registers: [Value::Other; 11], due: None, seen: 0 })?;
        let (mut order, mut questions) = (Vec::new(), Vec::new());
        for pc in program.pcs() {
            let mut next = 0;
            while let Some(&(state, number)) = build.arrivals[pc.index()].get(next) {
                next += 1;
                order.push(number);
                questions.push((number, build.question(pc, state)?));
            }
        }
        questions.sort_unstable_by_key(|&(number, _)| number);
        let questions = questions.into_iter().map(|(_, question)| question).collect();
        Emit::new(questions, order).all(start)
    }
}

impl Build<'_> {
    /// Goes on to the next question, or to the end.
    fn follow(&mut self, mut pc: Pc, mut state: State) -> Option<Path> {
        let mut count = 0;
        loop {
            let insn = *self.program.insns().get(pc.index())?;
            let get = |state: &State, src: Src| match src {
                Src::Reg(reg) => state.registers[reg.index()],
                Src::Imm(imm) => Value::Number(i64::from(imm) as u64),
            };
            let mut next = pc.next();
            match insn {
                Insn::Alu { width, op, dst, src } => {
                    let by = get(&state, src);
                    let value = &mut state.registers[dst.index()];
                    *value = value.calculated(width, op, by);
                }
                Insn::Swap { kind: SwapKind::ToBe | SwapKind::Always, size, dst } => {
                    let value = &mut state.registers[dst.index()];
                    *value = value.swapped(size);
                }
                Insn::Neg { dst, .. } | Insn::MovSx { dst, .. } | Insn::Swap { dst, .. } => {
                    state.registers[dst.index()] = Value::Other;
                }
                Insn::LoadImm { dst, .. } | Insn::Load { dst, .. } => {
                    state.registers[dst.index()] = match self.ops[pc.index()] {
                        Op::Constant { low, high, .. } => {
                            Value::Number(u64::from(high) << 32 | u64::from(low))
                        }
                        Op::PacketEnd { .. } => Value::End,
                        Op::DirectB { base, offset, .. } => get(&state, base.into()).loaded(Size::B, offset),
                        Op::DirectH { base, offset, .. } => get(&state, base.into()).loaded(Size::H, offset),
                        Op::DirectW { base, offset, .. } => get(&state, base.into()).loaded(Size::W, offset),
                        Op::DirectD { .. } => Value::Other,
                        _ => return None,
                    };
                }
                Insn::LoadPacket { size, from } => {
                    let load = packet_load(&state, size, from)?;
                    if state.due.is_some_and(|due| !load.covers(&due)) {
                        return Some(self.ask(pc, state, count));
                    }
                    state.registers[Reg::R0.index()] = Value::Loaded(load);
                    if load.header.is_some() || load.end() > state.seen {
                        state.due = Some(load);
                    }
                }
                Insn::Jump { offset } => next = self.program.target(pc, offset.into())?,
                Insn::JumpLong { offset } => next = self.program.target(pc, offset)?,
                Insn::Branch { width, op, dst, src, offset } => {
                    match state.registers[dst.index()].compared(width, op, get(&state, src))? {
                        Outcome::Known(true) => next = self.program.target(pc, offset.into())?,
                        Outcome::Known(false) => {}
                        Outcome::Asked(..) => return Some(self.ask(pc, state, count)),
                    }
                }
                Insn::Exit if state.due.is_some() => return Some(self.ask(pc, state, count)),
                Insn::Exit => {
                    let Value::Number(r0) = state.registers[0] else { return None };
                    return Some(Path { to: To::End(Leaf { r0, pc: pc.0 }), count: count + 1 });
                }
                _ => return None,
            }
            count += 1;
            pc = next;
        }
    }

    /// A question is to be answered before the path goes on at `pc`.
    fn ask(&mut self, pc: Pc, mut state: State, count: usize) -> Path {
        for reg in Reg::ALL {
            if self.live[pc.index()] >> reg.bits() & 1 == 0 {
                state.registers[reg.index()] = Value::Other;
            }
        }
        let arrivals = &mut self.arrivals[pc.index()];
        // Who has seen less may only ask more.
        let is_known =
            |known: &State| known.seen <= state.seen && State { seen: state.seen, ..*known } == state;
        let known = arrivals.iter().find(|(known, _)| is_known(known)).map(|&(_, number)| number);
        let number = known.unwrap_or_else(|| {
            arrivals.push((state, self.questions));
            self.questions += 1;
            self.questions - 1
        });
        Path { to: To::Question(number), count }
    }

    /// The question at `pc`, and where its answers lead. `None` when there are too many of them.
    fn question(&mut self, pc: Pc, state: State) -> Option<Question> {
        if self.questions > 2 * self.program.insns().len() {
            return None;
        }
        let seen = state.due.filter(|due| due.header.is_none()).map_or(0, |due| due.end()).max(state.seen);
        let decided = State { due: None, seen, ..state };
        if let (Insn::Branch { width, op, dst, src, offset }, due) = (self.program.insn(pc), state.due) {
            let by = match src {
                Src::Reg(reg) => state.registers[reg.index()],
                Src::Imm(imm) => Value::Number(i64::from(imm) as u64),
            };
            let value = state.registers[dst.index()];
            if let Some(Outcome::Asked(ask, holds)) = value.compared(width, op, by)
                && due.is_none_or(|due| value.looks_at(&due) || by.looks_at(&due))
            {
                let target = self.program.target(pc, offset.into())?;
                let mut paths = [target, pc.next()].map(|pc| self.follow(pc, decided));
                if !holds {
                    paths.reverse();
                }
                let [yes, no] = paths.map(|path| path.map(|path| Path { count: path.count + 1, ..path }));
                return Some(Question { ask, yes: yes?, no: no? });
            }
        }
        let (ask, on) = (state.due?.ask_whether_there(), self.follow(pc, decided)?);
        Some(Question { ask, yes: on, no: on })
    }
}

fn packet_load(state: &State, size: Size, from: PacketOffset) -> Option<Load> {
    let (header, at) = match from {
        PacketOffset::Abs(at) => (None, at),
        PacketOffset::Ind(reg, at) => match state.registers[reg.index()] {
            Value::Loaded(length) => (Some(length.header_length()?), at),
            _ => return None,
        },
    };
    Load::new(header, at.try_into().ok()?, size, true)
}

/// Which registers are still read, at each instruction; `None` if it jumps backwards.
fn live(program: &Program) -> Option<Vec<u16>> {
    let bit = |reg: Reg| 1u16 << reg.bits();
    let read = |src: Src| if let Src::Reg(reg) = src { bit(reg) } else { 0 };
    let mut live = vec![0; program.insns().len() + 1];
    for pc in program.pcs().rev() {
        let target = |offset: i32| {
            let target = program.target(pc, offset)?;
            (target > pc).then_some(target)
        };
        let mut after: u16 = live[pc.index() + 1];
        let (reads, writes) = match program.insn(pc) {
            Insn::Alu { op: crate::isa::AluOp::Mov, dst, src, .. } => (read(src), bit(dst)),
            Insn::Alu { dst, src, .. } => (read(src) | bit(dst), 0),
            Insn::Neg { dst, .. } | Insn::Swap { dst, .. } => (bit(dst), 0),
            Insn::MovSx { dst, src, .. } => (bit(src), bit(dst)),
            Insn::LoadImm { dst, .. } => (0, bit(dst)),
            Insn::Load { dst, base, .. } => (bit(base), bit(dst)),
            Insn::LoadPacket { from: PacketOffset::Ind(reg, _), .. } => (bit(reg), bit(Reg::R0)),
            Insn::LoadPacket { from: PacketOffset::Abs(_), .. } => (0, bit(Reg::R0)),
            Insn::Branch { dst, src, offset, .. } => {
                after |= live[target(offset.into())?.index()];
                (bit(dst) | read(src), 0)
            }
            Insn::Jump { offset } => {
                after = live[target(offset.into())?.index()];
                (0, 0)
            }
            Insn::JumpLong { offset } => {
                after = live[target(offset)?.index()];
                (0, 0)
            }
            Insn::Exit => {
                after = 0;
                (bit(Reg::R0), 0)
            }
            _ => return None,
        };
        live[pc.index()] = after & !writes | reads;
    }
    Some(live)
}
