//! A capture: a line for every packet, and one about them all.

use super::engine::{End, Run};
use super::single::{nanoseconds, told};
use super::{Job, TrapDocument, r0_text};
use crate::cli::Status;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::packet;
use crate::cli::progress::Progress;
use crate::cli::tables::{self, Entry};
use bpf64_core::context::skb::Skb;
use bpf64_core::environment::Verdict;
use bpf64_core::packet::capture::{Capture, Captured};
use bpf64_core::packet::layers;
use clap::builder::styling::{AnsiColor, Effects, Style};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Instant;

const ACCEPTED: Style = AnsiColor::Green.on_default();
const DROPPED: Style = Style::new().effects(Effects::DIMMED);
const TRAPPED: Style = AnsiColor::Red.on_default();

#[derive(Serialize)]
struct Document<'a> {
    packets: usize,
    accepted: usize,
    results: Vec<Row>,
    insns: u64,
    maps: BTreeMap<&'a str, Vec<Entry>>,
    /// What was printed, whichever packet it was for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    printk: Vec<String>,
    /// What kept the rest of the capture from being read.
    damage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ns_per_packet: Option<f64>,
}

/// Lines that are kept for a document.
const MOST_LINES: usize = 100_000;

#[derive(Serialize)]
struct Row {
    index: usize,
    r0: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trap: Option<TrapDocument>,
}

/// What is counted over all packets.
#[derive(Default)]
struct Totals {
    packets: usize,
    accepted: usize,
    /// Trapped or given up.
    failed: usize,
    insns: u64,
}

pub(super) fn run(job: &Job<'_>, capture: &Capture, name: &str, out: &mut Output) -> Result<Status, Failure> {
    let runs = capture.len() as u64 * job.repeat;
    // Lines running over a terminal are progress enough, and a bar would get between them.
    let mut progress = Progress::new(runs, "runs", out.json || !out.is_terminal() || job.repeat > 1);
    let started = Instant::now();
    let mut totals = Totals::default();
    let mut rows = Vec::new();
    let mut world = job.world(Skb::ethernet(Vec::new()))?;
    let (mut first_failure, mut printed) = (None, Vec::new());
    let width = capture.len().saturating_sub(1).to_string().len().max("packet".len());
    if !out.json && !capture.is_empty() {
        out.text(format_args!("{:>width$}  verdict     kept  summary\n", "packet"))?;
    }
    for (index, captured) in capture.iter().enumerate() {
        world.skb = captured.skb();
        job.put_context(&mut world)?;
        let run = job.engine.run(world, job.limit);
        totals.count(job, &run);
        progress.reached(index as u64 + 1);
        if out.json {
            let r0 = if let End::Returned { r0, .. } = run.end { Some(r0_text(r0)) } else { None };
            rows.push(Row { index, r0, trap: job.trap_document(&run.end) });
            let room = MOST_LINES.saturating_sub(printed.len());
            printed.extend(run.heard.lines().into_iter().take(room).map(str::to_owned));
        } else {
            line(job, index, width, captured, &run, out)?;
            told(job, &run, &" ".repeat(width + 2), out)?;
        }
        let given_up = matches!(run.end, End::Limit { .. });
        if !matches!(run.end, End::Returned { .. }) {
            first_failure.get_or_insert(run.end);
        }
        world = run.world;
        if given_up {
            // Every packet would take as long.
            break;
        }
    }
    let all_ran = repeat(job, capture, &mut progress)?;
    progress.finish();
    let ns_per_packet = (job.repeat > 1 && all_ran).then(|| nanoseconds(started.elapsed(), runs));
    let damage = capture.damage.as_ref().map(|damage| packet::in_file(name, damage));
    if out.json {
        let Totals { packets, accepted, insns, .. } = totals;
        let damage = capture.damage.as_ref().map(ToString::to_string);
        let (maps, printk) = (tables::by_name(&world.tables), printed);
        let results = rows;
        out.document(&Document { packets, accepted, results, insns, maps, printk, damage, ns_per_packet })?;
    } else {
        out.text(totals.summary())?;
        if let Some(time) = ns_per_packet {
            out.text(format_args!("{time:.0} ns a packet, {runs} runs\n"))?;
        }
        tables::show(&world.tables, out)?;
    }
    // In JSON, the document has said it all.
    match (damage, first_failure) {
        (Some(_), _) if out.json => Ok(Status::NotUnderstood),
        (Some(damage), _) => Err(damage),
        (None, Some(_)) if out.json => Ok(Status::Refused),
        (None, Some(end)) => job.trap_failure(&end).map_or(Ok(Status::Refused), Err),
        (None, None) => Ok(Status::Done),
    }
}

/// All passes but the first, which exist for the clock. False when they did not all run.
fn repeat(job: &Job<'_>, capture: &Capture, progress: &mut Progress) -> Result<bool, Failure> {
    if capture.is_empty() {
        return Ok(false);
    }
    let mut done = capture.len() as u64;
    for _ in 1..job.repeat {
        let mut world = job.world(Skb::ethernet(Vec::new()))?;
        for captured in capture.iter() {
            world.skb = captured.skb();
            job.put_context(&mut world)?;
            let run = job.engine.run(world, job.limit);
            world = run.world;
            done += 1;
            progress.reached(done);
            if let End::Limit { .. } = run.end {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

impl Totals {
    fn count(&mut self, job: &Job<'_>, run: &Run) {
        self.packets += 1;
        self.insns += run.executed;
        match run.end {
            End::Returned { r0, .. } => {
                self.accepted += usize::from(job.engine.verdict(r0) != Verdict::Dropped);
            }
            End::Trapped(_) | End::Limit { .. } => self.failed += 1,
        }
    }

    fn summary(&self) -> String {
        let Totals { packets, accepted, failed, insns } = *self;
        let dropped = packets - accepted - failed;
        let plural = if packets == 1 { "" } else { "s" };
        let failed = if failed == 0 { String::new() } else { format!(", {failed} without a verdict") };
        format!(
            "{packets} packet{plural}: {accepted} accepted, {dropped} dropped{failed}; {insns} instructions\n"
        )
    }
}

fn line(
    job: &Job<'_>,
    index: usize,
    width: usize,
    captured: Captured<'_>,
    run: &Run,
    out: &mut Output,
) -> Result<(), Failure> {
    let (word, style, kept) = match run.end {
        End::Returned { r0, .. } => match job.engine.verdict(r0) {
            Verdict::Dropped => ("dropped", DROPPED, String::new()),
            Verdict::Number => ("a number", ACCEPTED, String::new()),
            Verdict::Action(name) => (name, ACCEPTED, String::new()),
            Verdict::Accepted { kept } => ("accepted", ACCEPTED, kept.min(captured.wire_len).to_string()),
        },
        End::Trapped(_) => ("trapped", TRAPPED, String::new()),
        End::Limit { .. } => ("given up", TRAPPED, String::new()),
    };
    let summary = layers::summary(&layers::layers(&captured.skb(), captured.link_type));
    let word = out.paint(style, &format!("{word:8}"));
    out.text(format_args!("{index:width$}  {word}  {kept:>6}  {summary}\n"))
}
