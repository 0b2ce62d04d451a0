//! Events that programs give to whoever listens, here and in the running kernel: what comes, and what is answered when
//! nobody listens, or nobody reads.
#![cfg(target_os = "linux")]

use bpf64_core::environment::World;
use bpf64_core::errno::Errno;
use bpf64_core::maps::Table;
use bpf64_core::maps::events::{ROOM, lost};
use bpf64_jit::kernel::events::Listener;
use bpf64_tests::alongside;
use bpf64_tests::both::{Both, ready};
use bpf64_tests::kernel::{possible_cpus, skipped};
use bpf64_tests::kernel_ebpf::ProgramType as Tested;
use bpf64_tests::kernel_maps::Map;

/// Asks whether the kernel can be asked.
const PROBE: &str = env!("CARGO_BIN_EXE_probe-kernel");

/// A program of this type, with a table of listeners.
fn program(kind: &str, rest: &str) -> Both {
    let table = ".map listeners perf_event_array key=4 value=4 max=4";
    Both::new(&format!(".type {kind}\n.license GPL\n{table}\n{rest}")).expect("Linux takes it")
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
    if !ready(PROBE) {
        return;
    }
    let text = "
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
    let both = program("raw_tracepoint", text);
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
    if !ready(PROBE) {
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
                "*(u64 *)(r10 - 8) = 0x7777
                r3 = {flags:#x} ll
                r4 = r10
                r4 += -8
                r5 = 6
                r2 = map[listeners]
                call perf_event_output
                exit"
            );
            let both = program(kind, &text);
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

/// Nobody reads: events of each size are taken until there is no room for one, as many here as there, where a listener's
/// room is as large as ours; when all are read, there is room again.
#[test]
fn a_full_ring() {
    if !ready(PROBE) {
        return;
    }
    let text = "
        .map large array key=4 value=4096 max=1
        r6 = r1
        *(u32 *)(r10 - 4) = 0
        r1 = map[large]
        r2 = r10
        r2 += -4
        call map_lookup_elem
        if r0 == 0 goto none
        r4 = r0
        r5 = *(u64 *)(r6 + 0)
        if r5 > 4096 goto none
        r1 = r6
        r2 = map[listeners]
        r3 = 0xffffffff ll
        call perf_event_output
        exit
        none: r0 = 1
        exit";
    let mut told = Vec::new();
    for size in [4u64, 5, 100, 1000, 4096] {
        let both = program("raw_tracepoint", text);
        let listener = match Listener::with_room(0, ROOM as usize) {
            Ok(listener) => listener,
            Err(why) => return skipped("a full ring", &format!("a listener: {why}")),
        };
        both.maps[0].update(Some(&[0; 4]), &listener.number().to_le_bytes(), 0).expect("there is room");
        let mut world = World::of_record([&size.to_le_bytes()[..], &[0; 88]].concat());
        let mut given = 0;
        loop {
            let there = both.there(&[size]);
            let (here, after) = both.here(world);
            world = after;
            assert_eq!(here as u32, there, "{size} bytes, after {given} of them");
            if there != 0 {
                assert_eq!(Errno((there as i32).wrapping_neg()), Errno::ENOSPC);
                break;
            }
            given += 1;
        }
        assert_eq!(lost(&world.tables[0]), 1);
        listener.take_all();
        world.tables[0].consume();
        assert_eq!((both.there(&[size]), both.here(world).0), (0, 0), "{size} bytes, after all were read");
        told.push((size, given));
    }
    println!("bytes of an event, and how many fill 1 MiB: {told:?}");
}
