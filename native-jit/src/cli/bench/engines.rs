//! The engines: a row each in one table. A new one is added there, and nowhere else.

use super::Task;
use bpf64_core::classic;
use bpf64_core::interp::{self, Outcome};
use bpf64_core::isa::encoding::SLOT;
use bpf64_core::load::Form;
use bpf64_core::machine::{Flow, Machine as _, Trap};
use bpf64_core::program::Pc;
use bpf64_core::running::{Code, Runner};
use bpf64_jit::runtime::{self as jit, Compiled};
use bpf64_jit::{Options, compile};
use std::borrow::Cow;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Every engine, in the order of the table that people see; the first that takes a program is what the others are
/// compared with.
pub(super) const ENGINES: &[Engine] = &[
    Engine { name: "classic", prepare: classic_reference },
    Engine { name: "stepping", prepare: stepping },
    Engine { name: "interp", prepare: running },
    Engine { name: "jit", prepare: compiled },
];

/// Instructions after which a run is given up: more than any sensible program needs.
const LIMIT: u64 = 10_000_000;

/// An engine.
#[derive(Clone, Copy)]
pub(crate) struct Engine {
    /// Its name on the command line.
    pub(super) name: &'static str,
    prepare: fn(&Task) -> Result<Prepared, Unfit>,
}

/// A program that is ready to run on an engine.
pub(super) struct Prepared {
    /// Runs it so often, one run after the other, and says how the last ended.
    pub(super) run: Box<dyn FnMut(u64) -> Result<Ran, String>>,
    /// How long it took to make it ready from its instructions, if there was something to do.
    pub(super) compile: Option<Duration>,
    /// The size of what the engine executes.
    pub(super) code_bytes: usize,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ran {
    /// The result.
    pub(super) r0: u64,
    /// Instructions executed, of the engine's own set.
    pub(super) insns: u64,
}

/// Why a program has no time on an engine.
#[derive(Debug)]
pub(super) enum Unfit {
    /// The engine is not made for it.
    NotTaken(Cow<'static, str>),
    /// It did what it may not, or did not end.
    Trapped(String),
}

impl Engine {
    /// Makes the program ready to run on this packet.
    ///
    /// # Errors
    /// The engine does not take it.
    pub(super) fn prepare(&self, task: &Task) -> Result<Prepared, Unfit> {
        (self.prepare)(task)
    }
}

/// The reference interpreter of classic programs.
fn classic_reference(task: &Task) -> Result<Prepared, Unfit> {
    let Form::Classic(program, _) = &task.loaded.form else {
        return Err(Unfit::NotTaken("runs classic programs only".into()));
    };
    let code_bytes = program.encode().len();
    let mut machine = classic::interp::Machine::new(Rc::new(program.clone()), task.world.clone());
    // Scratch cells stay as they are: the checker lets no program read what it has not written.
    let once = move || {
        (machine.a, machine.x) = (0, 0);
        machine.set_pc(Pc(0));
        for before in 0.. {
            match machine.step(&mut ()) {
                Ok(Flow::Next) => {}
                Ok(Flow::End(r0, _)) => return Ok(Ran { r0, insns: before + 1 }),
                Err(trap) => return Err(trapped(&trap)),
            }
        }
        unreachable!("classic programs only jump forward")
    };
    Ok(Prepared { run: repeated(once), compile: None, code_bytes })
}

/// The stepping form of the eBPF interpreter; classic programs are converted for it.
fn stepping(task: &Task) -> Result<Prepared, Unfit> {
    let code_bytes = task.program.slot_count() as usize * SLOT;
    let (program, environment) = (Rc::clone(&task.program), task.loaded.program_type.clone());
    let mut machine = interp::Machine::new(program, environment, task.world.clone());
    let registers = machine.registers;
    // Packet, stack and tables stay as the last run left them, as in the kernel's repeated test runs.
    let once = move || {
        machine.registers = registers;
        machine.set_pc(Pc(0));
        ended(machine.run(LIMIT))
    };
    Ok(Prepared { run: repeated(once), compile: None, code_bytes })
}

/// The running form of the eBPF interpreter.
fn running(task: &Task) -> Result<Prepared, Unfit> {
    let verified = task.proof()?;
    let compile = fastest(|| drop(Code::new(verified, task.loaded.program_type.clone())));
    let code = Rc::new(Code::new(verified, task.loaded.program_type.clone()));
    let code_bytes = code.bytes();
    let mut runner = Runner::new(code, task.world.clone());
    let once = move || {
        runner.restart();
        ended(runner.run(LIMIT, &mut ()))
    };
    Ok(Prepared { run: repeated(once), compile: Some(compile), code_bytes })
}

/// Machine code. How many instructions a run executes is what the interpreter counts: code that is timed does not.
fn compiled(task: &Task) -> Result<Prepared, Unfit> {
    let verified = task.proof()?;
    let environment = &task.loaded.program_type;
    let made = || compile(verified, environment, &Options::host());
    let time = fastest(|| drop(made()));
    let code = made().map_err(|error| Unfit::NotTaken(error.to_string().into()))?;
    let code_bytes = code.bytes.len();
    let code = Compiled::new(code).map_err(|error| Unfit::NotTaken(error.to_string().into()))?;
    let maps = task.program.maps();
    let mut machine =
        jit::Machine::new(Rc::new(code), Vec::new(), maps, environment.clone(), task.world.clone());
    let program = Rc::clone(&task.program);
    let insns = interp::Machine::new(program, environment.clone(), task.world.clone()).run(LIMIT).executed;
    let once = move || match machine.run(LIMIT).end {
        Some(Ok((r0, _))) => Ok(Ran { r0, insns }),
        Some(Err(trap)) => Err(trapped(&trap)),
        None => Err(format!("did not end within {LIMIT} instructions")),
    };
    Ok(Prepared { run: repeated(once), compile: Some(time), code_bytes })
}

fn ended(outcome: Outcome) -> Result<Ran, String> {
    match outcome.end {
        Some(Ok((r0, _))) => Ok(Ran { r0, insns: outcome.executed }),
        Some(Err(trap)) => Err(trapped(&trap)),
        None => Err(format!("did not end within {LIMIT} instructions")),
    }
}

/// The loop around a run, on this side of the call through a pointer, so that it is not what is timed.
fn repeated(
    mut once: impl FnMut() -> Result<Ran, String> + 'static,
) -> Box<dyn FnMut(u64) -> Result<Ran, String>> {
    Box::new(move |times| {
        let mut last = once()?;
        for _ in 1..times {
            last = once()?;
        }
        Ok(last)
    })
}

fn trapped(trap: &Trap) -> String {
    format!("trapped at instruction {}: {}", trap.pc, trap.kind)
}

/// The least time of a few.
fn fastest(mut work: impl FnMut()) -> Duration {
    let time = |()| {
        let started = Instant::now();
        work();
        started.elapsed()
    };
    [(); 16].map(time).into_iter().min().unwrap_or_default()
}
