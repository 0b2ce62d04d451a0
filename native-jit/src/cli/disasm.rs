//! `bpf64 disasm`: any form of a program to assembly that `bpf64 asm` reads again.

use super::Status;
use super::failure::Failure;
use super::output::Output;
use super::program::{ProgramArguments, instruction_set};
use bpf64_core::classic::{self, text};
use bpf64_core::helpers::{Functions, Symbols};
use bpf64_core::isa::text::{Mnemonic, Text};
use bpf64_core::isa::{Callee, Insn};
use bpf64_core::load::Form;
use bpf64_core::program::{Pc, Program};
use clap::ValueEnum;
use serde::Serialize;
use std::fmt::Write as _;

const EXAMPLES: &str = "\
Examples:
  bpf64 disasm rows.c                          what `tcpdump -dd` printed, as `tcpdump -d` would
  bpf64 disasm filter.txt --style bpf_asm      with labels
  bpf64 disasm program.bin --style mnemonic    eBPF as ubpf and rbpf spell it";

/// Disassemble: turn any form of a program into text
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, disable_help_flag = true, override_usage = "bpf64 disasm [OPTIONS] PROGRAM")]
pub(crate) struct Arguments {
    #[command(flatten)]
    program: ProgramArguments,
    /// Spelling [default: tcpdump for classic programs, kernel for eBPF]
    #[arg(long, value_name = "NAME")]
    style: Option<Style>,
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
}

/// An instruction with its number.
#[derive(Serialize)]
struct Line {
    slot: u32,
    text: String,
}

pub(crate) fn run(arguments: &Arguments, out: &mut Output) -> Result<Status, Failure> {
    let loaded = arguments.program.load(&arguments.program.read()?)?;
    let names = loaded.program_type.functions;
    let listing = match (&loaded.form, arguments.style) {
        (Form::Classic(program, _), None | Some(Style::Tcpdump)) => {
            text::listing(program.insns(), text::Style::Tcpdump)
        }
        (Form::Classic(program, _), Some(Style::BpfAsm)) => {
            text::listing(program.insns(), text::Style::BpfAsm)
        }
        (Form::Ebpf(program), None | Some(Style::Kernel)) => listing(program, names),
        (Form::Ebpf(program), Some(Style::Mnemonic)) => {
            program.pcs().fold(declarations(program), |mut text, pc| {
                let _ = writeln!(text, "{}", mnemonic_text(program, pc, names));
                text
            })
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
    if out.json {
        let insns = match &loaded.form {
            Form::Classic(program, _) => {
                let line =
                    |(pc, insn): (Pc, &classic::Insn)| Line { slot: pc.0, text: text::short(insn, pc) };
                program.pcs().zip(program.insns()).map(line).collect()
            }
            Form::Ebpf(program) => {
                let text = |pc| match arguments.style {
                    Some(Style::Mnemonic) => mnemonic_text(program, pc, names),
                    _ => insn_text(program, pc, names),
                };
                let line = |pc| Line { slot: program.slot(pc).0, text: text(pc) };
                program.pcs().map(line).collect()
            }
        };
        let (set, format) = (instruction_set(&loaded.form), loaded.format.name());
        out.document(&Document { set, format, insns })?;
    } else {
        out.text(listing)?;
    }
    Ok(Status::Done)
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
    let width = slot_width(program);
    program.pcs().fold(declarations(program), |mut text, pc| {
        let _ = writeln!(text, "{:width$}: {}", program.slot(pc).0, insn_text(program, pc, names));
        text
    })
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
