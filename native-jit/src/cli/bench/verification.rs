//! `bpf64 bench --verify`: our verifier beside the running kernel's, on the same programs.
//!
//! The kernel measures itself and tells so in its log, in microseconds; ours is timed from outside. Both take turns, and
//! the fastest round of each is the figure to quote. Memory is the most that this process had while ours ran, as the
//! kernel counts it: so much more than it needed as the process is large without.

mod programs;

use super::Arguments;
use super::measure::{self, Times};
use crate::cli::Status;
use crate::cli::failure::Failure;
use crate::cli::output::{self, Output};
use bpf64_core::load::{Loaded, Request, elf, load};
use bpf64_core::program::Program;
use bpf64_core::verifier::verify;
use bpf64_jit::kernel::{self, Log};
use comfy_table::{CellAlignment, Table, presets};
use programs::SUITE;
use serde::Serialize;
use std::fs;
use std::time::{Duration, Instant};

/// A program is verified so often at least and at most, or until that long has passed; the kernel is asked as often, which
/// stays far below what it minds.
const ROUNDS: std::ops::RangeInclusive<u32> = 3..=50;
const ENOUGH: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct Document<'a> {
    verifications: &'a [Row],
    /// The CPU that all were on, if they could be kept there.
    cpu: Option<usize>,
}

/// A program, verified.
#[derive(Serialize)]
struct Row {
    name: String,
    insns: usize,
    /// Whether ours accepts it.
    accepted: bool,
    insns_processed: u32,
    rounds: u32,
    us: f64,
    us_median: f64,
    /// Bytes of the process at most; `null` where the system does not count them.
    peak_memory: Option<u64>,
    /// The kernel's own figures, where it could be asked and accepts the program.
    kernel_us: Option<f64>,
    kernel_us_median: Option<f64>,
    kernel_insns_processed: Option<u32>,
    /// Why there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel_skipped: Option<String>,
}

/// Times all programs given, or the suite.
pub(super) fn run(arguments: &Arguments, out: &mut Output) -> Result<Status, Failure> {
    let cpu = measure::stay_on_one_cpu();
    let mut given = Vec::new();
    if arguments.program.is_given() {
        for source in super::sources(arguments)? {
            given.extend(all_of(&source, arguments)?);
        }
    }
    if cfg!(debug_assertions) && !out.json {
        output::warn("warning: this is a debug build, whose times say nothing about a release");
    }
    let rows: Vec<Row> = if given.is_empty() {
        // One after the other: what the next ones take is not counted as this one's.
        SUITE.iter().map(|builtin| row(builtin.name.to_owned(), builtin.load())).collect()
    } else {
        given.into_iter().map(|(name, loaded)| row(name, loaded)).collect()
    };
    if out.json {
        out.document(&Document { verifications: &rows, cpu })?;
    } else {
        write(&rows, out)?;
    }
    Ok(Status::Done)
}

/// The program of a file; of an object file all that are in it, unless one of them was named.
fn all_of(source: &super::Source, arguments: &Arguments) -> Result<Vec<(String, Loaded)>, Failure> {
    let entries = elf::programs(&source.bytes).unwrap_or_default();
    if entries.len() < 2 || arguments.program.is_one() {
        return Ok(vec![(source.name.clone(), arguments.program.load(source)?)]);
    }
    let name = |function: &str| format!("{}, {function}", source.name);
    let one = |entry: elf::Entry| {
        let request = Request { function: Some(&entry.function), ..Request::default() };
        let loaded =
            load(&source.bytes, &request).map_err(|faults| Failure::Faults(source.clone(), faults))?;
        Ok((name(&entry.function), loaded))
    };
    entries.into_iter().map(one).collect()
}

fn row(name: String, loaded: Loaded) -> Row {
    let program: Program = loaded.ebpf();
    let environment = &loaded.program_type.clone();
    drop(loaded);
    let counted = reset_peak();
    let (accepted, insns_processed) = match verify(&program, environment, 0) {
        Ok(verified) => (true, verified.effort().processed),
        Err(rejection) => (false, rejection.processed),
    };
    let peak_memory = counted.then(peak).flatten();
    let (mut ours, mut theirs, mut processed, mut skipped) = (Vec::new(), Vec::new(), None, None);
    let start = Instant::now();
    let mut rounds = 0;
    while rounds < *ROUNDS.start() || rounds < *ROUNDS.end() && start.elapsed() < ENOUGH {
        let begin = Instant::now();
        let verdict = verify(&program, environment, 0);
        ours.push(begin.elapsed().as_nanos() as f64 / 1000.0);
        drop(verdict);
        rounds += 1;
        if skipped.is_some() {
            continue;
        }
        match kernel::load(environment, &program, Log::Statistics) {
            Ok(loaded) => {
                processed = loaded.processed();
                match loaded.verification_time() {
                    Some(time) => theirs.push(time.as_micros() as f64),
                    None => skipped = Some("the kernel does not tell its time".to_owned()),
                }
            }
            Err(why) => skipped = Some(why.to_string()),
        }
    }
    let ours = Times::new(ours);
    let theirs = (!theirs.is_empty() && skipped.is_none()).then(|| Times::new(theirs));
    Row {
        name,
        insns: program.insns().len(),
        accepted,
        insns_processed,
        rounds,
        us: rounded(ours.best()),
        us_median: rounded(ours.median()),
        peak_memory,
        kernel_us: theirs.as_ref().map(Times::best),
        kernel_us_median: theirs.as_ref().map(Times::median),
        kernel_insns_processed: processed,
        kernel_skipped: skipped,
    }
}

/// To a tenth of a microsecond.
fn rounded(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// Begins to count the process's memory anew (`clear_refs`, proc_pid_clear_refs(5)); whether that was possible.
fn reset_peak() -> bool {
    fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// The most memory that the process had since then.
fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn write(rows: &[Row], out: &mut Output) -> Result<(), Failure> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "program",
        "insns",
        "looked at",
        "us",
        "median",
        "memory",
        "kernel us",
        "median",
        "times",
        "",
    ]);
    for column in table.column_iter_mut().skip(1).take(8) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let or_nothing = |number: Option<f64>| number.map_or_else(String::new, |number| format!("{number:.0}"));
    for row in rows {
        let memory =
            row.peak_memory.map_or_else(String::new, |bytes| format!("{:.1} MB", bytes as f64 / 1e6));
        let times = row.kernel_us.filter(|&kernel| kernel > 0.0).map(|kernel| row.us / kernel);
        let notes: Vec<&str> = (!row.accepted)
            .then_some("refused here")
            .into_iter()
            .chain(row.kernel_skipped.as_deref())
            .collect();
        table.add_row([
            row.name.clone(),
            row.insns.to_string(),
            row.insns_processed.to_string(),
            format!("{:.1}", row.us),
            format!("{:.1}", row.us_median),
            memory,
            or_nothing(row.kernel_us),
            or_nothing(row.kernel_us_median),
            times.map_or_else(String::new, |times| format!("{times:.2}x")),
            notes.join("; "),
        ]);
    }
    for line in table.to_string().lines() {
        // The library sets every column apart from both sides, the outer ones from nothing.
        out.text(format_args!("{}\n", line.strip_prefix(' ').unwrap_or(line).trim_end()))?;
    }
    out.text(
        "\nus: the fastest of 3 to 50 rounds; times: ours by the kernel's; memory: of the whole process\n",
    )
}
