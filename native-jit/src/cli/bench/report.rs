//! What was measured, as a table for people and as a document for scripts.

use super::engines::{self, INTERP, JIT, KERNEL, LIBPCAP, NATIVE, Prepared, Ran, Unfit};
use super::measure::{Conditions, Times};
use super::suite::Builtin;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use clap::builder::styling::{AnsiColor, Style};
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

const WRONG: Style = AnsiColor::Red.on_default();

/// A program on all engines.
pub(super) struct Subject {
    pub(super) name: String,
    pub(super) builtin: Option<&'static Builtin>,
    /// The packet that it ran on, in digits.
    pub(super) packet: String,
    /// What it should return: as known beforehand, or as the first engine says.
    pub(super) expected: Option<u64>,
    /// eBPF instructions of a run.
    pub(super) insns: Option<u64>,
    pub(super) rows: Vec<Row>,
}

/// One of them.
pub(super) struct Row {
    pub(super) engine: &'static str,
    pub(super) outcome: Result<Figures, Unfit>,
}

/// What was found.
pub(super) struct Figures {
    ran: Ran,
    times: Times,
    /// What a run takes in which nothing happens, if that was measured.
    idle: Option<f64>,
    /// Whether that is no part of the times that are told.
    is_asked: bool,
    compile_ns: Option<u64>,
    code_bytes: Option<usize>,
    mask: u64,
    /// Whether the result is the expected one.
    agrees: bool,
}

impl Figures {
    pub(super) fn new(prepared: &Prepared, ran: Ran, times: Times, idle: Option<Times>) -> Self {
        Figures {
            ran,
            idle: idle.map(|idle| idle.best()),
            is_asked: prepared.is_asked,
            times,
            compile_ns: prepared.compile.map(|time| time.as_nanos() as u64),
            code_bytes: prepared.code_bytes,
            mask: prepared.mask,
            agrees: true,
        }
    }

    /// Nanoseconds of a run: the fastest round's.
    pub(super) fn best(&self) -> f64 {
        self.told(self.times.best())
    }

    pub(super) fn median(&self) -> f64 {
        self.told(self.times.median())
    }

    /// The time of a run as it is told: of an engine that has to be asked, without the asking.
    fn told(&self, time: f64) -> f64 {
        // What is left may be lost in the clock's grain; a tenth of a nanosecond is no time either.
        self.idle.filter(|_| self.is_asked).map_or(time, |idle| (time - idle).max(0.1))
    }

    /// What the program's instructions take: without what a run takes by itself. Less than a nanosecond cannot be told
    /// from nothing by taking one time off another, so that it counts as one.
    pub(super) fn of_instructions(&self) -> f64 {
        (self.times.best() - self.idle.unwrap_or_default()).max(1.0)
    }
}

impl Row {
    /// Why there is no time.
    pub(super) fn reason(&self) -> &str {
        match &self.outcome {
            Ok(_) => "",
            Err(Unfit::NotTaken(why)) => why,
            Err(Unfit::Trapped(why)) => why,
        }
    }
}

impl Subject {
    /// Compares the results; of a classic program, 32 bits.
    pub(super) fn new(
        name: String,
        is_classic: bool,
        expected: Option<u64>,
        insns: Option<u64>,
        mut rows: Vec<Row>,
    ) -> Self {
        let first = rows.iter().find_map(|row| row.outcome.as_ref().ok()).map(|figures| figures.ran.r0);
        let expected = expected.or(first);
        let mask = if is_classic { u32::MAX.into() } else { u64::MAX };
        for figures in rows.iter_mut().filter_map(|row| row.outcome.as_mut().ok()) {
            let mask = mask & figures.mask;
            figures.agrees = expected.is_none_or(|expected| (figures.ran.r0 ^ expected) & mask == 0);
        }
        Subject { name, builtin: None, packet: String::new(), expected, insns, rows }
    }

    /// Whether every engine that takes the program ended it with the same result. What peers get wrong is marked, but
    /// is their affair.
    pub(super) fn is_fine(&self) -> bool {
        let is_peer = |row: &&Row| engines::PEERS.iter().any(|peer| peer.name == row.engine);
        self.rows.iter().filter(|row| !is_peer(row)).all(|row| match &row.outcome {
            Ok(figures) => figures.agrees,
            Err(Unfit::NotTaken(_)) => true,
            Err(Unfit::Trapped(_)) => false,
        })
    }

