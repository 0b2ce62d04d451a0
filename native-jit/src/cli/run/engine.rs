//! The machines a program can run on, behind one face.

use super::heard::Heard;
use crate::cli::failure::Failure;
use crate::cli::perf::{self, Perf};
use bpf64_core::classic::{self, text};
use bpf64_core::diagnostic::Span;
use bpf64_core::environment::{ProgramType, World};
use bpf64_core::interp;
use bpf64_core::listing;
use bpf64_core::load::{Form, Loaded};
use bpf64_core::machine::{At, Ending, Flow, Machine, TrapKind};
use bpf64_core::program::{Pc, Program};
use bpf64_core::running::{Code, Runner};
use bpf64_core::verifier::{Rejection, Verified, verify};
use bpf64_jit::runtime::profile::Profile;
use bpf64_jit::runtime::{self as jit, Compiled};
use bpf64_jit::{Options, compile};
use clap::ValueEnum;
use std::iter;
use std::rc::Rc;

/// A machine by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum EngineName {
    /// The eBPF interpreter; classic programs are converted
    Interp,
    /// The reference interpreter for classic programs
    Classic,
    /// The JIT, for what the verifier accepts; classic programs are converted
    Jit,
}

/// A program on its machine.
pub(in crate::cli) struct Engine {
    loaded: Loaded,
    environment: ProgramType,
    on: On,
}

/// That a program does no harm, nor those that it may go on to, as far as that is known.
#[derive(Default)]
pub(in crate::cli) struct Proofs {
    pub(in crate::cli) first: Option<Verified>,
    /// In the order of the programs.
    pub(in crate::cli) others: Vec<Option<Verified>>,
}

impl Proofs {
    /// What the verifier says of these programs.
    pub(in crate::cli) fn of(loaded: &Loaded, environment: &ProgramType) -> Self {
        let proof = |program: &Program| verify(program, environment, 0).ok();
        Proofs {
            first: proof(&loaded.ebpf()),
            others: loaded.others.iter().map(|other| proof(other)).collect(),
        }
    }
}

/// The running form of a program, and of those that it may go on to, as far as they were proved to do no harm.
struct Running {
    code: Rc<Code>,
    others: Vec<Option<Rc<Code>>>,
}

enum On {
    /// With the running form, if it was proved to do no harm.
    Interp(Rc<Program>, Option<Running>),
    Classic(Rc<classic::Program>),
    /// With the programs that it may go on to.
    Jit(Rc<Program>, Rc<Compiled>, Vec<Rc<Compiled>>),
}

/// How a run ended, and where.
#[derive(Debug, Clone)]
pub(in crate::cli) enum End {
    /// With a result.
    Returned {
        /// r0, or A.
        r0: u64,
        /// Why.
        ending: Ending,
        /// The last instruction, if the machine knows.
        at: Option<At>,
    },
    /// The program did what it may not.
    Trapped(At, TrapKind),
    /// It was given up before this instruction.
    Limit(At),
}

/// What came of a run.
pub(in crate::cli) struct Ran {
    pub(in crate::cli) end: End,
    pub(in crate::cli) executed: u64,
    /// What it printed and sent.
    pub(in crate::cli) heard: Heard,
}

/// A run that is over.
pub(in crate::cli) struct Run {
    pub(in crate::cli) end: End,
    pub(in crate::cli) executed: u64,
    /// The world after it: tables and random numbers go on with the next packet.
    pub(in crate::cli) world: World,
    /// What it printed and sent.
    pub(in crate::cli) heard: Heard,
}

/// Steps a machine to the end of its run, and listens.
fn step(machine: &mut impl Machine, limit: u64) -> Ran {
    let (mut executed, mut heard) = (0, Heard::default());
    let end = loop {
        let pc = machine.pc();
        heard.at.pc = pc;
        if executed == limit {
            break End::Limit(heard.at);
        }
        let at = heard.at;
        match machine.step(&mut heard) {
            Ok(Flow::Next) => executed += 1,
            Ok(Flow::End(r0, ending)) => {
                executed += 1;
                break End::Returned { r0, ending, at: Some(at) };
            }
            Err(trap) => break End::Trapped(at, trap.kind),
        }
    };
    Ran { end, executed, heard }
}

/// A machine that runs a program over one packet after the other, each in the world as the one before has left it.
pub(in crate::cli) enum Live {
    /// The running form.
    Running(Box<Runner>),
    /// What was not proved: every step is looked at.
    Stepping(Box<interp::Machine>),
    Classic(Box<classic::interp::Machine>),
    Compiled(Box<jit::Machine>),
}

impl Live {
    /// The world of the next run.
    pub(in crate::cli) fn world_mut(&mut self) -> &mut World {
        match self {
            Live::Running(runner) => runner.world_mut(),
            Live::Stepping(machine) => &mut machine.world,
            Live::Classic(machine) => &mut machine.world,
            Live::Compiled(machine) => machine.world_mut(),
        }
    }

