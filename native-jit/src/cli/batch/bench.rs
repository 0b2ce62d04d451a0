//! Times a program on one engine.

use super::request::Request;
use super::{classic, document, ebpf};
use crate::cli::bench::one::{self, Measured};
use crate::cli::run::{MAX_REPEAT, r0_text};
use serde::Serialize;

/// What was measured.
#[derive(Serialize)]
struct Timed {
    ns_per_run: f64,
    insns: Option<u64>,
    /// `null` where nothing has to be made of the instructions.
    compile_ns: Option<u64>,
    /// `null` where the engine does not say.
    code_bytes: Option<usize>,
    r0: String,
}

/// The engine without `engine`: the running form of the interpreter.
const DEFAULT: &str = "interp";

/// Times runs of the program, eBPF or, with `classic`, `struct sock_filter`s.
pub(super) fn run(request: &Request) -> Result<String, String> {
    let repeat = request.repeat;
    if repeat.is_some_and(|repeat| !(1..=MAX_REPEAT).contains(&repeat)) {
        return Err(format!("`repeat` is 1 to {MAX_REPEAT}"));
    }
    let (loaded, world) = if request.classic {
        classic::prepare(request)?
    } else {
        let ebpf::Prepared { loaded, world, .. } = ebpf::prepare(request)?;
        (loaded, world)
    };
    let engine = request.engine.as_deref().unwrap_or(DEFAULT);
    let Measured { ns_per_run, insns, compile, code_bytes, r0 } =
        one::measure(engine, loaded, world, repeat)?;
    let compile_ns = compile.map(|time| time.as_nanos() as u64);
    document(&Timed { ns_per_run, insns, compile_ns, code_bytes, r0: r0_text(r0) })
}
