//! Engines: whatever can run a program. One suite for all; what an engine cannot do it skips with a reason.

use crate::input::Input;
use bpf64_core::classic::{self, Conversion, convert, convert_plain};
use bpf64_core::debugger::{End, Session};
use bpf64_core::environment::SOCKET_FILTER;
use bpf64_core::interp::Machine;
use bpf64_core::isa::encoding;
use bpf64_core::machine;
use bpf64_core::program::Program;
use bpf64_core::running::{Code, Runner};
use bpf64_core::verifier::verify;
use std::fmt;
use std::rc::Rc;

/// Steps after which a run is given up.
pub const LIMIT: usize = 10_000;

/// Runs programs of kind `P`.
pub trait Engine<P> {
    /// Its name, for messages.
    fn name(&self) -> &'static str;

    /// What the program gives.
    ///
    /// # Errors
    /// Why this engine cannot be asked.
    fn run(&self, program: &Rc<P>, input: &Input) -> Result<Outcome, Skip>;
}

/// What a run gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A result: 32 bits for classic programs, 64 for eBPF.
    Value(u64),
    /// A trap: its text.
    Trap(String),
    /// No end within [`LIMIT`] steps.
    Endless,
}

/// Why an engine was not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skip(pub &'static str);

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Value(value) if *value < 10 => write!(f, "{value}"),
            Outcome::Value(value) => write!(f, "{value:#x}"),
            Outcome::Trap(text) => write!(f, "trap: {text}"),
            Outcome::Endless => f.write_str("endless"),
        }
    }
}

/// The classic reference interpreter: what all others are held against.
pub struct Reference;

impl Engine<classic::Program> for Reference {
    fn name(&self) -> &'static str {
        "reference"
    }

    fn run(&self, program: &Rc<classic::Program>, input: &Input) -> Result<Outcome, Skip> {
        Ok(Outcome::Value(classic::interp::run(program, input.world.clone()).0.into()))
    }
}

/// The program converted to eBPF one to one, on the eBPF machine. A filter's result is the low half of r0.
pub struct Converted;

impl Engine<classic::Program> for Converted {
    fn name(&self) -> &'static str {
        "converted"
    }

    fn run(&self, program: &Rc<classic::Program>, input: &Input) -> Result<Outcome, Skip> {
        Ok(low_half(there(machine_of(program, &convert_plain(program), input))))
    }
}

/// The program converted to eBPF in its optimised form.
pub struct Optimised;

impl Engine<classic::Program> for Optimised {
    fn name(&self) -> &'static str {
        "optimised"
    }

    fn run(&self, program: &Rc<classic::Program>, input: &Input) -> Result<Outcome, Skip> {
        Ok(low_half(there(machine_of(program, &convert(program), input))))
    }
}

/// A debugger session of the classic machine, moved forward, back and forward again.
pub struct ClassicSession;

impl Engine<classic::Program> for ClassicSession {
    fn name(&self) -> &'static str {
        "classic session"
    }

    fn run(&self, program: &Rc<classic::Program>, input: &Input) -> Result<Outcome, Skip> {
        let machine = classic::interp::Machine::new(Rc::clone(program), input.world.clone());
        Ok(there_and_back(machine))
    }
}

/// A debugger session of the converted program.
pub struct ConvertedSession;

impl Engine<classic::Program> for ConvertedSession {
    fn name(&self) -> &'static str {
        "converted session"
    }

    fn run(&self, program: &Rc<classic::Program>, input: &Input) -> Result<Outcome, Skip> {
        Ok(low_half(there_and_back(machine_of(program, &convert_plain(program), input))))
    }
}

/// A debugger session of the optimised form.
pub struct OptimisedSession;

impl Engine<classic::Program> for OptimisedSession {
    fn name(&self) -> &'static str {
        "optimised session"
    }

    fn run(&self, program: &Rc<classic::Program>, input: &Input) -> Result<Outcome, Skip> {
        Ok(low_half(there_and_back(machine_of(program, &convert(program), input))))
    }
}

/// The optimised form in the running form of the interpreter.
pub struct OptimisedRunning;

impl Engine<classic::Program> for OptimisedRunning {
    fn name(&self) -> &'static str {
        "optimised, running form"
    }

    fn run(&self, program: &Rc<classic::Program>, input: &Input) -> Result<Outcome, Skip> {
        running(machine_of(program, &convert(program), input)).map(low_half)
    }
}

