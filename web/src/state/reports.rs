//! What the worker has found out about the program and the capture that are shown.

use super::State;
use crate::work::{Judgement, Place, Proof, Report, accepts};
use std::rc::Rc;

/// How the verifier stands to the program that is shown.
#[derive(Debug, Clone, PartialEq)]
pub enum Verification {
    /// It is at work.
    Pending,
    /// It is done.
    Done(Rc<Proof>),
    /// It was stopped.
    Stopped,
    /// The worker died of it, or there is none.
    Failed,
}

/// What came of the packets of the open capture, as far as they were judged.
#[derive(Debug, Clone, Default)]
pub struct Judged {
    parts: Vec<Rc<[Judgement]>>,
    /// Packets judged.
    pub done: usize,
    /// Packets accepted of those.
    pub accepted: usize,
    /// How often each eBPF instruction was executed over all of them.
    pub hits: Rc<[u64]>,
    /// How often it was followed by another than the next one.
    pub taken: Rc<[u64]>,
}

impl Judged {
    /// What came of packet `index`; `None` as long as nobody knows.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Judgement> {
        // All parts but the last are of one length.
        let length = self.parts.first()?.len();
        self.parts.get(index / length)?.get(index % length).copied()
    }
}

impl State {
    /// What the verifier refuses the program for, and where.
    #[must_use]
    pub fn refused_at(&self) -> Option<Place> {
        match &self.verification {
            Verification::Done(proof) => {
                proof.refusal.as_ref().filter(|refusal| !refusal.unknown).map(|refusal| refusal.place)
            }
            Verification::Pending | Verification::Stopped | Verification::Failed => None,
        }
    }

    /// Whether the worker has something to do that was not reported yet.
    #[must_use]
    pub fn is_working(&self) -> bool {
        let judging = self.capture.as_ref().is_some_and(|open| self.judged.done < open.packets.len());
        !self.halted && (self.verification == Verification::Pending || judging)
    }

    /// A new program, or another capture: what was judged counts no more.
    pub(super) fn forget_judged(&mut self) {
        self.judged = Rc::new(Judged::default());
        self.halted = false;
    }

    pub(super) fn hear(&mut self, report: Report) {
        match report {
            Report::Proved { order, proof } if order == self.order => {
                self.verification = Verification::Done(Rc::new(proof));
            }
            Report::Judged { order, capture, first, results, hits, taken } => {
                let open = self.capture.as_ref().map(|open| open.number);
                let next = self.judged.done == first as usize;
                if let (true, Some(levels)) =
                    (order == self.order && open == Some(capture) && next, self.levels.clone())
                {
                    let judged = Rc::make_mut(&mut self.judged);
                    judged.done += results.len();
                    judged.accepted += results
                        .iter()
                        .filter(|result| match result {
                            Judgement::Value(r0) => accepts(&levels.program_type, *r0),
                            Judgement::Trap | Judgement::NoEnd => false,
                        })
                        .count();
                    judged.parts.push(results.into());
                    judged.hits = hits.into();
                    judged.taken = taken.into();
                }
            }
            Report::Stopped => {
                self.halted = true;
                if self.verification == Verification::Pending {
                    self.verification = Verification::Stopped;
                }
            }
            Report::Died => {
                self.halted = true;
                if self.verification == Verification::Pending {
                    self.verification = Verification::Failed;
                }
                self.notice = Some(
                    "The background worker has ended unexpectedly. Stepping goes on; edit the program to start it again."
                        .into(),
                );
            }
            Report::Proved { .. } | Report::Ran { .. } | Report::Ready | Report::Heard => {}
        }
    }
}
