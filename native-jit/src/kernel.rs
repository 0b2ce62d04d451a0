//! The running Linux kernel, asked by bpf(2): has its verifier look at a program, and runs what it accepts on a packet.
//!
//! The standard library has no such call, and the crates that have one load object files of their own. So all `unsafe`
//! of asking the kernel is here, behind functions that are safe: each hands the kernel pointers to memory that it owns
//! or borrows for the length of the call. Structures are those of `union bpf_attr` (include/uapi/linux/bpf.h); the
//! kernel takes shorter ones than its own, and reads what is missing as zeros.
#![allow(unsafe_code)]

use bpf64_core::environment::Environment;
use bpf64_core::isa::{Insn, WideImm, encoding};
use bpf64_core::maps::MapDef;
use bpf64_core::program::Program;
use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

const MAP_CREATE: i32 = 0;
const MAP_UPDATE_ELEM: i32 = 2;
const PROG_LOAD: i32 = 5;
const PROG_TEST_RUN: i32 = 10;

/// What is not permitted (`EPERM`), and what there is no room for (`ENOSPC`: a log).
const EPERM: i32 = 1;
const ENOSPC: i32 = 28;
/// Kinds that have a value for each CPU, and kinds that hold maps (`BPF_MAP_TYPE_…`).
const PER_CPU_OR_OF_MAPS: [u32; 6] = [5, 6, 10, 12, 13, 21];
/// `BPF_F_RDONLY_PROG`
const RDONLY_PROG: u32 = 1 << 7;
/// How often a call is repeated that a signal interrupted (`EINTR`, and `EAGAIN` from the verifier).
const PATIENCE: usize = 10;

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
    program: OwnedFd,
    /// Kept as long as the program may be run.
    _tables: Vec<OwnedFd>,
    log: String,
}

/// What test runs gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The low half of r0.
    pub result: u32,
    /// Nanoseconds a run took on the average, as the kernel measured it.
    pub nanoseconds: u32,
    /// The packet after the last run.
    pub packet: Vec<u8>,
}

