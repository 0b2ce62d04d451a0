//! Tables: what programs keep from run to run, reached by calls from inside and by anybody from outside.
//!
//! A table is a declaration ([`MapDef`]) and flat memory ([`Table`]): bytes for keys and values, and numbered cells
//! for whatever structure its kind needs (chains, counters, free lists). A [`Kind`] is behaviour only: all that it
//! changes goes through [`Access`], which tells a [`Journal`] what was there before. So a debugger goes back over any
//! change of any kind of table, one defined by a test too, without knowing how the kind works; and a table's memory is
//! bounded by its declaration.

mod array;
mod hash;
mod table;

pub use array::ARRAY;
pub use hash::HASH;
pub use table::{Access, Journal, Table};

use crate::btf::{self, Btf};
use crate::errno::Errno;
use std::fmt;
use std::ops::Range;
use std::rc::Rc;

/// The table kinds of this version, in the order of their numbers.
pub static KINDS: [&dyn Kind; 2] = [HASH, ARRAY];

/// Most bytes that the values and keys of a table may take together here.
pub const MAX_BYTES: u64 = 256 << 20;
/// Most tables of one program (`MAX_USED_MAPS`).
pub const MAX_MAPS: usize = 64;

/// Flags of updates (`BPF_ANY`, `BPF_NOEXIST`, `BPF_EXIST`).
pub mod update {
    /// Whether the key is there or not.
    pub const ANY: u64 = 0;
    /// Only a new key.
    pub const NOEXIST: u64 = 1;
    /// Only a key that is there.
    pub const EXIST: u64 = 2;
}

/// A table as a program declares it.
#[derive(Debug, Clone)]
pub struct MapDef {
    /// Its name.
    pub name: String,
    /// What kind of table.
    pub kind: &'static dyn Kind,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value.
    pub value_size: u32,
    /// The most entries.
    pub max_entries: u32,
    /// `BPF_F_…`
    pub flags: u32,
    /// What the tables inside look like, for tables of tables.
    pub inner: Option<Box<MapDef>>,
    /// What it holds before the first run: keys with values, of their sizes.
    pub entries: Vec<(Vec<u8>, Vec<u8>)>,
    /// Whether programs may only read it (`BPF_F_RDONLY_PROG` and frozen: constant data).
    pub constant: bool,
    /// What keys and values are, if that is known. It changes nothing but how they are shown.
    pub types: Option<Rc<Types>>,
}

/// The types of a table's keys and values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Types {
    /// All types of the object file that declares the table.
    pub btf: Rc<Btf>,
    /// The key's; void when it is not known.
    pub key: btf::Id,
    /// The value's; void when it is not known.
    pub value: btf::Id,
}

impl PartialEq for MapDef {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.kind.name() == other.kind.name()
            && (self.key_size, self.value_size, self.max_entries, self.flags, self.constant)
                == (other.key_size, other.value_size, other.max_entries, other.flags, other.constant)
            && self.inner == other.inner
            && self.entries == other.entries
    }
}

impl Eq for MapDef {}

/// Why a declaration makes no table: what is wrong with it, in a sentence without full stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapFault {
    /// What Linux answers to `BPF_MAP_CREATE`.
    pub errno: Errno,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for MapFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for MapFault {}

/// How a kind of table behaves. Linux's kinds are the values of [`KINDS`]; the methods a kind does not have give what
/// Linux gives for them.
pub trait Kind: fmt::Debug + Sync {
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

    /// The offset in the table's bytes of the value of `key` for a program on this CPU (`map_lookup_elem`). It may
    /// change the table: least-recently-used ones do.
    fn lookup(&self, table: &mut Access<'_>, key: &[u8]) -> Option<u32>;

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

    /// The key after `key`, or the first one: every key once, in an order of the kind's own (`map_get_next_key`).
    fn next_key(&self, table: &Table, key: Option<&[u8]>) -> Option<Vec<u8>>;

    /// The value of `key` as somebody outside sees it: of all CPUs in turn where each has its own.
    fn read(&self, table: &Table, key: &[u8]) -> Option<Vec<u8>>;

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

    /// Looks at the value that would be taken out next (`map_peek_elem`).
    ///
    /// # Errors
    /// `EOPNOTSUPP` where there is no such operation; else as Linux's.
    fn peek(&self, _: &mut Access<'_>, _value: &mut [u8]) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Whether programs may hold the address of its value without a lookup (`map_direct_value_addr`).
    fn direct_value(&self) -> bool {
        false
    }

    /// The bytes that a program which holds the address of byte `offset` may reach: those of one value, or none behind
    /// the last entry. Offsets are whatever a program made them.
    fn extent(&self, def: &MapDef, offset: u32) -> Range<u32>;
}

/// The kind called `name`.
#[must_use]
pub fn kind(name: &str) -> Option<&'static dyn Kind> {
    KINDS.into_iter().find(|kind| kind.name() == name)
}

impl MapDef {
    /// A declaration without flags and entries.
    #[must_use]
    pub fn new(
        name: &str,
        kind: &'static dyn Kind,
        key_size: u32,
        value_size: u32,
        max_entries: u32,
    ) -> Self {
        MapDef {
            name: name.to_owned(),
            kind,
            key_size,
            value_size,
            max_entries,
            flags: 0,
            inner: None,
            entries: Vec::new(),
            constant: false,
            types: None,
        }
    }

    /// Whether a table can be made of it: the kind's own rules, our bound on memory, and entries that fit.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), MapFault> {
        self.kind.check(self)?;
        let slot =
            u64::from(self.key_size).next_multiple_of(8) + u64::from(self.value_size).next_multiple_of(8);
        let bytes = slot * u64::from(self.max_entries);
        if bytes > MAX_BYTES {
            let message = format!(
                "{} entries of {slot} bytes are {} MiB; a table may have {} MiB here",
                self.max_entries,
                bytes >> 20,
                MAX_BYTES >> 20
            );
            return Err(MapFault { errno: Errno::ENOMEM, message });
        }
        let sizes = (self.key_size as usize, self.value_size as usize);
        match self.entries.iter().find(|(key, value)| (key.len(), value.len()) != sizes) {
            None => Ok(()),
            Some((key, value)) => Err(invalid(format!(
                "an entry has a key of {} and a value of {} bytes instead of {} and {}",
                key.len(),
                value.len(),
                sizes.0,
                sizes.1
            ))),
        }
    }
}

/// As a program's text declares it. Tables inside are not said.
impl fmt::Display for MapDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MapDef { name, kind, key_size, value_size, max_entries, flags, constant, entries, .. } = self;
        write!(f, ".map {name} {} key={key_size} value={value_size} max={max_entries}", kind.name())?;
        if *flags != 0 {
            write!(f, " flags={flags:#x}")?;
        }
        if *constant {
            f.write_str(" constant")?;
        }
        entries.iter().try_for_each(|(key, value)| {
            // Zeros at the end are what is there anyway.
            let end = value.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            let value = Digits(&value[..end]);
            if *key_size == 4 && *max_entries == 1 && key.iter().all(|&byte| byte == 0) {
                write!(f, " data={value}")
            } else {
                write!(f, " entry={}:{value}", Digits(key))
            }
        })
    }
}

/// Bytes in the order of memory.
struct Digits<'a>(&'a [u8]);

impl fmt::Display for Digits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A declaration that Linux answers with `EINVAL`.
fn invalid(message: impl Into<String>) -> MapFault {
    MapFault { errno: Errno::EINVAL, message: message.into() }
}
