//! A table's memory, and the one way to change it.

use super::MapDef;
use crate::errno::Errno;
use std::rc::Rc;

/// A table: its declaration and its memory. What was never written reads as zeros and takes no memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    def: Rc<MapDef>,
    /// Keys and values, laid out as the kind likes.
    bytes: Vec<u8>,
    /// The kind's structure.
    cells: Vec<u32>,
}

/// Told what a change of a table replaces.
pub trait Journal {
    /// Bytes were written at `offset`; both slices are of the same length.
    fn bytes(&mut self, offset: u32, before: &[u8], after: &[u8]);
    /// A cell was written.
    fn cell(&mut self, index: u32, before: u32, after: u32);
}

/// Nobody wants to know.
impl Journal for () {
    fn bytes(&mut self, _: u32, _: &[u8], _: &[u8]) {}
    fn cell(&mut self, _: u32, _: u32, _: u32) {}
}

/// A table in use: by a program on a CPU, or by somebody outside.
pub struct Access<'a> {
    table: &'a mut Table,
    /// The CPU that it is used on.
    pub cpu: u32,
    journal: &'a mut dyn Journal,
}

impl Table {
    /// A table with the entries of its declaration.
    ///
    /// # Panics
    /// If [`MapDef::check`] was not asked first, and would have refused.
    #[must_use]
    pub fn new(def: Rc<MapDef>) -> Self {
        let mut table = Table { def: Rc::clone(&def), bytes: Vec::new(), cells: Vec::new() };
        for (key, value) in &def.entries {
            table.update(key, value, super::update::ANY).expect("`MapDef::check` saw that entries fit");
        }
        table
    }

    /// Its declaration.
    #[must_use]
    pub fn def(&self) -> &Rc<MapDef> {
        &self.def
    }

    /// The memory that was touched so far.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The memory that was touched so far, to be changed without telling anybody.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// A cell of the kind's structure: 0 before it is first written.
    #[must_use]
    pub fn cell(&self, index: u32) -> u32 {
        self.cells.get(index as usize).copied().unwrap_or(0)
    }

    /// Writes a cell without telling anybody.
    pub fn set_cell(&mut self, index: u32, value: u32) {
        let index = index as usize;
        if self.cells.len() <= index {
            self.cells.resize(index + 1, 0);
        }
        self.cells[index] = value;
    }

    /// Makes the memory reach to `end`.
    pub fn grow(&mut self, end: u32) {
        if self.bytes.len() < end as usize {
            self.bytes.resize(end as usize, 0);
        }
    }

    /// `count` bytes at `offset`, zeros where nothing was written.
    #[must_use]
    pub fn copy(&self, offset: u32, count: u32) -> Vec<u8> {
        let (start, end) = (offset as usize, offset as usize + count as usize);
        let have = self.bytes.get(start..end.min(self.bytes.len())).unwrap_or_default();
        let mut copied = have.to_vec();
        copied.resize(count as usize, 0);
        copied
    }

    /// The table in use, with changes told to `journal`.
    pub fn access<'a>(&'a mut self, cpu: u32, journal: &'a mut dyn Journal) -> Access<'a> {
        Access { table: self, cpu, journal }
    }

    /// The value of `key`, as somebody outside sees it.
    #[must_use]
    pub fn read(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.def.kind.read(self, key)
    }

    /// Puts a value from outside.
    ///
    /// # Errors
    /// As Linux's.
    pub fn update(&mut self, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        let kind = self.def.kind;
        kind.update(&mut self.access(0, &mut ()), key, value, flags)
    }

    /// Takes an entry away from outside.
    ///
    /// # Errors
    /// As Linux's.
    pub fn delete(&mut self, key: &[u8]) -> Result<(), Errno> {
        let kind = self.def.kind;
        kind.delete(&mut self.access(0, &mut ()), key)
    }

    /// Every key with its value, in the kind's order.
    pub fn entries(&self) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> + '_ {
        let first = self.def.kind.next_key(self, None);
        std::iter::successors(first, |key| self.def.kind.next_key(self, Some(key)))
            .filter_map(|key| self.read(&key).map(|value| (key, value)))
    }
}

impl Access<'_> {
    /// The table as it is.
    #[must_use]
    pub fn table(&self) -> &Table {
        self.table
    }

    /// Its declaration.
    #[must_use]
    pub fn def(&self) -> Rc<MapDef> {
        Rc::clone(&self.table.def)
    }

    /// A cell of the kind's structure.
    #[must_use]
    pub fn cell(&self, index: u32) -> u32 {
        self.table.cell(index)
    }

    /// Writes a cell.
    pub fn set_cell(&mut self, index: u32, value: u32) {
        let before = self.table.cell(index);
        if before != value {
            self.journal.cell(index, before, value);
            self.table.set_cell(index, value);
        }
    }

    /// Makes the memory reach to `end`, so that a program can be given an address in it.
    pub fn grow(&mut self, end: u32) {
        self.table.grow(end);
    }

    /// Writes bytes.
    pub fn write(&mut self, offset: u32, bytes: &[u8]) {
        self.table.grow(offset + bytes.len() as u32);
        let place = &mut self.table.bytes[offset as usize..offset as usize + bytes.len()];
        self.journal.bytes(offset, place, bytes);
        place.copy_from_slice(bytes);
    }
}
