//! Events that programs give out to whoever listens (`BPF_MAP_TYPE_PERF_EVENT_ARRAY`, kernel/trace/bpf_trace.c).
//!
//! Somebody listens on every CPU, as libbpf's `perf_buffer` does: that is what a run is looked at for. Deleting an
//! index closes it, updating it opens it again. What was given out is kept here, in the order of giving: a record is
//! the CPU and the length, four bytes each, and the data, filled up. A record takes as much room as in Linux, so that as
//! many fit as there into a listener's buffer of this size; CPUs share it here. Cell 0 is where the records end, cell 1 how
//! many were lost because there was no room, cell 2 + N whether index N is closed.

use super::array::{after, check_index, index};
use super::definition::flag;
use super::table::{Access, Table};
use super::{Kind, MapDef, MapFault, change, function};
use crate::errno::Errno;
use std::ops::Range;

/// `BPF_MAP_TYPE_PERF_EVENT_ARRAY`
pub static PERF_EVENT_ARRAY: &dyn Kind = &Events;

#[derive(Debug)]
struct Events;

/// Bytes of records that are kept; Linux's buffers are of a size that the listener chooses.
pub const ROOM: u32 = 1 << 20;
/// The index that means the CPU of the program (`BPF_F_CURRENT_CPU`).
pub const CURRENT_CPU: u32 = u32::MAX;
const HEAD: u32 = 8;

/// Bytes of a record with so many bytes of data: a header, the length, and that, in words of 8.
fn taken(length: u64) -> u64 {
    (length + 4).next_multiple_of(8) + u64::from(HEAD)
}

const END: u32 = 0;
const LOST: u32 = 1;
const CLOSED: u32 = 2;

/// Gives an event to the listener at `at`, an index or [`CURRENT_CPU`] (`__bpf_perf_event_output`).
///
/// # Errors
/// `E2BIG` when there is no such index, `ENOENT` when nobody listens there, `EOPNOTSUPP` when it is another CPU's,
/// `ENOSPC` when there is no room.
pub fn output(table: &mut Access<'_>, at: u32, data: &[u8]) -> Result<(), Errno> {
    let at = if at == CURRENT_CPU { table.cpu() } else { at };
    if at >= table.def().max_entries {
        return Err(Errno::E2BIG);
    }
    if at >= table.table().cpus() || table.cell(CLOSED + at) != 0 {
        return Err(Errno::ENOENT);
    }
    if at != table.cpu() {
        return Err(Errno::EOPNOTSUPP);
    }
    let end = table.cell(END);
    let needed = taken(data.len() as u64);
    // A buffer is never quite full, or it would look like an empty one.
    if u64::from(ROOM - end) <= needed {
        table.set_cell(LOST, table.cell(LOST).saturating_add(1));
        return Err(Errno::ENOSPC);
    }
    table.write(end, &at.to_le_bytes());
    table.write(end + 4, &(data.len() as u32).to_le_bytes());
    table.write(end + HEAD, data);
    table.set_cell(END, end + needed as u32);
    Ok(())
}

/// How many events there was no room for.
#[must_use]
pub fn lost(table: &Table) -> u32 {
    table.cell(LOST)
}

impl Kind for Events {
    fn name(&self) -> &'static str {
        "perf_event_array"
    }

    fn number(&self) -> u32 {
        4
    }

    fn doc(&self) -> &'static str {
        "events for whoever listens on a CPU"
    }

    fn check(&self, def: &MapDef) -> Result<(), MapFault> {
        check_index(def)?;
        if def.value_size != 4 {
            let message = format!("a listener is held as a number of 4 bytes, not {}", def.value_size);
            return Err(MapFault::invalid(message));
        }
        def.check_flags(flag::NUMA_NODE | flag::RDONLY | flag::WRONLY | flag::PRESERVE_ELEMS)
    }

    fn bytes(&self, _: &MapDef) -> u64 {
        ROOM.into()
    }

    fn sizes(&self) -> (Option<u32>, Option<u32>) {
        (Some(4), Some(4))
    }

    fn takes(&self, function: i32) -> bool {
        function == function::PERF_EVENT_OUTPUT
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

    /// A slot is where a record begins.
    fn next(&self, table: &Table, slot: Option<u32>) -> Option<u32> {
        let next = slot.map_or(0, |slot| slot + taken(table.number(slot + 4).into()) as u32);
        (next < table.cell(END)).then_some(next)
    }

    /// The CPU.
    fn key(&self, table: &Table, slot: u32) -> Vec<u8> {
        table.copy(slot, 4)
    }

    fn value(&self, _: &Table, slot: u32, _: u32) -> u32 {
        slot + HEAD
    }

    /// The data.
    fn shown(&self, table: &Table, slot: u32) -> Vec<u8> {
        table.copy(slot + HEAD, table.number(slot + 4))
    }

    fn update(&self, table: &mut Access<'_>, key: &[u8], _: &[u8], flags: u64) -> Result<(), Errno> {
        if flags != change::ANY {
            return Err(Errno::EINVAL);
        }
        let index = index(&table.def(), key).ok_or(Errno::E2BIG)?;
        table.set_cell(CLOSED + index, 0);
        Ok(())
    }

    fn delete(&self, table: &mut Access<'_>, key: &[u8]) -> Result<(), Errno> {
        let index = index(&table.def(), key).ok_or(Errno::E2BIG)?;
        if index >= table.table().cpus() || table.cell(CLOSED + index) != 0 {
            return Err(Errno::ENOENT);
        }
        table.set_cell(CLOSED + index, 1);
        Ok(())
    }

    fn read(&self, _: &Table, _: &[u8]) -> Result<Vec<u8>, Errno> {
        Err(Errno::ENOTSUPP)
    }

    fn next_key(&self, table: &Table, key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        let def = table.def();
        let next = after(def, key.and_then(|key| index(def, key))).ok_or(Errno::ENOENT)?;
        Ok(next.to_le_bytes().to_vec())
    }

    fn consume(&self, table: &mut Access<'_>) {
        table.set_cell(END, 0);
    }
}
