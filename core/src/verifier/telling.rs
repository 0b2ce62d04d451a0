//! What the log tells of a proof as it goes.

use super::Verifier;
use super::trace::{Changed, Listed, Printed};
use crate::domain::Contradiction;
use crate::isa::Reg;
use crate::program::Pc;

impl Verifier<'_> {
    /// An instruction as the log shows it.
    pub(super) fn listed(&self, pc: Pc) -> String {
        let names = |id| self.environment.name(id);
        Listed { insn: self.program.insn(pc), names: &names }.to_string()
    }

    pub(super) fn log_graph(&mut self) {
        if self.log.level() < 2 {
            return;
        }
        for (number, &function) in self.graph.functions().iter().enumerate() {
            self.log.add(2, format_args!("func#{number} @{}\n", self.program.slot(function)));
        }
        self.log.add(2, format_args!("Live regs before insn:\n"));
        for pc in self.program.pcs() {
            let live = self.graph.node(pc).live;
            let columns: String = Reg::ALL[..10]
                .iter()
                .map(|&reg| if live.contains(reg) { char::from(b'0' + reg.bits()) } else { '.' })
                .collect();
            let insn = self.listed(pc);
            let slot = self.program.slot(pc).0;
            match self.graph.node(pc).cycle {
                0 => self.log.add(2, format_args!("    {slot:3}: {columns} {insn}\n")),
                cycle => self.log.add(2, format_args!("{cycle:3} {slot:3}: {columns} {insn}\n")),
            }
        }
    }

    pub(super) fn log_insn(&mut self, pc: Pc) {
        let environment = self.environment;
        let names = |id| environment.name(id);
        self.log.insn(self.program.slot(pc).0, self.program.insn(pc), &names);
    }

    /// Shows the state before an instruction: all of it where the path was come to from elsewhere.
    pub(super) fn log_state(&mut self, arrived: bool, before: Option<Pc>) {
        if arrived && self.log.level() >= 2 {
            let (from, to) = self.way(before);
            let frame = self.state.frames.len() - 1;
            let printed =
                Printed { state: &self.state, frame, changed: Changed::ALL, maps: self.program.maps() };
            self.log.add(2, format_args!("\nfrom {from} to {to}:{printed}\n"));
        }
        if !self.changed.is_empty() {
            self.log_changes();
        }
    }

    pub(super) fn log_changes(&mut self) {
        let slot = self.program.slot(self.state.pc).0;
        let changed = std::mem::take(&mut self.changed);
        let frame = self.state.frames.len() - 1;
        self.log.changes(slot, &Printed { state: &self.state, frame, changed, maps: self.program.maps() });
    }

    pub(super) fn log_safe(&mut self, arrived: bool, before: Option<Pc>) {
        let (from, to) = self.way(before);
        if arrived {
            self.log.add(1, format_args!("\nfrom {from} to {to}: safe\n"));
        } else {
            self.log.add(1, format_args!("{to}: safe\n"));
        }
    }

    pub(super) fn way(&self, before: Option<Pc>) -> (i64, u32) {
        let from = before.map_or(-1, |pc| i64::from(self.program.slot(pc).0));
        (from, self.program.slot(self.state.pc).0)
    }

    pub(super) fn log_contradiction(&mut self, contradiction: &Contradiction, place: &str) {
        let Contradiction { before, contradiction } = contradiction;
        let (wide, low) = (before.wide, before.low);
        self.log.add(
            1,
            format_args!(
                "verifier bug: REG INVARIANTS VIOLATION ({place}): {contradiction} u64=[{:#x}, {:#x}] \
                 s64=[{:#x}, {:#x}] u32=[{:#x}, {:#x}] s32=[{:#x}, {:#x}] var_off=({:#x}, {:#x})\n",
                wide.unsigned.min,
                wide.unsigned.max,
                wide.signed.min,
                wide.signed.max,
                low.unsigned.min,
                low.unsigned.max,
                low.signed.min,
                low.signed.max,
                before.bits.value(),
                before.bits.mask(),
            ),
        );
    }
}
