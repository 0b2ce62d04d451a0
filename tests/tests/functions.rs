//! What functions do: the suites, here and in the running kernel; and every function with numbers at the edges of what
//! it looks at, over several packets: the same result, the same packet, the same memory.

use bpf64_core::environment::{self, Environment, ProgramType};
use bpf64_core::helpers::{Arg, CLASSIC, Function, Implementation, Ret};
use bpf64_core::interp::Machine;
use bpf64_core::isa::{AluOp, Callee, Insn, Reg, Src, WideImm, Width};
use bpf64_core::machine::Region;
use bpf64_core::maps::{self, MapDef, Table};
use bpf64_core::program::Program;
use bpf64_tests::generate::Generator;
use bpf64_tests::kernel::{run_on, skipped};
use bpf64_tests::kernel_ebpf::{self, Kernel};
use bpf64_tests::tables::{hex, program as load};
use bpf64_tests::{alongside, input, property, suite};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Asks whether the kernel can be asked.
const PROBE: &str = env!("CARGO_BIN_EXE_probe-kernel");
/// Instructions after which a run is given up.
const LIMIT: u64 = 1_000_000;
/// Begins the line in a case that tells why Linux cannot be asked about it.
const NOT_ON_LINUX: &str = "; not on Linux: ";

/// The kernel, where it can be asked; programs run on the CPU on which ours do.
fn kernel() -> Option<Kernel> {
    let kernel = Kernel::open(PROBE).and_then(|kernel| match run_on(0) {
        Ok(()) => Ok(kernel),
        Err(error) => Err(error.to_string()),
    });
    kernel.inspect_err(|why| skipped("the running kernel", why)).ok()
}

/// Told what a run prints and sends.
#[derive(Default)]
struct Heard(Vec<String>);

impl bpf64_core::machine::Observer for Heard {
    fn read(&mut self, _: bpf64_core::machine::Place, _: u64) {}
    fn wrote(&mut self, _: bpf64_core::machine::Place, _: u64, _: u64) {}
    fn printed(&mut self, line: &str) {
        self.0.push(format!("prints {line:?}"));
    }
    fn sent(&mut self, sent: &bpf64_core::machine::Sent) {
        self.0.push(format!("sends {} to {}", hex(&sent.packet), sent.ifindex));
    }
}

/// A run as suites write it: r0, what was printed and sent, the packet if it has changed, and what tables hold.
fn outcome(machine: &mut Machine) -> String {
    use bpf64_core::machine::{Flow, Machine as _};
    let (mut heard, before) = (Heard::default(), machine.skb().packet.clone());
    let end = (0..LIMIT).find_map(|_| match machine.step(&mut heard) {
        Ok(Flow::Next) => None,
        Ok(Flow::End(r0, _)) => Some(errno(r0)),
        Err(trap) => Some(format!("trap: {trap}")),
    });
    let mut parts = vec![end.unwrap_or_else(|| "endless".to_owned())];
    parts.append(&mut heard.0);
    if machine.skb().packet != before {
        parts.push(format!("packet {}", hex(&machine.skb().packet)));
    }
    if let Some(to) = machine.world.redirect {
        parts.push(match to {
            environment::Redirect::Device { ifindex, ingress } => {
                format!("redirected {} interface {ifindex}", if ingress { "into" } else { "to" })
            }
            environment::Redirect::Map { map, index } => format!("redirected to {index} of map {map}"),
        });
    }
    for table in machine.world.tables.iter().filter(|table| !table.def().constant) {
        for (key, value) in table.entries() {
            let written = value.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            if written > 0 || !table.def().kind.preset() {
                parts.push(format!("{}[{}]={}", table.def().name, hex(&key), hex(&value[..written])));
            }
        }
    }
    parts.join(", ")
}

/// A number, or a negative error by its name.
fn errno(r0: u64) -> String {
    let error = i32::try_from((r0 as i64).wrapping_neg()).ok().filter(|&error| error > 0);
    match error.and_then(|error| bpf64_core::errno::Errno(error).name()) {
        Some(name) => format!("-{name}"),
        None => format!("{r0:#x}"),
    }
}

