//! Callable functions: number, name, what it does. The environment picks from these; no engine knows any.
//!
//! Linux's functions keep Linux's numbers and names (include/uapi/linux/bpf.h). The kernel's own conversion of
//! classic programs calls functions that have no number; ours are numbered [`CLASSIC`] plus the ancillary
//! offset they stand for.

use crate::environment::World;
use crate::isa::text::FunctionNames;

/// The number of the function for ancillary load `n` is `CLASSIC + n`.
pub const CLASSIC: i32 = 0x1_0000;

/// A function that programs may call.
#[derive(Clone, Copy)]
pub struct Function {
    /// Its number: the immediate of the call.
    pub id: i32,
    /// Its name, without `bpf_`.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub doc: &'static str,
    /// r1 to r5 to r0.
    pub call: fn(&mut World, [u64; 5]) -> u64,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}#{}", self.name, self.id)
    }
}

/// What a negative result of [`HATYPE`] says: the packet has no device.
pub const NO_DEVICE: u64 = -1i64 as u64;

/// Linux's random numbers.
pub const GET_PRANDOM_U32: Function = Function {
    id: 7,
    name: "get_prandom_u32",
    doc: "gives a random 32-bit number",
    call: |world, _| world.random.next_u32().into(),
};

/// Linux's CPU number.
pub const GET_SMP_PROCESSOR_ID: Function = Function {
    id: 8,
    name: "get_smp_processor_id",
    doc: "gives the number of the CPU the program runs on",
    call: |world, _| world.cpu.into(),
};

/// Ancillary load `nla`.
pub const NLATTR: Function = Function {
    id: CLASSIC + 12,
    name: "classic_nlattr",
    doc: "gives the offset of the netlink attribute of type r3 at or behind offset r2, or 0",
    call: |world, [_, start, wanted, ..]| world.skb.attribute(start as u32, wanted as u32).into(),
};

/// Ancillary load `nlan`.
pub const NLATTR_NEST: Function = Function {
    id: CLASSIC + 16,
    name: "classic_nlattr_nest",
    doc: "gives the offset of the netlink attribute of type r3 inside the one at offset r2, or 0",
    call: |world, [_, start, wanted, ..]| world.skb.nested_attribute(start as u32, wanted as u32).into(),
};

/// Ancillary load `hatype`.
pub const HATYPE: Function = Function {
    id: CLASSIC + 28,
    name: "classic_hatype",
    doc: "gives the hardware type of the packet's device, or -1 when it has none",
    call: |world, _| world.skb.device.map_or(NO_DEVICE, |device| device.hatype.into()),
};

/// Ancillary load `poff`.
pub const PAYLOAD_OFFSET: Function = Function {
    id: CLASSIC + 52,
    name: "classic_payload_offset",
    doc: "gives the offset of the transport payload in the packet, or 0",
    call: |world, _| world.skb.payload_offset().into(),
};

/// What socket filters may call.
pub const SOCKET_FILTER: &[Function] =
    &[GET_PRANDOM_U32, GET_SMP_PROCESSOR_ID, NLATTR, NLATTR_NEST, HATYPE, PAYLOAD_OFFSET];

impl FunctionNames for &[Function] {
    fn name(&self, id: i32) -> Option<&str> {
        self.iter().find(|function| function.id == id).map(|function| function.name)
    }

    fn number(&self, name: &str) -> Option<i32> {
        self.iter().find(|function| function.name == name).map(|function| function.id)
    }

    fn all(&self) -> Vec<&str> {
        self.iter().map(|function| function.name).collect()
    }
}
