//! Every path through filters whose input is known in part.
//!
//! Numbers are known, or bits of a word of the record, or neither. A comparison with a constant teaches something
//! about the word, so that paths which contradict themselves are left; one of what is not known goes both ways. For
//! each path that ends, a record is looked for that takes it, and shown to the reference interpreter: what a case says
//! has happened.

use super::word::{Fact, Search, Word};
use super::{Case, Outcome};
use crate::classic::{AluOp, CmpOp, Insn, Operand, PacketOffset, Returned, SCRATCH_CELLS, Value};
use crate::context::seccomp::{ARGUMENTS, Action, SIZE, SeccompData};
use crate::seccomp::chain::{Chain, Decision};

/// Words of the record.
const WORDS: usize = SIZE / 4;
/// What a walk may cost: filters can be made that have more paths than anybody has time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    /// Instructions gone through.
    steps: usize,
    /// Ways that were gone both.
    forks: usize,
}

impl Budget {
    /// For all walks of a matrix.
    pub(super) const MATRIX: Budget = Budget { steps: 20_000_000, forks: 50_000 };
    /// For one of them.
    const WALK: Budget = Budget { steps: 50_000, forks: 5_000 };

    /// Takes the part for one walk.
    fn walk(&mut self) -> Budget {
        let part =
            Budget { steps: self.steps.min(Self::WALK.steps), forks: self.forks.min(Self::WALK.forks) };
        (self.steps, self.forks) = (self.steps - part.steps, self.forks - part.forks);
        part
    }

    /// Takes so much, and says whether it was there.
    fn spend(&mut self, steps: usize, forks: usize) -> bool {
        let enough = self.steps >= steps && self.forks >= forks;
        (self.steps, self.forks) = (self.steps.saturating_sub(steps), self.forks.saturating_sub(forks));
        enough
    }
}

/// What is known about a record: its words in order.
pub(super) type Known = [Word; WORDS];

/// A number of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    Known(u32),
    /// Bits of a word of the record; the others are 0.
    Bits {
        word: usize,
        mask: u32,
    },
    Unknown,
}

/// A place on a path.
#[derive(Clone)]
struct State {
    /// The filter, and the instruction in it.
    filter: usize,
    pc: usize,
    a: Number,
    x: Number,
    scratch: [Number; SCRATCH_CELLS],
    words: Known,
    /// What the filters before returned.
    results: Vec<u32>,
    /// Some of that was calculated from what is not known.
    is_calculated: bool,
}

/// All that filters can say to records of which this is known.
pub(super) fn walk(chain: &Chain, known: Known, budget: &mut Budget) -> Outcome {
    let zero = Number::Known(0);
    let start = State {
        filter: 0,
        pc: 0,
        a: zero,
        x: zero,
        scratch: [zero; SCRATCH_CELLS],
        words: known,
        results: Vec::new(),
        is_calculated: false,
    };
    let outcome = Outcome { cases: Vec::new(), complete: true };
    let mut walker = Walker { chain, open: vec![start], outcome, left: budget.walk() };
    while let Some(state) = walker.open.pop() {
        walker.follow(state);
    }
    budget.steps += walker.left.steps;
    budget.forks += walker.left.forks;
    let mut outcome = walker.outcome;
    outcome.cases.sort_by_key(|case| (Action::rank(case.action.value()), case.action));
    outcome
}

struct Walker<'a> {
    chain: &'a Chain,
    /// Where paths have split and the other way has not been gone yet.
    open: Vec<State>,
    outcome: Outcome,
    left: Budget,
}

