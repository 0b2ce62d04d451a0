//! What a program prints and sends while it runs.

use bpf64_core::machine::{At, Observer, Place, Sent};
use bpf64_core::program::Pc;

/// Lines and packets that are kept; of more it is only known how many there were.
const KEPT: usize = 10_000;

/// What a run printed and sent, in its order.
#[derive(Debug, Default)]
pub(in crate::cli) struct Heard {
    /// The instruction that is executed.
    pub(super) at: At,
    /// Lines, each with the instruction that printed it.
    pub(in crate::cli) printed: Vec<(At, String)>,
    /// Packets.
    pub(in crate::cli) sent: Vec<Sent>,
    /// How many lines and packets were not kept.
    pub(in crate::cli) lost: u64,
}

impl Heard {
    /// What an engine has kept that tells nobody meanwhile.
    pub(super) fn of(printed: Vec<(At, String)>, sent: Vec<Sent>) -> Self {
        Heard { printed, sent, ..Heard::default() }
    }

    /// The lines alone.
    pub(in crate::cli) fn lines(&self) -> Vec<&str> {
        self.printed.iter().map(|(_, line)| line.as_str()).collect()
    }
}

impl Observer for Heard {
    fn at(&mut self, pc: Pc) {
        self.at.pc = pc;
    }

    fn read(&mut self, _: Place, _: u64) {}

    fn wrote(&mut self, place: Place, _: u64, after: u64) {
        if place == Place::Program {
            self.at.program = after as u32;
        }
    }

    fn printed(&mut self, line: &str) {
        if self.printed.len() < KEPT {
            self.printed.push((self.at, line.to_owned()));
        } else {
            self.lost += 1;
        }
    }

    fn sent(&mut self, sent: &Sent) {
        if self.sent.len() < KEPT {
            self.sent.push(sent.clone());
        } else {
            self.lost += 1;
        }
    }
}
