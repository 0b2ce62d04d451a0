//! A capture: a line for every packet, and one about them all.
//!
//! It is read while the program runs, so it may be longer than memory; only who wants it several times over has it held.

use super::engine::{End, Ran};
use super::single::{nanoseconds, told};
use super::{Job, TrapDocument, r0_text};
use crate::cli::Status;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::output::Output;
use crate::cli::packet;
use crate::cli::packet::stream::{Broken, Seen, Stream};
use crate::cli::progress::Progress;
use crate::cli::tables::{self, Entry};
use bpf64_core::context::skb::Skb;
use bpf64_core::environment::{Tally, Verdict};
use bpf64_core::packet::capture::Capture;
use bpf64_core::packet::layers;
use clap::builder::styling::{AnsiColor, Effects, Style};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const ACCEPTED: Style = AnsiColor::Green.on_default();
const DROPPED: Style = Style::new().effects(Effects::DIMMED);
const TRAPPED: Style = AnsiColor::Red.on_default();

/// What the document has behind the results, which are written as they come.
#[derive(Serialize)]
struct Document<'a> {
    packets: usize,
    accepted: usize,
    /// How often the program said what, where that has a name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    verdicts: BTreeMap<&'static str, usize>,
    insns: u64,
    maps: BTreeMap<&'a str, Vec<Entry>>,
    /// What was printed, whichever packet it was for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    printk: Vec<String>,
    /// What kept the rest of the capture from being read.
    damage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ns_per_packet: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    packets_per_second: Option<f64>,
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
    tally: Tally,
    insns: u64,
}

/// Where packets come from.
pub(super) enum Feed {
    /// A file that is read once.
    Stream(Stream),
    /// All packets, to be run on several times, and the file's name.
    Held(Capture, String),
}

/// Packets between looks at the clock.
const STRIDE: usize = 1024;
/// Work that takes so long wants to be told of.
const LONG: Duration = Duration::from_secs(1);

pub(super) fn run(job: &Job<'_>, mut feed: Feed, quiet: bool, out: &mut Output) -> Result<Status, Failure> {
    let (total, what) = match &feed {
        Feed::Stream(stream) => (stream.length().unwrap_or_default(), "bytes"),
        Feed::Held(capture, _) => (capture.len() as u64 * job.repeat, "runs"),
    };
    // Lines running over a terminal are progress enough, and a bar would get between them.
    let wanted = quiet || out.json || !out.is_terminal() || job.repeat > 1;
    let mut progress = Progress::new(total, what, wanted && total > 0);
    let started = Instant::now();
    let mut pass = Pass { totals: Totals::default(), printed: Vec::new(), first_failure: None, quiet };
    let mut live = job.engine.start(job.world(Skb::ethernet(Vec::new()))?);
    let mut broken = None;
    loop {
        let index = pass.totals.packets;
        let seen = match &mut feed {
            Feed::Stream(stream) => stream.next(&mut live.world_mut().skb),
            Feed::Held(capture, _) => Ok(capture.get(index).map(|packet| {
                packet.replace(&mut live.world_mut().skb);
                Seen { wire_len: packet.wire_len, link_type: packet.link_type }
            })),
        };
        let seen = match seen {
            Ok(Some(seen)) => seen,
            Ok(None) => break,
            Err(Broken::Damaged(damage)) => {
                broken = Some(damage);
                break;
            }
            Err(Broken::Unreadable(failure)) => return Err(failure),
        };
        job.put_context(live.world_mut())?;
        // Before the program changes the packet.
        let summary = (!quiet && !out.json)
            .then(|| layers::summary(&layers::layers(&live.world_mut().skb, seen.link_type)));
        let ran = live.run(job.limit);
        let given_up = matches!(ran.end, End::Limit(_));
        pass.tell(job, index, seen, summary, ran, out)?;
        if index.is_multiple_of(STRIDE) {
            progress.reached(match &feed {
                Feed::Stream(stream) => stream.taken(),
                Feed::Held(..) => index as u64,
            });
        }
        if given_up {
            // Every packet would take as long.
            break;
        }
    }
    let world = live.into_world();
    let Pass { totals, printed, first_failure, .. } = pass;
    let elapsed = started.elapsed();
    let (name, damage, again) = match &feed {
        Feed::Stream(stream) => (stream.name(), broken.as_ref(), None),
        Feed::Held(capture, name) => (name.as_str(), capture.damage.as_ref(), Some(capture)),
    };
    if let (Some(damage), 0) = (damage, totals.packets) {
        return Err(packet::in_file(name, damage));
    }
    let all_ran = again.is_some_and(|capture| repeat(job, capture, &mut progress).unwrap_or(false));
    progress.finish();
    let ns_per_packet = all_ran.then(|| nanoseconds(started.elapsed(), total));
    let packets_per_second =
        (again.is_none() && elapsed >= LONG).then(|| totals.packets as f64 / elapsed.as_secs_f64());
    let failure = damage.map(|damage| packet::in_file(name, damage));
    if out.json {
        let Totals { packets, insns, ref tally } = totals;
        let (accepted, verdicts) = (tally.accepted(), tally.names().iter().copied().collect());
        let damage = damage.map(ToString::to_string);
        let (maps, printk) = (tables::by_name(&world), printed);
        begin_document(packets == 0, quiet, out)?;
        out.text(if quiet { "" } else { "]," })?;
        let document = Document {
            packets,
            accepted,
            verdicts,
            insns,
            maps,
            printk,
            damage,
            ns_per_packet,
            packets_per_second,
        };
        out.rest_of_document(&document)?;
    } else {
        out.text(totals.summary())?;
        if let Some(time) = ns_per_packet {
            out.text(format_args!("{time:.0} ns a packet, {total} runs\n"))?;
        }
        tables::show(&world, out)?;
    }
    if let Some(rate) = packets_per_second.filter(|_| !out.json) {
        out.flush()?;
        output::warn(format_args!("{rate:.0} packets a second, {:.1} s", elapsed.as_secs_f64()));
    }
    // In JSON, the document has said it all.
    match (failure, first_failure) {
        (Some(_), _) if out.json => Ok(Status::NotUnderstood),
        (Some(damage), _) => Err(damage),
        (None, Some(_)) if out.json => Ok(Status::Refused),
        (None, Some(end)) => job.trap_failure(&end).map_or(Ok(Status::Refused), Err),
        (None, None) => Ok(Status::Done),
    }
}

