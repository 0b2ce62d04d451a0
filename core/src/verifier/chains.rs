//! Numbers for what is reached through calls.

use crate::keyed::Map;
use crate::program::Pc;

/// The calls that something is reached through, from `main` on, and its own number: that of a function, since a call that
/// calls back may call several, or that of a loop.
pub(super) type Chain = (Vec<Pc>, usize);

/// What each chain is numbered with. Chains are followed call by call, so that this is no table of a kind of its own.
#[derive(Debug, Default)]
pub(super) struct Chains {
    /// From calls, and one more, to all of these. No calls at all are 0.
    calls: Map<(usize, Pc), usize>,
    /// How many there are.
    count: usize,
    numbers: Map<(usize, usize), usize>,
}

impl Chains {
    pub(super) fn get(&self, (calls, last): &Chain) -> Option<usize> {
        let calls = calls.iter().try_fold(0, |before, &call| self.calls.get((before, call)).copied())?;
        self.numbers.get((calls, *last)).copied()
    }

    /// The number of a chain, which is `number` if it had none.
    pub(super) fn or_insert(&mut self, (calls, last): &Chain, number: usize) -> usize {
        let mut before = 0;
        for &call in calls {
            before = *self.calls.or_insert((before, call), self.count + 1);
            self.count = self.count.max(before);
        }
        *self.numbers.or_insert((before, *last), number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_are_told_apart() {
        let chain = |calls: &[u32], last| (calls.iter().copied().map(Pc).collect(), last);
        let all: [Chain; 7] = [
            chain(&[], 0),
            chain(&[], 1),
            chain(&[1], 0),
            chain(&[1], 1),
            chain(&[1, 1], 0),
            chain(&[2, 1], 0),
            chain(&[1, 2], 0),
        ];
        let mut chains = Chains::default();
        for (number, chain) in all.iter().enumerate() {
            assert_eq!(chains.get(chain), None);
            assert_eq!(chains.or_insert(chain, number), number);
        }
        for (number, chain) in all.iter().enumerate() {
            assert_eq!((chains.get(chain), chains.or_insert(chain, 99)), (Some(number), number));
        }
        assert_eq!(chains.get(&chain(&[2], 0)), None, "only part of a chain");
    }
}
