//! Arrays: every index below `max_entries` is always there (kernel/bpf/arraymap.c). The slot of an element is its
//! index.

use super::definition::flag;
use super::table::{Access, Table};
use super::{Kind, Layout, MAX_CPUS, MapDef, MapFault, change, function};
use crate::errno::Errno;
use std::ops::Range;

/// `BPF_MAP_TYPE_ARRAY`
pub static ARRAY: &dyn Kind = &Array { per_cpu: false };
/// `BPF_MAP_TYPE_PERCPU_ARRAY`
pub static PERCPU_ARRAY: &dyn Kind = &Array { per_cpu: true };

#[derive(Debug)]
struct Array {
    per_cpu: bool,
}

/// The longest value of which each CPU has one (`PCPU_MIN_UNIT_SIZE`).
pub(super) const LONGEST_PER_CPU: u32 = 32 << 10;

/// The index in a key, if there is such an element.
pub(super) fn index(def: &MapDef, key: &[u8]) -> Option<u32> {
    let index = u32::from_le_bytes(key.try_into().ok()?);
    (index < def.max_entries).then_some(index)
}

/// The index after `index`.
pub(super) fn after(def: &MapDef, index: Option<u32>) -> Option<u32> {
    let next = index.map_or(0, |index| index + 1);
    (next < def.max_entries).then_some(next)
}

/// What is wrong with the key of something that is reached by index.
pub(super) fn check_index(def: &MapDef) -> Result<(), MapFault> {
    if def.key_size != 4 {
        let message =
            format!("a key of the kind `{}` is an index of 4 bytes, not {}", def.kind.name(), def.key_size);
        return Err(MapFault::invalid(message));
    }
    if def.max_entries == 0 {
        return Err(MapFault::invalid("it needs room for one element or more: `max=1`"));
    }
    Ok(())
}

impl Array {
    /// Bytes from one element to the next: values begin at multiples of 8.
    fn stride(&self, def: &MapDef, cpus: u32) -> u32 {
        def.value_size.next_multiple_of(8) * if self.per_cpu { cpus } else { 1 }
    }

    fn put(&self, table: &mut Access<'_>, key: &[u8], flags: u64) -> Result<u32, Errno> {
        let def = table.def();
        if flags & !change::LOCK > change::EXIST {
            return Err(Errno::EINVAL);
        }
        let index = index(&def, key).ok_or(Errno::E2BIG)?;
        if flags & change::NOEXIST != 0 {
            return Err(Errno::EEXIST);
        }
        if flags & change::LOCK != 0 {
            return Err(Errno::EINVAL);
        }
        Ok(index * self.stride(&def, table.table().cpus()))
    }
}

impl Kind for Array {
    fn name(&self) -> &'static str {
        if self.per_cpu { "percpu_array" } else { "array" }
    }

    fn number(&self) -> u32 {
        if self.per_cpu { 6 } else { 2 }
    }

    fn doc(&self) -> &'static str {
        if self.per_cpu {
            "values by index, all there from the start, of each CPU its own"
        } else {
            "values by index, all there from the start"
        }
    }

    fn check(&self, def: &MapDef) -> Result<(), MapFault> {
        check_index(def)?;
        if def.value_size == 0 {
            return Err(MapFault::invalid("an array needs values of one byte or more: `value=8`"));
        }
        def.check_flags(match self.per_cpu {
            true => flag::ACCESS,
            false => flag::NUMA_NODE | flag::ACCESS | flag::MMAPABLE | flag::INNER_MAP,
        })?;
        if self.per_cpu && def.value_size > LONGEST_PER_CPU {
            let message = format!("a value of which each CPU has one may have {LONGEST_PER_CPU} bytes");
            return Err(MapFault::too_big(message));
        }
        if def.value_size > i32::MAX as u32 {
            return Err(MapFault::too_big("a value may have 2147483647 bytes"));
        }
        Ok(())
    }

    fn bytes(&self, def: &MapDef) -> u64 {
        let cpus = if self.per_cpu { MAX_CPUS } else { 1 };
        u64::from(def.value_size).next_multiple_of(8) * u64::from(def.max_entries) * u64::from(cpus)
    }

    fn sizes(&self) -> (Option<u32>, Option<u32>) {
        (Some(4), None)
    }

    fn takes(&self, function: i32) -> bool {
        match function {
            function::FOR_EACH => true,
            function::LOOKUP_PERCPU => self.per_cpu,
            _ => false,
        }
    }

    fn per_cpu(&self) -> bool {
        self.per_cpu
    }

    fn direct_value(&self, def: &MapDef) -> bool {
        !self.per_cpu && def.max_entries == 1
    }

    fn stands_for(&self, def: &MapDef, other: &MapDef) -> bool {
        // Programs look up elements of arrays without a call, so the bound is in the code.
        let same = self.per_cpu || def.has(flag::INNER_MAP) || def.max_entries == other.max_entries;
        same && def.same_inside(other)
    }

    fn preset(&self) -> bool {
        true
    }

    fn layout(&self, def: &MapDef) -> Option<Layout> {
        let stride = def.value_size.next_multiple_of(8);
        Some(Layout { count: def.max_entries, stride, per_cpu: self.per_cpu })
    }

    fn extent(&self, table: &Table, offset: u32) -> Range<u32> {
        let size = table.def().value_size;
        if offset / self.stride(table.def(), table.cpus()) >= table.def().max_entries {
            return 0..0;
        }
        let start = offset - offset % size.next_multiple_of(8);
        start..start + size
    }

    fn find(&self, table: &Table, key: &[u8]) -> Option<u32> {
        index(table.def(), key)
    }

    fn next(&self, table: &Table, slot: Option<u32>) -> Option<u32> {
        after(table.def(), slot)
    }

    fn key(&self, _: &Table, slot: u32) -> Vec<u8> {
        slot.to_le_bytes().to_vec()
    }

    fn value(&self, table: &Table, slot: u32, cpu: u32) -> u32 {
        let def = table.def();
        let place = if self.per_cpu { cpu } else { 0 };
        slot * self.stride(def, table.cpus()) + place * def.value_size.next_multiple_of(8)
    }

    fn update(&self, table: &mut Access<'_>, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        let start = self.put(table, key, flags)?;
        let place = if self.per_cpu { table.cpu() } else { 0 };
        let size = table.def().value_size;
        table.write(start + place * size.next_multiple_of(8), value);
        Ok(())
    }

    fn write(&self, table: &mut Access<'_>, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        let start = self.put(table, key, flags)?;
        if self.per_cpu {
            table.write_all(start, value);
        } else {
            table.write(start, value);
        }
        Ok(())
    }

    fn delete(&self, _: &mut Access<'_>, _: &[u8]) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }
}
