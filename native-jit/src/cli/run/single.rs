//! One packet: everything about the run.

use super::engine::{End, Run};
use super::heard::Heard;
use super::{Job, TrapDocument, r0_text};
use crate::cli::Status;
use crate::cli::failure::Failure;
use crate::cli::input::tame;
use crate::cli::output::Output;
use crate::cli::progress::Progress;
use crate::cli::tables::{self, Entry};
use bpf64_core::context::skb::Skb;
use bpf64_core::environment::{Redirect, Verdict};
use bpf64_core::link::Packet;
use bpf64_core::machine::{Ending, Sent};
use data_encoding::HEXLOWER;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

#[derive(Serialize)]
struct Document<'a> {
    r0: Option<String>,
    insns: u64,
    packet: String,
    trap: Option<TrapDocument>,
    maps: BTreeMap<&'a str, Vec<Entry>>,
    printk: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sent: Vec<SentDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ns_per_run: Option<f64>,
}

/// A packet that the program sent.
#[derive(Serialize)]
struct SentDocument {
    ifindex: u32,
    ingress: bool,
    packet: String,
}

pub(super) fn run(job: &Job<'_>, packet: Packet, out: &mut Output) -> Result<Status, Failure> {
    let skb = Skb::captured(packet.bytes, packet.wire_len, packet.link_type);
    let started = Instant::now();
    let mut progress = Progress::new(job.repeat, "runs", true);
    let world = job.world(skb.clone())?;
    let mut run = job.engine.run(world.clone(), job.limit);
    for done in 1..job.repeat {
        if matches!(run.end, End::Limit(_)) {
            break;
        }
        run = job.engine.run(world.clone(), job.limit);
        progress.reached(done + 1);
    }
    progress.finish();
    let all_ran = !matches!(run.end, End::Limit(_));
    let ns_per_run = (job.repeat > 1 && all_ran).then(|| nanoseconds(started.elapsed(), job.repeat));
    let trapped = job.trap_document(&run.end);
    let status = if trapped.is_some() { Status::Refused } else { Status::Done };
    if out.json {
        let r0 = match run.end {
            End::Returned { r0, .. } => Some(r0_text(r0)),
            End::Trapped(..) | End::Limit(_) => None,
        };
        let packet = HEXLOWER.encode(&run.world.skb.packet);
        let document = |sent: &Sent| SentDocument {
            ifindex: sent.ifindex,
            ingress: sent.ingress,
            packet: HEXLOWER.encode(&sent.packet),
        };
        out.document(&Document {
            r0,
            insns: run.executed,
            packet,
            trap: trapped,
            maps: tables::by_name(&run.world),
            printk: run.heard.lines(),
            sent: run.heard.sent.iter().map(document).collect(),
            ns_per_run,
        })?;
        return Ok(status);
    }
    describe(job, &skb, &run, out)?;
    if let Some(time) = ns_per_run {
        out.text(format_args!("time      {time:.0} ns a run, {} runs\n", job.repeat))?;
    }
    job.trap_failure(&run.end).map_or(Ok(status), Err)
}

/// The time of each of `runs`, with what it takes to set one up.
pub(super) fn nanoseconds(elapsed: Duration, runs: u64) -> f64 {
    elapsed.as_nanos() as f64 / runs as f64
}

fn describe(job: &Job<'_>, before: &Skb, run: &Run, out: &mut Output) -> Result<(), Failure> {
    if let End::Returned { r0, ending, at } = run.end {
        out.text(format_args!("r0        {}\n", r0_text(r0)))?;
        let verdict = job.engine.verdict(r0);
        if verdict != Verdict::Number {
            out.text(format_args!("verdict   {verdict}{}\n", reason(job, r0, ending, before)))?;
        }
        if let Some(insn) = at.and_then(|at| job.engine.describe(at)) {
            out.text(format_args!("ended at  {insn}\n"))?;
        }
    }
    out.text(format_args!("executed  {}\n", job.engine.count(run.executed)))?;
    if run.world.skb.packet != before.packet {
        let what = if job.engine.has_packet() { "packet" } else { "memory" };
        out.text(format_args!("{what}    {}\n", HEXLOWER.encode(&run.world.skb.packet)))?;
    }
    for sent in &run.heard.sent {
        let way = if sent.ingress { "into" } else { "to" };
        out.text(format_args!("sent      {way} {}: {}\n", sent.ifindex, HEXLOWER.encode(&sent.packet)))?;
    }
    if let Some(way) = redirected(job, run) {
        out.text(format_args!("redirect  {way}\n"))?;
    }
    told(job, &run.heard, "", out)?;
    tables::show(&run.world, out)
}

/// Where the packet goes of which the program says that it is redirected: "to interface 7, by devices at 2".
fn redirected(job: &Job<'_>, run: &Run) -> Option<String> {
    let End::Returned { r0, .. } = run.end else { return None };
    if !job.engine.verdict(r0).word().ends_with("_REDIRECT") {
        return None;
    }
    let world = &run.world;
    Some(match world.redirect? {
        Redirect::Device { ifindex, ingress } => {
            format!("{} interface {ifindex}", if ingress { "into" } else { "to" })
        }
        Redirect::Map { map, index } => {
            let table = world.tables.get(usize::from(map))?;
            let (name, kind) = (&table.def().name, table.def().kind);
            let held = table.read(&index.to_le_bytes()).ok();
            let held = held.and_then(|value| value.first_chunk().map(|&number| u32::from_le_bytes(number)));
            match held {
                Some(ifindex) if kind.floods() => format!("to interface {ifindex}, by {name} at {index}"),
                // To all devices, whatever the index is.
                None if kind.floods() => format!("to every interface in {name}"),
                _ => format!("by {name} at {index}"),
            }
        }
    })
}

/// What the program printed, each line with the instruction that printed it.
pub(in crate::cli) fn told(
    job: &Job<'_>,
    heard: &Heard,
    indent: &str,
    out: &mut Output,
) -> Result<(), Failure> {
    let longest = heard.printed.iter().map(|(_, line)| line.chars().count()).max().unwrap_or(0);
    let width = longest.min(WIDEST);
    for (at, line) in &heard.printed {
        match job.engine.describe(*at) {
            Some(by) => out.text(format_args!("{indent}printed   {:width$}  by {by}\n", tame(line)))?,
            None => out.text(format_args!("{indent}printed   {}\n", tame(line)))?,
        }
    }
    if heard.lost > 0 {
        out.text(format_args!("{indent}          … and {} more\n", heard.lost))?;
    }
    Ok(())
}

/// Where the instruction stands behind a printed line, at most.
const WIDEST: usize = 60;

/// What the verdict does not say by itself: why a filter ended early, and how long the packet is.
fn reason(job: &Job<'_>, r0: u64, ending: Ending, before: &Skb) -> String {
    match (ending, job.engine.verdict(r0)) {
        (Ending::Returned, Verdict::Dropped | Verdict::Number | Verdict::Action { .. }) => String::new(),
        (Ending::Returned, Verdict::Accepted { .. }) => format!(" (the packet has {})", before.len),
        (Ending::OutsidePacket | Ending::DivisionByZero | Ending::NoDevice, _) => format!(": {ending}"),
    }
}
