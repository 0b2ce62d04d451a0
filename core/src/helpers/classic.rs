//! Functions that stand for classic BPF's ancillary loads. Linux calls kernel functions without a number for them; ours
//! are numbered [`CLASSIC`] plus the ancillary offset they stand for.

use super::{Arg, Function, Implementation, Prototype, Ret};

/// The number of the function for ancillary load `n` is `CLASSIC + n`.
pub const CLASSIC: i32 = 0x1_0000;

/// What a negative result of [`HATYPE`] says: the packet has no device.
pub const NO_DEVICE: u64 = -1i64 as u64;

/// Ancillary load `nla`.
pub const NLATTR: Function = Function {
    id: CLASSIC + 12,
    name: "classic_nlattr",
    doc: "gives the offset of the netlink attribute of type r3 at or behind offset r2, or 0",
    prototype: Prototype::new(&[Arg::Context, Arg::Anything, Arg::Anything], Ret::Integer),
    call: Implementation::Value(|host, [_, start, wanted, ..]| {
        Ok(host.world().skb.attribute(start as u32, wanted as u32).into())
    }),
};

/// Ancillary load `nlan`.
pub const NLATTR_NEST: Function = Function {
    id: CLASSIC + 16,
    name: "classic_nlattr_nest",
    doc: "gives the offset of the netlink attribute of type r3 inside the one at offset r2, or 0",
    prototype: Prototype::new(&[Arg::Context, Arg::Anything, Arg::Anything], Ret::Integer),
    call: Implementation::Value(|host, [_, start, wanted, ..]| {
        Ok(host.world().skb.nested_attribute(start as u32, wanted as u32).into())
    }),
};

/// Ancillary load `hatype`.
pub const HATYPE: Function = Function {
    id: CLASSIC + 28,
    name: "classic_hatype",
    doc: "gives the hardware type of the packet's device, or -1 when it has none",
    prototype: Prototype::new(&[Arg::Context], Ret::Integer),
    call: Implementation::Value(|host, _| {
        Ok(host.world().skb.device.map_or(NO_DEVICE, |device| device.hatype.into()))
    }),
};

/// Ancillary load `poff`.
pub const PAYLOAD_OFFSET: Function = Function {
    id: CLASSIC + 52,
    name: "classic_payload_offset",
    doc: "gives the offset of the transport payload in the packet, or 0",
    prototype: Prototype::new(&[Arg::Context], Ret::Integer),
    call: Implementation::Value(|host, _| Ok(host.world().skb.payload_offset().into())),
};

/// What converted classic programs may call.
pub static ANCILLARY: &[Function] = &[NLATTR, NLATTR_NEST, HATYPE, PAYLOAD_OFFSET];
