//! The verifier's answer, as the page is told it.

use super::message::{Place, Proof, Refusal};
use crate::levels::Levels;
use bpf64_core::verifier::{self, Reason};

/// The most of a log that is kept, in bytes: its end, which tells of the path that was refused.
const MOST_LOG: usize = 256 * 1024;

/// Verifies a program's eBPF form.
pub(super) fn prove(levels: &Levels) -> Proof {
    match verifier::verify(&levels.ebpf, &levels.program_type, 1) {
        Ok(verified) => Proof {
            refusal: None,
            processed: verified.effort().processed,
            log: shortened(verified.log()),
            micros: 0,
        },
        Err(rejection) => {
            let reason = &rejection.reason;
            let refusal = Refusal {
                place: Place { pc: rejection.pc.0, slot: levels.ebpf.slot(rejection.pc).0 },
                code: reason.code().to_owned(),
                sentence: reason.explanation(),
                kernel: reason.to_string(),
                unknown: matches!(reason, Reason::NotSupported(_)),
            };
            Proof {
                refusal: Some(refusal),
                processed: rejection.processed,
                log: shortened(&rejection.log),
                micros: 0,
            }
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