/// Has the kernel verify and load a program, with its tables.
///
/// Freeing thousands of programs at once can lock a kernel up for good: whoever loads many pauses now and then.
///
/// # Errors
/// The kernel's refusal, or why it cannot be asked.
pub fn load(environment: &Environment, program: &Program, level: Log) -> Result<Loaded, Refusal> {
    let tables = program.maps().iter().map(|def| table(def)).collect::<Result<Vec<_>, _>>()?;
    let mut bytes = Vec::with_capacity(program.insns().len() * 8);
    for &insn in program.insns() {
        let (first, second) = encoding::encode(&named(insn, &tables));
        bytes.extend(first.to_bytes());
        bytes.extend(second.map(encoding::Raw::to_bytes).into_iter().flatten());
    }
    let mut log = vec![0; level.room()];
    let mut attr = ProgLoad {
        prog_type: environment.number,
        insn_cnt: (bytes.len() / 8) as u32,
        insns: address(bytes.as_ptr()),
        license: address(c"GPL".as_ptr()),
        log_level: level as u32,
        log_size: log.len() as u32,
        log_buf: if log.is_empty() { 0 } else { address(log.as_mut_ptr()) },
        // `BPF_CGROUP_INET_EGRESS`
        expected_attach_type: u32::from(environment.name.ends_with("_egress")),
        ..ProgLoad::default()
    };
    // SAFETY: the kernel reads `insn_cnt` slots of 8 bytes and a string that ends with 0, and writes at most `log_size`
    // bytes into the log, which is that long.
    let result = unsafe { bpf(PROG_LOAD, &mut attr) };
    let end = log.iter().position(|&byte| byte == 0).unwrap_or(log.len());
    let log = String::from_utf8_lossy(&log[..end]).into_owned();
    match result {
        Ok(fd) => {
            // SAFETY: what the kernel gives is a new descriptor, which nobody else has.
            let program = unsafe { OwnedFd::from_raw_fd(fd) };
            Ok(Loaded { program, _tables: tables, log })
        }
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

/// A table as it is declared.
fn table(def: &MapDef) -> Result<OwnedFd, Refusal> {
    let number = def.kind.number();
    if PER_CPU_OR_OF_MAPS.contains(&number) && !def.entries.is_empty() || def.inner.is_some() {
        return Err(Refusal::Table(format!(
            "`{}`: tables of tables are not filled there from here",
            def.name
        )));
    }
    let mut attr = MapCreate {
        map_type: number,
        key_size: def.key_size,
        value_size: def.value_size,
        max_entries: def.max_entries,
        map_flags: def.flags | if def.constant { RDONLY_PROG } else { 0 },
        inner_map_fd: 0,
    };
    let refused = |error: io::Error| match error.raw_os_error() {
        Some(EPERM) => unavailable("a table", &error),
        _ => Refusal::Table(format!("`{}`: {error}", def.name)),
    };
    // SAFETY: there is no pointer in it; a number that is not negative is a new descriptor, which nobody else has.
    let fd = unsafe { OwnedFd::from_raw_fd(bpf(MAP_CREATE, &mut attr).map_err(refused)?) };
    for (key, value) in &def.entries {
        if (key.len(), value.len()) != (def.key_size as usize, def.value_size as usize) {
            return Err(Refusal::Table(format!("`{}`: an entry is not of its size", def.name)));
        }
        let mut attr = MapElem {
            map_fd: fd.as_raw_fd() as u32,
            _padding: 0,
            key: address(key.as_ptr()),
            value: address(value.as_ptr()),
            flags: 0,
        };
        // SAFETY: the kernel reads a key and a value of the map's sizes, which was just seen; they outlive the call.
        unsafe { bpf(MAP_UPDATE_ELEM, &mut attr) }.map_err(refused)?;
    }
    Ok(fd)
}

/// The instruction with the kernel's numbers for tables.
fn named(insn: Insn, tables: &[OwnedFd]) -> Insn {
    let number =
        |at: i32| usize::try_from(at).ok().and_then(|at| tables.get(at)).map_or(-1, |fd| fd.as_raw_fd());
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

    /// Runs it so many times on a packet (`BPF_PROG_TEST_RUN`).
    ///
    /// # Errors
    /// The kernel's: it takes no packet shorter than an Ethernet header, none whose IP header is cut off, and runs only
    /// types that see packets.
    pub fn run(&self, packet: &[u8], repeat: u32) -> io::Result<Run> {
        // A program may make a packet longer; what does not fit is told by an error.
        let mut after = vec![0; packet.len() + 256];
        let mut attr = TestRun {
            prog_fd: self.program.as_raw_fd() as u32,
            retval: 0,
            data_size_in: packet.len() as u32,
            data_size_out: after.len() as u32,
            data_in: address(packet.as_ptr()),
            data_out: address(after.as_mut_ptr()),
            repeat,
            duration: 0,
        };
        // SAFETY: the kernel reads `data_size_in` bytes of the packet and writes at most `data_size_out` bytes to `after`,
        // which is that long; it keeps neither pointer.
        unsafe { bpf(PROG_TEST_RUN, &mut attr) }?;
        after.truncate(attr.data_size_out as usize);
        Ok(Run { result: attr.retval, nanoseconds: attr.duration, packet: after })
    }
}

#[repr(C)]
struct MapCreate {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
    inner_map_fd: u32,
}

#[repr(C)]
struct MapElem {
    map_fd: u32,
    _padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[repr(C)]
#[derive(Default)]
struct ProgLoad {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
    prog_ifindex: u32,
    expected_attach_type: u32,
}

#[repr(C)]
struct TestRun {
    prog_fd: u32,
    retval: u32,
    data_size_in: u32,
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
}

/// A pointer as the kernel takes it: a number of 64 bits.
fn address<T>(pointer: *const T) -> u64 {
    pointer.addr() as u64
}

/// The call itself.
///
/// # Safety
/// Every pointer in `attr` is valid, for writing where the kernel writes, for the length that `attr` says.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
unsafe fn bpf<A>(command: i32, attr: &mut A) -> io::Result<i32> {
    use std::ffi::c_long;

    const SYS_BPF: c_long = if cfg!(target_arch = "x86_64") { 321 } else { 280 };

    unsafe extern "C" {
        fn syscall(number: c_long, ...) -> c_long;
    }

    for _ in 0..PATIENCE {
        // SAFETY: the kernel reads and writes at most the size given of `attr`, which is borrowed for the call; what
        // its pointers point to, the caller answers for.
        let result = unsafe {
            syscall(SYS_BPF, c_long::from(command), std::ptr::from_mut(attr), size_of::<A>() as c_long)
        };
        if result >= 0 {
            return Ok(result as i32);
        }
        let error = io::Error::last_os_error();
        if !matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) {
            return Err(error);
        }
    }
    Err(io::ErrorKind::Interrupted.into())
}

/// There is no such call elsewhere, or its number is not known here.
///
/// # Safety
/// It does nothing.
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
unsafe fn bpf<A>(_: i32, _: &mut A) -> io::Result<i32> {
    Err(io::ErrorKind::Unsupported.into())
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
