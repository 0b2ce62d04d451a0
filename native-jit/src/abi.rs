//! What compiled code and whoever runs it agree on: which register holds what, and where what it is given lies.
//!
//! r0 to r5 are where C functions have their result and their arguments (System V ABI, as Linux's JIT has them), so that
//! a function is called without moving anything; r6 to r9 are where C functions leave them alone, or in functions that
//! call nothing, wherever there is room. `r11` is for the code generator itself.
//!
//! Code is entered as `extern "sysv64" fn(r1, r2, block) -> r0`. The [block](Word) is memory that belongs to a run: words
//! for the runtime and the code, and right behind them the context, so that what the context's fields stand for (the
//! packet's addresses) can be loaded by the address of the context.

use crate::x64::{Gpr, Mem, Set};

/// Where eBPF's r0 to r5 and r10 are. r6 to r9 are given places function by function.
pub const FIXED: [Gpr; 6] = [Gpr::Rax, Gpr::Rdi, Gpr::Rsi, Gpr::Rdx, Gpr::Rcx, Gpr::R8];
/// The frame pointer, r10.
pub const FRAME: Gpr = Gpr::Rbp;
/// The address of the block.
pub const BLOCK: Gpr = Gpr::R12;
/// For the code generator, within an instruction.
pub const SCRATCH: Gpr = Gpr::R11;
/// What a C function gives back as it was.
pub const KEPT: Set = Set::of(&[Gpr::Rbx, Gpr::Rbp, Gpr::R12, Gpr::R13, Gpr::R14, Gpr::R15]);
/// Where r6 to r9 are in functions that call others, the best first.
pub const OVER_CALLS: [Gpr; 4] = [Gpr::Rbx, Gpr::R14, Gpr::R15, Gpr::R13];
/// Where else there may be room in functions that call nothing: r9 and r10, which no argument is in.
pub const SPARE: [Gpr; 2] = [Gpr::R9, Gpr::R10];

/// The words of the block, 8 bytes each. Those that code uses most are last: the block ends where the context begins,
/// and the fewer bytes there are between, the shorter is the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// For the runtime: the run that is under way.
    Run,
    /// The function that calls functions of the environment.
    Call,
    /// Which function is called, by its place in [`Code::callees`](crate::Code::callees).
    Callee,
    /// Behind which machine instruction.
    From,
    /// Where a tail call, or a callback, goes.
    Target,
    /// rsp when the run began, and where to go on when it is ended from within.
    ExitStack,
    /// The instruction that ends a run from within.
    ExitTo,
    /// Whether the run goes on: a [`Status`].
    Status,
    /// How many tail calls there may still be.
    TailCalls,
    /// How often `may_goto` falls through; below 0, never again.
    MayGoto,
    /// Instructions that may be executed; below 0, too many were.
    Budget,
    /// The CPU, as tables count them.
    Cpu,
    /// How many CPUs they have.
    Cpus,
    /// The end of the stack's frame at entry, after that of the function that called.
    Frame,
    /// Where in the packet the network header starts.
    Network,
    /// Where the link-layer header starts; negative when there is none.
    Link,
    /// How many bytes the packet has.
    Length,
    /// The address of its metadata.
    Meta,
    /// The address behind its last byte.
    End,
    /// The address of its first byte.
    Packet,
}

/// Whether a run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It does.
    Running = 0,
    /// Another program takes over.
    TailCall = 1,
    /// A function has ended it. From here on, runs end.
    Stopped = 2,
    /// More instructions than it may have.
    Exhausted = 3,
    /// It returned because a packet load was outside the packet. Only told by code that knows where the block is.
    Outside = 4,
}

/// Tables whose addresses are in the block, before the words: those of their values, or where they hold programs, of a
/// list with the address of each program's code, or 0.
pub const TABLES: usize = bpf64_core::maps::MAX_MAPS;
/// Words before the context, those of tables included.
pub const WORDS: usize = TABLES + Word::Packet as usize + 1;
/// Where [`BLOCK`] points to: this word. So offsets of what is used most fit into a byte.
const ORIGIN: usize = WORDS - 16;
/// Bytes from [`BLOCK`] to the context.
pub const TO_CONTEXT: i32 = ((WORDS - ORIGIN) * 8) as i32;
/// Bytes from the start of the block to where [`BLOCK`] points.
pub const TO_BLOCK: usize = ORIGIN * 8;

impl Word {
    /// Its place among all words.
    #[must_use]
    pub const fn index(self) -> usize {
        TABLES + self as usize
    }

    /// The word, by the address of the block, which is in that register.
    #[must_use]
    pub const fn from(self, register: Gpr) -> Mem {
        Mem::at(register, (self.index() as i32 - ORIGIN as i32) * 8)
    }

    /// The same, by the address of byte `offset` of the context.
    #[must_use]
    pub const fn from_context(self, register: Gpr, offset: i32) -> Mem {
        Mem::at(register, (self.index() as i32 - WORDS as i32) * 8 - offset)
    }
}

/// The word with the address of table `map`, by the address of the block, which is in that register.
#[must_use]
pub const fn table(map: u16, block: Gpr) -> Mem {
    Mem::at(block, (map as i32 - ORIGIN as i32) * 8)
}
