//! Ring buffers (kernel/bpf/ringbuf.c): records that programs write in place and hand over, in one order for all CPUs.
//!
//! The bytes are Linux's data pages: records one behind the other, each a length of four bytes, whose highest bits say
//! that it is still being written or was thrown away, four bytes more, and the data, filled up to 8. A position counts
//! all bytes ever given out; its remainder by the size is the place. Linux maps the pages twice so that a record that
//! begins near the end goes on in one piece; here there is room for that behind the end. The cells:
//!
//! ```text
//! 0, 1  the position up to which somebody has read, low and high half     6  how many records are being written
//! 2, 3  that up to which room is given out                                7  where the data of each of them begin
//! 4, 5  that of the first record which is still being written
//! ```

use super::definition::flag;
use super::table::{Access, Table};
use super::{Kind, MapDef, MapFault, function};
use crate::errno::Errno;
use std::ops::Range;

/// `BPF_MAP_TYPE_RINGBUF`
pub static RINGBUF: &dyn Kind = &RingBuffer;

#[derive(Debug)]
struct RingBuffer;

/// Somebody who waits is not woken, or always is (`BPF_RB_NO_WAKEUP`, `BPF_RB_FORCE_WAKEUP`).
pub const WAKEUPS: u64 = 3;

/// Bytes before a record's data.
const HEAD: u32 = 8;
/// "Still being written".
const BUSY: u32 = 1 << 31;
/// "Thrown away".
const DISCARDED: u32 = 1 << 30;
/// The longest record (`RINGBUF_MAX_RECORD_SZ`).
const LONGEST: u64 = u32::MAX as u64 / 4;
/// The sizes are multiples of it.
const PAGE: u32 = 4096;

const CONSUMER: u32 = 0;
const PRODUCER: u32 = 2;
const PENDING: u32 = 4;
const WRITING: u32 = 6;
const RECORDS: u32 = 7;

fn position(table: &Table, cell: u32) -> u64 {
    u64::from(table.cell(cell + 1)) << 32 | u64::from(table.cell(cell))
}

fn set_position(table: &mut Access<'_>, cell: u32, position: u64) {
    table.set_cell(cell, position as u32);
    table.set_cell(cell + 1, (position >> 32) as u32);
}

/// The place of a position.
fn place(table: &Table, position: u64) -> u32 {
    position as u32 & (table.def().max_entries - 1)
}

/// Bytes of the record at a position, its head counted; `None` while it is being written.
fn finished(table: &Table, position: u64) -> Option<u64> {
    let head = table.number(place(table, position));
    (head & BUSY == 0).then(|| u64::from((head & !DISCARDED) + HEAD).next_multiple_of(8))
}

/// Past every record that is finished, from a position on.
fn past_finished(table: &Table, mut from: u64) -> u64 {
    let end = position(table, PRODUCER);
    while from < end
        && let Some(length) = finished(table, from)
    {
        from += length;
    }
    from
}

/// Gives out room for a record of `size` bytes: where its data begin (`__bpf_ringbuf_reserve`).
pub fn reserve(table: &mut Access<'_>, size: u64) -> Option<u32> {
    let room = u64::from(table.def().max_entries);
    let length = size.checked_add(HEAD.into())?.next_multiple_of(8);
    if size > LONGEST || length > room {
        return None;
    }
    let [consumer, producer, pending] =
        [CONSUMER, PRODUCER, PENDING].map(|cell| position(table.table(), cell));
    let pending = past_finished(table.table(), pending);
    set_position(table, PENDING, pending);
    let end = producer + length;
    if end - consumer >= room || end - pending >= room {
        return None;
    }
    let start = place(table.table(), producer);
    table.grow(start + length as u32);
    table.write(start, &(size as u32 | BUSY).to_le_bytes());
    set_position(table, PRODUCER, end);
    let writing = table.cell(WRITING);
    table.set_cell(RECORDS + writing, start + HEAD);
    table.set_cell(WRITING, writing + 1);
    Some(start + HEAD)
}

/// Hands a record over, or throws it away. False when no record that is being written begins there.
pub fn finish(table: &mut Access<'_>, data: u32, discard: bool) -> bool {
    let writing = table.cell(WRITING);
    let Some(at) = (0..writing).find(|&at| table.cell(RECORDS + at) == data) else { return false };
    let length = table.table().number(data - HEAD) & !BUSY;
    let head = if discard { length | DISCARDED } else { length };
    table.write(data - HEAD, &head.to_le_bytes());
    table.set_cell(RECORDS + at, table.cell(RECORDS + writing - 1));
    table.set_cell(WRITING, writing - 1);
    true
}

