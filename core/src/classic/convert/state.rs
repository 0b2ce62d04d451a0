//! What is known where an edge arrives: which value each register and cell holds, what comparisons on the way have
//! said about values, and how far the packet has been seen to reach.

use super::effects::{Loc, Locs};
use super::range::Range;
use super::values::{Value, Values};
use crate::isa::{CmpOp, Reg, Size};
use std::collections::HashMap;

/// The most values that comparisons are remembered about, and as many comparisons. A program of 4,096 comparisons
/// could otherwise fill memory with what nobody asks again.
const MOST_REMEMBERED: usize = 24;

/// A comparison of two values; `op` is as in [`super::graph::Test`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Question {
    pub op: CmpOp,
    pub a: Value,
    pub b: Value,
}

/// Bytes that the packet has: from `start` to `end`, counted from the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reach {
    base: Option<Value>,
    start: i64,
    end: i64,
}

/// What is known.
#[derive(Debug, Clone)]
pub(super) struct State {
    held: [Option<Value>; Loc::COUNT],
    /// When each place was written: a greater number is later.
    since: [u32; Loc::COUNT],
    ranges: Vec<(Value, Range)>,
    answers: Vec<(Question, bool)>,
    reach: Vec<Reach>,
}

impl State {
    /// Where a program begins: the context is in r1.
    pub(super) fn entry(values: &mut Values) -> Self {
        let mut state = State {
            held: [None; Loc::COUNT],
            since: [0; Loc::COUNT],
            ranges: Vec::new(),
            answers: Vec::new(),
            reach: Vec::new(),
        };
        state.set(Reg::R1.into(), values.context(), 0);
        state
    }

    /// What a place holds; a value of which only one number is left is that number.
    pub(super) fn get(&self, loc: impl Into<Loc>, values: &mut Values) -> Option<Value> {
        let value = self.held[loc.into().index()]?;
        Some(self.resolved(value, values))
    }

    /// The number that a value is, where only one is left.
    pub(super) fn resolved(&self, value: Value, values: &mut Values) -> Value {
        match self.range(value, values).number() {
            Some(number) => values.number(number),
            None => value,
        }
    }

    /// A place is written, at the time `now`.
    pub(super) fn set(&mut self, loc: Loc, value: Value, now: u32) {
        self.held[loc.index()] = Some(value);
        self.since[loc.index()] = now;
    }

    /// Nothing sensible is in these any more.
    pub(super) fn forget(&mut self, locs: Locs) {
        locs.iter().for_each(|loc| self.held[loc.index()] = None);
    }

    /// The register that has held this value, which is no number, for the longest time.
    pub(super) fn register_of(&self, value: Value) -> Option<Reg> {
        let holds = |&reg: &Reg| self.held[Loc::from(reg).index()] == Some(value);
        let holders = Reg::ALL.iter().copied().filter(holds);
        holders.min_by_key(|&reg| self.since[Loc::from(reg).index()])
    }

    /// A scratch cell that holds this value, which is no number.
    pub(super) fn cell_of(&self, value: Value) -> Option<u32> {
        let holder = Loc::all().find(|loc| loc.cell().is_some() && self.held[loc.index()] == Some(value));
        holder.and_then(Loc::cell)
    }

    /// What is known of a value here.
    pub(super) fn range(&self, value: Value, values: &Values) -> Range {
        let found = self.ranges.iter().find(|(about, _)| *about == value);
        found.map_or_else(|| values.range(value), |&(_, range)| range)
    }

    fn narrow(&mut self, value: Value, values: &Values, low: u32, high: u32, may: u32) {
        let known = self.range(value, values);
        let range = known.within(low, high, may);
        if range == known {
            return;
        }
        self.ranges.retain(|(about, _)| *about != value);
        remember(&mut self.ranges, (value, range));
    }

    /// The answer to a question, where it is known.
    pub(super) fn answer(&self, question: Question, values: &Values) -> Option<bool> {
        let Question { op, a, b } = question;
        if let Some((_, answer)) = self.answers.iter().find(|(asked, _)| *asked == question) {
            return Some(*answer);
        }
        let (x, y) = (self.range(a, values), self.range(b, values));
        let apart = x.high < y.low || y.high < x.low;
        match op {
            CmpOp::Eq if a == b => Some(true),
            CmpOp::Eq => match (x.number(), y.number()) {
                (Some(x), Some(y)) => Some(x == y),
                // A number with a bit that the value cannot have.
                (None, Some(number)) if number & !x.may != 0 => Some(false),
                (Some(number), None) if number & !y.may != 0 => Some(false),
                _ => apart.then_some(false),
            },
            CmpOp::Gt if x.low > y.high => Some(true),
            CmpOp::Gt if x.high <= y.low || a == b => Some(false),
            CmpOp::Ge if x.low >= y.high || a == b => Some(true),
            CmpOp::Ge if x.high < y.low => Some(false),
            CmpOp::Set if x.may & y.may == 0 => Some(false),
            CmpOp::Set => match (x.number(), y.number()) {
                (Some(x), Some(y)) => Some(x & y != 0),
                _ => None,
            },
            _ => None,
        }
    }

