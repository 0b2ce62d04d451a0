//! What the kernel tells programs and takes from them, where that is its own: time, CPU, process, stacks, listeners,
//! sockets, devices. Programs of type `raw_tracepoint` can be test-run, in our own thread, of which all is known; so ours
//! are told the same and must give the same.
#![cfg(target_os = "linux")]

use bpf64_core::environment::{Process, ProgramType, Stacks, World};
use bpf64_core::errno::Errno;
use bpf64_core::interp::Machine;
use bpf64_core::load::{Loaded, Request, load};
use bpf64_core::maps::Table;
use bpf64_jit::kernel::events::Listener;
use bpf64_tests::alongside;
use bpf64_tests::kernel::tap::Tap;
use bpf64_tests::kernel::{possible_cpus, probe, run_on, skipped};
use bpf64_tests::kernel_ebpf::ProgramType as Tested;
use bpf64_tests::kernel_maps::{self, Map};
use std::os::unix::fs::MetadataExt;
use std::rc::Rc;
use std::time::{Duration, Instant};
use std::{fs, thread};

/// Asks whether the kernel can be asked.
const PROBE: &str = env!("CARGO_BIN_EXE_probe-kernel");
/// More than any program here needs.
const LIMIT: u64 = 10_000;

/// A program in the kernel, with its tables, and the same here.
struct Both {
    loaded: Loaded,
    maps: Vec<Map>,
    program: kernel_maps::Loaded,
}

impl Both {
    fn new(text: &str) -> Result<Self, String> {
        let loaded =
            load(text.as_bytes(), &Request::default()).map_err(|faults| format!("{text}\n{}", faults[0]))?;
        let program = loaded.ebpf();
        let maps: Result<Vec<Map>, Errno> = program.maps().iter().map(|def| Map::create(def, None)).collect();
        let maps = maps.map_err(|errno| format!("needs CAP_BPF or root: a table: {errno}"))?;
        let program =
            kernel_maps::Loaded::new(loaded.program_type.number, &program, &maps.iter().collect::<Vec<_>>())?;
        Ok(Both { loaded, maps, program })
    }

    /// Ours in this world: r0 and the world afterwards.
    fn here(&self, world: World) -> (u64, World) {
        let kind: ProgramType = self.loaded.program_type.clone();
        let mut machine = Machine::new(Rc::new(self.loaded.ebpf()), kind, world);
        let (r0, _) = machine.run(LIMIT).end.expect("it ends").expect("it does no harm");
        (r0, machine.world)
    }

    /// The kernel's, on the first CPU: the low half of r0.
    fn there(&self, arguments: &[u64]) -> u32 {
        self.program.run_raw(arguments, 0).expect("a raw tracepoint can be test-run")
    }
}

