//! A table as a program declares it, and what makes a declaration good.

use super::{Kind, MAX_BYTES};
use crate::btf::{self, Btf};
use crate::errno::Errno;
use std::fmt;
use std::rc::Rc;

/// Flags of declarations (`BPF_F_…`, include/uapi/linux/bpf.h), those that some kind here knows.
pub mod flag {
    /// Memory is taken when it is needed, not set aside.
    pub const NO_PREALLOC: u32 = 1 << 0;
    /// Each CPU keeps its own list of what was used least recently.
    pub const NO_COMMON_LRU: u32 = 1 << 1;
    /// The memory of a certain node.
    pub const NUMA_NODE: u32 = 1 << 2;
    /// From outside it may only be read.
    pub const RDONLY: u32 = 1 << 3;
    /// From outside it may only be written.
    pub const WRONLY: u32 = 1 << 4;
    /// Hashes start with 0, not with a random number.
    pub const ZERO_SEED: u32 = 1 << 6;
    /// Programs may only read it.
    pub const RDONLY_PROG: u32 = 1 << 7;
    /// Programs may only write it.
    pub const WRONLY_PROG: u32 = 1 << 8;
    /// Its memory can be mapped.
    pub const MMAPABLE: u32 = 1 << 10;
    /// Elements stay when whoever put them in is gone.
    pub const PRESERVE_ELEMS: u32 = 1 << 11;
    /// Tables inside tables may differ in size.
    pub const INNER_MAP: u32 = 1 << 12;

    /// Who may read and write (`BPF_F_ACCESS_MASK`).
    pub const ACCESS: u32 = RDONLY | WRONLY | RDONLY_PROG | WRONLY_PROG;

    /// Every flag with its name.
    pub const NAMES: [(u32, &str); 11] = [
        (NO_PREALLOC, "BPF_F_NO_PREALLOC"),
        (NO_COMMON_LRU, "BPF_F_NO_COMMON_LRU"),
        (NUMA_NODE, "BPF_F_NUMA_NODE"),
        (RDONLY, "BPF_F_RDONLY"),
        (WRONLY, "BPF_F_WRONLY"),
        (ZERO_SEED, "BPF_F_ZERO_SEED"),
        (RDONLY_PROG, "BPF_F_RDONLY_PROG"),
        (WRONLY_PROG, "BPF_F_WRONLY_PROG"),
        (MMAPABLE, "BPF_F_MMAPABLE"),
        (PRESERVE_ELEMS, "BPF_F_PRESERVE_ELEMS"),
        (INNER_MAP, "BPF_F_INNER_MAP"),
    ];

    /// The flag of that name, written as in C.
    #[must_use]
    pub fn named(name: &str) -> Option<u32> {
        NAMES.iter().find(|(_, known)| *known == name).map(|(bit, _)| *bit)
    }
}

/// The longest key and value that Linux gives out in one piece (`KMALLOC_MAX_SIZE`).
pub(super) const LONGEST: u32 = 4 << 20;

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
    /// The bits of [`flag`].
    pub flags: u32,
    /// A number more, for kinds that take one (`map_extra`).
    pub extra: u32,
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
            && self.constant == other.constant
            && self.max_entries == other.max_entries
            && self.extra == other.extra
            && self.same_inside(other)
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

impl MapFault {
    /// A declaration that Linux answers with `EINVAL`.
    pub fn invalid(message: impl Into<String>) -> Self {
        MapFault { errno: Errno::EINVAL, message: message.into() }
    }

    /// One that it answers with `E2BIG`.
    pub fn too_big(message: impl Into<String>) -> Self {
        MapFault { errno: Errno::E2BIG, message: message.into() }
    }
}

