//! Functions against the running kernel: which program type may call which, and what each takes and gives.

use bpf64_core::context::{Access, FieldKind};
use bpf64_core::environment::{ALL, Environment};
use bpf64_core::helpers::{Arg, CLASSIC, Function, Ret, number_in_linux};
use bpf64_core::isa::{AluOp, Callee, CmpOp, Insn, Reg, Size, Src, WideImm, Width};
use bpf64_core::maps::{self, MapDef};
use bpf64_core::program::Program;
use bpf64_tests::kernel::skipped;
use bpf64_tests::kernel_ebpf::{Kernel, Manner, Verdict};
use std::collections::BTreeMap;

/// Asks whether the kernel can be asked.
const PROBE: &str = env!("CARGO_BIN_EXE_probe-kernel");

const ARGUMENTS: [Reg; 5] = [Reg::R1, Reg::R2, Reg::R3, Reg::R4, Reg::R5];
/// Bytes on the stack, in a table's value and in a packet that are given as memory.
const ROOM: i32 = 64;
/// Tables of every program: bytes to read and write, bytes to read only, and one of the kind that a function wants.
const VALUES: i32 = 0;
const CONSTANTS: i32 = 1;
const WANTED: i32 = 2;

/// The types that Linux has for eBPF.
fn types() -> impl Iterator<Item = &'static Environment> {
    ALL.into_iter().filter(|environment| environment.number != 0)
}

/// Linux's functions of a type.
fn functions(environment: &'static Environment) -> impl Iterator<Item = &'static Function> {
    environment.functions.iter().copied().flatten().filter(|function| function.id < CLASSIC)
}

/// `ringbuf_reserve` and `ringbuf_discard`.
const RESERVE: i32 = 131;
const DISCARD: i32 = 133;

fn unless_zero(dst: Reg, offset: i16) -> Insn {
    Insn::Branch { width: Width::W64, op: CmpOp::Ne, dst, src: Src::Imm(0), offset }
}

fn mov(dst: Reg, src: impl Into<Src>) -> Insn {
    Insn::Alu { width: Width::W64, op: AluOp::Mov, dst, src: src.into() }
}

fn add(dst: Reg, imm: i32) -> Insn {
    Insn::Alu { width: Width::W64, op: AluOp::Add, dst, src: Src::Imm(imm) }
}

/// What a register may be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Given {
    /// Nothing since a call took what it had.
    Unset,
    /// A constant.
    Constant(i32),
    /// A number that nobody knows.
    Unknown,
    Context,
    Stack,
    /// On the stack, but not at a multiple of 8.
    Unaligned,
    Value,
    ConstantValue,
    Packet,
    /// A table's handle.
    Map,
    /// A record of a ring buffer.
    Record,
    Callback,
}

const GIVEN: [Given; 14] = [
    Given::Unset,
    Given::Constant(0),
    Given::Constant(8),
    Given::Constant(ROOM + 1),
    Given::Unknown,
    Given::Context,
    Given::Stack,
    Given::Unaligned,
    Given::Value,
    Given::ConstantValue,
    Given::Packet,
    Given::Map,
    Given::Record,
    Given::Callback,
];

