//! The program types of this version.

use super::{Argument, Entry, Environment, PacketAccess, Verdict, World};
use crate::context::skb::{SK_BUFF, SK_BUFF_TC};
use crate::context::{Description, seccomp, xdp};
use crate::helpers;
use crate::helpers::classic::ANCILLARY;
use crate::helpers::flow::FLOW;
use crate::helpers::maps::MAPS;
use crate::helpers::system::SYSTEM;
use std::borrow::Cow;

/// The program types that people can name.
pub static ALL: [&Environment; 4] = [&SOCKET_FILTER, &SCHED_CLS, &XDP, &SECCOMP];

/// r1 is the context, with these bytes.
fn with_context(context: Vec<u8>) -> Entry {
    Entry { context, arguments: [Argument::Context, Argument::Number(0)] }
}

fn sk_buff(_: &Environment, world: &World) -> Entry {
    with_context(world.skb.context())
}

/// r1 is the world's record, filled up with zeros.
fn plain_record(environment: &Environment, world: &World) -> Entry {
    let mut context = world.record.clone();
    context.resize(environment.context.size, 0);
    with_context(context)
}

/// A socket filter: sees packets, says how many bytes of each the socket keeps. Classic filters become this.
pub static SOCKET_FILTER: Environment = Environment {
    name: Cow::Borrowed("socket_filter"),
    number: 1,
    context: Cow::Borrowed(&SK_BUFF),
    entry: sk_buff,
    packet: PacketAccess { legacy: true, writable: false },
    functions: &[MAPS, SYSTEM, FLOW, ANCILLARY],
    verdict: |r0| match r0 as u32 {
        0 => Verdict::Dropped,
        kept => Verdict::Accepted { kept },
    },
};

/// A traffic-control classifier in direct-action mode: sees packets at a device's queue, may change them, and says
/// where they go (`TC_ACT_…`, include/uapi/linux/pkt_cls.h).
pub static SCHED_CLS: Environment = Environment {
    name: Cow::Borrowed("sched_cls"),
    number: 3,
    context: Cow::Borrowed(&SK_BUFF_TC),
    entry: sk_buff,
    packet: PacketAccess { legacy: true, writable: true },
    functions: EVERYWHERE,
    verdict: |r0| match r0 as i32 {
        -1 => Verdict::Action("TC_ACT_UNSPEC"),
        0 => Verdict::Action("TC_ACT_OK"),
        1 => Verdict::Action("TC_ACT_RECLASSIFY"),
        2 => Verdict::Action("TC_ACT_SHOT"),
        3 => Verdict::Action("TC_ACT_PIPE"),
        4 => Verdict::Action("TC_ACT_STOLEN"),
        5 => Verdict::Action("TC_ACT_QUEUED"),
        6 => Verdict::Action("TC_ACT_REPEAT"),
        7 => Verdict::Action("TC_ACT_REDIRECT"),
        8 => Verdict::Action("TC_ACT_TRAP"),
        _ => Verdict::Number,
    },
};

/// A program at a network driver: sees packets before anything else does (`XDP_…`, include/uapi/linux/bpf.h). An
/// unknown result drops the packet and is reported.
pub static XDP: Environment = Environment {
    name: Cow::Borrowed("xdp"),
    number: 6,
    context: Cow::Borrowed(&xdp::XDP_MD),
    entry: |_, world| with_context(xdp::context(&world.skb)),
    packet: PacketAccess { legacy: false, writable: true },
    functions: EVERYWHERE,
    verdict: |r0| match r0 as u32 {
        0 => Verdict::Action("XDP_ABORTED"),
        1 => Verdict::Action("XDP_DROP"),
        2 => Verdict::Action("XDP_PASS"),
        3 => Verdict::Action("XDP_TX"),
        4 => Verdict::Action("XDP_REDIRECT"),
        _ => Verdict::Dropped,
    },
};

/// A filter of system calls: sees one, says what happens to it. Linux takes classic programs only, which become this;
/// it has no number for their type, and they may call nothing.
pub static SECCOMP: Environment = Environment {
    name: Cow::Borrowed("seccomp"),
    number: 0,
    context: Cow::Borrowed(&seccomp::SECCOMP_DATA),
    entry: plain_record,
    packet: PacketAccess { legacy: false, writable: false },
    functions: &[],
    verdict: |r0| Verdict::Action(seccomp::Action::of(r0 as u32).name()),
};

/// What every program type may call.
static EVERYWHERE: helpers::Functions = &[MAPS, SYSTEM, FLOW];

/// A program type made at run time: r1 is a record of this layout. Its name is the record's; it may call what every
/// type may.
#[must_use]
pub fn record(description: Description) -> Environment {
    Environment {
        name: description.name.clone(),
        number: 0,
        context: Cow::Owned(description),
        entry: plain_record,
        packet: PacketAccess { legacy: false, writable: false },
        functions: EVERYWHERE,
        verdict: |_| Verdict::Number,
    }
}

/// A context of no bytes.
static NOTHING: Description =
    Description { name: Cow::Borrowed("nothing"), size: 0, fields: Cow::Borrowed(&[]) };

/// No type of Linux's: a function of bytes. The packet is memory that may be read and written, r1 its address and r2
/// its length, both 0 when it is empty. This is how conformance tests of the instruction set call programs.
pub static MEMORY: Environment = Environment {
    name: Cow::Borrowed("memory"),
    number: 0,
    context: Cow::Borrowed(&NOTHING),
    entry: |_, world| {
        let length = world.skb.packet.len() as u64;
        let address = if length == 0 { Argument::Number(0) } else { Argument::Packet };
        Entry { context: Vec::new(), arguments: [address, Argument::Number(length)] }
    },
    packet: PacketAccess { legacy: false, writable: true },
    functions: &[],
    verdict: |_| Verdict::Number,
};
