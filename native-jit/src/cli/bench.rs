//! `bpf64 bench`: the same program on every engine that takes it, timed side by side.
//!
//! Engines take turns, round by round, so that what the machine does meanwhile hits all of them alike; each is warm when
//! the first round begins. The fastest round is the figure to quote, since nothing makes a program faster than it is;
//! the median and the spread of the middle half say how far it can be trusted.

mod chart;
mod engines;
mod measure;
mod native;
pub(super) mod one;
mod report;
mod suite;
mod verification;

use super::Status;
use super::emit;
use super::failure::Failure;
use super::input::Source;
use super::output::{self, Output};
use super::packet::{PacketArguments, Packets};
use super::perf::Perf;
use super::program::{self, ProgramArguments};
use super::progress::Progress;
use super::tables::EntryArguments;
use bpf64_core::context::skb::Skb;
use bpf64_core::environment::World;
use bpf64_core::load::{Form, Format, Loaded, Request, load};
use bpf64_core::program::Program;
use bpf64_core::verifier::{Verified, verify};
use bpf64_jit::runtime::profile::Profile;
use data_encoding::HEXLOWER;
use engines::{ENGINES, Engine, PEERS, Prepared, Runs, Unfit};
use measure::Conditions;
use report::{Figures, Row, Subject};
use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use suite::Builtin;

const EXAMPLES: &str = "\
Examples:
  bpf64 bench                                              the built-in programs
  bpf64 bench mine.txt other.txt --packet @packet.hex      yours
  bpf64 bench --engines classic,interp --rounds 2000 --json
  bpf64 bench --peers --svg times.svg                      other eBPF machines, too; and a picture
  bpf64 bench --verify                                     our verifier beside the kernel's

A run is one packet: its registers are set, its program executed; the machine stays. Without
--packet, programs meet a TCP packet to port 22.";

/// Time engines side by side; with no PROGRAM, on the built-in programs
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, disable_help_flag = true, override_usage = "bpf64 bench [OPTIONS] [PROGRAM]...")]
pub(crate) struct Arguments {
    #[command(flatten)]
    program: ProgramArguments,
    /// More files with programs
    #[arg(value_name = "MORE", conflicts_with = "text")]
    more: Vec<PathBuf>,
    #[command(flatten)]
    packets: PacketArguments,
    #[command(flatten)]
    entries: EntryArguments,
    /// Engines, separated by commas; all without this
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = engine_named)]
    engines: Vec<&'static Engine>,
    /// Also rbpf and solana-sbpf, in a build that has them: `cargo install --path native-jit --features peers`
    #[arg(long)]
    peers: bool,
    /// Rounds of each engine, a fraction of a millisecond long
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=MAX_ROUNDS))]
    rounds: u32,
    /// Also draw the times, into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Name compiled functions for `perf`: in /tmp/perf-PID.map, or with their code in jit-PID.dump here
    #[arg(long, value_name = "FORM")]
    perf: Option<Perf>,
    /// Time the verifier instead, beside the running kernel's where that may be asked
    #[arg(long, conflicts_with_all = ["engines", "peers", "rounds", "svg", "perf", "packet", "pcap"])]
    verify: bool,
}

/// Enough for minutes.
const MAX_ROUNDS: i64 = 1_000_000;

fn engine_named(name: &str) -> Result<&'static Engine, String> {
    engines::all().find(|engine| engine.name == name).ok_or_else(|| {
        let known = engines::all().map(|engine| format!("\n  {:9} {}", engine.name, engine.doc));
        format!("no such engine; there are{}", known.collect::<String>())
    })
}

/// A program, and what it is run on.
struct Task {
    name: String,
    /// If it is one of ours.
    builtin: Option<&'static Builtin>,
    loaded: Loaded,
    /// As eBPF: converted, if it is classic.
    program: Rc<Program>,
    /// The proof, or what was not proved.
    verified: Result<Verified, String>,
    world: World,
    /// Where compiled code is made known.
    profile: Option<Rc<RefCell<Profile>>>,
}

