//! States that are kept, and whether the current one is as good as one of them: then its path need not be followed.
//!
//! Source: `is_state_visited` of Linux 6.18. When to keep a state is a matter of
//! experience; Linux's numbers are taken over, since the limits count what they leave.

mod alike;
mod kept;

pub(super) use alike::{Identities, exactly};
pub(super) use kept::KeptStates;

use super::Verifier;
use super::rejection::Reason;
use super::state::{Kept, Register, Slot, State};
use super::trace::{Changed, Printed};
use crate::isa::Reg;
use crate::program::Pc;
use alike::{Alike, looks_like};

impl Verifier<'_> {
    /// A path from `parent` has come to its end (`update_branch_counts`).
    pub(super) fn path_ended(&mut self, mut parent: Option<Kept>) {
        while let Some(at) = parent {
            let state = &mut self.kept.get_mut(at).state;
            state.branches -= 1;
            parent = state.parent;
            if state.branches > 0 {
                break;
            }
            self.leave_cycle(at);
            if !self.is_incomplete(at) {
                self.kept.release_if_done(at);
            }
        }
    }

    /// Whether the path may end here, since what comes was looked at in a state as good as this one. Otherwise the state
    /// is kept, if that may pay.
    pub(super) fn seen_before(&mut self) -> Result<bool, Reason> {
        let pc = self.state.pc;
        let node = *self.graph.node(pc);
        let forced = node.keeps || self.state.history.len() > 40;
        let since = (self.jumps - self.kept_at.0, self.processed - self.kept_at.1);
        let mut keep = forced || since.0 >= 2 && since.1 >= 8;
        let list = self.list_of(pc);
        let candidates: Vec<Kept> = self.kept.list(list).iter().rev().copied().collect();
        candidates.iter().for_each(|&at| self.clean(at));
        let mut length = 0;
        // Of the state that was compared with last: where functions call back, Linux asks no other (`loop`).
        let mut incomplete = false;
        for at in candidates {
            length += 1;
            let old = &self.kept.get(at).state;
            if old.pc != pc {
                continue;
            }
            if old.branches > 0 {
                let within = || self.equal(old, Alike::Within);
                // A loop that ends at some time, whatever happens in it.
                if node.may_go && old.rounds != self.state.rounds && within() {
                    return Ok(self.end_at(at, true));
                }
                if node.calls_back && within() {
                    return Ok(self.end_at(at, incomplete));
                }
                if !node.calls_back
                    && looks_like(old, &self.state)
                    && self.equal(old, Alike::Exactly)
                    && (old.rounds, old.unrolled) == (self.state.rounds, self.state.unrolled)
                {
                    return Err(self.endless(at));
                }
                if !forced && since.0 < 20 && since.1 < 100 {
                    keep = false;
                }
            } else {
                incomplete = self.is_incomplete(at);
                if self.equal(old, if incomplete { Alike::Within } else { Alike::Enough }) {
                    return Ok(self.end_at(at, incomplete));
                }
            }
            self.missed(at, list, keep);
        }
        self.kept.longest = self.kept.longest.max(length);
        if keep {
            self.keep(list);
        }
        Ok(false)
    }

    /// The path ends, since a kept state covers it.
    fn end_at(&mut self, at: Kept, comes_back: bool) -> bool {
        self.losses.ends(self.graph, &self.kept.get(at).state, &self.state);
        self.kept.get_mut(at).hits += 1;
        if self.graph.node(self.state.pc).jumped_to {
            self.note(|_| ());
        }
        self.mark_as_in(at);
        if comes_back {
            self.come_back(at);
        }
        true
    }

    /// Forgets what nobody reads any more, once all that comes behind a state is known (`clean_live_states`).
    fn clean(&mut self, at: Kept) {
        let kept = self.kept.get(at);
        let state = &kept.state;
        let callsites = |state: &State| state.frames.iter().map(|frame| frame.callsite).collect::<Vec<_>>();
        if kept.cleaned
            || state.branches > 0
            || state.pc != self.state.pc
            || callsites(state) != callsites(&self.state)
            || self.is_incomplete(at)
        {
            return;
        }
        let mut dead = Vec::new();
        for (number, frame) in state.frames.iter().enumerate() {
            for slot in 0..frame.stack.len() {
                if !self.liveness.is_live(self.graph, state, number, slot) {
                    dead.push((number, slot));
                }
            }
        }
        let live: Vec<_> =
            (0..state.frames.len()).map(|frame| self.graph.node(state.pc_of(frame)).live).collect();
        let kept = self.kept.get_mut(at);
        kept.cleaned = true;
        for (frame, live) in kept.state.frames.iter_mut().zip(live) {
            for reg in Reg::ALL[..10].iter().filter(|&&reg| !live.contains(reg)) {
                *frame.get_mut(*reg) = Register::UNSET;
            }
        }
        for (number, slot) in dead {
            kept.state.frames[number].stack[slot] = Slot::EMPTY;
        }
    }

    /// A state that is hardly ever met again is not worth comparing with.
    fn missed(&mut self, at: Kept, list: u32, keep: bool) {
        let forced = self.graph.node(self.state.pc).keeps;
        let kept = self.kept.get_mut(at);
        kept.misses += u32::from(keep);
        let patience = if forced && kept.state.branches > 0 { 64 } else { 3 };
        if kept.misses > kept.hits * patience + patience {
            kept.dropped = true;
            if let Some(list) = self.kept.lists.get_mut(list) {
                list.retain(|&other| other != at);
            }
            self.kept.now -= 1;
            self.kept.dropped += 1;
            if !self.is_incomplete(at) {
                self.kept.release_if_done(at);
            }
        }
    }

    fn keep(&mut self, list: u32) {
        self.kept_at = (self.jumps, self.processed);
        for frame in &mut self.state.frames {
            frame
                .all_mut()
                .filter(|register| register.is_scalar())
                .for_each(|register| register.precise = false);
        }
        let pc = self.state.pc;
        let kept = self.kept.add(list, self.state.clone());
        self.enter_cycle(kept);
        self.state.parent = Some(kept);
        self.state.kept_before += 1;
        self.state.first = pc;
        self.state.history.clear();
        self.noted = false;
    }

    /// The list that states of this place are in.
    pub(super) fn list_of(&self, pc: Pc) -> u32 {
        let callsite = self.state.frame().callsite.map_or(u32::MAX, |pc| self.program.slot(pc).0);
        (self.program.slot(pc).0 ^ callsite) % self.program.slot_count()
    }

    fn endless(&mut self, at: Kept) -> Reason {
        let reason = Reason::EndlessLoop(self.program.slot(self.state.pc));
        let frame = self.state.frames.len() - 1;
        let now = Printed { state: &self.state, frame, changed: Changed::ALL, maps: self.program.maps() };
        let old = Printed {
            state: &self.kept.get(at).state,
            frame,
            changed: Changed::ALL,
            maps: self.program.maps(),
        };
        self.log.add(1, format_args!("{reason}\ncur state:{now}\nold state:{old}\n"));
        reason
    }
}
