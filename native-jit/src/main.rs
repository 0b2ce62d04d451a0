//! `bpf64`, the command line: the core's work on files, for people and for scripts.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