    /// What was found of an engine, if the result was right.
    pub(super) fn of(&self, engine: &str) -> Option<&Figures> {
        let row = self.rows.iter().find(|row| row.engine == engine)?;
        row.outcome.as_ref().ok().filter(|figures| figures.agrees)
    }

    /// Instructions: as the engine counts them, or else of the eBPF program.
    fn insns(&self, figures: &Figures) -> Option<u64> {
        figures.ran.insns.or(self.insns)
    }

    fn per_insn(&self, figures: &Figures) -> Option<f64> {
        Some(figures.best() / self.insns(figures)? as f64)
    }
}

/// How many times as long as `base` an engine takes, in the geometric mean over the programs that both run and get
/// right, and how many those are. With the kernel it is the instructions that are compared, with others the runs.
pub(super) fn mean_ratio(subjects: &[Subject], engine: &str, base: &str) -> Option<(f64, usize)> {
    let time = if [engine, base].contains(&KERNEL) { Figures::of_instructions } else { Figures::best };
    let ratios =
        subjects.iter().filter_map(|subject| Some(time(subject.of(engine)?) / time(subject.of(base)?)));
    let logs: Vec<f64> = ratios.map(f64::ln).collect();
    (!logs.is_empty()).then(|| ((logs.iter().sum::<f64>() / logs.len() as f64).exp(), logs.len()))
}

/// The engines that have rows, in their order.
pub(super) fn engines(subjects: &[Subject]) -> Vec<&'static str> {
    let has = |name: &str| subjects.iter().flat_map(|subject| &subject.rows).any(|row| row.engine == name);
    engines::all().map(|engine| engine.name).filter(|name| has(name)).collect()
}

#[derive(Serialize)]
struct Document<'a> {
    programs: Vec<ProgramDocument<'a>>,
    /// Geometric means.
    means: Vec<MeanDocument>,
    #[serde(flatten)]
    conditions: &'a Conditions,
}

#[derive(Serialize)]
struct ProgramDocument<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'static str>,
    /// Text and packet of a program of ours, so that others can run the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    packet: Option<&'a str>,
    engines: Vec<EngineDocument<'a>>,
}

#[derive(Serialize)]
struct MeanDocument {
    engine: &'static str,
    /// How many times as long as this one.
    base: &'static str,
    ratio: f64,
    /// Over so many programs.
    programs: usize,
}

#[derive(Serialize)]
#[serde(untagged)]
enum EngineDocument<'a> {
    Timed {
        engine: &'static str,
        ns_per_run: f64,
        ns_per_run_median: f64,
        spread: f64,
        ns_per_insn: Option<f64>,
        insns: Option<u64>,
        /// The time of a run in which nothing happens. It is part of `ns_per_run`, but of the kernel's, of which it was
        /// taken off.
        #[serde(skip_serializing_if = "Option::is_none")]
        ns_idle: Option<f64>,
        /// How many times as long as the kernel the instructions take, if that was asked.
        #[serde(skip_serializing_if = "Option::is_none")]
        ratio_to_kernel: Option<f64>,
        /// `null` where nothing has to be made of the instructions.
        compile_ns: Option<u64>,
        /// `null` where the engine does not say.
        code_bytes: Option<usize>,
        r0: String,
        agrees: bool,
    },
    NotTaken {
        engine: &'static str,
        skipped: &'a str,
    },
    Trapped {
        engine: &'static str,
        trap: &'a str,
    },
}

impl<'a> EngineDocument<'a> {
    fn new(subject: &'a Subject, row: &'a Row) -> Self {
        let engine = row.engine;
        match &row.outcome {
            Ok(figures) => EngineDocument::Timed {
                engine,
                ns_per_run: rounded(figures.best()),
                ns_per_run_median: rounded(figures.median()),
                spread: rounded(figures.times.spread()),
                ns_per_insn: subject.per_insn(figures).map(rounded),
                insns: subject.insns(figures),
                ns_idle: figures.idle.map(rounded),
                ratio_to_kernel: ratio(subject, figures).map(rounded),
                compile_ns: figures.compile_ns,
                code_bytes: figures.code_bytes,
                r0: crate::cli::run::r0_text(figures.ran.r0),
                agrees: figures.agrees,
            },
            Err(Unfit::NotTaken(skipped)) => EngineDocument::NotTaken { engine, skipped },
            Err(Unfit::Trapped(trap)) => EngineDocument::Trapped { engine, trap },
        }
    }
}

