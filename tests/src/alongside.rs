//! A program with its tables over several packets, here and in the running kernel, side by side: the same r0, the same
//! packet and the same tables after each.

use crate::kernel_ebpf::{Kernel, Loaded, ProgramType};
use bpf64_core::environment::{self, World};
use bpf64_core::interp::Machine;
use bpf64_core::maps::{PERF_EVENT_ARRAY, Table};
use bpf64_core::program::Program;
use std::rc::Rc;

/// Instructions after which a run is given up.
const LIMIT: u64 = 1_000_000;
/// Bytes of the Ethernet header, which a test run of a socket filter takes off.
const ETHERNET_HEADER: usize = 14;

/// As many CPUs as the kernel has values for.
#[must_use]
pub fn cpus() -> u32 {
    crate::kernel::possible_cpus().min(bpf64_core::maps::MAX_CPUS)
}

/// Runs the program over the packets in turn, tables going on from one to the next, and compares after each.
///
/// # Errors
/// What differs, or why the program or a packet was not taken.
pub fn compare(
    kernel: &Kernel,
    program: &Rc<Program>,
    program_type: &environment::ProgramType,
    packets: &[Vec<u8>],
) -> Result<(), String> {
    compare_but(kernel, program, program_type, packets, &[])
}

/// The same, but for what these tables hold, since it is the kernel's own: its time.
///
/// # Errors
/// As [`compare`].
pub fn compare_but(
    kernel: &Kernel,
    program: &Rc<Program>,
    program_type: &environment::ProgramType,
    packets: &[Vec<u8>],
    but: &[&str],
) -> Result<(), String> {
    let name = &program_type.name;
    let kind = ProgramType::of(program_type).ok_or_else(|| format!("no test runs of {name} on packets"))?;
    let loaded = kernel.load(kind, program, &[]).map_err(|refusal| format!("Linux refuses it: {refusal}"))?;
    let mut tables = Vec::new();
    let cpus = cpus();
    for (number, packet) in packets.iter().enumerate() {
        let fault = |what: String| format!("packet {number}, {packet:02x?}: {what}");
        let mut world = world(kind, packet.clone());
        (world.tables, world.cpus) = (tables, cpus);
        let mut machine = Machine::new(Rc::clone(program), program_type.clone(), world);
        let r0 = match machine.run(LIMIT).end {
            Some(Ok((r0, _))) => r0,
            Some(Err(trap)) => return Err(fault(format!("trap here: {trap}"))),
            None => return Err(fault(format!("no end within {LIMIT} instructions"))),
        };
        let answer = loaded.run(&[], packet).map_err(|error| fault(format!("Linux: {error}")))?;
        if answer.r0 != r0 {
            return Err(fault(format!("r0 is {r0:#x} here, {:#x} in Linux", answer.r0)));
        }
        let there = seen(kind, &answer.packet);
        let here = given_back(&machine);
        if there != here {
            return Err(fault(format!("the packet is {here:02x?} here\n{there:02x?} in Linux")));
        }
        tables = machine.world.tables;
        compare_but_tables(&loaded, &tables, but).map_err(fault)?;
    }
    Ok(())
}

/// What a test run gives back of our packet: metadata before it come, too.
#[must_use]
pub fn given_back(machine: &Machine) -> Vec<u8> {
    let headroom = &machine.skb().headroom;
    let before = headroom.bytes().len() - headroom.metadata as usize;
    [&headroom.bytes()[before..], &machine.skb().packet[..]].concat()
}

/// What a program of this type sees of the packet of a test run.
#[must_use]
pub fn seen(kind: ProgramType, packet: &[u8]) -> &[u8] {
    if kind.environment().tested_behind_ethernet() {
        packet.get(ETHERNET_HEADER..).unwrap_or_default()
    } else {
        packet
    }
}

/// An Ethernet frame as a test run of this type shows it to programs (`bpf_prog_test_run_skb`).
#[must_use]
pub fn world(kind: ProgramType, frame: Vec<u8>) -> World {
    World::tested(kind.environment(), frame)
}

/// Compares every table of a program with the kernel's.
///
/// # Errors
/// The first difference.
pub fn compare_tables(loaded: &Loaded<'_>, tables: &[Table]) -> Result<(), String> {
    compare_but_tables(loaded, tables, &[])
}

fn compare_but_tables(loaded: &Loaded<'_>, tables: &[Table], but: &[&str]) -> Result<(), String> {
    for (number, table) in tables.iter().enumerate() {
        let name = &table.def().name;
        // What has no keys, and listeners, cannot be walked over.
        if table.def().key_size == 0
            || but.contains(&name.as_str())
            || table.def().kind.number() == PERF_EVENT_ARRAY.number()
        {
            continue;
        }
        let theirs = loaded.table(number).ok_or_else(|| format!("Linux has no table {number}"))?;
        let mut there = theirs.entries().map_err(|error| format!("`{name}` in Linux: {error}"))?;
        let mut here: Vec<_> = table.entries().collect();
        here.sort();
        // A table inside another has a number of the kernel's own there; what it holds is compared in its turn.
        if table.def().inner.is_some() {
            here.iter_mut().chain(&mut there).for_each(|(_, value)| value.clear());
        }
        if here != there {
            let all_there = there.clone();
            there.retain(|entry| !here.contains(entry));
            here.retain(|entry| !all_there.contains(entry));
            return Err(format!("`{name}` holds {here:02x?} here\n{there:02x?} in Linux"));
        }
    }
    Ok(())
}
