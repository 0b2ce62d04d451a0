//! Programs and runs in words, beside the instructions.

use crate::cli::Status;
use crate::cli::failure::Failure;
use bpf64_core::context::skb::Skb;
use bpf64_core::debugger::{End, Session};
use bpf64_core::environment::World;
use bpf64_core::link::Packet;
use bpf64_core::load::{Form, Loaded};
use bpf64_core::machine::Machine;
use bpf64_core::program::Pc;
use bpf64_core::{classic, explain, interp};
use std::rc::Rc;

/// A step of a run, told.
pub(super) struct Step {
    /// The instruction.
    pub(super) pc: Pc,
    /// What it did.
    pub(super) explanation: String,
}

/// A run, told.
pub(super) struct Told {
    /// In the order of execution; the last may be one that could not be made.
    pub(super) steps: Vec<Step>,
    /// What to say when the run was given up.
    pub(super) limit: Option<Failure>,
    trapped: bool,
}

impl Told {
    pub(super) fn status(&self) -> Status {
        if self.trapped || self.limit.is_some() { Status::Refused } else { Status::Done }
    }
}

/// What the instruction does whenever it is executed.
pub(super) fn insn(loaded: &Loaded, pc: Pc) -> String {
    match &loaded.form {
        Form::Classic(program, _) => {
            classic::doc::sentence(&program.insns()[pc.index()], pc, program.rules())
        }
        Form::Ebpf(program) => explain::insn(program, pc, &loaded.program_type),
    }
}

/// Runs the program over the packet, on the machine of its own instruction set.
pub(super) fn run(loaded: &Loaded, packet: Packet, limit: usize) -> Told {
    let link = packet.link_type;
    let world = World::new(Skb::captured(packet.bytes, packet.wire_len, link));
    match &loaded.form {
        Form::Classic(program, _) => {
            let machine = classic::interp::Machine::new(Rc::new(program.clone()), world);
            told(Session::new(machine, limit), |session, step| explain::classic_step(session, step, link))
        }
        Form::Ebpf(program) => {
            let machine = interp::Machine::new(Rc::new(program.clone()), loaded.program_type.clone(), world);
            told(Session::new(machine, limit), |session, step| explain::ebpf_step(session, step, link))
        }
    }
}

fn told<M: Machine>(mut session: Session<M>, explain: impl Fn(&Session<M>, usize) -> Option<String>) -> Told {
    let mut steps = Vec::with_capacity(session.steps());
    loop {
        let step = session.position();
        let told = session.pc_of(step).zip(explain(&session, step));
        steps.extend(told.map(|(pc, explanation)| Step { pc, explanation }));
        if !session.step() {
            break;
        }
    }
    let limit = match session.end() {
        End::Limit(limit) => {
            let message = format!("the program did not end within {limit} instructions");
            Some(Failure::refused(message).help("`--limit N` allows more"))
        }
        End::Value(..) | End::Trap(_) => None,
    };
    Told { steps, limit, trapped: matches!(session.end(), End::Trap(_)) }
}

/// Instructions with their explanations as comments, below each other. All of it can be assembled again.
pub(super) fn beside<'a>(lines: impl Iterator<Item = (&'a str, String)>) -> Vec<String> {
    let lines: Vec<(String, String)> =
        lines.map(|(insn, explanation)| (without_tabs(insn), explanation)).collect();
    let width = lines.iter().map(|(insn, _)| insn.chars().count()).max().unwrap_or_default();
    lines.iter().map(|(insn, explanation)| format!("{insn:width$}  ; {explanation}")).collect()
}

/// The line with blanks up to each stop instead of tabs, whose width depends on where the line begins.
fn without_tabs(line: &str) -> String {
    line.chars().fold(String::new(), |mut text, c| {
        match c {
            '\t' => {
                let column = text.chars().count();
                text.extend(std::iter::repeat_n(' ', 8 - column % 8));
            }
            _ => text.push(c),
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explanations_stand_below_each_other() {
        let lines = [("a", "one".to_owned()), ("bc\td", "two".to_owned())];
        assert_eq!(beside(lines.into_iter()), ["a          ; one", "bc      d  ; two"]);
    }
}
