//! What is known about a word of the record on one path through a filter, and numbers that fit it.

use crate::classic::CmpOp;

/// What a path has found out about a word: the comparisons it has gone through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    min: u32,
    max: u32,
    /// Bits that are 1.
    ones: u32,
    /// Bits that are 0.
    zeros: u32,
    /// What is not said by the above.
    rest: Vec<Fact>,
}

/// A comparison of a word's bits in `mask` with a constant, and how it came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fact {
    pub(super) mask: u32,
    pub(super) op: CmpOp,
    pub(super) k: u32,
    pub(super) holds: bool,
}

/// Whether any number fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Search {
    /// This is the smallest.
    Found(u32),
    /// None does.
    Impossible,
    /// None was found among many.
    GaveUp,
}

/// How many comparisons are made in a search.
const MAX_COMPARISONS: usize = 20_000;

impl Fact {
    /// Whether this is so of a number.
    pub(super) fn fits(&self, number: u32) -> bool {
        let number = number & self.mask;
        let holds = match self.op {
            CmpOp::Eq => number == self.k,
            CmpOp::Gt => number > self.k,
            CmpOp::Ge => number >= self.k,
            CmpOp::Set => number & self.k != 0,
        };
        holds == self.holds
    }

    /// The bits whose value alone decides.
    fn bits(&self) -> u32 {
        if self.op == CmpOp::Set { self.mask & self.k } else { self.mask }
    }
}

impl Word {
    /// Anything.
    pub(super) fn any() -> Self {
        Word::between(0, u32::MAX)
    }

    /// This number.
    pub(super) fn of(number: u32) -> Self {
        Word::between(number, number)
    }

    /// A number from `min` to `max`.
    pub(super) fn between(min: u32, max: u32) -> Self {
        Word { min, max, ones: 0, zeros: 0, rest: Vec::new() }
    }

    /// The number, when only one is possible.
    pub(super) fn constant(&self) -> Option<u32> {
        if self.min == self.max {
            Some(self.min)
        } else if self.ones | self.zeros == u32::MAX {
            Some(self.ones)
        } else {
            None
        }
    }

    /// The same word, with a number excluded.
    pub(super) fn except(&mut self, number: u32) {
        self.learn(Fact { mask: u32::MAX, op: CmpOp::Eq, k: number, holds: false });
    }

    /// Takes a fact into account. Nothing may fit any more: ask [`Word::search`].
    pub(super) fn learn(&mut self, fact: Fact) {
        let Fact { mask, op, k, holds } = fact;
        let whole = mask == u32::MAX;
        match (op, holds) {
            // No number has bits outside the mask, is above all or below 0.
            (CmpOp::Eq, true) if k & !mask != 0 => (self.min, self.max) = (1, 0),
            (CmpOp::Gt, true) if k >= mask => (self.min, self.max) = (1, 0),
            (CmpOp::Ge, false) if k == 0 => (self.min, self.max) = (1, 0),
            (CmpOp::Eq, true) => {
                self.ones |= k;
                self.zeros |= mask & !k;
            }
            (CmpOp::Set, false) => self.zeros |= mask & k,
            (CmpOp::Set, true) if (mask & k).is_power_of_two() => self.ones |= mask & k,
            (CmpOp::Gt, true) if whole => self.min = self.min.max(k + 1),
            (CmpOp::Gt, false) if whole => self.max = self.max.min(k),
            (CmpOp::Ge, true) if whole => self.min = self.min.max(k),
            (CmpOp::Ge, false) if whole => self.max = self.max.min(k - 1),
            // Numbers ruled out one after the other, as in a list of system calls.
            (CmpOp::Eq, false) if whole && k == self.min && k < self.max => self.min += 1,
            (CmpOp::Eq, false) if whole && k == self.max && k > self.min => self.max -= 1,
            (CmpOp::Eq, false) if !(self.min..=self.max).contains(&k) && whole => {}
            _ => self.rest.push(fact),
        }
    }

    /// How many facts are not said by bounds or bits.
    pub(super) fn facts(&self) -> usize {
        self.rest.len()
    }

    /// The smallest number that fits.
    pub(super) fn search(&self) -> Search {
        if self.ones & self.zeros != 0 {
            return Search::Impossible;
        }
        let mut from = Some(self.min);
        for _ in 0..MAX_COMPARISONS / self.rest.len().max(1) {
            let Some(number) = from.and_then(|from| self.next_of_bits(from)).filter(|&next| next <= self.max)
            else {
                return Search::Impossible;
            };
            let Some(broken) = self.rest.iter().find(|fact| !fact.fits(number)) else {
                return Search::Found(number);
            };
            // What differs only below the lowest bit that matters is no better.
            let below = 1u32.checked_shl(broken.bits().trailing_zeros()).map_or(u32::MAX, |bit| bit - 1);
            from = (number | below).checked_add(1);
        }
        Search::GaveUp
    }

    /// The smallest number from `from` up that has the known bits.
    fn next_of_bits(&self, from: u32) -> Option<u32> {
        let known = self.ones | self.zeros;
        if from & known == self.ones {
            return Some(from);
        }
        // It is the same above some bit, which is 1 in it and 0 in `from`; below, it is as small as it can be.
        (0..32).find_map(|bit| {
            let low = (1u32 << bit) - 1;
            let above = !(low << 1 | 1);
            let rises = from & 1 << bit == 0 && self.zeros & 1 << bit == 0;
            let keeps = from & known & above == self.ones & above;
            (rises && keeps).then_some(from & above | 1 << bit | self.ones & low)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A byte's worth of numbers, tried one by one.
    #[test]
    fn the_smallest_number_that_fits_is_found() {
        let mut random = crate::environment::Random(1);
        let mut below = |limit: u32| random.next_u32() % limit;
        let (mut found, mut impossible) = (0, 0);
        for _ in 0..20_000 {
            let mut word = Word::between(0, 255);
            let facts: Vec<Fact> = (0..below(6))
                .map(|_| {
                    let mask = if below(2) == 0 { u32::MAX } else { below(256) };
                    let op = [CmpOp::Eq, CmpOp::Gt, CmpOp::Ge, CmpOp::Set][below(4) as usize];
                    Fact { mask, op, k: below(256), holds: below(2) == 0 }
                })
                .collect();
            facts.iter().for_each(|&fact| word.learn(fact));
            let smallest = (0..256).find(|&number| facts.iter().all(|fact| fact.fits(number)));
            match smallest {
                Some(number) => {
                    assert_eq!(word.search(), Search::Found(number), "{facts:x?}");
                    found += 1;
                }
                None => {
                    assert_eq!(word.search(), Search::Impossible, "{facts:x?}");
                    impossible += 1;
                }
            }
            if let Some(constant) = word.constant().filter(|_| smallest.is_some()) {
                assert_eq!(Some(constant), smallest, "{facts:x?}");
            }
        }
        assert!(found > 5_000 && impossible > 1_000, "{found} {impossible}");
    }

    #[test]
    fn large_gaps_are_jumped_over() {
        let mut word = Word::any();
        let high = |k, holds| Fact { mask: 0xff00_0000, op: CmpOp::Eq, k, holds };
        (0..0x80).for_each(|byte| word.learn(high(byte << 24, false)));
        assert_eq!(word.search(), Search::Found(0x8000_0000));
        word.learn(Fact { mask: u32::MAX, op: CmpOp::Set, k: 0x8000_0000, holds: false });
        assert_eq!(word.search(), Search::Impossible);
    }
}
