//! How a kind of table behaves.

use super::table::{Access, Table};
use super::{MapDef, MapFault};
use crate::errno::Errno;
use std::fmt;
use std::ops::Range;

/// What the values of a table are to a program that looks one up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Holds {
    /// Bytes of its own, to be read and written.
    Values,
    /// Bytes of the kind's, to be read only.
    Facts,
    /// Programs, each by its number in the world: programs cannot look them up.
    Programs,
    /// Sockets, of which nothing can be seen here.
    Sockets,
    /// Tables, each by its number in the world: a lookup gives a handle.
    Tables,
}

/// Numbers of Linux's functions on tables.
pub mod function {
    /// `map_push_elem`
    pub const PUSH: i32 = 87;
    /// `map_pop_elem`
    pub const POP: i32 = 88;
    /// `map_peek_elem`
    pub const PEEK: i32 = 89;
    /// `map_lookup_elem`
    pub const LOOKUP: i32 = 1;
    /// `map_update_elem`
    pub const UPDATE: i32 = 2;
    /// `map_delete_elem`
    pub const DELETE: i32 = 3;
    /// `tail_call`
    pub const TAIL_CALL: i32 = 12;
    /// `perf_event_output`
    pub const PERF_EVENT_OUTPUT: i32 = 25;
    /// `get_stackid`
    pub const GET_STACKID: i32 = 27;
    /// `redirect_map`
    pub const REDIRECT_MAP: i32 = 51;
    /// `ringbuf_output`
    pub const RINGBUF_OUTPUT: i32 = 130;
    /// `ringbuf_reserve`
    pub const RINGBUF_RESERVE: i32 = 131;
    /// `ringbuf_query`
    pub const RINGBUF_QUERY: i32 = 134;
    /// `for_each_map_elem`
    pub const FOR_EACH: i32 = 164;
    /// `map_lookup_percpu_elem`
    pub const LOOKUP_PERCPU: i32 = 195;
}

/// How the values of a table lie in its memory: that of index N, a key of four bytes, is `stride` bytes behind that of
/// the index before it; or where each CPU has its own, behind that of the CPU before it, and the first CPU's behind the
/// last one's of the index before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// How many indexes there are.
    pub count: u32,
    /// Bytes from one value to the next.
    pub stride: u32,
    /// Whether each CPU has a value of its own.
    pub per_cpu: bool,
}

/// Its name says all: were each kind to say more, what formats all of them would be in the page.
impl fmt::Debug for dyn Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a kind of table behaves. Linux's kinds are the values of [`KINDS`](super::KINDS); the methods a kind does not
/// have give what Linux gives for them.
///
/// An entry lies in a *slot*, which is a number of the kind's own; who walks over a table goes from slot to slot.
pub trait Kind: Sync {
    /// Its name, as declarations write it: `hash`.
    fn name(&self) -> &'static str;

    /// Linux's number for it (`BPF_MAP_TYPE_…`).
    fn number(&self) -> u32;

    /// What it is, in a few words.
    fn doc(&self) -> &'static str;

    /// Whether such a table can be made (`map_alloc_check`).
    ///
    /// # Errors
    /// What is wrong with the declaration.
    fn check(&self, def: &MapDef) -> Result<(), MapFault>;

    /// Bytes that keys and values take when the table is full, of a declaration that passes [`Kind::check`].
    fn bytes(&self, def: &MapDef) -> u64 {
        let slot =
            u64::from(def.key_size).next_multiple_of(8) + u64::from(def.value_size).next_multiple_of(8);
        slot * u64::from(def.max_entries)
    }

    /// The sizes of key and value, where the kind leaves no choice.
    fn sizes(&self) -> (Option<u32>, Option<u32>) {
        (None, None)
    }

    /// Whether a declaration may say `extra` (`map_extra`).
    fn takes_extra(&self) -> bool {
        false
    }

    /// Whether the function with this number is one for tables of this kind: of those that are for some kinds only, and
    /// where [`Kind::is_choosy`], of all. Functions may also name kinds (`helpers::Function::is_for`).
    fn takes(&self, _function: i32) -> bool {
        false
    }

    /// Whether such tables may not be given to functions that are for tables of any kind, unless [`Kind::takes`] them.
    fn is_choosy(&self) -> bool {
        false
    }

    /// How the values lie, for a machine that finds them without asking the kind. Only kinds that have all values from
    /// the start say so, and whose [`Kind::lookup`] changes nothing.
    fn layout(&self, _: &MapDef) -> Option<Layout> {
        None
    }

    /// What a lookup gives.
    fn holds(&self) -> Holds {
        Holds::Values
    }

    /// Whether a packet can be sent to everything it holds at once (`BPF_F_BROADCAST`).
    fn floods(&self) -> bool {
        false
    }

    /// Whether a value is a list of addresses, with zeros behind it.
    fn lists_addresses(&self) -> bool {
        false
    }

    /// Whether each CPU has a value of its own.
    fn per_cpu(&self) -> bool {
        false
    }

    /// Whether programs may hold the address of its value without a lookup (`map_direct_value_addr`).
    fn direct_value(&self, _: &MapDef) -> bool {
        false
    }

    /// Whether `other` may be put where tables like `def` are expected (`map_meta_equal`).
    fn stands_for(&self, def: &MapDef, other: &MapDef) -> bool {
        def.same_inside(other)
    }