/// Whether Linux takes this for an argument whose neighbours are as they should be.
fn takes(function: &Function, environment: &Environment, at: usize, given: Given) -> bool {
    let arg = function.prototype.args[at];
    // A record must be handed back, which nobody else does.
    if given == Given::Record && !function.prototype.args.contains(&Arg::Record) {
        return false;
    }
    let packet = function.prototype.packet_access;
    let readable = match given {
        Given::Stack | Given::Unaligned | Given::Value | Given::ConstantValue => true,
        Given::Packet => packet,
        _ => false,
    };
    let writable = match given {
        Given::Stack | Given::Unaligned | Given::Value => true,
        Given::Packet => packet && environment.packet.writable,
        _ => false,
    };
    match arg {
        Arg::None => true,
        // How often it loops must be a number, though nothing says so: of a pointer Linux says that it is a bug in itself.
        Arg::Anything if (function.name, at) == ("loop", 0) => {
            matches!(given, Given::Constant(_) | Given::Unknown)
        }
        Arg::Anything => given != Given::Unset,
        Arg::Context => given == Given::Context,
        Arg::Map => given == Given::Map,
        Arg::MapKey | Arg::MapValue | Arg::Memory => readable,
        Arg::MapValueOut | Arg::MemoryOut => writable,
        Arg::MemoryOrNull => readable || given == Given::Constant(0),
        Arg::MemoryOutOrNull => writable || given == Given::Constant(0),
        Arg::Fixed(_) => readable,
        Arg::FixedOut(_) => writable && given != Given::Unaligned,
        Arg::Size => given == Given::Constant(8),
        Arg::SizeOrZero => matches!(given, Given::Constant(0 | 8)),
        Arg::AllocSize => matches!(given, Given::Constant(_)),
        Arg::Record => given == Given::Record,
        Arg::Callback => given == Given::Callback,
        Arg::StackOrNull => matches!(given, Given::Stack | Given::Unaligned | Given::Constant(0)),
        Arg::ConstString => given == Given::ConstantValue,
    }
}

/// What is right for an argument.
fn right(arg: Arg) -> Given {
    match arg {
        Arg::None => Given::Unset,
        Arg::Anything => Given::Constant(0),
        Arg::Context => Given::Context,
        Arg::Map => Given::Map,
        Arg::MapKey | Arg::MapValue | Arg::MapValueOut => Given::Stack,
        Arg::Memory | Arg::MemoryOut | Arg::MemoryOrNull | Arg::MemoryOutOrNull => Given::Stack,
        Arg::Fixed(_) | Arg::FixedOut(_) | Arg::StackOrNull => Given::Stack,
        Arg::Size | Arg::SizeOrZero | Arg::AllocSize => Given::Constant(8),
        Arg::Record => Given::Record,
        Arg::Callback => Given::Callback,
        Arg::ConstString => Given::ConstantValue,
    }
}

/// Where the callback begins is known when the program is made: it is its last function.
const CALLBACK: WideImm = WideImm::Code(0);

fn give(reg: Reg, given: Given, map: i32) -> Vec<Insn> {
    let wide = |imm| vec![Insn::LoadImm { dst: reg, imm }];
    match given {
        Given::Unset => Vec::new(),
        Given::Constant(imm) => vec![mov(reg, imm)],
        Given::Unknown => vec![mov(reg, Reg::R7)],
        Given::Context => vec![mov(reg, Reg::R6)],
        Given::Stack => vec![mov(reg, Reg::R10), add(reg, -ROOM)],
        Given::Unaligned => vec![mov(reg, Reg::R10), add(reg, -ROOM - 4)],
        Given::Value => wide(WideImm::MapFdValue { fd: VALUES, offset: 0 }),
        Given::ConstantValue => wide(WideImm::MapFdValue { fd: CONSTANTS, offset: 0 }),
        Given::Packet => vec![mov(reg, Reg::R8)],
        Given::Map => wide(WideImm::MapFd(map)),
        Given::Record => vec![mov(reg, Reg::R9)],
        Given::Callback => wide(CALLBACK),
    }
}

/// A field of the context that programs may read.
fn field(environment: &Environment, kind: FieldKind) -> Option<i16> {
    let found = environment
        .context
        .fields
        .iter()
        .find(|field| field.kind == kind && field.access != Access::Hidden)?;
    Some(found.offset as i16)
}

