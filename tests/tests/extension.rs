//! The extension test: a context, three functions and a kind of table that nobody else knows, defined here, go through the
//! verifier and every engine. None of these was changed for them: all that they know of the world is in what is handed
//! to them.

use bpf64_core::context::{Access, Description, Field, FieldKind};
use bpf64_core::debugger::{End, Session};
use bpf64_core::environment::{self, Environment, ProgramType, Verdict, World};
use bpf64_core::errno::Errno;
use bpf64_core::helpers::maps::MAPS;
use bpf64_core::helpers::prototype::{Callback, Given};
use bpf64_core::helpers::{Arg, Function, Functions, Implementation, Next, Prototype, Ret, Turn};
use bpf64_core::interp;
use bpf64_core::isa::Reg;
use bpf64_core::load::{Request, load};
use bpf64_core::machine::TrapKind;
use bpf64_core::maps::{self, Access as TableAccess, HASH, Kind, LRU_HASH, MapDef, MapFault, QUEUE, Table};
use bpf64_core::program::Program;
use bpf64_core::running::{Code, Runner};
use bpf64_core::verifier::verify;
use std::borrow::Cow;
use std::ops::Range;
use std::rc::Rc;

/// More than any program here needs.
const LIMIT: u64 = 10_000;

// The context: what a sensor measured, and a field in which the program answers.

fn field(name: &'static str, offset: usize, access: Access) -> Field {
    Field { name: name.into(), offset, size: 4, kind: FieldKind::Number, access, doc: "a number".into() }
}

static CALLABLE: Functions = &[MAPS, FUNCTIONS];

fn sensor() -> Environment {
    let fields = vec![
        field("value", 0, Access::Read),
        field("mean", 4, Access::Write),
        field("serial", 8, Access::Hidden),
    ];
    let description = Description { name: "sensor".into(), size: 12, fields: Cow::Owned(fields) };
    Environment {
        functions: CALLABLE,
        verdict: |r0| Verdict::passed(if r0 == 0 { "steady" } else { "moving" }),
        ..environment::record(description)
    }
}

// The functions: one that takes the context and a table of the kind below, which names it; one that calls back; and one
// that itself names the kinds whose tables it takes.

const MEAN: i32 = 0x2_0000;
const COUNTDOWN: i32 = 0x2_0001;
const TOTAL: i32 = 0x2_0002;

static FUNCTIONS: &[Function] = &[
    Function {
        id: MEAN,
        name: "mean",
        doc: "gives the mean of the values in the window r2, r3 added",
        prototype: Prototype::new(&[Arg::Context, Arg::Map, Arg::Anything], Ret::Integer).for_some_tables(),
        call: Implementation::Value(|host, [_, window, more, ..]| {
            let map = host.map(Reg::R2, window)?;
            let values: Vec<u64> = host
                .with_table(map, |table| table.table().entries().map(|(_, value)| number(&value)).collect());
            let mean = values.iter().sum::<u64>() / values.len().max(1) as u64 + more;
            host.set_field("mean", mean);
            Ok(mean)
        }),
    },
    Function {
        id: COUNTDOWN,
        name: "countdown",
        doc: "calls the function r2 with r1, r1 - 1, … 1 and r3; what all of that was together",
        prototype: Prototype::new(&[Arg::Anything, Arg::Callback, Arg::StackOrNull], Ret::Integer)
            .calling_back(Callback {
                with: [Given::Number, Given::Argument(2), Given::Nothing, Given::Nothing, Given::Nothing],
                at_most: Some(0),
                in_place_if_zero: None,
            }),
        call: Implementation::Control(|_, Turn { arguments, state, returned }| {
            let [from, function, context, ..] = arguments;
            let [done, sum, _] = state;
            let sum = sum + returned.unwrap_or(0) as u32;
            let left = from.saturating_sub(done.into());
            if left == 0 || left > 100 {
                return Ok(Next::Return(sum.into()));
            }
            Ok(Next::Callback { function, with: [left, context, 0, 0, 0], state: [done + 1, sum, 0] })
        }),
    },
    Function {
        id: TOTAL,
        name: "total",
        doc: "gives all values of the hash table r1 together",
        prototype: Prototype::new(&[Arg::Map], Ret::Integer).for_tables_of(&[1]),
        call: Implementation::Value(|host, [map, ..]| {
            let map = host.map(Reg::R1, map)?;
            Ok(host.with_table(map, |table| table.table().entries().map(|(_, value)| number(&value)).sum()))
        }),
    },
];

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

