//! `bpf64 asm`: text to numbers.

use super::Status;
use super::emit::{self, Destination, Numbers};
use super::failure::Failure;
use super::output::Output;
use super::program::{ProgramArguments, instruction_set};
use bpf64_core::load::Form;
use data_encoding::HEXLOWER;
use serde::Serialize;

const EXAMPLES: &str = "\
Examples:
  bpf64 asm filter.txt                         numbers for SO_ATTACH_FILTER or iptables -m bpf
  bpf64 asm -e 'r0 = 1' -e 'exit' --emit c     rows of struct bpf_insn";

/// Assemble: turn a program into numbers
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, disable_help_flag = true, override_usage = "bpf64 asm [OPTIONS] PROGRAM")]
pub(crate) struct Arguments {
    #[command(flatten)]
    program: ProgramArguments,
    /// Form of the result [default: ddd for classic programs, hex for eBPF]
    #[arg(long, value_name = "FORM")]
    emit: Option<Numbers>,
    #[command(flatten)]
    destination: Destination,
}

#[derive(Serialize)]
struct Document {
    set: &'static str,
    format: &'static str,
    insns: usize,
    hex: String,
}

pub(crate) fn run(arguments: &Arguments, out: &mut Output) -> Result<Status, Failure> {
    let loaded = arguments.program.load(&arguments.program.read()?)?;
    let (default, insns) = match &loaded.form {
        Form::Classic(program, _) => (Numbers::Ddd, program.insns().len()),
        Form::Ebpf(program) => (Numbers::Hex, program.insns().len()),
    };
    let numbers = arguments.emit.unwrap_or(default);
    if !out.json || arguments.destination.is_file() {
        let bytes = emit::numbers(&loaded.form, numbers)?;
        arguments.destination.write(&bytes, numbers != Numbers::Raw, out)?;
    }
    if out.json {
        let hex = HEXLOWER.encode(&emit::bytes(&loaded.form));
        let (set, format) = (instruction_set(&loaded.form), loaded.format.name());
        out.document(&Document { set, format, insns, hex })?;
    }
    Ok(Status::Done)
}
