//! What seccomp filters do with every system call.

use super::syscall::{ActionDocument, Filters, call_text};
use crate::cli::Status;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use bpf64_core::context::seccomp::{Action, SeccompData};
use bpf64_core::seccomp::matrix::{Case, Matrix, Outcome, Row};
use bpf64_core::seccomp::{Arch, matrix};
use serde::Serialize;
use std::collections::BTreeMap;

/// Columns of a line of names.
const WIDTH: usize = 100;

#[derive(Serialize)]
struct Document {
    arch: &'static str,
    syscalls: Vec<RowDocument>,
    unnamed: OutcomeDocument,
    compatible: BTreeMap<&'static str, OutcomeDocument>,
    foreign: OutcomeDocument,
}

#[derive(Serialize)]
struct RowDocument {
    name: &'static str,
    nr: u32,
    #[serde(flatten)]
    outcome: OutcomeDocument,
}

#[derive(Serialize)]
struct OutcomeDocument {
    /// The same for all arguments.
    always: bool,
    /// Whether these are all that can happen.
    complete: bool,
    actions: Vec<CaseDocument>,
}

#[derive(Serialize)]
struct CaseDocument {
    #[serde(flatten)]
    action: ActionDocument,
    /// A call to which it happens.
    example: Option<RecordDocument>,
}

#[derive(Serialize)]
struct RecordDocument {
    nr: u32,
    arch: u32,
    instruction_pointer: String,
    args: [String; 6],
}

impl From<&Outcome> for OutcomeDocument {
    fn from(outcome: &Outcome) -> Self {
        let case =
            |case: &Case| CaseDocument { action: case.action.into(), example: case.example.map(Into::into) };
        OutcomeDocument {
            always: outcome.always().is_some(),
            complete: outcome.complete,
            actions: outcome.cases.iter().map(case).collect(),
        }
    }
}

impl From<SeccompData> for RecordDocument {
    fn from(data: SeccompData) -> Self {
        RecordDocument {
            nr: data.nr,
            arch: data.arch,
            instruction_pointer: format!("{:#x}", data.instruction_pointer),
            args: data.args.map(|argument| format!("{argument:#x}")),
        }
    }
}

pub(super) fn run(filters: &Filters, arch: Arch, out: &mut Output) -> Result<Status, Failure> {
    let matrix = matrix(&filters.classic()?, arch);
    if out.json {
        let row = |row: &Row| RowDocument { name: row.name, nr: row.number, outcome: (&row.outcome).into() };
        out.document(&Document {
            arch: arch.name(),
            syscalls: matrix.rows.iter().map(row).collect(),
            unnamed: (&matrix.unnamed).into(),
            compatible: matrix
                .compatible
                .iter()
                .map(|(arch, outcome)| (arch.name(), outcome.into()))
                .collect(),
            foreign: (&matrix.foreign).into(),
        })?;
    } else {
        out.text(text(&matrix))?;
    }
    Ok(Status::Done)
}

/// A table by action: what is always so, then what depends on arguments, then all other numbers.
fn text(matrix: &Matrix) -> String {
    let arch = matrix.arch.name();
    let mut text = format!("{arch}: {} system calls\n", matrix.rows.len());
    let mut groups: BTreeMap<(i32, Action), Vec<&str>> = BTreeMap::new();
    let mut depends = Vec::new();
    for row in &matrix.rows {
        match row.outcome.always() {
            Some(action) => groups.entry((Action::rank(action.value()), action)).or_default().push(row.name),
            None => depends.push(row),
        }
    }
    for ((_, action), names) in groups.iter().rev() {
        text += &format!("\n{action}: {}\n", names.len());
        text += &wrapped(names);
    }
    if !depends.is_empty() {
        text += &format!("\ndepends on arguments: {}\n", depends.len());
        for row in depends {
            text += &format!("  {}\n", row.name);
            text += &cases(&row.outcome);
        }
    }
    text += "\nother calls\n";
    let mut others = vec![(format!("{arch} numbers without a name"), &matrix.unnamed)];
    others.extend(matrix.compatible.iter().map(|(arch, outcome)| (arch.name().to_owned(), outcome)));
    others.push(("any other architecture".to_owned(), &matrix.foreign));
    for (name, outcome) in others {
        match outcome.always() {
            Some(action) => text += &format!("  {name}: {action}\n"),
            None => text += &format!("  {name}\n{}", cases(outcome)),
        }
    }
    text
}

fn cases(outcome: &Outcome) -> String {
    let case = |case: &Case| match &case.example {
        Some(example) => format!("    {}, for example {}\n", case.action, call_text(example)),
        None => format!("    {}, perhaps\n", case.action),
    };
    let more = if outcome.complete {
        ""
    } else {
        "    and others, which the filter calculates or too many paths lead to\n"
    };
    outcome.cases.iter().map(case).collect::<String>() + more
}

fn wrapped(names: &[&str]) -> String {
    let mut text = String::new();
    let mut column = 0;
    for name in names {
        if column > 0 && column + 1 + name.len() > WIDTH {
            text.push('\n');
            column = 0;
        }
        let before = if column == 0 { "  " } else { " " };
        text += before;
        text += name;
        column += before.len() + name.len();
    }
    text + "\n"
}
