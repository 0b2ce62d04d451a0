//! `bpf64 run`: a program over a packet, or over every packet of a capture.

mod capture;
pub(super) mod engine;
mod heard;
mod matrix;
pub(super) mod single;
mod syscall;

use super::Status;
use super::context;
use super::failure::Failure;
use super::input::Source;
use super::output::Output;
use super::packet::{self, PacketArguments, Packets};
use super::perf::Perf;
use super::program::{self, ProgramArguments};
use super::surroundings::Surroundings;
use super::tables::EntryArguments;
use bpf64_core::context::skb::Skb;
use bpf64_core::context::{Field, FieldKind};
use bpf64_core::environment::{Environment, MEMORY, ProgramType, SECCOMP, World};
use bpf64_core::load::{Form, Loaded};
use bpf64_core::maps::Table;
use bpf64_core::program::Program;
use bpf64_core::verifier::verify;
use capture::Feed;
use engine::{End, Engine, EngineName, Proofs};
use serde::Serialize;
use serde_json::Value;
use std::path::PathBuf;
use syscall::{Filters, How, SyscallArguments};

const EXAMPLES: &str = "\
Examples:
  bpf64 run filter.txt --pcap traffic.pcap              a line for every packet
  bpf64 run filter.txt --pcap traffic.pcap --index 6    one of them, in full
  tcpdump -w - | bpf64 run filter.txt --pcap - -q       the totals of what comes, however much
  bpf64 run -e 'ldh [12]' -e 'ret a' --packet ffffffffffff0200000000010806
  bpf64 run profile.json --syscall openat --arg -100    what a seccomp profile does with a call
  bpf64 run profile.json more.json --matrix             what several do with every call";

/// Run a program over a packet or a capture, or seccomp filters over system calls
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, disable_help_flag = true, override_usage = "bpf64 run [OPTIONS] PROGRAM...")]
pub(crate) struct Arguments {
    #[command(flatten)]
    program: ProgramArguments,
    /// More seccomp filters, installed after the first: all are asked, and the action that allows least counts
    #[arg(value_name = "PROGRAM")]
    more: Vec<PathBuf>,
    #[command(flatten)]
    packets: PacketArguments,
    #[command(flatten)]
    entries: EntryArguments,
    #[command(flatten)]
    syscall: SyscallArguments,
    /// Memory instead of a packet: r1 is its address, r2 its length
    #[arg(long, value_name = "HEX", conflicts_with_all = ["packet", "pcap"])]
    mem: Option<String>,
    /// The machine
    #[arg(long, value_name = "NAME", default_value = "interp")]
    engine: EngineName,
    /// Name compiled functions for `perf`: in /tmp/perf-PID.map, or with their code in jit-PID.dump here
    #[arg(long, value_name = "FORM")]
    perf: Option<Perf>,
    /// Run also what the verifier refuses: the interpreter checks every step
    #[arg(long)]
    unverified: bool,
    /// Of a capture only the totals, no line for every packet
    #[arg(long, short, requires = "pcap")]
    quiet: bool,
    /// Run so often, and say how long a run takes
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=MAX_REPEAT))]
    repeat: u64,
    /// Instructions after which a run is given up
    #[arg(long, value_name = "N", default_value_t = LIMIT)]
    limit: u64,
    #[command(flatten)]
    surroundings: Surroundings,
}

/// So often that the clock's precision no longer matters, and that even a long program ends some day.
pub(super) const MAX_REPEAT: u64 = 1_000_000_000;
/// More than any sensible filter needs, and over in a moment.
pub(super) const LIMIT: u64 = 10_000_000;

/// Whether programs of this type see a packet.
fn has_packet(environment: &Environment) -> bool {
    let start = |field: &Field| field.kind == FieldKind::PacketStart;
    environment.packet.legacy || environment.packet.writable || environment.context.fields.iter().any(start)
}

/// What all runs of a command have in common.
pub(super) struct Job<'a> {
    pub(super) engine: Engine,
    pub(super) source: &'a Source,
    /// What the program sees beside a packet.
    pub(super) context: Option<Value>,
    pub(super) surroundings: &'a Surroundings,
    /// The tables before the first run.
    pub(super) tables: Vec<Table>,
    pub(super) repeat: u64,
    pub(super) limit: u64,
}