// The kind: the last so many values; a key is how many came after.

static WINDOW: &dyn Kind = &Window;

#[derive(Debug)]
struct Window;

impl Window {
    fn stride(table: &Table) -> u32 {
        table.def().value_size.next_multiple_of(8)
    }

    /// The slot of the value that so many came after. Cell 0 counts all that ever came.
    fn slot(table: &Table, age: u32) -> Option<u32> {
        let (came, room) = (table.cell(0), table.def().max_entries);
        (age < came.min(room)).then(|| (came - 1 - age) % room)
    }

    fn age(table: &Table, slot: u32) -> u32 {
        let (came, room) = (table.cell(0), table.def().max_entries);
        (came - 1 + room - slot) % room
    }
}

impl Kind for Window {
    fn name(&self) -> &'static str {
        "window"
    }

    fn number(&self) -> u32 {
        1_000_000
    }

    fn doc(&self) -> &'static str {
        "the last values, by how many came after"
    }

    fn check(&self, def: &MapDef) -> Result<(), MapFault> {
        if def.key_size == 4 && def.value_size > 0 && def.max_entries > 0 {
            Ok(())
        } else {
            Err(MapFault::invalid("a key is how many values came after, in 4 bytes"))
        }
    }

    fn takes(&self, function: i32) -> bool {
        [maps::function::LOOKUP, maps::function::UPDATE, MEAN].contains(&function)
    }

    fn is_choosy(&self) -> bool {
        true
    }

    fn extent(&self, table: &Table, offset: u32) -> Range<u32> {
        let stride = Self::stride(table);
        let start = offset - offset % stride;
        if offset / stride < table.def().max_entries { start..start + table.def().value_size } else { 0..0 }
    }

    fn find(&self, table: &Table, key: &[u8]) -> Option<u32> {
        Self::slot(table, number(key) as u32)
    }

    fn next(&self, table: &Table, slot: Option<u32>) -> Option<u32> {
        Self::slot(table, slot.map_or(0, |slot| Self::age(table, slot) + 1))
    }

    fn key(&self, table: &Table, slot: u32) -> Vec<u8> {
        Self::age(table, slot).to_le_bytes().to_vec()
    }

    fn value(&self, table: &Table, slot: u32, _: u32) -> u32 {
        slot * Self::stride(table)
    }

    fn update(&self, table: &mut TableAccess<'_>, _: &[u8], value: &[u8], _: u64) -> Result<(), Errno> {
        let came = table.cell(0);
        let slot = came % table.def().max_entries;
        table.write(slot * Self::stride(table.table()), value);
        table.set_cell(0, came + 1);
        Ok(())
    }

    fn delete(&self, _: &mut TableAccess<'_>, _: &[u8]) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }
}

fn window() -> MapDef {
    MapDef::new("last", WINDOW, 4, 8, 3)
}

// The engines. A new one is a row.

/// Runs a program that is verified: r0 and the world afterwards, or the trap.
type Run = fn(&Rc<Program>, &ProgramType, World) -> Result<(u64, World), String>;

const ENGINES: [(&str, Run); 4] =
    [("stepping", stepping), ("session", session), ("running", running), ("jit", jit)];

fn ended<T>(end: Option<Result<(u64, T), bpf64_core::machine::Trap>>) -> Result<u64, String> {
    match end {
        Some(Ok((r0, _))) => Ok(r0),
        Some(Err(trap)) => Err(trap.to_string()),
        None => Err("endless".to_owned()),
    }
}

fn stepping(program: &Rc<Program>, kind: &ProgramType, world: World) -> Result<(u64, World), String> {
    let mut machine = interp::Machine::new(Rc::clone(program), kind.clone(), world);
    let r0 = ended(machine.run(LIMIT).end)?;
    Ok((r0, machine.world))
}

/// A recorded run: forward, back to the start, where everything is as it was, and forward again.
fn session(program: &Rc<Program>, kind: &ProgramType, world: World) -> Result<(u64, World), String> {
    let machine = interp::Machine::new(Rc::clone(program), kind.clone(), world);
    let before = machine.world.clone();
    let mut session = Session::new(machine, LIMIT as usize);
    session.seek(usize::MAX);
    session.seek(0);
    assert_eq!(session.machine().world, before, "going back restores tables and contexts of any kind");
    session.seek(usize::MAX);
    match session.end() {
        End::Value(r0, _) => Ok((r0, session.machine().world.clone())),
        other => Err(format!("{other:?}")),
    }
}

