//! The program types of this version.

pub(super) mod trace;

use super::{Arguments, Environment, PacketAccess, Verdict, World};
use crate::context::skb::{self, SK_BUFF, SK_BUFF_CGROUP, SK_BUFF_TC};
use crate::context::{Description, seccomp, xdp};
use crate::helpers::classic::ANCILLARY;
use crate::helpers::flow::FLOW;
use crate::helpers::maps::MAPS;
use crate::helpers::print::PRINT;
use crate::helpers::probe::{PROBE, PROBE_ANY};
use crate::helpers::ringbuf::RINGBUF;
use crate::helpers::system::SYSTEM;
use crate::helpers::text::TEXT;
use crate::helpers::{self, checksum, events, packet, redirect};
use std::borrow::Cow;
use std::ops::RangeInclusive;

/// The program types that people can name.
pub static ALL: [&Environment; 11] = [
    &SOCKET_FILTER,
    &SCHED_CLS,
    &SCHED_ACT,
    &XDP,
    &CGROUP_SKB,
    &CGROUP_SKB_EGRESS,
    &trace::TRACEPOINT,
    &trace::RAW_TRACEPOINT,
    &trace::KPROBE,
    &trace::PERF_EVENT,
    &SECCOMP,
];

fn sk_buff(_: &Environment, world: &World, context: &mut Vec<u8>) {
    world.skb.fill_context(context);
}

/// The world's record, filled up with zeros. It may be longer than its description: the strings of a trace point's
/// record follow its fields.
fn plain_record(environment: &Environment, world: &World, context: &mut Vec<u8>) {
    context.clear();
    context.extend_from_slice(&world.record);
    context.resize(context.len().max(environment.context.size), 0);
}

fn keep_record(world: &mut World, context: &[u8], _: usize) {
    world.record.clear();
    world.record.extend_from_slice(context);
}

fn keep_sk_buff(world: &mut World, context: &[u8], offset: usize) {
    skb::store(&mut world.skb, context, offset);
}

/// For contexts that nobody writes.
fn keep_nothing(_: &mut World, _: &[u8], _: usize) {}

/// A socket filter: sees packets, says how many bytes of each the socket keeps. Classic filters become this.
pub static SOCKET_FILTER: Environment = Environment {
    name: Cow::Borrowed("socket_filter"),
    number: 1,
    context: Cow::Borrowed(&SK_BUFF),
    fill: sk_buff,
    arguments: Arguments::Context,
    stored: keep_sk_buff,
    packet: PacketAccess { legacy: true, writable: false, from_network: false },
    functions: SOCKET,
    verdict: |r0| match r0 as u32 {
        0 => Verdict::Dropped,
        kept => Verdict::Accepted { kept },
    },
    own_stacks: false,
    returns: None,
};

/// A traffic-control classifier in direct-action mode: sees packets at a device's queue, may change them, and says
/// where they go (`TC_ACT_…`, include/uapi/linux/pkt_cls.h).
pub static SCHED_CLS: Environment = Environment {
    name: Cow::Borrowed("sched_cls"),
    number: 3,
    context: Cow::Borrowed(&SK_BUFF_TC),
    fill: sk_buff,
    arguments: Arguments::Context,
    stored: keep_sk_buff,
    packet: PacketAccess { legacy: true, writable: true, from_network: false },
    functions: TRAFFIC_CONTROL,
    verdict: traffic_control,
    own_stacks: false,
    returns: None,
};

/// An action in traffic control: as [`SCHED_CLS`], behind a classifier.
pub static SCHED_ACT: Environment = Environment {
    name: Cow::Borrowed("sched_act"),
    number: 4,
    context: Cow::Borrowed(&SK_BUFF_TC),
    fill: sk_buff,
    arguments: Arguments::Context,
    stored: keep_sk_buff,
    packet: PacketAccess { legacy: true, writable: true, from_network: false },
    functions: TRAFFIC_CONTROL,
    verdict: traffic_control,
    own_stacks: false,
    returns: None,
};

/// `TC_ACT_…`. What is none of them lets the next classifier decide (`cls_bpf_exec_opcode`). Packets that are stolen,
/// queued or trapped go nowhere from here (`sch_handle_ingress`).
fn traffic_control(r0: u64) -> Verdict {
    match r0 as i32 {
        -1 => Verdict::passed("TC_ACT_UNSPEC"),
        0 => Verdict::passed("TC_ACT_OK"),
        1 => Verdict::passed("TC_ACT_RECLASSIFY"),
        2 => Verdict::ended("TC_ACT_SHOT"),
        3 => Verdict::passed("TC_ACT_PIPE"),
        4 => Verdict::ended("TC_ACT_STOLEN"),
        5 => Verdict::ended("TC_ACT_QUEUED"),
        6 => Verdict::passed("TC_ACT_REPEAT"),
        7 => Verdict::passed("TC_ACT_REDIRECT"),
        8 => Verdict::ended("TC_ACT_TRAP"),
        _ => Verdict::Number,
    }
}

/// A filter of a control group for packets that come in: sees them from the network header on, says whether they pass.
pub static CGROUP_SKB: Environment = Environment {
    name: Cow::Borrowed("cgroup_skb"),
    number: 8,
    context: Cow::Borrowed(&SK_BUFF_CGROUP),
    fill: sk_buff,
    arguments: Arguments::Context,
    stored: keep_sk_buff,
    packet: PacketAccess { legacy: false, writable: false, from_network: true },
    functions: CONTROL_GROUP,
    verdict: control_group,
    own_stacks: false,
    returns: Some(RangeInclusive::new(0, 1)),
};

