//! Arrays of things that are not bytes (kernel/bpf/arraymap.c, map_in_map.c): programs to go on in, and tables.
//!
//! An element is a number: of a program, or of a table in the world. Programs cannot change it. Cell N says whether
//! element N is there.

use super::array::{after, check_index, index};
use super::definition::flag;
use super::table::{Access, Table};
use super::{Holds, Kind, MapDef, MapFault, change, function};
use crate::errno::Errno;
use std::ops::Range;

/// `BPF_MAP_TYPE_PROG_ARRAY`: the numbers are those of programs that are loaded together. `tail_call` asks
/// [`Kind::lookup`] and reads the number there.
pub static PROG_ARRAY: &dyn Kind = &Handles {
    name: "prog_array",
    number: 3,
    doc: "programs by index, to go on in",
    function: function::TAIL_CALL,
    holds: Holds::Programs,
};
/// `BPF_MAP_TYPE_ARRAY_OF_MAPS`
pub static ARRAY_OF_MAPS: &dyn Kind = &Handles {
    name: "array_of_maps",
    number: 12,
    doc: "tables by index",
    function: function::LOOKUP,
    holds: Holds::Tables,
};

#[derive(Debug)]
struct Handles {
    name: &'static str,
    number: u32,
    doc: &'static str,
    /// The only function that takes it.
    function: i32,
    holds: Holds,
}

/// Bytes of an element.
const SIZE: u32 = 4;

/// What is wrong with the size of a value that is a number.
pub(super) fn check_value(def: &MapDef) -> Result<(), MapFault> {
    if def.value_size == SIZE {
        return Ok(());
    }
    let message =
        format!("a value of the kind `{}` has {SIZE} bytes, not {}", def.kind.name(), def.value_size);
    Err(MapFault::invalid(message))
}

/// What is wrong with the table that tables inside are like (`bpf_map_meta_alloc`).
pub(super) fn check_inner(def: &MapDef) -> Result<(), MapFault> {
    let Some(inner) = &def.inner else {
        let message = "a table of tables says what they are like: `inner=NAME`, of a table that is declared";
        return Err(MapFault { errno: Errno::EBADF, message: message.to_owned() });
    };
    if inner.kind.holds() == Holds::Tables {
        return Err(MapFault::invalid(format!(
            "`{}` holds tables itself; one level is all there is",
            inner.name
        )));
    }
    if inner.kind.number() == PROG_ARRAY.number() {
        let message = format!("`{}` holds programs, and such tables cannot be inside others", inner.name);
        return Err(MapFault { errno: Errno::ENOTSUPP, message });
    }
    inner.check()
}

impl Kind for Handles {
    fn name(&self) -> &'static str {
        self.name
    }

    fn number(&self) -> u32 {
        self.number
    }

    fn doc(&self) -> &'static str {
        self.doc
    }

    fn check(&self, def: &MapDef) -> Result<(), MapFault> {
        check_index(def)?;
        def.check_flags(flag::NUMA_NODE | flag::RDONLY | flag::WRONLY)?;
        check_value(def)?;
        if self.holds == Holds::Tables { check_inner(def) } else { Ok(()) }
    }

    fn sizes(&self) -> (Option<u32>, Option<u32>) {
        (Some(4), Some(SIZE))
    }

    fn takes(&self, function: i32) -> bool {
        function == self.function
    }

    fn is_choosy(&self) -> bool {
        true
    }

    fn holds(&self) -> Holds {
        self.holds
    }

    fn extent(&self, _: &Table, _: u32) -> Range<u32> {
        0..0
    }

    fn find(&self, table: &Table, key: &[u8]) -> Option<u32> {
        index(table.def(), key).filter(|&index| table.cell(index) != 0)
    }

    fn next(&self, table: &Table, slot: Option<u32>) -> Option<u32> {
        let first = slot.map_or(0, |slot| slot + 1);
        (first..table.def().max_entries).find(|&index| table.cell(index) != 0)
    }

    fn key(&self, _: &Table, slot: u32) -> Vec<u8> {
        slot.to_le_bytes().to_vec()
    }

    fn value(&self, _: &Table, slot: u32, _: u32) -> u32 {
        slot * SIZE
    }

    fn update(&self, table: &mut Access<'_>, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        self.admits(table.table(), key, flags)?;
        let index = index(&table.def(), key).ok_or(Errno::E2BIG)?;
        table.write(index * SIZE, value);
        table.set_cell(index, 1);
        Ok(())
    }

    fn admits(&self, table: &Table, key: &[u8], flags: u64) -> Result<(), Errno> {
        if flags != change::ANY {
            return Err(Errno::EINVAL);
        }
        index(table.def(), key).map(|_| ()).ok_or(Errno::E2BIG)
    }

    fn delete(&self, table: &mut Access<'_>, key: &[u8]) -> Result<(), Errno> {
        let index = index(&table.def(), key).ok_or(Errno::E2BIG)?;
        if table.cell(index) == 0 {
            return Err(Errno::ENOENT);
        }
        table.set_cell(index, 0);
        Ok(())
    }

    fn next_key(&self, table: &Table, key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        // Every index, whether something is there or not.
        let def = table.def();
        let next = after(def, key.and_then(|key| index(def, key))).ok_or(Errno::ENOENT)?;
        Ok(next.to_le_bytes().to_vec())
    }
}
