//! The running form of the interpreter: for programs that were verified, as fast as safe Rust gets.
//!
//! [`Code`] is made once of a [`Verified`]: every instruction becomes an operation in which all that can be known
//! beforehand is known, and the first of several that often follow each other does the work of all. [`Runner`] is a
//! [`Machine`] that executes it, the same machine that can be stepped: what is rare (windows into the packet, programs
//! that follow by tail calls and have no running form) it leaves to the stepping form, an instruction at a time. So both
//! have one meaning, and a run can go over from either to the other anywhere.
//!
//! A run can be cut into slices ([`Runner::go_on`]), between which somebody else has his turn.

mod decisions;
mod execute;
mod fuse;
mod lower;
mod needs;
mod op;

use crate::environment::{Arguments, ProgramType, World};
use crate::helpers::Function;
use crate::interp::{MAX_FRAMES, Machine, Outcome, STACK_SIZE};
use crate::isa::Reg;
use crate::machine::{Ending, Flow, Machine as _, Observer, Region, Trap};
use crate::program::{Pc, Program};
use crate::verifier::Verified;
use decisions::Decisions;
use execute::{Stop, execute};
use lower::Known;
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
    /// What [`Op::Among`] chooses from.
    choices: Vec<Choice>,
    /// What it calls.
    functions: Vec<&'static Function>,
    needs: Needs,
    /// If that is all there is to it.
    decisions: Option<Decisions>,
    /// What the first instruction copies from where, if it is a copy: every filter begins so, and it is done together
    /// with what sets the registers.
    copy: Option<(Reg, Reg)>,
    /// Whether a run changes nothing that the next one looks at, but r1.
    leaves_clean: bool,
}

/// A jump for one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Choice {
    imm: i32,
    target: u32,
}

impl Code {
    /// The running form of a program, in the environment that it was verified for.
    #[must_use]
    pub fn new(verified: &Verified, environment: impl Into<ProgramType>) -> Self {
        let environment = environment.into();
        let program = Rc::new(verified.program().clone());
        let mut functions = Vec::new();
        let facts = Known { facts: verified.facts(), context: &environment.context };
        let mut ops = lower::operations(&program, &facts, |id| {
            let function = environment.function(id)?;
            let known = functions.iter().position(|known: &&Function| known.id == id);
            Some(known.unwrap_or_else(|| {
                functions.push(function);
                functions.len() - 1
            }) as u32)
        });
        let needs = Needs::of(&program, verified.facts(), &ops, |index| functions[index as usize]);
        let decisions = needs.small.then(|| Decisions::of(&program, &ops)).flatten();
        let mut choices = Vec::new();
        fuse::fuse(&mut ops, &mut choices);
        let copy = match ops[0] {
            Op::MovR { dst, src } => Some((dst, src)),
            _ => None,
        };
        let leaves_clean = needs.small && environment.arguments == Arguments::Context;
        Code { program, environment, ops, choices, functions, needs, decisions, copy, leaves_clean }
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &Rc<Program> {
        &self.program
    }

    /// Whether it has become a graph of decisions: then a run over a packet has no registers, unless the packet is too
    /// short for what is looked at.
    #[must_use]
    pub fn only_decides(&self) -> bool {
        self.decisions.is_some()
    }

    /// How many bytes the operations take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(&self.ops[..])
            + size_of_val(&self.choices[..])
            + self.decisions.as_ref().map_or(0, Decisions::bytes)
    }
}

/// Where a run is: small, since it is handed on after every packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// On its way.
    On,
    /// At its end, the value in r0.
    Ended(Ending),
    /// At its end by a trap.
    Trapped,
}

