//! What a proof took, as Linux counts it.

use super::LIMIT;
use std::fmt;

/// What a proof took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Effort {
    /// Instructions looked at, each as often as a path came by.
    pub processed: u32,
    /// States kept in the longest list that was searched.
    pub longest: u32,
    /// States kept in all.
    pub states: u32,
    /// States kept at a time, at most.
    pub peak: u32,
}

impl fmt::Display for Effort {
    /// The last line of Linux's log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Effort { processed, longest, states, peak } = self;
        write!(
            f,
            "processed {processed} insns (limit {LIMIT}) max_states_per_insn {longest} \
             total_states {states} peak_states {peak} mark_read 0"
        )
    }
}

/// How much of the stack each function uses: `8+0`.
pub(super) struct StackDepth<'a>(pub(super) &'a [i32]);

impl fmt::Display for StackDepth<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, bytes) in self.0.iter().enumerate() {
            write!(f, "{}{bytes}", if number == 0 { "" } else { "+" })?;
        }
        Ok(())
    }
}
