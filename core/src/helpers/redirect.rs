//! Functions that send packets elsewhere (net/core/filter.c).

use super::maps::table;
use super::{Arg, Function, Host, Implementation, Prototype, Ret};
use crate::environment::Redirect;
use crate::errno::Errno;
use crate::machine::{Quantity, Sent};
use crate::maps::function;

/// `BPF_F_INGRESS`: into the interface instead of out of it.
const INGRESS: u64 = 1;

const REDIRECT: Prototype = Prototype::new(&[Arg::Anything, Arg::Anything], Ret::Integer);

/// Traffic control's.
pub static TRAFFIC_CONTROL: &[Function] = &[
    Function {
        id: 23,
        name: "redirect",
        doc: "says that the packet goes to interface r1; TC_ACT_REDIRECT to return, or TC_ACT_SHOT",
        prototype: REDIRECT,
        call: Implementation::Value(|host, [ifindex, flags, ..]| {
            const SHOT: u64 = 2;
            const REDIRECTED: u64 = 7;
            if flags & !INGRESS != 0 {
                return Ok(SHOT);
            }
            aim(host, Redirect::Device { ifindex: ifindex as u32, ingress: flags & INGRESS != 0 });
            Ok(REDIRECTED)
        }),
    },
    Function {
        id: 13,
        name: "clone_redirect",
        doc: "sends a copy of the packet to interface r2; 0, or a negative error",
        prototype: Prototype::new(&[Arg::Context, Arg::Anything, Arg::Anything], Ret::Integer)
            .moving_packet(),
        // Every interface is there but 0, which none is called.
        call: Implementation::Value(|host, [_, ifindex, flags, ..]| {
            let ifindex = ifindex as u32;
            if flags & !INGRESS != 0 || ifindex == 0 {
                return Ok(Errno::EINVAL.result());
            }
            let packet = host.world().skb.packet.clone();
            host.send(&Sent { ifindex, ingress: flags & INGRESS != 0, packet });
            Ok(0)
        }),
    },
];

/// The driver's.
pub static XDP: &[Function] = &[
    Function {
        id: 23,
        name: "redirect",
        doc: "says that the packet goes to interface r1; XDP_REDIRECT to return, or XDP_ABORTED",
        prototype: REDIRECT,
        call: Implementation::Value(|host, [ifindex, flags, ..]| {
            const ABORTED: u64 = 0;
            const REDIRECTED: u64 = 4;
            if flags != 0 {
                return Ok(ABORTED);
            }
            aim(host, Redirect::Device { ifindex: ifindex as u32, ingress: false });
            Ok(REDIRECTED)
        }),
    },
    Function {
        id: function::REDIRECT_MAP,
        name: "redirect_map",
        doc: "says that the packet goes where the table r1 says at the index r2; XDP_REDIRECT to return, or what the lower bits of r3 say when there is nothing",
        prototype: Prototype::new(&[Arg::Map, Arg::Anything, Arg::Anything], Ret::Integer).for_some_tables(),
        call: Implementation::Value(|host, [map, index, flags, ..]| {
            const ABORTED: u64 = 0;
            const REDIRECTED: u64 = 4;
            let map = table(host, function::REDIRECT_MAP, map)?;
            let index = index as u32;
            let (found, flooding) = host.with_table(map, |table| {
                let kind = table.def().kind;
                (kind.find(table.table(), &index.to_le_bytes()).is_some(), kind.floods())
            });
            if flags & !(ACTION | if flooding { FLOOD } else { 0 }) != 0 {
                return Ok(ABORTED);
            }
            // To everything that the table holds, whatever the index is.
            if found || flags & BROADCAST != 0 {
                aim(host, Redirect::Map { map, index });
                return Ok(REDIRECTED);
            }
            host.set(Quantity::Redirect, 0);
            Ok(flags & ACTION)
        }),
    },
];

/// The action when there is nothing at the index.
const ACTION: u64 = 3;
/// `BPF_F_BROADCAST`: to all devices of the table.
const BROADCAST: u64 = 1 << 3;
/// The same, and `BPF_F_EXCLUDE_INGRESS`: but for that which the packet came from.
const FLOOD: u64 = BROADCAST | 1 << 4;

fn aim(host: &mut dyn Host, at: Redirect) {
    host.set(Quantity::Redirect, at.code());
}
