//! What the worker has found out about the program and the capture that are shown.

use super::State;
use crate::levels::Level;
use crate::work::{Judgement, Place, Proof, Ran, Report, TableRows};
use bpf64_core::environment::Tally;
use bpf64_core::isa::Reg;
use bpf64_core::program::Pc;
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

/// What came of the packets of the open capture, or of the recorded events, as far as they were judged.
#[derive(Debug, Clone, Default)]
pub struct Judged {
    /// Each with the number of its first packet.
    parts: Vec<(usize, Rc<[Judgement]>)>,
    /// Packets judged.
    pub done: usize,
    /// What the program said of those.
    pub tally: Tally,
    /// How often each eBPF instruction was executed over all of them.
    pub hits: Rc<[u64]>,
    /// How often it was followed by another than the next one.
    pub taken: Rc<[u64]>,
    /// What the program's tables hold after all of them; none before.
    pub tables: Rc<[TableRows]>,
}

impl Judged {
    /// What came of packet `index`; `None` as long as nobody knows.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Judgement> {
        let behind = self.parts.partition_point(|(first, _)| *first <= index);
        let (first, part) = self.parts.get(behind.checked_sub(1)?)?;
        part.get(index - first).copied()
    }
}

/// How often an instruction was executed over the whole capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Heat {
    /// Executed.
    pub executed: u64,
    /// Followed by another than the next one.
    pub taken: u64,
}

impl State {
    /// The heat of each instruction of a level, once a capture is judged. Of a classic instruction, executed is what the
    /// first one it became was, and taken what the last one was that ever jumped.
    #[must_use]
    pub fn heat_in(&self, level: Level) -> Option<Rc<[Heat]>> {
        let levels = self.levels.as_ref()?;
        let judged = &self.judged;
        if judged.done == 0 {
            return None;
        }
        let of = |index: usize| Heat {
            executed: judged.hits.get(index).copied().unwrap_or(0),
            taken: judged.taken.get(index).copied().unwrap_or(0),
        };
        match level {
            Level::Ebpf => Some((0..levels.ebpf_rows.len()).map(of).collect()),
            Level::Classic => {
                let mut heat = vec![Heat::default(); levels.classic_rows.len()];
                for (index, row) in levels.ebpf_rows.iter().enumerate().rev() {
                    if let Some(known) = row.key.and_then(|key| heat.get_mut(key as usize)) {
                        let Heat { executed, taken } = of(index);
                        *known = Heat { executed, taken: known.taken.max(taken) };
                    }
                }
                Some(heat.into())
            }
        }
    }

    /// The eBPF instruction that the proof pane tells of: the one looked at, or where execution stands; before the
    /// first step, the one that is refused.
    #[must_use]
    pub fn proof_place(&self) -> Option<Pc> {
        let levels = self.levels.as_ref()?;
        let player = self.player.as_ref()?;
        let here = || levels.partner(self.level, player.pc()?, Level::Ebpf);
        let refused = || self.refused_at().map(|place| Pc(place.pc));
        let at_start = Some(()).filter(|()| player.position() == 0);
        self.looked_at.or_else(|| at_start.and_then(|()| refused())).or_else(here).or_else(refused)
    }

    /// What a register really holds, where execution stands before this eBPF instruction.
    #[must_use]
    pub fn real_value(&self, pc: u32, reg: Reg) -> Option<u64> {
        let player = self.player.as_ref().filter(|player| player.pc() == Some(Pc(pc)))?;
        player.register(reg)
    }

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

    /// The open capture with the accepted packets only, as a file; `None` when none is open.
    #[must_use]
    pub fn accepted_packets(&self) -> Option<Vec<u8>> {
        let (open, levels) =
            self.capture.as_ref().zip(self.levels.as_ref()).filter(|_| !self.runs_over_events())?;
        let keep = |index| match self.judged.get(index) {
            Some(Judgement::Value(r0)) => (levels.program_type.verdict)(r0).is_accepted(),
            Some(Judgement::Trap | Judgement::NoEnd) | None => false,
        };
        Some(open.packets.only(&open.file, keep))
    }

    /// Whether the worker has something to do that was not reported yet.
    #[must_use]
    pub fn is_working(&self) -> bool {
        let judging = self.judged.done < self.inputs();
        let running = self.long_run.as_ref().is_some_and(|run| run.end.is_none());
        !self.halted && (self.verification == Verification::Pending || judging || running)
    }

    /// A new program, or another capture: what was judged counts no more.
    pub(super) fn forget_judged(&mut self) {
        self.judged = Rc::new(Judged::default());
        self.halted = false;
    }

    /// What is under way ends, until the next edit. The worker hears of it, or another one takes its place; what it said
    /// until then may still come in.
    pub(super) fn halt(&mut self, verification: Verification) {
        self.halted = true;
        if let Some(run) = self.long_run.as_mut().filter(|run| run.end.is_none()) {
            run.end = Some(Ran::Stopped);
        }
        if self.verification == Verification::Pending {
            self.verification = verification;
        }
    }

    pub(super) fn hear(&mut self, report: Report) {
        match report {
            Report::Proved { order, proof } if order == self.order => {
                self.verification = Verification::Done(Rc::new(proof));
            }
            Report::Seen { order, here } if order == self.order => {
                if self.seen.as_ref().is_none_or(|seen| seen.pc != here.pc) {
                    self.visit = None;
                }
                self.seen = Some(Rc::new(here));
            }
            Report::Judged { order, capture, first, results, hits, taken } => {
                let open = match &self.capture {
                    _ if self.runs_over_events() => Some(self.events.number),
                    capture => capture.as_ref().map(|open| open.number),
                };
                // Another worker that takes over begins with the first packet.
                let known = self.judged.done.checked_sub(first as usize);
                let results = known.and_then(|known| results.get(known..)).unwrap_or_default();
                let about_this = order == self.order && open == Some(capture) && !results.is_empty();
                if let (true, Some(levels)) = (about_this, self.levels.clone()) {
                    let judged = Rc::make_mut(&mut self.judged);
                    judged.parts.push((judged.done, results.into()));
                    judged.done += results.len();
                    for result in results {
                        judged.tally.count(match result {
                            Judgement::Value(r0) => Some((levels.program_type.verdict)(*r0)),
                            Judgement::Trap | Judgement::NoEnd => None,
                        });
                    }
                    judged.hits = hits.into();
                    judged.taken = taken.into();
                }
            }
            Report::Kept { order, tables } if order == self.order => {
                Rc::make_mut(&mut self.judged).tables = tables.into();
            }
            Report::Ran { run, executed, end } => {
                if let Some(long) = self.long_run.as_mut().filter(|long| long.number == run) {
                    long.executed = long.executed.max(executed);
                    long.end = end.or(long.end.take());
                }
            }
            Report::Died => {
                self.halt(Verification::Failed);
                self.notice = Some(
                    "The background worker has ended unexpectedly. Stepping goes on; edit the program to start it again."
                        .into(),
                );
            }
            Report::NoRunner => {
                self.notice = Some(
                    "What runs long captures fast could not be loaded. They are judged step by step instead, which takes longer."
                        .into(),
                );
            }
            Report::Proved { .. }
            | Report::Seen { .. }
            | Report::Kept { .. }
            | Report::Ready
            | Report::Heard => {}
        }
    }
}
