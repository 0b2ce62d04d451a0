//! How long work goes on before somebody else has his turn, and how often there is news of it.

use std::cell::Cell;

/// Microseconds of work at a time: between two slices the worker listens.
const SLICE: u64 = 20_000;
/// Microseconds between two reports.
const NEWS: u64 = 50_000;

/// A slice of work, by a clock in microseconds.
pub(super) struct Slice<N> {
    now: N,
    start: u64,
    last: Cell<u64>,
}

impl<N: Fn() -> u64> Slice<N> {
    pub(super) fn new(now: N) -> Self {
        let start = now();
        Slice { now, start, last: Cell::new(start) }
    }

    /// Whether it is time to listen.
    pub(super) fn is_over(&self) -> bool {
        self.last.set((self.now)());
        self.last.get().saturating_sub(self.start) >= SLICE
    }
}

/// When work was last told of.
#[derive(Default)]
pub(super) struct Pace(Option<u64>);

impl Pace {
    /// Whether to tell of it after this slice: at first, now and then, and at the end.
    pub(super) fn tells<N>(&mut self, slice: &Slice<N>, done: bool) -> bool {
        let last = slice.last.get();
        let tells = done || self.0.is_none_or(|told| last.saturating_sub(told) >= NEWS);
        if tells {
            self.0 = Some(last);
        }
        tells
    }
}