/// A machine that runs a program's running form, over one packet after the other.
#[derive(Debug, Clone)]
pub struct Runner {
    code: Rc<Code>,
    /// The running forms of the world's programs, in their order, where there are any.
    others: Vec<Option<Rc<Code>>>,
    machine: Machine,
    executed: u64,
    /// Whether nothing has been done since the registers were set.
    fresh: bool,
    /// Whether there is nothing to be made new before the next run but place and r1.
    clean: bool,
    trap: Option<Trap>,
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
        Runner { code, others: Vec::new(), machine, executed: 0, fresh: false, clean: false, trap: None }
    }

    /// With the running forms of the world's programs, in their order, for tail calls. Those that have none are stepped.
    #[must_use]
    pub fn with_programs(mut self, others: Vec<Option<Rc<Code>>>) -> Self {
        self.others = others;
        self.clean = false;
        self
    }

    /// The running form of the program that runs.
    fn running_code<'a>(
        code: &'a Rc<Code>,
        others: &'a [Option<Rc<Code>>],
        running: u32,
    ) -> Option<&'a Code> {
        match running.checked_sub(1) {
            None => Some(code),
            Some(other) => others.get(other as usize)?.as_deref(),
        }
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

    /// Stands before the first instruction again, in the world as it is now. Registers that the program cannot read
    /// before it has written them may be as the last run left them.
    #[inline]
    pub fn restart(&mut self) {
        self.fresh = true;
        self.executed = 0;
        if self.clean {
            self.machine.pc = Pc(0);
            self.machine.registers[Reg::R1.index()] = Region::Context.address(0);
        } else {
            self.make_ready();
        }
    }

    /// Makes everything new that the program may look at.
    fn make_ready(&mut self) {
        let Needs { context, stack, .. } = &self.code.needs;
        let followed = self.others.iter().flatten().any(|code| code.needs.context);
        self.machine.restart(*context || followed);
        // What programs that took over have used besides.
        self.machine.stack.truncate(MAX_FRAMES * STACK_SIZE);
        let seen = if self.others.is_empty() { stack.clone() } else { 0..self.machine.stack.len() };
        self.machine.stack[seen].fill(0);
        self.clean = self.code.leaves_clean;
    }

    /// Runs to the end, a trap, or until `limit` instructions have been executed in all: exactly as
    /// [`Machine::run`] does.
    #[inline(always)]
    pub fn run<O: Observer>(&mut self, limit: u64, observer: &mut O) -> Outcome {
        if self.fresh
            && !O::FOLLOWS
            && let Some(decisions) = &self.code.decisions
            && limit >= decisions.longest
            && let Some((leaf, executed)) = decisions.decide(&self.machine.world.skb.packet)
        {
            (self.fresh, self.executed) = (false, executed);
            (self.machine.registers[0], self.machine.pc) = (leaf.r0, Pc(leaf.pc));
            return Outcome { end: Some(Ok((leaf.r0, Ending::Returned))), executed };
        }
        self.run_operations(limit, observer)
    }

    /// The same, operation by operation.
    #[inline(never)]
    fn run_operations<O: Observer>(&mut self, limit: u64, observer: &mut O) -> Outcome {
        // The loop sees the limit at jumps only: a program's length behind the last one it stops, having come that far
        // since the last but one. What is left is stepped.
        let lengths = self.others.iter().flatten().chain([&self.code]).map(|code| code.ops.len());
        let sure = limit.saturating_sub(2 * lengths.max().unwrap_or_default() as u64);
        if self.fresh && !O::FOLLOWS && self.code.needs.small && sure > 0 {
            let pc = self.begin();
            let counted = (pc.0.into(), &mut self.executed);
            let stop = execute::<true, _>(&self.code, &mut self.machine, pc, counted, limit, &mut ());
            if let Stop::End(ending) = stop {
                self.executed += 1;
                return Outcome {
                    end: Some(Ok((self.machine.registers[0], ending))),
                    executed: self.executed,
                };
            }
        }
        let mut way = Way::On;
        if self.executed < sure {
            way = self.advance(sure, observer);
        }
        while way == Way::On && self.executed < limit {
            way = self.step(observer);
        }
        self.outcome(way)
    }

    /// Runs on for about `budget` more instructions, a program's length more or less. `None` when it has not ended.
    pub fn go_on(&mut self, budget: u64, observer: &mut impl Observer) -> Option<Outcome> {
        let way = self.advance(self.executed.saturating_add(budget), observer);
        (way != Way::On).then(|| self.outcome(way))
    }

    #[inline]
    fn outcome(&self, way: Way) -> Outcome {
        let end = match way {
            Way::On => None,
            Way::Ended(ending) => Some(Ok((self.machine.registers[0], ending))),
            Way::Trapped => self.trap.map(Err),
        };
        Outcome { end, executed: self.executed }
    }

    /// Does the first instruction, if it is a copy, with what sets the registers. Where to go on.
    #[inline]
    fn begin(&mut self) -> Pc {
        self.fresh = false;
        let Some((dst, src)) = self.code.copy else { return Pc(0) };
        self.machine.registers[dst.index()] = self.machine.registers[src.index()];
        Pc(1)
    }

    /// Runs to the end or a trap, or until `limit` instructions have been executed in all, or a few more.
    fn advance<O: Observer>(&mut self, limit: u64, observer: &mut O) -> Way {
        if self.fresh {
            self.machine.pc = self.begin();
            self.executed = self.machine.pc.0.into();
        }
        loop {
            let stop = match Runner::running_code(&self.code, &self.others, self.machine.running()) {
                Some(code) => {
                    let (pc, counted) = (self.machine.pc, (self.executed, &mut self.executed));
                    if O::FOLLOWS {
                        execute::<false, _>(code, &mut self.machine, pc, counted, limit, observer)
                    } else {
                        execute::<false, _>(code, &mut self.machine, pc, counted, limit, &mut ())
                    }
                }
                None => Stop::Step,
            };
            let way = match stop {
                Stop::End(ending) => {
                    self.executed += 1;
                    return Way::Ended(ending);
                }
                Stop::Budget => return Way::On,
                Stop::Step => self.step(observer),
                Stop::Function(index) => self.call(index, observer),
                Stop::Context => self.write_context(observer),
            };
            if way != Way::On || self.executed >= limit {
                return way;
            }
        }
    }

    /// The next instruction in the stepping form.
    #[inline(never)]
    fn step(&mut self, observer: &mut impl Observer) -> Way {
        self.fresh = false;
        observer.at(self.machine.pc);
        match self.machine.step(observer) {
            Ok(flow) => {
                self.executed += 1;
                match flow {
                    Flow::Next => Way::On,
                    // The value is in r0, too.
                    Flow::End(_, ending) => Way::Ended(ending),
                }
            }
            Err(trap) => self.trapped(trap),
        }
    }

    /// The next instruction, which calls this function.
    fn call(&mut self, index: u32, observer: &mut impl Observer) -> Way {
        let pc = self.machine.pc;
        let running = self.machine.running();
        let Some(code) = Runner::running_code(&self.code, &self.others, running) else {
            return self.step(observer);
        };
        observer.at(pc);
        match self.machine.call(observer, code.functions[index as usize], pc.next()) {
            Ok(next) => {
                self.machine.pc = next;
                self.executed += 1;
                let there = (self.machine.running(), next);
                if there != (running, pc.next()) {
                    observer.jumped((running, pc), there);
                }
                Way::On
            }
            Err(kind) => self.trapped(Trap { pc, kind }),
        }
    }

    /// The next instruction, which writes to the context.
    fn write_context(&mut self, observer: &mut impl Observer) -> Way {
        let pc = self.machine.pc;
        let code = Runner::running_code(&self.code, &self.others, self.machine.running());
        let (size, at, value) = match code.map(|code| code.ops[pc.index()]) {
            Some(Op::WriteContext { size, at, src }) => (size, at, self.machine.registers[src.index()]),
            Some(Op::WriteContextConstant { size, at, imm }) => (size, at, i64::from(imm) as u64),
            _ => return self.step(observer),
        };
        observer.at(pc);
        self.machine.write_context(at, size, value);
        self.machine.pc = pc.next();
        self.executed += 1;
        Way::On
    }

    #[cold]
    fn trapped(&mut self, trap: Trap) -> Way {
        self.trap = Some(trap);
        Way::Trapped
    }
}
