//! `bpf64 check`: the checker for classic programs, by Linux's rules.

use super::Status;
use super::failure::{Failure, is_refusal};
use super::output::Output;
use super::program::ProgramArguments;
use bpf64_core::load::{Form, Loaded};
use serde::Serialize;

const EXAMPLES: &str = "\
Examples:
  bpf64 check filter.txt
  bpf64 check filter.txt --seccomp             as a filter of system calls
  bpf64 check -e 'ld M[0]' -e 'ret a' --json   {\"verdict\":\"reject\",\"insn\":0,…}";

/// Check a classic program as Linux does, for a socket or for seccomp
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, disable_help_flag = true, override_usage = "bpf64 check [OPTIONS] PROGRAM")]
pub(crate) struct Arguments {
    #[command(flatten)]
    program: ProgramArguments,
    /// By seccomp's rules: a filter of system calls
    #[arg(long)]
    seccomp: bool,
}

#[derive(Serialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
enum Document<'a> {
    Accept,
    Reject { insn: u32, message: &'a str },
}

pub(crate) fn run(arguments: &Arguments, out: &mut Output) -> Result<Status, Failure> {
    let loaded = match load(arguments) {
        Ok(loaded) => loaded,
        // A refusal is what was asked for, not an error: the document is the verdict.
        Err(Failure::Faults(source, faults)) if out.json && is_refusal(&faults) => {
            let Some((fault, insn)) = faults.iter().find_map(|fault| Some((fault, fault.refused?))) else {
                return Err(Failure::Faults(source, faults));
            };
            out.document(&Document::Reject { insn, message: &fault.message })?;
            return Ok(Status::Refused);
        }
        Err(failure) => return Err(failure),
    };
    let Form::Classic(program, _) = &loaded.form else {
        return Err(Failure::not_understood("this program is eBPF; the checker is for classic programs"));
    };
    if out.json {
        out.document(&Document::Accept)?;
    } else {
        let count = program.insns().len();
        let plural = if count == 1 { "" } else { "s" };
        out.text(format_args!("accepted: {count} instruction{plural}\n"))?;
    }
    Ok(Status::Done)
}

fn load(arguments: &Arguments) -> Result<Loaded, Failure> {
    let source = arguments.program.read()?;
    let loaded = arguments.program.load(&source)?;
    if !arguments.seccomp {
        return Ok(loaded);
    }
    loaded.for_seccomp().map_err(|faults| Failure::Faults(source, faults))
}
