//! Tables on the command line: declared and filled before a run, shown after it.

mod show;

pub(super) use show::{show, show_named};

use super::failure::Failure;
use super::packet;
use bpf64_core::maps::{self, MapDef, Table};
use bpf64_core::program::Program;
use data_encoding::HEXLOWER;
use serde::Serialize;
use std::collections::BTreeMap;
use std::rc::Rc;

/// What tables hold before the first run.
#[derive(clap::Args)]
pub(super) struct EntryArguments {
    /// Put an entry into a table of the program before the run, key and value as digits; repeat it for more
    #[arg(long = "map-entry", value_name = "NAME:KEY=VALUE")]
    entries: Vec<String>,
}

/// An entry, in digits.
#[derive(Serialize)]
pub(super) struct Entry {
    key: String,
    value: String,
}

/// Every entry of a table: of what each CPU has of its own, the values of all of them in turn.
pub(super) fn entries(table: &Table) -> Vec<Entry> {
    let digits = |(key, value): (Vec<u8>, Vec<u8>)| Entry {
        key: HEXLOWER.encode(&key),
        value: HEXLOWER.encode(&value),
    };
    table.entries().map(digits).collect()
}

/// The tables by name.
pub(super) fn by_name(tables: &[Table]) -> BTreeMap<&str, Vec<Entry>> {
    tables.iter().map(|table| (table.def().name.as_str(), entries(table))).collect()
}

/// Reads `NAME:KIND:KEY:VALUE:MAX`, for formats that cannot declare tables.
pub(super) fn declaration(text: &str) -> Result<MapDef, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let [name, kind, key, value, max] = parts[..] else {
        return Err(format!("five parts are wanted, and there are {}", parts.len()));
    };
    let known = || maps::KINDS.map(bpf64_core::maps::Kind::name).join(", ");
    let kind = maps::kind(kind).ok_or_else(|| format!("there is no kind `{kind}`; known: {}", known()))?;
    let number = |what: &str, text: &str| {
        text.parse::<u32>().map_err(|_| format!("{what} is a number, which `{text}` is not"))
    };
    let [key, value] = [number("the size of a key", key)?, number("the size of a value", value)?];
    let def = MapDef::new(name, kind, key, value, number("how many entries there may be", max)?);
    def.check().map_err(|fault| fault.to_string())?;
    Ok(def)
}

impl EntryArguments {
    /// The program's tables, with these entries in them.
    pub(super) fn tables(&self, program: &Program, cpus: u32) -> Result<Vec<Table>, Failure> {
        let mut tables: Vec<Table> =
            program.maps().iter().map(|def| Table::new(Rc::clone(def), cpus)).collect();
        for text in &self.entries {
            put(&mut tables, text).map_err(|why| {
                Failure::not_understood(format!("--map-entry {text}: {why}"))
                    .help("write it as NAME:KEY=VALUE, for example counts:01000000=2a00000000000000")
            })?;
        }
        Ok(tables)
    }
}

fn put(tables: &mut [Table], text: &str) -> Result<(), String> {
    let (name, entry) = text.split_once(':').ok_or("the table's name is missing")?;
    let (key, value) = entry.split_once('=').ok_or("the value is missing")?;
    let number = tables.iter().position(|table| table.def().name == name).ok_or_else(|| {
        let known: Vec<&str> = tables.iter().map(|table| table.def().name.as_str()).collect();
        match known.is_empty() {
            true => "the program has no tables".to_owned(),
            false => format!("the program has no table of that name; it has {}", known.join(", ")),
        }
    })?;
    let [key, value] = [packet::digits(key.as_bytes())?, packet::digits(value.as_bytes())?];
    maps::update(tables, number, &key, &value, maps::change::ANY).map_err(|error| {
        let def = tables[number].def();
        let sizes = format!("its keys have {} and its values {} bytes", def.key_size, def.value_size);
        if (key.len(), value.len()) == (def.key_size as usize, def.value_size as usize) {
            format!("Linux would answer {error}")
        } else {
            sizes
        }
    })
}
