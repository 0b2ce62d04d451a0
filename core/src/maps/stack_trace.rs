//! Stack traces (kernel/bpf/stackmap.c): addresses of instructions, innermost first, under a number that is made from
//! them, so that the same trace has the same number.
//!
//! The slot of a trace is its number. Cells 2N and 2N + 1 hold how many addresses trace N has, plus one, and its hash.

use super::array::check_index;
use super::definition::flag;
use super::jhash::jhash;
use super::table::{Access, Table};
use super::{Kind, MapDef, MapFault, function};
use crate::errno::Errno;
use std::ops::Range;

/// `BPF_MAP_TYPE_STACK_TRACE`. Traces are of addresses: with `BPF_F_STACK_BUILD_ID` they would be of files.
pub static STACK_TRACE: &dyn Kind = &StackTrace;

#[derive(Debug)]
struct StackTrace;

/// How many of the innermost are left out (`BPF_F_SKIP_FIELD_MASK`).
const SKIP: u64 = 0xff;
/// The process's stack, not the kernel's (`BPF_F_USER_STACK`).
pub const USER: u64 = 1 << 8;
/// Traces of one hash are one (`BPF_F_FAST_STACK_CMP`).
const FAST: u64 = 1 << 9;
/// A new trace takes the place of another with its number (`BPF_F_REUSE_STACKID`).
const REUSE: u64 = 1 << 10;
/// The longest trace (`sysctl_perf_event_max_stack`).
const LONGEST: u32 = 127;
/// Bytes of an address.
const ADDRESS: u32 = 8;

fn slots(def: &MapDef) -> u32 {
    def.max_entries.next_power_of_two()
}

/// Keeps a trace; its number (`bpf_get_stackid`).
///
/// # Errors
/// `EINVAL` for unknown flags, `EFAULT` when there is nothing to keep, `EEXIST` when another trace has its number.
pub fn keep(table: &mut Access<'_>, stack: &[u64], flags: u64) -> Result<u32, Errno> {
    if flags & !(SKIP | USER | FAST | REUSE) != 0 {
        return Err(Errno::EINVAL);
    }
    let def = table.def();
    let skip = (flags & SKIP) as usize;
    let seen = &stack[..stack.len().min(LONGEST as usize)];
    let kept = seen.get(skip..).filter(|kept| !kept.is_empty()).ok_or(Errno::EFAULT)?;
    let kept = &kept[..kept.len().min((def.value_size / ADDRESS) as usize)];
    let bytes: Vec<u8> = kept.iter().flat_map(|address| address.to_le_bytes()).collect();
    let hash = jhash(&bytes, 0);
    let slot = hash & (slots(&def) - 1);
    let (count, place) = (table.cell(2 * slot), slot * def.value_size);
    if count != 0 {
        let same_hash = table.cell(2 * slot + 1) == hash;
        let same =
            || count as usize == kept.len() + 1 && table.table().copy(place, bytes.len() as u32) == bytes;
        if same_hash && (flags & FAST != 0 || same()) {
            return Ok(slot);
        }
        if flags & REUSE == 0 {
            return Err(Errno::EEXIST);
        }
    }
    let mut value = bytes;
    value.resize(def.value_size as usize, 0);
    table.write(place, &value);
    table.set_cell(2 * slot, kept.len() as u32 + 1);
    table.set_cell(2 * slot + 1, hash);
    Ok(slot)
}

impl Kind for StackTrace {
    fn name(&self) -> &'static str {
        "stack_trace"
    }

    fn number(&self) -> u32 {
        7
    }

    fn doc(&self) -> &'static str {
        "stacks of addresses by a number that is made from them"
    }

    fn check(&self, def: &MapDef) -> Result<(), MapFault> {
        check_index(def)?;
        def.check_flags(flag::NUMA_NODE | flag::RDONLY | flag::WRONLY)?;
        if def.value_size == 0
            || !def.value_size.is_multiple_of(ADDRESS)
            || def.value_size / ADDRESS > LONGEST
        {
            return Err(MapFault::invalid(format!(
                "a value holds 1 to {LONGEST} addresses of {ADDRESS} bytes, not {} bytes",
                def.value_size
            )));
        }
        if def.max_entries > 1 << 31 {
            return Err(MapFault::too_big("a table of stacks may have 2147483648 entries"));
        }
        Ok(())
    }

    fn bytes(&self, def: &MapDef) -> u64 {
        u64::from(def.max_entries).next_power_of_two() * u64::from(def.value_size)
    }

    fn sizes(&self) -> (Option<u32>, Option<u32>) {
        (Some(4), None)
    }

    fn takes(&self, function: i32) -> bool {
        function == function::GET_STACKID
    }

    fn is_choosy(&self) -> bool {
        true
    }

    fn lists_addresses(&self) -> bool {
        true
    }

    fn extent(&self, _: &Table, _: u32) -> Range<u32> {
        0..0
    }

    fn find(&self, table: &Table, key: &[u8]) -> Option<u32> {
        let slot = u32::from_le_bytes(key.try_into().ok()?);
        (slot < slots(table.def()) && table.cell(2 * slot) != 0).then_some(slot)
    }

    fn next(&self, table: &Table, slot: Option<u32>) -> Option<u32> {
        let first = slot.map_or(0, |slot| slot + 1);
        (first..slots(table.def())).find(|&slot| table.cell(2 * slot) != 0)
    }

    fn key(&self, _: &Table, slot: u32) -> Vec<u8> {
        slot.to_le_bytes().to_vec()
    }

    fn value(&self, table: &Table, slot: u32, _: u32) -> u32 {
        slot * table.def().value_size
    }

    fn update(&self, _: &mut Access<'_>, _: &[u8], _: &[u8], _: u64) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    fn delete(&self, table: &mut Access<'_>, key: &[u8]) -> Result<(), Errno> {
        match self.find(table.table(), key) {
            Some(slot) => {
                table.set_cell(2 * slot, 0);
                Ok(())
            }
            None if key.first_chunk().is_some_and(|&key| u32::from_le_bytes(key) >= slots(&table.def())) => {
                Err(Errno::E2BIG)
            }
            None => Err(Errno::ENOENT),
        }
    }

    fn take(&self, table: &mut Access<'_>, key: &[u8]) -> Result<Vec<u8>, Errno> {
        let value = self.read(table.table(), key)?;
        self.delete(table, key)?;
        Ok(value)
    }
}
