//! Tables on the command line: declared and filled before a run, shown after it.

mod show;

pub(super) use show::{show, show_named};

use super::failure::Failure;
use super::input::Source;
use super::packet;
use super::program::ProgramArguments;
use bpf64_core::environment::{ProgramType, World};
use bpf64_core::load::{Form, Format, Loaded};
use bpf64_core::maps::{self, Holds, MapDef, Named, Table};
use bpf64_core::program;
use data_encoding::HEXLOWER;
use serde::Serialize;
use std::collections::BTreeMap;
use std::rc::Rc;

/// What tables hold before the first run.
#[derive(clap::Args)]
pub(super) struct EntryArguments {
    /// Put an entry into a table before the run: key and value as digits of their bytes, an array's key as its index, a
    /// trie's as PREFIX/BITS, and into a table of programs a function of the object file, or the section that holds it alone; repeat it for more
    #[arg(long = "map-entry", value_name = "TABLE:KEY=VALUE")]
    entries: Vec<String>,
}

/// An entry, in digits.
#[derive(Serialize)]
pub(super) struct Entry {
    key: String,
    value: String,
    /// The name of the program that the value stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    program: Option<String>,
    /// The name of the table that it stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<String>,
}

/// Every entry of a table: of what each CPU has of its own, the values of all of them in turn.
pub(super) fn entries(table: &Table, named: Named<'_>) -> Vec<Entry> {
    let digits = |(key, value): (Vec<u8>, Vec<u8>)| {
        let name = named.name(table.def(), &value).map(str::to_owned);
        let (program, table) = match table.def().kind.holds() {
            Holds::Programs => (name, None),
            _ => (None, name),
        };
        Entry { key: HEXLOWER.encode(&key), value: HEXLOWER.encode(&value), program, table }
    };
    table.entries().map(digits).collect()
}

/// The tables of a world by name.
pub(super) fn by_name(world: &World) -> BTreeMap<&str, Vec<Entry>> {
    let programs = world.program_names();
    let named = Named { tables: &world.tables, programs: &programs };
    world.tables.iter().map(|table| (table.def().name.as_str(), entries(table, named))).collect()
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
    /// Loads the program, and with it those that its tables are to hold.
    pub(super) fn load(
        &self,
        program: &ProgramArguments,
        source: &Source,
        program_type: Option<ProgramType>,
    ) -> Result<Loaded, Failure> {
        let mut names: Vec<&str> = Vec::new();
        loop {
            let loaded = program.load_with(source, program_type.clone(), &names)?;
            let wanted = || self.entries.iter().filter_map(|text| program_in(text, &loaded));
            // Programs bring tables, which may hold programs: until there are no more of them.
            if loaded.format != Format::Elf || wanted().count() <= names.len() {
                return Ok(loaded);
            }
            names = wanted().collect();
        }
    }

    /// The program's tables, with these entries in them.
    pub(super) fn tables(&self, loaded: &Loaded, cpus: u32) -> Result<Vec<Table>, Failure> {
        let program = loaded.ebpf();
        let mut tables: Vec<Table> =
            program.maps().iter().map(|def| Table::new(Rc::clone(def), cpus)).collect();
        // The names that the loader was asked for, in their order.
        let mut asked = loaded.asked.iter();
        for text in &self.entries {
            let asked = program_in(text, loaded).and_then(|_| asked.next()).copied();
            put(&mut tables, text, loaded, asked).map_err(|why| {
                Failure::not_understood(format!("--map-entry {text}: {why}"))
                    .help("write it as TABLE:KEY=VALUE, for example counts:01000000=2a00000000000000")
            })?;
        }
        Ok(tables)
    }
}

/// The name of a program that an entry puts into a table of programs, or into a table that this program does not have:
/// others of the object may.
fn program_in<'t>(text: &'t str, loaded: &Loaded) -> Option<&'t str> {
    let (table, entry) = text.split_once(':')?;
    let (_, value) = entry.split_once('=')?;
    let maps = match &loaded.form {
        Form::Ebpf(program) => program.maps(),
        Form::Classic(..) => &[],
    };
    let holds_programs = match maps.iter().find(|def| def.name == table) {
        Some(def) => def.kind.holds() == Holds::Programs,
        None => packet::digits(value.as_bytes()).is_err(),
    };
    holds_programs.then_some(value)
}

fn put(tables: &mut [Table], text: &str, loaded: &Loaded, asked: Option<u32>) -> Result<(), String> {
    let (name, entry) = text.split_once(':').ok_or("the table's name is missing")?;
    let (key, value) = entry.split_once('=').ok_or("the value is missing")?;
    let number = tables.iter().position(|table| table.def().name == name).ok_or_else(|| {
        let known: Vec<&str> = tables.iter().map(|table| table.def().name.as_str()).collect();
        match known.is_empty() {
            true => "the program has no tables".to_owned(),
            false => format!("the program has no table of that name; it has {}", known.join(", ")),
        }
    })?;
    let def = Rc::clone(tables[number].def());
    let key = match key {
        _ if key.contains('/') => def.prefix(key)?,
        _ => index(&def, key).map_or_else(|| packet::digits(key.as_bytes()), Ok)?,
    };
    let value = match (def.kind.holds(), asked) {
        (Holds::Programs, Some(asked)) => asked.to_le_bytes().to_vec(),
        (Holds::Programs, None) => program_number(value, loaded)?.to_le_bytes().to_vec(),
        (Holds::Tables, _) => match tables.iter().position(|table| table.def().name == value) {
            Some(inner) => (inner as u32).to_le_bytes().to_vec(),
            None => packet::digits(value.as_bytes())?,
        },
        _ => packet::digits(value.as_bytes())?,
    };
    maps::update(tables, number, &key, &value, maps::change::ANY).map_err(|error| {
        let sizes = format!("its keys have {} and its values {} bytes", def.key_size, def.value_size);
        if (key.len(), value.len()) == (def.key_size as usize, def.value_size as usize) {
            format!("Linux would answer {error}")
        } else {
            sizes
        }
    })
}

/// The key that an index stands for, in tables whose keys are indexes. As many digits as a key has are its bytes.
fn index(def: &MapDef, text: &str) -> Option<Vec<u8>> {
    let size = def.kind.sizes().0? as usize;
    let number: u32 = text.parse().ok().filter(|_| text.len() < 2 * size)?;
    (size == 4).then(|| number.to_le_bytes().to_vec())
}

/// The number of a program of a text.
fn program_number(name: &str, loaded: &Loaded) -> Result<u32, String> {
    let names = program::names(&loaded.others);
    (0..).zip(&names).find(|(_, known)| *known == name).map(|(number, _)| number).ok_or_else(
        || match &names[..] {
            [] => "there is no other program to go on in; in a text, `.program NAME` begins one".to_owned(),
            names => format!("there is no program `{name}` to go on in; there are {}", names.join(", ")),
        },
    )
}