/// How many times as long as the kernel the instructions take: what a run takes by itself is another thing there, a
/// system call's loop.
fn ratio(subject: &Subject, figures: &Figures) -> Option<f64> {
    Some(figures.of_instructions() / subject.of(KERNEL)?.of_instructions())
}

/// To a thousandth, beyond which the clock says nothing.
fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

/// Writes all of it.
pub(super) fn write(subjects: &[Subject], conditions: &Conditions, out: &mut Output) -> Result<(), Failure> {
    if out.json {
        let programs = subjects.iter().map(|subject| ProgramDocument {
            name: &subject.name,
            group: subject.builtin.map(|builtin| builtin.group),
            source: subject.builtin.map(|builtin| builtin.program),
            packet: subject.builtin.map(|_| subject.packet.as_str()),
            engines: subject.rows.iter().map(|row| EngineDocument::new(subject, row)).collect(),
        });
        let (programs, means) = (programs.collect(), means(subjects));
        return out.document(&Document { programs, means, conditions });
    }
    print(&table(subjects, out), out)?;
    for (reason, engines, programs) in not_taken(subjects) {
        out.text(format_args!("\nnot on {}: {} ({reason})\n", engines.join(", "), programs.join(", ")))?;
    }
    let means = means(subjects);
    if subjects.len() > 1 && !means.is_empty() {
        out.text("\n")?;
        print(&mean_table(&means), out)?;
    }
    out.text(format_args!(
        "\n{conditions}\nns/run: the fastest; spread: of the middle half, by the median\n"
    ))?;
    out.text("fixed: of a run, what one takes in which nothing happens; to kernel: without that\n")?;
    let asked = |subject: &Subject| subject.of(KERNEL).and_then(|figures| figures.idle);
    if let Some(least) = subjects.iter().filter_map(asked).min_by(f64::total_cmp) {
        out.text(format_args!(
            "a test run takes the kernel {least:.1} ns by itself, which are no part of its times here\n"
        ))?;
    }
    Ok(())
}

