//! What surrounds a program: the context it sees, the functions it may call, what its result means.
//!
//! Interpreter, verifier and JIT take an [`Environment`] as a parameter and know nothing else of the outside
//! world; a new program type is a new value of this type and changes no engine.

use crate::context::Description;
use crate::context::skb::{SK_BUFF, Skb};
use crate::helpers::{self, Function};
use std::fmt;

/// A program type: context description, function table, meaning of the result.
#[derive(Debug, Clone, Copy)]
pub struct Environment {
    /// Its name, as `--type` and `.type` write it.
    pub name: &'static str,
    /// What the context's bytes mean.
    pub context: &'static Description,
    /// What a run begins with.
    pub entry: fn(&World) -> Entry,
    /// Whether programs may write the packet.
    pub packet_writable: bool,
    /// What may be called.
    pub functions: &'static [Function],
    /// What r0 at exit means.
    pub verdict: fn(u64) -> Verdict,
}

/// What a program finds when it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The context's bytes.
    pub context: Vec<u8>,
    /// r1 and r2.
    pub arguments: [Argument; 2],
}

/// A register at entry. Addresses are the engine's own, so they are said by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    /// A number.
    Number(u64),
    /// The address of the context.
    Context,
    /// The address of the packet.
    Packet,
}

/// A socket filter: sees packets, says how many bytes of each the socket keeps. Classic filters become this.
pub static SOCKET_FILTER: Environment = Environment {
    name: "socket_filter",
    context: &SK_BUFF,
    entry: |world| Entry {
        context: world.skb.context(),
        arguments: [Argument::Context, Argument::Number(0)],
    },
    packet_writable: false,
    functions: helpers::SOCKET_FILTER,
    verdict: |r0| match r0 as u32 {
        0 => Verdict::Dropped,
        kept => Verdict::Accepted { kept },
    },
};

/// No type of Linux's: a function of bytes. The packet is memory that may be read and written, r1 its address and r2
/// its length, both 0 when it is empty. This is how conformance tests of the instruction set call programs.
pub static MEMORY: Environment = Environment {
    name: "memory",
    context: &Description { name: "nothing", size: 0, fields: &[] },
    entry: |world| {
        let length = world.skb.packet.len() as u64;
        let address = if length == 0 { Argument::Number(0) } else { Argument::Packet };
        Entry { context: Vec::new(), arguments: [address, Argument::Number(length)] }
    },
    packet_writable: true,
    functions: &[],
    verdict: |_| Verdict::Number,
};

/// The program types of this version.
pub static ALL: [&Environment; 1] = [&SOCKET_FILTER];

/// What a program's result means for the packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The packet is thrown away.
    Dropped,
    /// The packet is kept, up to so many bytes.
    Accepted {
        /// Bytes kept at most; more than the packet has keeps all.
        kept: u32,
    },
    /// There is no packet: the result is a number.
    Number,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Dropped => f.write_str("dropped"),
            Verdict::Accepted { kept: 1 } => f.write_str("accepted, 1 byte kept"),
            Verdict::Accepted { kept } => write!(f, "accepted, {kept} bytes kept"),
            Verdict::Number => f.write_str("a number"),
        }
    }
}

impl Environment {
    /// The function numbered `id`.
    #[must_use]
    pub fn function(&self, id: i32) -> Option<&'static Function> {
        self.functions.iter().find(|function| function.id == id)
    }
}

/// The world a run happens in. All of it is input, so that a run repeats exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct World {
    /// The packet.
    pub skb: Skb,
    /// The CPU the program runs on.
    pub cpu: u32,
    /// The state of the random numbers.
    pub random: Random,
}

impl World {
    /// A packet on CPU 0, with the first random sequence.
    #[must_use]
    pub fn new(skb: Skb) -> Self {
        World { skb, cpu: 0, random: Random(0) }
    }
}

/// Random numbers that repeat: splitmix64, a full-period generator whose state is a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Random(pub u64);

impl Random {
    /// The next number, 32 evenly distributed bits.
    pub fn next_u32(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 32) as u32
    }
}