/// A trap or a limit as JSON has it.
#[derive(Serialize)]
pub(super) struct TrapDocument {
    insn: u32,
    /// Which program, if it is one that was gone on to.
    #[serde(skip_serializing_if = "Option::is_none")]
    program: Option<String>,
    code: &'static str,
    message: String,
}

impl TrapDocument {
    /// How a run ended that gave no result; `None` for one that did. The number of an instruction is that of its first
    /// slot, as in listings.
    pub(super) fn of(engine: &Engine, end: &End, limit: u64) -> Option<Self> {
        let (at, code, message) = match end {
            End::Returned { .. } => return None,
            End::Trapped(at, kind) => (*at, kind.code(), kind.to_string()),
            End::Limit(at) => (*at, "limit", limit_message(limit)),
        };
        let program = engine.name(at.program).map(str::to_owned);
        Some(TrapDocument { insn: engine.slot(at), program, code, message })
    }
}

pub(super) fn limit_message(limit: u64) -> String {
    let plural = if limit == 1 { "" } else { "s" };
    format!("the program did not end within {limit} instruction{plural}")
}

/// The registers' width in digits, so that results stand below each other.
pub(crate) fn r0_text(value: u64) -> String {
    format!("{value:#018x}")
}

pub(crate) fn run(arguments: &Arguments, out: &mut Output) -> Result<Status, Failure> {
    let source = arguments.program.read()?;
    let loaded = arguments.entries.load(&arguments.program, &source, None)?;
    let context = arguments.syscall.context()?;
    let on_packets = arguments.packets.is_given() || arguments.mem.is_some();
    // A record without a packet is a system call's to a classic program that says nothing else of itself.
    let called = context.is_some() && !on_packets && matches!(loaded.form, Form::Classic(..));
    if arguments.syscall.is_given() || called || loaded.program_type == ProgramType::from(&SECCOMP) {
        return seccomp(arguments, (source, loaded), out);
    }
    if !arguments.more.is_empty() {
        return Err(Failure::not_understood("only seccomp filters run together, and this program is none")
            .help("say `--syscall NAME` or `--matrix`, or run the programs one by one"));
    }
    let mut stream = None;
    let (environment, packets) = match &arguments.mem {
        Some(_) if matches!(loaded.form, Form::Classic(..)) => {
            return Err(Failure::not_understood("a classic program sees a packet, not memory")
                .help("give the bytes as `--packet HEX`"));
        }
        Some(digits) => (ProgramType::from(&MEMORY), Packets::One(packet::memory(digits)?)),
        None => {
            let stdin_taken = arguments.program.uses_stdin();
            // Who runs over a capture several times has it held in memory.
            stream = if arguments.repeat == 1 { arguments.packets.stream(stdin_taken)? } else { None };
            let packets =
                if stream.is_some() { Packets::None } else { arguments.packets.read(stdin_taken)? };
            (loaded.program_type.clone(), packets)
        }
    };
    let plain = !has_packet(&environment);
    let tables = arguments.entries.tables(&loaded, arguments.surroundings.cpus())?;
    let proofs = match arguments.unverified || arguments.mem.is_some() {
        true => Proofs::default(),
        false => prove(&source, &loaded, &environment, out)?,
    };
    let engine = Engine::new(&loaded, arguments.engine, environment, proofs)?;
    // As long as this is there, the dump is mapped.
    let _profile = arguments.perf.map(|form| engine.announce(form, &source.name)).transpose()?;
    let Arguments { repeat, limit, ref surroundings, .. } = *arguments;
    let job = Job { engine, source: &source, context, surroundings, tables, repeat, limit };
    if let Some(stream) = stream {
        return capture::run(&job, Feed::Stream(stream), arguments.quiet, out);
    }
    match packets {
        Packets::None if job.context.is_some() => single::run(&job, packet::memory("")?, out),
        Packets::None if plain => Err(Failure::not_understood("there is nothing for the program to see").help(
            "give its context as `--context '{\"FIELD\": NUMBER}'`, `--context @FILE`, or zeros as `--context {}`",
        )),
        Packets::None => Err(Failure::not_understood("there is no packet to run the program on")
            .help("give one as `--packet HEX` or `--packet @FILE`, many as `--pcap FILE`, or an empty one as `--packet ''`")),
        Packets::One(packet) => single::run(&job, packet, out),
        Packets::All(capture, name) => capture::run(&job, Feed::Held(capture, name), arguments.quiet, out),
    }
}

