//! The running Linux kernel as an engine for eBPF: a test run (`BPF_PROG_TEST_RUN`) of what its verifier accepts.
//!
//! A test run gives 32 bits of r0. For all 64, and for registers that start with numbers the verifier must not know
//! (it would compute with them and take out branches), the program is put between two short pieces that talk to a
//! map's value:
//!
//! ```text
//! 0: goto start
//!    r1 = &value; value[0] = r0; value[1] = 1; r0 = 0; exit        each `exit` of the main function goes here
//! start:
//!    r2 = value[4]; r3 = value[5]; …                               registers that the input gives
//!    the program
//! ```
//!
//! Its tables are made as it declares them, when it is loaded; they keep what they hold from run to run, and
//! [`Loaded::table`] reads and writes them from outside.

pub(crate) mod functions;
mod judge;
mod tables;

pub use judge::{Manner, Tables};
pub use tables::Table;

use crate::engine::{Engine, Outcome, Skip};
use crate::input::{self, Input};
use crate::kernel;
use bpf64_core::context::skb::Skb;
use bpf64_core::environment::Environment;
use bpf64_core::isa::{Callee, Insn, Reg, Size, Src, WideImm, encoding};
use bpf64_core::maps::{MapDef, change};
use bpf64_core::program::Program;
use bpf64_jit::kernel::{bpf, program};
use std::fmt;
use std::io;
use std::rc::Rc;

/// A program type that can be run on a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgramType {
    /// Sees the packet behind its 14 bytes of Ethernet header, and may not write it.
    SocketFilter = 1,
    /// Sees the packet from its first byte.
    SchedCls = 3,
    /// The same.
    SchedAct = 4,
    /// Sees the packet from its first byte, before there is an `sk_buff`.
    Xdp = 6,
    /// Sees the packet behind its 14 bytes of Ethernet header.
    CgroupSkb = 8,
}

impl ProgramType {
    /// Ours that is the same.
    #[must_use]
    pub fn environment(self) -> &'static Environment {
        use bpf64_core::environment::{CGROUP_SKB, SCHED_ACT, SCHED_CLS, SOCKET_FILTER, XDP};
        match self {
            ProgramType::SocketFilter => &SOCKET_FILTER,
            ProgramType::SchedCls => &SCHED_CLS,
            ProgramType::SchedAct => &SCHED_ACT,
            ProgramType::Xdp => &XDP,
            ProgramType::CgroupSkb => &CGROUP_SKB,
        }
    }

    /// The type that an environment stands for, if it can be run on a packet.
    #[must_use]
    pub fn of(environment: &Environment) -> Option<Self> {
        use ProgramType::{CgroupSkb, SchedAct, SchedCls, SocketFilter, Xdp};
        let known = [SocketFilter, SchedCls, SchedAct, Xdp, CgroupSkb];
        known.into_iter().find(|kind| *kind as u32 == environment.number)
    }
}

/// What a run gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// All of r0.
    pub r0: u64,
    /// The packet afterwards; of a socket filter, with zeros for the Ethernet header.
    pub packet: Vec<u8>,
}

/// Why a program cannot be run.
#[derive(Debug)]
pub enum Refusal {
    /// The verifier does not accept it; this is its log.
    Verifier(String),
    /// A table cannot be made as it is declared.
    Map {
        /// Its name.
        name: String,
        /// What the kernel says.
        error: io::Error,
    },
    /// A call failed for another reason.
    System(io::Error),
}

/// The kernel, and the map through which programs answer.
#[derive(Debug)]
pub struct Kernel {
    map: bpf::Map,
}

/// A program that the verifier accepted.
#[derive(Debug)]
pub struct Loaded<'a> {
    kernel: &'a Kernel,
    program: program::Loaded,
    defs: Vec<Rc<MapDef>>,
    maps: Vec<bpf::Map>,
}

/// What the verifier says of a program.
#[derive(Debug)]
pub struct Verdict {
    /// Whether it may be loaded.
    pub accepted: bool,
    /// The log, whose end is the reason if it may not.
    pub log: String,
}

/// Bytes of the Ethernet header, which every packet of a test run begins with.
const ETHERNET_HEADER: usize = 14;
/// The longest packet of a test run that has an `sk_buff`.
const MAX_PACKET: usize = 3712;
/// "No space left": a log that does not fit its buffer.
const ENOSPC: i32 = 28;
/// Room for the verifier's log of a program it refuses; the kernel keeps the end of a longer one.
const LOG: usize = 1 << 20;

// Where what is in the map's value, counted in 8 bytes: the result, whether there is one, and r0 to r9.
const RESULT: usize = 0;
const ENDED: usize = 1;
const REGISTERS: usize = 2;
/// What the map's value is.
type Value = [u64; 12];

