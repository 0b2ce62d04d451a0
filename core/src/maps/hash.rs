//! Hash tables (kernel/bpf/hashtab.c): plain, with a value for each CPU, forgetting what was used longest ago, and of
//! tables. They behave as Linux's with `BPF_F_ZERO_SEED`, down to the order of their keys.

mod chains;
mod recency;

pub(super) use chains::Chains;

use super::array::LONGEST_PER_CPU;
use super::definition::{LONGEST, flag};
use super::table::{Access, Table};
use super::{Holds, Kind, MAX_CPUS, MapDef, MapFault, change, function};
use crate::errno::Errno;
use std::ops::Range;

/// `BPF_MAP_TYPE_HASH`
pub static HASH: &dyn Kind = &Hash { name: "hash", number: 1, doc: "values by key", ..PLAIN };
/// `BPF_MAP_TYPE_PERCPU_HASH`
pub static PERCPU_HASH: &dyn Kind = &Hash {
    name: "percpu_hash",
    number: 5,
    doc: "values by key, of each CPU its own",
    per_cpu: true,
    ..PLAIN
};
/// `BPF_MAP_TYPE_LRU_HASH`
pub static LRU_HASH: &dyn Kind = &Hash {
    name: "lru_hash",
    number: 9,
    doc: "values by key; when it is full, the one used longest ago makes room",
    lru: true,
    ..PLAIN
};
/// `BPF_MAP_TYPE_LRU_PERCPU_HASH`
pub static LRU_PERCPU_HASH: &dyn Kind = &Hash {
    name: "lru_percpu_hash",
    number: 10,
    doc: "values by key, of each CPU its own; when it is full, the one used longest ago makes room",
    lru: true,
    per_cpu: true,
    ..PLAIN
};
/// `BPF_MAP_TYPE_HASH_OF_MAPS`
pub static HASH_OF_MAPS: &dyn Kind =
    &Hash { name: "hash_of_maps", number: 13, doc: "tables by key", holds: Holds::Tables, ..PLAIN };

#[derive(Debug)]
struct Hash {
    name: &'static str,
    number: u32,
    doc: &'static str,
    per_cpu: bool,
    /// Whether it forgets instead of being full.
    lru: bool,
    holds: Holds,
}

/// What most of them are.
const PLAIN: Hash = Hash { name: "", number: 0, doc: "", per_cpu: false, lru: false, holds: Holds::Values };

/// What the kernel keeps with each entry, in the same piece of memory (`struct htab_elem`).
const HEAD: u32 = 48;

impl Hash {
    fn chains(&self, table: &Table) -> Chains {
        Chains::new(table.def(), table.cpus(), if self.per_cpu { table.cpus() } else { 1 })
    }

    /// A slot with `key` in it and nothing else, and whether it is a new entry.
    fn place(&self, table: &mut Access<'_>, key: &[u8], flags: u64) -> Result<(u32, bool), Errno> {
        if flags > change::EXIST {
            return Err(Errno::EINVAL);
        }
        let chains = self.chains(table.table());
        match chains.find(table.table(), key) {
            None if flags == change::EXIST => Err(Errno::ENOENT),
            None => {
                let slot = match chains.take(table) {
                    Some(slot) => slot,
                    None if self.lru => {
                        let oldest = chains.key(table.table(), recency::oldest(table.table()));
                        self.delete(table, &oldest)?;
                        chains.take(table).ok_or(Errno::ENOMEM)?
                    }
                    None => return Err(Errno::E2BIG),
                };
                chains.insert(table, slot, key);
                if self.lru {
                    recency::link(&chains, table, slot);
                }
                Ok((slot, true))
            }
            Some(_) if flags == change::NOEXIST => Err(Errno::EEXIST),
            // What others hold the address of changes under their eyes, where Linux does it so.
            Some(found) if self.per_cpu || self.holds == Holds::Tables => {
                if self.lru {
                    recency::touch(&chains, table, found.slot);
                }
                Ok((found.slot, false))
            }
            Some(found) => {
                chains.unlink(table, found);
                let slot = chains.swap_spare(table, found.slot);
                chains.insert(table, slot, key);
                if self.lru {
                    recency::unlink(&chains, table, found.slot);
                    recency::link(&chains, table, slot);
                }
                Ok((slot, false))
            }
        }
    }
}