/// Every engine of classic programs in this process, the reference first.
pub const CLASSIC: [&dyn Engine<classic::Program>; 7] = [
    &Reference,
    &Converted,
    &Optimised,
    &ClassicSession,
    &ConvertedSession,
    &OptimisedSession,
    &OptimisedRunning,
];

/// The eBPF machine of the converted program, in what it was checked for.
fn machine_of(program: &classic::Program, converted: &Conversion, input: &Input) -> Machine {
    let converted = Rc::new(converted.program.clone());
    Machine::new(converted, program.rules().environment(), input.world.clone())
}

fn low_half(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Value(value) => Outcome::Value(value & u64::from(u32::MAX)),
        other => other,
    }
}

/// The eBPF machine, running.
pub struct Interpreter;

impl Engine<Program> for Interpreter {
    fn name(&self) -> &'static str {
        "interpreter"
    }

    fn run(&self, program: &Rc<Program>, input: &Input) -> Result<Outcome, Skip> {
        Ok(there(machine(program, input)))
    }
}

/// The running form of the interpreter, for what is verified.
pub struct Running;

impl Engine<Program> for Running {
    fn name(&self) -> &'static str {
        "running form"
    }

    fn run(&self, program: &Rc<Program>, input: &Input) -> Result<Outcome, Skip> {
        running(machine(program, input))
    }
}

/// A debugger session of the eBPF machine, moved forward, back and forward again.
pub struct Stepped;

impl Engine<Program> for Stepped {
    fn name(&self) -> &'static str {
        "session"
    }

    fn run(&self, program: &Rc<Program>, input: &Input) -> Result<Outcome, Skip> {
        Ok(there_and_back(machine(program, input)))
    }
}

/// The interpreter on what decoding makes of the program's bytes.
pub struct Reread;

impl Engine<Program> for Reread {
    fn name(&self) -> &'static str {
        "encoded and decoded"
    }

    fn run(&self, program: &Rc<Program>, input: &Input) -> Result<Outcome, Skip> {
        let bytes = program.encode();
        assert_eq!(bytes.len(), program.slot_count() as usize * encoding::SLOT);
        match Program::decode(&bytes) {
            Ok(decoded) => Interpreter.run(&Rc::new(decoded), input),
            Err(error) => Ok(Outcome::Trap(format!("its own bytes are refused: {error}"))),
        }
    }
}

/// The eBPF machine of a run.
#[must_use]
pub fn machine(program: &Rc<Program>, input: &Input) -> Machine {
    let mut machine = Machine::new(Rc::clone(program), &SOCKET_FILTER, input.world.clone());
    for &(reg, value) in &input.registers {
        machine.registers[reg.index()] = value;
    }
    machine
}

fn running(machine: Machine) -> Result<Outcome, Skip> {
    let environment = machine.environment().clone();
    let verified = verify(machine.program(), &environment, 0).map_err(|_| Skip("not verified"))?;
    let outcome =
        Runner::with(Rc::new(Code::new(&verified, environment)), machine).run(LIMIT as u64, &mut ());
    Ok(ended(outcome))
}

fn there(mut machine: Machine) -> Outcome {
    ended(machine.run(LIMIT as u64))
}

fn ended(outcome: bpf64_core::interp::Outcome) -> Outcome {
    match outcome.end {
        Some(Ok((value, _))) => Outcome::Value(value),
        Some(Err(trap)) => Outcome::Trap(trap.to_string()),
        None => Outcome::Endless,
    }
}

fn there_and_back(machine: impl machine::Machine) -> Outcome {
    let mut session = Session::new(machine, LIMIT);
    session.seek(usize::MAX);
    session.seek(0);
    session.seek(usize::MAX);
    match session.end() {
        End::Value(value, _) => Outcome::Value(value),
        End::Trap(trap) => Outcome::Trap(trap.to_string()),
        End::Limit(_) => Outcome::Endless,
    }
}

/// Asks every engine; all that answer must agree.
///
/// # Errors
/// Who says what, when they do not.
pub fn agree<P>(engines: &[&dyn Engine<P>], program: &Rc<P>, input: &Input) -> Result<Outcome, String> {
    let answers: Vec<(&str, Outcome)> =
        engines.iter().filter_map(|engine| Some((engine.name(), engine.run(program, input).ok()?))).collect();
    let (_, first) = answers.first().ok_or("no engine takes this case")?;
    if answers.iter().all(|(_, answer)| answer == first) {
        return Ok(first.clone());
    }
    let lines: Vec<String> = answers.iter().map(|(name, answer)| format!("{name}: {answer}")).collect();
    Err(format!("the engines disagree\n{}", lines.join("\n")))
}
