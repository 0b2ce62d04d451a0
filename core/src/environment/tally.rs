//! Verdicts counted over many packets.

use super::Verdict;
use std::fmt;

/// How often a program said what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    accepted: usize,
    /// Runs that came to no verdict.
    failed: usize,
    /// By [`Verdict::word`], in the order of their first time.
    words: Vec<(&'static str, usize)>,
    /// Whether some of these are names of constants.
    named: bool,
}

impl Tally {
    /// Counts a run; `None` is one that came to no verdict.
    pub fn count(&mut self, verdict: Option<Verdict>) {
        let Some(verdict) = verdict else {
            self.failed += 1;
            return;
        };
        self.accepted += usize::from(verdict.is_accepted());
        self.named |= matches!(verdict, Verdict::Action { .. });
        let word = if verdict == Verdict::Number { "other" } else { verdict.word() };
        match self.words.iter_mut().find(|(known, _)| *known == word) {
            Some((_, count)) => *count += 1,
            None => self.words.push((word, 1)),
        }
    }

    /// Runs after which the packet or event was kept, or went on.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.accepted
    }

    /// The names of constants that were returned, each with how often; none where packets are just accepted or dropped.
    #[must_use]
    pub fn names(&self) -> &[(&'static str, usize)] {
        if self.named { &self.words } else { &[] }
    }
}

/// "21 accepted, 6 dropped", or by their names "15 XDP_DROP, 12 XDP_PASS".
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.named {
            for (number, (word, count)) in self.words.iter().enumerate() {
                write!(f, "{}{count} {word}", if number == 0 { "" } else { ", " })?;
            }
        } else {
            let all: usize = self.words.iter().map(|(_, count)| count).sum();
            write!(f, "{} accepted, {} dropped", self.accepted, all - self.accepted)?;
        }
        if self.failed > 0 { write!(f, ", {} without a verdict", self.failed) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::{Environment, SCHED_CLS, SOCKET_FILTER, XDP};

    fn told(environment: &Environment, returned: &[u64]) -> (String, usize) {
        let mut tally = Tally::default();
        returned.iter().for_each(|&r0| tally.count(Some((environment.verdict)(r0))));
        (tally.to_string(), tally.accepted())
    }

    #[test]
    fn each_type_counts_in_its_own_words() {
        assert_eq!(told(&SOCKET_FILTER, &[]), ("0 accepted, 0 dropped".into(), 0));
        assert_eq!(told(&SOCKET_FILTER, &[1, 0, 1 << 32]), ("1 accepted, 2 dropped".into(), 1));
        let xdp = "1 XDP_ABORTED, 2 XDP_DROP, 1 XDP_PASS, 1 XDP_TX, 1 XDP_REDIRECT, 1 dropped";
        assert_eq!(told(&XDP, &[0, 1, 1, 2, 3, 4, 5]), (xdp.into(), 3));
        let tc = "1 TC_ACT_OK, 1 TC_ACT_SHOT, 1 TC_ACT_PIPE, 1 TC_ACT_STOLEN, 1 TC_ACT_REDIRECT, 1 other";
        assert_eq!(told(&SCHED_CLS, &[0, 2, 3, 4, 7, 42]), (tc.into(), 4));
    }

    #[test]
    fn runs_without_a_verdict_are_told() {
        let mut tally = Tally::default();
        tally.count(None);
        assert_eq!(tally.to_string(), "0 accepted, 0 dropped, 1 without a verdict");
        tally.count(Some((XDP.verdict)(2)));
        assert_eq!(
            (tally.to_string(), tally.names()),
            ("1 XDP_PASS, 1 without a verdict".into(), &[("XDP_PASS", 1)][..])
        );
    }
}