fn running(program: &Rc<Program>, kind: &ProgramType, world: World) -> Result<(u64, World), String> {
    let verified = verify(program, kind, 0).map_err(|rejection| rejection.to_string())?;
    let mut runner = Runner::new(Rc::new(Code::new(&verified, kind.clone())), world);
    let r0 = ended(runner.run(LIMIT, &mut ()).end)?;
    Ok((r0, runner.into_machine().world))
}

fn jit(program: &Rc<Program>, kind: &ProgramType, world: World) -> Result<(u64, World), String> {
    use bpf64_jit::runtime::{Compiled, Machine, RunError};
    let verified = verify(program, kind, 0).map_err(|rejection| rejection.to_string())?;
    let code = bpf64_jit::compile(&verified, kind, &bpf64_jit::Options::host())
        .map_err(|error| error.to_string())?;
    let compiled = match Compiled::new(code) {
        Ok(compiled) => Rc::new(compiled),
        Err(RunError::Unsupported) => {
            println!("skipped: the JIT: this is another kind of machine");
            return stepping(program, kind, world);
        }
        Err(RunError::Memory(error)) => return Err(error.to_string()),
    };
    let mut machine = Machine::new(compiled, Vec::new(), program.maps(), kind.clone(), world);
    let r0 = ended(machine.run(LIMIT).end)?;
    Ok((r0, machine.into_world()))
}

fn program(text: &str, maps: Vec<MapDef>) -> Rc<Program> {
    let request = Request { program_type: Some(sensor().into()), ..Request::default() };
    let loaded = load(text.as_bytes(), &request).unwrap_or_else(|faults| panic!("{text}\n{}", faults[0]));
    Rc::new(loaded.ebpf().with_maps(maps).expect("its tables can be made"))
}

/// Runs the program on every engine over these values, its table going on; each must give these results.
fn check(text: &str, runs: &[(u32, u64, u32)]) {
    let kind = ProgramType::from(sensor());
    let program = program(text, vec![window()]);
    if let Err(rejection) = verify(&program, &kind, 2) {
        panic!(
            "{text}
{}",
            rejection.log
        );
    }
    for (name, engine) in ENGINES {
        let mut tables = Vec::new();
        for &(value, r0, mean) in runs {
            let record = [value.to_le_bytes(), [0; 4], 7u32.to_le_bytes()].concat();
            let world = World { tables, ..World::of_record(record) };
            let (found, world) = engine(&program, &kind, world).unwrap_or_else(|why| panic!("{name}: {why}"));
            let answered = number(&world.record[4..8]) as u32;
            assert_eq!((found as i64, answered), (r0 as i64, mean), "{name}, {value}");
            tables = world.tables;
        }
        let last: Vec<u64> = tables[0].entries().map(|(_, value)| number(&value)).collect();
        let expected: Vec<u64> = runs.iter().rev().take(3).map(|&(value, ..)| value.into()).collect();
        assert_eq!(last, expected, "{name}: what the table holds, from outside");
    }
}

#[test]
fn a_context_a_function_and_a_table_of_our_own_run_everywhere() {
    check(
        "r6 = r1
         r7 = *(u32 *)(r6 + 0)
         *(u32 *)(r10 - 4) = 0
         *(u64 *)(r10 - 16) = r7
         r1 = map_fd[0]
         r2 = r10
         r2 += -4
         r3 = r10
         r3 += -16
         r4 = 0
         call map_update_elem
         r1 = r6
         r2 = map_fd[0]
         r3 = 1
         call mean
         *(u32 *)(r10 - 4) = 1
         r1 = map_fd[0]
         r2 = r10
         r2 += -4
         call map_lookup_elem
         if r0 == 0 goto none
         r1 = *(u64 *)(r0 + 0)
         r0 = r7
         r0 -= r1
         exit
         none: r0 = 0
         exit",
        &[(10, 0, 11), (14, 4, 13), (6, -8i64 as u64, 11), (40, 34, 21)],
    );
}

