//! Classic programs in the running kernel on packets that came through a device: what surrounds a packet, and the
//! windows before it. (tests/classic_linux.rs has the rest, on sockets without one.)
#![cfg(target_os = "linux")]

use bpf64_core::classic::{self, Ancillary, Insn, PacketOffset, Program, Returned};
use bpf64_core::context::skb::{LINK_WINDOW, NETWORK_WINDOW, Skb};
use bpf64_core::environment::World;
use bpf64_core::isa::Size;
use bpf64_core::load::{Form, Request, load};
use bpf64_tests::engine::{Converted, Engine, Optimised, Outcome, Reference, agree};
use bpf64_tests::examples;
use bpf64_tests::input::{self, Input};
use bpf64_tests::kernel::tap::{self, Tap};
use bpf64_tests::kernel::udp::{self, Udp};
use bpf64_tests::kernel::{Kernel, Wire, probe, run_on, skipped, wire};
use bpf64_tests::property::{as_usual, check};
use std::collections::BTreeSet;
use std::rc::Rc;

/// Asks whether the kernel can be asked.
const PROBE: &str = env!("CARGO_BIN_EXE_probe-kernel");

fn open_tap() -> Option<Tap> {
    match probe(PROBE).and_then(|()| Tap::open()) {
        Ok(tap) => Some(tap),
        Err(why) => {
            skipped("frames through a tap", &format!("it needs root: {why}"));
            None
        }
    }
}

fn program(text: &str) -> Rc<Program> {
    match load(text.as_bytes(), &Request::default()).map(|loaded| loaded.form) {
        Ok(Form::Classic(program, _)) => Rc::new(program),
        other => panic!("{text}: {other:?}"),
    }
}

fn ours(program: &Rc<Program>, world: World) -> Result<u32, String> {
    let engines: [&dyn Engine<Program>; 3] = [&Reference, &Converted, &Optimised];
    match agree(&engines, program, &Input::from(world))? {
        Outcome::Value(value) => Ok(value as u32),
        other => Err(other.to_string()),
    }
}

/// What Linux returns, all 32 bits, if it is what our engines do.
fn both(wire: &impl Wire, packet: &[u8], world: World, program: &Rc<Program>) -> Result<u32, String> {
    let wanted = ours(program, world)?;
    let found = wire::value(wire, &program.raw(), packet, wanted).map_err(|error| error.to_string())?;
    if found == wanted {
        return Ok(found);
    }
    let listing: Vec<String> = program.insns().iter().map(ToString::to_string).collect();
    Err(format!("{}\npacket {packet:02x?}\nours {wanted:#x}, Linux {found:#x}", listing.join("\n")))
}

/// An IPv4 packet of TCP with 12 bytes of options behind its header, and 20 bytes of data.
fn tcp() -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 72, 0, 0, 0, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
    packet.extend([0x30, 0x39, 0, 22, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x10, 0xff, 0xff, 0, 0, 0, 0]);
    packet.extend(1..=32);
    packet
}

fn frame(to: [u8; 6], tags: &[u8], ether_type: [u8; 2], rest: &[u8]) -> Vec<u8> {
    [&to, &[2, 0, 0, 0, 0, 2], tags, &ether_type, rest].concat()
}