impl Walker<'_> {
    /// Goes one path to its end, or until the budget is used up.
    fn follow(&mut self, mut state: State) {
        loop {
            let Some(filter) = self.chain.filters().get(state.filter) else { return self.end(&state) };
            if !self.left.spend(1, 0) {
                self.outcome.complete = false;
                return;
            }
            let insn = filter.program().insns()[state.pc];
            state.pc += 1;
            match insn {
                Insn::Return(from) => {
                    let value = match from {
                        Returned::K(k) => Number::Known(k),
                        Returned::A => state.a,
                    };
                    state.returns(value);
                }
                Insn::Branch { jt, jf, .. } if jt == jf => state.pc += usize::from(jt),
                Insn::Branch { op, with, jt, jf } => {
                    let other = match with {
                        Operand::K(k) => Number::Known(k),
                        Operand::X => state.x,
                    };
                    match question(op, state.a, other) {
                        Question::Decided(holds) => state.pc += usize::from(if holds { jt } else { jf }),
                        Question::Open => {
                            // Nothing is learnt, so a way may be gone that no record takes.
                            let mut other = state.clone();
                            state.pc += usize::from(jt);
                            other.pc += usize::from(jf);
                            self.fork(other);
                        }
                        Question::About { word, fact } => {
                            let mut other = state.clone();
                            state.pc += usize::from(if fact.holds { jt } else { jf });
                            other.pc += usize::from(if fact.holds { jf } else { jt });
                            self.left.spend(state.words[word].facts(), 0);
                            let there = state.learn(word, fact);
                            if other.learn(word, Fact { holds: !fact.holds, ..fact }) {
                                self.fork(other);
                            }
                            if !there {
                                return;
                            }
                        }
                    }
                }
                Insn::Alu(AluOp::Div | AluOp::Mod, Operand::X) if state.x == Number::Known(0) => {
                    state.returns(Number::Known(0));
                }
                Insn::Alu(op, with) => {
                    let other = match with {
                        Operand::K(k) => Number::Known(k),
                        Operand::X => state.x,
                    };
                    let divides = matches!(op, AluOp::Div | AluOp::Mod);
                    if divides && !matches!(other, Number::Known(_)) {
                        let mut by_zero = state.clone();
                        by_zero.returns(Number::Known(0));
                        self.fork(by_zero);
                    }
                    state.a = calculate(op, state.a, other);
                }
                Insn::LoadPacket { from: PacketOffset::Abs(offset), .. } => state.a = state.load(offset),
                Insn::LoadA(value) => state.a = state.value(value),
                Insn::LoadX(value) => state.x = state.value(value),
                Insn::StoreA(cell) => state.scratch[cell as usize] = state.a,
                Insn::StoreX(cell) => state.scratch[cell as usize] = state.x,
                Insn::Neg => {
                    state.a = match state.a {
                        Number::Known(number) => Number::Known(number.wrapping_neg()),
                        Number::Bits { .. } | Number::Unknown => Number::Unknown,
                    };
                }
                Insn::Jump(k) => state.pc += k as usize,
                Insn::Tax => state.x = state.a,
                Insn::Txa => state.a = state.x,
                Insn::LoadPacket { from: PacketOffset::Ind(_), .. }
                | Insn::LoadAncillary { .. }
                | Insn::LoadXHeaderLength(_) => unreachable!("{insn} is refused by seccomp's rules"),
            }
        }
    }

    /// Another way, for later.
    fn fork(&mut self, state: State) {
        if self.left.spend(0, 1) {
            self.open.push(state);
        } else {
            self.outcome.complete = false;
        }
    }

    /// All filters have returned.
    fn end(&mut self, state: &State) {
        let example = match state.example() {
            Ok(Some(example)) => Some(example),
            Ok(None) => return,
            Err(GaveUp) => None,
        };
        let expected = Decision::of(&state.results).action();
        if state.is_calculated {
            self.outcome.complete = false;
        } else {
            let case = self.case(expected);
            // One example is enough; the one with the smallest arguments is read most easily.
            if example.is_none()
                || case.example.is_some_and(|known| Some(known.args) <= example.map(|new| new.args))
            {
                return;
            }
        }
        if let Some(example) = example {
            // A way may have been gone that this record does not take; then it is an example of something else.
            let found = self.chain.run(&example).action();
            let longest: usize =
                self.chain.filters().iter().map(|filter| filter.program().insns().len()).sum();
            self.left.spend(longest, 0);
            self.case(found).example = Some(example);
        }
    }

    /// What is known about this action.
    fn case(&mut self, action: Action) -> &mut Case {
        let cases = &mut self.outcome.cases;
        let at = cases.iter().position(|case| case.action == action).unwrap_or_else(|| {
            cases.push(Case { action, example: None });
            cases.len() - 1
        });
        &mut cases[at]
    }
}