/// The tables of programs that call this function, unless none of the known kinds will do.
fn tables(function: &Function) -> Option<Vec<MapDef>> {
    let array = maps::kind("array").expect("it is one of Linux's");
    let values = MapDef::new("values", array, 4, ROOM as u32, 1);
    let mut constants = MapDef::new("constants", array, 4, ROOM as u32, 1);
    constants.constant = true;
    constants.entries = vec![(vec![0; 4], vec![0; ROOM as usize])];
    let wanted = match function.id {
        12 => MapDef::new("programs", maps::kind("prog_array")?, 4, 4, 1),
        25 => MapDef::new("listeners", maps::kind("perf_event_array")?, 4, 4, 1),
        27 => MapDef::new("stacks", maps::kind("stack_trace")?, 4, 8, 1),
        51 => MapDef::new("devices", maps::kind("devmap")?, 4, 4, 1),
        130..=134 => MapDef::new("records", maps::kind("ringbuf")?, 0, 0, 4096),
        87..=89 => MapDef::new("waiting", maps::kind("queue")?, 0, ROOM as u32, 1),
        195 => MapDef::new("each", maps::kind("percpu_array")?, 4, ROOM as u32, 1),
        _ => values.clone(),
    };
    Some(vec![values, constants, wanted])
}

/// A program that gives these, calls the function and goes on with `after`. r6 is the context, r7 an unknown number,
/// r8 a packet of as much room as there is elsewhere, where there are packets.
fn program(
    environment: &Environment,
    function: &Function,
    given: [Given; 5],
    after: &[Insn],
) -> Option<Program> {
    let mut insns = vec![mov(Reg::R6, Reg::R1)];
    let direct = field(environment, FieldKind::PacketStart).zip(field(environment, FieldKind::PacketEnd));
    if let Some((start, end)) = direct {
        let load = |dst, offset| Insn::Load { size: Size::W, signed: false, dst, base: Reg::R6, offset };
        insns.extend([load(Reg::R8, start), load(Reg::R9, end), mov(Reg::R1, Reg::R8), add(Reg::R1, ROOM)]);
        let (width, op, src) = (Width::W64, CmpOp::Le, Reg::R9.into());
        insns.push(Insn::Branch { width, op, dst: Reg::R1, src, offset: 2 });
        insns.extend([mov(Reg::R0, 0), Insn::Exit]);
    } else if given.contains(&Given::Packet) {
        return None;
    }
    if given.contains(&Given::Record) {
        if !(130..=134).contains(&function.id) {
            return None;
        }
        insns.extend(give(Reg::R1, Given::Map, WANTED));
        insns.extend([mov(Reg::R2, ROOM), mov(Reg::R3, 0), Insn::Call(Callee::Helper(RESERVE))]);
        insns.extend([unless_zero(Reg::R0, 2), mov(Reg::R0, 0), Insn::Exit, mov(Reg::R9, Reg::R0)]);
    }
    // This leaves r1 to r5 unset.
    insns.extend([Insn::Call(Callee::Helper(7)), mov(Reg::R7, Reg::R0)]);
    for (reg, given) in ARGUMENTS.into_iter().zip(given) {
        insns.extend(give(reg, given, WANTED));
    }
    insns.push(Insn::Call(Callee::Helper(function.id)));
    insns.extend(after);
    if function.prototype.ret == Ret::RecordOrNull {
        // What was given out is handed back.
        insns.extend([unless_zero(Reg::R0, 2), mov(Reg::R0, 0), Insn::Exit]);
        insns.extend([mov(Reg::R1, Reg::R0), mov(Reg::R2, 0), Insn::Call(Callee::Helper(DISCARD))]);
    }
    insns.extend([mov(Reg::R0, 0), Insn::Exit]);
    let callback: u32 = insns.iter().map(Insn::slots).sum();
    if given.contains(&Given::Callback) {
        insns.extend([mov(Reg::R0, 0), Insn::Exit]);
    }
    let mut slot = 0;
    for insn in &mut insns {
        if let Insn::LoadImm { imm: imm @ WideImm::Code(_), .. } = insn {
            *imm = WideImm::Code(callback as i32 - slot - 1);
        }
        slot += insn.slots() as i32;
    }
    let program = Program::new(insns, Vec::new()).expect("its jumps land");
    Some(program.with_maps(tables(function)?).expect("its tables can be made"))
}

