//! The running Linux kernel, asked by bpf(2): has its verifier look at a program, and runs what it accepts on a packet.
//!
//! [`bpf`], [`program`] and [`events`] are the calls, in the kernel's own terms; here they are in ours.

pub mod bpf;
pub mod events;
pub mod program;

pub use program::Run;

use bpf64_core::environment::{Environment, World};
use bpf64_core::isa::{Insn, WideImm, encoding};
use bpf64_core::maps::{Holds, MapDef, Table, change};
use bpf64_core::program::Program;
use std::fmt;
use std::io;
use std::rc::Rc;
use std::time::Duration;

/// What is not permitted (`EPERM`), and what there is no room for (`ENOSPC`: a log).
const EPERM: i32 = 1;
const ENOSPC: i32 = 28;
/// `BPF_F_RDONLY_PROG`
const RDONLY_PROG: u32 = 1 << 7;

/// How much the kernel's verifier tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Log {
    /// Nothing.
    Nothing = 0,
    /// The path that was followed last.
    Path = 1,
    /// Everything.
    Everything = 2,
    /// Only what it took: time, stack, instructions looked at.
    Statistics = 4,
}

impl Log {
    /// Room for it in bytes.
    const fn room(self) -> usize {
        match self {
            Log::Nothing => 0,
            Log::Statistics => 1 << 16,
            Log::Path | Log::Everything => 1 << 24,
        }
    }
}

/// Why there is no answer, or a refusal.
#[derive(Debug)]
pub enum Refusal {
    /// The kernel cannot be asked.
    Unavailable(String),
    /// A table cannot be made as the program declares it.
    Table(String),
    /// The verifier does not accept the program; this is its log, as far as one was asked for.
    Verifier(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Unavailable(why) => write!(f, "the kernel cannot be asked: {why}"),
            Refusal::Table(why) => write!(f, "the kernel does not make {why}"),
            Refusal::Verifier(log) if log.is_empty() => f.write_str("the kernel refuses it"),
            Refusal::Verifier(log) => {
                let told = ["processed ", "verification time", "stack depth"];
                let words = |line: &&str| !told.iter().any(|told| line.starts_with(told));
                let reason = log.trim_end().lines().rfind(words).unwrap_or_default();
                write!(f, "the kernel refuses it: {reason}")
            }
        }
    }
}

impl std::error::Error for Refusal {}

/// A program that the kernel accepted. It is gone when this is.
#[derive(Debug)]
pub struct Loaded {
    program: program::Loaded,
    log: String,
    /// Those that hold programs lose them when nobody has them open.
    _tables: Rc<[bpf::Map]>,
}

/// Has the kernel verify and load a program, with its tables as it declares them, but for those that hold programs.
///
/// # Errors
/// The kernel's refusal, or why it cannot be asked.
pub fn load(environment: &Environment, program: &Program, level: Log) -> Result<Loaded, Refusal> {
    let tables = program.maps().iter().map(|def| table(def, true)).collect::<Result<_, _>>()?;
    load_with(environment, program, &tables, level)
}

/// The same in a world: with what its tables hold, and the programs that the program may go on to.
///
/// # Errors
/// The kernel's refusal, or why it cannot be asked.
pub fn load_in(
    environment: &Environment,
    program: &Program,
    world: &World,
    level: Log,
) -> Result<Loaded, Refusal> {
    // What the world has no table for is as it is declared.
    let made = |(number, def): (usize, &Rc<MapDef>)| table(def, number >= world.tables.len());
    let tables: Rc<[bpf::Map]> = program.maps().iter().enumerate().map(made).collect::<Result<_, _>>()?;
    let others = world.programs.iter().map(|other| load_with(environment, other, &tables, Log::Nothing));
    let others = others.collect::<Result<Vec<_>, _>>()?;
    for (ours, theirs) in world.tables.iter().zip(tables.iter()) {
        fill(ours, theirs, &others)?;
    }
    load_with(environment, program, &tables, level)
}

