//! The programs that people begin with (`objects/`, those with `net.h`): with their tables filled, over every packet of
//! the captures and some made for them, they do what they are for, and the same as in the running kernel.

use bpf64_core::context::skb::{Skb, link_type};
use bpf64_core::environment::{ProgramType, World};
use bpf64_core::interp::Machine;
use bpf64_core::load::{Request, load};
use bpf64_core::maps::MapDef;
use bpf64_core::packet::{layers, mend};
use bpf64_core::program::Program;
use bpf64_tests::kernel::{run_on, skipped};
use bpf64_tests::kernel_ebpf::{self, Kernel};
use bpf64_tests::{alongside, examples};
use std::path::Path;
use std::rc::Rc;

/// Asks whether the kernel can be asked.
const PROBE: &str = env!("CARGO_BIN_EXE_probe-kernel");
/// More than any of them needs.
const LIMIT: u64 = 10_000;

/// An entry of a table: key and value.
type Entry = (&'static [u8], &'static [u8]);

/// A program, and what its tables hold.
struct Example {
    object: &'static str,
    function: &'static str,
    tables: &'static [(&'static str, &'static [Entry])],
    /// What it returns, and for how many of the packets; how many of them it changes.
    returns: &'static [(u64, usize)],
    changes: usize,
}

const PLAIN: Example = Example { object: "", function: "", tables: &[], returns: &[], changes: 0 };

const EXAMPLES: &[Example] = &[
    Example { object: "basics", function: "pass", returns: &[(2, 161)], ..PLAIN },
    Example { object: "basics", function: "drop", returns: &[(1, 161)], ..PLAIN },
    Example { object: "basics", function: "only_ip", returns: &[(1, 33), (2, 128)], ..PLAIN },
    Example { object: "basics", function: "no_dns", returns: &[(1, 4), (2, 157)], ..PLAIN },
    Example {
        object: "blocklist",
        function: "block",
        // 192.0.2.0/24 is dropped, but 192.0.2.1 is let through; and 2001:db8::/32 is dropped.
        tables: &[
            (
                "blocked4",
                &[
                    (
                        &[24, 0, 0, 0, 192, 0, 2, 0],
                        &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
                    ),
                    (
                        &[32, 0, 0, 0, 192, 0, 2, 1],
                        &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0],
                    ),
                ],
            ),
            (
                "blocked6",
                &[(
                    &[32, 0, 0, 0, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                    &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
                )],
            ),
        ],
        returns: &[(1, 73), (2, 88)],
        ..PLAIN
    },
    Example { object: "portcount", function: "count", returns: &[(2, 161)], ..PLAIN },
    Example { object: "synlimit", function: "limit", returns: &[(1, 7), (2, 154)], ..PLAIN },
    Example { object: "unvlan", function: "untag", returns: &[(0, 1), (2, 160)], changes: 19, ..PLAIN },
    Example { object: "pong", function: "pong", returns: &[(2, 153), (3, 8)], changes: 8, ..PLAIN },
    Example {
        object: "forward",
        function: "forward",
        tables: &[(
            "routes",
            &[
                (&[0, 0, 0, 0, 0, 0, 0, 0], &[3, 0, 0, 0, 2, 0, 0, 0, 9, 9, 2, 0, 0, 0, 9, 8]),
                (&[24, 0, 0, 0, 192, 0, 2, 0], &[5, 0, 0, 0, 2, 0, 0, 0, 7, 7, 2, 0, 0, 0, 7, 6]),
            ],
        )],
        returns: &[(1, 95), (2, 66)],
        changes: 95,
    },
    Example { object: "dispatch", function: "dispatch", returns: &[(2, 161)], ..PLAIN },
    Example { object: "dispatch", function: "parse_ip", returns: &[(1, 64), (2, 97)], ..PLAIN },
    Example { object: "dispatch", function: "parse_ip6", returns: &[(1, 130), (2, 31)], ..PLAIN },
    Example {
        object: "tunnel",
        function: "encapsulate",
        tables: &[(
            "hosts",
            &[
                (&[0, 0, 0, 0], &[10, 0, 0, 1, 10, 0, 1, 1, 2, 0, 0, 0, 0, 5, 0, 0]),
                (&[2, 0, 0, 0], &[10, 0, 0, 1, 10, 0, 1, 2, 2, 0, 0, 0, 0, 6, 0, 0]),
                (&[3, 0, 0, 0], &[10, 0, 0, 1, 10, 0, 1, 3, 2, 0, 0, 0, 0, 7, 0, 0]),
            ],
        )],
        returns: &[(2, 75), (3, 86)],
        changes: 86,
    },
    Example { object: "classes", function: "mark", returns: &[(0, 161)], ..PLAIN },
    Example {
        object: "classes",
        function: "classify",
        tables: &[("classes", &[(&[0x86, 0xdd, 0, 0], &[5, 0, 2, 0]), (&[8, 6, 0, 0], &[6, 0, 2, 0])])],
        returns: &[(0, 128), (3, 33)],
        ..PLAIN
    },
    Example {
        object: "portmap",
        function: "map_port",
        tables: &[(
            "targets",
            &[
                (&[0, 22], &[10, 0, 0, 9, 0x08, 0xae, 0, 0]),
                (&[0, 53], &[10, 0, 0, 9, 0x14, 0xe9, 0, 0]),
                (&[0, 80], &[10, 0, 0, 8, 0x1f, 0x90, 0, 0]),
            ],
        )],
        returns: &[(0, 161)],
        changes: 37,
    },
    Example { object: "requests", function: "requests", returns: &[(0, 161)], ..PLAIN },
    Example { object: "pull", function: "count_flags", returns: &[(0, 161)], ..PLAIN },
    Example { object: "sampler", function: "sample", returns: &[(0, 161)], ..PLAIN },
    Example { object: "sampler", function: "tell", returns: &[(2, 161)], ..PLAIN },
    Example { object: "ip6ext", function: "walk", returns: &[(0, 159), (2, 2)], ..PLAIN },
];

