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

/// The first visits of a proof, in its order, up to a number.
#[derive(Debug, Clone)]
pub struct Visits {
    list: Vec<Visit>,
    most: usize,
    left_out: u32,
}

impl Visits {
    /// A list of at most so many.
    #[must_use]
    pub const fn new(most: usize) -> Self {
        Visits { list: Vec::new(), most, left_out: 0 }
    }

    /// The visits.
    #[must_use]
    pub fn list(&self) -> &[Visit] {
        &self.list
    }

    /// How many there were beyond those.
    #[must_use]
    pub const fn left_out(&self) -> u32 {
        self.left_out
    }

    pub(super) fn add(&mut self, state: &State, maps: &[Rc<MapDef>], from: Option<Pc>, covered: bool) {
        if self.list.len() >= self.most {
            self.left_out += 1;
            return;
        }
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