impl Kind for Hash {
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
        if self.holds == Holds::Tables {
            super::handles::check_value(def)?;
        }
        let lru = if self.lru { flag::NO_COMMON_LRU } else { 0 };
        def.check_flags(flag::NO_PREALLOC | flag::NUMA_NODE | flag::ACCESS | flag::ZERO_SEED | lru)?;
        if self.lru && def.has(flag::NO_PREALLOC) {
            let message = "a table that forgets cannot have BPF_F_NO_PREALLOC: all its room is set aside";
            return Err(MapFault { errno: Errno::ENOTSUPP, message: message.to_owned() });
        }
        if def.has(flag::NUMA_NODE) && (self.per_cpu || def.has(flag::NO_COMMON_LRU)) {
            let message = "what each CPU has of its own cannot be on one node: leave out BPF_F_NUMA_NODE";
            return Err(MapFault::invalid(message));
        }
        if def.key_size == 0 || def.value_size == 0 || def.max_entries == 0 {
            return Err(MapFault::invalid(
                "a hash table needs a key, a value, and room for one entry or more",
            ));
        }
        if u64::from(def.key_size) + u64::from(def.value_size) >= u64::from(LONGEST - HEAD) {
            return Err(MapFault::too_big(format!(
                "key and value may have {} bytes together",
                LONGEST - HEAD - 1
            )));
        }
        if self.per_cpu && def.value_size > LONGEST_PER_CPU {
            let message = format!("a value of which each CPU has one may have {LONGEST_PER_CPU} bytes");
            return Err(MapFault::too_big(message));
        }
        if self.holds == Holds::Tables { super::handles::check_inner(def) } else { Ok(()) }
    }

    fn bytes(&self, def: &MapDef) -> u64 {
        let values = if self.per_cpu { u64::from(MAX_CPUS) } else { 1 };
        let [key, value] = [def.key_size, def.value_size].map(|size| u64::from(size).next_multiple_of(8));
        // One more, for what is being replaced.
        (key + value * values) * (u64::from(def.max_entries) + 1)
    }

    fn sizes(&self) -> (Option<u32>, Option<u32>) {
        (None, (self.holds == Holds::Tables).then_some(4))
    }

    fn takes(&self, function: i32) -> bool {
        match function {
            _ if self.holds == Holds::Tables => function == function::LOOKUP,
            function::FOR_EACH => true,
            function::LOOKUP_PERCPU => self.per_cpu,
            _ => false,
        }
    }

    fn is_choosy(&self) -> bool {
        self.holds == Holds::Tables
    }

    fn holds(&self) -> Holds {
        self.holds
    }

    fn per_cpu(&self) -> bool {
        self.per_cpu
    }

    fn extent(&self, table: &Table, offset: u32) -> Range<u32> {
        self.chains(table).value_around(offset, table.def().value_size)
    }

    fn find(&self, table: &Table, key: &[u8]) -> Option<u32> {
        self.chains(table).find(table, key).map(|found| found.slot)
    }

    fn next(&self, table: &Table, slot: Option<u32>) -> Option<u32> {
        self.chains(table).next(table, slot)
    }

    fn key(&self, table: &Table, slot: u32) -> Vec<u8> {
        self.chains(table).key(table, slot)
    }

    fn value(&self, table: &Table, slot: u32, cpu: u32) -> u32 {
        self.chains(table).value(slot, if self.per_cpu { cpu } else { 0 })
    }

    fn lookup_on(&self, table: &mut Access<'_>, key: &[u8], cpu: u32) -> Option<u32> {
        let slot = self.find(table.table(), key)?;
        if self.lru {
            recency::touch(&self.chains(table.table()), table, slot);
        }
        Some(self.value(table.table(), slot, cpu))
    }

    fn update(&self, table: &mut Access<'_>, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        let (slot, new) = self.place(table, key, flags)?;
        if self.per_cpu && new {
            // What other CPUs find there must not be what was there before.
            table.write_all(self.value(table.table(), slot, 0), &vec![0; value.len()]);
        }
        let cpu = table.cpu();
        table.write(self.value(table.table(), slot, cpu), value);
        Ok(())
    }

    fn write(&self, table: &mut Access<'_>, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        let (slot, _) = self.place(table, key, flags)?;
        let start = self.value(table.table(), slot, 0);
        if self.per_cpu {
            table.write_all(start, value);
        } else {
            table.write(start, value);
        }
        Ok(())
    }

    fn delete(&self, table: &mut Access<'_>, key: &[u8]) -> Result<(), Errno> {
        let chains = self.chains(table.table());
        let found = chains.find(table.table(), key).ok_or(Errno::ENOENT)?;
        chains.unlink(table, found);
        chains.free(table, found.slot);
        if self.lru {
            recency::unlink(&chains, table, found.slot);
        }
        Ok(())
    }

    fn take(&self, table: &mut Access<'_>, key: &[u8]) -> Result<Vec<u8>, Errno> {
        if self.holds == Holds::Tables {
            return Err(Errno::ENOTSUPP);
        }
        let value = self.read(table.table(), key)?;
        self.delete(table, key)?;
        Ok(value)
    }
}