/// Puts into a table of the kernel's what ours holds.
fn fill(ours: &Table, theirs: &bpf::Map, others: &[Loaded]) -> Result<(), Refusal> {
    let def = ours.def();
    let refused = |why: &dyn fmt::Display| Refusal::Table(format!("`{}` as it is here: {why}", def.name));
    let is_set = |value: &[u8]| !def.kind.preset() || value.iter().any(|&byte| byte != 0);
    for (key, value) in ours.entries().filter(|(_, value)| is_set(value)) {
        let value = match def.kind.holds() {
            Holds::Programs => {
                let number = value.iter().rev().fold(0, |number, &byte| number << 8 | usize::from(byte));
                let Some(other) = others.get(number) else { continue };
                other.program.number().to_le_bytes().to_vec()
            }
            Holds::Values if !def.kind.per_cpu() => value,
            _ => return Err(refused(&"only plain values and programs are put there from here")),
        };
        let key = if key.is_empty() { None } else { Some(&key[..]) };
        theirs.update(key, &value, change::ANY).map_err(|error| refused(&error))?;
    }
    Ok(())
}

fn load_with(
    environment: &Environment,
    program: &Program,
    tables: &Rc<[bpf::Map]>,
    level: Log,
) -> Result<Loaded, Refusal> {
    let mut bytes = Vec::with_capacity(program.insns().len() * 8);
    for &insn in program.insns() {
        let (first, second) = encoding::encode(&named(insn, tables));
        bytes.extend(first.to_bytes());
        bytes.extend(second.map(encoding::Raw::to_bytes).into_iter().flatten());
    }
    let mut log = vec![0; level.room()];
    let question = program::Question {
        kind: environment.number,
        program: &bytes,
        log_level: level as u32,
        // `BPF_CGROUP_INET_EGRESS`
        attach: u32::from(environment.name.ends_with("_egress")),
        ..program::Question::default()
    };
    let result = program::load(&question, &mut log);
    let end = log.iter().position(|&byte| byte == 0).unwrap_or(log.len());
    let log = String::from_utf8_lossy(&log[..end]).into_owned();
    match result {
        Ok(program) => Ok(Loaded { program, log, _tables: Rc::clone(tables) }),
        Err(error) if error.raw_os_error() == Some(ENOSPC) && !log.is_empty() => {
            Err(Refusal::Unavailable("its log does not fit into 16 MiB".into()))
        }
        Err(error) if log.is_empty() => Err(unavailable("a program", &error)),
        Err(_) => Err(Refusal::Verifier(log)),
    }
}

fn unavailable(what: &str, error: &io::Error) -> Refusal {
    Refusal::Unavailable(match (error.raw_os_error(), error.kind()) {
        (Some(EPERM), _) => format!("loading {what} needs root, or CAP_BPF and CAP_NET_ADMIN"),
        (_, io::ErrorKind::Unsupported) => "there is no bpf(2) here".into(),
        _ => format!("{what}: {error}"),
    })
}

/// A table as it is declared, with what it holds then if it is to be filled.
fn table(def: &MapDef, filled: bool) -> Result<bpf::Map, Refusal> {
    if def.kind.per_cpu() && !def.entries.is_empty() || def.inner.is_some() {
        return Err(Refusal::Table(format!(
            "`{}`: tables of tables are not filled there from here",
            def.name
        )));
    }
    let shape = bpf::Shape {
        kind: def.kind.number(),
        key_size: def.key_size,
        value_size: def.value_size,
        max_entries: def.max_entries,
        flags: def.flags | if def.constant { RDONLY_PROG } else { 0 },
        extra: def.extra.into(),
        outside: def.value_size as usize,
        ..bpf::Shape::default()
    };
    let refused = |error: io::Error| match error.raw_os_error() {
        Some(EPERM) => unavailable("a table", &error),
        _ => Refusal::Table(format!("`{}`: {error}", def.name)),
    };
    let map = bpf::Map::create(&shape, None).map_err(refused)?;
    // Programs have no numbers before they are loaded.
    let entries = if filled && def.kind.holds() != Holds::Programs { &def.entries[..] } else { &[] };
    for (key, value) in entries {
        if (key.len(), value.len()) != (def.key_size as usize, def.value_size as usize) {
            return Err(Refusal::Table(format!("`{}`: an entry is not of its size", def.name)));
        }
        map.update(Some(key), value, change::ANY).map_err(refused)?;
    }
    Ok(map)
}

