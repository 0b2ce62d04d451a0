//! The running kernel's tables as [`Tables`].

use super::ours::{declarations, inside, replied, result_size};
use super::{Operation, Part, Reply, Tables, per_cpu};
use crate::kernel::possible_cpus;
use crate::kernel_maps::{Loaded as Program, Map};
use bpf64_core::errno::Errno;
use bpf64_core::load::Loaded;
use bpf64_core::maps::{Holds, MapDef, RINGBUF};
use std::rc::Rc;

/// The tables of a case in the kernel.
#[derive(Debug)]
pub struct Linux {
    defs: Vec<Rc<MapDef>>,
    /// The last is the table `result`.
    maps: Vec<Map>,
    /// What stands for a program in tables.
    some: Program,
    declarations: String,
    program: bpf64_core::program::Program,
    kind: u32,
    loaded: Option<Program>,
    result_size: u32,
}

impl Linux {
    /// The tables that the text declares, made by the kernel, and its program.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn new(text: &str, loaded: &Loaded) -> Result<Self, String> {
        let program = loaded.ebpf();
        let defs = program.maps().to_vec();
        let result_size = result_size(&program);
        let result = MapDef::new("result", bpf64_core::maps::ARRAY, 4, result_size, 1);
        let mut maps: Vec<Map> = Vec::new();
        for def in defs.iter().map(|def| &**def).chain([&result]) {
            let inner = match &def.inner {
                Some(inner) => Some(Map::create(inner, None).map_err(|errno| format!("{inner}: {errno}"))?),
                None => None,
            };
            maps.push(Map::create(def, inner.as_ref()).map_err(|errno| format!("{def}: {errno}"))?);
        }
        let kind = loaded.program_type.number;
        let some = super::program(&format!(".type {}\nr0 = 0\nexit", loaded.program_type.name))?;
        let some = Program::new(kind, &some.ebpf(), &[])?;
        let declarations = declarations(text);
        Ok(Linux { defs, maps, some, declarations, program, kind, loaded: None, result_size })
    }

    fn bytes(&self, part: &Part, table: usize) -> Vec<u8> {
        match part {
            Part::Bytes(bytes) if self.defs[table].kind.per_cpu() => {
                // One value is for all CPUs.
                let mut one = bytes.clone();
                one.resize(one.len().next_multiple_of(8), 0);
                one.repeat(possible_cpus() as usize)
            }
            Part::Bytes(bytes) => bytes.clone(),
            Part::Table(number) => self.maps[*number].number().to_le_bytes().to_vec(),
            Part::Program => self.some.number().to_le_bytes().to_vec(),
        }
    }

    fn shown(&self, table: usize, value: Result<Vec<u8>, Errno>) -> Reply {
        let value = match value {
            Ok(value) => value,
            Err(errno) => return Reply::Error(errno),
        };
        let def = &self.defs[table];
        if def.kind.per_cpu() {
            return Reply::Bytes(per_cpu(&value, def.value_size as usize));
        }
        let id = || u32::from_le_bytes(value[..].try_into().expect("a number of four bytes"));
        if def.kind.holds() == Holds::Tables {
            let known = self.defs.iter().zip(&self.maps).find(|(_, map)| map.id() == id());
            return Reply::Named(known.map_or_else(|| "unknown".to_owned(), |(def, _)| def.name.clone()));
        }
        if def.kind.name() == "prog_array" {
            return Reply::Named(if id() == self.some.id() { "program" } else { "unknown" }.to_owned());
        }
        Reply::Bytes(value)
    }

    /// What is behind the records' heads, which are a length with marks and four bytes more.
    fn records(&self, table: usize) -> Result<Vec<Vec<u8>>, String> {
        let size = self.defs[table].max_entries as usize;
        let (pages, written) = self.maps[table].pages(size).map_err(|error| error.to_string())?;
        let (mut at, mut found) = (0, Vec::new());
        // Cases fill it once at most.
        while at < (written as usize).min(size) {
            let head = u32::from_le_bytes(pages[at..at + 4].try_into().expect("four bytes"));
            let length = (head & 0x3fff_ffff) as usize;
            // A busy one ends what can be read.
            if head >> 31 != 0 {
                break;
            }
            if head >> 30 == 0 {
                found.push(pages[at + 8..at + 8 + length].to_vec());
            }
            at += (length + 8).next_multiple_of(8);
        }
        Ok(found)
    }
}

fn keyed(key: &[u8]) -> Option<&[u8]> {
    (!key.is_empty()).then_some(key)
}

impl Tables for Linux {
    fn name(&self) -> &'static str {
        "Linux"
    }

    fn does(&mut self, operation: &Operation) -> Result<Reply, String> {
        Ok(match operation {
            Operation::Update(table, key, value, flags) => {
                let Part::Bytes(key) = key else { return Err("a key is bytes".to_owned()) };
                let value = self.bytes(value, *table);
                self.maps[*table].update(keyed(key), &value, *flags).into()
            }
            Operation::Lookup(table, key) => self.shown(*table, self.maps[*table].lookup(keyed(key), None)),
            Operation::Delete(table, key) => self.maps[*table].delete(keyed(key)).into(),
            Operation::Next(table, key) => self.maps[*table].next_key(key.as_deref()).into(),
            Operation::Take(table, key) => self.shown(*table, self.maps[*table].take(keyed(key))),
            Operation::Push(table, value, flags) => self.maps[*table].update(None, value, *flags).into(),
            Operation::Pop(table) => self.maps[*table].take(None).into(),
            Operation::Peek(table, None) => self.maps[*table].lookup(None, None).into(),
            Operation::Peek(table, Some(value)) => {
                self.maps[*table].lookup(None, Some(value)).map(drop).into()
            }
            Operation::Freeze(table) => self.maps[*table].freeze().into(),
            Operation::Keys(table) => {
                let map = &self.maps[*table];
                let first = map.next_key(None).ok();
                Reply::List(std::iter::successors(first, |key| map.next_key(Some(key)).ok()).collect())
            }
            Operation::Records(table) if self.defs[*table].kind.name() == RINGBUF.name() => {
                Reply::List(self.records(*table)?)
            }
            Operation::Records(_) => Reply::Skipped("nobody listens"),
            Operation::Run(packet) => {
                let loaded = match self.loaded.take() {
                    Some(loaded) => loaded,
                    None => Program::new(self.kind, &self.program, &self.maps.iter().collect::<Vec<_>>())?,
                };
                let r0 = loaded.run(packet).map_err(|error| error.to_string())?;
                self.loaded = Some(loaded);
                Reply::Number(r0)
            }
            Operation::Inside(code, value) => {
                let loaded = inside(&self.declarations, self.result_size, code)?;
                let maps: Vec<&Map> = self.maps.iter().collect();
                let program = Program::new(loaded.program_type.number, &loaded.ebpf(), &maps)
                    .map_err(|why| format!("{code}\n{why}"))?;
                let r0 = program.run(&[0; 14]).map_err(|error| error.to_string())?;
                let result = self.maps.last().expect("the table `result` is always there");
                let left = result.lookup(Some(&[0; 4]), None).unwrap_or_default();
                replied(code, *value, r0, left, &self.defs)
            }
        })
    }
}
