//! `cargo xtask fuzz`: generated input for as long as one likes, with what is wrong at the first find.

use std::process::Command;

use crate::failure::{Failure, Outcome};
use crate::options::{Accepted, Options};
use crate::process;
use crate::tools::cargo;

/// Something that can be fuzzed: its name, and the program of the tests crate that does it. The program takes seconds
/// and a seed.
const TARGETS: [(&str, &str); 3] =
    [("load", "fuzz-load"), ("verifier", "fuzz-verifier"), ("jit", "fuzz-jit")];

/// What a fuzzer may use of memory, in KiB: far more than it needs, far less than a leak takes in minutes.
const MEMORY: u64 = 2 << 20;

pub(crate) fn task(given: &[String]) -> Outcome {
    let options =
        Options::parse(given, &Accepted { flags: &[], values: &["--seconds", "--seed"], words: true })?;
    let known = TARGETS.map(|(name, _)| name).join(", ");
    let [name] = &options.words[..] else {
        return Err(Failure::new("say what to fuzz").mend(format!("one of: {known}")));
    };
    let Some((_, program)) = TARGETS.into_iter().find(|(target, _)| target == name) else {
        return Err(Failure::new(format!("there is no fuzzer for {name}")).mend(format!("one of: {known}")));
    };
    let number = |flag: &str, default: u64| match options.value(flag) {
        None => Ok(default),
        Some(text) => text
            .parse()
            .map_err(|_| Failure::new(format!("{flag} takes a number, not {text}")).mend("for example 600")),
    };
    let (seconds, seed) = (number("--seconds", 600)?, number("--seed", 0)?);
    let mut build = cargo::same();
    // Optimised, and yet with every check that a debug build has.
    build.args(["build", "--release", "-p", "bpf64-tests", "--bin", program, "--bin", "probe-kernel"]);
    build.env("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true");
    build.env("CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS", "true");
    build.arg("--target-dir").arg(crate::workspace::root().join("target/fuzz"));
    process::run("building the fuzzer", &mut build)?;
    let made = crate::workspace::root().join("target/fuzz/release").join(program);
    let mut run = Command::new("sh");
    run.args(["-c", &format!("ulimit -v {MEMORY} && exec \"$0\" \"$@\"")]).arg(made);
    run.args([seconds.to_string(), seed.to_string()]);
    process::run("fuzzing", &mut run)
}
