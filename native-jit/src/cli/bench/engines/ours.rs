//! This project's engines, and what a compiler makes of the same work.

use super::{LIMIT, Prepared, Ran, Unfit, fastest};
use crate::cli::bench::Task;
use crate::cli::perf;
use bpf64_core::classic;
use bpf64_core::interp::{self, Outcome};
use bpf64_core::isa::encoding::SLOT;
use bpf64_core::load::Form;
use bpf64_core::machine::{Flow, Machine as _, Trap};
use bpf64_core::program::Pc;
use bpf64_core::running::{Code, Runner};
use bpf64_core::verifier::Verified;
use bpf64_jit::runtime::{self as jit, Compiled};
use bpf64_jit::{Options, compile};
use std::hint::black_box;
use std::rc::Rc;

/// The reference interpreter of classic programs.
pub(super) fn classic(task: &Task) -> Result<Prepared, Unfit> {
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
                Ok(Flow::End(r0, _)) => return Ok(Ran::new(r0, Some(before + 1))),
                Err(trap) => return Err(trapped(&trap)),
            }
        }
        unreachable!("classic programs only jump forward")
    };
    Ok(Prepared { code_bytes: Some(code_bytes), ..Prepared::new(once) })
}

/// How many eBPF instructions a run executes, if it ends.
pub(in crate::cli::bench) fn count(task: &Task) -> Option<u64> {
    let (program, environment) = (Rc::clone(&task.program), task.loaded.program_type.clone());
    let outcome = interp::Machine::new(program, environment, task.world.clone()).run(LIMIT);
    outcome.end.and_then(Result::ok).map(|_| outcome.executed)
}

/// The stepping form of the eBPF interpreter; classic programs are converted for it.
pub(super) fn stepping(task: &Task) -> Result<Prepared, Unfit> {
    let code_bytes = task.program.slot_count() as usize * SLOT;
    let (program, environment) = (Rc::clone(&task.program), task.loaded.program_type.clone());
    let mut machine = interp::Machine::new(program, environment, task.world.clone());
    let registers = machine.registers;
    // Packet, stack and tables stay as the last run left them, as in the kernel's repeated test runs.
    let alone = task.world.programs.is_empty();
    let once = move || {
        if alone {
            machine.registers = registers;
            machine.set_pc(Pc(0));
        } else {
            // The last run may have ended in another program.
            machine.again();
        }
        ended(machine.run(LIMIT))
    };
    Ok(Prepared { code_bytes: Some(code_bytes), ..Prepared::new(once) })
}

/// The running form of the eBPF interpreter.
pub(super) fn running(task: &Task) -> Result<Prepared, Unfit> {
    let verified = task.proof()?;
    let compile = fastest(|| drop(Code::new(verified, task.loaded.program_type.clone())));
    let made = |verified: &Verified| Rc::new(Code::new(verified, task.loaded.program_type.clone()));
    let code = made(verified);
    let code_bytes = code.bytes();
    let others = task.others()?.iter().map(|other| Some(made(other))).collect();
    let mut runner = Runner::new(code, task.world.clone()).with_programs(others);
    let once = move || {
        runner.restart();
        ended(runner.run(LIMIT, &mut ()))
    };
    Ok(Prepared { compile: Some(compile), code_bytes: Some(code_bytes), ..Prepared::new(once) })
}

/// Machine code.
pub(super) fn compiled(task: &Task) -> Result<Prepared, Unfit> {
    let verified = task.proof()?;
    let environment = &task.loaded.program_type;
    let made = |verified, tail_target| {
        compile(verified, environment, &Options { tail_target, ..Options::host() })
            .map_err(|error| Unfit::NotTaken(error.to_string().into()))
    };
    let time = fastest(|| drop(made(verified, false)));
    let code = made(verified, false)?;
    let code_bytes = Some(code.bytes.len());
    let ready = |code| Compiled::new(code).map_err(|error| Unfit::NotTaken(error.to_string().into()));
    let code = ready(code)?;
    let proofs = task.others()?;
    let others = proofs.iter().map(|other| ready(made(other, true)?).map(Rc::new));
    let others = others.collect::<Result<Vec<_>, _>>()?;
    if let Some(profile) = &task.profile {
        let programs = (&*task.world.programs, &*others);
        perf::tell(&mut profile.borrow_mut(), &task.name, (&task.program, &code), programs)
            .map_err(|why| Unfit::NotTaken(why.into()))?;
    }
    let maps = task.program.maps();
    let mut machine = jit::Machine::new(Rc::new(code), others, maps, environment.clone(), task.world.clone());
    // Code that is timed does not count its instructions.
    let once = move || match machine.result() {
        Some(r0) => Ok(Ran::new(r0, None)),
        None => match machine.run(LIMIT).end {
            Some(Ok((r0, _))) => Ok(Ran::new(r0, None)),
            Some(Err(trap)) => Err(trapped(&trap)),
            None => Err(format!("did not end within {LIMIT} instructions")),
        },
    };
    Ok(Prepared { compile: Some(time), code_bytes, ..Prepared::new(once) })
}

fn ended(outcome: Outcome) -> Result<Ran, String> {
    match outcome.end {
        Some(Ok((r0, _))) => Ok(Ran::new(r0, Some(outcome.executed))),
        Some(Err(trap)) => Err(trapped(&trap)),
        None => Err(format!("did not end within {LIMIT} instructions")),
    }
}

/// The same work in Rust.
pub(super) fn native(task: &Task) -> Result<Prepared, Unfit> {
    let builtin = task.builtin.ok_or(Unfit::NotTaken("nobody wrote this program in Rust".into()))?;
    let work = builtin.native;
    let packet = task.world.skb.packet.clone();
    Ok(Prepared::new(move || Ok(Ran::new(black_box(work)(black_box(&packet)), None))))
}

fn trapped(trap: &Trap) -> String {
    format!("trapped at instruction {}: {}", trap.pc, trap.kind)
}