impl Task {
    fn new(name: String, builtin: Option<&'static Builtin>, loaded: Loaded, packet: Skb) -> Self {
        let program = loaded.ebpf();
        let verified = verify(&program, &loaded.program_type, 0).map_err(|rejection| rejection.to_string());
        let (program, programs) = (Rc::new(program), loaded.others.clone());
        let world = World { programs, ..World::new(packet) };
        Task { name, builtin, loaded, program, verified, world, profile: None }
    }

    /// What it is known to return.
    fn expected(&self) -> Option<u64> {
        Some((self.builtin?.native)(&self.world.skb.packet))
    }

    /// A program that only returns, under the same conditions: what a run takes by itself.
    fn nothing(&self) -> Option<Task> {
        let (text, format) = match self.loaded.form {
            Form::Classic(..) => ("ret #0", Format::Cbpf),
            Form::Ebpf(_) => ("r0 = 0\nexit", Format::Ebpf),
        };
        let program_type = Some(self.loaded.program_type.clone());
        let loaded = load(text.as_bytes(), &Request { program_type, ..format.into() }).ok()?;
        let task = Task::new("nothing".to_owned(), None, loaded, self.world.skb.clone());
        Some(Task { profile: self.profile.clone(), ..task })
    }

    /// Those of the programs that it may go on to.
    fn others(&self) -> Result<Vec<Verified>, Unfit> {
        let prove = |other: &Rc<Program>| {
            verify(other, &self.loaded.program_type, 0).map_err(|rejection| {
                let name = other.name().unwrap_or("a program");
                Unfit::NotTaken(format!("{name} is not verified: {rejection}").into())
            })
        };
        self.world.programs.iter().map(prove).collect()
    }

    /// The proof, which some engines do not run without.
    fn proof(&self) -> Result<&Verified, Unfit> {
        self.verified.as_ref().map_err(|why| Unfit::NotTaken(format!("not verified: {why}").into()))
    }
}

pub(crate) fn run(arguments: &Arguments, out: &mut Output) -> Result<Status, Failure> {
    if arguments.verify {
        return verification::run(arguments, out);
    }
    let mut tasks = tasks(arguments)?;
    let engines = chosen(arguments)?;
    if let Some(form) = arguments.perf {
        if !engines.iter().any(|engine| engine.name == engines::JIT) {
            return Err(Perf::nothing_compiled("let `jit` be one of the engines"));
        }
        let profile = Rc::new(RefCell::new(form.open()?));
        tasks.iter_mut().for_each(|task| task.profile = Some(Rc::clone(&profile)));
    }
    let cpu = measure::stay_on_one_cpu();
    let mut progress = measure::progress(&tasks, &engines, arguments.rounds, out);
    let subjects: Result<Vec<Subject>, Failure> =
        tasks.into_iter().map(|task| subject(task, &engines, arguments.rounds, &mut progress)).collect();
    progress.finish();
    let subjects = subjects?;
    if cfg!(debug_assertions) && !out.json {
        output::warn("warning: this is a debug build, whose times say nothing about a release");
    }
    let conditions = Conditions { rounds: arguments.rounds, cpu, machine: measure::machine() };
    report::write(&subjects, &conditions, out)?;
    if let Some(path) = &arguments.svg {
        emit::write_file(path, chart::svg(&subjects, &conditions.to_string()).as_bytes())?;
    }
    let fine = subjects.iter().all(Subject::is_fine);
    Ok(if fine { Status::Done } else { Status::Refused })
}

/// The engines that are to be timed.
fn chosen(arguments: &Arguments) -> Result<Vec<&'static Engine>, Failure> {
    let mut engines = arguments.engines.clone();
    if engines.is_empty() {
        engines.extend(ENGINES);
    }
    if arguments.peers {
        if PEERS.is_empty() {
            return Err(Failure::not_understood("this build has no peers").help(
                "`cargo install --path native-jit --features peers` on x86-64 Unix makes one that has",
            ));
        }
        let is_there = |peer: &Engine| engines.iter().any(|engine| engine.name == peer.name);
        engines.extend(PEERS.iter().filter(|peer| !is_there(peer)).collect::<Vec<_>>());
    }
    Ok(engines)
}

