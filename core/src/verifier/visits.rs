//! The states themselves, path by path, for whoever wants to see how a proof goes. Made only on request, and only as
//! many as asked for: a proof may look at an instruction a hundred thousand times.

use super::facts::{Fact, fact};
use super::state::State;
use super::trace::{Changed, Printed};
use crate::isa::Reg;
use crate::maps::MapDef;
use crate::program::Pc;
use std::rc::Rc;

/// A path came by an instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// The instruction.
    pub pc: Pc,
    /// Where the path came from; none at the program's beginning.
    pub from: Option<Pc>,
    /// Calls inside which it is: 0 in the main function.
    pub depth: u8,
    /// What is known before the instruction, as Linux's log tells it.
    pub state: String,
    /// The same of the registers, by their numbers.
    pub registers: [Fact; Reg::ALL.len()],
    /// Whether the path ends here, since a state as good as this one was followed before.
    pub covered: bool,
}

/// The first visits of each instruction, in the order of the proof, and the one that was refused.
#[derive(Debug, Clone)]
pub struct Visits {
    list: Vec<Visit>,
    /// How many are kept of an instruction, and in all.
    most: (u32, usize),
    /// How often paths came by each instruction.
    counts: Vec<u32>,
    /// Whether the newest one is not in the list.
    missed: bool,
}

impl Visits {
    /// A list of at most so many visits of each instruction, and at most so many in all; what a proof fails at comes
    /// besides.
    #[must_use]
    pub const fn new(of_each: u32, in_all: usize) -> Self {
        Visits { list: Vec::new(), most: (of_each, in_all), counts: Vec::new(), missed: false }
    }

    /// The visits.
    #[must_use]
    pub fn list(&self) -> &[Visit] {
        &self.list
    }

    /// How often paths came by an instruction; more often than the list says, if it was too often.
    #[must_use]
    pub fn count(&self, pc: Pc) -> u32 {
        self.counts.get(pc.index()).copied().unwrap_or(0)
    }

    pub(super) fn add(&mut self, state: &State, maps: &[Rc<MapDef>], from: Option<Pc>, covered: bool) {
        let at = state.pc.index();
        if self.counts.len() <= at {
            self.counts.resize(at + 1, 0);
        }
        self.counts[at] += 1;
        self.missed = self.counts[at] > self.most.0 || self.list.len() >= self.most.1;
        if !self.missed {
            self.keep(state, maps, from, covered);
        }
    }

    /// The proof fails here. The state is as the instruction found it, but for what it may have begun to change.
    pub(super) fn failed(&mut self, state: &State, maps: &[Rc<MapDef>]) {
        if std::mem::take(&mut self.missed) {
            self.keep(state, maps, state.last, false);
        }
    }

    fn keep(&mut self, state: &State, maps: &[Rc<MapDef>], from: Option<Pc>, covered: bool) {
        let depth = state.depth();
        let printed = Printed { state, frame: depth.into(), changed: Changed::ALL, maps };
        self.list.push(Visit {
            pc: state.pc,
            from,
            depth,
            state: printed.to_string().trim_start().to_owned(),
            registers: state.frame().registers.map(|register| fact(&register, depth)),
            covered,
        });
    }
}
