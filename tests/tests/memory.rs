//! Memory over long runs: a capture is replayed packet by packet, tables going on, and nothing grows but the table, up to
//! what its declaration says.

#![cfg(target_os = "linux")]

use bpf64_core::context::skb::Skb;
use bpf64_core::environment::{ProgramType, World};
use bpf64_core::interp::Machine;
use bpf64_core::load::{Request, load};
use bpf64_core::running::{Code, Runner};
use bpf64_core::verifier::verify;
use std::fs;
use std::rc::Rc;

const PACKETS: u32 = 100_000;
/// By then all that is set up once is there, the table is full, and the allocator has what it wants.
const WARM: u32 = 20_000;
/// What the rest may grow by, in bytes: the allocator's own housekeeping.
const SLACK: usize = 256 << 10;
const ENTRIES: u32 = 4096;

/// Counts by source address: most are seen a few times, and there are more of them than entries.
const PROGRAM: &str = "
.type xdp
.map seen hash key=4 value=8 max=4096
r2 = *(u32 *)(r1 + 4)
r1 = *(u32 *)(r1 + 0)
r3 = r1
r3 += 34
if r3 > r2 goto out
r3 = *(u32 *)(r1 + 26)
*(u32 *)(r10 - 4) = r3
r1 = map[seen]
r2 = r10
r2 += -4
call map_lookup_elem
if r0 == 0 goto new
r1 = 1
lock *(u64 *)(r0 + 0) += r1
goto out
new:
*(u64 *)(r10 - 16) = 1
r1 = map[seen]
r2 = r10
r2 += -4
r3 = r10
r3 += -16
r4 = 0
call map_update_elem
out:
r0 = 2
exit
";

/// Bytes of memory that the process has.
fn resident() -> usize {
    let pages = fs::read_to_string("/proc/self/statm").expect("Linux tells it");
    let pages: usize =
        pages.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * 4096
}

/// Packet number so-and-so, from one of ten thousand addresses.
fn packet(number: u32) -> Vec<u8> {
    let mut packet = vec![0; 60 + number as usize % 1000];
    packet[12..14].copy_from_slice(&[8, 0]);
    packet[26..30].copy_from_slice(&(number.wrapping_mul(2_654_435_761) % 10_000).to_le_bytes());
    packet
}

/// Replays the packets, and says by how much memory grew behind the first [`WARM`].
fn replay(name: &str, mut run: impl FnMut(Skb) -> usize) {
    let mut before = 0;
    for number in 0..PACKETS {
        let footprint = run(Skb::ethernet(packet(number)));
        // The keys and values, the buckets and their chains, with room for growth by doubling.
        let bound = 2 * ENTRIES as usize * (16 + 4 + 12) + 4096;
        assert!(footprint <= bound, "{name}: the table takes {footprint} bytes, more than {bound}");
        if number == WARM {
            before = resident();
        }
    }
    let grown = resident().saturating_sub(before);
    println!("{name}: {PACKETS} packets; grew by {grown} bytes over the last {}", PACKETS - WARM);
    assert!(grown <= SLACK, "{name}: memory grew by {grown} bytes");
}

#[test]
fn a_replay_takes_no_memory_but_the_tables() {
    let loaded = load(PROGRAM.as_bytes(), &Request::default()).expect("it is read");
    let (program, kind): (_, ProgramType) = (Rc::new(loaded.ebpf()), loaded.program_type.clone());
    let mut world = World::default();
    replay("stepping", |skb| {
        world.skb = skb;
        let mut machine = Machine::new(Rc::clone(&program), kind.clone(), std::mem::take(&mut world));
        assert!(matches!(machine.run(1000).end, Some(Ok((2, _)))));
        world = std::mem::take(&mut machine.world);
        world.tables[0].footprint()
    });
    assert_eq!(world.tables[0].entries().count(), ENTRIES as usize, "the table is full");

    let verified = verify(&program, &kind, 0).expect("it is verified");
    let mut runner = Runner::new(Rc::new(Code::new(&verified, kind)), World::default());
    replay("running", |skb| {
        runner.world_mut().skb = skb;
        runner.restart();
        assert!(matches!(runner.run(1000, &mut ()).end, Some(Ok((2, _)))));
        runner.machine().world.tables[0].footprint()
    });
    assert_eq!(runner.machine().world.tables, world.tables, "both counted the same");
}
