//! Tables after a run, for people: rows in their types, numbers with bars.

use crate::cli::failure::Failure;
use crate::cli::input::tame;
use crate::cli::output::Output;
use bpf64_core::environment::World;
use bpf64_core::maps::{Named, Row, Rows, Table};
use std::fmt::Write as _;

/// Rows of a table that are shown; `--json` has all.
const ROWS: usize = 64;
/// The longest bar, in characters.
const BAR: u64 = 40;
/// Shows what tables hold; constants are left out, which nobody has changed.
pub(in crate::cli) fn show(world: &World, out: &mut Output) -> Result<(), Failure> {
    show_named(world, &|_| None, out)
}

/// The same, with keys that have names.
pub(in crate::cli) fn show_named(world: &World, names: Names<'_>, out: &mut Output) -> Result<(), Failure> {
    let programs = world.program_names();
    let named = Named { tables: &world.tables, programs: &programs };
    for table in world.tables.iter().filter(|table| !table.def().constant) {
        out.text(tame(&text(table, named, names)))?;
    }
    Ok(())
}

/// The name of a key, if it has one.
type Names<'a> = &'a dyn Fn(&[u8]) -> Option<String>;

/// "map       counts, hash, 2 of 64 entries", and a line for each entry.
fn text(table: &Table, named: Named<'_>, names: Names<'_>) -> String {
    let def = table.def();
    let Rows { list: rows, total } = table.rows(named, names, ROWS);
    let preset = def.kind.preset();
    let head = match (total, preset) {
        (0, true) => "all zeros".to_owned(),
        (0, false) => "empty".to_owned(),
        (1, false) => "1 entry".to_owned(),
        (count, false) => format!("{count} entries"),
        (count, true) => format!("{count} of {} not 0", def.max_entries),
    };
    let mut text = format!("map       {}, {}, {head}\n", def.name, def.kind.name());
    let width = |of: fn(&Row) -> &str| rows.iter().map(|row| of(row).chars().count()).max().unwrap_or(0);
    let (keys, values) = (width(|row| &row.key), width(|row| &row.value));
    let largest =
        rows.iter().filter_map(|row| row.amount).max().filter(|&largest| largest > 0 && rows.len() > 1);
    for Row { key, value, amount, .. } in &rows {
        let _ = match (largest, amount) {
            (Some(largest), Some(amount)) => {
                let length = (u128::from(*amount) * u128::from(BAR)).div_ceil(u128::from(largest)) as usize;
                let bar = "█".repeat(length);
                writeln!(text, "          {key:>keys$}  {value:>values$}  {bar}")
            }
            _ if key.is_empty() => writeln!(text, "          {value}"),
            _ => writeln!(text, "          {key:>keys$}  {value}"),
        };
    }
    let left = total.saturating_sub(rows.len());
    if left > 0 && rows.len() >= ROWS {
        let _ = writeln!(text, "          … and {left} more, which --json has");
    }
    text
}
