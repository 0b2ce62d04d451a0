//! Engines that are here or not: libpcap's interpreter and the running kernel.

use super::{Prepared, Ran, Unfit};
use crate::cli::bench::Task;
use bpf64_core::environment::{Environment, ProgramType, SCHED_CLS, SOCKET_FILTER, XDP};
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
    let once = move || Ok(Ran::new(filter.run(&packet, wire_len).into(), None));
    Ok(Prepared { code_bytes, ..Prepared::new(once) })
}

#[cfg(not(unix))]
pub(super) fn libpcap(_: &Task) -> Result<Prepared, Unfit> {
    Err(Unfit::NotTaken("libpcap is opened as Unix libraries are".into()))
}

/// The running kernel's JIT, by test runs.
pub(super) fn kernel(task: &Task) -> Result<Prepared, Unfit> {
    // A test run of a socket filter takes the Ethernet header away before the program sees the packet.
    let given = &task.loaded.program_type;
    let sees_all = ProgramType::from(&SCHED_CLS);
    let environment = if *given == ProgramType::from(&SOCKET_FILTER) { &sees_all } else { given };
    let started = Instant::now();
    let loaded = load(environment, task)?;
    let compile = Some(started.elapsed());
    let code_bytes = loaded.code_bytes();
    let skb = &task.world.skb;
    let mut packet = skb.packet.clone();
    if environment.tested_behind_ethernet() && skb.link_header.is_none() {
        // It takes the header away that this packet has lost already.
        packet.splice(0..0, [0; ETHERNET_HEADER]);
    }
    let own_clock = *environment == ProgramType::from(&XDP);
    let run = repeated(loaded, packet, own_clock);
    // A test run gives the low half of r0.
    Ok(Prepared { run, is_asked: true, compile, code_bytes, mask: u32::MAX.into() })
}

fn load(environment: &Environment, task: &Task) -> Result<Loaded, Unfit> {
    kernel::load_in(environment, &task.program, &task.world, Log::Path)
        .or_else(|_| kernel::load_in(environment, &task.program, &task.world, Log::Nothing))
        .map_err(|refusal| Unfit::NotTaken(refusal.to_string().into()))
}

/// Bytes of the Ethernet header.
const ETHERNET_HEADER: usize = 14;

/// The kernel has the loop. Entering it takes microseconds, with a program at a driver milliseconds: there the time is
/// what the kernel says, whole nanoseconds a run, rounded down, so half of one too few on the average.
fn repeated(loaded: Loaded, packet: Vec<u8>, own_clock: bool) -> super::Runs {
    Box::new(move |times| {
        let repeat = u32::try_from(times).unwrap_or(u32::MAX);
        let run = loaded.run(&packet, repeat).map_err(|error| format!("the test run fails: {error}"))?;
        let clock = own_clock.then(|| (f64::from(run.nanoseconds) + 0.5) * f64::from(repeat));
        Ok(Ran { clock, ..Ran::new(run.result.into(), None) })
    })
}
