//! `bpf64 jit`: a program as x86-64 code.

use super::Status;
use super::emit::{Destination, hex_line};
use super::failure::Failure;
use super::output::Output;
use super::program::ProgramArguments;
use super::verify::refusal;
use bpf64_core::listing;
use bpf64_core::load::Loaded;
use bpf64_core::program::{Pc, Program};
use bpf64_core::verifier::verify;
use bpf64_jit::disassemble::disassemble;
use bpf64_jit::listing::{Group, groups};
use bpf64_jit::{Code, Mark, Options, compile};
use clap::ValueEnum;
use data_encoding::HEXLOWER;
use serde::Serialize;
use std::fmt::Write as _;

const EXAMPLES: &str = "\
Examples:
  bpf64 jit filter.txt                                  each instruction with its machine code
  bpf64 jit -e 'r0 = 7' -e 'exit' --emit hex            the machine code alone
  bpf64 jit prog.o --function xdp_main --json           for scripts";

/// Compile to x86-64: each instruction with its machine code, and why that is as it is
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, disable_help_flag = true, override_usage = "bpf64 jit [OPTIONS] PROGRAM")]
pub(crate) struct Arguments {
    #[command(flatten)]
    program: ProgramArguments,
    /// Form of the result
    #[arg(long, value_name = "FORM", default_value = "listing")]
    emit: Form,
    /// Make code for any x86-64 CPU, not for this one
    #[arg(long)]
    plain: bool,
    /// Count instructions, as `bpf64 run` has it done
    #[arg(long)]
    budget: bool,
    #[command(flatten)]
    destination: Destination,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Instructions, each with its machine code
    Listing,
    /// The machine code as hexadecimal digits, on one line
    Hex,
    /// The machine code itself
    Raw,
}

#[derive(Serialize)]
struct Document {
    hex: String,
    code_bytes: usize,
    insns: Vec<Instruction>,
    notes: Vec<Note>,
}

/// A machine instruction, with the slot of the eBPF instruction that it is for, if it is for one.
#[derive(Serialize)]
struct Instruction {
    slot: Option<u32>,
    address: u32,
    hex: String,
    text: String,
}

#[derive(Serialize)]
struct Note {
    slot: u32,
    text: String,
}

pub(crate) fn run(arguments: &Arguments, out: &mut Output) -> Result<Status, Failure> {
    let source = arguments.program.read()?;
    let loaded = arguments.program.load(&source)?;
    let program = loaded.ebpf();
    let verified = verify(&program, &loaded.program_type, 0)
        .map_err(|rejection| refusal(&source, &loaded, &program, &rejection))?;
    let host = if arguments.plain { Options::default() } else { Options::host() };
    let options = Options { notes: true, budget: arguments.budget, ..host };
    let code = compile(&verified, &loaded.program_type, &options)
        .map_err(|error| Failure::refused(error.to_string()))?;
    if out.json {
        out.document(&document(&program, &code))?;
        return Ok(Status::Done);
    }
    let (bytes, is_text) = match arguments.emit {
        Form::Listing => (text(&loaded, &program, &code).into_bytes(), true),
        Form::Hex => (hex_line(&code.bytes).into_bytes(), true),
        Form::Raw => (code.bytes, false),
    };
    arguments.destination.write(&bytes, is_text, out)?;
    Ok(Status::Done)
}

fn document(program: &Program, code: &Code) -> Document {
    let machine = disassemble(&code.bytes);
    let insns = groups(program, code, &machine).into_iter().flat_map(|group| {
        let slot = group.slot.map(|slot| slot.0);
        group.lines.into_iter().map(move |line| Instruction {
            slot,
            address: line.address,
            hex: HEXLOWER.encode(line.bytes),
            text: line.text.to_owned(),
        })
    });
    Document {
        hex: HEXLOWER.encode(&code.bytes),
        code_bytes: code.bytes.len(),
        insns: insns.collect(),
        notes: code
            .notes
            .iter()
            .map(|(pc, text)| Note { slot: program.slot(*pc).0, text: text.clone() })
            .collect(),
    }
}

/// What stands where machine code begins that is for something: the instruction, with its notes below it.
fn heading(loaded: &Loaded, program: &Program, code: &Code, group: &Group<'_>) -> String {
    let insn = |pc: Pc| {
        let width = listing::slot_width(program);
        let functions = loaded.program_type.functions;
        format!(
            "{:width$}: {}",
            program.slot(pc).0,
            listing::insn(program, pc, functions, listing::Style::Kernel)
        )
    };
    match group.mark {
        Mark::Enter(Pc(0)) => "main:".to_owned(),
        Mark::Enter(pc) => match program.function_at(pc) {
            Some(name) => format!("{name}:"),
            None => format!("function at {}:", program.slot(pc)),
        },
        Mark::Insn(pc) if group.notes.is_empty() => insn(pc),
        Mark::Insn(pc) => format!("{}  ; {}", insn(pc), group.notes.join("; ")),
        Mark::Stub(number) => format!("call of {}:", code.callees[number as usize].name),
        Mark::Shared(what) => format!("{what}:"),
    }
}

fn text(loaded: &Loaded, program: &Program, code: &Code) -> String {
    let mut text = String::new();
    let machine = disassemble(&code.bytes);
    let groups = groups(program, code, &machine);
    let lines = groups.iter().flat_map(|group| &group.lines);
    let longest = lines.map(|line| line.bytes.len()).max().unwrap_or(0) * 2;
    for group in &groups {
        let _ = writeln!(text, "{}", heading(loaded, program, code, group));
        for line in &group.lines {
            let hex = HEXLOWER.encode(line.bytes);
            let _ = writeln!(text, "    {:5x}  {hex:longest$}  {}", line.address, line.text);
        }
    }
    let _ = writeln!(text, "{} bytes", code.bytes.len());
    text
}
