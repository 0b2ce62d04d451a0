//! The memory of a hash table: slots in chains, one chain a bucket.
//!
//! A slot holds the key, then the value or those of all CPUs, each on a multiple of 8. The cells hold what leads there:
//!
//! ```text
//! 0  how many slots were ever used               6            the spare slot of each CPU
//! 1  the first free slot                         + CPUs       the first slot of each bucket
//! 2  how many hold an entry                      + buckets    for each slot: the next of its chain,
//! 4  the newest and the oldest entry                          the next newer and the next older one
//! ```
//!
//! A slot is written down as its number plus one, so that 0 means "none" and fresh memory is an empty table.

use super::super::MapDef;
use super::super::jhash::jhash;
use super::super::table::{Access, Table};
use std::ops::Range;

const USED: u32 = 0;
const FREE: u32 = 1;
const COUNT: u32 = 2;
pub(super) const NEWEST: u32 = 4;
pub(super) const OLDEST: u32 = 5;
const SPARE: u32 = 6;

/// Cells of a slot.
const LINKS: u32 = 3;

/// Where things are in the memory of such a table.
pub(in super::super) struct Chains {
    key_size: u32,
    value_at: u32,
    padded: u32,
    stride: u32,
    max_entries: u32,
    buckets: u32,
    cpus: u32,
    spread: fn(&[u8]) -> u32,
}

/// An entry that was found: its slot, and the cell that leads to it.
#[derive(Clone, Copy)]
pub(in super::super) struct Found {
    pub(in super::super) slot: u32,
    link: u32,
}

impl Chains {
    /// Of a table like this; `values` is how many values an entry has.
    pub(in super::super) fn new(def: &MapDef, cpus: u32, values: u32) -> Self {
        let value_at = def.key_size.next_multiple_of(8);
        let padded = def.value_size.next_multiple_of(8);
        Chains {
            key_size: def.key_size,
            value_at,
            padded,
            stride: value_at + padded * values,
            max_entries: def.max_entries,
            buckets: def.max_entries.next_power_of_two(),
            cpus,
            spread: |key| jhash(key, 0),
        }
    }

    /// The same with another way to choose a bucket.
    pub(in super::super) fn by(self, spread: fn(&[u8]) -> u32) -> Self {
        Chains { spread, ..self }
    }

    fn bucket(&self, key: &[u8]) -> u32 {
        SPARE + self.cpus + ((self.spread)(key) & (self.buckets - 1))
    }

    fn buckets_end(&self) -> u32 {
        SPARE + self.cpus + self.buckets
    }

    /// The first of the cells of a slot.
    pub(super) fn links(&self, slot: u32) -> u32 {
        self.buckets_end() + (slot - 1) * LINKS
    }

    fn start(&self, slot: u32) -> u32 {
        (slot - 1) * self.stride
    }

    /// Where the value of a CPU lies.
    pub(in super::super) fn value(&self, slot: u32, cpu: u32) -> u32 {
        self.start(slot) + self.value_at + cpu * self.padded
    }

    /// The value in which byte `offset` lies; nothing in keys and behind the last slot.
    pub(in super::super) fn value_around(&self, offset: u32, size: u32) -> Range<u32> {
        let within = offset % self.stride;
        if offset / self.stride >= self.max_entries + self.cpus || within < self.value_at {
            return 0..0;
        }
        let start = offset - (within - self.value_at) % self.padded;
        start..start + size
    }

    pub(in super::super) fn find(&self, table: &Table, key: &[u8]) -> Option<Found> {
        let mut link = self.bucket(key);
        loop {
            let slot = table.cell(link);
            if slot == 0 {
                return None;
            }
            let at = self.start(slot) as usize;
            if table.bytes().get(at..at + key.len()) == Some(key) {
                return Some(Found { slot, link });
            }
            link = self.links(slot);
        }
    }

    pub(in super::super) fn key(&self, table: &Table, slot: u32) -> Vec<u8> {
        table.copy(self.start(slot), self.key_size)
    }

    /// The entry after that in `slot`: in its chain, else the first of the next chain that has one.
    pub(in super::super) fn next(&self, table: &Table, slot: Option<u32>) -> Option<u32> {
        let (in_chain, bucket) = match slot {
            Some(slot) => (table.cell(self.links(slot)), self.bucket(&self.key(table, slot)) + 1),
            None => (0, SPARE + self.cpus),
        };
        if in_chain != 0 {
            return Some(in_chain);
        }
        (bucket..self.buckets_end()).map(|bucket| table.cell(bucket)).find(|&slot| slot != 0)
    }

    /// A slot for a new entry; none when the table is full.
    pub(in super::super) fn take(&self, table: &mut Access<'_>) -> Option<u32> {
        let count = table.cell(COUNT);
        if count == self.max_entries {
            return None;
        }
        table.set_cell(COUNT, count + 1);
        Some(match table.cell(FREE) {
            0 => {
                let used = table.cell(USED) + 1;
                table.set_cell(USED, used);
                used
            }
            free => {
                table.set_cell(FREE, table.cell(self.links(free)));
                free
            }
        })
    }

    /// A slot that is not part of the table's room, one for each CPU: who replaces an entry fills it and leaves the old
    /// one there, so that a program may go on to read that.
    pub(super) fn swap_spare(&self, table: &mut Access<'_>, old: u32) -> u32 {
        let cell = SPARE + table.cpu();
        let spare = match table.cell(cell) {
            0 => self.max_entries + 1 + table.cpu(),
            spare => spare,
        };
        table.set_cell(cell, old);
        spare
    }

    /// Fills a slot and puts it at the head of its chain.
    pub(in super::super) fn insert(&self, table: &mut Access<'_>, slot: u32, key: &[u8]) {
        let bucket = self.bucket(key);
        table.grow(self.start(slot) + self.stride);
        table.write(self.start(slot), key);
        table.set_cell(self.links(slot), table.cell(bucket));
        table.set_cell(bucket, slot);
    }

    /// Takes an entry out of its chain.
    pub(in super::super) fn unlink(&self, table: &mut Access<'_>, found: Found) {
        table.set_cell(found.link, table.cell(self.links(found.slot)));
    }

    /// Frees the slot of an entry that is in no chain any more.
    pub(in super::super) fn free(&self, table: &mut Access<'_>, slot: u32) {
        table.set_cell(COUNT, table.cell(COUNT) - 1);
        table.set_cell(self.links(slot), table.cell(FREE));
        table.set_cell(FREE, slot);
    }
}