/// What is to be timed: the programs named, or the built-in ones.
fn tasks(arguments: &Arguments) -> Result<Vec<Task>, Failure> {
    let packet = match arguments.packets.read(arguments.program.uses_stdin())? {
        Packets::None => None,
        Packets::One(packet) => Some(Skb::captured(packet.bytes, packet.wire_len, packet.link_type)),
        Packets::All(..) => {
            return Err(Failure::not_understood("a run is timed on one packet, and this is a capture")
                .help("choose one with `--index N`"));
        }
    };
    if !arguments.program.is_given() {
        return Ok(suite::tasks(packet.as_ref()));
    }
    let skb = packet.unwrap_or_else(suite::packet_to_port_22);
    let sources = sources(arguments)?;
    let task = |source: &_| {
        let loaded = arguments.entries.load(&arguments.program, source, None)?;
        let tables = arguments.entries.tables(&loaded, 1)?;
        let task = Task::new(source.name.clone(), None, loaded, skb.clone());
        let world = World { tables, ..task.world };
        Ok(Task { world, ..task })
    };
    sources.iter().map(task).collect()
}

/// What the programs named are read from.
fn sources(arguments: &Arguments) -> Result<Vec<Source>, Failure> {
    let mut sources = vec![arguments.program.read()?];
    for path in &arguments.more {
        sources.push(program::read_file(path)?);
    }
    Ok(sources)
}

/// Times a program on all engines that take it, of which there must be one.
fn subject(
    task: Task,
    engines: &[&Engine],
    rounds: u32,
    progress: &mut Progress,
) -> Result<Subject, Failure> {
    let nothing = task.nothing();
    let mut rows: Vec<Row> = Vec::new();
    let mut ready: Vec<Ready> = Vec::new();
    for engine in engines {
        match engine.prepare(&task) {
            Ok(prepared) => {
                let idle = nothing.as_ref().and_then(|nothing| engine.prepare(nothing).ok());
                ready.push(Ready { engine: engine.name, prepared, idle: idle.map(|idle| idle.run) });
            }
            Err(why) => rows.push(Row { engine: engine.name, outcome: Err(why) }),
        }
    }
    if ready.is_empty() {
        let reasons: Vec<String> =
            rows.iter().map(|row| format!("{}: {}", row.engine, row.reason())).collect();
        let failure =
            Failure::not_understood(format!("no engine runs {}: {}", task.name, reasons.join("; ")));
        return Err(failure.help("leave out `--engines`, and every engine that takes it is timed"));
    }
    let mut measured = measure::race(ready.iter_mut().flat_map(Ready::runners), rounds, progress).into_iter();
    let mut next = || measured.next().expect("there is an outcome of each");
    let timed: Vec<Row> = ready
        .iter()
        .map(|Ready { engine, prepared, idle }| {
            let (run, idle) = (next(), idle.as_ref().map(|_| next()));
            let outcome = run.and_then(|(ran, times)| {
                let idle = idle.transpose()?.map(|(_, times)| times);
                Ok(Figures::new(prepared, ran, times, idle))
            });
            Row { engine, outcome: outcome.map_err(Unfit::Trapped) }
        })
        .collect();
    rows.splice(0..0, timed);
    let insns = engines::count(&task);
    let is_classic = matches!(task.loaded.form, Form::Classic(..));
    let expected = task.expected();
    let packet = HEXLOWER.encode(&task.world.skb.packet);
    Ok(Subject {
        builtin: task.builtin,
        packet,
        ..Subject::new(task.name, is_classic, expected, insns, rows)
    })
}

/// An engine that takes the program.
struct Ready {
    engine: &'static str,
    prepared: Prepared,
    /// What takes as long as a run in which nothing happens.
    idle: Option<Runs>,
}

impl Ready {
    /// All that is timed of it, with the rounds from turn to turn. What is taken off is worth as much care as what it is
    /// taken from; what is only told is not.
    fn runners(&mut self) -> impl Iterator<Item = (&mut Runs, usize)> {
        let idle_every = if self.prepared.is_asked { 1 } else { 4 };
        std::iter::once((&mut self.prepared.run, 1)).chain(self.idle.as_mut().map(|idle| (idle, idle_every)))
    }
}
