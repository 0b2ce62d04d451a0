//! Programs that go on in others: here on every engine and in the running kernel, with the same tables.
#![cfg(target_os = "linux")]

use bpf64_core::environment::{self, SCHED_CLS, World};
use bpf64_core::interp;
use bpf64_core::load::{Form, Request, load};
use bpf64_core::maps::{Holds, Table};
use bpf64_core::program::{self, Program};
use bpf64_core::running::{self, Runner};
use bpf64_core::verifier::{Verified, verify};
use bpf64_jit::runtime::{self, Compiled};
use bpf64_jit::{Options, compile};
use bpf64_tests::kernel::{probe, run_on, skipped};
use bpf64_tests::kernel_ebpf::ProgramType;
use bpf64_tests::kernel_maps::{Loaded, Map};
use bpf64_tests::{alongside, examples};
use std::rc::Rc;

/// Asks whether the kernel can be asked.
const PROBE: &str = env!("CARGO_BIN_EXE_probe-kernel");
/// More than any chain of programs here needs.
const LIMIT: u64 = 100_000;

/// Tables of all programs: who comes next, and how often each was there.
const TABLES: &str = "
    .type sched_cls
    .map jumps prog_array key=4 value=4 max=4
    .map seen array key=4 value=8 max=4\n";

/// Counts that the program was there.
fn counting(number: u32) -> String {
    format!(
        "*(u32 *)(r10 - 4) = {number}
         r1 = map[seen]
         r2 = r10
         r2 += -4
         call map_lookup_elem
         if r0 == 0 goto +3
         r1 = *(u64 *)(r0 + 0)
         r1 += 1
         *(u64 *)(r0 + 0) = r1\n"
    )
}

/// Goes on at the index that byte `at` of the packet says.
fn jumping(at: u32) -> String {
    format!(
        "r1 = r6
         r2 = {at}
         r3 = r10
         r3 += -8
         *(u64 *)(r10 - 8) = 0
         r4 = 1
         call skb_load_bytes
         r1 = r6
         r2 = map[jumps]
         r3 = *(u8 *)(r10 - 8)
         call tail_call\n"
    )
}

/// The program that begins, and those that others go on to, by their places in the table.
fn programs() -> Vec<Rc<Program>> {
    let first = format!("r6 = r1\n{}{}r0 = 100\nexit", counting(0), jumping(14));
    // From a function: the other program returns for it.
    let inside = format!(
        "r6 = r1\n{}r1 = r6\ncall go\nr0 += 1000\nexit\ngo: r6 = r1\n{}r0 = 5\nexit",
        counting(1),
        jumping(15)
    );
    let last = format!("{}r0 = 42\nexit", counting(2));
    let texts = [first, inside, last];
    let parse = |text: &String| {
        let text = format!("{TABLES}{text}");
        let loaded = load(text.as_bytes(), &Request::default())
            .unwrap_or_else(|faults| panic!("{text}\n{}", faults[0]));
        Rc::new(loaded.ebpf())
    };
    texts.iter().map(parse).collect()
}

/// Frames whose last bytes say where to go: to each, to itself until that is too often, to none, nowhere.
fn frames() -> Vec<Vec<u8>> {
    let ways: [[u8; 2]; 10] =
        [[0, 0], [1, 0], [1, 1], [1, 2], [2, 0], [3, 0], [9, 0], [255, 0], [1, 3], [1, 200]];
    ways.iter().map(|way| [&[2; 12][..], &[0x88, 0xb5], way].concat()).collect()
}

/// What the tables hold before the first run: every program under its number, nothing under 3.
fn tables(program: &Program) -> Vec<Table> {
    let mut tables: Vec<Table> = program.maps().iter().map(|def| Table::new(Rc::clone(def), 1)).collect();
    for number in 0..3u32 {
        let bytes = number.to_le_bytes();
        tables[0].update(&bytes, &bytes, 0).expect("there is room");
    }
    tables
}

/// A program and those that it goes on to.
struct Chain {
    environment: environment::ProgramType,
    first: Rc<Program>,
    others: Vec<Rc<Program>>,
}

impl Chain {
    /// The first is among those that others go on to.
    fn own() -> Self {
        let others = programs();
        Chain { environment: (&SCHED_CLS).into(), first: Rc::clone(&others[0]), others }
    }

    fn proof(&self, program: &Program) -> Verified {
        verify(program, &self.environment, 0).unwrap_or_else(|rejection| panic!("{rejection}"))
    }
}

type Run = fn(&Chain, World) -> (u64, World);

fn stepping(chain: &Chain, world: World) -> (u64, World) {
    let mut machine = interp::Machine::new(Rc::clone(&chain.first), chain.environment.clone(), world);
    let (r0, _) = machine.run(LIMIT).end.expect("it ends").expect("it does no harm");
    (r0, machine.world)
}

fn running(chain: &Chain, world: World) -> (u64, World) {
    let code =
        |program: &Rc<Program>| Rc::new(running::Code::new(&chain.proof(program), chain.environment.clone()));
    let others = chain.others.iter().map(|program| Some(code(program))).collect();
    let mut runner = Runner::new(code(&chain.first), world).with_programs(others);
    let (r0, _) = runner.run(LIMIT, &mut ()).end.expect("it ends").expect("it does no harm");
    (r0, runner.into_machine().world)
}