/// The instruction with the kernel's numbers for tables.
fn named(insn: Insn, tables: &[bpf::Map]) -> Insn {
    let number =
        |at: i32| usize::try_from(at).ok().and_then(|at| tables.get(at)).map_or(-1, bpf::Map::number);
    match insn {
        Insn::LoadImm { dst, imm: WideImm::MapFd(at) } => {
            Insn::LoadImm { dst, imm: WideImm::MapFd(number(at)) }
        }
        Insn::LoadImm { dst, imm: WideImm::MapFdValue { fd, offset } } => {
            Insn::LoadImm { dst, imm: WideImm::MapFdValue { fd: number(fd), offset } }
        }
        other => other,
    }
}

impl Loaded {
    /// The verifier's log, as much as was asked for.
    #[must_use]
    pub fn log(&self) -> &str {
        &self.log
    }

    /// How long the kernel took to verify it, of a log with statistics; in microseconds, as it is told.
    #[must_use]
    pub fn verification_time(&self) -> Option<Duration> {
        let line = self.log.lines().find_map(|line| line.strip_prefix("verification time "))?;
        Some(Duration::from_micros(line.split(' ').next()?.parse().ok()?))
    }

    /// How many instructions the kernel's verifier looked at, of any log.
    #[must_use]
    pub fn processed(&self) -> Option<u32> {
        let line = self.log.lines().find_map(|line| line.strip_prefix("processed "))?;
        line.split(' ').next()?.parse().ok()
    }

    /// Bytes of the machine code that the kernel's JIT made of it, if it says.
    #[must_use]
    pub fn code_bytes(&self) -> Option<usize> {
        Some(self.program.code_bytes()).filter(|&bytes| bytes > 0)
    }

    /// Runs it so many times on a packet (`BPF_PROG_TEST_RUN`).
    ///
    /// # Errors
    /// As [`program::Loaded::run`].
    pub fn run(&self, packet: &[u8], repeat: u32) -> io::Result<Run> {
        self.program.run(packet, repeat)
    }
}
#[cfg(test)]
mod tests {
    use super::*;
    use bpf64_core::environment::SOCKET_FILTER;
    use bpf64_core::isa::{AluOp, Reg, Src, Width};

    fn returning(number: i32, ends: bool) -> Program {
        let mov = Insn::Alu { width: Width::W64, op: AluOp::Mov, dst: Reg::R0, src: Src::Imm(number) };
        let insns = if ends { vec![mov, Insn::Exit] } else { vec![Insn::Exit] };
        Program::new(insns, Vec::new()).expect("it ends with `exit`")
    }

    #[test]
    fn a_program_is_verified_and_run() {
        let loaded = match load(&SOCKET_FILTER, &returning(7, true), Log::Statistics) {
            Ok(loaded) => loaded,
            Err(Refusal::Unavailable(why)) => return println!("skipped: the running kernel: {why}"),
            Err(refusal) => panic!("{refusal}"),
        };
        assert_eq!(loaded.processed(), Some(2));
        assert!(loaded.verification_time().is_some(), "{}", loaded.log());
        let run = loaded.run(&[0; 14], 3).expect("a packet with an Ethernet header is run");
        assert_eq!(run.result, 7);
        let refusal = load(&SOCKET_FILTER, &returning(7, false), Log::Path).expect_err("r0 is not set");
        assert_eq!(refusal.to_string(), "the kernel refuses it: R0 !read_ok");
    }
}