    /// Whether all values are there before anything was put in.
    fn preset(&self) -> bool {
        false
    }

    /// The bytes that a program which holds the address of byte `offset` may reach: those of one value, or none behind
    /// the last entry. Offsets are whatever a program made them.
    fn extent(&self, table: &Table, offset: u32) -> Range<u32>;

    /// The slot of a key.
    fn find(&self, table: &Table, key: &[u8]) -> Option<u32>;

    /// The slot that comes after `slot`, or the first one: every entry once, in an order of the kind's own. `slot`
    /// holds an entry.
    fn next(&self, table: &Table, slot: Option<u32>) -> Option<u32>;

    /// The key in a slot that holds an entry.
    fn key(&self, table: &Table, slot: u32) -> Vec<u8>;

    /// The offset in the table's bytes of the value in a slot, on this CPU.
    fn value(&self, table: &Table, slot: u32, cpu: u32) -> u32;

    /// The offset in the table's bytes of the value of `key` for a program on this CPU (`map_lookup_elem`). It may
    /// change the table: least-recently-used ones do.
    fn lookup(&self, table: &mut Access<'_>, key: &[u8]) -> Option<u32> {
        let cpu = table.cpu();
        self.lookup_on(table, key, cpu)
    }

    /// The same on a CPU that the program names (`map_lookup_percpu_elem`).
    fn lookup_on(&self, table: &mut Access<'_>, key: &[u8], cpu: u32) -> Option<u32> {
        let slot = self.find(table.table(), key)?;
        let value = self.value(table.table(), slot, cpu);
        table.grow(value + table.def().value_size);
        Some(value)
    }

    /// Puts a value (`map_update_elem`).
    ///
    /// # Errors
    /// As Linux's.
    fn update(&self, table: &mut Access<'_>, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno>;

    /// Takes an entry away (`map_delete_elem`).
    ///
    /// # Errors
    /// As Linux's.
    fn delete(&self, table: &mut Access<'_>, key: &[u8]) -> Result<(), Errno>;

    /// Adds a value (`map_push_elem`).
    ///
    /// # Errors
    /// `EOPNOTSUPP` where there is no such operation; else as Linux's.
    fn push(&self, _: &mut Access<'_>, _value: &[u8], _flags: u64) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Takes a value out, into `value` (`map_pop_elem`).
    ///
    /// # Errors
    /// `EOPNOTSUPP` where there is no such operation; else as Linux's.
    fn pop(&self, _: &mut Access<'_>, _value: &mut [u8]) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Looks at the value that would be taken out next, or whether `value` was put in (`map_peek_elem`).
    ///
    /// # Errors
    /// `EOPNOTSUPP` where there is no such operation; else as Linux's.
    fn peek(&self, _: &Table, _value: &mut [u8]) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Whether [`Kind::peek`] asks about a value instead of giving one.
    fn peek_asks(&self) -> bool {
        false
    }

    /// The value in a slot as somebody outside sees it: of all CPUs in turn where each has its own, each filled up to
    /// 8 bytes.
    fn shown(&self, table: &Table, slot: u32) -> Vec<u8> {
        let size = table.def().value_size;
        if self.per_cpu() {
            let padded = size.next_multiple_of(8);
            table.copy(self.value(table, slot, 0), padded * table.cpus())
        } else {
            table.copy(self.value(table, slot, 0), size)
        }
    }

    /// The value of `key` for somebody outside (`BPF_MAP_LOOKUP_ELEM`).
    ///
    /// # Errors
    /// As Linux's.
    fn read(&self, table: &Table, key: &[u8]) -> Result<Vec<u8>, Errno> {
        self.find(table, key).map(|slot| self.shown(table, slot)).ok_or(Errno::ENOENT)
    }

    /// Puts a value from outside (`BPF_MAP_UPDATE_ELEM`): as long as [`Kind::shown`] gives it, or a single one.
    ///
    /// # Errors
    /// As Linux's.
    fn write(&self, table: &mut Access<'_>, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        self.update(table, key, value, flags)
    }

    /// Whether a table may be put under `key`, before anybody looks at which.
    ///
    /// # Errors
    /// As Linux's.
    fn admits(&self, _: &Table, _key: &[u8], _flags: u64) -> Result<(), Errno> {
        Ok(())
    }

    /// Takes a value out from outside (`BPF_MAP_LOOKUP_AND_DELETE_ELEM`).
    ///
    /// # Errors
    /// `ENOTSUPP` where there is no such operation; else as Linux's.
    fn take(&self, _: &mut Access<'_>, _key: &[u8]) -> Result<Vec<u8>, Errno> {
        Err(Errno::ENOTSUPP)
    }

    /// Somebody outside has read what programs gave out, which makes room. Nothing for kinds that keep what they hold.
    fn consume(&self, _: &mut Access<'_>) {}

    /// The key after `key`, or the first one when it is not there (`BPF_MAP_GET_NEXT_KEY`).
    ///
    /// # Errors
    /// `ENOENT` behind the last; else as Linux's.
    fn next_key(&self, table: &Table, key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        let slot = key.and_then(|key| self.find(table, key));
        let next = self.next(table, slot).ok_or(Errno::ENOENT)?;
        Ok(self.key(table, next))
    }
}
