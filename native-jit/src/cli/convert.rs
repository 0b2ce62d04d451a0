//! `bpf64 convert`: classic to eBPF, each instruction beside the one it came from.

use super::Status;
use super::disasm::{insn_text, slot_width};
use super::emit::{self, Destination};
use super::failure::Failure;
use super::output::Output;
use super::program::ProgramArguments;
use bpf64_core::classic::{self, text};
use bpf64_core::helpers::Functions;
use bpf64_core::load::Form;
use bpf64_core::program::Program;
use clap::ValueEnum;
use data_encoding::HEXLOWER;
use serde::Serialize;
use std::fmt::Write as _;

const EXAMPLES: &str = "\
Examples:
  tcpdump -d arp | bpf64 convert -             both programs, side by side
  bpf64 convert filter.txt --emit raw -o filter.bin";

/// Convert a classic program to eBPF
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, disable_help_flag = true, override_usage = "bpf64 convert [OPTIONS] PROGRAM")]
pub(crate) struct Arguments {
    #[command(flatten)]
    program: ProgramArguments,
    /// Form of the result
    #[arg(long, value_name = "FORM", default_value = "text")]
    emit: Emit,
    #[command(flatten)]
    destination: Destination,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Emit {
    /// Assembly, with the classic instruction each line came from
    Text,
    /// The bytes as hexadecimal digits, on one line
    Hex,
    /// The bytes themselves
    Raw,
}

#[derive(Serialize)]
struct Document {
    hex: String,
    insns: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    slot: u32,
    text: String,
    /// `null` for what comes before the first classic instruction.
    classic: Option<u32>,
}

pub(crate) fn run(arguments: &Arguments, out: &mut Output) -> Result<Status, Failure> {
    let loaded = arguments.program.load(&arguments.program.read()?)?;
    let Form::Classic(classic, _) = &loaded.form else {
        return Err(Failure::not_understood(
            "this program is eBPF already; only classic programs are converted",
        )
        .help("`bpf64 disasm` shows it"));
    };
    let program = classic::convert(classic);
    let names = loaded.program_type.functions;
    if !out.json || arguments.destination.is_file() {
        let made = match arguments.emit {
            Emit::Text => side_by_side(&program, classic, names).into_bytes(),
            Emit::Hex => emit::hex_line(&program.encode()).into_bytes(),
            Emit::Raw => program.encode(),
        };
        arguments.destination.write(&made, arguments.emit != Emit::Raw, out)?;
    }
    if out.json {
        let line = |pc| Line {
            slot: program.slot(pc).0,
            text: insn_text(&program, pc, names),
            classic: program.origin(pc).classic.map(|pc| pc.0),
        };
        let insns = program.pcs().map(line).collect();
        out.document(&Document { hex: HEXLOWER.encode(&program.encode()), insns })?;
    }
    Ok(Status::Done)
}

/// The listing with the classic instruction in a comment, so that `bpf64 asm` reads it: the whole instruction
/// where its translation begins, then its number alone.
fn side_by_side(program: &Program, classic: &classic::Program, names: Functions) -> String {
    let texts: Vec<String> = program.pcs().map(|pc| insn_text(program, pc, names)).collect();
    let longest = texts.iter().map(|text| text.chars().count()).max().unwrap_or_default();
    let slots = slot_width(program);
    let mut last = None;
    let mut listing = String::new();
    for (pc, ebpf) in program.pcs().zip(&texts) {
        let slot = program.slot(pc).0;
        let origin = program.origin(pc).classic;
        let _ = match origin {
            None => writeln!(listing, "{slot:slots$}: {ebpf}"),
            Some(from) => {
                let number = format!("({:03})", from.0);
                let whole = match classic.insns().get(from.index()) {
                    Some(insn) if origin != last => format!("{number} {}", text::short(insn, from)),
                    _ => number,
                };
                writeln!(listing, "{slot:slots$}: {ebpf:longest$}  ; {whole}")
            }
        };
        last = origin;
    }
    listing
}
