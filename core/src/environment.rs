//! What surrounds a program: the context it sees, the functions it may call, what its result means.
//!
//! Interpreter, verifier and JIT take an [`Environment`] as a parameter and know nothing else of the outside
//! world; a new program type is a new value of this type and changes no engine.

mod given;
mod tally;
mod types;
mod world;

pub use tally::Tally;
pub use types::trace::{KPROBE, PERF_EVENT, RAW_TRACEPOINT, TRACEPOINT, record};
pub use types::{
    ALL, CGROUP_SKB, CGROUP_SKB_EGRESS, MEMORY, SCHED_ACT, SCHED_CLS, SECCOMP, SOCKET_FILTER, XDP,
};
pub use world::{Process, Random, Redirect, Stacks, Stretch, World};

use crate::context::Description;
use crate::helpers::{self, Function, Functions};
use std::borrow::Cow;
use std::fmt;
use std::ops::{Deref, RangeInclusive};
use std::rc::Rc;

/// A program type: context description, function table, meaning of the result.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Its name, as `--type` and `.type` write it.
    pub name: Cow<'static, str>,
    /// Linux's number for it (`BPF_PROG_TYPE_…`); 0 for what Linux does not have.
    pub number: u32,
    /// What the context's bytes mean.
    pub context: Cow<'static, Description>,
    /// Fills in the context's bytes as a run finds them, over what the buffer holds.
    pub fill: fn(&Environment, &World, &mut Vec<u8>),
    /// r1 and r2 at entry.
    pub arguments: Arguments,
    /// What to do when the context was changed at this offset, by the program or by whoever sets up a run: what was
    /// written is the world's, too.
    pub stored: fn(&mut World, &[u8], usize),
    /// How programs reach the packet.
    pub packet: PacketAccess,
    /// What may be called, in groups.
    pub functions: Functions,
    /// What r0 at exit means.
    pub verdict: fn(u64) -> Verdict,
    /// Whether each function may have a stack of its own, so that nested calls take no more than one
    /// (`bpf_enable_priv_stack`).
    pub own_stacks: bool,
    /// What r0 at exit may be, all 64 bits with sign, where not every number will do (`check_return_code`).
    pub returns: Option<RangeInclusive<i64>>,
}

/// How programs reach the packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PacketAccess {
    /// By legacy packet loads (`may_access_skb`).
    pub legacy: bool,
    /// Writing to its addresses (`may_access_direct_pkt_data`); whether there are such addresses, the context's fields
    /// say.
    pub writable: bool,
    /// Whether it begins at the network header, and not where the device put it.
    pub from_network: bool,
}

/// A program type, one that is built in or one made at run time. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ProgramType(Owner);

#[derive(Debug, Clone)]
enum Owner {
    BuiltIn(&'static Environment),
    Shared(Rc<Environment>),
}

impl Deref for ProgramType {
    type Target = Environment;

    fn deref(&self) -> &Environment {
        match &self.0 {
            Owner::BuiltIn(environment) => environment,
            Owner::Shared(environment) => environment,
        }
    }
}

/// The same name and the same context: enough to tell types apart.
impl PartialEq for ProgramType {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.context == other.context
    }
}

impl ProgramType {
    /// What a program is when nobody says.
    #[must_use]
    pub fn socket_filter() -> Self {
        ProgramType(Owner::BuiltIn(&SOCKET_FILTER))
    }
}

impl From<&'static Environment> for ProgramType {
    fn from(environment: &'static Environment) -> Self {
        ProgramType(Owner::BuiltIn(environment))
    }
}

impl From<Environment> for ProgramType {
    fn from(environment: Environment) -> Self {
        ProgramType(Owner::Shared(Rc::new(environment)))
    }
}

/// What a program is given in r1 and r2; the others hold nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arguments {
    /// The context's address.
    Context,
    /// The packet's address and its length, both 0 when it is empty.
    Packet,
}

impl Arguments {
    /// r1 and r2 in this world.
    #[must_use]
    #[inline]
    pub fn of(self, world: &World) -> [Argument; 2] {
        match (self, world.skb.packet.len() as u64) {
            (Arguments::Context, _) => [Argument::Context, Argument::Number(0)],
            (Arguments::Packet, 0) => [Argument::Number(0); 2],
            (Arguments::Packet, length) => [Argument::Packet, Argument::Number(length)],
        }
    }
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

/// What a program's result means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The packet is thrown away.
    Dropped,
    /// The packet is kept, up to so many bytes.
    Accepted {
        /// Bytes kept at most; more than the packet has keeps all.
        kept: u32,
    },
    /// What the program type does next, by the name of its constant.
    Action {
        /// The name.
        name: &'static str,
        /// Whether the packet goes on its way, or another, or the event is kept.
        passes: bool,
    },
    /// It is a number, which nobody takes for a decision.
    Number,
}

impl Verdict {
    /// What goes on its way, by the name of a constant.
    #[must_use]
    pub const fn passed(name: &'static str) -> Self {
        Verdict::Action { name, passes: true }
    }

    /// What ends there, by the name of a constant.
    #[must_use]
    pub const fn ended(name: &'static str) -> Self {
        Verdict::Action { name, passes: false }
    }

    /// Whether the packet or event is kept, or goes on. What is no decision keeps nobody.
    #[must_use]
    pub const fn is_accepted(self) -> bool {
        match self {
            Verdict::Dropped => false,
            Verdict::Accepted { .. } | Verdict::Number => true,
            Verdict::Action { passes, .. } => passes,
        }
    }

    /// In a word, by which equal ones are counted.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Verdict::Dropped => "dropped",
            Verdict::Accepted { .. } => "accepted",
            Verdict::Action { name, .. } => name,
            Verdict::Number => "a number",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Accepted { kept: 1 } => f.write_str("accepted, 1 byte kept"),
            Verdict::Accepted { kept } => write!(f, "accepted, {kept} bytes kept"),
            Verdict::Dropped | Verdict::Action { .. } | Verdict::Number => f.write_str(self.word()),
        }
    }
}

impl Environment {
    /// The function numbered `id`.
    #[must_use]
    pub fn function(&self, id: i32) -> Option<&'static Function> {
        self.functions.iter().copied().flatten().find(|function| function.id == id)
    }

    /// The name of the function numbered `id`, also if programs of this type do not have it.
    #[must_use]
    pub fn name(&self, id: i32) -> Option<&'static str> {
        self.function(id).map(|function| function.name).or_else(|| helpers::name_in_linux(id))
    }

    /// Whether bpf(2)'s test run shows a packet to programs of this type from behind its Ethernet header on
    /// (`bpf_prog_test_run_skb`).
    #[must_use]
    pub fn tested_behind_ethernet(&self) -> bool {
        self.packet.from_network || self.number == SOCKET_FILTER.number
    }

    /// The built-in type of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Environment> {
        ALL.into_iter().find(|known| known.name == name)
    }
}
