//! What the kernel tells programs, where that is its own: time, CPU, process, stacks, sockets. Programs of type
//! `raw_tracepoint` can be test-run, in our own thread, of which all is known; so ours are told the same and must give the
//! same.
#![cfg(target_os = "linux")]

use bpf64_core::environment::{Process, Stacks, World};
use bpf64_core::errno::Errno;
use bpf64_core::maps::Table;
use bpf64_tests::alongside;
use bpf64_tests::both::{Both, ready};
use bpf64_tests::kernel_ebpf::ProgramType as Tested;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};
use std::{fs, thread};

/// Asks whether the kernel can be asked.
const PROBE: &str = env!("CARGO_BIN_EXE_probe-kernel");
/// This thread, as it is known outside BPF.
fn ourselves() -> Process {
    let thread = fs::read_link("/proc/thread-self").expect("there is /proc");
    let pid = thread.file_name().and_then(|name| name.to_str()?.parse().ok()).expect("a thread's number");
    let about = fs::metadata("/proc/thread-self").expect("there is /proc");
    let name = fs::read("/proc/thread-self/comm").expect("there is /proc");
    let mut comm = [0; 16];
    let name = name.strip_suffix(b"\n").unwrap_or(&name);
    comm[..name.len()].copy_from_slice(name);
    Process { pid, tgid: std::process::id(), uid: about.uid(), gid: about.gid(), comm }
}