impl fmt::Display for MapFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for MapFault {}

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
            extra: 0,
            inner: None,
            entries: Vec::new(),
            constant: false,
            types: None,
        }
    }

    /// Whether a flag is set.
    #[must_use]
    pub fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// Whether programs may write to its values.
    #[must_use]
    pub fn programs_write(&self) -> bool {
        !self.constant && !self.has(flag::RDONLY_PROG) && self.kind.holds() == super::Holds::Values
    }

    /// Whether programs may not write to it: of values of tables that hold something else that is said elsewhere.
    #[must_use]
    pub fn only_read(&self) -> bool {
        self.constant || self.has(flag::RDONLY_PROG) || self.kind.holds() == super::Holds::Facts
    }

    /// The value that a program which holds its address finds there in every run: of a constant table of one value.
    #[must_use]
    pub fn constant_value(&self) -> Option<std::borrow::Cow<'_, [u8]>> {
        if !self.constant || !self.kind.direct_value(self) {
            return None;
        }
        let value = self.entries.last().map(|(_, value)| value.as_slice().into());
        Some(value.unwrap_or_else(|| vec![0; self.value_size as usize].into()))
    }

    /// Whether programs cannot tell its entries from those of `other` (`bpf_map_meta_equal`), but for how many there
    /// may be.
    #[must_use]
    pub fn same_inside(&self, other: &Self) -> bool {
        self.kind.name() == other.kind.name()
            && (self.key_size, self.value_size, self.flags) == (other.key_size, other.value_size, other.flags)
    }

    /// Whether a table can be made of it: the kind's own rules, our bound on memory, and entries that fit.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), MapFault> {
        self.kind.check(self)?;
        if self.extra != 0 && !self.kind.takes_extra() {
            return Err(MapFault::invalid(format!("the kind `{}` has no `extra`", self.kind.name())));
        }
        let bytes = self.kind.bytes(self);
        if bytes > MAX_BYTES {
            let message = format!(
                "the table would take {} MiB when full; it may have {} MiB here",
                bytes >> 20,
                MAX_BYTES >> 20
            );
            return Err(MapFault { errno: Errno::ENOMEM, message });
        }
        let sizes = (self.key_size as usize, self.value_size as usize);
        match self.entries.iter().find(|(key, value)| (key.len(), value.len()) != sizes) {
            None => Ok(()),
            Some((key, value)) => Err(MapFault::invalid(format!(
                "an entry has a key of {} and a value of {} bytes instead of {} and {}",
                key.len(),
                value.len(),
                sizes.0,
                sizes.1
            ))),
        }
    }

    /// Whether the tables that it holds before the first run are among `all` and like those it is for.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check_inside(&self, all: &[MapDef]) -> Result<(), MapFault> {
        let Some(like) = self.inner.as_deref() else { return Ok(()) };
        for (_, value) in &self.entries {
            let number = value.iter().rev().fold(0, |number, &byte| number << 8 | usize::from(byte));
            match all.get(number) {
                None => {
                    let message = format!("an entry is table {number}, and the program has {}", all.len());
                    return Err(MapFault { errno: Errno::EBADF, message });
                }
                Some(inner) if !like.kind.stands_for(like, inner) => {
                    let message = format!("an entry is `{}`, which is not like `{}`", inner.name, like.name);
                    return Err(MapFault::invalid(message));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Whether only these flags are set, and none that contradict each other (`bpf_map_flags_access_ok`).
    ///
    /// # Errors
    /// The flag that is wrong.
    pub fn check_flags(&self, known: u32) -> Result<(), MapFault> {
        let unknown = self.flags & !known;
        if unknown != 0 {
            let bit = unknown & unknown.wrapping_neg();
            return Err(MapFault::invalid(format!(
                "the kind `{}` cannot have the flag {}",
                self.kind.name(),
                FlagsText(bit)
            )));
        }
        for both in [flag::RDONLY | flag::WRONLY, flag::RDONLY_PROG | flag::WRONLY_PROG] {
            if self.flags & both == both {
                let message = format!("{} contradict each other; leave one out", FlagsText(both));
                return Err(MapFault::invalid(message));
            }
        }
        Ok(())
    }
}

/// As a program's text declares it.
impl fmt::Display for MapDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MapDef { name, kind, key_size, value_size, max_entries, flags, extra, inner, .. } = self;
        write!(f, ".map {name} {} key={key_size} value={value_size} max={max_entries}", kind.name())?;
        if *flags != 0 {
            write!(f, " flags={}", FlagsText(*flags))?;
        }
        if *extra != 0 {
            write!(f, " extra={extra}")?;
        }
        if let Some(inner) = inner {
            write!(f, " inner={}", inner.name)?;
        }
        if self.constant {
            f.write_str(" constant")?;
        }
        self.entries.iter().try_for_each(|(key, value)| {
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

/// Flags by their names, as C writes them.
pub(super) struct FlagsText(pub(super) u32);

impl fmt::Display for FlagsText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        for (bit, name) in flag::NAMES {
            if rest & bit != 0 {
                rest &= !bit;
                write!(f, "{name}{}", if rest == 0 { "" } else { "|" })?;
            }
        }
        if rest == 0 { Ok(()) } else { write!(f, "{rest:#x}") }
    }
}