    /// Takes note of an answer.
    pub(super) fn learn(&mut self, question: Question, answer: bool, values: &Values) {
        let Question { op, a, b } = question;
        remember(&mut self.answers, (question, answer));
        let (x, y) = (self.range(a, values), self.range(b, values));
        let all = u32::MAX;
        // That a number above another is not 0, and one below another not the greatest, is clear when it is so.
        let (above, below) = (|low: u32| low.saturating_add(1), |high: u32| high.saturating_sub(1));
        match (op, answer) {
            (CmpOp::Eq, true) => {
                self.narrow(a, values, y.low, y.high, y.may);
                self.narrow(b, values, x.low, x.high, x.may);
            }
            (CmpOp::Eq, false) => match (x.number(), y.number()) {
                (None, Some(not)) => self.except(a, not, values),
                (Some(not), None) => self.except(b, not, values),
                _ => {}
            },
            (CmpOp::Gt, true) => {
                self.narrow(a, values, above(y.low), all, all);
                self.narrow(b, values, 0, below(x.high), all);
            }
            (CmpOp::Ge, true) => {
                self.narrow(a, values, y.low, all, all);
                self.narrow(b, values, 0, x.high, all);
            }
            (CmpOp::Gt, false) => {
                self.narrow(a, values, 0, y.high, all);
                self.narrow(b, values, x.low, all, all);
            }
            (CmpOp::Ge, false) => {
                self.narrow(a, values, 0, below(y.high), all);
                self.narrow(b, values, above(x.low), all, all);
            }
            (CmpOp::Set, true) => {
                self.narrow(a, values, lowest_bit(y.may), all, all);
                self.narrow(b, values, lowest_bit(x.may), all, all);
            }
            (CmpOp::Set, false) => match (x.number(), y.number()) {
                (None, Some(mask)) => self.narrow(a, values, 0, all, !mask),
                (Some(mask), None) => self.narrow(b, values, 0, all, !mask),
                _ => {}
            },
            _ => {}
        }
    }

    /// The value is not this number, which says something when it is its least or greatest.
    fn except(&mut self, value: Value, not: u32, values: &Values) {
        let Range { low, high, .. } = self.range(value, values);
        if not == low {
            self.narrow(value, values, low.saturating_add(1), u32::MAX, u32::MAX);
        } else if not == high {
            self.narrow(value, values, 0, high - 1, u32::MAX);
        }
    }

    /// Whether a packet load cannot be outside.
    pub(super) fn reaches(&self, size: Size, base: Option<Value>, offset: i32) -> bool {
        let (start, end) = (i64::from(offset), i64::from(offset) + size.bytes() as i64);
        self.reach.iter().any(|reach| reach.base == base && reach.start <= start && end <= reach.end)
    }

    /// A packet load was not outside.
    pub(super) fn reached(&mut self, size: Size, base: Option<Value>, offset: i32, values: &Values) {
        let (start, end) = (i64::from(offset), i64::from(offset) + size.bytes() as i64);
        // Far above any index that is not negative as an offset, and far below any that would be.
        let small = base.is_none_or(|base| self.range(base, values).high <= 0xffff);
        let start = if small && start >= 0 { 0 } else { start };
        let reach = Reach { base, start, end };
        self.reach.retain(|known| known.base != base || known.start < start || known.end > end);
        remember(&mut self.reach, reach);
    }

    /// What holds when control comes from here or from there.
    pub(super) fn merge(&mut self, other: &State, values: &mut Values) {
        // Two places that hold the same on either way hold the same behind.
        let mut either: HashMap<(Value, Value), Value> = HashMap::new();
        for index in 0..Loc::COUNT {
            self.held[index] = match (self.held[index], other.held[index]) {
                (Some(here), Some(there)) if here == there => Some(here),
                (Some(here), Some(there)) => Some(*either.entry((here, there)).or_insert_with(|| {
                    let range = self.range(here, values).or(other.range(there, values));
                    values.unknown(range)
                })),
                _ => None,
            };
            self.since[index] = self.since[index].max(other.since[index]);
        }
        let ranges = std::mem::take(&mut self.ranges);
        self.ranges = ranges
            .into_iter()
            .map(|(value, range)| (value, range.or(other.range(value, values))))
            .filter(|&(value, range)| range != values.range(value))
            .collect();
        self.answers.retain(|known| other.answers.contains(known));
        let reach = std::mem::take(&mut self.reach);
        let both = reach.iter().flat_map(|here| {
            let there = other.reach.iter().filter(|there| there.base == here.base);
            there.map(|there| Reach {
                base: here.base,
                start: here.start.max(there.start),
                end: here.end.min(there.end),
            })
        });
        self.reach = both.filter(|reach| reach.start < reach.end).take(MOST_REMEMBERED).collect();
    }
}