impl Kernel {
    /// The kernel, if it can be asked. `probe` is the program `probe-kernel` of this crate, which tells whether it
    /// answers at all.
    ///
    /// # Errors
    /// Why not.
    pub fn open(probe: &str) -> Result<Self, String> {
        drop(kernel::Kernel::open(probe)?);
        let needs = |what: &str, why: &dyn fmt::Display| format!("needs CAP_BPF or root: {what}: {why}");
        let outside = size_of::<Value>();
        let shape = bpf::Shape {
            kind: 2,
            key_size: 4,
            value_size: outside as u32,
            max_entries: 1,
            flags: 0,
            outside,
            ..Default::default()
        };
        let map = bpf::Map::create(&shape, None).map_err(|error| needs("a map", &error))?;
        let kernel = Kernel { map };
        let exit = Program::new(vec![mov(Reg::R0, 7), Insn::Exit], Vec::new()).expect("it ends with `exit`");
        let loaded =
            kernel.load(ProgramType::SocketFilter, &exit, &[]).map_err(|error| needs("a program", &error))?;
        match loaded.run(&[], &[0; ETHERNET_HEADER]) {
            Ok(answer) if answer.r0 == 7 => {}
            Ok(answer) => return Err(format!("test runs give {} instead of 7 here", answer.r0)),
            Err(error) => return Err(needs("a test run", &error)),
        }
        drop(loaded);
        Ok(kernel)
    }

    /// Makes the program's tables and has the verifier check the program, whose registers `given` will start with
    /// numbers that it does not know.
    ///
    /// # Errors
    /// The verifier's refusal with its log, a table that cannot be made, or the failure of the call.
    pub fn load(&self, kind: ProgramType, program: &Program, given: &[Reg]) -> Result<Loaded<'_>, Refusal> {
        let defs = program.maps().to_vec();
        let maps = tables::create(&defs).map_err(|(name, error)| Refusal::Map { name, error })?;
        let program = self.answering(program, given, &maps);
        let described = if functions::has_address(&program) {
            Some(functions::describe(&program).map_err(Refusal::System)?)
        } else {
            None
        };
        let bytes = program.encode();
        let mut question = program::Question {
            kind: kind as u32,
            program: &bytes,
            maps: &maps,
            functions: described.as_ref().map(|(btf, functions)| (btf, &functions[..])),
            ..program::Question::default()
        };
        // Again when it is refused, for the reasons: the log costs too much to ask for it each time.
        let program = program::load(&question, &mut []).or_else(|_| {
            let mut log = vec![0; LOG];
            question.log_level = 1;
            program::load(&question, &mut log).map_err(|error| match text(&log).trim_end() {
                "" => Refusal::System(error),
                text => Refusal::Verifier(text.to_owned()),
            })
        })?;
        Ok(Loaded { kernel: self, program, defs, maps })
    }

    /// What the verifier says of a program, at a level of its log: 2 tells every state on every path, 4 only the reason
    /// and what it took. In the program, an address in the value of map 0 stands for the map that this kernel answers
    /// through.
    ///
    /// # Errors
    /// When the call fails for another reason than the program, or the log does not fit into its buffer.
    pub fn verify(&self, kind: ProgramType, program: &[Insn], level: u32) -> io::Result<Verdict> {
        let mut bytes = Vec::new();
        for insn in program {
            let (first, second) = encoding::encode(&descriptors(*insn, std::slice::from_ref(&self.map)));
            bytes.extend(first.to_bytes());
            bytes.extend(second.map(encoding::Raw::to_bytes).into_iter().flatten());
        }
        let mut log = vec![0; LOG];
        let question =
            program::Question { kind: kind as u32, program: &bytes, log_level: level, ..Default::default() };
        let result = program::load(&question, &mut log);
        let log = text(&log);
        match result {
            Ok(_) => Ok(Verdict { accepted: true, log }),
            Err(error) if log.is_empty() || error.raw_os_error() == Some(ENOSPC) => Err(error),
            Err(_) => Ok(Verdict { accepted: false, log }),
        }
    }

    /// The program between the pieces that talk to the map, with descriptors for its tables.
    fn answering(&self, program: &Program, given: &[Reg], maps: &[bpf::Map]) -> Program {
        let value = |reg, at: usize| Insn::LoadImm {
            dst: reg,
            imm: WideImm::MapFdValue { fd: self.map.number(), offset: 8 * at as i32 },
        };
        let store = |offset: usize, src| Insn::Store {
            size: Size::DW,
            base: Reg::R1,
            offset: 8 * offset as i16,
            src,
        };
        let epilogue = [
            value(Reg::R1, 0),
            store(RESULT, Src::Reg(Reg::R0)),
            store(ENDED, Src::Imm(1)),
            mov(Reg::R0, 0),
            Insn::Exit,
        ];
        let mut insns = vec![Insn::Jump { offset: epilogue.iter().map(Insn::slots).sum::<u32>() as i16 }];
        insns.extend(epilogue);
        if let Some((&base, others)) = given.split_first() {
            insns.push(value(base, REGISTERS));
            // The register that holds the address comes last.
            for &dst in others.iter().chain([&base]) {
                let offset = 8 * dst.index() as i16;
                insns.push(Insn::Load { size: Size::DW, signed: false, dst, base, offset });
            }
        }
        let mut next: u32 = insns.iter().map(Insn::slots).sum();
        // All before the first function that is called is the main function, as the kernel sees it.
        let functions = functions::starts(program).into_iter().find(|&slot| slot > 0).unwrap_or(u32::MAX);
        for pc in program.pcs() {
            let insn = program.insn(pc);
            next += insn.slots();
            insns.push(match insn {
                Insn::Exit if program.slot(pc).0 < functions => Insn::JumpLong { offset: 1 - next as i32 },
                other => descriptors(other, maps),
            });
        }
        Program::new(insns, Vec::new()).expect("what was put before a program leaves its jumps as they were")
    }
}

