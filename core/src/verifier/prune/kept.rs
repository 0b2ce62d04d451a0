//! The states that are kept, as Linux lists and counts them.

use crate::keyed::Map;
use crate::verifier::state::{Kept, State};

/// A state that was kept.
#[derive(Debug)]
pub(in crate::verifier) struct KeptState {
    pub(in crate::verifier) state: State,
    pub(super) hits: u32,
    pub(super) misses: u32,
    /// Taken out of its list: it is dropped when no path needs it.
    pub(super) dropped: bool,
    /// What nobody reads any more was forgotten.
    pub(super) cleaned: bool,
    /// Whether every number of it, and of those that it came from, was made precise.
    pub(in crate::verifier) all_precise: bool,
}

/// All states that are kept.
#[derive(Debug, Default)]
pub(in crate::verifier) struct KeptStates {
    all: Vec<Option<Box<KeptState>>>,
    free: Vec<u32>,
    /// By place, as Linux's table has them: different places may share a list, and are counted together.
    pub(super) lists: Map<u32, Vec<Kept>>,
    /// How many there are, were at most, and were in all.
    pub(in crate::verifier) now: u32,
    pub(in crate::verifier) peak: u32,
    pub(in crate::verifier) total: u32,
    /// The longest list that was gone through.
    pub(in crate::verifier) longest: u32,
    pub(super) dropped: u32,
    /// Paths that came back in loops.
    returns: u32,
}

impl KeptStates {
    pub(in crate::verifier) fn get(&self, at: Kept) -> &KeptState {
        self.all[at.0 as usize].as_deref().expect("a state is kept as long as something refers to it")
    }

    pub(in crate::verifier) fn get_mut(&mut self, at: Kept) -> &mut KeptState {
        self.all[at.0 as usize].as_deref_mut().expect("a state is kept as long as something refers to it")
    }

    pub(super) fn add(&mut self, list: u32, state: State) -> Kept {
        let kept = Some(Box::new(KeptState {
            state,
            hits: 0,
            misses: 0,
            dropped: false,
            cleaned: false,
            all_precise: false,
        }));
        let at = match self.free.pop() {
            Some(at) => {
                self.all[at as usize] = kept;
                Kept(at)
            }
            None => {
                self.all.push(kept);
                Kept(self.all.len() as u32 - 1)
            }
        };
        self.lists.or_default(list).push(at);
        self.total += 1;
        self.now += 1;
        self.peak = self.peak.max(self.now + self.dropped + self.returns);
        at
    }

    /// How many paths came back in loops and are kept, too, for the count.
    pub(in crate::verifier) fn count_peak(&mut self, returns: u32) {
        self.returns = returns;
        self.peak = self.peak.max(self.now + self.dropped + returns);
    }

    /// The states of a list, in the order in which they were kept.
    pub(in crate::verifier) fn list(&self, list: u32) -> &[Kept] {
        self.lists.get(list).map_or(&[], Vec::as_slice)
    }

    pub(super) fn release_if_done(&mut self, at: Kept) {
        let kept = self.get(at);
        if kept.dropped && kept.state.branches == 0 {
            self.all[at.0 as usize] = None;
            self.free.push(at.0);
            self.dropped -= 1;
        }
    }
}