fn jit(chain: &Chain, world: World) -> (u64, World) {
    let compiled = |program: &Rc<Program>| {
        let code = compile(&chain.proof(program), &chain.environment, &Options::host());
        Compiled::new(code.expect("all it calls is there")).map(Rc::new)
    };
    let others: Result<Vec<_>, _> = chain.others.iter().map(compiled).collect();
    let (Ok(first), Ok(others)) = (compiled(&chain.first), others) else {
        println!("skipped: the JIT: this is another kind of machine");
        return stepping(chain, world);
    };
    let (maps, environment) = (chain.first.maps(), chain.environment.clone());
    let mut machine = runtime::Machine::new(first, others, maps, environment, world);
    let (r0, _) = machine.run(LIMIT).end.expect("it ends").expect("it does no harm");
    (r0, machine.into_world())
}

const ENGINES: [(&str, Run); 3] = [("stepping", stepping), ("running", running), ("jit", jit)];

/// r0 and what was counted, for each frame in turn.
fn ours(run: Run) -> Vec<(u64, Vec<u8>)> {
    let chain = Chain::own();
    let mut tables = tables(&chain.first);
    let mut found = Vec::new();
    for frame in frames() {
        let world = alongside::world(ProgramType::SchedCls, frame);
        let (r0, world) = run(&chain, World { tables, programs: chain.others.clone(), ..world });
        tables = world.tables;
        found.push((r0, tables[1].entries().flat_map(|(_, value)| value).collect()));
    }
    found
}

#[test]
fn other_programs_take_over() {
    let expected = ours(stepping);
    let r0: Vec<u64> = expected.iter().map(|(r0, _)| *r0).collect();
    // Programs take over 33 times, and then no more: the first from itself; it and the second from each other, whose
    // functions are returned to one in the other; the second from itself.
    assert_eq!(r0, [100, 17005, 33005, 1042, 42, 100, 100, 100, 1005, 1005]);
    for (name, run) in ENGINES {
        assert_eq!(ours(run), expected, "{name}");
    }
}

#[test]
fn as_in_linux() {
    if let Err(why) = probe(PROBE).and_then(|()| run_on(0).map_err(|error| error.to_string())) {
        return skipped("the running kernel", &why);
    }
    let programs = programs();
    let maps: Result<Vec<Map>, _> = programs[0].maps().iter().map(|def| Map::create(def, None)).collect();
    let maps = match maps {
        Ok(maps) => maps,
        Err(errno) => {
            return skipped("the running kernel", &format!("needs CAP_BPF or root: a table: {errno}"));
        }
    };
    let given: Vec<&Map> = maps.iter().collect();
    let loaded: Vec<Loaded> = programs
        .iter()
        .map(|program| Loaded::new(SCHED_CLS.number, program, &given).expect("Linux takes it"))
        .collect();
    for (number, program) in (0u32..).zip(&loaded) {
        maps[0]
            .update(Some(&number.to_le_bytes()), &program.number().to_le_bytes(), 0)
            .expect("there is room");
    }
    for (frame, (r0, seen)) in frames().into_iter().zip(ours(stepping)) {
        let there = loaded[0].run(&frame).expect("a frame is taken");
        let counted: Vec<u8> = (0..4u32)
            .flat_map(|key| maps[1].lookup(Some(&key.to_le_bytes()), None).expect("an array has it"))
            .collect();
        assert_eq!((u64::from(there), counted), (r0, seen), "{frame:02x?}");
    }
}

/// An object file whose programs go on in each other, as the file says or as somebody asks; and how many of the frames
/// get to a result of the program that begins, or of one of the others.
struct Object {
    bytes: &'static [u8],
    begins: &'static str,
    /// The table, the index and the program.
    asked: &'static [(&'static str, u32, &'static str)],
}

const OBJECTS: [Object; 3] = [
    Object {
        bytes: include_bytes!("../objects/dispatch.o"),
        begins: "dispatch",
        asked: &[("parsers", 0, "parse_ip"), ("parsers", 1, "parse_ip6")],
    },
    Object { bytes: include_bytes!("../objects/steps.o"), begins: "first", asked: &[] },
    // What the file does not fill, and what it fills otherwise.
    Object {
        bytes: include_bytes!("../objects/steps.o"),
        begins: "untagged",
        asked: &[("steps", 1, "first"), ("steps", 2, "last"), ("steps", 0, "counted")],
    },
];

/// What runs over real frames gave: r0, and all that tables hold which hold no programs.
type Outcome = (u64, Vec<Vec<(Vec<u8>, Vec<u8>)>>);

