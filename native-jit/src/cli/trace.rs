//! `bpf64 trace`: a program over a stream of trace events.

mod events;

use super::Status;
use super::failure::Failure;
use super::input;
use super::output::{Output, warn};
use super::program::ProgramArguments;
use super::run::engine::{End, Engine, EngineName, Proofs, Ran};
use super::run::single::told;
use super::run::{Job, LIMIT, TrapDocument, r0_text};
use super::surroundings::Surroundings;
use super::tables::{self, Entry, EntryArguments};
use bpf64_core::environment::{ProgramType, Random, World};
use bpf64_core::load::Form;
use bpf64_core::maps::MAX_CPUS;
use bpf64_core::trace::{Format, Symbols};
use events::{Event, Events};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  perf record -e skb:kfree_skb -a sleep 5; perf script | bpf64 trace drops.txt --format-file kfree_skb.format
  bpf64 trace drops.txt --format-file kfree_skb.format --events trace.txt

The format is /sys/kernel/tracing/events/GROUP/EVENT/format. Events are lines of `perf script`, of `trace-cmd report`,
of tracefs's `trace`, or of JSON: {\"event\": NAME, \"pid\": N, \"comm\": TEXT, \"cpu\": N, \"time_ns\": N, FIELD: VALUE, …}.
Events of other names are passed over.";

/// Run a program over trace events: prints those that it keeps, and what it printed and counted
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, disable_help_flag = true, override_usage = "bpf64 trace [OPTIONS] --format-file <FILE> PROGRAM")]
pub(crate) struct Arguments {
    #[command(flatten)]
    program: ProgramArguments,
    /// What records of the event look like: a `format` file of tracefs
    #[arg(long, value_name = "FILE")]
    format_file: PathBuf,
    /// The events; `-` for standard input
    #[arg(long, value_name = "FILE", default_value = "-")]
    events: PathBuf,
    #[command(flatten)]
    entries: EntryArguments,
    /// Which random numbers there are
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// The machine
    #[arg(long, value_name = "NAME", default_value = "interp")]
    engine: EngineName,
    /// Instructions after which a run is given up
    #[arg(long, value_name = "N", default_value_t = LIMIT)]
    limit: u64,
}

/// A format file is read up to here.
const MAX_FORMAT: usize = 1 << 20;
/// Results and lines that are kept for a document.
const MOST: usize = 1_000_000;

#[derive(Serialize)]
struct Document<'a> {
    events: u64,
    kept: u64,
    /// Events of other names.
    others: u64,
    insns: u64,
    results: &'a [Row],
    maps: BTreeMap<&'a str, Vec<Entry>>,
    printk: &'a [String],
    /// The addresses of functions that were printed by name.
    symbols: BTreeMap<String, &'a str>,
    /// Fields that could not be read, and in how many events.
    unread: &'a BTreeMap<String, Unread>,
}

#[derive(Serialize)]
struct Row {
    index: u64,
    r0: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trap: Option<TrapDocument>,
}

/// What could not be read of a field.
#[derive(Serialize, Default)]
struct Unread {
    events: u64,
    /// The first of such texts; none when there was no text.
    example: String,
}

/// What is counted and kept over all events.
#[derive(Default)]
struct Totals {
    events: u64,
    kept: u64,
    others: u64,
    insns: u64,
    rows: Vec<Row>,
    printed: Vec<String>,
    unread: BTreeMap<String, Unread>,
    failure: Option<End>,
}

