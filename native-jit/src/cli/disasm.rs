//! `bpf64 disasm`: any form of a program to assembly that `bpf64 asm` reads again.

mod explain;

use super::Status;
use super::failure::Failure;
use super::output::Output;
use super::packet::PacketArguments;
use super::program::{ProgramArguments, instruction_set};
use bpf64_core::classic::text;
use bpf64_core::listing::{self, Listing};
use bpf64_core::load::{Form, Loaded};
use bpf64_core::program::{Pc, SourceLine};
use clap::ValueEnum;
use serde::Serialize;

const EXAMPLES: &str = "\
Examples:
  bpf64 disasm rows.c                          what `tcpdump -dd` printed, as `tcpdump -d` would
  bpf64 disasm filter.txt --style bpf_asm      with labels
  bpf64 disasm program.bin --style mnemonic    eBPF as ubpf and rbpf spell it
  bpf64 disasm filter.txt --explain            each instruction in words
  bpf64 disasm filter.txt --explain --pcap traffic.pcap --index 6
                                               a run over a packet, step by step
  bpf64 disasm object.o --function count       a program of an object file, with its C lines";

/// Disassemble: turn any form of a program into text
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, disable_help_flag = true, override_usage = "bpf64 disasm [OPTIONS] PROGRAM")]
pub(crate) struct Arguments {
    #[command(flatten)]
    program: ProgramArguments,
    /// Spelling [default: tcpdump for classic programs, kernel for eBPF]
    #[arg(long, value_name = "NAME")]
    style: Option<Style>,
    /// Leave out the lines of C that an object file has
    #[arg(long)]
    no_source: bool,
    /// Say in words what each instruction does; with a packet, what each step of the run over it does
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    packets: PacketArguments,
    /// Steps after which an explained run is given up
    #[arg(long, value_name = "N", default_value_t = 10_000, requires = "explain")]
    limit: usize,
}

/// A spelling of assembly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Style {
    /// eBPF as the kernel and LLVM print it, with the slot of each instruction
    Kernel,
    /// eBPF as ubpf and rbpf read it
    Mnemonic,
    /// Classic as `tcpdump -d` prints it
    Tcpdump,
    /// Classic as the kernel's bpf_asm reads it
    #[value(name = "bpf_asm")]
    BpfAsm,
}

#[derive(Serialize)]
struct Document<'a> {
    set: &'static str,
    format: &'static str,
    insns: Vec<Line<'a>>,
    /// The run that is explained.
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<Vec<Line<'a>>>,
}

/// An instruction with its number.
#[derive(Serialize)]
struct Line<'a> {
    slot: u32,
    text: String,
    /// The function that begins here.
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Place<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<String>,
}

/// A line of C.
#[derive(Serialize)]
struct Place<'a> {
    file: &'a str,
    line: u32,
    column: u32,
    text: &'a str,
}

impl<'a> From<&'a SourceLine> for Place<'a> {
    fn from(SourceLine { file, line, column, text }: &'a SourceLine) -> Self {
        Place { file, line: *line, column: *column, text }
    }
}

pub(crate) fn run(arguments: &Arguments, out: &mut Output) -> Result<Status, Failure> {
    let loaded = arguments.program.load(&arguments.program.read()?)?;
    let packet = arguments.packets.one(arguments.program.uses_stdin())?;
    if packet.is_some() && !arguments.explain {
        return Err(Failure::not_understood("a packet says nothing about how a program is written")
            .help("`--explain` tells the run over it, `bpf64 run` its result"));
    }
    let listing = listing(&loaded, arguments)?;
    let listed = listed(&loaded, listing, arguments.style);
    let run = packet.map(|packet| explain::run(&loaded, packet, arguments.limit));
    if out.json {
        let line = |pc: Pc, explanation| Line {
            slot: slot(&loaded.form, pc),
            text: plain(&loaded, listing, pc),
            function: listing.and_then(|listing| listing.program.function_at(pc)),
            source: listing.and_then(|listing| listing.source_at(pc)).map(Place::from),
            explanation,
        };
        let insns =
            pcs(&loaded.form).map(|pc| line(pc, arguments.explain.then(|| explain::insn(&loaded, pc))));
        let steps = run
            .as_ref()
            .map(|run| run.steps.iter().map(|step| line(step.pc, Some(step.explanation.clone()))).collect());
        let (set, format) = (instruction_set(&loaded.form), loaded.format.name());
        out.document(&Document { set, format, insns: insns.collect(), steps })?;
        return Ok(run.map_or(Status::Done, |run| run.status()));
    }
    out.text(listing.map(|listing| listing.head()).unwrap_or_default())?;
    // What stands above an instruction: the name of a function, a line of C.
    let above = |pc| listing.map(|listing| listing.above(pc)).unwrap_or_default();
    let Some(run) = run else {
        let mut lines = listed;
        if arguments.explain {
            let notes = pcs(&loaded.form).map(|pc| explain::insn(&loaded, pc));
            lines = explain::beside(lines.iter().map(String::as_str).zip(notes));
        }
        for (pc, line) in pcs(&loaded.form).zip(lines) {
            out.text(format_args!("{}{line}\n", above(pc)))?;
        }
        out.text(listing.map(|listing| listing.behind()).unwrap_or_default())?;
        return Ok(Status::Done);
    };
    let status = run.status();
    // What runs past the last instruction is in no listing.
    let text = |pc: Pc| listed.get(pc.index()).map_or("", String::as_str);
    for line in explain::beside(run.steps.into_iter().map(|step| (text(step.pc), step.explanation))) {
        out.text(format_args!("{line}\n"))?;
    }
    match run.limit {
        Some(failure) => Err(failure),
        None => Ok(status),
    }
}