/// Each of the 16 loads, asked of Linux where it has something to say.
#[test]
fn every_ancillary_load() {
    let Some(tap) = open_tap() else { return };
    let mut asked = BTreeSet::new();
    let mut same = |text: &str, found: Result<u32, String>, wanted: u32| {
        assert_eq!(found, Ok(wanted), "{text}");
        for insn in program(text).insns() {
            if let Insn::LoadAncillary { what, .. } = insn {
                asked.insert(what.offset());
            }
        }
    };

    let to_us = frame(tap::ADDRESS, &[], [8, 0], &tcp());
    let through_tap = |frame: &[u8], text: &str| {
        let world = World::new(tap.sees(frame).expect("the tap takes it"));
        both(&tap, frame, world, &program(text))
    };
    let ifindex = tap.sees(&to_us).and_then(|skb| skb.device).expect("a tap is a device").ifindex;
    for (load, wanted) in
        [("proto", 0x800), ("type", 0), ("ifidx", ifindex), ("hatype", 1), ("queue", 1), ("poff", 66)]
    {
        let text = format!("ld {load}\nret a");
        same(&text, through_tap(&to_us, &text), wanted);
    }
    for (to, wanted) in [([0xff; 6], 1), ([1, 0, 0x5e, 0, 0, 1], 2), ([2, 0, 0, 0, 0, 9], 3)] {
        same("ld type\nret a", through_tap(&frame(to, &[], [8, 6], &[0; 46]), "ld type\nret a"), wanted);
    }
    for (tags, [tci, there, tpid, proto]) in [
        (&[][..], [0, 0, 0, 0x800]),
        (&[0x81, 0, 0xe0, 42], [0xe02a, 1, 0x8100, 0x800]),
        (&[0x88, 0xa8, 0x1f, 0xff], [0x1fff, 1, 0x88a8, 0x800]),
        // A priority without a VLAN is a tag, too; of two, the outer one is taken out.
        (&[0x81, 0, 0, 0], [0, 1, 0x8100, 0x800]),
        (&[0x88, 0xa8, 0, 7, 0x81, 0, 0, 8], [7, 1, 0x88a8, 0x8100]),
    ] {
        let frame = frame(tap::ADDRESS, tags, [8, 0], &tcp());
        for (load, wanted) in
            [("vlan_tci", tci), ("vlan_avail", there), ("vlan_tpid", tpid), ("proto", proto)]
        {
            let text = format!("ld {load}\nret a");
            same(&text, through_tap(&frame, &text), wanted);
        }
    }

    let unix = Kernel::open_unasked().expect("a filter was attached before");
    // 8 bytes of type 1, then 12 of type 2 that hold one of type 5.
    let attributes = [8, 0, 1, 0, 9, 9, 9, 9, 12, 0, 2, 0, 8, 0, 5, 0, 7, 7, 7, 7];
    for (text, wanted) in [
        ("ldx #2\nld #0\nld nla\nret a", 8),
        ("ldx #3\nld #0\nld nla\nret a", 0),
        ("ldx #5\nld #8\nld nlan\nret a", 12),
        ("ldx #0xff00ff00\nld #0x0ff00ff0\nld xor_x\nret a", 0xf0f0_f0f0),
    ] {
        same(text, both(&unix, &attributes, input::bare(attributes.to_vec()), &program(text)), wanted);
    }
    for cpu in 0..std::thread::available_parallelism().map_or(1, usize::from) as u32 {
        if let Err(error) = run_on(cpu) {
            skipped(&format!("CPU {cpu}"), &error.to_string());
            continue;
        }
        let text = "ld cpu\nor #0xffffff00\nret a";
        let world = World { cpu, ..input::bare(vec![7]) };
        same(text, both(&unix, &[7], world, &program(text)), 0xffff_ff00 | cpu);
    }
    let text = "ld rand\nand #1\nret a";
    unix.attach(&program(text).raw()).expect("it is a program");
    let ones = (0..128).filter(|_| unix.deliver(&[7, 7]).expect("the sockets work").is_some()).count();
    same(text, if (1..128).contains(&ones) { Ok(0) } else { Err(format!("{ones} of 128")) }, 0);

    let udp = Udp::open().expect("there is a loopback interface");
    udp.mark(0x8000_0007).expect("root may mark packets");
    let loopback = |text: &str, hash: u32| {
        let skb = Skb { mark: 0x8000_0007, hash, ..Skb::ethernet(vec![0; 50]) };
        both(&udp, &[0; 8], World::new(skb), &program(text))
    };
    same("ld mark\nret a", loopback("ld mark\nret a", 0), 0x8000_0007);
    // The hash is the sender's, chosen at random: it is not 0, and stays.
    let hash = wire::value(&udp, &program("ld rxhash\nret a").raw(), &[0; 8], 0).expect("it is attached");
    assert_ne!(hash, 0);
    same("ld rxhash\nret a", loopback("ld rxhash\nret a", hash), hash);
    assert_eq!(asked.len(), Ancillary::TABLE.len());
}

/// Every place at and around the ends of the windows, by constant and by X.
#[test]
fn windows_of_a_frame() {
    let Some(tap) = open_tap() else { return };
    let frame = frame(tap::ADDRESS, &[0x81, 0, 0, 42], [8, 0], &tcp());
    let skb = tap.sees(&frame).expect("the tap takes it");
    let end = skb.packet.len() as i32;
    let mut loads = 0;
    for (window, start) in [(0, 0), (NETWORK_WINDOW, 14), (LINK_WINDOW, 0)] {
        for size in [Size::B, Size::H, Size::W] {
            for offset in
                [-2, -1, 0, 1, 12, 13, end - start - 4, end - start - 3, end - start - 2, end - start]
            {
                let k = (window + offset) as u32;
                let direct = match Ancillary::at(k) {
                    None if k < classic::ANCILLARY => Some(vec![PacketOffset::Abs(k)]),
                    _ => None,
                };
                let by_x = [
                    Insn::LoadX(classic::Value::Imm(k.wrapping_sub(3))),
                    Insn::LoadPacket { size, from: PacketOffset::Ind(3) },
                ];
                let ways = direct.iter().flatten().map(|&from| vec![Insn::LoadPacket { size, from }]);
                for way in ways.chain([by_x.to_vec()]) {
                    let insns = [way, vec![Insn::Return(Returned::A)]].concat();
                    let program = Rc::new(Program::new(insns).expect("it is one"));
                    both(&tap, &frame, World::new(skb.clone()), &program)
                        .unwrap_or_else(|why| panic!("{why}"));
                    loads += 1;
                }
            }
        }
    }
    println!("{loads} loads the same");
}

