//! A table's memory, and the one way to change it.

use super::{MAX_CPUS, MapDef, change};
use std::rc::Rc;

/// A table: its declaration and its memory. What was never written reads as zeros and takes no memory.
#[derive(Debug, Clone)]
pub struct Table {
    def: Rc<MapDef>,
    cpus: u32,
    /// Whether nobody outside may change it any more.
    pub(super) frozen: bool,
    /// Keys and values, laid out as the kind likes.
    bytes: Vec<u8>,
    /// The kind's structure.
    cells: Vec<u32>,
}

/// The same declaration and the same memory; zeros at its end are as good as none.
impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        self.def == other.def
            && (self.cpus, self.frozen) == (other.cpus, other.frozen)
            && same(&self.bytes, &other.bytes)
            && same(&self.cells, &other.cells)
    }
}

impl Eq for Table {}

fn same<T: PartialEq + Default>(a: &[T], b: &[T]) -> bool {
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    long[..short.len()] == *short && long[short.len()..].iter().all(|rest| *rest == T::default())
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
    cpu: u32,
    journal: &'a mut dyn Journal,
}

impl Table {
    /// A table with the entries of its declaration, in a world of so many CPUs (1 to [`MAX_CPUS`]).
    ///
    /// # Panics
    /// If [`MapDef::check`] was not asked first, and would have refused.
    #[must_use]
    pub fn new(def: Rc<MapDef>, cpus: u32) -> Self {
        let cpus = cpus.clamp(1, MAX_CPUS);
        let frozen = def.constant;
        let mut table = Table { def: Rc::clone(&def), cpus, frozen, bytes: Vec::new(), cells: Vec::new() };
        for (key, value) in &def.entries {
            table.put(key, value, change::ANY).expect("`MapDef::check` saw that entries fit");
        }
        table
    }

    /// Its declaration.
    #[must_use]
    pub fn def(&self) -> &Rc<MapDef> {
        &self.def
    }

    /// How many CPUs there are.
    #[must_use]
    pub fn cpus(&self) -> u32 {
        self.cpus
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

    /// Bytes of memory that it takes.
    #[must_use]
    pub fn footprint(&self) -> usize {
        self.bytes.capacity() + self.cells.capacity() * size_of::<u32>()
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

    /// Makes the memory as long as it can get, so that it stays where it is, whatever is put in.
    pub fn fill(&mut self) {
        let length = self.def.kind.bytes(&self.def) as usize;
        if self.bytes.is_empty() {
            // The system has zeros that take no memory before they are touched.
            self.bytes = vec![0; length];
        } else if self.bytes.len() < length {
            self.bytes.resize(length, 0);
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

    /// The number of four bytes at `offset`.
    #[must_use]
    pub fn number(&self, offset: u32) -> u32 {
        let start = offset as usize;
        match self.bytes.get(start..start + 4) {
            Some(bytes) => bytes.iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte)),
            None => 0,
        }
    }

    /// The table in use on a CPU, with changes told to `journal`. A CPU that the table does not know is its last one.
    pub fn access<'a>(&'a mut self, cpu: u32, journal: &'a mut dyn Journal) -> Access<'a> {
        let cpu = cpu.min(self.cpus - 1);
        Access { table: self, cpu, journal }
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

    /// The CPU that it is used on, below [`Table::cpus`].
    #[must_use]
    pub fn cpu(&self) -> u32 {
        self.cpu
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
        if place != bytes {
            self.journal.bytes(offset, place, bytes);
            place.copy_from_slice(bytes);
        }
    }

    /// Writes a value, or with [`Table::read`]'s length those of all CPUs; `first` is where that of the first CPU lies,
    /// the others follow.
    pub fn write_all(&mut self, first: u32, value: &[u8]) {
        let size = self.table.def.value_size;
        let padded = size.next_multiple_of(8);
        for cpu in 0..self.table.cpus {
            let start = if value.len() == size as usize { 0 } else { (cpu * padded) as usize };
            self.write(first + cpu * padded, &value[start..start + size as usize]);
        }
    }
}
