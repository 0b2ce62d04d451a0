//! The form of the interpreter that a worker runs programs in.

use crate::subject::Subject;
use bpf64_core::environment::World;
use bpf64_core::heat::Heat;
use bpf64_core::interp;
use bpf64_core::machine::{Ending, Flow, Machine as _, Observer as _, Trap};
use bpf64_core::program::Pc;
use std::rc::Rc;

/// How a run ended: r0 and why, or the trap.
pub type End = Result<(u64, Ending), Trap>;

/// A machine in one of the interpreter's forms: which one is in a module is settled when it is compiled, and the others are
/// not downloaded.
pub trait Form: Sized {
    /// Whether a worker with it tells what the verifier says of programs.
    const PROVES: bool;
    /// What is made of a program once. May take as long as a proof.
    type Code;

    /// Makes it.
    fn prepare(subject: &Subject) -> Self::Code;

    /// A machine before the first instruction.
    fn new(code: &Self::Code, subject: &Subject, world: World) -> Self;

    /// The world, to be changed between runs.
    fn world_mut(&mut self) -> &mut World;

    /// Stands before the first instruction again, in the world as it is now.
    fn restart(&mut self);

    /// Runs from the beginning to the end, or until so many instructions were executed; `heat` is told of jumps.
    /// The end, if it came, and the instructions executed.
    fn run(&mut self, limit: u64, heat: &mut Heat) -> (Option<End>, u64);

    /// Runs on for about `budget` instructions. The end, if it has come, and the instructions executed since the beginning.
    fn go_on(&mut self, budget: u64) -> (Option<End>, u64);

    /// The number of the program that it stands in, and the instruction.
    fn place(&self) -> (u32, Pc);
}

/// The stepping form, for any program: what the page's own worker has.
#[derive(Debug)]
pub struct Stepping {
    machine: interp::Machine,
    executed: u64,
}

impl Form for Stepping {
    const PROVES: bool = true;
    type Code = ();

    fn prepare(_: &Subject) {}

    fn new((): &(), subject: &Subject, world: World) -> Self {
        let machine = interp::Machine::new(Rc::clone(&subject.ebpf), subject.program_type.clone(), world);
        Stepping { machine, executed: 0 }
    }

    fn world_mut(&mut self) -> &mut World {
        &mut self.machine.world
    }

    fn restart(&mut self) {
        self.machine.begin_again();
        self.executed = 0;
    }

    fn run(&mut self, limit: u64, heat: &mut Heat) -> (Option<End>, u64) {
        for executed in 0..limit {
            // The machine would tell of jumps by itself; but stepped for another observer it would be in the page once more.
            let (program, pc) = self.place();
            match self.machine.step(&mut ()) {
                Ok(Flow::Next) if self.place() == (program, pc.next()) => {}
                Ok(Flow::Next) => heat.jumped((program, pc), self.place()),
                Ok(Flow::End(value, ending)) => return (Some(Ok((value, ending))), executed + 1),
                Err(trap) => return (Some(Err(trap)), executed),
            }
        }
        (None, limit)
    }

    fn go_on(&mut self, budget: u64) -> (Option<End>, u64) {
        let outcome = self.machine.run(budget);
        self.executed += outcome.executed;
        (outcome.end, self.executed)
    }

    fn place(&self) -> (u32, Pc) {
        (self.machine.running(), self.machine.pc())
    }
}