#[test]
fn a_function_of_our_own_calls_back_everywhere() {
    // The sum of i * value for i = 3, 2, 1; the callback writes to the caller's stack, too.
    check(
        "r6 = r1
         r7 = *(u32 *)(r6 + 0)
         *(u32 *)(r10 - 4) = 0
         *(u64 *)(r10 - 16) = r7
         r1 = map_fd[0]
         r2 = r10
         r2 += -4
         r3 = r10
         r3 += -16
         r4 = 0
         call map_update_elem
         r1 = 3
         r2 = code[each]
         r3 = r10
         r3 += -16
         call countdown
         *(u32 *)(r6 + 4) = r0
         r0 = *(u64 *)(r10 - 16)
         exit
         each: r3 = *(u64 *)(r2 + 0)
         r3 += 1
         *(u64 *)(r2 + 0) = r3
         r0 = r1
         r0 &= 1
         exit",
        &[(10, 13, 2), (20, 23, 2)],
    );
}

/// A function names a kind that does not know of it.
#[test]
fn a_function_of_our_own_takes_the_tables_of_the_kinds_that_it_names() {
    let kind = ProgramType::from(sensor());
    let text = "
        r7 = *(u32 *)(r1 + 0)
        *(u32 *)(r10 - 4) = r7
        *(u64 *)(r10 - 16) = r7
        r1 = map_fd[0]
        r2 = r10
        r2 += -4
        r3 = r10
        r3 += -16
        r4 = 0
        call map_update_elem
        r1 = map_fd[0]
        call total
        exit";
    let program = program(text, vec![MapDef::new("seen", HASH, 4, 8, 8)]);
    for (name, engine) in ENGINES {
        let mut tables = Vec::new();
        for (value, total) in [(3u32, 3), (4, 7), (3, 7), (10, 17)] {
            let record = [value.to_le_bytes(), [0; 4], [0; 4]].concat();
            let world = World { tables, ..World::of_record(record) };
            let (found, world) = engine(&program, &kind, world).unwrap_or_else(|why| panic!("{name}: {why}"));
            assert_eq!(found, total, "{name}, {value}");
            tables = world.tables;
        }
    }
}

/// The verifier refuses what the descriptions do not allow, for their reasons.
#[test]
fn what_our_descriptions_do_not_allow_is_refused() {
    let kind = ProgramType::from(sensor());
    let refused = |text: &str, maps: Vec<MapDef>, because: &str| {
        let program = program(text, maps);
        match verify(&program, &kind, 0) {
            Ok(_) => panic!("accepted: {text}"),
            Err(rejection) => {
                let said = rejection.reason.to_string();
                assert!(said.contains(because), "{text}\n{said}");
            }
        }
    };
    refused("r0 = *(u32 *)(r1 + 8)\nexit", vec![window()], "invalid bpf_context access off=8 size=4");
    refused("*(u32 *)(r1 + 0) = 1\nr0 = 0\nexit", vec![window()], "invalid bpf_context access off=0 size=4");
    let mean = "r2 = map_fd[0]\nr3 = 0\ncall mean\nr0 = 0\nexit";
    refused(mean, vec![MapDef::new("q", QUEUE, 0, 8, 3)], "cannot pass map_type 22 into func");
    refused("r2 = 5\nr3 = 0\ncall mean\nr0 = 0\nexit", vec![window()], "R2 type=scalar expected=map_ptr");
    let total = "r1 = map_fd[0]\ncall total\nexit";
    refused(total, vec![window()], "cannot pass map_type 1000000 into func bpf_total#131074");
    refused(total, vec![MapDef::new("h", LRU_HASH, 4, 8, 3)], "cannot pass map_type 9 into func");
    refused("call 131075\nexit", vec![window()], "invalid func unknown#131075");
    let peek = "r1 = map_fd[0]\nr2 = r10\nr2 += -8\ncall map_peek_elem\nr0 = 0\nexit";
    refused(peek, vec![window()], "cannot pass map_type 1000000 into func");
}

/// What is not verified traps where the descriptions say so.
#[test]
fn what_is_not_verified_traps() {
    let run = |text: &str| {
        let program = program(text, vec![window()]);
        let mut machine = interp::Machine::new(program, ProgramType::from(sensor()), World::default());
        match machine.run(LIMIT).end {
            Some(Err(trap)) => trap.kind,
            other => panic!("{text}: {other:?}"),
        }
    };
    assert!(matches!(run("r2 = 5\nr3 = 0\ncall mean\nexit"), TrapKind::Argument { reg: Reg::R2, .. }));
    assert!(matches!(run("*(u32 *)(r1 + 0) = 1\nexit"), TrapKind::ReadOnly { .. }));
}
