//! Program types that are run by probes, trace points and counters, and records of the user's own.

use super::{EVERYWHERE, TRACING, keep_record, plain_record};
use crate::context::Description;
use crate::context::trace::{PERF_EVENT_DATA, PT_REGS, RAW_TRACEPOINT_ARGS, TRACEPOINT as RECORD};
use crate::environment::{Arguments, Environment, PacketAccess, Verdict};
use std::borrow::Cow;

const NO_PACKET: PacketAccess = PacketAccess { legacy: false, writable: false, from_network: false };

/// A filter of a trace point: sees its record, says whether the event is kept.
pub static TRACEPOINT: Environment = Environment {
    name: Cow::Borrowed("tracepoint"),
    number: 5,
    context: Cow::Borrowed(&RECORD),
    fill: plain_record,
    arguments: Arguments::Context,
    stored: keep_record,
    packet: NO_PACKET,
    functions: TRACING,
    verdict: filter,
    own_stacks: true,
    returns: None,
};

/// A program at a trace point: sees the arguments before a record is made of them. Its result means nothing.
pub static RAW_TRACEPOINT: Environment = Environment {
    name: Cow::Borrowed("raw_tracepoint"),
    number: 17,
    context: Cow::Borrowed(&RAW_TRACEPOINT_ARGS),
    fill: plain_record,
    arguments: Arguments::Context,
    stored: keep_record,
    packet: NO_PACKET,
    functions: TRACING,
    verdict: |_| Verdict::Number,
    own_stacks: true,
    returns: None,
};

/// A filter of a probe in the kernel or in a program: sees the registers, says whether the event is kept.
pub static KPROBE: Environment = Environment {
    name: Cow::Borrowed("kprobe"),
    number: 2,
    context: Cow::Borrowed(&PT_REGS),
    fill: plain_record,
    arguments: Arguments::Context,
    stored: keep_record,
    packet: NO_PACKET,
    functions: TRACING,
    verdict: filter,
    own_stacks: true,
    returns: None,
};

/// A filter of a counter's samples: sees the registers, says whether the sample is kept.
pub static PERF_EVENT: Environment = Environment {
    name: Cow::Borrowed("perf_event"),
    number: 7,
    context: Cow::Borrowed(&PERF_EVENT_DATA),
    fill: plain_record,
    arguments: Arguments::Context,
    stored: keep_record,
    packet: NO_PACKET,
    functions: TRACING,
    verdict: filter,
    own_stacks: true,
    returns: None,
};

/// Whether the event is kept (`trace_call_bpf`).
fn filter(r0: u64) -> Verdict {
    if r0 as u32 == 0 { Verdict::ended("filtered out") } else { Verdict::passed("kept") }
}

/// A program type made at run time: r1 is a record of this layout. Its name is the record's; it may call what every
/// type may.
#[must_use]
pub fn record(description: Description) -> Environment {
    Environment {
        name: description.name.clone(),
        number: 0,
        context: Cow::Owned(description),
        fill: plain_record,
        arguments: Arguments::Context,
        stored: keep_record,
        packet: NO_PACKET,
        functions: EVERYWHERE,
        verdict: |_| Verdict::Number,
        own_stacks: true,
        returns: None,
    }
}
