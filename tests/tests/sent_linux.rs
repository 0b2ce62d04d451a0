//! Where programs send packets, here and in the running kernel: copies and redirected frames are read from a tap, in a
//! network of this thread's own.
#![cfg(target_os = "linux")]

use bpf64_core::environment::{Redirect, World};
use bpf64_core::errno::Errno;
use bpf64_core::interp::Machine;
use bpf64_core::maps::Table;
use bpf64_tests::alongside;
use bpf64_tests::both::{Both, ready};
use bpf64_tests::kernel::skipped;
use bpf64_tests::kernel::tap::Tap;
use bpf64_tests::kernel_ebpf::ProgramType as Tested;
use std::rc::Rc;

/// Asks whether the kernel can be asked.
const PROBE: &str = env!("CARGO_BIN_EXE_probe-kernel");
/// `XDP_REDIRECT`
const REDIRECT: u32 = 4;

/// A tap in a network of this thread's own, and a frame; nothing where the kernel cannot be asked about `what`.
fn tap(what: &str) -> Option<(Tap, Vec<u8>)> {
    if !ready(PROBE) {
        return None;
    }
    let frame = [&[2; 12][..], &[0x88, 0xb5], &(0..60).collect::<Vec<u8>>()].concat();
    let tap = Tap::open_here().inspect_err(|why| skipped(what, &format!("it needs root: {why}")));
    tap.ok().map(|tap| (tap, frame))
}

/// Copies go out through a tap, in a network of this thread's own.
#[test]
fn copies_of_packets() {
    let Some((tap, frame)) = tap("copies through a tap") else { return };
    let ifindex = tap.ifindex();
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

/// Frames that a program at a driver redirects come out of the device that it named, or that the table holds; where there
/// is none, nothing comes.
#[test]
fn redirected_frames() {
    let Some((tap, frame)) = tap("redirected frames") else { return };
    let ifindex = tap.ifindex();
    let by_table = |kind: &str, index: u32, flags: u64| {
        format!(
            ".type xdp\n.map devices {kind} key=4 value=4 max=4\nr1 = map[devices]\nr2 = {index}\nr3 = {flags:#x} ll\n\
             call redirect_map\nexit"
        )
    };
    let by_number = |to: u32, flags: u64| {
        format!(
            ".type xdp\n.map devices devmap key=4 value=4 max=4\nr1 = {to}\nr2 = {flags:#x} ll\ncall redirect\nexit"
        )
    };
    let mut programs = vec![by_number(ifindex, 0), by_number(ifindex, 1), by_number(ifindex, u64::MAX)];
    for kind in ["devmap", "devmap_hash"] {
        // There, not there, too large; with what to return instead; to all; and what is no flag of these.
        let asked = [(2, 0), (2, 1), (1, 0), (1, 1), (9, 2), (2, 8), (1, 8), (2, 0x18), (2, 0x20), (2, 4)];
        programs.extend(asked.map(|(index, flags)| by_table(kind, index, flags)));
    }
    let mut came = 0;
    for text in &programs {
        let both = Both::new(text).unwrap_or_else(|why| panic!("{text}\n{why}"));
        let entry = (2u32.to_le_bytes(), ifindex.to_le_bytes());
        both.maps[0].update(Some(&entry.0), &entry.1, 0).unwrap_or_else(|why| panic!("{text}\n{why}"));
        let mut world = alongside::world(Tested::Xdp, frame.clone());
        let mut table = Table::new(both.loaded.ebpf().maps()[0].clone(), 1);
        table.update(&entry.0, &entry.1, 0).expect("there is room");
        world.tables = vec![table];
        let (here, world) = both.here(world);
        assert_eq!(both.program.run(&frame).expect("a frame is taken"), here as u32, "{text}");
        both.program.run_live(&frame).unwrap_or_else(|why| panic!("{text}\n{why}"));
        let goes_to = match world.redirect.filter(|_| here as u32 == REDIRECT) {
            Some(Redirect::Device { ifindex, .. }) => Some(ifindex),
            // All that the table holds is this one device.
            Some(Redirect::Map { .. }) => Some(ifindex),
            None => None,
        };
        let sent = tap.transmitted().expect("the tap can be read");
        assert_eq!(sent.is_some(), goes_to == Some(ifindex), "{text}: {:?}", world.redirect);
        assert!(sent.is_none_or(|sent| sent == frame), "{text}");
        came += usize::from(goes_to.is_some());
        assert_eq!(tap.transmitted().expect("the tap can be read"), None, "one frame each");
    }
    println!("{} programs redirect frames or do not, {came} of these came out of the tap", programs.len());
    assert!(came >= 8, "{came}");
}

/// What can be put into tables of devices, CPUs and sockets, and what programs are told of it.
#[test]
fn places_that_are_not_there() {
    // Nothing is sent: what is wanted of the tap is its network.
    let Some((_, frame)) = tap("places to send to") else { return };
    for kind in ["cpumap", "xskmap"] {
        for (index, flags) in
            [(0, 0), (0, 1), (1, 2), (1, 3), (9, 1), (0, 4), (0, 8), (0, 0x10), (0, 1u64 << 40)]
        {
            let text = format!(
                ".type xdp\n.map places {kind} key=4 value=4 max=2\nr1 = map[places]\nr2 = {index}\nr3 = {flags:#x} ll\n\
                 call redirect_map\nexit"
            );
            let both = Both::new(&text).unwrap_or_else(|why| panic!("{text}\n{why}"));
            let mut table = Table::new(both.loaded.ebpf().maps()[0].clone(), 1);
            if kind == "cpumap" {
                let (key, length) = ([0; 4], 64u32.to_le_bytes());
                let there = both.maps[0].update(Some(&key), &length, 0);
                assert_eq!(there, table.update(&key, &length, 0), "{text}");
            }
            let world = World { tables: vec![table], ..alongside::world(Tested::Xdp, frame.clone()) };
            let there = both.program.run(&frame).expect("a frame is taken");
            assert_eq!(there, both.here(world).0 as u32, "{text}");
        }
    }
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