    /// The world as the last run left it.
    pub(in crate::cli) fn into_world(self) -> World {
        match self {
            Live::Running(runner) => runner.into_machine().world,
            Live::Stepping(machine) => machine.world,
            Live::Classic(machine) => machine.world,
            Live::Compiled(machine) => machine.into_world(),
        }
    }

    /// Runs the program once.
    pub(in crate::cli) fn run(&mut self, limit: u64) -> Ran {
        match self {
            Live::Running(runner) => run(runner, limit),
            Live::Stepping(machine) => {
                machine.begin_again();
                step(&mut **machine, limit)
            }
            Live::Classic(machine) => {
                machine.begin_again();
                step(&mut **machine, limit)
            }
            Live::Compiled(machine) => run_compiled(machine, limit),
        }
    }
}

/// Runs machine code once.
fn run_compiled(machine: &mut jit::Machine, limit: u64) -> Ran {
    let outcome = machine.run(limit);
    let end = match outcome.end {
        Some(Ok((r0, ending))) => End::Returned { r0, ending, at: None },
        Some(Err(trap)) => End::Trapped(outcome.at, trap.kind),
        None => End::Limit(outcome.at),
    };
    let heard = Heard::of(machine.take_printed(), machine.take_sent());
    Ran { end, executed: outcome.executed.unwrap_or_default(), heard }
}

/// Runs a program's running form once.
fn run(runner: &mut Runner, limit: u64) -> Ran {
    let mut heard = Heard::default();
    runner.restart();
    let outcome = runner.run(limit, &mut heard);
    let at = At { program: runner.machine().running(), pc: runner.machine().pc() };
    let end = match outcome.end {
        Some(Ok((r0, ending))) => End::Returned { r0, ending, at: Some(at) },
        Some(Err(trap)) => End::Trapped(At { pc: trap.pc, ..at }, trap.kind),
        None => End::Limit(at),
    };
    Ran { end, executed: outcome.executed, heard }
}

impl Engine {
    /// The program on the machine of that name. With a proof that it does no harm the interpreter runs it in its running
    /// form, without one it looks at every step. What is converted, or compiled without a proof, is proved here.
    pub(in crate::cli) fn new(
        loaded: &Loaded,
        name: EngineName,
        environment: ProgramType,
        proofs: Proofs,
    ) -> Result<Self, Failure> {
        let on = match (name, &loaded.form) {
            (EngineName::Jit, _) => {
                let program = loaded.ebpf();
                let first = compiled(&program, proofs.first, &environment, false)?;
                let others = loaded.others.iter().zip(proofs.others.into_iter().chain(iter::repeat(None)));
                let others = others.map(|(other, proof)| compiled(other, proof, &environment, true));
                let others = others.collect::<Result<_, _>>()?;
                On::Jit(Rc::new(program), first, others)
            }
            (EngineName::Interp, form) => {
                let program = loaded.ebpf();
                let proofs = match form {
                    Form::Classic(..) => Proofs::of(loaded, &environment),
                    Form::Ebpf(_) => proofs,
                };
                let code = |proof| Rc::new(Code::new(&proof, environment.clone()));
                let running = proofs.first.map(|proof| Running {
                    code: code(proof),
                    others: proofs.others.into_iter().map(|proof| proof.map(code)).collect(),
                });
                On::Interp(Rc::new(program), running)
            }
            (EngineName::Classic, Form::Classic(program, _)) => On::Classic(Rc::new(program.clone())),
            (EngineName::Classic, Form::Ebpf(_)) => {
                return Err(Failure::not_understood(
                    "the engine `classic` runs classic programs, and this one is eBPF",
                )
                .help("leave out `--engine`, or choose `--engine interp`"));
            }
        };
        Ok(Engine { loaded: loaded.clone(), environment, on })
    }

    /// A machine for many runs, the first of them in this world.
    pub(in crate::cli) fn start(&self, world: World) -> Live {
        let environment = self.environment.clone();
        match &self.on {
            On::Interp(_, Some(Running { code, others })) => {
                Live::Running(Box::new(Runner::new(Rc::clone(code), world).with_programs(others.clone())))
            }
            On::Interp(program, None) => {
                Live::Stepping(Box::new(interp::Machine::new(Rc::clone(program), environment, world)))
            }
            On::Classic(program) => {
                Live::Classic(Box::new(classic::interp::Machine::new(Rc::clone(program), world)))
            }
            On::Jit(program, compiled, others) => {
                let (compiled, others) = (Rc::clone(compiled), others.clone());
                Live::Compiled(Box::new(jit::Machine::new(
                    compiled,
                    others,
                    program.maps(),
                    environment,
                    world,
                )))
            }
        }
    }

    /// Runs the program once.
    pub(in crate::cli) fn run(&self, world: World, limit: u64) -> Run {
        let mut live = self.start(world);
        let Ran { end, executed, heard } = live.run(limit);
        Run { end, executed, heard, world: live.into_world() }
    }

    /// The programs that it may go on to.
    pub(in crate::cli) fn others(&self) -> &[Rc<Program>] {
        &self.loaded.others
    }

