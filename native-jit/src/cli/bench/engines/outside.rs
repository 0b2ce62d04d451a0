//! Engines that are here or not: libpcap's interpreter and the running kernel.

use super::{Prepared, Ran, Unfit};
use crate::cli::bench::Task;
use bpf64_core::environment::{Environment, ProgramType, SCHED_CLS, SOCKET_FILTER};
use bpf64_core::isa::{AluOp, Insn, Reg, Src, Width};
use bpf64_core::program::Program;
use bpf64_jit::kernel::{self, Loaded, Log};
use std::time::Instant;

/// libpcap's interpreter, called through its C function.
#[cfg(unix)]
pub(super) fn libpcap(task: &Task) -> Result<Prepared, Unfit> {
    use bpf64_core::load::Form;
    use bpf64_jit::libpcap::Libpcap;

    let Form::Classic(program, _) = &task.loaded.form else {
        return Err(Unfit::NotTaken("runs classic programs only".into()));
    };
    let libpcap = Libpcap::open().map_err(|why| Unfit::NotTaken(why.into()))?;
    let filter = libpcap.prepare(program);
    let code_bytes = Some(filter.bytes());
    let skb = &task.world.skb;
    let (packet, wire_len) = (skb.packet.clone(), skb.len);
    let once = move || Ok(Ran { r0: filter.run(&packet, wire_len).into(), insns: None });
    Ok(Prepared { code_bytes, ..Prepared::new(once) })
}

#[cfg(not(unix))]
pub(super) fn libpcap(_: &Task) -> Result<Prepared, Unfit> {
    Err(Unfit::NotTaken("libpcap is opened as Unix libraries are".into()))
}

/// The running kernel's JIT, by test runs. What a test run costs by itself is that of a program that only returns.
pub(super) fn kernel(task: &Task) -> Result<Prepared, Unfit> {
    // A test run of a socket filter takes the Ethernet header away before the program sees the packet.
    let given = &task.loaded.program_type;
    let sees_all = ProgramType::from(&SCHED_CLS);
    let environment = if *given == ProgramType::from(&SOCKET_FILTER) { &sees_all } else { given };
    let mov = Insn::Alu { width: Width::W64, op: AluOp::Mov, dst: Reg::R0, src: Src::Imm(0) };
    let nothing = Program::new(vec![mov, Insn::Exit], Vec::new()).expect("it ends with `exit`");
    let started = Instant::now();
    let loaded = load(environment, &task.program)?;
    let compile = Some(started.elapsed());
    let packet = task.world.skb.packet.clone();
    let idle = repeated(load(environment, &nothing)?, packet.clone());
    let run = repeated(loaded, packet);
    // A test run gives the low half of r0.
    Ok(Prepared { run, idle: Some(idle), compile, code_bytes: None, mask: u32::MAX.into() })
}

fn load(environment: &Environment, program: &Program) -> Result<Loaded, Unfit> {
    kernel::load(environment, program, Log::Path)
        .or_else(|_| kernel::load(environment, program, Log::Nothing))
        .map_err(|refusal| Unfit::NotTaken(refusal.to_string().into()))
}

/// The kernel has the loop.
fn repeated(loaded: Loaded, packet: Vec<u8>) -> super::Runs {
    Box::new(move |times| {
        let mut left = times;
        loop {
            let now = left.min(u32::MAX.into());
            let run =
                loaded.run(&packet, now as u32).map_err(|error| format!("the test run fails: {error}"))?;
            left -= now;
            if left == 0 {
                return Ok(Ran { r0: run.result.into(), insns: None });
            }
        }
    })
}
