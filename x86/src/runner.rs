//! The running form of the interpreter, for the worker that runs what the page's own would step through for too long.

use bpf64_core::environment::World;
use bpf64_core::heat::Heat;
use bpf64_core::machine::Machine as _;
use bpf64_core::program::{Pc, Program};
use bpf64_core::running::{Code, Runner};
use bpf64_core::verifier::verify;
use bpf64_work::{End, Form, Stepping, Subject};
use std::rc::Rc;

/// A program in its running form, if it is verified, or else stepped through.
#[derive(Debug)]
pub enum Running {
    /// Verified.
    Verified(Box<Runner>),
    /// Refused.
    Refused(Box<Stepping>),
}

/// The running forms of a program, if it has one, and of those that it may go on to.
#[derive(Debug)]
pub struct Codes {
    code: Option<Rc<Code>>,
    others: Vec<Option<Rc<Code>>>,
}

impl Form for Running {
    // The page's own worker does.
    const PROVES: bool = false;
    type Code = Codes;

    fn prepare(subject: &Subject) -> Codes {
        let code = |program: &Program| {
            let verified = verify(program, &subject.program_type, 0).ok()?;
            Some(Rc::new(Code::new(&verified, subject.program_type.clone())))
        };
        let others = subject.others.iter().map(|other| code(other)).collect();
        Codes { code: code(&subject.ebpf), others }
    }

    fn new(codes: &Codes, subject: &Subject, world: World) -> Self {
        match &codes.code {
            Some(code) => {
                let runner = Runner::new(Rc::clone(code), world);
                // Most go on to none, and are sooner ready for the next run without a list of them.
                Running::Verified(Box::new(match codes.others.is_empty() {
                    true => runner,
                    false => runner.with_programs(codes.others.clone()),
                }))
            }
            None => Running::Refused(Box::new(Stepping::new(&(), subject, world))),
        }
    }

    fn world_mut(&mut self) -> &mut World {
        match self {
            Running::Verified(runner) => runner.world_mut(),
            Running::Refused(stepping) => stepping.world_mut(),
        }
    }

    fn restart(&mut self) {
        match self {
            Running::Verified(runner) => runner.restart(),
            Running::Refused(stepping) => stepping.restart(),
        }
    }

    fn run(&mut self, limit: u64, heat: &mut Heat) -> (Option<End>, u64) {
        match self {
            Running::Verified(runner) => {
                let outcome = runner.run(limit, heat);
                (outcome.end, outcome.executed)
            }
            Running::Refused(stepping) => stepping.run(limit, heat),
        }
    }

    fn go_on(&mut self, budget: u64) -> (Option<End>, u64) {
        match self {
            Running::Verified(runner) => {
                let outcome = runner.go_on(budget, &mut ());
                (outcome.and_then(|outcome| outcome.end), runner.executed())
            }
            Running::Refused(stepping) => stepping.go_on(budget),
        }
    }

    fn place(&self) -> (u32, Pc) {
        match self {
            Running::Verified(runner) => (runner.machine().running(), runner.machine().pc()),
            Running::Refused(stepping) => stepping.place(),
        }
    }
}