impl Example {
    fn name(&self) -> String {
        format!("{}, {}", self.object, self.function)
    }

    fn load(&self) -> (Rc<Program>, ProgramType) {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("objects").join(self.object).with_extension("o");
        let bytes = std::fs::read(path).expect("the object is there");
        let request = Request { function: Some(self.function), ..Request::default() };
        let loaded = load(&bytes, &request).unwrap_or_else(|faults| panic!("{}: {}", self.name(), faults[0]));
        let program = loaded.ebpf();
        let mut maps: Vec<MapDef> = program.maps().iter().map(|map| (**map).clone()).collect();
        for (name, entries) in self.tables {
            let map = maps.iter_mut().find(|map| map.name == *name).expect("the program has the table");
            map.entries.extend(entries.iter().map(|(key, value)| (key.to_vec(), value.to_vec())));
        }
        (Rc::new(program.with_maps(maps).expect("the entries are of their sizes")), loaded.program_type)
    }
}

/// All packets of the captures that a test run takes, and some that the programs tell apart.
fn packets() -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    for (_, capture) in examples::captures() {
        packets.extend(capture.iter().map(|captured| captured.bytes.to_vec()));
    }
    let frame = |rest: &[u8]| [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2], rest].concat();
    let ip6 = |next: u8, rest: &[u8]| {
        let head = [0x86, 0xdd, 0x60, 0, 0, 0, 0, rest.len() as u8, next, 64];
        frame(&[&head[..], &[0x20, 1, 0xd, 0xb8], &[0; 28], rest].concat())
    };
    // Tags, one in the other, up to five.
    for tags in 1..6 {
        let tagged = [[0x81, 0, 0, tags]].repeat(usize::from(tags)).concat();
        packets.push(frame(&[&tagged[..], &[8, 6], &[7; 28]].concat()));
    }
    packets.push(frame(&[0x88, 0xa8, 0, 1, 0x81, 0, 0]));
    // Extension headers: hop by hop, routing, a fragment, authentication; too many; cut off.
    packets.push(ip6(0, &[&[43, 0, 0, 0, 0, 0, 0, 0][..], &[6, 1], &[0; 14], &[0; 20]].concat()));
    packets.push(ip6(44, &[&[51, 0, 0, 0, 0, 0, 0, 0][..], &[17, 4], &[0; 22], &[0; 8]].concat()));
    packets.push(ip6(60, &[60, 0, 0, 0, 0, 0, 0, 0].repeat(9)));
    packets.push(ip6(60, &[6]));
    // The same host begins connections again and again.
    let syn = [
        &[8, 0, 0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0, 198, 51, 100, 7, 192, 0, 2, 9][..],
        &[0x30, 0x39, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0],
    ]
    .concat();
    packets.extend(std::iter::repeat_n(frame(&syn), 5));
    packets.retain(|packet| packet.len() >= 14 && !is_cut_off(packet));
    packets
}

