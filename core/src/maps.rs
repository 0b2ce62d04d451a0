//! Tables: what programs keep from run to run, reached by calls from inside and by anybody from outside.
//!
//! A table is a declaration ([`MapDef`]) and flat memory ([`Table`]): bytes for keys and values, and numbered cells
//! for whatever structure its kind needs (chains, counters, free lists). A [`Kind`] is behaviour only: all that it
//! changes goes through [`Access`], which tells a [`Journal`] what was there before. So a debugger goes back over any
//! change of any kind of table, one defined by a test too, without knowing how the kind works; and a table's memory is
//! bounded by its declaration.
//!
//! What a kind answers to a program are its own methods; what bpf(2) answers to somebody outside are those of
//! [`Table`], which ask the kind and add what holds for all kinds: who may read and write, and that keys and values
//! are of their sizes.

mod array;
mod bloom;
mod definition;
mod devices;
pub mod events;
mod handles;
mod hash;
mod jhash;
mod kind;
mod lpm;
mod outside;
mod queue;
pub mod ringbuf;
mod rows;
pub mod stack_trace;
mod table;
mod text;

pub use array::{ARRAY, PERCPU_ARRAY};
pub use bloom::BLOOM_FILTER;
pub use definition::{MapDef, MapFault, Types, flag};
pub use devices::{CPUMAP, DEVMAP, DEVMAP_HASH, XSKMAP};
pub use events::PERF_EVENT_ARRAY;
pub use handles::{ARRAY_OF_MAPS, PROG_ARRAY};
pub use hash::{HASH, HASH_OF_MAPS, LRU_HASH, LRU_PERCPU_HASH, PERCPU_HASH};
pub use kind::{Holds, Kind, Layout, function};
pub use lpm::LPM_TRIE;
pub use outside::update;
pub use queue::{QUEUE, STACK};
pub use ringbuf::RINGBUF;
pub use rows::{Row, Rows};
pub use stack_trace::STACK_TRACE;
pub use table::{Access, Journal, Table};
pub use text::{Named, digits};

/// The table kinds of this version, in the order of their numbers.
pub static KINDS: [&dyn Kind; 20] = [
    HASH,
    ARRAY,
    PROG_ARRAY,
    PERF_EVENT_ARRAY,
    PERCPU_HASH,
    PERCPU_ARRAY,
    STACK_TRACE,
    LRU_HASH,
    LRU_PERCPU_HASH,
    LPM_TRIE,
    ARRAY_OF_MAPS,
    HASH_OF_MAPS,
    DEVMAP,
    CPUMAP,
    XSKMAP,
    QUEUE,
    STACK,
    DEVMAP_HASH,
    RINGBUF,
    BLOOM_FILTER,
];

/// Most bytes that the values and keys of a table may take together here.
pub const MAX_BYTES: u64 = 256 << 20;
/// Most tables of one program (`MAX_USED_MAPS`).
pub const MAX_MAPS: usize = 64;
/// Most CPUs that a world may have: each has values of its own in some tables.
pub const MAX_CPUS: u32 = 16;

/// Flags of changes.
pub mod change {
    /// Whether the key is there or not (`BPF_ANY`).
    pub const ANY: u64 = 0;
    /// Only a new key (`BPF_NOEXIST`).
    pub const NOEXIST: u64 = 1;
    /// Only a key that is there (`BPF_EXIST`).
    pub const EXIST: u64 = 2;
    /// Under the lock in the value (`BPF_F_LOCK`), which no value has here.
    pub const LOCK: u64 = 4;
}

/// The kind called `name`.
#[must_use]
pub fn kind(name: &str) -> Option<&'static dyn Kind> {
    KINDS.into_iter().find(|kind| kind.name() == name)
}
