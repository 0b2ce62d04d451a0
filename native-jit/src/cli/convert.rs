//! `bpf64 convert`: classic to eBPF, each instruction beside the one it came from.

use super::Status;
use super::emit::{self, Destination};
use super::failure::Failure;
use super::output::Output;
use super::program::ProgramArguments;
use bpf64_core::classic::{self, Conversion, Why, text};
use bpf64_core::helpers::Functions;
use bpf64_core::listing::{Style, insn, slot_width};
use bpf64_core::load::Form;
use bpf64_core::program::Pc;
use clap::ValueEnum;
use data_encoding::HEXLOWER;
use serde::Serialize;
use std::fmt::Write as _;

const EXAMPLES: &str = "\
Examples:
  tcpdump -d arp | bpf64 convert -             both programs, side by side
  bpf64 convert filter.txt --plain             one to one
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
    /// Translate one to one, instead of into fewer instructions and fewer steps
    #[arg(long)]
    plain: bool,
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
    /// Classic instructions that nothing is left of.
    left_out: Vec<LeftOut>,
}

#[derive(Serialize)]
struct Line {
    slot: u32,
    text: String,
    /// `null` for what comes before the first classic instruction.
    classic: Option<u32>,
    /// Why it looks as it does; empty where there is nothing to say.
    why: Vec<Reason>,
}

#[derive(Serialize)]
struct LeftOut {
    classic: u32,
    why: Reason,
}

#[derive(Serialize)]
struct Reason {
    code: &'static str,
    message: String,
}

impl From<Why> for Reason {
    fn from(why: Why) -> Self {
        Reason { code: why.code(), message: why.to_string() }
    }
}

pub(crate) fn run(arguments: &Arguments, out: &mut Output) -> Result<Status, Failure> {
    let loaded = arguments.program.load(&arguments.program.read()?)?;
    let Form::Classic(classic, _) = &loaded.form else {
        return Err(Failure::not_understood(
            "this program is eBPF already; only classic programs are converted",
        )
        .help("`bpf64 disasm` shows it"));
    };
    let conversion =
        if arguments.plain { classic::convert_plain(classic) } else { classic::convert(classic) };
    let program = &conversion.program;
    let names = loaded.program_type.functions;
    if !out.json || arguments.destination.is_file() {
        let made = match arguments.emit {
            Emit::Text => side_by_side(&conversion, classic, names).into_bytes(),
            Emit::Hex => emit::hex_line(&program.encode()).into_bytes(),
            Emit::Raw => program.encode(),
        };
        arguments.destination.write(&made, arguments.emit != Emit::Raw, out)?;
    }
    if out.json {
        let line = |pc| Line {
            slot: program.slot(pc).0,
            text: insn(program, pc, names, Style::Kernel),
            classic: program.origin(pc).classic.map(|pc| pc.0),
            why: conversion.why(pc).iter().copied().map(Reason::from).collect(),
        };
        let insns = program.pcs().map(line).collect();
        let left_out = conversion.left_out.iter();
        let left_out = left_out.map(|&(pc, why)| LeftOut { classic: pc.0, why: why.into() }).collect();
        out.document(&Document { hex: HEXLOWER.encode(&program.encode()), insns, left_out })?;
    }
    Ok(Status::Done)
}

/// The listing with the classic instruction in a comment, so that `bpf64 asm` reads it: the whole instruction
/// where its translation begins, then its number alone; behind that the reasons, if there are any. Classic
/// instructions that nothing is left of have a comment of their own in front of what comes next.
fn side_by_side(conversion: &Conversion, classic: &classic::Program, names: Functions) -> String {
    let program = &conversion.program;
    let texts: Vec<String> = program.pcs().map(|pc| insn(program, pc, names, Style::Kernel)).collect();
    let longest = texts.iter().map(|text| text.chars().count()).max().unwrap_or_default();
    let slots = slot_width(program);
    let whole = |from: Pc| match classic.insns().get(from.index()) {
        Some(insn) => format!("({:03}) {}", from.0, text::short(insn, from)),
        None => format!("({:03})", from.0),
    };
    let mut left_out = conversion.left_out.iter().peekable();
    let (mut last, mut last_why): (Option<Pc>, &[Why]) = (None, &[]);
    let mut listing = String::new();
    for (pc, ebpf) in program.pcs().zip(&texts) {
        let origin = program.origin(pc).classic;
        // A copy of a return stands out of the order.
        let in_order = !conversion.why(pc).contains(&Why::OwnReturn);
        while let Some((from, why)) = left_out.next_if(|(from, _)| in_order && origin > Some(*from)) {
            let _ = writeln!(listing, "{:slots$}  {:longest$}  ; {}: {why}", "", "", whole(*from));
        }
        // What goes for several instructions of one origin is said once.
        let said = origin == last && conversion.why(pc) == last_why;
        let reasons = if said { &[] } else { conversion.why(pc) };
        let reasons: Vec<String> = reasons.iter().map(Why::to_string).collect();
        let comment = match origin {
            None => String::new(),
            Some(from) if origin != last => whole(from),
            Some(from) => format!("({:03})", from.0),
        };
        let comment = match (comment.as_str(), reasons.join("; ")) {
            (comment, why) if why.is_empty() => comment.to_owned(),
            ("", why) => why,
            (comment, why) => format!("{comment}: {why}"),
        };
        let line = match comment.as_str() {
            "" => ebpf.clone(),
            comment => format!("{ebpf:longest$}  ; {comment}"),
        };
        let _ = writeln!(listing, "{:slots$}: {line}", program.slot(pc).0);
        (last, last_why) = (origin, conversion.why(pc));
    }
    for (from, why) in left_out {
        let _ = writeln!(listing, "{:slots$}  {:longest$}  ; {}: {why}", "", "", whole(*from));
    }
    listing
}