/// Whether the verifier lets the program run: classic programs have had their checker.
fn prove(
    source: &Source,
    loaded: &Loaded,
    environment: &Environment,
    out: &Output,
) -> Result<Proofs, Failure> {
    const NOTE: &str = "note: `--unverified` runs it nevertheless, in the interpreter that checks every step";
    let Form::Ebpf(program) = &loaded.form else { return Ok(Proofs::default()) };
    let prove = |program: &Program| {
        verify(program, environment, 0).map_err(|rejection| {
            if !out.json {
                super::output::warn(NOTE);
            }
            super::verify::refusal(source, loaded, program, &rejection)
        })
    };
    let first = Some(prove(program)?);
    let others = loaded.others.iter().map(|other| prove(other).map(Some)).collect::<Result<_, _>>()?;
    Ok(Proofs { first, others })
}

/// Filters of system calls, one or several. They see the call and nothing else.
fn seccomp(arguments: &Arguments, first: (Source, Loaded), out: &mut Output) -> Result<Status, Failure> {
    if arguments.surroundings.is_given() {
        return Err(Failure::not_understood(
            "a filter of system calls cannot ask for time, CPU, process or chance",
        )
        .help("what it sees of the call, `--syscall`, `--arg`, `--arch` and `--context` say"));
    }
    let mut programs = vec![first];
    for path in &arguments.more {
        let source = program::read_file(path)?;
        let loaded = arguments.program.load(&source)?;
        programs.push((source, loaded));
    }
    let filters = Filters::new(programs)?;
    let arch = arguments.program.arch();
    if arguments.syscall.matrix {
        return matrix::run(&filters, arch, out);
    }
    let Arguments { engine, repeat, limit, .. } = *arguments;
    syscall::run(&arguments.syscall, &filters, &How { engine, repeat, limit, arch }, out)
}

impl Job<'_> {
    /// The world of the first run.
    fn world(&self, skb: Skb) -> Result<World, Failure> {
        let programs = self.engine.others().to_vec();
        let mut world = World { tables: self.tables.clone(), programs, ..World::new(skb) };
        self.surroundings.put(&mut world).map_err(Failure::not_understood)?;
        self.put_context(&mut world)?;
        Ok(world)
    }

    /// Puts in what the program sees beside a packet.
    fn put_context(&self, world: &mut World) -> Result<(), Failure> {
        let Some(context) = &self.context else { return Ok(()) };
        context::fill(self.engine.environment(), world, context).map_err(Failure::not_understood)
    }

    /// The trap as JSON has it.
    pub(super) fn trap_document(&self, end: &End) -> Option<TrapDocument> {
        TrapDocument::of(&self.engine, end, self.limit)
    }

    /// The trap as a fault, at its place in the program's text if it has one.
    pub(super) fn trap_failure(&self, end: &End) -> Option<Failure> {
        let (at, message, help) = match end {
            End::Returned { .. } => return None,
            End::Trapped(at, kind) => (*at, format!("the program trapped: {kind}"), None),
            End::Limit(at) => (*at, limit_message(self.limit), Some("`--limit N` allows more")),
        };
        Some(match (self.engine.span(at), self.source.text()) {
            (Some(span), Some(_)) => {
                let fault =
                    bpf64_core::diagnostic::Diagnostic::new(span, message).refusing(self.engine.slot(at));
                let fault = help.iter().fold(fault, |fault, help| fault.help(*help));
                Failure::Faults(self.source.clone(), vec![fault])
            }
            _ => {
                let place = self.engine.describe(at).map(|insn| format!(" ({insn})")).unwrap_or_default();
                let failure = Failure::refused(message + &place);
                help.iter().fold(failure, |failure, help| failure.help(*help))
            }
        })
    }
}
