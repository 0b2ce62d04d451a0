//! `bpf64 verify`: whether a program can do no harm, by Linux's rules.

use super::Status;
use super::failure::Failure;
use super::output::Output;
use super::program::ProgramArguments;
use bpf64_core::diagnostic::Diagnostic;
use bpf64_core::load::{Form, Loaded};
use bpf64_core::program::{Origin, Program, Slot};
use bpf64_core::verifier::{Rejection, verify};
use clap::ValueEnum;
use serde::Serialize;
use std::rc::Rc;
use std::time::{Duration, Instant};

const EXAMPLES: &str = "\
Examples:
  bpf64 verify program.txt
  bpf64 verify program.txt --log 2             every path, with all that is known on it
  bpf64 verify program.txt --log 4             what it took: time, stack, instructions, states
  bpf64 verify -e 'r0 = r3' -e 'exit' --json   {\"verdict\":\"reject\",\"insn\":0,…}";

/// Prove that an eBPF program does no harm, or say why not; the log is in the kernel's form
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, disable_help_flag = true, override_usage = "bpf64 verify [OPTIONS] PROGRAM")]
pub(crate) struct Arguments {
    #[command(flatten)]
    program: ProgramArguments,
    /// How much of the log: 0 nothing, 1 the path that was followed last, 2 everything; 4 more for what it took
    #[arg(long, value_name = "LEVEL", default_value = "0", hide_default_value = true)]
    log: Level,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Level {
    #[value(name = "0")]
    Nothing,
    #[value(name = "1")]
    Path,
    #[value(name = "2")]
    Everything,
    #[value(name = "4")]
    Statistics = 4,
    #[value(name = "5")]
    PathAndStatistics,
    #[value(name = "6")]
    EverythingAndStatistics,
}

/// The log with how long it took, which only the clock outside knows, where the kernel says it.
fn timed(log: &str, level: Level, time: Duration) -> String {
    match log.rfind("stack depth ").filter(|_| level as u8 & Level::Statistics as u8 != 0) {
        Some(end) => format!("{}verification time {} usec\n{}", &log[..end], time.as_micros(), &log[end..]),
        None => log.to_owned(),
    }
}

#[derive(Serialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
enum Document<'a> {
    Accept {
        insns_processed: u32,
        time_ns: u128,
        #[serde(skip_serializing_if = "str::is_empty")]
        log: &'a str,
    },
    Reject {
        insn: u32,
        code: &'static str,
        message: String,
        kernel_message: String,
        explanation: String,
        log: &'a str,
    },
}

pub(crate) fn run(arguments: &Arguments, out: &mut Output) -> Result<Status, Failure> {
    let source = arguments.program.read()?;
    let loaded = arguments.program.load(&source)?;
    let program: Rc<Program> = Rc::new(loaded.ebpf());
    let start = Instant::now();
    let result = verify(&program, &loaded.program_type, arguments.log as u8);
    let time = start.elapsed();
    let time_ns = time.as_nanos();
    // Programs that it may go on to are verified as well; of those that are accepted nothing is said.
    let others = || {
        let refused = |other: &Rc<Program>| verify(other, &loaded.program_type, arguments.log as u8).err();
        loaded.others.iter().find_map(|other| Some((other, refused(other)?)))
    };
    let (program, result) = match result {
        Ok(verified) => {
            others().map_or((&program, Ok(verified)), |(other, rejection)| (other, Err(rejection)))
        }
        Err(rejection) => (&program, Err(rejection)),
    };
    let log = match &result {
        Ok(verified) => timed(verified.log(), arguments.log, time),
        Err(rejection) => timed(&rejection.log, arguments.log, time),
    };
    match &result {
        Ok(verified) if out.json => {
            let insns_processed = verified.effort().processed;
            out.document(&Document::Accept { insns_processed, time_ns, log: &log })?;
        }
        Ok(verified) => {
            let processed = verified.effort().processed;
            let plural = if processed == 1 { "" } else { "s" };
            out.text(&log)?;
            out.text(format_args!("accepted: {processed} instruction{plural} looked at\n"))?;
        }
        Err(rejection) if out.json => {
            let reason = &rejection.reason;
            out.document(&Document::Reject {
                insn: program.slot(rejection.pc).0,
                code: reason.code(),
                message: rejection.explanation(),
                kernel_message: reason.to_string(),
                explanation: rejection.to_string(),
                log: &log,
            })?;
        }
        Err(rejection) => {
            out.text(&log)?;
            return Err(refusal(&source, &loaded, program, rejection));
        }
    }
    Ok(if result.is_ok() { Status::Done } else { Status::Refused })
}

/// The refusal at its place in the text, if the program was text.
pub(super) fn refusal(
    source: &super::input::Source,
    loaded: &Loaded,
    program: &Program,
    rejection: &Rejection,
) -> Failure {
    let (reason, slot) = (&rejection.reason, program.slot(rejection.pc));
    let origin = program.origin(rejection.pc);
    let text_of = |origin: &Origin| match &loaded.form {
        Form::Ebpf(_) => origin.text.clone(),
        Form::Classic(..) => origin.classic.and_then(|pc| loaded.span(pc)),
    };
    let span = text_of(origin);
    // Where there is text, people count its lines.
    let place = |slot: Slot| {
        let start = program.at_slot(slot).and_then(|pc| text_of(program.origin(pc))).map(|span| span.start);
        match start.and_then(|start| source.text()?.get(..start)) {
            Some(before) => format!("line {}", before.matches('\n').count() + 1),
            None => format!("instruction {slot}"),
        }
    };
    let kernel = reason.in_linux();
    match span {
        Some(span) if source.text().is_some() => {
            let fault = Diagnostic::new(span, rejection.explain(&place)).help(kernel).refusing(slot.0);
            Failure::Faults(source.clone(), vec![fault])
        }
        _ => {
            let other = loaded.others.iter().any(|other| std::ptr::eq(&**other, program));
            let name = program.name().filter(|_| other).map(|name| format!("program `{name}`, "));
            let name = name.unwrap_or_default();
            Failure::refused(format!("{name}instruction {slot}: {}", rejection.explanation())).help(kernel)
        }
    }
}
