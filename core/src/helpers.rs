//! Functions that programs may call: what a number means to the verifier, and what a call does to the world.
//!
//! Numbers and names are Linux's (include/uapi/linux/bpf.h, without the `bpf_`). The kernel's own conversion of
//! classic programs calls functions that have no number; theirs are [`classic`].

pub mod absent;
pub mod checksum;
pub mod classic;
pub mod events;
pub mod flow;
pub mod maps;
pub mod packet;
pub mod print;
pub mod probe;
pub mod prototype;
pub mod redirect;
pub mod ringbuf;
pub mod system;
pub mod text;
pub mod xdp;

pub use classic::{CLASSIC, HATYPE, NLATTR, NLATTR_NEST, NO_DEVICE, PAYLOAD_OFFSET};
pub use prototype::{Arg, Callback, Given, Prototype, Ret, Tables};
pub use system::{GET_PRANDOM_U32, GET_SMP_PROCESSOR_ID};

use crate::environment::World;
use crate::errno::Errno;
use crate::isa::Reg;
use crate::isa::text::FunctionNames;
use crate::machine::{Quantity, Sent, TrapKind};
use crate::maps::{Access, Kind, MapDef};
use std::rc::Rc;

/// A function that programs may call.
#[derive(Clone, Copy)]
pub struct Function {
    /// Its number: the immediate of the call.
    pub id: i32,
    /// Its name, without `bpf_`.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub doc: &'static str,
    /// What it takes and gives.
    pub prototype: Prototype,
    /// What a call does.
    pub call: Implementation,
}

impl Function {
    /// Whether it may be given tables of this kind: kinds name functions, and functions name kinds.
    #[must_use]
    pub fn is_for(&self, kind: &dyn Kind) -> bool {
        let named = match self.prototype.tables {
            Tables::Any => !kind.is_choosy(),
            Tables::Of(kinds) => kinds.contains(&kind.number()),
        };
        named || kind.takes(self.id)
    }
}

/// What a call does. A trap is for what no verified program does.
#[derive(Clone, Copy)]
pub enum Implementation {
    /// r1 to r5 to r0.
    Value(fn(&mut dyn Host, [u64; 5]) -> Result<u64, TrapKind>),
    /// It says what runs next, and is asked again when that has returned.
    Control(fn(&mut dyn Host, Turn) -> Result<Next, TrapKind>),
}

/// What a function that controls the flow is asked with: when it is called, and after each of its callbacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// r1 to r5 of the call.
    pub arguments: [u64; 5],
    /// What it said with its last callback, to know where it was; zeros at the call.
    pub state: State,
    /// What the callback returned; `None` at the call.
    pub returned: Option<u64>,
}

/// What a function that calls back keeps from one callback to the next: numbers of its own.
pub type State = [u32; 3];

/// What runs next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The caller, with this in r0.
    Return(u64),
    /// A function of the program's, whose result the function is then asked with.
    Callback {
        /// The function's address.
        function: u64,
        /// r1 to r5.
        with: [u64; 5],
        /// What to be told then.
        state: State,
    },
    /// Another program, from its start and without return; the caller, when there is none of that number, or too many
    /// have followed each other already.
    TailCall {
        /// Its number among the world's.
        program: u32,
    },
}

/// The engine and the world, as a function sees them. Addresses are the engine's own.
pub trait Host {
    /// The world of the run.
    fn world(&mut self) -> &mut World;

    /// Copies memory of the program's into `buffer`.
    ///
    /// # Errors
    /// [`TrapKind::Access`] when the bytes are not all there.
    fn read(&mut self, address: u64, buffer: &mut [u8]) -> Result<(), TrapKind>;

