//! A program's tables, made in the running kernel as the program declares them, and read and written from outside.

use super::bpf::{Map, Shape};
use crate::kernel::possible_cpus;
use bpf64_core::maps::{Holds, MapDef, change};
use std::io;
use std::rc::Rc;

/// Programs may only read it (`BPF_F_RDONLY_PROG`).
const RDONLY_PROG: u32 = 1 << 7;
/// "No such entry": after the last key.
const ENOENT: i32 = 2;

/// Kinds that have a value for each CPU (`BPF_MAP_TYPE_*PERCPU*`).
const PER_CPU: [u32; 4] = [5, 6, 10, 21];
/// Kinds that hold maps: written as descriptors, read as the kernel's own numbers (`BPF_MAP_TYPE_*_OF_MAPS`).
const OF_MAPS: [u32; 2] = [12, 13];

/// A table in the kernel.
#[derive(Debug)]
pub struct Table<'a> {
    def: &'a Rc<MapDef>,
    map: &'a Map,
}

/// Makes the tables of a program, with what they hold before the first run.
///
/// # Errors
/// The kernel's refusal, with the table's name.
pub(super) fn create(defs: &[Rc<MapDef>]) -> Result<Vec<Map>, (String, io::Error)> {
    let named = |def: &MapDef| {
        let name = def.name.clone();
        |error| (name, error)
    };
    let maps: Vec<Map> = defs.iter().map(|def| make(def).map_err(named(def))).collect::<Result<_, _>>()?;
    for (def, map) in defs.iter().zip(&maps) {
        fill(def, map, &maps).map_err(named(def))?;
    }
    Ok(maps)
}

fn make(def: &MapDef) -> io::Result<Map> {
    let inner = def.inner.as_deref().map(make).transpose()?;
    let number = def.kind.number();
    let outside = if PER_CPU.contains(&number) {
        def.value_size.next_multiple_of(8) as usize * possible_cpus() as usize
    } else {
        def.value_size as usize
    };
    let flags = def.flags | if def.constant { RDONLY_PROG } else { 0 };
    let MapDef { key_size, value_size, max_entries, extra, .. } = *def;
    let (name, extra) = (name(&def.name), extra.into());
    let shape = Shape { kind: number, key_size, value_size, max_entries, flags, extra, outside, name };
    Map::create(&shape, inner.as_ref())
}

/// A table's name as the kernel takes it: its first letters, if it knows them.
fn name(name: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')) {
        bytes.iter_mut().zip(name.bytes()).take(15).for_each(|(place, byte)| *place = byte);
    }
    bytes
}

/// Puts in the entries of a declaration. What holds maps names them by their places among the program's. Programs have
/// no numbers before they are loaded, so what holds those is left to whoever loads them.
fn fill(def: &MapDef, map: &Map, all: &[Map]) -> io::Result<()> {
    let entries = if def.kind.holds() == Holds::Programs { &[] } else { &def.entries[..] };
    for (key, value) in entries {
        if OF_MAPS.contains(&def.kind.number()) {
            let index = value.first_chunk().map(|&index| u32::from_le_bytes(index) as usize);
            let inner = index.and_then(|index| all.get(index)).ok_or(io::ErrorKind::InvalidInput)?;
            map.update(keyed(key), &inner.number().to_le_bytes(), change::ANY)?;
        } else {
            map.update(keyed(key), value, change::ANY)?;
        }
    }
    if def.constant { map.freeze() } else { Ok(()) }
}

/// What has no keys is asked without one.
fn keyed(key: &[u8]) -> Option<&[u8]> {
    (!key.is_empty()).then_some(key)
}

impl<'a> Table<'a> {
    pub(super) fn new(def: &'a Rc<MapDef>, map: &'a Map) -> Self {
        Table { def, map }
    }

    /// Its declaration.
    #[must_use]
    pub fn def(&self) -> &MapDef {
        self.def
    }

    /// The value of `key`; of all CPUs in turn where each has its own.
    ///
    /// # Errors
    /// The kernel's: `ENOENT` when there is none.
    pub fn read(&self, key: &[u8]) -> io::Result<Vec<u8>> {
        self.map.lookup(keyed(key), None)
    }

    /// Puts a value.
    ///
    /// # Errors
    /// The kernel's.
    pub fn update(&self, key: &[u8], value: &[u8], flags: u64) -> io::Result<()> {
        self.map.update(keyed(key), value, flags)
    }

    /// Takes an entry away.
    ///
    /// # Errors
    /// The kernel's.
    pub fn delete(&self, key: &[u8]) -> io::Result<()> {
        self.map.delete(keyed(key))
    }

    /// Takes a value out: of a queue or stack the next one, with an empty key.
    ///
    /// # Errors
    /// The kernel's.
    pub fn take(&self, key: &[u8]) -> io::Result<Vec<u8>> {
        self.map.take(keyed(key))
    }

    /// The key after `key`, or the first one; none after the last.
    ///
    /// # Errors
    /// The kernel's.
    pub fn next_key(&self, key: Option<&[u8]>) -> io::Result<Option<Vec<u8>>> {
        match self.map.next_key(key) {
            Err(error) if error.raw_os_error() == Some(ENOENT) => Ok(None),
            next => next.map(Some),
        }
    }

    /// Every key with its value, in the order of the keys' bytes: the kernel's own order is random for some kinds. What
    /// has a key and nothing there is left out: elements of arrays of tables.
    ///
    /// # Errors
    /// The kernel's.
    pub fn entries(&self) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let mut found = Vec::new();
        let mut key = self.next_key(None)?;
        while let Some(here) = key {
            key = self.next_key(Some(&here))?;
            match self.read(&here) {
                Err(error) if error.raw_os_error() == Some(ENOENT) => {}
                value => found.push((here, value?)),
            }
        }
        found.sort();
        Ok(found)
    }
}