/// How an eBPF program is listed; nothing for a classic one.
///
/// # Errors
/// A style that is not for programs of its kind.
fn listing<'a>(loaded: &'a Loaded, arguments: &Arguments) -> Result<Option<Listing<'a>>, Failure> {
    let style = match (&loaded.form, arguments.style) {
        (Form::Classic(..), None | Some(Style::Tcpdump | Style::BpfAsm)) => return Ok(None),
        (Form::Ebpf(_), None | Some(Style::Kernel)) => listing::Style::Kernel,
        (Form::Ebpf(_), Some(Style::Mnemonic)) => listing::Style::Mnemonic,
        (Form::Classic(..), Some(Style::Kernel | Style::Mnemonic)) => {
            return Err(Failure::not_understood(
                "the styles `kernel` and `mnemonic` are for eBPF, and this program is classic",
            )
            .help("choose `--style tcpdump` or `bpf_asm`, or see it as eBPF with `bpf64 convert`"));
        }
        (Form::Ebpf(_), Some(Style::Tcpdump | Style::BpfAsm)) => {
            return Err(Failure::not_understood(
                "the styles `tcpdump` and `bpf_asm` are for classic programs, and this one is eBPF",
            )
            .help("choose `--style kernel` or `mnemonic`"));
        }
    };
    let Form::Ebpf(program) = &loaded.form else { return Ok(None) };
    let Loaded { program_type, others, .. } = loaded;
    Ok(Some(Listing { program, program_type, style, source: !arguments.no_source, others }))
}

/// Every instruction as a line of the listing, in the order of the program.
fn listed(loaded: &Loaded, listing: Option<Listing<'_>>, style: Option<Style>) -> Vec<String> {
    match (&loaded.form, listing) {
        (Form::Ebpf(program), Some(listing)) => program.pcs().map(|pc| listing.line(pc)).collect(),
        (Form::Classic(program, _), _) => {
            let style = if style == Some(Style::BpfAsm) { text::Style::BpfAsm } else { text::Style::Tcpdump };
            text::listing(program.insns(), style).lines().map(str::to_owned).collect()
        }
        (Form::Ebpf(_), None) => Vec::new(),
    }
}

/// The numbers of all instructions.
fn pcs(form: &Form) -> impl Iterator<Item = Pc> + use<> {
    let count = match form {
        Form::Classic(program, _) => program.insns().len(),
        Form::Ebpf(program) => program.insns().len(),
    };
    (0..count as u32).map(Pc)
}

/// The number of an instruction in listings. What runs past the last has one more than that.
fn slot(form: &Form, pc: Pc) -> u32 {
    match form {
        Form::Classic(..) => pc.0,
        Form::Ebpf(program) => program.slot(pc).0,
    }
}

/// An instruction without its number; nothing behind the last.
fn plain(loaded: &Loaded, listing: Option<Listing<'_>>, pc: Pc) -> String {
    match (&loaded.form, listing) {
        (Form::Classic(program, _), _) => text::short(&program.insns()[pc.index()], pc),
        (Form::Ebpf(program), Some(listing)) if pc.index() < program.insns().len() => listing.insn(pc),
        (Form::Ebpf(_), _) => String::new(),
    }
}