    /// Writes memory of the program's.
    ///
    /// # Errors
    /// [`TrapKind::Access`] when the bytes are not all there, [`TrapKind::ReadOnly`] when they may not be written.
    fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), TrapKind>;

    /// Finds out whether memory of the program's is there, and may be written if that is wanted.
    ///
    /// # Errors
    /// As [`Host::read`] and [`Host::write`].
    fn check(&mut self, address: u64, size: u32, write: bool) -> Result<(), TrapKind>;

    /// The number of the table whose handle is in `reg`.
    ///
    /// # Errors
    /// [`TrapKind::Argument`] when it is no table's.
    fn map(&mut self, reg: Reg, handle: u64) -> Result<u16, TrapKind>;

    /// Uses table `map`, with every change recorded.
    fn table(&mut self, map: u16, what: &mut dyn FnMut(&mut Access<'_>));

    /// The address of byte `offset` of a table's memory.
    fn value_address(&self, map: u16, offset: u32) -> u64;

    /// The table and the offset that [`Host::value_address`] gives this address for; none when it gives it for no table.
    fn value_of(&self, address: u64) -> Option<(u16, u32)>;

    /// Changes a quantity of the world.
    fn set(&mut self, quantity: Quantity, value: u64);

    /// Changes a field of the context, if the program type has it.
    fn set_field(&mut self, name: &str, value: u64);

    /// Replaces the packet.
    fn set_packet(&mut self, packet: &[u8]);

    /// Replaces the [`HEADROOM`](crate::context::skb::HEADROOM) bytes before it.
    fn set_headroom(&mut self, headroom: &[u8]);

    /// Puts a key where the callback that comes next may read it; gives its address.
    fn key(&mut self, key: &[u8]) -> u64;

    /// The handle of a table.
    fn map_handle(&self, map: u16) -> u64;

    /// Prints a line to the trace.
    fn print(&mut self, line: &str);

    /// Sends a packet.
    fn send(&mut self, sent: &Sent);
}

impl dyn Host + '_ {
    /// `size` bytes of the program's memory.
    ///
    /// # Errors
    /// As [`Host::read`].
    pub fn bytes(&mut self, address: u64, size: u32) -> Result<Vec<u8>, TrapKind> {
        self.check(address, size, false)?;
        let mut buffer = vec![0; size as usize];
        self.read(address, &mut buffer)?;
        Ok(buffer)
    }

    /// As many zeros as will be written to `size` bytes of the program's memory.
    ///
    /// # Errors
    /// As [`Host::write`].
    pub fn room(&mut self, address: u64, size: u32) -> Result<Vec<u8>, TrapKind> {
        self.check(address, size, true)?;
        Ok(vec![0; size as usize])
    }

    /// Uses table `map` for a result.
    pub fn with_table<T>(&mut self, map: u16, what: impl FnOnce(&mut Access<'_>) -> T) -> T {
        let (mut what, mut result) = (Some(what), None);
        self.table(map, &mut |table| result = what.take().map(|what| what(table)));
        result.expect("`Host::table` calls what it is given, once")
    }
}

/// What a function returns that only succeeds or fails: 0, or the negative error.
#[must_use]
pub fn result(outcome: Result<(), Errno>) -> u64 {
    outcome.map_or_else(Errno::result, |()| 0)
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}#{}", self.name, self.id)
    }
}

/// Names of the 2014 proposal, and who does today what they did there. Only the names are taken: arguments are today's.
const FORMERLY: [(&str, &str); 4] = [
    ("table_lookup", "map_lookup_elem"),
    ("table_update", "map_update_elem"),
    ("load_pointer", "probe_read_kernel"),
    ("memcmp", "strncmp"),
];

/// The function numbered `id` of any program type.
#[must_use]
pub fn anywhere(id: i32) -> Option<&'static Function> {
    crate::environment::ALL.iter().find_map(|environment| environment.function(id))
}

/// The number of Linux's function of that name, which programs of any type may have, or which only Linux has.
#[must_use]
pub fn number_in_linux(name: &str) -> Option<i32> {
    let of_any_type =
        crate::environment::ALL.iter().find_map(|environment| environment.functions.number(name));
    of_any_type.filter(|&id| id < CLASSIC).or_else(|| absent::number(name))
}

/// The name of Linux's function of that number, which programs of any type may have, or which only Linux has.
#[must_use]
pub fn name_in_linux(id: i32) -> Option<&'static str> {
    anywhere(id).map(|function| function.name).or_else(|| absent::name(id))
}

/// Whether Linux takes a license as compatible with the GPL (`license_is_gpl_compatible`).
#[must_use]
pub fn is_gpl_compatible(license: &str) -> bool {
    matches!(
        license,
        "GPL" | "GPL v2" | "GPL and additional rights" | "Dual BSD/GPL" | "Dual MIT/GPL" | "Dual MPL/GPL"
    )
}

/// Groups of functions; a program type has several.
pub type Functions = &'static [&'static [Function]];

/// What calls and wide loads of a program name.
#[derive(Clone, Copy)]
pub struct Symbols<'a> {
    /// The functions of its program type.
    pub functions: Functions,
    /// Its tables.
    pub maps: &'a [Rc<MapDef>],
}

impl FunctionNames for Symbols<'_> {
    fn name(&self, id: i32) -> Option<&str> {
        self.functions.name(id)
    }

    fn number(&self, name: &str) -> Option<i32> {
        self.functions.number(name)
    }

    fn elsewhere(&self, name: &str) -> Option<i32> {
        self.functions.elsewhere(name)
    }

    fn all(&self) -> Vec<&str> {
        self.functions.all()
    }

    fn map(&self, index: i32) -> Option<&str> {
        self.maps.get(usize::try_from(index).ok()?).map(|map| map.name.as_str())
    }
}

impl FunctionNames for Functions {
    fn name(&self, id: i32) -> Option<&str> {
        self.iter().copied().flatten().find(|function| function.id == id).map(|function| function.name)
    }

    fn number(&self, name: &str) -> Option<i32> {
        let number = |name| {
            self.iter().copied().flatten().find(|function| function.name == name).map(|function| function.id)
        };
        number(name)
            .or_else(|| FORMERLY.iter().find(|(old, _)| *old == name).and_then(|(_, new)| number(new)))
    }

    fn elsewhere(&self, name: &str) -> Option<i32> {
        number_in_linux(name)
    }

    fn all(&self) -> Vec<&str> {
        self.iter().copied().flatten().map(|function| function.name).collect()
    }
}
