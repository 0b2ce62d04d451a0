//! Programs that go on in others: here on every engine and in the running kernel, with the same tables.
#![cfg(target_os = "linux")]

use bpf64_core::environment::{SCHED_CLS, World};
use bpf64_core::interp;
use bpf64_core::load::{Request, load};
use bpf64_core::maps::Table;
use bpf64_core::program::Program;
use bpf64_core::running::{self, Runner};
use bpf64_core::verifier::verify;
use bpf64_jit::runtime::{self, Compiled};
use bpf64_jit::{Options, compile};
use bpf64_tests::alongside;
use bpf64_tests::kernel::{probe, run_on, skipped};
use bpf64_tests::kernel_ebpf::ProgramType;
use bpf64_tests::kernel_maps::{Loaded, Map};
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

type Run = fn(&[Rc<Program>], World) -> (u64, World);

fn stepping(programs: &[Rc<Program>], world: World) -> (u64, World) {
    let mut machine = interp::Machine::new(Rc::clone(&programs[0]), &SCHED_CLS, world);
    let (r0, _) = machine.run(LIMIT).end.expect("it ends").expect("it does no harm");
    (r0, machine.world)
}

fn running(programs: &[Rc<Program>], world: World) -> (u64, World) {
    let verified = verify(&programs[0], &SCHED_CLS, 0).unwrap_or_else(|rejection| panic!("{rejection}"));
    let mut runner = Runner::new(Rc::new(running::Code::new(&verified, &SCHED_CLS)), world);
    let (r0, _) = runner.run(LIMIT, &mut ()).end.expect("it ends").expect("it does no harm");
    (r0, runner.into_machine().world)
}

fn jit(programs: &[Rc<Program>], world: World) -> (u64, World) {
    let compiled = |program: &Rc<Program>| {
        let verified = verify(program, &SCHED_CLS, 0).unwrap_or_else(|rejection| panic!("{rejection}"));
        let code = compile(&verified, &SCHED_CLS, &Options::host()).expect("all it calls is there");
        Compiled::new(code).map(Rc::new)
    };
    // The first one is among those that others go on to.
    let others: Result<Vec<_>, _> = programs.iter().map(compiled).collect();
    let Ok(others) = others else {
        println!("skipped: the JIT: this is another kind of machine");
        return stepping(programs, world);
    };
    let first = Rc::clone(&others[0]);
    let mut machine = runtime::Machine::new(first, others, programs[0].maps(), &SCHED_CLS, world);
    let (r0, _) = machine.run(LIMIT).end.expect("it ends").expect("it does no harm");
    (r0, machine.into_world())
}

const ENGINES: [(&str, Run); 3] = [("stepping", stepping), ("running", running), ("jit", jit)];

/// r0 and what was counted, for each frame in turn.
fn ours(run: Run) -> Vec<(u64, Vec<u8>)> {
    let programs = programs();
    let mut tables = tables(&programs[0]);
    let mut found = Vec::new();
    for frame in frames() {
        let world = alongside::world(ProgramType::SchedCls, frame);
        let (r0, world) = run(&programs, World { tables, programs: programs.clone(), ..world });
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