/// Why there are rows without a time, with the engines and the programs that it is about: those of the same engines
/// together.
fn not_taken(subjects: &[Subject]) -> Vec<(&str, Vec<&'static str>, Vec<&str>)> {
    let mut found: Vec<(&str, Vec<&'static str>, Vec<&str>)> = Vec::new();
    for subject in subjects {
        let mut here: Vec<(&str, Vec<&'static str>)> = Vec::new();
        for row in subject.rows.iter().filter(|row| matches!(row.outcome, Err(Unfit::NotTaken(_)))) {
            match here.iter_mut().find(|(reason, _)| *reason == row.reason()) {
                Some((_, engines)) => engines.push(row.engine),
                None => here.push((row.reason(), vec![row.engine])),
            }
        }
        for (reason, engines) in here {
            match found.iter_mut().find(|known| (known.0, &known.1) == (reason, &engines)) {
                Some((_, _, programs)) => programs.push(&subject.name),
                None => found.push((reason, engines, vec![&subject.name])),
            }
        }
    }
    found
}

fn print(table: &Table, out: &mut Output) -> Result<(), Failure> {
    for line in table.to_string().lines() {
        // The library sets every column apart from both sides, the outer ones from nothing.
        out.text(format_args!("{}\n", line.strip_prefix(' ').unwrap_or(line).trim_end()))?;
    }
    Ok(())
}

/// Every engine against the kernel, and against our interpreter; our JIT also against what a compiler makes of the same
/// work, and against those that run classic programs only.
fn means(subjects: &[Subject]) -> Vec<MeanDocument> {
    let mut means = Vec::new();
    for engine in engines(subjects) {
        let bases: &[&'static str] =
            if engine == JIT { &[KERNEL, INTERP, NATIVE, LIBPCAP] } else { &[KERNEL, INTERP] };
        for &base in bases {
            if let Some((ratio, programs)) = mean_ratio(subjects, engine, base).filter(|_| engine != base) {
                means.push(MeanDocument { engine, base, ratio: rounded(ratio), programs });
            }
        }
    }
    means
}

fn mean_table(means: &[MeanDocument]) -> Table {
    let mut table = plain();
    table.set_header(["geometric mean", "of", "to", "programs"]);
    for column in table.column_iter_mut().filter(|column| [0, 3].contains(&column.index)) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for MeanDocument { engine, base, ratio, programs } in means {
        table.add_row([
            format!("{ratio:.2}"),
            (*engine).to_owned(),
            (*base).to_owned(),
            programs.to_string(),
        ]);
    }
    table
}

fn plain() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

const COLUMNS: [&str; 12] = [
    "program",
    "engine",
    "ns/run",
    "median",
    "spread",
    "fixed",
    "insns",
    "ns/insn",
    "to kernel",
    "compile",
    "code",
    "result",
];

fn table(subjects: &[Subject], out: &Output) -> Table {
    let mut table = plain();
    table.set_header(COLUMNS);
    for column in table.column_iter_mut().skip(2).take(9) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for subject in subjects {
        let mut name = subject.name.as_str();
        for row in subject.rows.iter().filter(|row| !matches!(row.outcome, Err(Unfit::NotTaken(_)))) {
            table.add_row(cells(name, row, subject, out));
            name = "";
        }
    }
    table
}

fn cells(name: &str, row: &Row, subject: &Subject, out: &Output) -> Vec<String> {
    let mut cells = vec![name.to_owned(), row.engine.to_owned()];
    match &row.outcome {
        Ok(figures) => {
            let result = match subject.expected {
                Some(expected) if !figures.agrees => {
                    out.paint(WRONG, &format!("{:#x}, WRONG: not {expected:#x}", figures.ran.r0))
                }
                _ => format!("{:#x}", figures.ran.r0),
            };
            let known = Option::unwrap_or_default;
            cells.extend([
                format!("{:.1}", figures.best()),
                format!("{:.1}", figures.median()),
                format!("{:.1}%", figures.times.spread() * 100.0),
                known(figures.idle.filter(|_| !figures.is_asked).map(|idle| format!("{idle:.1}"))),
                known(subject.insns(figures).map(|insns| insns.to_string())),
                known(subject.per_insn(figures).map(|time| format!("{time:.2}"))),
                known(ratio(subject, figures).map(|ratio| format!("{ratio:.2}x"))),
                known(figures.compile_ns.map(short_time)),
                known(figures.code_bytes.map(|bytes| format!("{bytes} B"))),
                result,
            ]);
        }
        Err(_) => {
            cells.extend(COLUMNS[2..11].iter().map(|_| String::new()));
            cells.push(out.paint(WRONG, row.reason()));
        }
    }
    cells
}

/// A time that may be anything, in three figures or so.
fn short_time(ns: u64) -> String {
    match ns {
        0..10_000 => format!("{ns} ns"),
        10_000..10_000_000 => format!("{} µs", ns / 1000),
        _ => format!("{} ms", ns / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(engine: &'static str, r0: u64) -> Row {
        let prepared = Prepared::new(|| Err(String::new()));
        let figures = Figures::new(&prepared, Ran::new(r0, Some(2)), Times::new(vec![3.0]), None);
        Row { engine, outcome: Ok(figures) }
    }

    fn subject(is_classic: bool, expected: Option<u64>, rows: Vec<Row>) -> Subject {
        Subject::new("p".to_owned(), is_classic, expected, None, rows)
    }

    #[test]
    fn a_wrong_result_is_seen_and_marked() {
        let same = subject(true, None, vec![row("a", 7), row("b", 1 << 32 | 7)]);
        assert!(same.is_fine(), "a classic result has 32 bits");
        let other = subject(false, None, vec![row("a", 7), row("b", 1 << 32 | 7)]);
        assert!(!other.is_fine());
        assert!(table(&[other], &Output::new(false)).to_string().contains("0x100000007, WRONG: not 0x7"));
        assert!(!subject(true, Some(8), vec![row("a", 7)]).is_fine(), "known beforehand");
        let trapped = Row { engine: "b", outcome: Err(Unfit::Trapped("no".to_owned())) };
        assert!(!subject(true, None, vec![row("a", 7), trapped]).is_fine());
        let skipped = Row { engine: "b", outcome: Err(Unfit::NotTaken("not mine".into())) };
        assert!(subject(true, None, vec![row("a", 7), skipped]).is_fine());
    }
}
