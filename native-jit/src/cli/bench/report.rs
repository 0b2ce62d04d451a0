//! What was measured, as a table for people and as a document for scripts.

use super::engines::{Prepared, Ran, Unfit};
use super::measure::Times;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use clap::builder::styling::{AnsiColor, Style};
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

const WRONG: Style = AnsiColor::Red.on_default();

/// A program on all engines.
pub(super) struct Subject {
    name: String,
    group: Option<&'static str>,
    /// What it should return: as known beforehand, or as the first engine says.
    expected: Option<u64>,
    rows: Vec<Row>,
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
    compile_ns: Option<u64>,
    code_bytes: usize,
    /// Whether the result is the expected one.
    agrees: bool,
}

impl Figures {
    pub(super) fn new(prepared: &Prepared, ran: Ran, times: Times) -> Self {
        let compile_ns = prepared.compile.map(|time| time.as_nanos() as u64);
        Figures { ran, times, compile_ns, code_bytes: prepared.code_bytes, agrees: true }
    }

    fn per_insn(&self) -> f64 {
        self.times.best() / self.ran.insns as f64
    }
}

impl Subject {
    /// Compares the results; of a classic program, 32 bits.
    pub(super) fn new(
        name: String,
        group: Option<&'static str>,
        is_classic: bool,
        expected: Option<u64>,
        mut rows: Vec<Row>,
    ) -> Self {
        let first = rows.iter().find_map(|row| row.outcome.as_ref().ok()).map(|figures| figures.ran.r0);
        let expected = expected.or(first);
        let mask = if is_classic { u32::MAX.into() } else { u64::MAX };
        for figures in rows.iter_mut().filter_map(|row| row.outcome.as_mut().ok()) {
            figures.agrees = expected.is_none_or(|expected| (figures.ran.r0 ^ expected) & mask == 0);
        }
        Subject { name, group, expected, rows }
    }

    /// Whether every engine that takes the program ended it with the same result.
    pub(super) fn is_fine(&self) -> bool {
        self.rows.iter().all(|row| match &row.outcome {
            Ok(figures) => figures.agrees,
            Err(Unfit::NotTaken(_)) => true,
            Err(Unfit::Trapped(_)) => false,
        })
    }
}

#[derive(Serialize)]
struct Document<'a> {
    programs: Vec<ProgramDocument<'a>>,
    /// The CPU that all runs were on, if they could be kept there.
    cpu: Option<usize>,
    rounds: u32,
}

#[derive(Serialize)]
struct ProgramDocument<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'static str>,
    engines: Vec<EngineDocument<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum EngineDocument<'a> {
    Timed {
        engine: &'static str,
        ns_per_run: f64,
        ns_per_run_median: f64,
        spread: f64,
        ns_per_insn: f64,
        insns: u64,
        /// `null` where nothing has to be made of the instructions.
        compile_ns: Option<u64>,
        code_bytes: usize,
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
    fn new(row: &'a Row) -> Self {
        let engine = row.engine;
        match &row.outcome {
            Ok(figures) => EngineDocument::Timed {
                engine,
                ns_per_run: rounded(figures.times.best()),
                ns_per_run_median: rounded(figures.times.median()),
                spread: rounded(figures.times.spread()),
                ns_per_insn: rounded(figures.per_insn()),
                insns: figures.ran.insns,
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

/// To a thousandth, beyond which the clock says nothing.
fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

/// Writes all of it.
pub(super) fn write(
    subjects: &[Subject],
    cpu: Option<usize>,
    rounds: u32,
    out: &mut Output,
) -> Result<(), Failure> {
    if out.json {
        let programs = subjects.iter().map(|subject| ProgramDocument {
            name: &subject.name,
            group: subject.group,
            engines: subject.rows.iter().map(EngineDocument::new).collect(),
        });
        return out.document(&Document { programs: programs.collect(), cpu, rounds });
    }
    let table = table(subjects, out);
    for line in table.lines() {
        // The library sets every column apart from both sides, the outer ones from nothing.
        out.text(format_args!("{}\n", line.strip_prefix(' ').unwrap_or(line).trim_end()))?;
    }
    let plural = if rounds == 1 { "" } else { "s" };
    let place = cpu.map_or_else(String::new, |cpu| format!(" on CPU {cpu}"));
    out.text(format_args!(
        "\n{rounds} round{plural} of each engine{place}; ns/run: the fastest; spread: of the middle half, by the median\n"
    ))
}

fn table(subjects: &[Subject], out: &Output) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "program", "engine", "ns/run", "median", "spread", "insns", "ns/insn", "speed", "result",
    ]);
    for column in table.column_iter_mut().skip(2).take(6) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for subject in subjects {
        let first = subject.rows.iter().find_map(|row| row.outcome.as_ref().ok());
        let mut name = subject.name.as_str();
        for row in &subject.rows {
            table.add_row(cells(name, row, first, subject.expected, out));
            name = "";
        }
    }
    table.to_string()
}

fn cells(name: &str, row: &Row, first: Option<&Figures>, expected: Option<u64>, out: &Output) -> [String; 9] {
    let empty = || String::new();
    let text = |text: &str| text.to_owned();
    match &row.outcome {
        Ok(figures) => {
            let times = &figures.times;
            let result = match expected {
                Some(expected) if !figures.agrees => {
                    out.paint(WRONG, &format!("{:#x}, WRONG: not {expected:#x}", figures.ran.r0))
                }
                _ => format!("{:#x}", figures.ran.r0),
            };
            let speed = first.map_or(1.0, |first| first.times.best() / times.best());
            [
                text(name),
                text(row.engine),
                format!("{:.1}", times.best()),
                format!("{:.1}", times.median()),
                format!("{:.1}%", times.spread() * 100.0),
                figures.ran.insns.to_string(),
                format!("{:.2}", figures.per_insn()),
                format!("{speed:.2}x"),
                result,
            ]
        }
        Err(unfit) => {
            let why = match unfit {
                Unfit::NotTaken(why) => why.to_string(),
                Unfit::Trapped(why) => out.paint(WRONG, why),
            };
            [text(name), text(row.engine), empty(), empty(), empty(), empty(), empty(), empty(), why]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(engine: &'static str, r0: u64) -> Row {
        let prepared = Prepared { run: Box::new(|_| Err(String::new())), compile: None, code_bytes: 8 };
        let figures = Figures::new(&prepared, Ran { r0, insns: 2 }, Times::new(vec![3.0]));
        Row { engine, outcome: Ok(figures) }
    }

    fn subject(is_classic: bool, expected: Option<u64>, rows: Vec<Row>) -> Subject {
        Subject::new("p".to_owned(), None, is_classic, expected, rows)
    }

    #[test]
    fn a_wrong_result_is_seen_and_marked() {
        let same = subject(true, None, vec![row("a", 7), row("b", 1 << 32 | 7)]);
        assert!(same.is_fine(), "a classic result has 32 bits");
        let other = subject(false, None, vec![row("a", 7), row("b", 1 << 32 | 7)]);
        assert!(!other.is_fine());
        assert!(table(&[other], &Output::new(false)).contains("0x100000007, WRONG: not 0x7"));
        assert!(!subject(true, Some(8), vec![row("a", 7)]).is_fine(), "known beforehand");
        let trapped = Row { engine: "b", outcome: Err(Unfit::Trapped("no".to_owned())) };
        assert!(!subject(true, None, vec![row("a", 7), trapped]).is_fine());
        let skipped = Row { engine: "b", outcome: Err(Unfit::NotTaken("not mine".into())) };
        assert!(subject(true, None, vec![row("a", 7), skipped]).is_fine());
    }
}