struct GaveUp;

impl State {
    /// The filter is done; the next one begins with empty registers.
    fn returns(&mut self, value: Number) {
        let zero = Number::Known(0);
        match value {
            Number::Known(value) => self.results.push(value),
            Number::Bits { .. } | Number::Unknown => self.is_calculated = true,
        }
        (self.filter, self.pc) = (self.filter + 1, 0);
        (self.a, self.x, self.scratch) = (zero, zero, [zero; SCRATCH_CELLS]);
    }

    /// Whether a record is left when this is so, as far as can be told.
    fn learn(&mut self, word: usize, fact: Fact) -> bool {
        self.words[word].learn(fact);
        self.words[word].search() != Search::Impossible
    }

    fn load(&self, offset: u32) -> Number {
        let word = offset as usize / 4;
        self.words[word].constant().map_or(Number::Bits { word, mask: u32::MAX }, Number::Known)
    }

    fn value(&self, value: Value) -> Number {
        match value {
            Value::Imm(k) => Number::Known(k),
            Value::Mem(cell) => self.scratch[cell as usize],
            Value::Len => Number::Known(SIZE as u32),
        }
    }

    /// A record that takes this path, if there is one and it is found.
    fn example(&self) -> Result<Option<SeccompData>, GaveUp> {
        let mut numbers = [0; WORDS];
        for (number, word) in numbers.iter_mut().zip(&self.words) {
            *number = match word.search() {
                Search::Found(number) => number,
                Search::Impossible => return Ok(None),
                Search::GaveUp => return Err(GaveUp),
            };
        }
        let wide = |word: usize| u64::from(numbers[word + 1]) << 32 | u64::from(numbers[word]);
        let args = std::array::from_fn(|index| wide(ARGUMENTS / 4 + 2 * index));
        Ok(Some(SeccompData { nr: numbers[0], arch: numbers[1], instruction_pointer: wide(2), args }))
    }
}

/// What a comparison asks.
enum Question {
    /// Nothing: the answer is known.
    Decided(bool),
    /// Something about a word; one of the two ways, the other is its opposite.
    About { word: usize, fact: Fact },
    /// What cannot be said about a word.
    Open,
}

fn question(op: CmpOp, a: Number, other: Number) -> Question {
    let about = |word, mask, op, k, holds| Question::About { word, fact: Fact { mask, op, k, holds } };
    match (a, other) {
        (Number::Known(a), Number::Known(k)) => {
            let fact = Fact { mask: u32::MAX, op, k, holds: true };
            Question::Decided(fact.fits(a))
        }
        (Number::Bits { word, mask }, Number::Known(k)) => about(word, mask, op, k, true),
        (Number::Known(a), Number::Bits { word, mask }) => match op {
            CmpOp::Eq | CmpOp::Set => about(word, mask, op, a, true),
            // A is greater: the word is not greater or equal; and the other way around.
            CmpOp::Gt => about(word, mask, CmpOp::Ge, a, false),
            CmpOp::Ge => about(word, mask, CmpOp::Gt, a, false),
        },
        _ => Question::Open,
    }
}

fn calculate(op: AluOp, a: Number, other: Number) -> Number {
    match (op, a, other) {
        (_, Number::Known(a), Number::Known(b)) => {
            crate::classic::interp::alu(op, a, b).map_or(Number::Unknown, Number::Known)
        }
        (AluOp::And, Number::Bits { word, mask }, Number::Known(bits))
        | (AluOp::And, Number::Known(bits), Number::Bits { word, mask }) => {
            if mask & bits == 0 {
                Number::Known(0)
            } else {
                Number::Bits { word, mask: mask & bits }
            }
        }
        _ => Number::Unknown,
    }
}