    /// The program type that it runs as.
    pub(in crate::cli) fn environment(&self) -> &ProgramType {
        &self.environment
    }

    /// What a result means.
    pub(in crate::cli) fn verdict(&self, r0: u64) -> bpf64_core::environment::Verdict {
        (self.environment.verdict)(r0)
    }

    /// Whether what it runs on is a packet, and not just memory.
    pub(in crate::cli) fn has_packet(&self) -> bool {
        self.verdict(0) != bpf64_core::environment::Verdict::Number
    }

    /// A program of a run by its number.
    fn program(&self, number: u32) -> Option<&Program> {
        match (&self.on, number.checked_sub(1)) {
            (On::Classic(_), _) => None,
            (On::Interp(first, _) | On::Jit(first, ..), None) => Some(first),
            (On::Interp(..) | On::Jit(..), Some(other)) => {
                self.loaded.others.get(other as usize).map(|other| &**other)
            }
        }
    }

    /// The name of a program that was gone on to.
    pub(in crate::cli) fn name(&self, number: u32) -> Option<&str> {
        if number == 0 { None } else { self.program(number)?.name() }
    }

    /// The number of an instruction as listings show it.
    pub(in crate::cli) fn slot(&self, at: At) -> u32 {
        self.program(at.program).map_or(at.pc.0, |program| program.slot(at.pc).0)
    }

    /// Where the instruction stands in the program's text. None for what ran past the last one.
    pub(in crate::cli) fn span(&self, at: At) -> Option<Span> {
        match self.program(at.program) {
            Some(program) if at.pc.index() < program.insns().len() => {
                let origin = program.origin(at.pc);
                origin.text.clone().or_else(|| self.loaded.span(origin.classic?))
            }
            Some(_) => None,
            None => self.loaded.span(at.pc),
        }
    }

    /// The instruction and its number, with the name of the program if that is another than the first; of a converted
    /// program, the classic one. `None` behind the last.
    pub(in crate::cli) fn describe(&self, at: At) -> Option<String> {
        let classic = |program: &classic::Program, pc: Pc| {
            let insn = program.insns().get(pc.index())?;
            Some(format!("({:03}) {}", pc.0, text::short(insn, pc)))
        };
        if let On::Classic(program) = &self.on {
            return classic(program, at.pc);
        }
        let program = self.program(at.program).filter(|program| at.pc.index() < program.insns().len())?;
        if let (Form::Classic(from, _), Some(pc)) = (&self.loaded.form, program.origin(at.pc).classic) {
            return classic(from, pc);
        }
        let insn = listing::insn(program, at.pc, self.environment.functions, listing::Style::Kernel);
        let name = self.name(at.program).map(|name| format!("{name}, ")).unwrap_or_default();
        Some(format!("{name}{}: {insn}", program.slot(at.pc).0))
    }

    /// So many instructions, and of which set: "7 eBPF instructions, converted from classic".
    pub(in crate::cli) fn count(&self, executed: u64) -> String {
        let (set, note) = match (&self.on, &self.loaded.form) {
            (On::Classic(_), _) => ("classic", ""),
            (On::Interp(..) | On::Jit(..), Form::Classic(..)) => ("eBPF", ", converted from classic"),
            (On::Interp(..) | On::Jit(..), Form::Ebpf(_)) => ("eBPF", ""),
        };
        let plural = if executed == 1 { "" } else { "s" };
        format!("{executed} {set} instruction{plural}{note}")
    }
}

impl Engine {
    /// Makes compiled functions known to `perf`, under the program's name, as long as what is returned is there.
    pub(in crate::cli) fn announce(&self, form: Perf, name: &str) -> Result<Profile, Failure> {
        let On::Jit(program, compiled, others) = &self.on else {
            return Err(Perf::nothing_compiled("say `--engine jit` as well"));
        };
        let mut profile = form.open()?;
        perf::tell(&mut profile, name, (program, compiled), (&self.loaded.others, others))
            .map_err(Failure::refused)?;
        Ok(profile)
    }
}

/// The program as code for this CPU, which counts instructions so that it can be given up.
fn compiled(
    program: &Program,
    proof: Option<Verified>,
    environment: &ProgramType,
    tail_target: bool,
) -> Result<Rc<Compiled>, Failure> {
    let refused = |rejection: Box<Rejection>| {
        let name = program.name().filter(|_| tail_target).map(|name| format!("program `{name}`, "));
        Failure::refused(format!(
            "{}instruction {}: {}",
            name.unwrap_or_default(),
            program.slot(rejection.pc),
            rejection.explanation()
        ))
        .help(
            "the JIT runs what is proved to do no harm; `bpf64 verify` says more, `--engine interp` runs it",
        )
    };
    let verified = match proof {
        Some(proof) => proof,
        None => verify(program, environment, 0).map_err(refused)?,
    };
    let options = Options { budget: true, tail_target, ..Options::host() };
    let code =
        compile(&verified, environment, &options).map_err(|error| Failure::refused(error.to_string()))?;
    Compiled::new(code).map(Rc::new).map_err(|error| Failure::refused(error.to_string()))
}