pub(crate) fn run(arguments: &Arguments, out: &mut Output) -> Result<Status, Failure> {
    let source = arguments.program.read()?;
    let format = read_format(arguments)?;
    let program_type = ProgramType::from(format.environment());
    let loaded = arguments.entries.load(&arguments.program, &source, Some(program_type.clone()))?;
    if let Form::Classic(..) = loaded.form {
        return Err(Failure::not_understood("a classic program sees a packet, not an event")
            .help("write it in eBPF: r1 is the record, with the fields of the format"));
    }
    if arguments.program.uses_stdin() && input::is_stdin(&arguments.events) {
        return Err(Failure::not_understood("program and events cannot both come from standard input"));
    }
    let tables = arguments.entries.tables(&loaded, MAX_CPUS)?;
    // What is not proved runs too, a step at a time.
    let proofs = Proofs::of(&loaded, &program_type);
    let engine = Engine::new(&loaded, arguments.engine, program_type, proofs)?;
    // Every event says when, where and to whom it happened.
    let surroundings = &Surroundings::default();
    let limit = arguments.limit;
    let job = Job { engine, source: &source, context: None, surroundings, tables, repeat: 1, limit };
    let mut events = Events::open(&arguments.events)?;
    let mut symbols = Symbols::default();
    let mut totals = Totals::default();
    let random = Random(arguments.seed);
    let (tables, programs) = (job.tables.clone(), job.engine.others().to_vec());
    let world = World { tables, programs, cpus: MAX_CPUS, random, ..World::default() };
    let mut live = job.engine.start(world);
    while let Some(event) = events.next(&format, &mut symbols)? {
        if event.name.as_deref().is_some_and(|name| name != format.name) {
            totals.others += 1;
            continue;
        }
        event.put(live.world_mut());
        let run = live.run(job.limit);
        totals.count(&job, &event, &run, out)?;
        let given_up = matches!(run.end, End::Limit(_));
        if !matches!(run.end, End::Returned { .. }) {
            totals.failure.get_or_insert(run.end);
        }
        if given_up {
            // Every event would take as long.
            break;
        }
    }
    report(&job, &totals, &live.into_world(), &symbols, out)?;
    match &totals.failure {
        None => Ok(Status::Done),
        Some(_) if out.json => Ok(Status::Refused),
        Some(end) => job.trap_failure(end).map_or(Ok(Status::Refused), Err),
    }
}

fn read_format(arguments: &Arguments) -> Result<Format, Failure> {
    let file = input::read(&arguments.format_file, MAX_FORMAT)?;
    let text = String::from_utf8_lossy(&file.bytes);
    Format::parse(&text).map_err(|error| Failure::not_understood(format!("{}: {error}", file.name)))
}

impl Totals {
    fn count(&mut self, job: &Job<'_>, event: &Event, run: &Ran, out: &mut Output) -> Result<(), Failure> {
        let kept = matches!(run.end, End::Returned { r0, .. } if r0 as u32 != 0);
        let index = self.events;
        self.events += 1;
        self.kept += u64::from(kept);
        self.insns += run.executed;
        for loss in &event.lost {
            let unread = self.unread.entry(loss.field.clone()).or_default();
            unread.events += 1;
            if unread.example.is_empty() {
                unread.example.clone_from(&loss.text);
            }
        }
        if out.json {
            let r0 = if let End::Returned { r0, .. } = run.end { Some(r0_text(r0)) } else { None };
            if self.rows.len() < MOST {
                self.rows.push(Row { index, r0, trap: job.trap_document(&run.end) });
            }
            let room = MOST.saturating_sub(self.printed.len());
            self.printed.extend(run.heard.lines().into_iter().take(room).map(str::to_owned));
            return Ok(());
        }
        if kept {
            out.text(format_args!("{}\n", input::tame(event.line.trim_end())))?;
        }
        told(job, &run.heard, "          ", out)
    }
}

fn report(
    job: &Job<'_>,
    totals: &Totals,
    world: &World,
    symbols: &Symbols,
    out: &mut Output,
) -> Result<(), Failure> {
    let Totals { events, kept, others, insns, unread, .. } = totals;
    if out.json {
        return out.document(&Document {
            events: *events,
            kept: *kept,
            others: *others,
            insns: *insns,
            results: &totals.rows,
            maps: tables::by_name(world),
            printk: &totals.printed,
            symbols: symbols.all().map(|(address, name)| (format!("{address:#018x}"), name)).collect(),
            unread,
        });
    }
    let plural = if *events == 1 { "" } else { "s" };
    let passed = if *others == 0 { String::new() } else { format!(", {others} of other names") };
    let executed = job.engine.count(*insns);
    out.text(format_args!(
        "{events} event{plural}: {kept} kept, {} filtered out{passed}; {executed}\n",
        events - kept
    ))?;
    let name = |key: &[u8]| symbols.name(u64::from_le_bytes(key.try_into().ok()?)).map(str::to_owned);
    tables::show_named(world, &name, out)?;
    out.flush()?;
    for (field, Unread { events, example }) in unread {
        let plural = if *events == 1 { "" } else { "s" };
        let why = match &example[..] {
            "" => "their text does not say it".to_owned(),
            example => format!("`{}` is no value of it", input::tame(example)),
        };
        warn(format_args!("warning: the field {field} is 0 in {events} event{plural}: {why}"));
    }
    Ok(())
}