impl Object {
    /// The programs and the tables that a run begins with.
    fn load(&self) -> (Chain, Vec<Table>) {
        let names: Vec<&str> = self.asked.iter().map(|(_, _, name)| *name).collect();
        let request = Request { function: Some(self.begins), others: &names, ..Request::default() };
        let loaded = load(self.bytes, &request).unwrap_or_else(|faults| panic!("{}", faults[0]));
        let Form::Ebpf(first) = loaded.form else { panic!("objects hold eBPF") };
        let mut tables: Vec<Table> =
            first.maps().iter().map(|def| Table::new(Rc::clone(def), alongside::cpus())).collect();
        for ((table, index, name), number) in self.asked.iter().zip(&loaded.asked) {
            assert_eq!(program::names(&loaded.others)[*number as usize], *name);
            let at = tables.iter().position(|known| known.def().name == *table).expect("it is declared");
            tables[at].update(&index.to_le_bytes(), &number.to_le_bytes(), 0).expect("there is room");
        }
        let environment = loaded.program_type;
        (Chain { environment, first: Rc::new(first), others: loaded.others }, tables)
    }

    fn frames() -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        for name in ["arp.pcap", "dns.pcap", "vlan.pcap", "ipv6.pcap", "ssh.pcap"] {
            let capture = examples::capture(name).expect("it is one of the examples");
            frames.extend(capture.iter().map(|packet| packet.bytes.to_vec()));
        }
        frames
    }

    fn run(&self, run: Run) -> Vec<Outcome> {
        let (chain, mut tables) = self.load();
        let kind = ProgramType::of(&chain.environment).expect("there are test runs of it");
        let mut found = Vec::new();
        for frame in Self::frames() {
            let programs = chain.others.clone();
            let world = World { tables, programs, cpus: alongside::cpus(), ..alongside::world(kind, frame) };
            let (r0, world) = run(&chain, world);
            tables = world.tables;
            let sorted = |table: &Table| {
                let mut entries: Vec<_> = table.entries().collect();
                entries.sort();
                entries
            };
            let values = tables.iter().filter(|table| table.def().kind.holds() == Holds::Values);
            found.push((r0, values.map(sorted).collect()));
        }
        found
    }
}

#[test]
fn programs_of_objects_go_on_in_each_other() {
    for object in &OBJECTS {
        let expected = object.run(stepping);
        for (name, run) in ENGINES {
            assert_eq!(object.run(run), expected, "{}, {name}", object.begins);
        }
        let (chain, _) = object.load();
        let alone = object_alone(&chain);
        let others = expected.iter().zip(&alone).filter(|(with, alone)| with.0 != **alone).count();
        println!(
            "{}: of {} frames {others} end otherwise than without the others",
            object.begins,
            alone.len()
        );
        if object.begins != "dispatch" {
            assert!(others > 50, "the others are gone on to");
        }
    }
    // Where its parsers count, all that is IP goes on.
    let dispatched = OBJECTS[0].run(stepping);
    let seen: Vec<u8> =
        dispatched.last().expect("there are frames").1[0].iter().map(|row| row.1[0]).collect();
    assert!(seen[0] > 20 && seen[1] > 20 && seen[2] == 0 && seen[3] > 5, "{seen:?}");
}

/// r0 where no program is there to go on to.
fn object_alone(chain: &Chain) -> Vec<u64> {
    let kind = ProgramType::of(&chain.environment).expect("there are test runs of it");
    Object::frames().into_iter().map(|frame| stepping(chain, alongside::world(kind, frame)).0).collect()
}

#[test]
fn objects_as_in_linux() {
    if let Err(why) = probe(PROBE).and_then(|()| run_on(0).map_err(|error| error.to_string())) {
        return skipped("the running kernel", &why);
    }
    let mut compared = 0;
    for object in &OBJECTS {
        let (chain, tables) = object.load();
        let maps: Result<Vec<Map>, _> = chain.first.maps().iter().map(|def| Map::create(def, None)).collect();
        let Ok(maps) = maps else {
            return skipped("the running kernel", "needs CAP_BPF or root: a table");
        };
        let given: Vec<&Map> = maps.iter().collect();
        let number = chain.environment.number;
        let load = |program: &Rc<Program>| Loaded::new(number, program, &given).expect("Linux takes it");
        let (first, others) = (load(&chain.first), chain.others.iter().map(load).collect::<Vec<_>>());
        for (table, map) in tables.iter().zip(&maps) {
            if table.def().kind.holds() == Holds::Programs {
                for (key, value) in table.entries() {
                    let other = &others[value[0] as usize];
                    map.update(Some(&key), &other.number().to_le_bytes(), 0).expect("there is room");
                }
            }
        }
        for (frame, (r0, held)) in Object::frames().iter().zip(object.run(stepping)) {
            assert_eq!(
                u64::from(first.run(frame).expect("a frame is taken")),
                r0,
                "{}: {frame:02x?}",
                object.begins
            );
            let values =
                tables.iter().zip(&maps).filter(|(table, _)| table.def().kind.holds() == Holds::Values);
            for ((table, map), held) in values.zip(held) {
                for (key, value) in &held {
                    let there = map.lookup(Some(key), None).expect("it is there, too");
                    assert_eq!(there, *value, "{}, `{}`: {key:02x?}", object.begins, table.def().name);
                }
            }
            compared += 1;
        }
    }
    println!("{compared} runs of programs of objects that go on in others give the same in Linux");
}
