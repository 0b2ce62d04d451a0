//! The verifier's answer, as the page is told it.

use super::known::known;
use super::message::{KnownHere, Place, Proof, Refusal};
use crate::levels::Levels;
use bpf64_core::program::Pc;
use bpf64_core::verifier::{self, Reason, Verified};

/// The most of a log that is kept, in bytes: its end, which tells of the path that was refused.
const MOST_LOG: usize = 256 * 1024;

/// What a proof leaves behind, for whoever asks what is known somewhere.
pub(super) struct Insight {
    verified: Option<Verified>,
}

impl Insight {
    /// What is known before an instruction.
    pub(super) fn before(&self, pc: u32, levels: &Levels) -> KnownHere {
        let facts = self.verified.as_ref().and_then(|verified| verified.facts().before(Pc(pc)));
        let always = facts.map(|facts| facts.map(|fact| known(fact, levels)).to_vec());
        KnownHere { pc, always, visits: Vec::new(), left_out: 0 }
    }
}

/// Verifies a program's eBPF form.
pub(super) fn prove(levels: &Levels) -> (Proof, Insight) {
    match verifier::verify(&levels.ebpf, &levels.program_type, 1) {
        Ok(verified) => {
            let proof = Proof {
                refusal: None,
                processed: verified.effort().processed,
                log: shortened(verified.log()),
                micros: 0,
            };
            (proof, Insight { verified: Some(verified) })
        }
        Err(rejection) => {
            let reason = &rejection.reason;
            let refusal = Refusal {
                place: Place { pc: rejection.pc.0, slot: levels.ebpf.slot(rejection.pc).0 },
                code: reason.code().to_owned(),
                sentence: reason.explanation(),
                kernel: reason.to_string(),
                unknown: matches!(reason, Reason::NotSupported(_)),
            };
            let proof = Proof {
                refusal: Some(refusal),
                processed: rejection.processed,
                log: shortened(&rejection.log),
                micros: 0,
            };
            (proof, Insight { verified: None })
        }
    }
}

/// The end of a long log, from the start of a line.
fn shortened(log: &str) -> String {
    let Some(from) = log.len().checked_sub(MOST_LOG) else { return log.to_owned() };
    let from = log.ceil_char_boundary(from);
    let line = log[from..].find('\n').map_or(from, |end| from + end + 1);
    format!("[{line} bytes before this are left out]\n{}", &log[line..])
}
