//! Calls and returns of eBPF programs: of functions of the kernel, of their own, and of functions that call back.

use super::moment::Moment;
use super::number;
use super::origin::LOOK_BACK;
use crate::errno::Errno;
use crate::helpers::{Arg, CLASSIC, Function, Implementation, Ret};
use crate::interp::Machine;
use crate::isa::{Callee, Insn, Reg};
use crate::machine::Place;
use crate::program::Pc;

/// The registers that pass arguments.
const ARGUMENTS: [Reg; 5] = [Reg::R1, Reg::R2, Reg::R3, Reg::R4, Reg::R5];

impl Moment<'_, Machine> {
    /// "r0 = map_lookup_elem(map counters, stack - 4 (7)) = value of counters"
    pub(super) fn call(&self, id: i32) -> String {
        // The machine trapped if there is none.
        let Some(function) = self.machine().environment().function(id) else { return String::new() };
        let taken = function.prototype.args.iter().take_while(|&&arg| arg != Arg::None).count();
        let arguments: Vec<String> = ARGUMENTS[..taken].iter().map(|&reg| self.argument(reg)).collect();
        let call = format!("{}({})", function.name, arguments.join(", "));
        let changed = |place| self.changes().iter().rev().find(|change| change.place == place);
        if let Some(change) = changed(Place::Program) {
            return format!("{call} goes on in program {}", change.after.saturating_sub(1));
        }
        if changed(Place::Reg(Reg::R10)).is_some() {
            return format!("{call} {}", self.calls_back());
        }
        match (function.prototype.ret, function.call) {
            (Ret::Void, Implementation::Control(_)) => format!("{call} finds nothing: goes on"),
            (Ret::Void, Implementation::Value(_)) => format!("calls {call}"),
            (Ret::Integer | Ret::Length | Ret::Cpu | Ret::MapValueOrNull | Ret::RecordOrNull, _) => {
                let value = self.result(Reg::R0);
                let meaning =
                    meaning(function, value).map_or_else(String::new, |meaning| format!(" ({meaning})"));
                format!("r0 = {call} = {}{meaning}", self.number(value))
            }
        }
    }

    /// An argument, with what the function read there if it is a number.
    fn argument(&self, reg: Reg) -> String {
        let value = self.before(Place::Reg(reg));
        let text = self.brief(value);
        let mut reads = self.reads().iter().filter(|read| match read.place {
            Place::Memory { region, offset, .. } => region.address(offset) == value,
            _ => false,
        });
        match reads.next() {
            Some(read) => format!("{text} ({})", number::brief(read.value)),
            None => text,
        }
    }

    /// "calls the function at 9 with 0, stack - 8": what the step does by the hand of a function that calls back.
    fn calls_back(&self) -> String {
        let values = ARGUMENTS.map(|reg| self.result(reg));
        let count = values.iter().rposition(|&value| value != 0).map_or(1, |last| last + 1);
        let texts: Vec<String> = values[..count].iter().map(|&value| self.brief(value)).collect();
        format!("calls the function at {} with {}", self.next_slot(), texts.join(", "))
    }

    /// The slot that comes next; 0 when the recording stops here.
    fn next_slot(&self) -> u32 {
        let next = self.step + 1;
        self.session().pc_of(next).map_or(0, |pc| self.program_at(next).slot(pc).0)
    }

    /// "calls the function at 7 with context, 5"
    pub(super) fn enter(&self, pc: Pc, offset: i32) -> String {
        let program = self.program();
        let target = program.target(pc, offset).map_or(0, |target| program.slot(target).0);
        let set = &ARGUMENTS[..self.arguments_set()];
        let texts: Vec<String> = set.iter().map(|&reg| self.brief(self.before(Place::Reg(reg)))).collect();
        let with = if texts.is_empty() { String::new() } else { format!(" with {}", texts.join(", ")) };
        format!("calls the function at {target}{with}")
    }

    /// How many arguments a function of the program's own is given. Nothing says how many it takes, but after a call
    /// these registers have to be set anew, so it is up to the last that was; before the first call, up to the last
    /// that is not 0.
    fn arguments_set(&self) -> usize {
        let session = self.session();
        let insn = |step| self.program_at(step).insns().get(session.pc_of(step)?.index());
        let mut count = 0;
        for step in (self.step.saturating_sub(LOOK_BACK)..self.step).rev() {
            match insn(step) {
                Some(Insn::Call(Callee::Helper(_)) | Insn::Exit) => return count,
                Some(Insn::Call(Callee::Local(_))) => break,
                _ => {}
            }
            let set = |reg: &Reg| session.changes(step).iter().any(|change| change.place == Place::Reg(*reg));
            count = count.max(ARGUMENTS.iter().rposition(set).map_or(0, |last| last + 1));
        }
        let given = |reg: &Reg| self.before(Place::Reg(*reg)) != 0;
        count.max(ARGUMENTS.iter().rposition(given).map_or(0, |last| last + 1))
    }

    /// "returns to 7 with r0 = 5", or what the program's result means.
    pub(super) fn exit(&self) -> String {
        let r0 = self.before(Place::Reg(Reg::R0));
        if self.end().is_some() {
            return format!("returns {}", self.verdict(r0));
        }
        let wrote = |reg| self.changes().iter().any(|change| change.place == Place::Reg(reg));
        let (value, next) = (self.number(r0), self.next_slot());
        // A frame that is left and entered again is a callback that is called again.
        if self.result(Reg::R10) == self.before(Place::Reg(Reg::R10)) {
            format!("returns {value} to the function that called back: it {}", self.calls_back())
        } else if wrote(Reg::R0) {
            let result = self.number(self.result(Reg::R0));
            format!("returns {value} to the function that called back: r0 = {result}, goes on at {next}")
        } else {
            format!("returns to {next} with r0 = {value}")
        }
    }
}

/// What a function's result says: that it found nothing, or why it failed.
fn meaning(function: &Function, result: u64) -> Option<&'static str> {
    match function.prototype.ret {
        Ret::MapValueOrNull | Ret::RecordOrNull => (result == 0).then_some("nothing"),
        // Those of our own have no error numbers.
        Ret::Integer | Ret::Length if function.id < CLASSIC => {
            let number = i32::try_from(-i128::from(result as i64)).ok().filter(|&number| number > 0)?;
            Errno(number).name()
        }
        Ret::Integer | Ret::Length | Ret::Cpu | Ret::Void => None,
    }
}