/// A UDP socket's filter sees the UDP header first; what lies before it is there in the windows only.
#[test]
fn windows_of_a_datagram() {
    let udp = match probe(PROBE).and_then(|()| Udp::open().map_err(|error| error.to_string())) {
        Ok(udp) => udp,
        Err(why) => return skipped("datagrams over loopback", &why),
    };
    let [from, to] = udp.ports().expect("the sockets are there").map(u32::from);
    let payload = [1, 2, 3, 4, 5];
    let length = (udp::HEADER + payload.len()) as u32;
    // At NET_OFF is the IPv4 header; at LL_OFF are 14 bytes of Ethernet, whose addresses are 0.
    let (net, link) = (NETWORK_WINDOW, LINK_WINDOW);
    let cases = [
        ("ld #len\nret a".to_owned(), length),
        ("ld [0]\nret a".to_owned(), from << 16 | to),
        ("ldh [4]\nret a".to_owned(), length),
        ("ld [8]\nret a".to_owned(), 0x0102_0304),
        ("ld [9]\nret a".to_owned(), 0x0203_0405),
        ("ld [10]\nret a".to_owned(), 0),
        (format!("ldb [{net}]\nret a"), 0x45),
        (format!("ldh [{}]\nret a", net + 2), 20 + length),
        (format!("ldb [{}]\nret a", net + 9), 17),
        (format!("ld [{}]\nret a", net + 12), 0x7f00_0001),
        (format!("ld [{}]\nret a", net + 20), from << 16 | to),
        (format!("ldb [{}]\nret a", net + 32), 5),
        (format!("ldb [{}]\nret a", net + 33), 0),
        (format!("ldh [{}]\nret a", net - 1), 0),
        (format!("ldh [{}]\nret a", link + 12), 0x0800),
        (format!("ld [{}]\nret a", link + 34), from << 16 | to),
        (format!("ldb [{}]\nret a", link + 46), 5),
        (format!("ldh [{}]\nret a", link + 46), 0),
        (format!("ldb [{}]\nret #9", link - 1), 0),
        (format!("ldx 4*([{net}]&0xf)\nldb [x + {}]\nret a", net + 9), 2),
        (format!("ldx 4*([{net}]&0xf)\nldh [x + {}]\nret a", net + 2), to),
        ("ld poff\nret a".to_owned(), 8),
        ("ld proto\nret a".to_owned(), 0x800),
        ("ld type\nret a".to_owned(), 0),
        ("ld ifidx\nret a".to_owned(), 1),
        ("ld hatype\nret a".to_owned(), 772),
        // The UDP header cannot be cut off: these keep it, and leave payloads of 0, 0, 1 and 5 bytes.
        ("ret #1".to_owned(), 1),
        ("ret #8".to_owned(), 8),
        ("ret #9".to_owned(), 9),
        ("ret #13".to_owned(), 13),
    ];
    for (text, wanted) in &cases {
        let raw = program(text).raw();
        let found = wire::value(&udp, &raw, &payload, *wanted);
        assert_eq!(found.map_err(|error| error.to_string()), Ok(*wanted), "{text}");
        udp.attach(&raw).expect("it was attached before");
        let arrived = udp.deliver(&payload).expect("the sockets are there");
        assert_eq!(arrived, wire::length(&udp, &payload, *wanted), "{text}");
    }
    println!("{} filters on datagrams", cases.len());
}

#[test]
fn random_programs_on_frames() {
    let Some(tap) = open_tap() else { return };
    let cpu = 0;
    let pinned = run_on(cpu).is_ok();
    let real: Vec<Vec<u8>> = examples::captures()
        .iter()
        .flat_map(|(_, capture)| capture.iter().map(|packet| packet.bytes.to_vec()).collect::<Vec<_>>())
        .collect();
    let (mut results, mut nonzero, mut tagged) = (0, 0, 0);
    check("Linux, random programs on frames", 3_000, |make| {
        let program = Rc::new(make.classic_program(30));
        let loads = |wanted| {
            program
                .insns()
                .iter()
                .any(|insn| matches!(insn, Insn::LoadAncillary { what, .. } if *what == wanted))
        };
        if loads(Ancillary::Random) || loads(Ancillary::Cpu) && !pinned {
            return Ok(());
        }
        for _ in 0..2 {
            let frame =
                make.frame(&real, &[tap::ADDRESS, [0xff; 6], [1, 0, 0x5e, 0, 0, 1], [2, 0, 0, 0, 0, 9]]);
            let Some(skb) = tap.sees(&frame) else { continue };
            tagged += usize::from(skb.vlan.is_some());
            let value = both(&tap, &frame, World { cpu, ..World::new(skb) }, &program)?;
            results += 1;
            nonzero += usize::from(value != 0);
        }
        Ok(())
    });
    println!("{results} results the same, {nonzero} of them not 0, {tagged} of tagged frames");
    if as_usual() {
        assert!(nonzero > 2_000 && tagged > 500, "a weaker test");
    }
}
