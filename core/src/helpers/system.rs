//! Functions that tell about the machine: random numbers, the CPU, time, the process (kernel/bpf/helpers.c).

use super::{Arg, Function, Implementation, Prototype, Ret};
use crate::machine::Quantity;

/// Linux's random numbers.
pub const GET_PRANDOM_U32: Function = Function {
    id: 7,
    name: "get_prandom_u32",
    doc: "gives a random 32-bit number",
    prototype: Prototype::new(&[], Ret::Integer),
    call: Implementation::Value(|host, _| {
        let mut random = host.world().random;
        let number = random.next_u32();
        host.set(Quantity::Random, random.0);
        Ok(number.into())
    }),
};

/// Linux's CPU number.
pub const GET_SMP_PROCESSOR_ID: Function = Function {
    id: 8,
    name: "get_smp_processor_id",
    doc: "gives the number of the CPU the program runs on",
    prototype: Prototype::new(&[], Ret::Cpu),
    call: Implementation::Value(|host, _| Ok(host.world().seen_cpu().into())),
};

/// What every program type may ask.
pub static SYSTEM: &[Function] = &[
    GET_PRANDOM_U32,
    GET_SMP_PROCESSOR_ID,
    Function {
        id: 5,
        name: "ktime_get_ns",
        doc: "gives the nanoseconds since the machine started, without those it slept",
        prototype: Prototype::new(&[], Ret::Integer),
        call: Implementation::Value(|host, _| Ok(host.world().time)),
    },
    Function {
        id: 125,
        name: "ktime_get_boot_ns",
        doc: "gives the nanoseconds since the machine started",
        prototype: Prototype::new(&[], Ret::Integer),
        // The machine of a run never sleeps.
        call: Implementation::Value(|host, _| Ok(host.world().time)),
    },
    Function {
        id: 118,
        name: "jiffies64",
        doc: "gives the ticks since the machine started, 1,000 a second",
        prototype: Prototype::new(&[], Ret::Integer),
        call: Implementation::Value(|host, _| Ok(FIRST_JIFFY + host.world().time / NANOSECONDS_A_TICK)),
    },
    Function {
        id: 14,
        name: "get_current_pid_tgid",
        doc: "gives the number of the process in the upper and of the thread in the lower half",
        prototype: Prototype::new(&[], Ret::Integer),
        call: Implementation::Value(|host, _| {
            let process = host.world().process;
            Ok(u64::from(process.tgid) << 32 | u64::from(process.pid))
        }),
    },
    Function {
        id: 15,
        name: "get_current_uid_gid",
        doc: "gives the group's number in the upper and the user's in the lower half",
        prototype: Prototype::new(&[], Ret::Integer),
        call: Implementation::Value(|host, _| {
            let process = host.world().process;
            Ok(u64::from(process.gid) << 32 | u64::from(process.uid))
        }),
    },
    Function {
        id: 16,
        name: "get_current_comm",
        doc: "writes the name of the thread to the r2 bytes at r1, cut to fit, with zeros behind it; 0",
        prototype: Prototype::new(&[Arg::MemoryOut, Arg::Size], Ret::Integer),
        call: Implementation::Value(|host, [address, size, ..]| {
            let mut name = host.world().process.comm.to_vec();
            name.resize(size as u32 as usize, 0);
            if let Some(last) = name.last_mut() {
                *last = 0;
            }
            host.write(address, &name)?;
            Ok(0)
        }),
    },
];

/// A tick at `CONFIG_HZ=1000`.
const NANOSECONDS_A_TICK: u64 = 1_000_000;
/// Linux's count begins five minutes before its lower half is full, so that what cannot bear that is found early
/// (`INITIAL_JIFFIES`).
const FIRST_JIFFY: u64 = 0x1_0000_0000 - 300_000;
