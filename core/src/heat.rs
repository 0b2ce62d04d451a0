//! How often each instruction of a program is executed, over any number of runs, in either form of the interpreter.
//!
//! Between two jumps instructions are executed in their order. So nothing is counted but jumps: where they come from and
//! where they land, and where runs begin and end; what is executed between follows from that, exactly.

use crate::machine::{Observer, Place};
use crate::program::Pc;

/// What is counted of the program that runs begin with. An [`Observer`], told of nothing but the ways that runs take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heat {
    /// How many more runs come by the instruction of that number than by the one before it. Of the place behind the last
    /// instruction, too.
    change: Vec<i64>,
    taken: Vec<u64>,
}

impl Heat {
    /// Nothing was executed yet, of so many instructions.
    #[must_use]
    pub fn new(insns: usize) -> Self {
        Heat { change: vec![0; insns + 1], taken: vec![0; insns] }
    }

    /// A run stands before the first instruction.
    #[inline]
    pub fn begin(&mut self) {
        self.come(Pc(0));
    }

    /// The run has ended at `pc` of that program, counted as [`Place::Program`] does; `done` if that instruction was executed,
    /// and did not trap, or was not reached within the limit.
    #[inline]
    pub fn end(&mut self, (program, pc): (u32, Pc), done: bool) {
        if program == 0 {
            self.go(if done { pc.next() } else { pc });
        }
    }

    /// How often each instruction was executed.
    #[must_use]
    pub fn executed(&self) -> Vec<u64> {
        let mut runs = 0;
        let insns = &self.change[..self.taken.len()];
        insns
            .iter()
            .map(|change| {
                runs += change;
                runs as u64
            })
            .collect()
    }

    /// How often each was followed by another than the next one.
    #[must_use]
    pub fn taken(&self) -> &[u64] {
        &self.taken
    }

    #[inline]
    fn come(&mut self, pc: Pc) {
        if let Some(change) = self.change.get_mut(pc.index()) {
            *change += 1;
        }
    }

    #[inline]
    fn go(&mut self, pc: Pc) {
        if let Some(change) = self.change.get_mut(pc.index()) {
            *change -= 1;
        }
    }
}

impl Observer for Heat {
    const FOLLOWS: bool = true;

    #[inline]
    fn jumped(&mut self, (program, from): (u32, Pc), (other, to): (u32, Pc)) {
        if program == 0 {
            self.go(from.next());
            // A jump to the next instruction of the same program is none.
            if let Some(taken) =
                self.taken.get_mut(from.index()).filter(|_| (other, to) != (program, from.next()))
            {
                *taken += 1;
            }
        }
        if other == 0 {
            self.come(to);
        }
    }

    fn read(&mut self, _: Place, _: u64) {}
    fn wrote(&mut self, _: Place, _: u64, _: u64) {}
    fn printed(&mut self, _: &str) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_executed_follows_from_jumps() {
        let here = |pc| (0, Pc(pc));
        let mut heat = Heat::new(6);
        // 0 1 2, back to 1, 1 2 3, the end.
        heat.begin();
        heat.jumped(here(2), here(1));
        heat.end(here(3), true);
        assert_eq!((heat.executed(), heat.taken()), (vec![1, 2, 2, 1, 0, 0], &[0, 0, 1, 0, 0, 0][..]));
        // 0, a trap at 1; and 0 to 3, on in another program, which does not come back.
        heat.begin();
        heat.end(here(1), false);
        heat.begin();
        heat.jumped(here(3), (1, Pc(0)));
        heat.jumped((1, Pc(5)), (1, Pc(2)));
        heat.end((1, Pc(3)), true);
        assert_eq!((heat.executed(), heat.taken()), (vec![3, 3, 3, 2, 0, 0], &[0, 0, 1, 1, 0, 0][..]));
        // A jump to where it would have gone anyway, and the program's end.
        heat.begin();
        heat.jumped(here(3), here(4));
        heat.end(here(5), true);
        assert_eq!((heat.executed(), heat.taken()), (vec![4, 4, 4, 3, 1, 1], &[0, 0, 1, 1, 0, 0][..]));
    }
}