#[test]
fn suites() {
    let kernel = kernel();
    let mut asked = 0;
    suite::run("functions", |case| {
        let loaded = load(&case.text)?;
        let program = Rc::new(loaded.ebpf());
        let (mut tables, mut packets, mut answers) = (Vec::new(), Vec::new(), Vec::new());
        for line in &case.expected {
            let words =
                line.strip_prefix('>').and_then(|line| line.rsplit_once(" =").map(|(words, _)| words));
            let words = words.ok_or_else(|| format!("`{line}` is not `> PACKET = RESULT`"))?;
            // An `=` stands in results, too, but none in a packet.
            let words = words.split(" =").next().unwrap_or_default();
            let mut packet = input::parse(words)?.world.skb.packet;
            packet.resize(packet.len().max(14), 0);
            let kind = kernel_ebpf::ProgramType::of(&loaded.program_type);
            let mut world = match kind {
                Some(kind) => alongside::world(kind, packet.clone()),
                None => input::bare(packet.clone()),
            };
            world.tables = std::mem::take(&mut tables);
            let mut machine = Machine::new(Rc::clone(&program), loaded.program_type.clone(), world);
            answers.push(format!(">{words} = {}", outcome(&mut machine)));
            tables = machine.world.tables;
            packets.push(packet);
        }
        if case.text.lines().any(|line| line.starts_with(NOT_ON_LINUX)) {
            return Ok(answers);
        }
        if let Some(kernel) = &kernel {
            asked += 1;
            alongside::compare(kernel, &program, &loaded.program_type, &packets)?;
        }
        Ok(answers)
    });
    println!("{asked} cases alongside Linux");
}

/// Bytes of the table that all memory arguments are in: each begins at a multiple of [`ROOM`] of its own.
const VALUE: u32 = 5 * ROOM;
const ROOM: u32 = 64;

/// Functions whose answers are the running kernel's own, with the reason.
fn own(function: &Function) -> Option<&'static str> {
    match function.name {
        "get_prandom_u32" | "ktime_get_ns" | "ktime_get_boot_ns" | "jiffies64" => Some("time and chance"),
        "get_current_pid_tgid" | "get_current_uid_gid" | "get_current_comm" => Some("the process"),
        "get_hash_recalc" => Some("the kernel makes a hash with a key of its own"),
        "get_socket_cookie" => Some("the kernel counts sockets"),
        "clone_redirect" => Some("it would really send"),
        _ => None,
    }
}

fn mov(dst: Reg, src: impl Into<Src>) -> Insn {
    Insn::Alu { width: Width::W64, op: AluOp::Mov, dst, src: src.into() }
}

fn wide(dst: Reg, imm: WideImm) -> Insn {
    Insn::LoadImm { dst, imm }
}

/// Registers that hold what the verifier does not know.
const NUMBERS: [Reg; 4] = [Reg::R6, Reg::R7, Reg::R8, Reg::R9];

