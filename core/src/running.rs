//! The running form of the interpreter: for programs that were verified, as fast as safe Rust gets.
//!
//! [`Code`] is made once of a [`Verified`]: every instruction becomes an operation in which all that can be known
//! beforehand is known, and the first of several that often follow each other does the work of all. [`Runner`] is a
//! [`Machine`] that executes it, the same machine that can be stepped: what is rare (functions that call back, windows
//! into the packet, programs that follow by tail calls) it leaves to the stepping form, an instruction at a time. So both
//! have one meaning, and a run can go over from either to the other anywhere.
//!
//! A run can be cut into slices ([`Runner::go_on`]), between which somebody else has his turn.

mod execute;
mod lower;
mod needs;
mod op;

use crate::environment::{ProgramType, World};
use crate::helpers::Function;
use crate::interp::{MAX_FRAMES, Machine, Outcome, STACK_SIZE};
use crate::machine::{Ending, Flow, Machine as _, Observer, Trap};
use crate::program::Program;
use crate::verifier::Verified;
use execute::{Stop, execute};
use needs::Needs;
use op::Op;
use std::rc::Rc;

/// A program in its running form.
#[derive(Debug)]
pub struct Code {
    program: Rc<Program>,
    environment: ProgramType,
    /// One for each instruction.
    ops: Vec<Op>,
    /// What it calls.
    functions: Vec<&'static Function>,
    needs: Needs,
}

impl Code {
    /// The running form of a program, in the environment that it was verified for.
    #[must_use]
    pub fn new(verified: &Verified, environment: impl Into<ProgramType>) -> Self {
        let environment = environment.into();
        let program = Rc::new(verified.program().clone());
        let mut functions = Vec::new();
        let ops = lower::operations(&program, |id| {
            let function = environment.function(id)?;
            let known = functions.iter().position(|known: &&Function| known.id == id);
            Some(known.unwrap_or_else(|| {
                functions.push(function);
                functions.len() - 1
            }) as u32)
        });
        let needs = Needs::of(&program);
        Code { program, environment, ops, functions, needs }
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &Rc<Program> {
        &self.program
    }

    /// How many bytes the operations take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(&self.ops[..])
    }
}

/// r0 at the end and why it ended, or the trap.
type End = Result<(u64, Ending), Trap>;

/// A machine that runs a program's running form, over one packet after the other.
#[derive(Debug, Clone)]
pub struct Runner {
    code: Rc<Code>,
    machine: Machine,
    executed: u64,
}

impl Runner {
    /// A machine before the first instruction. Tables of the program that the world does not have yet are made.
    #[must_use]
    pub fn new(code: Rc<Code>, world: World) -> Self {
        let machine = Machine::new(Rc::clone(&code.program), code.environment.clone(), world);
        Runner::with(code, machine)
    }

    /// Goes on with a machine of the same program, wherever it is.
    #[must_use]
    pub fn with(code: Rc<Code>, mut machine: Machine) -> Self {
        machine.stack.resize(MAX_FRAMES * STACK_SIZE, 0);
        Runner { code, machine, executed: 0 }
    }

    /// The machine as it is: a run that stands between two instructions can be stepped on from here.
    #[must_use]
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The machine, to be handed on.
    #[must_use]
    pub fn into_machine(self) -> Machine {
        self.machine
    }

    /// Instructions executed since the run began; one that trapped is not counted.
    #[must_use]
    pub fn executed(&self) -> u64 {
        self.executed
    }

    /// The world, to be changed before the next run.
    pub fn world_mut(&mut self) -> &mut World {
        &mut self.machine.world
    }

    /// Stands before the first instruction again, in the world as it is now.
    pub fn restart(&mut self) {
        let machine = &mut self.machine;
        machine.restart(self.code.needs.context);
        if self.code.needs.stack > 0 {
            machine.stack[..self.code.needs.stack].fill(0);
        }
        self.executed = 0;
    }

    /// Runs to the end, a trap, or until `limit` instructions have been executed in all: exactly as
    /// [`Machine::run`] does.
    pub fn run(&mut self, limit: u64, observer: &mut impl Observer) -> Outcome {
        // The loop sees the limit at jumps only: a program's length behind the last one it stops, having come that far
        // since the last but one. What is left is stepped.
        let sure = limit.saturating_sub(2 * self.code.ops.len() as u64);
        let mut end = None;
        if self.executed < sure {
            end = self.advance(sure, observer);
        }
        while end.is_none() && self.executed < limit {
            end = self.step(observer);
        }
        Outcome { end, executed: self.executed }
    }

    /// Runs on for about `budget` more instructions, a program's length more or less. `None` when it has not ended.
    pub fn go_on(&mut self, budget: u64, observer: &mut impl Observer) -> Option<Outcome> {
        let end = self.advance(self.executed.saturating_add(budget), observer);
        end.map(|end| Outcome { end: Some(end), executed: self.executed })
    }

    /// Runs to the end or a trap, or until `limit` instructions have been executed in all, or a few more.
    fn advance(&mut self, limit: u64, observer: &mut impl Observer) -> Option<End> {
        loop {
            // Programs that came by tail calls are stepped.
            let stop = if self.machine.running() == 0 {
                execute(&self.code, &mut self.machine, &mut self.executed, limit)
            } else {
                Stop::Step
            };
            let end = match stop {
                Stop::End(ending) => {
                    self.executed += 1;
                    return Some(Ok((self.machine.registers[0], ending)));
                }
                Stop::Budget => return None,
                Stop::Step => self.step(observer),
                Stop::Function(index) => self.call(index, observer),
            };
            if end.is_some() {
                return end;
            }
            if self.executed >= limit {
                return None;
            }
        }
    }

    /// The next instruction in the stepping form.
    fn step(&mut self, observer: &mut impl Observer) -> Option<End> {
        match self.machine.step(observer) {
            Ok(Flow::Next) => {
                self.executed += 1;
                None
            }
            Ok(Flow::End(value, ending)) => {
                self.executed += 1;
                Some(Ok((value, ending)))
            }
            Err(trap) => Some(Err(trap)),
        }
    }

    /// The next instruction, which calls this function.
    fn call(&mut self, index: u32, observer: &mut impl Observer) -> Option<End> {
        let pc = self.machine.pc;
        match self.machine.call(observer, self.code.functions[index as usize], pc.next()) {
            Ok(next) => {
                self.machine.pc = next;
                self.executed += 1;
                None
            }
            Err(kind) => Some(Err(Trap { pc, kind })),
        }
    }
}