/// A whole record at once (`bpf_ringbuf_output`).
///
/// # Errors
/// `EINVAL` for flags other than [`WAKEUPS`], `EAGAIN` when there is no room.
pub fn output(table: &mut Access<'_>, data: &[u8], flags: u64) -> Result<(), Errno> {
    if flags & !WAKEUPS != 0 {
        return Err(Errno::EINVAL);
    }
    let at = reserve(table, data.len() as u64).ok_or(Errno::EAGAIN)?;
    table.write(at, data);
    finish(table, at, false);
    Ok(())
}

/// What `ringbuf_query` answers: bytes that nobody has read, the size, or a position (`BPF_RB_…`); 0 for what it does
/// not know.
#[must_use]
pub fn query(table: &Table, what: u64) -> u64 {
    match what {
        0 => position(table, PRODUCER) - position(table, CONSUMER),
        1 => table.def().max_entries.into(),
        2 => position(table, CONSUMER),
        3 => position(table, PRODUCER),
        _ => 0,
    }
}

impl Kind for RingBuffer {
    fn name(&self) -> &'static str {
        "ringbuf"
    }

    fn number(&self) -> u32 {
        27
    }

    fn doc(&self) -> &'static str {
        "records for whoever reads them, in one order"
    }

    fn check(&self, def: &MapDef) -> Result<(), MapFault> {
        def.check_flags(flag::NUMA_NODE)?;
        if def.key_size != 0 || def.value_size != 0 {
            return Err(MapFault::invalid(
                "a ring buffer has records, no keys and values: leave out `key=` and `value=`",
            ));
        }
        if !def.max_entries.is_power_of_two() || !def.max_entries.is_multiple_of(PAGE) {
            return Err(MapFault::invalid(format!(
                "the size of a ring buffer is a power of two and at least {PAGE} bytes, not {}",
                def.max_entries
            )));
        }
        Ok(())
    }

    fn bytes(&self, def: &MapDef) -> u64 {
        u64::from(def.max_entries) * 2
    }

    fn sizes(&self) -> (Option<u32>, Option<u32>) {
        (Some(0), Some(0))
    }

    fn takes(&self, function: i32) -> bool {
        matches!(function, function::RINGBUF_OUTPUT | function::RINGBUF_RESERVE | function::RINGBUF_QUERY)
    }

    fn is_choosy(&self) -> bool {
        true
    }

    /// The data of a record that is being written.
    fn extent(&self, table: &Table, offset: u32) -> Range<u32> {
        let record = |at| {
            let start = table.cell(RECORDS + at);
            start..start + (table.number(start - HEAD) & !BUSY)
        };
        (0..table.cell(WRITING)).map(record).find(|record| record.contains(&offset)).unwrap_or(0..0)
    }

    fn find(&self, _: &Table, _: &[u8]) -> Option<u32> {
        None
    }

    /// The records that somebody could read now. A slot is where one begins.
    fn next(&self, table: &Table, slot: Option<u32>) -> Option<u32> {
        let end = position(table, PRODUCER);
        let mut at = position(table, CONSUMER);
        if let Some(slot) = slot {
            // Slots are places, and the position of a place is the first one behind the reader's.
            at += u64::from(slot.wrapping_sub(place(table, at)) & (table.def().max_entries - 1));
            at += finished(table, at)?;
        }
        while at < end {
            let length = finished(table, at)?;
            if table.number(place(table, at)) & DISCARDED == 0 {
                return Some(place(table, at));
            }
            at += length;
        }
        None
    }

    fn key(&self, _: &Table, _: u32) -> Vec<u8> {
        Vec::new()
    }

    fn value(&self, _: &Table, slot: u32, _: u32) -> u32 {
        slot + HEAD
    }

    fn shown(&self, table: &Table, slot: u32) -> Vec<u8> {
        table.copy(slot + HEAD, table.number(slot) & !(BUSY | DISCARDED))
    }

    fn update(&self, _: &mut Access<'_>, _: &[u8], _: &[u8], _: u64) -> Result<(), Errno> {
        Err(Errno::ENOTSUPP)
    }

    fn delete(&self, _: &mut Access<'_>, _: &[u8]) -> Result<(), Errno> {
        Err(Errno::ENOTSUPP)
    }

    fn read(&self, _: &Table, _: &[u8]) -> Result<Vec<u8>, Errno> {
        Err(Errno::ENOTSUPP)
    }

    fn next_key(&self, _: &Table, _: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        Err(Errno::ENOTSUPP)
    }

    fn consume(&self, table: &mut Access<'_>) {
        let read = past_finished(table.table(), position(table.table(), CONSUMER));
        set_position(table, CONSUMER, read);
    }
}