/// A program that calls the function with numbers it is given and sizes that it knows, and keeps what is memory in a
/// table. `None` when it takes something that cannot be made here.
fn calling(function: &Function, sizes: &mut impl FnMut() -> i32) -> Option<Program> {
    let array = maps::kind("array")?;
    let mut values = MapDef::new("values", array, 4, VALUE, 1);
    let text: Vec<u8> = b"-0x1f 42 abcabd".iter().copied().cycle().take(VALUE as usize).collect();
    values.entries = vec![(vec![0; 4], text)];
    let wanted = match function.id {
        25 => MapDef::new("listeners", maps::kind("perf_event_array")?, 4, 4, 4),
        51 => {
            let mut devices = MapDef::new("devices", maps::kind("devmap")?, 4, 4, 4);
            // The loopback device.
            devices.entries = vec![(vec![1, 0, 0, 0], vec![1, 0, 0, 0])];
            devices
        }
        87..=89 => MapDef::new("waiting", maps::kind("queue")?, 0, 8, 3),
        195 => MapDef::new("each", maps::kind("percpu_array")?, 4, 8, 3),
        130 | 134 => MapDef::new("records", maps::kind("ringbuf")?, 0, 0, 4096),
        _ => MapDef::new("table", maps::kind("hash")?, 4, 8, 3),
    };
    let mut insns = Vec::new();
    let mut numbers = NUMBERS.into_iter();
    let registers = [Reg::R1, Reg::R2, Reg::R3, Reg::R4, Reg::R5];
    // The context is in r1 until the end: numbers fill what is left.
    for (at, (arg, reg)) in function.prototype.args.into_iter().zip(registers).enumerate().rev() {
        let memory = wide(reg, WideImm::MapFdValue { fd: 0, offset: at as i32 * ROOM as i32 });
        insns.push(match arg {
            Arg::None => continue,
            Arg::Context if reg == Reg::R1 => continue,
            Arg::Anything => mov(reg, numbers.next()?),
            Arg::Map => wide(reg, WideImm::MapFd(1)),
            Arg::MapKey | Arg::MapValue | Arg::MapValueOut | Arg::Fixed(_) | Arg::FixedOut(_) => memory,
            Arg::Memory | Arg::MemoryOut | Arg::MemoryOrNull | Arg::MemoryOutOrNull => memory,
            Arg::Size | Arg::SizeOrZero => mov(reg, sizes()),
            Arg::Context | Arg::AllocSize | Arg::Record | Arg::Callback => return None,
            Arg::StackOrNull | Arg::ConstString => return None,
        });
    }
    insns.push(Insn::Call(Callee::Helper(function.id)));
    if function.prototype.ret != Ret::Integer {
        insns.push(mov(Reg::R0, 0));
    }
    insns.push(Insn::Exit);
    Program::new(insns, Vec::new()).ok()?.with_maps(vec![values, wanted]).ok()
}

/// Numbers at which functions change their mind: sizes of packets and headers, flags, signs, overflows.
fn number(random: &mut Generator) -> u64 {
    const EDGES: [u64; 20] = [
        0,
        1,
        2,
        3,
        4,
        8,
        14,
        16,
        20,
        34,
        63,
        64,
        100,
        0xffff,
        0x1_0000,
        1 << 31,
        1 << 32,
        u32::MAX as u64,
        u64::MAX,
        1 << 63,
    ];
    match random.below(8) {
        0..=3 => random.pick(&EDGES),
        4 => (random.below(80) as u64).wrapping_neg(),
        5 => 1 << random.below(64),
        6 => random.below(80) as u64,
        _ => random.bits64(),
    }
}

/// Frames that are no IP, with the tag of a VLAN, and TCP.
fn frames() -> Vec<Vec<u8>> {
    let tcp =
        bpf64_tests::examples::capture("http.pcap").and_then(|capture| Some(capture.get(0)?.skb().packet));
    let plain = |length: u8| [&[0; 12][..], &[0x88, 0xb5], &(0..length).collect::<Vec<u8>>()].concat();
    let tagged = [&[1; 12][..], &[0x81, 0, 0, 5, 0x88, 0xb5], &[7; 40]].concat();
    [plain(0), plain(1), plain(50), plain(200), tagged].into_iter().chain(tcp).collect()
}

/// Every function in a type that can be run, in another one where it is another.
fn one_of_each() -> Vec<(&'static Environment, &'static Function)> {
    let mut found: BTreeMap<(i32, &str), (&Environment, &Function)> = BTreeMap::new();
    let runs = |environment: &&'static Environment| kernel_ebpf::ProgramType::of(environment).is_some();
    // Traffic control sees the link-layer header, which a socket filter's test run has and ours has not.
    let first = [&environment::SCHED_CLS];
    for environment in first.into_iter().chain(environment::ALL).filter(runs) {
        for function in environment.functions.iter().copied().flatten() {
            if function.id < CLASSIC {
                found.entry((function.id, function.doc)).or_insert((environment, function));
            }
        }
    }
    found.into_values().collect()
}