/// What a document begins with, if it is still to be begun.
fn begin_document(first: bool, quiet: bool, out: &mut Output) -> Result<(), Failure> {
    match (first, quiet) {
        (false, _) => Ok(()),
        (true, true) => out.text('{'),
        (true, false) => out.text("{\"results\":["),
    }
}

/// Digits of the first column, which grows with larger numbers.
const WIDTH: usize = "packet".len();

/// What is kept of the first pass.
struct Pass {
    totals: Totals,
    printed: Vec<String>,
    first_failure: Option<End>,
    quiet: bool,
}

impl Pass {
    /// Counts a run, and shows it.
    fn tell(
        &mut self,
        job: &Job<'_>,
        index: usize,
        seen: Seen,
        summary: Option<String>,
        ran: Ran,
        out: &mut Output,
    ) -> Result<(), Failure> {
        self.totals.count(job, &ran);
        if out.json {
            begin_document(index == 0, self.quiet, out)?;
            if !self.quiet {
                let r0 = if let End::Returned { r0, .. } = ran.end { Some(r0_text(r0)) } else { None };
                out.text(if index == 0 { "" } else { "," })?;
                out.part(&Row { index, r0, trap: job.trap_document(&ran.end) })?;
            }
            let room = MOST_LINES.saturating_sub(self.printed.len());
            self.printed.extend(ran.heard.lines().into_iter().take(room).map(str::to_owned));
        } else if let Some(summary) = summary {
            if index == 0 {
                out.text(format_args!("{:>WIDTH$}  verdict     kept  summary\n", "packet"))?;
            }
            line(job, index, seen.wire_len, &summary, &ran, out)?;
            told(job, &ran.heard, &" ".repeat(WIDTH + 2), out)?;
        }
        if !matches!(ran.end, End::Returned { .. }) {
            self.first_failure.get_or_insert(ran.end);
        }
        Ok(())
    }
}

/// All passes but the first, which exist for the clock. False when they did not all run.
fn repeat(job: &Job<'_>, capture: &Capture, progress: &mut Progress) -> Result<bool, Failure> {
    if capture.is_empty() {
        return Ok(false);
    }
    let mut done = capture.len() as u64;
    for _ in 1..job.repeat {
        let mut live = job.engine.start(job.world(Skb::ethernet(Vec::new()))?);
        for packet in capture.iter() {
            packet.replace(&mut live.world_mut().skb);
            job.put_context(live.world_mut())?;
            let ran = live.run(job.limit);
            done += 1;
            progress.reached(done);
            if let End::Limit(_) = ran.end {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

impl Totals {
    fn count(&mut self, job: &Job<'_>, run: &Ran) {
        self.packets += 1;
        self.insns += run.executed;
        self.tally.count(match run.end {
            End::Returned { r0, .. } => Some(job.engine.verdict(r0)),
            End::Trapped(..) | End::Limit(_) => None,
        });
    }

    fn summary(&self) -> String {
        let Totals { packets, ref tally, insns } = *self;
        let plural = if packets == 1 { "" } else { "s" };
        format!("{packets} packet{plural}: {tally}; {insns} instructions\n")
    }
}

fn line(
    job: &Job<'_>,
    index: usize,
    wire_len: u32,
    summary: &str,
    run: &Ran,
    out: &mut Output,
) -> Result<(), Failure> {
    let (word, style, kept) = match run.end {
        End::Returned { r0, .. } => {
            let verdict = job.engine.verdict(r0);
            let kept = match verdict {
                Verdict::Accepted { kept } => kept.min(wire_len).to_string(),
                Verdict::Dropped | Verdict::Action { .. } | Verdict::Number => String::new(),
            };
            (verdict.word(), if verdict.is_accepted() { ACCEPTED } else { DROPPED }, kept)
        }
        End::Trapped(..) => ("trapped", TRAPPED, String::new()),
        End::Limit(_) => ("given up", TRAPPED, String::new()),
    };
    let word = out.paint(style, &format!("{word:8}"));
    out.text(format_args!("{index:WIDTH$}  {word}  {kept:>6}  {summary}\n"))
}
