//! The engines: a row each in one table. A new one is added there, and nowhere else.

use bpf64_core::classic;
use bpf64_core::environment::World;
use bpf64_core::interp;
use bpf64_core::isa::encoding::SLOT;
use bpf64_core::load::{Form, Loaded};
use bpf64_core::machine::{Flow, Machine as _, Trap};
use bpf64_core::program::Pc;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Every engine, in the order of the table that people see; the first that takes a program is what the others are
/// compared with.
pub(super) const ENGINES: [Engine; 2] =
    [Engine { name: "classic", prepare: classic_reference }, Engine { name: "interp", prepare: interpreter }];

/// Instructions after which a run is given up: more than any sensible program needs.
const LIMIT: u64 = 10_000_000;

/// An engine.
#[derive(Clone, Copy)]
pub(crate) struct Engine {
    /// Its name on the command line.
    pub(super) name: &'static str,
    prepare: fn(&Loaded, &World) -> Result<Prepared, Unfit>,
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
    NotTaken(&'static str),
    /// It did what it may not, or did not end.
    Trapped(String),
}

impl Engine {
    /// Makes the program ready to run on this packet.
    ///
    /// # Errors
    /// The engine does not take it.
    pub(super) fn prepare(&self, loaded: &Loaded, world: &World) -> Result<Prepared, Unfit> {
        (self.prepare)(loaded, world)
    }
}

/// The reference interpreter of classic programs.
fn classic_reference(loaded: &Loaded, world: &World) -> Result<Prepared, Unfit> {
    let Form::Classic(program, _) = &loaded.form else {
        return Err(Unfit::NotTaken("runs classic programs only"));
    };
    let code_bytes = program.encode().len();
    let mut machine = classic::interp::Machine::new(Rc::new(program.clone()), world.clone());
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

/// The eBPF interpreter; classic programs are converted for it.
fn interpreter(loaded: &Loaded, world: &World) -> Result<Prepared, Unfit> {
    let is_classic = matches!(loaded.form, Form::Classic(..));
    let compile = is_classic.then(|| fastest(|| drop(loaded.ebpf())));
    let program = Rc::new(loaded.ebpf());
    let code_bytes = program.slot_count() as usize * SLOT;
    let mut machine = interp::Machine::new(program, loaded.program_type.clone(), world.clone());
    let registers = machine.registers;
    // Packet, stack and tables stay as the last run left them, as in the kernel's repeated test runs.
    let once = move || {
        machine.registers = registers;
        machine.set_pc(Pc(0));
        let outcome = machine.run(LIMIT);
        match outcome.end {
            Some(Ok((r0, _))) => Ok(Ran { r0, insns: outcome.executed }),
            Some(Err(trap)) => Err(trapped(&trap)),
            None => Err(format!("did not end within {LIMIT} instructions")),
        }
    };
    Ok(Prepared { run: repeated(once), compile, code_bytes })
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