/// The same for packets that go out (`BPF_CGROUP_INET_EGRESS`): bit 1 tells of congestion.
pub static CGROUP_SKB_EGRESS: Environment = Environment {
    name: Cow::Borrowed("cgroup_skb_egress"),
    number: 8,
    context: Cow::Borrowed(&SK_BUFF_CGROUP),
    fill: sk_buff,
    arguments: Arguments::Context,
    stored: keep_sk_buff,
    packet: PacketAccess { legacy: false, writable: false, from_network: true },
    functions: CONTROL_GROUP,
    verdict: control_group,
    own_stacks: false,
    returns: Some(RangeInclusive::new(0, 3)),
};

/// Bit 0 says whether the packet passes.
fn control_group(r0: u64) -> Verdict {
    if r0 & 1 == 0 { Verdict::Dropped } else { Verdict::Accepted { kept: u32::MAX } }
}

/// A program at a network driver: sees packets before anything else does (`XDP_…`, include/uapi/linux/bpf.h). An
/// unknown result drops the packet and is reported.
pub static XDP: Environment = Environment {
    name: Cow::Borrowed("xdp"),
    number: 6,
    context: Cow::Borrowed(&xdp::XDP_MD),
    fill: |_, world, context| xdp::fill(&world.skb, context),
    arguments: Arguments::Context,
    stored: |world, context, offset| xdp::store(&mut world.skb, context, offset),
    packet: PacketAccess { legacy: false, writable: true, from_network: false },
    functions: DRIVER,
    verdict: |r0| match r0 as u32 {
        0 => Verdict::ended("XDP_ABORTED"),
        1 => Verdict::ended("XDP_DROP"),
        2 => Verdict::passed("XDP_PASS"),
        3 => Verdict::passed("XDP_TX"),
        4 => Verdict::passed("XDP_REDIRECT"),
        _ => Verdict::Dropped,
    },
    own_stacks: false,
    returns: None,
};

/// A filter of system calls: sees one, says what happens to it. Linux takes classic programs only, which become this;
/// it has no number for their type, and they may call nothing.
pub static SECCOMP: Environment = Environment {
    name: Cow::Borrowed("seccomp"),
    number: 0,
    context: Cow::Borrowed(&seccomp::SECCOMP_DATA),
    fill: plain_record,
    arguments: Arguments::Context,
    stored: keep_record,
    packet: PacketAccess { legacy: false, writable: false, from_network: false },
    functions: &[],
    verdict: |r0| {
        let action = seccomp::Action::of(r0 as u32);
        let passes = matches!(action, seccomp::Action::Allow | seccomp::Action::Log);
        Verdict::Action { name: action.name(), passes }
    },
    own_stacks: false,
    returns: None,
};

/// What every program type may call (`bpf_base_func_proto`, of privileged users' programs).
static EVERYWHERE: helpers::Functions = &[MAPS, RINGBUF, SYSTEM, FLOW, PROBE, PRINT, TEXT];
/// `sk_filter_func_proto`; and what stands for classic programs' ancillary loads.
static SOCKET: helpers::Functions =
    &[MAPS, RINGBUF, SYSTEM, FLOW, PROBE, PRINT, TEXT, packet::READ, events::PACKETS, ANCILLARY];
/// `tc_cls_act_func_proto`
static TRAFFIC_CONTROL: helpers::Functions = &[
    MAPS,
    RINGBUF,
    SYSTEM,
    FLOW,
    PROBE,
    PRINT,
    TEXT,
    packet::READ,
    packet::CHANGE,
    events::PACKETS,
    checksum::SUM,
    checksum::REPLACE,
    redirect::TRAFFIC_CONTROL,
];
/// `xdp_func_proto`
static DRIVER: helpers::Functions = &[
    MAPS,
    RINGBUF,
    SYSTEM,
    FLOW,
    PROBE,
    PRINT,
    TEXT,
    helpers::xdp::XDP,
    checksum::SUM,
    redirect::XDP,
    events::PACKETS,
];
/// `cg_skb_func_proto`
static CONTROL_GROUP: helpers::Functions =
    &[MAPS, RINGBUF, SYSTEM, FLOW, PROBE, PRINT, TEXT, packet::READ, events::PACKETS];
/// `bpf_tracing_func_proto`
static TRACING: helpers::Functions =
    &[MAPS, RINGBUF, SYSTEM, FLOW, PROBE, PROBE_ANY, PRINT, TEXT, events::TRACES];

/// A context of no bytes.
static NOTHING: Description =
    Description { name: Cow::Borrowed("nothing"), size: 0, fields: Cow::Borrowed(&[]) };

/// No type of Linux's: a function of bytes. The packet is memory that may be read and written, r1 its address and r2
/// its length, both 0 when it is empty. This is how conformance tests of the instruction set call programs.
pub static MEMORY: Environment = Environment {
    name: Cow::Borrowed("memory"),
    number: 0,
    context: Cow::Borrowed(&NOTHING),
    fill: |_, _, context| context.clear(),
    arguments: Arguments::Packet,
    stored: keep_nothing,
    packet: PacketAccess { legacy: false, writable: true, from_network: false },
    functions: &[],
    verdict: |_| Verdict::Number,
    own_stacks: false,
    returns: None,
};