#[test]
fn functions_do_what_linux_does() {
    const PROGRAMS: usize = 6;
    const RUNS: u64 = 100;
    let Some(kernel) = kernel() else { return };
    let (seed, cases) = (property::seed(2014), property::cases(RUNS));
    let mut random = Generator::new(seed);
    let (mut differences, mut left_out, mut runs, mut functions) = (Vec::new(), Vec::new(), 0, 0);
    let mut all = 0;
    for (environment, function) in one_of_each() {
        if let Some(why) = own(function) {
            left_out.push(format!("{} ({why})", function.name));
            continue;
        }
        if matches!(function.call, Implementation::Control(_)) {
            left_out.push(format!("{} (the suites)", function.name));
            continue;
        }
        functions += 1;
        let kind = kernel_ebpf::ProgramType::of(environment).expect("it was asked");
        let has_size = function.prototype.args.iter().any(|arg| matches!(arg, Arg::Size | Arg::SizeOrZero));
        let mut programs: Vec<(Program, Vec<i32>)> = Vec::new();
        for _ in 0..if has_size { PROGRAMS } else { 1 } {
            let mut sized = Vec::new();
            let program = calling(function, &mut || {
                sized.push(random.pick(&[1, 2, 4, 8, 16, 20, 40, ROOM as i32]));
                sized[sized.len() - 1]
            });
            programs.extend(program.map(|program| (program, sized)));
        }
        if programs.is_empty() {
            left_out.push(format!("{} (the suites)", function.name));
            continue;
        }
        let before = differences.len();
        for (program, sized) in programs {
            let program = Rc::new(program);
            let loaded = match kernel.load(kind, &program, &NUMBERS) {
                Ok(loaded) => loaded,
                Err(why) => {
                    differences.push(format!("{}: {function:?}: {why}", environment.name));
                    continue;
                }
            };
            let mut tables: Vec<Table> =
                program.maps().iter().map(|def| Table::new(Rc::clone(def), alongside::cpus())).collect();
            if function.id == 25 {
                // Nobody listens.
                for cpu in 0..alongside::cpus() {
                    tables[1].delete(&cpu.to_le_bytes()).expect("it was open");
                }
            }
            for _ in 0..cases {
                let (frame, given) = (random.pick(&frames()), NUMBERS.map(|reg| (reg, number(&mut random))));
                // What is an address here is none there.
                if function.name.starts_with("probe") && Region::of(given[0].1).is_some() {
                    continue;
                }
                let mut world = alongside::world(kind, frame.clone());
                world.tables = tables;
                world.cpus = alongside::cpus();
                let mut machine = Machine::new(Rc::clone(&program), ProgramType::from(environment), world);
                given.iter().for_each(|&(reg, number)| machine.registers[reg.index()] = number);
                let what = format!(
                    "{}: {function:?}{given:x?} on {} bytes, {sized:?}",
                    environment.name,
                    frame.len()
                );
                let end = machine.run(LIMIT).end;
                let theirs = loaded.run(&given, &frame).map(|answer| (answer.r0, answer.packet));
                tables = machine.world.tables.clone();
                runs += 1;
                match (end, theirs) {
                    (Some(Ok((r0, _))), Ok((there, packet))) => {
                        let shown = alongside::seen(kind, &packet);
                        if r0 != there {
                            differences.push(format!(
                                "{what}: r0 {} here, {} there",
                                errno(r0),
                                errno(there)
                            ));
                        } else if alongside::given_back(&machine) != shown {
                            let here = hex(&alongside::given_back(&machine));
                            differences.push(format!("{what}: packet {here} here\n{} there", hex(shown)));
                        } else if let Err(why) = alongside::compare_tables(&loaded, &tables) {
                            differences.push(format!("{what}: {why}"));
                        }
                    }
                    (end, theirs) => differences.push(format!("{what}: {end:?} here, {theirs:?} there")),
                }
            }
        }
        // The first few say enough.
        all += differences.len() - before;
        differences.truncate(before + 4);
    }
    println!("{functions} functions, {runs} runs from seed {seed}; left out: {}", left_out.join(", "));
    assert!(differences.is_empty(), "{all} runs differ, for example\n{}", differences.join("\n"));
}