/// A log's text, which ends with a byte 0.
fn text(log: &[u8]) -> String {
    let end = log.iter().position(|&byte| byte == 0).unwrap_or(log.len());
    String::from_utf8_lossy(&log[..end]).into_owned()
}

/// A wide load of a table by its place among `maps`, as the kernel wants it: by descriptor.
fn descriptors(insn: Insn, maps: &[bpf::Map]) -> Insn {
    // What is not there has no descriptor, so the kernel refuses it.
    let number =
        |index: i32| usize::try_from(index).ok().and_then(|at| maps.get(at)).map_or(-1, bpf::Map::number);
    match insn {
        Insn::LoadImm { dst, imm: WideImm::MapFd(index) } => {
            Insn::LoadImm { dst, imm: WideImm::MapFd(number(index)) }
        }
        Insn::LoadImm { dst, imm: WideImm::MapFdValue { fd, offset } } => {
            Insn::LoadImm { dst, imm: WideImm::MapFdValue { fd: number(fd), offset } }
        }
        other => other,
    }
}

fn mov(dst: Reg, imm: i32) -> Insn {
    use bpf64_core::isa::{AluOp, Width};
    Insn::Alu { width: Width::W64, op: AluOp::Mov, dst, src: Src::Imm(imm) }
}

impl Loaded<'_> {
    /// Runs it once.
    ///
    /// # Errors
    /// When the kernel does not take the packet.
    pub fn run(&self, registers: &[(Reg, u64)], packet: &[u8]) -> io::Result<Answer> {
        let mut value = Value::default();
        for (reg, number) in registers {
            value[REGISTERS + reg.index()] = *number;
        }
        let key = 0u32.to_le_bytes();
        self.kernel.map.update(Some(&key), &value.map(u64::to_le_bytes).concat(), change::ANY)?;
        let program::Run { result, packet, .. } = self.program.run(packet, 1)?;
        let value = self.kernel.map.lookup(Some(&key), None)?;
        let word = |at: usize| value.as_chunks().0.get(at).map_or(0, |&word| u64::from_le_bytes(word));
        // A packet load outside the packet ends a program at once, with 0.
        let r0 = if word(ENDED) == 1 { word(RESULT) } else { result.into() };
        Ok(Answer { r0, packet })
    }

    /// The table of the program with this number.
    #[must_use]
    pub fn table(&self, number: usize) -> Option<Table<'_>> {
        self.defs.get(number).zip(self.maps.get(number)).map(|(def, map)| Table::new(def, map))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Verifier(log) => f.write_str(log),
            Refusal::Map { name, error } => write!(f, "map `{name}`: {error}"),
            Refusal::System(error) => error.fmt(f),
        }
    }
}

/// How the kernel can be given this input: the program type, and the packet from its first byte on.
///
/// # Errors
/// Why it cannot.
pub fn question(program: &Program, input: &Input) -> Result<(ProgramType, Vec<u8>), Skip> {
    if program.insns().iter().any(|insn| matches!(insn, Insn::Call(Callee::Helper(7 | 8)))) {
        return Err(Skip("the CPU and random numbers are the kernel's own"));
    }
    let skb = &input.world.skb;
    let (kind, packet) = if *skb == input::bare(skb.packet.clone()).skb {
        // EtherType 0: the kernel looks for no IP header.
        (ProgramType::SocketFilter, [&[0; ETHERNET_HEADER], &skb.packet[..]].concat())
    } else if *skb == Skb::ethernet(skb.packet.clone()) {
        (ProgramType::SchedCls, skb.packet.clone())
    } else {
        return Err(Skip("the kernel makes the packet's surroundings itself"));
    };
    match packet.len() {
        0..ETHERNET_HEADER => Err(Skip("test runs take no packet without an Ethernet header")),
        ETHERNET_HEADER..=MAX_PACKET => Ok((kind, packet)),
        _ => Err(Skip("test runs take no packet as long as that")),
    }
}

impl Engine<Program> for Kernel {
    fn name(&self) -> &'static str {
        "Linux"
    }

    fn run(&self, program: &Rc<Program>, input: &Input) -> Result<Outcome, Skip> {
        let (kind, packet) = question(program, input)?;
        let given: Vec<Reg> = input.registers.iter().map(|&(reg, _)| reg).collect();
        let answer = match self.load(kind, program, &given) {
            Ok(loaded) => loaded.run(&input.registers, &packet),
            Err(refusal) => return Ok(Outcome::Trap(format!("refused: {refusal}"))),
        };
        Ok(match answer {
            Ok(answer) => Outcome::Value(answer.r0),
            Err(error) => Outcome::Trap(format!("not run: {error}")),
        })
    }
}
