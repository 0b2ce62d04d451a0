//! `bpf64 batch`: a request in JSON on each line of standard input, an answer in JSON on each line of standard output.
//!
//! An operation is a row of [`OPERATIONS`]. What is wrong with a request is its answer, `{"error":…}`, and the next
//! line is read.

mod bench;
mod classic;
mod ebpf;
mod request;

use super::Status;
use super::failure::Failure;
use super::output::Output;
use request::Request;
use serde::Serialize;
use std::io::{self, BufRead, Read};

const EXAMPLES: &str = r#"Examples:
  echo '{"op":"run","insns":"b70000002a0000009500000000000000","packet":""}' | bpf64 batch
  echo '{"op":"cbpf-verify","insns":"0600000000000000"}' | bpf64 batch

  echo '{"op":"bench","engine":"jit","insns":"b70000002a0000009500000000000000","packet":""}' | bpf64 batch

Operations: verify, explain, run, bench, cbpf-verify, cbpf-run"#;

/// Answer requests, one JSON document a line, for scripts that ask thousands of questions
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, disable_help_flag = true)]
pub(crate) struct Arguments {}

/// What does an operation: a request to an answer's document, or what is wrong with it.
type Operation = fn(&Request) -> Result<String, String>;

/// The operations by name.
const OPERATIONS: [(&str, Operation); 6] = [
    ("verify", ebpf::verify),
    ("explain", ebpf::explain),
    ("run", ebpf::run),
    ("bench", bench::run),
    ("cbpf-verify", classic::verify),
    ("cbpf-run", classic::run),
];

/// The longest line that is read: the longest program in digits, and tables with what they hold.
const MAX_LINE: u64 = 64 << 20;

#[derive(Serialize)]
struct Error {
    error: String,
}

pub(crate) fn run(_: &Arguments, out: &mut Output) -> Result<Status, Failure> {
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
        let whole = read.map_err(|error| super::input::cannot_read("<stdin>", &error))? as u64 != MAX_LINE
            || line.ends_with(b"\n");
        if line.is_empty() {
            return Ok(Status::Done);
        }
        let answer = if whole {
            match line.trim_ascii() {
                [] => continue,
                line => answer(line),
            }
        } else {
            input.skip_until(b'\n').map_err(|error| super::input::cannot_read("<stdin>", &error))?;
            Err(format!("the line has more than {} MiB", MAX_LINE >> 20))
        };
        match answer {
            Ok(answer) => out.text(format_args!("{answer}\n"))?,
            Err(error) => out.document(&Error { error })?,
        }
        out.flush()?;
    }
}

fn answer(line: &[u8]) -> Result<String, String> {
    let request: Request =
        serde_json::from_slice(line).map_err(|error| format!("the request is not understood: {error}"))?;
    let known = || OPERATIONS.map(|(name, _)| name).join(", ");
    let operation = OPERATIONS.iter().find(|(name, _)| *name == request.op);
    match operation {
        Some((_, operation)) => operation(&request),
        None => Err(format!("there is no operation `{}`; known: {}", request.op, known())),
    }
}

/// An answer's document.
fn document(answer: &impl Serialize) -> Result<String, String> {
    serde_json::to_string(answer).map_err(|error| error.to_string())
}
