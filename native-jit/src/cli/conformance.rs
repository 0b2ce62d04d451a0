//! `bpf64 conformance`: the plugin protocol of the public bpf_conformance runner, which asks an engine about programs.

use super::Status;
use super::failure::Failure;
use super::input;
use super::output::{Output, warn};
use super::packet;
use bpf64_core::context::skb::Skb;
use bpf64_core::diagnostic::Diagnostic;
use bpf64_core::environment::{MEMORY, World};
use bpf64_core::interp::Machine;
use bpf64_core::load::{Format, Request, load};
use bpf64_core::program::{MAX_SLOTS, Program};
use clap::ValueEnum;
use serde::Serialize;
use std::path::Path;
use std::rc::Rc;

const EXAMPLES: &str = "\
Examples:
  bpf64 conformance --program '71 10 00 00 00 00 00 00 95 00 00 00 00 00 00 00' '2a 00'
  bpf_conformance_runner --test_file_directory tests --plugin_path bpf64 --plugin_options conformance";

/// Run a program on memory, as the bpf_conformance runner asks: r0 as bare hexadecimal digits
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, disable_help_flag = true)]
pub(crate) struct Arguments {
    /// What r1 points to, in digits; r2 is its length. Both are 0 without it
    #[arg(value_name = "MEMORY-HEX")]
    memory: Option<String>,
    /// The program in digits; without this, the first line of standard input
    #[arg(long, value_name = "HEX")]
    program: Option<String>,
    /// The machine
    #[arg(long, value_name = "NAME", default_value = "interp")]
    engine: EngineName,
    /// Print the instructions to standard error first
    #[arg(long)]
    debug: bool,
    /// The digits are those of an ELF object, not of instructions
    #[arg(long)]
    elf: bool,
}

/// A machine by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum EngineName {
    /// The eBPF interpreter
    Interp,
    /// The JIT (not in this version)
    Jit,
}

#[derive(Serialize)]
struct Document {
    r0: String,
}

/// Instructions after which a run is given up: the runner waits.
const LIMIT: u64 = 100_000_000;
/// The longest line that is read: two digits and a separator for each byte of the longest program.
const MAX_INPUT: usize = MAX_SLOTS * 8 * 3;

pub(crate) fn run(arguments: &Arguments, out: &mut Output) -> Result<Status, Failure> {
    if arguments.engine == EngineName::Jit {
        return Err(Failure::not_understood("the engine `jit` is not in this version")
            .help("leave out `--engine`, or choose `--engine interp`"));
    }
    let memory = packet::memory(arguments.memory.as_deref().unwrap_or_default())?;
    let program = Rc::new(program(arguments)?);
    if arguments.debug {
        for pc in program.pcs() {
            warn(format_args!("{}: {}", program.slot(pc), program.insn(pc)));
        }
    }
    let mut machine = Machine::new(program, &MEMORY, World::new(Skb::ethernet(memory.bytes)));
    let r0 = match machine.run(LIMIT).end {
        Some(Ok((r0, _))) => r0,
        Some(Err(trap)) => return Err(Failure::refused(format!("the program trapped: {trap}"))),
        None => {
            return Err(Failure::refused(format!("the program did not end within {LIMIT} instructions")));
        }
    };
    if out.json {
        out.document(&Document { r0: format!("{r0:#018x}") })?;
    } else {
        out.text(format_args!("{r0:x}\n"))?;
    }
    Ok(Status::Done)
}

fn program(arguments: &Arguments) -> Result<Program, Failure> {
    let text = match &arguments.program {
        Some(text) => text.clone().into_bytes(),
        None => {
            let mut bytes = input::read(Path::new("-"), MAX_INPUT)?.bytes;
            bytes.truncate(bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len()));
            bytes
        }
    };
    let bytes = packet::digits(&text)
        .map_err(|why| Failure::not_understood(format!("the program is not understood: {why}")))?;
    if arguments.elf {
        let request =
            Request { format: Some(Format::Elf), program_type: Some((&MEMORY).into()), ..Request::default() };
        let refused = |faults: Vec<Diagnostic>| {
            Failure::refused(faults.first().map(ToString::to_string).unwrap_or_default())
        };
        return load(&bytes, &request).map(|loaded| loaded.ebpf()).map_err(refused);
    }
    Program::decode(&bytes).map_err(|error| Failure::refused(error.to_string()))
}
