//! The commands: what each takes is declared in its file, and all of it here becomes one program.
//!
//! A command reads its [`input`], asks the core, and writes to [`Output`]: text for people, or with `--json` one
//! document for scripts. What goes wrong is a [`Failure`], which knows how it is drawn and which status it gives.

mod asm;
mod batch;
mod bench;
mod check;
mod conformance;
mod context;
mod convert;
mod disasm;
mod emit;
mod failure;
mod input;
mod jit;
mod link;
mod output;
mod packet;
mod perf;
mod program;
mod progress;
mod run;
mod surroundings;
mod tables;
mod target;
mod trace;
mod verify;

use clap::{ArgAction, Parser, Subcommand};
use failure::Failure;
use output::Output;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  tcpdump -d 'tcp port 22' | bpf64 convert -       a filter as eBPF
  bpf64 run filter.txt --pcap traffic.pcap         what it says of every packet
  bpf64 disasm -e '2,40 0 0 12,6 0 0 65535'        numbers as instructions

PROGRAM is a file, `-` for standard input, or -e TEXT; its format is recognised.
Exit status: 0 done or accepted, 1 refused or trapped, 2 not understood.";

/// BPF programs: assemble, check, convert, run, share
#[derive(Parser)]
#[command(name = "bpf64", version, after_help = EXAMPLES, disable_help_flag = true, disable_help_subcommand = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print one JSON document instead of text; errors too
    #[arg(long, global = true, display_order = 100)]
    json: bool,
    // clap's own flag gives `--help` a second, longer form; one that fits a screen is enough.
    /// Print help
    #[arg(short, long, global = true, action = ArgAction::HelpShort, display_order = 101)]
    help: Option<bool>,
}

#[derive(Subcommand)]
enum Command {
    Asm(asm::Arguments),
    Disasm(disasm::Arguments),
    Check(check::Arguments),
    Convert(convert::Arguments),
    Verify(verify::Arguments),
    Jit(jit::Arguments),
    Run(run::Arguments),
    Trace(trace::Arguments),
    Bench(bench::Arguments),
    Link(link::Arguments),
    Batch(batch::Arguments),
    Conformance(conformance::Arguments),
}

/// How a command ended, as the exit status says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    /// Done, or the program was accepted.
    Done = 0,
    /// The program was refused, trapped, or reached its limit.
    Refused = 1,
    /// The command line or the input could not be understood.
    NotUnderstood = 2,
}

/// The whole program.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return command_line(&error),
    };
    let mut out = Output::new(cli.json);
    let done = match &cli.command {
        Command::Asm(arguments) => asm::run(arguments, &mut out),
        Command::Disasm(arguments) => disasm::run(arguments, &mut out),
        Command::Check(arguments) => check::run(arguments, &mut out),
        Command::Convert(arguments) => convert::run(arguments, &mut out),
        Command::Verify(arguments) => verify::run(arguments, &mut out),
        Command::Jit(arguments) => jit::run(arguments, &mut out),
        Command::Run(arguments) => run::run(arguments, &mut out),
        Command::Trace(arguments) => trace::run(arguments, &mut out),
        Command::Bench(arguments) => bench::run(arguments, &mut out),
        Command::Link(arguments) => link::run(arguments, &mut out),
        Command::Batch(arguments) => batch::run(arguments, &mut out),
        Command::Conformance(arguments) => conformance::run(arguments, &mut out),
    };
    let status =
        done.and_then(|status| out.flush().map(|()| status)).unwrap_or_else(|failure| out.fail(&failure));
    ExitCode::from(status as u8)
}

/// Help and version, which clap makes "errors", and faults in the command line.
fn command_line(error: &clap::Error) -> ExitCode {
    // The flag itself may be what could not be parsed around, so it is looked for in the words.
    let json = std::env::args_os().any(|argument| argument == "--json");
    if json && error.use_stderr() {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        let failure = Failure::not_understood(first.strip_prefix("error: ").unwrap_or(first));
        return ExitCode::from(Output::new(true).fail(&failure) as u8);
    }
    // Whoever closed the pipe does not want to read it.
    let _ = error.print();
    ExitCode::from(error.exit_code() as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_declarations_agree_with_each_other() {
        Cli::command().debug_assert();
    }
}
