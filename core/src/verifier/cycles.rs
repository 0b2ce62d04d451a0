//! Loops whose rounds are not counted: `may_goto`, and functions that call back.
//!
//! There a path may end because its state is like one that it came from. But what decides something behind that one is
//! not all known then: more may be found while the loop's other paths are followed. So such ends are kept, and when
//! all paths out of the loop are done, what was found is told to all of them, until nothing is new. Source:
//! `maybe_enter_scc`, `add_scc_backedge`, `propagate_backedges`, `widen_imprecise_scalars` of Linux 6.18.

use super::Verifier;
use super::chains::{Chain, Chains};
use super::prune::Identities;
use super::state::{Frame, Kept, Register, State};
use crate::program::Pc;

/// So often what was found is told, before everything is taken to decide something (`MAX_BACKEDGE_ITERS`).
const ROUNDS: usize = 64;

/// A path that came back.
#[derive(Debug)]
struct Return {
    state: State,
    /// The state that it is like.
    like: Kept,
}

/// The paths in a loop.
#[derive(Debug, Default)]
struct Visit {
    /// The first state that was kept in it.
    entry: Option<Kept>,
    returns: Vec<Return>,
}

/// The loops that paths are in.
#[derive(Debug, Default)]
pub(super) struct Cycles {
    /// Where among the visits each loop's is.
    places: Chains,
    visits: Vec<Visit>,
    /// How many paths came back and are kept.
    returns: u32,
}

impl Cycles {
    fn visit(&mut self, place: &Chain) -> Option<&mut Visit> {
        let number = self.places.get(place)?;
        self.visits.get_mut(number)
    }
}

impl Verifier<'_> {
    /// The loop that a state is in.
    fn place(&self, state: &State) -> Option<Chain> {
        let mut calls = Vec::new();
        for frame in 0..state.frames.len() {
            let pc = state.pc_of(frame);
            match self.graph.node(pc).cycle {
                0 if frame + 1 == state.frames.len() => return None,
                0 => calls.push(pc),
                cycle => return Some((calls, cycle as usize)),
            }
        }
        None
    }

    /// Whether more may be found of what decides something behind a kept state (`incomplete_read_marks`).
    pub(super) fn is_incomplete(&self, at: Kept) -> bool {
        if self.cycles.returns == 0 {
            return false;
        }
        let place = self.place(&self.kept.get(at).state);
        let number = place.and_then(|place| self.cycles.places.get(&place));
        number.is_some_and(|number| !self.cycles.visits[number].returns.is_empty())
    }

    /// A state was kept.
    pub(super) fn enter_cycle(&mut self, at: Kept) {
        let Some(place) = self.place(&self.kept.get(at).state) else { return };
        let next = self.cycles.visits.len();
        let number = self.cycles.places.or_insert(&place, next);
        if number == next {
            self.cycles.visits.push(Visit::default());
        }
        let visit = &mut self.cycles.visits[number];
        if visit.entry.is_none() {
            visit.entry = Some(at);
            self.log_cycle("enter", &place);
        }
    }

    /// The current path comes back to where it was: it ends here, and is kept.
    pub(super) fn come_back(&mut self, like: Kept) {
        let Some(place) = self.place(&self.kept.get(like).state) else { return };
        self.log_cycle("backedge", &place);
        let state = self.state.clone();
        if let Some(visit) = self.cycles.visit(&place) {
            visit.returns.push(Return { state, like });
            self.cycles.returns += 1;
            self.kept.count_peak(self.cycles.returns);
        }
    }

    /// All paths from a kept state were followed to their ends (`maybe_exit_scc`).
    pub(super) fn leave_cycle(&mut self, at: Kept) {
        let Some(place) = self.place(&self.kept.get(at).state) else { return };
        let Some(visit) = self.cycles.visit(&place).filter(|visit| visit.entry == Some(at)) else {
            return;
        };
        visit.entry = None;
        let mut returns = std::mem::take(&mut visit.returns);
        self.log_cycle("exit", &place);
        self.cycles.returns -= returns.len() as u32;
        self.kept.count_peak(self.cycles.returns);
        let mut rounds = 0;
        loop {
            rounds += 1;
            self.marked = false;
            // The last one first.
            for Return { state, like } in returns.iter_mut().rev() {
                std::mem::swap(&mut self.state, state);
                if rounds > ROUNDS {
                    self.mark_all();
                } else {
                    self.mark_as_in(*like);
                }
                std::mem::swap(&mut self.state, state);
            }
            if rounds > ROUNDS || !self.marked {
                break;
            }
        }
    }

    /// The state that was kept last at `pc` of those that a path came by (`find_prev_entry`).
    pub(super) fn earlier(&self, state: &State, pc: Pc) -> Option<Kept> {
        let list = self.kept.list(self.list_of(pc));
        list.iter().rev().copied().find(|&at| {
            let old = &self.kept.get(at).state;
            old.pc == pc && old.branches > 0 && same_calls(old, state) && old.kept_before < state.kept_before
        })
    }

    fn log_cycle(&mut self, what: &str, (calls, cycle): &Chain) {
        if self.log.level() < 2 {
            return;
        }
        let calls: Vec<String> = calls.iter().map(|&pc| self.program.slot(pc).to_string()).collect();
        let separator = if calls.is_empty() { "" } else { "," };
        self.log.add(2, format_args!("SCC {what} ({}{separator}{cycle})\n", calls.join(",")));
    }
}

/// Whether both are reached through the same calls.
fn same_calls(a: &State, b: &State) -> bool {
    a.frames.len() == b.frames.len() && a.frames.iter().zip(&b.frames).all(|(a, b)| a.callsite == b.callsite)
}

/// What changed from round to round, and decided nothing so far, may be any number in the next.
pub(super) fn widen(old: &State, new: &mut State, ids: u32) {
    let mut identities = Identities::new(ids);
    let mut unknown = |old: &Register, new: &mut Register| {
        let numbers = old.is_scalar() && new.is_scalar();
        if numbers && !old.precise && !new.precise && !super::prune::exactly(old, new, &mut identities) {
            *new = Register::unknown();
        }
    };
    for (old, new) in old.frames.iter().zip(&mut new.frames).rev() {
        let Frame { registers, stack, .. } = new;
        old.registers.iter().zip(registers).for_each(|(old, new)| unknown(old, new));
        for (old, new) in old.stack.iter().zip(stack) {
            if old.is_spill() && new.is_spill() {
                unknown(&old.spilled, &mut new.spilled);
            }
        }
    }
}
