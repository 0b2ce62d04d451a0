//! Tables of the running kernel, made as ours are declared: read and changed from outside, with Linux's numbers for
//! errors, and used by programs in test runs.

use crate::kernel::possible_cpus;
use crate::kernel_ebpf::functions;
use bpf64_core::errno::Errno;
use bpf64_core::isa::{Insn, WideImm, encoding};
use bpf64_core::maps::{MAX_BYTES, MapDef};
use bpf64_core::program::Program;
use bpf64_jit::kernel::bpf;
use bpf64_jit::kernel::program::{self, Question};
use std::io;

/// Room for the verifier's log.
const LOG: usize = 1 << 16;
/// No table that is asked of the kernel may be larger. A perf_event_array of 2^31 entries once took 16 GiB of a
/// machine, and then its kernel's patience: closing it counts in an `int`.
const MAX_ENTRIES: u32 = 1 << 20;

/// A table.
#[derive(Debug)]
pub struct Map(bpf::Map);

/// A program that the verifier accepted.
#[derive(Debug)]
pub struct Loaded(program::Loaded);

/// The number of an error.
fn errno(error: &io::Error) -> Errno {
    Errno(error.raw_os_error().unwrap_or(0))
}

impl Map {
    /// A new table. `inner` is like those inside, for tables of tables.
    ///
    /// # Errors
    /// What the kernel answers, as in all that follows.
    ///
    /// # Panics
    /// When it would be so large that it harms the machine: a mistake of the test.
    pub fn create(def: &MapDef, inner: Option<&Map>) -> Result<Self, Errno> {
        assert!(
            def.max_entries <= MAX_ENTRIES && def.kind.bytes(def) <= MAX_BYTES,
            "{def} is too large to be asked for"
        );
        let outside = match def.kind.per_cpu() {
            true => def.value_size.next_multiple_of(8) * possible_cpus(),
            false => def.value_size,
        };
        let shape = bpf::Shape {
            kind: def.kind.number(),
            key_size: def.key_size,
            value_size: def.value_size,
            max_entries: def.max_entries,
            flags: def.flags,
            extra: def.extra.into(),
            outside: outside as usize,
            ..bpf::Shape::default()
        };
        bpf::Map::create(&shape, inner.map(|inner| &inner.0)).map(Map).map_err(|error| errno(&error))
    }

    /// As values of other tables name it.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.0.number() as u32
    }

    /// The kernel's number for it, by which tables of tables answer.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// The value of a key, or without one of a queue. `value` is what a Bloom filter is asked about.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn lookup(&self, key: Option<&[u8]>, value: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        self.0.lookup(key, value).map_err(|error| errno(&error))
    }

    /// Puts a value.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn update(&self, key: Option<&[u8]>, value: &[u8], flags: u64) -> Result<(), Errno> {
        self.0.update(key, value, flags).map_err(|error| errno(&error))
    }

    /// Takes an entry away.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn delete(&self, key: Option<&[u8]>) -> Result<(), Errno> {
        self.0.delete(key).map_err(|error| errno(&error))
    }

    /// Takes a value out.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn take(&self, key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        self.0.take(key).map_err(|error| errno(&error))
    }

    /// The key after `key`, or the first.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn next_key(&self, key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        self.0.next_key(key).map_err(|error| errno(&error))
    }

    /// Nobody outside may change it any more.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn freeze(&self) -> Result<(), Errno> {
        self.0.freeze().map_err(|error| errno(&error))
    }

    /// What a ring buffer of `size` bytes holds, and how many bytes programs have ever taken of it.
    ///
    /// # Errors
    /// When it cannot be mapped.
    pub fn pages(&self, size: usize) -> io::Result<(Vec<u8>, u64)> {
        self.0.ring_buffer(size)
    }
}

impl Loaded {
    /// Has a program of the type numbered `kind` checked, whose tables are these.
    ///
    /// # Errors
    /// The end of the verifier's log, or the failure of the call.
    pub fn new(kind: u32, program: &Program, maps: &[&Map]) -> Result<Self, String> {
        let fd = |index: i32| maps.get(index as usize).map_or(-1, |map| map.0.number());
        let mut bytes = Vec::new();
        for &insn in program.insns() {
            let (first, second) = encoding::encode(&match insn {
                Insn::LoadImm { dst, imm: WideImm::MapFd(index) } => {
                    Insn::LoadImm { dst, imm: WideImm::MapFd(fd(index)) }
                }
                Insn::LoadImm { dst, imm: WideImm::MapFdValue { fd: index, offset } } => {
                    Insn::LoadImm { dst, imm: WideImm::MapFdValue { fd: fd(index), offset } }
                }
                other => other,
            });
            bytes.extend(first.to_bytes());
            bytes.extend(second.map(encoding::Raw::to_bytes).into_iter().flatten());
        }
        let mut log = vec![0; LOG];
        // Functions that go on in other programs have to be described.
        let described = functions::describe(program).map_err(|error| format!("types: {error}"))?;
        let functions = (!functions::starts(program).is_empty()).then_some((&described.0, &described.1[..]));
        let question = Question { kind, program: &bytes, functions, log_level: 1, ..Question::default() };
        program::load(&question, &mut log).map(Loaded).map_err(|error| {
            let end = log.iter().position(|&byte| byte == 0).unwrap_or(LOG);
            format!("{error}: {}", String::from_utf8_lossy(&log[..end]))
        })
    }

    /// As values of tables name it.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.0.number() as u32
    }

    /// The kernel's number for it, by which tables answer.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Runs it on a packet: the low half of its result.
    ///
    /// # Errors
    /// When the kernel does not take the packet.
    pub fn run(&self, packet: &[u8]) -> io::Result<u32> {
        self.0.run(packet, 1).map(|run| run.result)
    }

    /// Runs an `xdp` program on a frame that then really goes where it says, in this thread's network.
    ///
    /// # Errors
    /// The kernel's.
    pub fn run_live(&self, packet: &[u8]) -> io::Result<()> {
        self.0.run_live(packet)
    }

    /// Runs a `raw_tracepoint` program in this thread, on this CPU: the low half of its result.
    ///
    /// # Errors
    /// The kernel's.
    pub fn run_raw(&self, arguments: &[u64], cpu: u32) -> io::Result<u32> {
        self.0.run_raw(arguments, cpu)
    }
}
