//! The verifier's answer, as the page is told it.

use super::known::known;
use super::message::{KnownHere, Place, Proof, Refusal, Visit};
use crate::subject::Subject;
use bpf64_core::program::Pc;
use bpf64_core::verifier::{self, Fact, Reason, Rejection, Settings, Verified, Visits};

/// The most of a log that is kept, in bytes: its end, which tells of the path that was refused.
const MOST_LOG: usize = 256 * 1024;

/// Visits that are kept of an instruction, and in all.
const OF_EACH: u32 = 64;
const IN_ALL: usize = 20_000;

/// What a proof leaves behind, for whoever asks what is known somewhere.
pub(super) struct Insight {
    verified: Option<Verified>,
    /// Found out by going through the proof once more, when somebody asks for the first time: most never do.
    visits: Option<Visits>,
}

impl Insight {
    /// What is known before an instruction: on every path, and path by path. Of a refused program, on the paths that
    /// were followed until then.
    pub(super) fn before(&mut self, pc: u32, subject: &Subject) -> KnownHere {
        let visits = self.visits.get_or_insert_with(|| {
            let mut visits = Visits::new(OF_EACH, IN_ALL);
            let settings = Settings::default();
            // The answer is known already.
            let _ = verifier::verify_with_visits(&subject.ebpf, &subject.program_type, settings, &mut visits);
            visits
        });
        let here: Vec<_> = visits.list().iter().filter(|visit| visit.pc == Pc(pc)).collect();
        let left_out = visits.count(Pc(pc)).saturating_sub(here.len() as u32);
        let facts = match &self.verified {
            Some(verified) => verified.facts().before(Pc(pc)),
            None if left_out > 0 => None,
            None => here.iter().map(|visit| visit.registers).reduce(|mut all, one| {
                all.iter_mut().zip(one).for_each(|(fact, other)| *fact = fact.join(other));
                all
            }),
        };
        let names = |facts: &[Fact]| facts.iter().map(|&fact| known(fact, subject)).collect();
        let slot = |pc: Pc| subject.ebpf.slot(pc).0;
        let visits = here.into_iter().map(|visit| Visit {
            from: visit.from.map(slot),
            registers: names(&visit.registers),
            state: visit.state.clone(),
            covered: visit.covered,
        });
        KnownHere { pc, always: facts.map(|facts| names(&facts)), visits: visits.collect(), left_out }
    }
}

/// Verifies a program's eBPF form, and those of the programs that it may go on to. The log is empty at level 0.
pub(super) fn prove(subject: &Subject, level: u8) -> (Proof, Insight) {
    match verifier::verify(&subject.ebpf, &subject.program_type, level) {
        Ok(verified) => {
            let proof = Proof {
                refusal: others(subject),
                processed: verified.effort().processed,
                log: shortened(verified.log()),
                micros: 0,
            };
            (proof, Insight { verified: Some(verified), visits: None })
        }
        Err(rejection) => {
            let place = Place { pc: rejection.pc.0, slot: subject.ebpf.slot(rejection.pc).0 };
            let sentence = rejection.explanation();
            let proof = Proof {
                refusal: Some(refusal(&rejection, place, sentence)),
                processed: rejection.processed,
                log: shortened(&rejection.log),
                micros: 0,
            };
            (proof, Insight { verified: None, visits: None })
        }
    }
}

/// Why the first of the other programs is refused that is, if one is. Its place is in no listing.
fn others(subject: &Subject) -> Option<Refusal> {
    subject.others.iter().zip(&*subject.names).find_map(|(other, name)| {
        let rejection = verifier::verify(other, &subject.program_type, 0).err()?;
        let slot = other.slot(rejection.pc).0;
        let sentence = format!("program {name}, instruction {slot}: {}", rejection.explanation());
        Some(refusal(&rejection, Place { pc: u32::MAX, slot }, sentence))
    })
}

fn refusal(rejection: &Rejection, place: Place, sentence: String) -> Refusal {
    let reason = &rejection.reason;
    Refusal {
        place,
        code: reason.code().to_owned(),
        sentence,
        kernel: reason.to_string(),
        unknown: matches!(reason, Reason::NotSupported(_)),
    }
}

/// The end of a long log, from the start of a line.
fn shortened(log: &str) -> String {
    let Some(from) = log.len().checked_sub(MOST_LOG) else { return log.to_owned() };
    let from = log.ceil_char_boundary(from);
    let line = log[from..].find('\n').map_or(from, |end| from + end + 1);
    format!("[{line} bytes before this are left out]\n{}", &log[line..])
}
