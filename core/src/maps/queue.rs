//! Queues and stacks (kernel/bpf/queue_stack_maps.c): values without keys, the oldest or the newest first.
//!
//! The bytes are a ring of `max_entries` values. Cell 0 is the place of the oldest one, cell 1 how many there are.

use super::definition::{LONGEST, flag};
use super::table::{Access, Table};
use super::{Kind, MapDef, MapFault, change, function};
use crate::errno::Errno;
use std::ops::Range;

/// `BPF_MAP_TYPE_QUEUE`
pub static QUEUE: &dyn Kind = &Ring { newest_first: false };
/// `BPF_MAP_TYPE_STACK`
pub static STACK: &dyn Kind = &Ring { newest_first: true };

#[derive(Debug)]
struct Ring {
    newest_first: bool,
}

const OLDEST: u32 = 0;
const COUNT: u32 = 1;

/// Bytes from one value to the next.
fn stride(def: &MapDef) -> u32 {
    def.value_size.next_multiple_of(8)
}

impl Ring {
    /// The place of the value that was put in as number `age`, counted from the oldest.
    fn place(table: &Table, age: u32) -> u32 {
        let (oldest, max) = (u64::from(table.cell(OLDEST)), u64::from(table.def().max_entries));
        ((oldest + u64::from(age)) % max) as u32
    }

    /// The age of the value that comes out next.
    fn first(&self, table: &Table) -> Option<u32> {
        let newest = table.cell(COUNT).checked_sub(1)?;
        Some(if self.newest_first { newest } else { 0 })
    }

    fn give(&self, table: &Table, value: &mut [u8]) -> Result<u32, Errno> {
        match self.first(table) {
            Some(age) => {
                let at = Self::place(table, age) * stride(table.def());
                value.copy_from_slice(&table.copy(at, table.def().value_size));
                Ok(age)
            }
            None => {
                // As Linux does, so that nobody reads what was there before.
                value.fill(0);
                Err(Errno::ENOENT)
            }
        }
    }
}

impl Kind for Ring {
    fn name(&self) -> &'static str {
        if self.newest_first { "stack" } else { "queue" }
    }

    fn number(&self) -> u32 {
        if self.newest_first { 23 } else { 22 }
    }

    fn doc(&self) -> &'static str {
        if self.newest_first {
            "values, the newest comes out first"
        } else {
            "values, the oldest comes out first"
        }
    }

    fn check(&self, def: &MapDef) -> Result<(), MapFault> {
        if def.key_size != 0 {
            let message = format!("a {} has no keys: leave out `key={}`", self.name(), def.key_size);
            return Err(MapFault::invalid(message));
        }
        if def.value_size == 0 || def.max_entries == 0 {
            let message = format!("a {} needs a value, and room for one or more", self.name());
            return Err(MapFault::invalid(message));
        }
        def.check_flags(flag::NUMA_NODE | flag::ACCESS)?;
        if def.value_size > LONGEST {
            return Err(MapFault::too_big(format!("a value may have {LONGEST} bytes")));
        }
        Ok(())
    }

    fn sizes(&self) -> (Option<u32>, Option<u32>) {
        (Some(0), None)
    }

    fn takes(&self, function: i32) -> bool {
        matches!(function, function::PUSH | function::POP | function::PEEK)
    }

    fn is_choosy(&self) -> bool {
        true
    }

    fn extent(&self, _: &Table, _: u32) -> Range<u32> {
        0..0
    }

    fn find(&self, _: &Table, _: &[u8]) -> Option<u32> {
        None
    }

    /// The slot of a value is its age: 0 is the oldest.
    fn next(&self, table: &Table, slot: Option<u32>) -> Option<u32> {
        match slot {
            None => self.first(table),
            Some(age) if self.newest_first => age.checked_sub(1),
            Some(age) => Some(age + 1).filter(|&age| age < table.cell(COUNT)),
        }
    }

    fn key(&self, _: &Table, _: u32) -> Vec<u8> {
        Vec::new()
    }

    fn value(&self, table: &Table, slot: u32, _: u32) -> u32 {
        Self::place(table, slot) * stride(table.def())
    }

    fn update(&self, _: &mut Access<'_>, _: &[u8], _: &[u8], _: u64) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    fn delete(&self, _: &mut Access<'_>, _: &[u8]) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    fn push(&self, table: &mut Access<'_>, value: &[u8], flags: u64) -> Result<(), Errno> {
        // `BPF_EXIST` means here: when it is full, the oldest makes room.
        if flags & change::NOEXIST != 0 || flags > change::EXIST {
            return Err(Errno::EINVAL);
        }
        let def = table.def();
        let mut count = table.cell(COUNT);
        if count == def.max_entries {
            if flags != change::EXIST {
                return Err(Errno::E2BIG);
            }
            table.set_cell(OLDEST, Self::place(table.table(), 1));
            count -= 1;
        }
        table.write(Self::place(table.table(), count) * stride(&def), value);
        table.set_cell(COUNT, count + 1);
        Ok(())
    }

    fn pop(&self, table: &mut Access<'_>, value: &mut [u8]) -> Result<(), Errno> {
        let age = self.give(table.table(), value)?;
        if age == 0 {
            table.set_cell(OLDEST, Self::place(table.table(), 1));
        }
        table.set_cell(COUNT, table.cell(COUNT) - 1);
        Ok(())
    }

    fn peek(&self, table: &Table, value: &mut [u8]) -> Result<(), Errno> {
        self.give(table, value).map(|_| ())
    }

    fn read(&self, table: &Table, _: &[u8]) -> Result<Vec<u8>, Errno> {
        let mut value = vec![0; table.def().value_size as usize];
        self.peek(table, &mut value).map(|()| value)
    }

    fn write(&self, table: &mut Access<'_>, _: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        self.push(table, value, flags)
    }

    fn take(&self, table: &mut Access<'_>, _: &[u8]) -> Result<Vec<u8>, Errno> {
        let mut value = vec![0; table.def().value_size as usize];
        self.pop(table, &mut value).map(|()| value)
    }

    fn next_key(&self, _: &Table, _: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        Err(Errno::EINVAL)
    }
}
