//! `cargo xtask test`: every test of the project, in order, each with its time.
//!
//! A step that fails does not keep the later ones from running, so one run shows all that is wrong. A tool that this
//! machine lacks and that only checks style makes its step "skipped", with the reason, never silently passed.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::dist;
use crate::failure::{Context as _, Failure, Outcome};
use crate::options::{Accepted, Options};
use crate::process;
use crate::serve;
use crate::tidy;
use crate::tools::node::Node;
use crate::tools::{cargo, chromium};
use crate::wasm::Care;
use crate::workspace;

struct Step {
    name: &'static str,
    about: &'static str,
    run: fn(&Earlier<'_>) -> Outcome<Verdict>,
}

enum Verdict {
    Passed,
    /// With the reason.
    Skipped(String),
}

/// The steps of this run that are done, for a step that needs another's result.
struct Earlier<'a>(&'a [(&'static Step, Outcome<Verdict>, Duration)]);

static STEPS: [Step; 7] = [
    Step { name: "format", about: "rustfmt has nothing to change", run: |_| format() },
    Step { name: "clippy", about: "clippy has nothing to say", run: |_| clippy() },
    Step {
        name: "tidy",
        about: "the tree keeps its rules",
        run: |_| tidy::check().map(|()| Verdict::Passed),
    },
    Step { name: "native", about: "unit, property, suite and documentation tests", run: |_| native() },
    Step { name: "web", about: "the page's state, tested without a browser", run: |_| web() },
    Step { name: "dist", about: "the page is built, within its budget", run: |_| build() },
    Step { name: "browser", about: "the built page in a real browser", run: browser },
];

/// A browser test that hangs ends by its own limit; this one is for the runner.
const BROWSER_LIMIT: Duration = Duration::from_secs(15 * 60);

/// Anything but the root, and deep, to find what takes the page's place for granted.
const SUBPATH: &str = "/some/sub/path/";

pub(crate) fn step_names() -> Vec<&'static str> {
    STEPS.iter().map(|step| step.name).collect()
}

pub(crate) fn task(given: &[String]) -> Outcome {
    let options = Options::parse(given, &Accepted { flags: &[], values: &[], words: true })?;
    if let Some(unknown) = options.words.iter().find(|word| !step_names().contains(&word.as_str())) {
        return Err(Failure::new(format!("there is no step named {unknown}"))
            .mend(format!("the steps are {}", step_names().join(", "))));
    }
    let chosen: Vec<&Step> = STEPS
        .iter()
        .filter(|step| options.words.is_empty() || options.words.iter().any(|word| word == step.name))
        .collect();

    let mut done = Vec::with_capacity(chosen.len());
    for (index, &step) in chosen.iter().enumerate() {
        println!("\n== {} ({} of {}): {}", step.name, index + 1, chosen.len(), step.about);
        let start = Instant::now();
        let outcome = (step.run)(&Earlier(&done));
        let took = start.elapsed();
        match &outcome {
            Ok(Verdict::Passed) => println!("== {}: passed in {}", step.name, seconds(took)),
            Ok(Verdict::Skipped(reason)) => println!("== {}: skipped: {reason}", step.name),
            Err(failure) => println!("{failure}\n== {}: FAILED in {}", step.name, seconds(took)),
        }
        done.push((step, outcome, took));
    }
    summary(&done)
}

fn summary(done: &[(&'static Step, Outcome<Verdict>, Duration)]) -> Outcome {
    println!("\nsummary");
    for (step, outcome, took) in done {
        let (verdict, reason) = match outcome {
            Ok(Verdict::Passed) => ("passed", ""),
            Ok(Verdict::Skipped(reason)) => ("skipped", reason.as_str()),
            Err(_) => ("FAILED", ""),
        };
        println!("  {:8} {:7} {:>8}  {reason}", step.name, verdict, seconds(*took));
    }
    println!("  {:8} {:7} {:>8}", "in all", "", seconds(done.iter().map(|(_, _, took)| *took).sum()));
    let failed: Vec<&str> =
        done.iter().filter(|(_, outcome, _)| outcome.is_err()).map(|(step, _, _)| step.name).collect();
    if failed.is_empty() {
        return Ok(());
    }
    let names = failed.join(" ");
    Err(Failure::new(format!("{} of {} steps failed: {names}", failed.len(), done.len()))
        .mend(format!("each says above what is wrong; to run them alone: cargo xtask test {names}")))
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f32())
}

/// Runs a subcommand of cargo that a Rust without rustup may lack.
fn optional(tool: &str, what: &str, arguments: &[&str]) -> Outcome<Verdict> {
    let name = arguments[0];
    if !process::succeeds(cargo::same().args([name, "--version"])) {
        return Ok(Verdict::Skipped(format!("{tool} is not installed (rustup component add {tool})")));
    }
    process::run(what, cargo::same().args(arguments)).map(|()| Verdict::Passed)
}

fn format() -> Outcome<Verdict> {
    optional("rustfmt", "the check of the format", &["fmt", "--all", "--check"])
        .map_err(|failure| failure.mend("cargo fmt --all"))
}

fn clippy() -> Outcome<Verdict> {
    // The page too, as native code: all of it but the browser's own functions is the same.
    let arguments = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    optional("clippy", "clippy", &arguments)
}

fn native() -> Outcome<Verdict> {
    // The default members of the workspace; all of them, also after one that fails.
    let mut command = cargo::same();
    command.args(["test", "--no-fail-fast"]);
    process::run("testing the native crates", &mut command).map(|()| Verdict::Passed)
}

fn web() -> Outcome<Verdict> {
    let mut command = cargo::same();
    command.args(["test", "--package", "bpf64-web", "--lib"]);
    process::run("testing the page's crate", &mut command).map(|()| Verdict::Passed)
}

fn build() -> Outcome<Verdict> {
    dist::build(&dist::default_folder(), Care::Release).map(|()| Verdict::Passed)
}

fn browser(earlier: &Earlier<'_>) -> Outcome<Verdict> {
    if earlier.0.iter().any(|(step, outcome, _)| step.name == "dist" && outcome.is_err()) {
        return Err(Failure::new(
            "not run: the page could not be built, and an older one would prove nothing",
        ));
    }
    let chromium = chromium::find()?;
    let node = Node::find()?;
    println!("testing with {}", chromium.display());
    let mut failed = Vec::new();
    for file in browser_tests()? {
        // One file after the other, each with servers of its own: a browser keeps connections open that it does not
        // use, and with two of them on one server the newest can wait for a thread until an old one lets go.
        let at_root = serve::start(dist::default_folder(), "/", 0)?;
        let below = serve::start(dist::default_folder(), SUBPATH, 0)?;
        let mut command: Command = node.command();
        command
            .args(["--test", "--test-reporter=spec", &file])
            .env("BPF64_URL", &at_root.url)
            .env("BPF64_SUBPATH_URL", &below.url)
            .env("BPF64_CHROMIUM", &chromium);
        if let Err(failure) = process::run_within("the browser tests", BROWSER_LIMIT, &mut command) {
            println!("{failure}");
            failed.push(file);
        }
    }
    match failed.as_slice() {
        [] => Ok(Verdict::Passed),
        files => Err(Failure::new(format!("browser tests failed: {}", files.join(", ")))),
    }
}

/// Every file of browser tests, in the order of their names.
fn browser_tests() -> Outcome<Vec<String>> {
    let folder = workspace::path("tests/browser");
    let entries = std::fs::read_dir(&folder).context(|| format!("cannot list {}", folder.display()))?;
    let mut files: Vec<String> = entries
        .flatten()
        .map(|entry| entry.path().display().to_string())
        .filter(|path| path.ends_with(".test.mjs"))
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(Failure::new(format!("{} holds no *.test.mjs", workspace::shown(&folder))));
    }
    Ok(files)
}