fn word(bytes: &[u8], at: usize) -> u64 {
    bytes[8 * at..][..8].iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// Everything that can be asked without an argument, in words of the table's value.
const ASKING: &str = "
    .type raw_tracepoint
    .license GPL
    .map told array key=4 value=72 max=1
    *(u32 *)(r10 - 4) = 0
    r1 = map[told]
    r2 = r10
    r2 += -4
    call map_lookup_elem
    if r0 == 0 goto none
    r6 = r0
    call ktime_get_ns
    *(u64 *)(r6 + 0) = r0
    call ktime_get_boot_ns
    *(u64 *)(r6 + 8) = r0
    call jiffies64
    *(u64 *)(r6 + 16) = r0
    call get_prandom_u32
    *(u64 *)(r6 + 24) = r0
    call get_smp_processor_id
    *(u64 *)(r6 + 32) = r0
    call get_current_pid_tgid
    *(u64 *)(r6 + 40) = r0
    call get_current_uid_gid
    *(u64 *)(r6 + 48) = r0
    r1 = r6
    r1 += 56
    r2 = 16
    call get_current_comm
    exit
    none: r0 = 1
    exit";

/// As many words are the kernel's own: the clocks and chance.
const OWN: usize = 4;

#[test]
fn cpu_and_process() {
    if !ready(PROBE) {
        return;
    }
    let both = Both::new(ASKING).expect("Linux takes it");
    assert_eq!(both.there(&[]), 0);
    let theirs = both.maps[0].lookup(Some(&[0; 4]), None).expect("an array has its entry");
    let world = World { cpu: 0, process: ourselves(), ..World::of_record(vec![0; 96]) };
    let (r0, world) = both.here(world);
    assert_eq!(r0, 0);
    let ours = world.tables[0].read(&[0; 4]).expect("an array has its entry");
    assert_eq!(ours[8 * OWN..], theirs[8 * OWN..], "CPU, numbers of the thread and its owner, its name");
    assert!(word(&ours, 5) != 0 && ours[56] != 0);
}

#[test]
fn time_and_chance() {
    if !ready(PROBE) {
        return;
    }
    const TICKS: [u64; 4] = [100, 250, 300, 1000];
    const SECOND: u64 = 1_000_000_000;
    let both = Both::new(ASKING).expect("Linux takes it");
    let ask = || {
        let uptime = || {
            let text = fs::read_to_string("/proc/uptime").expect("there is /proc");
            let seconds = text.split(' ').next().and_then(|seconds| seconds.parse::<f64>().ok());
            (seconds.expect("a number") * 1e9) as u64
        };
        let before = uptime();
        let _r0 = both.there(&[]);
        let told = both.maps[0].lookup(Some(&[0; 4]), None).expect("an array has its entry");
        let told: Vec<u64> = (0..OWN).map(|at| word(&told, at)).collect();
        // It counts in hundredths of a second.
        assert!((before..uptime() + SECOND / 100).contains(&told[1]), "{before} {told:?}");
        told
    };
    let (started, first) = (Instant::now(), ask());
    thread::sleep(Duration::from_millis(200));
    let (second, most) = (ask(), started.elapsed());
    let passed = second[0] - first[0];
    assert!(passed >= 200_000_000 && u128::from(passed) <= most.as_nanos(), "{passed} of {most:?}");
    assert!(first[0] <= first[1], "the machine did not run before it started: {first:?}");
    assert!(second[1] - first[1] >= 200_000_000, "{first:?} {second:?}");
    // Ticks are counted from five minutes before a half word of them is full, some hundred a second.
    let counted = |rate: u64| {
        let start = (1u64 << 32) - 300 * rate;
        let wanted = start + first[0] * rate / SECOND;
        // A virtual machine may be behind with them.
        first[2].abs_diff(wanted) <= 5 * rate
    };
    let rate = TICKS.into_iter().find(|&rate| counted(rate));
    let rate = rate.unwrap_or_else(|| panic!("no number of ticks a second makes {first:?}"));
    assert!(second[2] >= first[2], "{first:?} {second:?}");
    assert!(second[2] - first[2] <= 5 * passed * rate / SECOND, "{first:?} {second:?}");
    println!("{rate} ticks a second; ours has 1,000");
    if rate == 1000 {
        let world = World { time: first[0], ..World::of_record(vec![0; 96]) };
        let ours = both.here(world).1.tables[0].read(&[0; 4]).expect("an array has its entry");
        assert!(word(&ours, 2).abs_diff(first[2]) <= 5 * rate, "{first:?}");
    }
    // Each bit of 64 random numbers is set and clear some time, and there are 32 of them.
    let drawn: Vec<u64> = (0..64).map(|_| ask()[3]).collect();
    assert_eq!(drawn.iter().fold(0, |all, number| all | number), u64::from(u32::MAX), "{drawn:x?}");
    assert_eq!(drawn.iter().fold(u64::MAX, |all, number| all & number), 0, "{drawn:x?}");
}

/// The stack is asked for once and read from its table; from then on, ours is told the same and must keep it alike under
/// every number of frames left out and all flags, since numbers are made of addresses.
fn stacks_of(user: bool) {
    if !ready(PROBE) {
        return;
    }
    const USER: u64 = 1 << 8;
    // Sixteen buckets, so that traces meet.
    let text = "
        .type raw_tracepoint
        .license GPL
        .map stacks stack_trace key=4 value=1016 max=16
        r3 = *(u64 *)(r1 + 0)
        r2 = map[stacks]
        call get_stackid
        exit";
    let both = Both::new(text).expect("Linux takes it");
    let of = if user { USER } else { 0 };
    let mut tables = vec![Table::new(both.loaded.ebpf().maps()[0].clone(), 1)];
    let mut stack: Vec<u64> = Vec::new();
    let mut counts = [0; 2];
    let mut next = 0;
    loop {
        // One place that asks, so that it is one stack.
        let depth = stack.len() as u64;
        let skipping = (0..depth + 2).flat_map(|skip| [skip, skip | 1 << 9, skip | 1 << 10, skip | 3 << 9]);
        let others = [1 << 11, 1 << 32, u64::MAX, 255, 0];
        let Some(flags) = [0, 0].into_iter().chain(skipping).chain(others).nth(next).map(|flags| flags | of)
        else {
            break;
        };
        let there = both.there(&[flags]);
        if next == 0 {
            assert!(there < 16, "{:?}", Errno(there.wrapping_neg() as i32));
            let bytes = both.maps[0].lookup(Some(&there.to_le_bytes()), None).expect("the stack is kept");
            stack =
                (0..bytes.len() / 8).map(|at| word(&bytes, at)).take_while(|&address| address != 0).collect();
            let half = if user { 0 } else { 0x1_ffff };
            assert!(stack.iter().all(|address| address >> 47 == half), "{stack:x?}");
            assert!(stack.len() > if user { 0 } else { 2 }, "{stack:x?}");
        }
        let mut stacks = Stacks::default();
        *(if user { &mut stacks.user } else { &mut stacks.kernel }) = stack.clone();
        let record = [flags.to_le_bytes().to_vec(), vec![0; 88]].concat();
        let (here, world) = both.here(World { tables, stacks, ..World::of_record(record) });
        assert_eq!(here as u32, there, "flags {flags:#x}, a stack of {}", stack.len());
        tables = world.tables;
        counts[usize::from(there as i32 >= 0)] += 1;
        next += 1;
    }
    for (key, value) in tables[0].entries() {
        assert_eq!(both.maps[0].lookup(Some(&key), None).as_ref(), Ok(&value), "{key:?}");
    }
    assert!(counts.iter().all(|&count| count > 3), "{counts:?}");
    println!(
        "a stack of {}: {} times refused, {} times kept, with the same number as here",
        stack.len(),
        counts[0],
        counts[1]
    );
}

#[test]
fn stacks_of_the_kernel() {
    stacks_of(false);
}

#[test]
fn stacks_of_the_process() {
    stacks_of(true);
}

/// Every test run has a socket of its own, whose number nobody else has.
#[test]
fn cookies() {
    if !ready(PROBE) {
        return;
    }
    let both = Both::new(".type sched_cls\ncall get_socket_cookie\nexit").expect("Linux takes it");
    let told: Vec<u32> = (0..8).map(|_| both.program.run(&[0; 14]).expect("a frame is taken")).collect();
    assert!(told[0] > 0 && told.is_sorted_by(|a, b| a < b), "{told:?}");
    let mut world = alongside::world(Tested::SchedCls, vec![0; 14]);
    world.skb.control.socket.cookie = told[0].into();
    assert_eq!(both.here(world).0, u64::from(told[0]));
}