/// Linux gives no packet to a test run whose IP header is cut off.
fn is_cut_off(packet: &[u8]) -> bool {
    let network = packet.len() - 14;
    matches!(packet[12..14], [8, 0]) && network < 20 || matches!(packet[12..14], [0x86, 0xdd]) && network < 40
}

/// What a program returns for each packet, whether it changed it, and the world after all of them.
fn run(program: &Rc<Program>, kind: &ProgramType, packets: &[Vec<u8>]) -> (Vec<(u64, bool)>, World) {
    let mut world = World::default();
    let mut runs = Vec::new();
    for packet in packets {
        let tested = kernel_ebpf::ProgramType::of(kind).expect("it sees packets");
        let tables = world.tables;
        let mut machine = Machine::new(
            Rc::clone(program),
            kind.clone(),
            World { tables, ..alongside::world(tested, packet.clone()) },
        );
        let end = machine.run(LIMIT).end.expect("it ends").expect("it does no harm");
        runs.push((end.0, machine.skb().packet != *packet));
        world = machine.world;
    }
    (runs, world)
}

#[test]
fn they_do_what_they_are_for() {
    let packets = packets();
    println!("{} packets", packets.len());
    for example in EXAMPLES {
        let (program, kind) = example.load();
        let (runs, _) = run(&program, &kind, &packets);
        let mut returns: Vec<(u64, usize)> = Vec::new();
        for &(r0, _) in &runs {
            match returns.iter_mut().find(|(known, _)| *known == r0) {
                Some((_, count)) => *count += 1,
                None => returns.push((r0, 1)),
            }
        }
        returns.sort_unstable();
        let changes = runs.iter().filter(|(_, changed)| *changed).count();
        println!("{}: {returns:?}, {changes} changed", example.name());
        assert_eq!((&returns[..], changes), (example.returns, example.changes), "{}", example.name());
    }
}

/// Whoever reads a packet that a program has made finds its lengths and checksums as right as they were before.
#[test]
fn what_they_make_is_right() {
    for name in ["pong, pong", "forward, forward", "tunnel, encapsulate", "portmap, map_port"] {
        let example = EXAMPLES.iter().find(|example| example.name() == name).expect("it is one of them");
        let (program, kind) = example.load();
        let (mut made, mut right) = (0, 0);
        for packet in packets() {
            let (before, after) = (faults(&packet), run(&program, &kind, std::slice::from_ref(&packet)));
            let (_, world) = after;
            if world.skb.packet == packet {
                continue;
            }
            made += 1;
            right += usize::from(before == 0);
            let after = faults(&world.skb.packet);
            assert!(after <= before, "{name}: {packet:02x?}\n{:02x?}", world.skb.packet);
        }
        println!("{name}: {made} packets made, of {right} that were right");
        assert!(right > 0, "{name}");
    }
}

/// How many lengths and checksums of a packet are wrong.
fn faults(packet: &[u8]) -> usize {
    let skb = Skb::ethernet(packet.to_vec());
    mend::faults(packet, &layers::layers(&skb, link_type::ETHERNET), packet.len()).len()
}

#[test]
fn linux_does_the_same() {
    let ready = Kernel::open(PROBE).and_then(|kernel| {
        run_on(0).map_err(|error| error.to_string())?;
        Ok(kernel)
    });
    let kernel = match ready {
        Ok(kernel) => kernel,
        Err(why) => return skipped("the running kernel", &why),
    };
    let packets = packets();
    // Nobody listens to the events of `tell` there.
    let asked = || EXAMPLES.iter().filter(|example| example.function != "tell");
    for example in asked() {
        let (program, kind) = example.load();
        // When a bucket was filled last is the kernel's time.
        alongside::compare_but(&kernel, &program, &kind, &packets, &["buckets"])
            .unwrap_or_else(|why| panic!("{}: {why}", example.name()));
    }
    println!("{} programs over {} packets, as in Linux", asked().count(), packets.len());
}
