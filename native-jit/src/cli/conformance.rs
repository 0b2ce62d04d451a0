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
use bpf64_core::isa::{AluOp, Insn, Reg, Src, WideImm, Width};
use bpf64_core::load::{Format, Request, load};
use bpf64_core::machine::{Ending, Trap};
use bpf64_core::maps::{ARRAY, MapDef};
use bpf64_core::program::{MAX_SLOTS, Pc, Program};
use bpf64_core::verifier::verify;
use bpf64_jit::runtime::{self as jit, Compiled};
use bpf64_jit::{Options, compile};
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
    /// The JIT, for what the verifier accepts
    Jit,
}

#[derive(Serialize)]
struct Document {
    r0: String,
}

/// How a run ended: with r0, with a trap, or not within the limit.
type End = Option<Result<(u64, Ending), Trap>>;

/// Instructions after which a run is given up: the runner waits.
const LIMIT: u64 = 100_000_000;
/// The longest line that is read: two digits and a separator for each byte of the longest program.
const MAX_INPUT: usize = MAX_SLOTS * 8 * 3;

pub(crate) fn run(arguments: &Arguments, out: &mut Output) -> Result<Status, Failure> {
    let memory = packet::memory(arguments.memory.as_deref().unwrap_or_default())?;
    let program = Rc::new(program(arguments)?);
    if arguments.debug {
        for pc in program.pcs() {
            warn(format_args!("{}: {}", program.slot(pc), program.insn(pc)));
        }
    }
    let end = match arguments.engine {
        EngineName::Interp => {
            Machine::new(program, &MEMORY, World::new(Skb::ethernet(memory.bytes))).run(LIMIT).end
        }
        EngineName::Jit => compiled(&program, memory.bytes)?,
    };
    let r0 = match end {
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

/// Runs the program as machine code. The verifier must know where memory ends: it is the value of a table, whose address
/// and length are put into r1 and r2 before the program begins.
fn compiled(program: &Program, memory: Vec<u8>) -> Result<End, Failure> {
    let refused = |error: &dyn std::fmt::Display| Failure::refused(error.to_string());
    let length = memory.len() as i32;
    let set = |dst, imm| Insn::Alu { width: Width::W64, op: AluOp::Mov, dst, src: Src::Imm(imm) };
    let mut maps: Vec<MapDef> = program.maps().iter().map(|map| (**map).clone()).collect();
    // All other registers are 0, as in the interpreter.
    let others = Reg::ALL.iter().filter(|&&reg| ![Reg::R1, Reg::R2, Reg::R10].contains(&reg));
    let mut insns: Vec<Insn> = others.map(|&reg| set(reg, 0)).collect();
    insns.extend(match length {
        0 => vec![set(Reg::R1, 0), set(Reg::R2, 0)],
        _ => {
            let imm = WideImm::MapFdValue { fd: maps.len() as i32, offset: 0 };
            let mut table = MapDef::new("memory", ARRAY, 4, length as u32, 1);
            table.entries.push((vec![0; 4], memory));
            maps.push(table);
            vec![Insn::LoadImm { dst: Reg::R1, imm }, set(Reg::R2, length)]
        }
    });
    let before = insns.len() as u32;
    insns.extend(program.insns());
    let program = Program::new(insns, Vec::new())
        .and_then(|program| program.with_maps(maps))
        .map_err(|error| refused(&error))?;
    let verified = verify(&program, &MEMORY, 0).map_err(|rejection| {
        let slot = program.slot(rejection.pc).0.saturating_sub(program.slot(Pc(before)).0);
        refused(&format!("instruction {slot}: {}", rejection.reason))
    })?;
    let options = Options { budget: true, ..Options::host() };
    let code = compile(&verified, &MEMORY, &options).map_err(|error| refused(&error))?;
    let code = Rc::new(Compiled::new(code).map_err(|error| refused(&error))?);
    let mut machine = jit::Machine::new(code, Vec::new(), program.maps(), &MEMORY, World::default());
    Ok(machine.run(LIMIT).end)
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