const fn lowest_bit(number: u32) -> u32 {
    number & number.wrapping_neg()
}

/// Adds to what is known, forgetting the oldest.
fn remember<T>(known: &mut Vec<T>, new: T) {
    if known.len() >= MOST_REMEMBERED {
        known.remove(0);
    }
    known.push(new);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::{Width, eval};

    const ASKED: [CmpOp; 4] = [CmpOp::Eq, CmpOp::Gt, CmpOp::Ge, CmpOp::Set];

    #[test]
    fn what_is_learned_holds_and_what_is_answered_is_right() {
        let numbers = [0, 1, 2, 7, 8, 9, 0x80, 0x7fff_ffff, 0x8000_0000, u32::MAX - 1, u32::MAX];
        let ranges = numbers.iter().flat_map(|&low| {
            let highs = numbers.iter().filter(move |&&high| high >= low);
            highs.flat_map(move |&high| [u32::MAX, 0x8000_0089].map(|may| Range::ANY.within(low, high, may)))
        });
        let ranges: Vec<Range> = ranges.collect();
        let holds = |range: Range, number: u32| {
            (range.low..=range.high).contains(&number) && number & !range.may == 0
        };
        for (first, second) in ranges.iter().flat_map(|a| ranges.iter().map(move |b| (*a, *b))) {
            let mut values = Values::default();
            let (a, b) = (values.unknown(first), values.unknown(second));
            let entry = State::entry(&mut values);
            for op in ASKED {
                let question = Question { op, a, b };
                let [yes, no] = [true, false].map(|answer| {
                    let mut state = entry.clone();
                    state.learn(question, answer, &values);
                    state
                });
                for (&x, &y) in numbers.iter().flat_map(|x| numbers.iter().map(move |y| (x, y))) {
                    if !holds(first, x) || !holds(second, y) {
                        continue;
                    }
                    let truth = eval::compare(Width::W32, op, x.into(), y.into());
                    let answer = entry.answer(question, &values);
                    assert!(answer.is_none_or(|answer| answer == truth), "{x:#x} {op:?} {y:#x}: {answer:?}");
                    let state = if truth { &yes } else { &no };
                    let (found, other) = (state.range(a, &values), state.range(b, &values));
                    assert!(
                        holds(found, x) && holds(other, y),
                        "{x:#x} {op:?} {y:#x}: {found:x?}, {other:x?}"
                    );
                    assert_eq!(state.answer(question, &values), Some(truth));
                }
            }
        }
    }

    #[test]
    fn where_ways_meet_only_what_is_the_same_on_both_is_known() {
        let mut values = Values::default();
        let [x, y, z] = [1, 2, 3].map(|offset| values.packet(Size::B, None, offset));
        let mut here = State::entry(&mut values);
        let mut there = here.clone();
        let places: [Loc; 4] = [Reg::R0, Reg::R7, Reg::R8, Reg::R9].map(Loc::from);
        for (state, held) in [(&mut here, [x, x, z, x]), (&mut there, [y, y, z, z])] {
            places.iter().zip(held).for_each(|(&place, value)| state.set(place, value, 1));
        }
        here.reached(Size::W, None, 10, &values);
        there.reached(Size::H, None, 10, &values);
        let question = Question { op: CmpOp::Eq, a: x, b: values.number(4) };
        here.learn(question, true, &values);
        here.merge(&there, &mut values);
        let [r0, r7, r8, r9] = places.map(|place| here.get(place, &mut values));
        assert_eq!(r0, r7, "both x here and y there");
        assert_eq!(r8, Some(z));
        assert!(r0 != r9 && r0 != Some(x) && r0 != Some(y));
        assert_eq!(here.answer(question, &values), None);
        assert!(here.reaches(Size::H, None, 10) && !here.reaches(Size::W, None, 10));
        assert!(here.reaches(Size::B, None, 0) && !here.reaches(Size::B, Some(x), 0));
    }
}
