//! `bpf64 disasm`: any form of a program to assembly that `bpf64 asm` reads again.

mod explain;

use super::Status;
use super::failure::Failure;
use super::output::Output;
use super::packet::PacketArguments;
use super::program::{ProgramArguments, instruction_set};
use bpf64_core::classic::text;
use bpf64_core::helpers::{Functions, Symbols};
use bpf64_core::isa::text::{Mnemonic, Text};
use bpf64_core::isa::{Callee, Insn};
use bpf64_core::load::{Form, Loaded};
use bpf64_core::program::{Pc, Program};
use clap::ValueEnum;
use serde::Serialize;
use std::fmt::Write as _;

const EXAMPLES: &str = "\
Examples:
  bpf64 disasm rows.c                          what `tcpdump -dd` printed, as `tcpdump -d` would
  bpf64 disasm filter.txt --style bpf_asm      with labels
  bpf64 disasm program.bin --style mnemonic    eBPF as ubpf and rbpf spell it
  bpf64 disasm filter.txt --explain            each instruction in words
  bpf64 disasm filter.txt --explain --pcap traffic.pcap --index 6
                                               a run over a packet, step by step";

/// Disassemble: turn any form of a program into text
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, disable_help_flag = true, override_usage = "bpf64 disasm [OPTIONS] PROGRAM")]
pub(crate) struct Arguments {
    #[command(flatten)]
    program: ProgramArguments,
    /// Spelling [default: tcpdump for classic programs, kernel for eBPF]
    #[arg(long, value_name = "NAME")]
    style: Option<Style>,
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
struct Document {
    set: &'static str,
    format: &'static str,
    insns: Vec<Line>,
    /// The run that is explained.
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<Vec<Line>>,
}

/// An instruction with its number.
#[derive(Serialize)]
struct Line {
    slot: u32,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<String>,
}

pub(crate) fn run(arguments: &Arguments, out: &mut Output) -> Result<Status, Failure> {
    let loaded = arguments.program.load(&arguments.program.read()?)?;
    let packet = arguments.packets.one(arguments.program.uses_stdin())?;
    if packet.is_some() && !arguments.explain {
        return Err(Failure::not_understood("a packet says nothing about how a program is written")
            .help("`--explain` tells the run over it, `bpf64 run` its result"));
    }
    let listed = listed(&loaded, arguments.style)?;
    let run = packet.map(|packet| explain::run(&loaded, packet, arguments.limit));
    if out.json {
        let line = |pc: Pc, explanation| Line {
            slot: slot(&loaded.form, pc),
            text: plain(&loaded, arguments.style, pc),
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
    if let Form::Ebpf(program) = &loaded.form {
        out.text(declarations(program))?;
    }
    let Some(run) = run else {
        let notes = arguments.explain.then(|| pcs(&loaded.form).map(|pc| explain::insn(&loaded, pc)));
        match notes {
            Some(notes) => out.text(explain::beside(listed.iter().map(String::as_str).zip(notes)))?,
            None => listed.iter().try_for_each(|line| out.text(format_args!("{line}\n")))?,
        }
        return Ok(Status::Done);
    };
    let status = run.status();
    // What runs past the last instruction is in no listing.
    let text = |pc: Pc| listed.get(pc.index()).map_or("", String::as_str);
    out.text(explain::beside(run.steps.into_iter().map(|step| (text(step.pc), step.explanation))))?;
    match run.limit {
        Some(failure) => Err(failure),
        None => Ok(status),
    }
}

/// Every instruction as a line of the listing, in the order of the program.
fn listed(loaded: &Loaded, style: Option<Style>) -> Result<Vec<String>, Failure> {
    let names = loaded.program_type.functions;
    let lines = match (&loaded.form, style) {
        (Form::Classic(program, _), None | Some(Style::Tcpdump)) => {
            text::listing(program.insns(), text::Style::Tcpdump).lines().map(str::to_owned).collect()
        }
        (Form::Classic(program, _), Some(Style::BpfAsm)) => {
            text::listing(program.insns(), text::Style::BpfAsm).lines().map(str::to_owned).collect()
        }
        (Form::Ebpf(program), None | Some(Style::Kernel)) => numbered(program, names).collect(),
        (Form::Ebpf(program), Some(Style::Mnemonic)) => {
            program.pcs().map(|pc| mnemonic_text(program, pc, names)).collect()
        }
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
    Ok(lines)
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
fn plain(loaded: &Loaded, style: Option<Style>, pc: Pc) -> String {
    let names = loaded.program_type.functions;
    match &loaded.form {
        Form::Classic(program, _) => text::short(&program.insns()[pc.index()], pc),
        Form::Ebpf(program) if pc.index() >= program.insns().len() => String::new(),
        Form::Ebpf(program) if style == Some(Style::Mnemonic) => mnemonic_text(program, pc, names),
        Form::Ebpf(program) => insn_text(program, pc, names),
    }
}

/// `jeq r0, 5, +3`
fn mnemonic_text(program: &Program, pc: Pc, functions: Functions) -> String {
    let names = &Symbols { functions, maps: program.maps() };
    Mnemonic(Text { insn: &program.insn(pc), target: None, names }).to_string()
}

/// What a program declares, a line each.
fn declarations(program: &Program) -> String {
    program.maps().iter().fold(String::new(), |mut text, map| {
        let _ = writeln!(text, "{map}");
        text
    })
}

/// `12: goto 20`, a line for each instruction, behind the declarations.
pub(crate) fn listing(program: &Program, names: Functions) -> String {
    numbered(program, names).fold(declarations(program), |text, line| text + &line + "\n")
}

/// `12: goto 20`
fn numbered(program: &Program, names: Functions) -> impl Iterator<Item = String> {
    let width = slot_width(program);
    program.pcs().map(move |pc| format!("{:width$}: {}", program.slot(pc).0, insn_text(program, pc, names)))
}

/// How many digits the last slot of a program takes.
pub(crate) fn slot_width(program: &Program) -> usize {
    program.slot_count().to_string().len()
}

/// An instruction as it reads in its place: with the slot it jumps to.
pub(crate) fn insn_text(program: &Program, pc: Pc, functions: Functions) -> String {
    let insn = program.insn(pc);
    let offset = match insn {
        Insn::Jump { offset } | Insn::Branch { offset, .. } | Insn::MayGoto { offset } => {
            Some(i32::from(offset))
        }
        Insn::JumpLong { offset } | Insn::Call(Callee::Local(offset)) => Some(offset),
        _ => None,
    };
    let target = offset.and_then(|offset| program.target(pc, offset)).map(|pc| program.slot(pc).0);
    Text { insn: &insn, target, names: &Symbols { functions, maps: program.maps() } }.to_string()
}