/// Whether the kernel can be asked; this thread then stays on the first CPU.
fn ready() -> bool {
    let asked = probe(PROBE)
        .and_then(|()| run_on(0).map_err(|error| error.to_string()))
        .and_then(|()| Both::new(".type raw_tracepoint\nr0 = 7\nexit"))
        .and_then(|both| match both.program.run_raw(&[], 0) {
            Ok(7) => Ok(()),
            other => Err(format!("a raw tracepoint is not test-run here: {other:?}")),
        });
    asked.inspect_err(|why| skipped("the running kernel", why)).is_ok()
}

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
    if !ready() {
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
    if !ready() {
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
        both.there(&[]);
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

#[test]
fn stacks() {
    if !ready() {
        return;
    }
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
    let id = both.there(&[0]);
    assert!(id < 16, "{:?}", Errno(id.wrapping_neg() as i32));
    let bytes = both.maps[0].lookup(Some(&id.to_le_bytes()), None).expect("the stack is kept");
    let kernel: Vec<u64> =
        (0..bytes.len() / 8).map(|at| word(&bytes, at)).take_while(|&address| address != 0).collect();
    assert!(kernel.len() > 2 && kernel.iter().all(|address| address >> 47 == 0x1_ffff), "{kernel:x?}");
    // From here on, the same stack is asked for in ways that ours must answer alike: numbers are made of addresses.
    let mut tables = vec![Table::new(both.loaded.ebpf().maps()[0].clone(), 1)];
    let depth = kernel.len() as u64;
    let mut counts = [0; 2];
    let flags = (0..depth + 2).flat_map(|skip| [skip, skip | 1 << 9, skip | 1 << 10, skip | 3 << 9]);
    for flags in [0].into_iter().chain(flags).chain([1 << 11, 1 << 32, u64::MAX, 255, 0]) {
        let there = both.there(&[flags]);
        let stacks = Stacks { kernel: kernel.clone(), user: Vec::new() };
        let record = [flags.to_le_bytes().to_vec(), vec![0; 88]].concat();
        let (here, world) = both.here(World { tables, stacks, ..World::of_record(record) });
        assert_eq!(here as u32, there, "flags {flags:#x}, a stack of {depth}");
        tables = world.tables;
        counts[usize::from(there as i32 >= 0)] += 1;
    }
    for (key, value) in tables[0].entries() {
        assert_eq!(both.maps[0].lookup(Some(&key), None).as_ref(), Ok(&value), "{key:?}");
    }
    assert!(counts.iter().all(|&count| count > 3), "{counts:?}");
    println!(
        "a stack of {depth}: {} times refused, {} times kept, with the same number as here",
        counts[0], counts[1]
    );
}

/// Two CPUs with a listener each, or one; then an index without, and none.
fn listeners(map: &Map) -> Result<Vec<Listener>, String> {
    let mut all = Vec::new();
    for cpu in 0..possible_cpus().min(2) {
        let listener = Listener::open(cpu).map_err(|error| format!("a listener: {error}"))?;
        let number = listener.number().to_le_bytes();
        map.update(Some(&cpu.to_le_bytes()), &number, 0).map_err(|errno| errno.to_string())?;
        all.push(listener);
    }
    Ok(all)
}

/// The last event on each side: the kernel fills up what it keeps.
fn last_event(listeners: &[Listener], world: &World) -> Result<(), String> {
    let theirs = listeners[0].events();
    let ours: Vec<Vec<u8>> = world.tables[0].entries().map(|(_, value)| value).collect();
    if theirs.len() != ours.len() {
        return Err(format!("{} events there, {} here", theirs.len(), ours.len()));
    }
    match theirs.last().zip(ours.last()) {
        Some((there, here)) if !there.starts_with(here) || there.len() >= here.len() + 8 => {
            Err(format!("there {there:02x?}\nhere {here:02x?}"))
        }
        _ => Ok(()),
    }
}

#[test]
fn events_of_tracing() {
    if !ready() {
        return;
    }
    let text = "
        .type raw_tracepoint
        .license GPL
        .map listeners perf_event_array key=4 value=4 max=4
        r6 = 0x0123456789abcdef ll
        *(u64 *)(r10 - 8) = r6
        *(u64 *)(r10 - 16) = r6
        r6 += r6
        *(u64 *)(r10 - 24) = r6
        *(u64 *)(r10 - 32) = r6
        r3 = *(u64 *)(r1 + 0)
        r5 = *(u64 *)(r1 + 8)
        r5 &= 31
        r4 = r10
        r4 += -32
        r2 = map[listeners]
        call perf_event_output
        exit";
    let both = Both::new(text).expect("Linux takes it");
    let listeners = match listeners(&both.maps[0]) {
        Ok(listeners) => listeners,
        Err(why) => return skipped("events", &why),
    };
    let mut tables = vec![Table::new(both.loaded.ebpf().maps()[0].clone(), listeners.len() as u32)];
    let mut given = 0;
    const CURRENT: u64 = u32::MAX as u64;
    let sizes = (0..32).map(|size| (CURRENT, size));
    let others = [
        (0, 8),
        (1, 8),
        (2, 8),
        (3, 8),
        (4, 8),
        (CURRENT - 1, 8),
        (1 << 32, 8),
        (CURRENT | 1 << 40, 8),
        (u64::MAX, 0),
    ];
    for (flags, size) in sizes.chain(others) {
        let there = both.there(&[flags, size]);
        let record = [flags.to_le_bytes(), size.to_le_bytes()].concat();
        let world = World {
            tables,
            cpus: listeners.len() as u32,
            ..World::of_record([record, vec![0; 80]].concat())
        };
        let (here, world) = both.here(world);
        assert_eq!(
            Errno((here as i32).wrapping_neg()),
            Errno((there as i32).wrapping_neg()),
            "flags {flags:#x}"
        );
        last_event(&listeners, &world).unwrap_or_else(|why| panic!("{size} bytes, flags {flags:#x}: {why}"));
        given += usize::from(there == 0);
        tables = world.tables;
    }
    assert_eq!(given, 33);
    println!("{given} events read back");
}

#[test]
fn events_with_packets() {
    if !ready() {
        return;
    }
    let frame: Vec<u8> = [&[2; 12][..], &[0x88, 0xb5], &(0..60).collect::<Vec<u8>>()].concat();
    let mut given = 0;
    for kind in ["xdp", "sched_cls", "socket_filter"] {
        for (length, index) in [
            (0, u32::MAX),
            (1, u32::MAX),
            (14, 0),
            (59, u32::MAX),
            (74, 0),
            (75, 0),
            (4000, 0),
            (8, 1),
            (8, 2),
            (8, 9),
            (0x10_0000, 0),
        ] {
            let flags = u64::from(index) | length << 32;
            let text = format!(
                ".type {kind}
                .license GPL
                .map listeners perf_event_array key=4 value=4 max=4
                *(u64 *)(r10 - 8) = 0x7777
                r3 = {flags:#x} ll
                r4 = r10
                r4 += -8
                r5 = 6
                r2 = map[listeners]
                call perf_event_output
                exit"
            );
            let both = Both::new(&text).expect("Linux takes it");
            let listeners = match listeners(&both.maps[0]) {
                Ok(listeners) => listeners,
                Err(why) => return skipped("events", &why),
            };
            let there = both.program.run(&frame).expect("a frame is taken");
            let tested = Tested::of(&both.loaded.program_type).expect("it sees packets");
            let world = World { cpus: listeners.len() as u32, ..alongside::world(tested, frame.clone()) };
            let (here, world) = both.here(world);
            let name = format!("{kind}, flags {flags:#x}");
            assert_eq!(Errno((here as i32).wrapping_neg()), Errno((there as i32).wrapping_neg()), "{name}");
            last_event(&listeners, &world).unwrap_or_else(|why| panic!("{name}: {why}"));
            given += usize::from(there == 0);
        }
    }
    assert!(given >= 12, "{given}");
    println!("{given} events with packets read back");
}

/// Every test run has a socket of its own, whose number nobody else has.
#[test]
fn cookies() {
    if !ready() {
        return;
    }
    let both = Both::new(".type sched_cls\ncall get_socket_cookie\nexit").expect("Linux takes it");
    let told: Vec<u32> = (0..8).map(|_| both.program.run(&[0; 14]).expect("a frame is taken")).collect();
    assert!(told[0] > 0 && told.is_sorted_by(|a, b| a < b), "{told:?}");
    let mut world = alongside::world(Tested::SchedCls, vec![0; 14]);
    world.skb.control.socket.cookie = told[0].into();
    assert_eq!(both.here(world).0, u64::from(told[0]));
}

/// Copies go out through a tap, in a network of this thread's own.
#[test]
fn copies_of_packets() {
    if !ready() {
        return;
    }
    let tap = match Tap::open_here() {
        Ok(tap) => tap,
        Err(why) => return skipped("copies through a tap", &format!("it needs root: {why}")),
    };
    let ifindex = tap.ifindex();
    let frame: Vec<u8> = [&[2; 12][..], &[0x88, 0xb5], &(0..60).collect::<Vec<u8>>()].concat();
    let mut sent = 0;
    for (to, flags) in [
        (ifindex, 0),
        (ifindex, 0),
        (ifindex, 2),
        (ifindex, u64::MAX),
        (ifindex + 7, 0),
        (0, 0),
        (u32::MAX, 0),
    ] {
        let text = format!(
            ".type sched_cls\nr6 = r1\nr2 = {to:#x} ll\nr3 = {flags:#x} ll\ncall clone_redirect\nr7 = r0\n\
             r1 = r6\nr2 = 0\nr3 = r10\nr3 += -8\n*(u64 *)(r10 - 8) = 5\nr4 = 2\nr5 = 0\ncall skb_store_bytes\nr0 = r7\nexit"
        );
        let both = Both::new(&text).expect("Linux takes it");
        let there = both.program.run(&frame).expect("a frame is taken");
        let copy = tap.transmitted().expect("the tap can be read");
        let mut world = alongside::world(Tested::SchedCls, frame.clone());
        world.skb.device = None;
        let kind = both.loaded.program_type.clone();
        let mut machine = Machine::new(Rc::new(both.loaded.ebpf()), kind, world);
        let mut heard = Heard(Vec::new());
        let r0 = loop {
            use bpf64_core::machine::{Flow, Machine as _};
            match machine.step(&mut heard) {
                Ok(Flow::Next) => {}
                Ok(Flow::End(r0, _)) => break r0,
                Err(trap) => panic!("{trap}"),
            }
        };
        let known = to == ifindex || there == 0;
        // That there is no such device, only the kernel can know.
        if known {
            assert_eq!(r0 as u32, there, "to {to}, flags {flags:#x}");
            assert_eq!(copy.as_ref(), heard.0.first(), "to {to}, flags {flags:#x}");
        } else {
            assert_eq!(Errno((there as i32).wrapping_neg()), Errno::EINVAL, "to {to}");
        }
        sent += usize::from(copy.is_some());
    }
    assert_eq!(sent, 2);
}

/// What was sent.
struct Heard(Vec<Vec<u8>>);

impl bpf64_core::machine::Observer for Heard {
    fn read(&mut self, _: bpf64_core::machine::Place, _: u64) {}
    fn wrote(&mut self, _: bpf64_core::machine::Place, _: u64, _: u64) {}
    fn printed(&mut self, _: &str) {}
    fn sent(&mut self, sent: &bpf64_core::machine::Sent) {
        self.0.push(sent.packet.clone());
    }
}