fn judge(kernel: &Kernel, environment: &Environment, program: &Program, log_level: u32) -> Verdict {
    let manner = Manner { log_level, ..Manner::default() };
    kernel.judge(environment, program, manner).expect("the kernel can be asked")
}

/// Every function that we know, in every type: Linux has it there or not.
#[test]
fn types_have_the_functions_that_linux_gives_them() {
    let kernel = match Kernel::open(PROBE) {
        Ok(kernel) => kernel,
        Err(why) => return skipped("the running kernel", &why),
    };
    let known: BTreeMap<i32, &str> =
        types().flat_map(functions).map(|function| (function.id, function.name)).collect();
    let (mut differences, mut have) = (Vec::new(), 0);
    for environment in types() {
        for (&id, name) in &known {
            let insns = vec![Insn::Call(Callee::Helper(id)), mov(Reg::R0, 0), Insn::Exit];
            let program = Program::new(insns, Vec::new()).expect("it has no jumps");
            let verdict = judge(&kernel, environment, &program, 1);
            let theirs = verdict.accepted
                || !["cannot use helper", "unknown func", "invalid func"]
                    .iter()
                    .any(|no| verdict.log.contains(no));
            let named = verdict.accepted || verdict.log.contains(&format!("{name}#{id}"));
            let ours = environment.function(id).is_some();
            have += usize::from(theirs);
            if ours != theirs || !named {
                differences.push(format!("{}: {name}#{id}: Linux {theirs}, we {ours}", environment.name));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    println!("{} functions in {} types, {have} of them there", known.len(), types().count());
}

/// Linux lists a function by its name, whether the program's type has it or not.
#[test]
fn every_function_is_known_by_its_name() {
    let kernel = match Kernel::open(PROBE) {
        Ok(kernel) => kernel,
        Err(why) => return skipped("the running kernel", &why),
    };
    let environment = types().next().expect("there are types");
    let log = |id| {
        let insns = vec![Insn::Call(Callee::Helper(id)), mov(Reg::R0, 0), Insn::Exit];
        judge(&kernel, environment, &Program::new(insns, Vec::new()).expect("it has no jumps"), 2).log
    };
    let mut known = 0;
    for id in (1..).take_while(|&id| !log(id).contains("call unknown#")) {
        let name = environment.name(id).unwrap_or_default();
        assert!(log(id).contains(&format!("call bpf_{name}#{id}")), "{id} is {name} here\n{}", log(id));
        assert_eq!(number_in_linux(name), Some(id));
        known += 1;
    }
    println!("{known} functions known by their names");
    assert_eq!(environment.name(known + 1), None);
}

/// Every argument of every function, given everything that there is.
#[test]
fn functions_take_what_linux_lets_them_take() {
    let kernel = match Kernel::open(PROBE) {
        Ok(kernel) => kernel,
        Err(why) => return skipped("the running kernel", &why),
    };
    let (mut differences, mut asked, mut taken, mut left_out) = (Vec::new(), 0, 0, Vec::new());
    for (environment, function) in one_of_each() {
        let base = function.prototype.args.map(right);
        let Some(plain) = program(environment, function, base, &[]) else {
            left_out.push(function.name);
            continue;
        };
        let verdict = judge(&kernel, environment, &plain, 1);
        if !verdict.accepted {
            differences.push(format!("{}: {function:?}: {}", environment.name, verdict.log));
            continue;
        }
        for (at, arg) in function.prototype.args.into_iter().enumerate() {
            for given in GIVEN {
                let mut changed = base;
                changed[at] = given;
                if matches!(arg, Arg::MemoryOrNull | Arg::MemoryOutOrNull) && given == Given::Constant(0) {
                    changed[at + 1] = given;
                }
                let Some(program) = program(environment, function, changed, &[]) else { continue };
                let ours = takes(function, environment, at, given);
                let theirs = judge(&kernel, environment, &program, 0).accepted;
                asked += 1;
                taken += usize::from(theirs);
                if ours != theirs {
                    let log = judge(&kernel, environment, &program, 1).log;
                    let last =
                        log.lines().rev().find(|line| !line.starts_with("processed")).unwrap_or_default();
                    differences.push(format!(
                        "{}: {function:?} argument {}, {arg:?}, given {given:?}: Linux {theirs} ({last})",
                        environment.name,
                        at + 1
                    ));
                }
            }
        }
    }
    assert!(differences.is_empty(), "{} of {asked}\n{}", differences.len(), differences.join("\n"));
    println!("{asked} arguments, {taken} of them taken; left out for want of tables: {left_out:?}");
}

/// What r0 is after a call, whether addresses of packets are worth something still, and who may call it at all.
#[test]
fn calls_leave_what_linux_says_they_leave() {
    let kernel = match Kernel::open(PROBE) {
        Ok(kernel) => kernel,
        Err(why) => return skipped("the running kernel", &why),
    };
    let mut counted = 0;
    for (environment, function) in one_of_each() {
        let base = function.prototype.args.map(right);
        let Some(plain) = program(environment, function, base, &[mov(Reg::R1, Reg::R0)]) else { continue };
        let log = judge(&kernel, environment, &plain, 2).log;
        // The branches above go on later: what comes right behind the call is found by its listing.
        let state = log
            .lines()
            .find(|line| line.contains("r1 = r0 "))
            .and_then(|line| line.split_once("R0"))
            .map_or("nothing", |(_, rest)| rest.trim_start_matches("_w").trim_start_matches('='));
        let prototype = function.prototype;
        let fits = match prototype.ret {
            Ret::Integer | Ret::Length | Ret::Cpu => {
                state.starts_with("scalar(") || state.starts_with(|c: char| c.is_ascii_digit())
            }
            Ret::Void => state == "nothing" || log.contains("R0 !read_ok"),
            Ret::MapValueOrNull => state.starts_with("map_value_or_null("),
            Ret::RecordOrNull => state.starts_with("ringbuf_mem_or_null("),
        };
        assert!(fits, "{}: {function:?} gives {:?}\n{log}", environment.name, prototype.ret);
        let proprietary = Manner { proprietary: true, log_level: 1, ..Manner::default() };
        let plain = program(environment, function, base, &[]).expect("it could be made before");
        let verdict = kernel.judge(environment, &plain, proprietary).expect("the kernel can be asked");
        let refused = verdict.log.contains("GPL-restricted");
        assert_eq!(refused, prototype.gpl_only, "{function:?}\n{}", verdict.log);
        if field(environment, FieldKind::PacketStart).is_some() {
            let read = Insn::Load { size: Size::B, signed: false, dst: Reg::R1, base: Reg::R8, offset: 0 };
            let program = program(environment, function, base, &[read]).expect("it could be made before");
            let kept = judge(&kernel, environment, &program, 0).accepted;
            assert_eq!(!kept, prototype.moves_packet, "{}: {function:?} moves the packet", environment.name);
        }
        counted += 1;
    }
    println!("{counted} functions leave what Linux says");
}

/// Each function in one type, in one that has packets if there is one, and again where another has its number.
fn one_of_each() -> Vec<(&'static Environment, &'static Function)> {
    let mut found: BTreeMap<(i32, &str), (&Environment, &Function)> = BTreeMap::new();
    let packets = |environment: &Environment| {
        field(environment, FieldKind::PacketStart).is_some() && environment.packet.writable
    };
    for environment in types() {
        for function in functions(environment) {
            let place = found.entry((function.id, function.doc)).or_insert((environment, function));
            if packets(environment) && !packets(place.0) {
                *place = (environment, function);
            }
        }
    }
    found.into_values().collect()
}
