//! Hash tables (kernel/bpf/hashtab.c), with all their room set aside, as Linux does it by default.
//!
//! An entry is a slot of bytes: the key, then the value, each on a multiple of 8. The cells hold the chains:
//!
//! ```text
//! 0  how many slots were ever used      2                 the first slot of each bucket
//! 1  the first free slot                2 + buckets       the slot after each slot in its chain
//! ```
//!
//! A slot is written down as its number plus one, so that 0 means "none" and fresh memory is an empty table.

use super::table::{Access, Table};
use super::{Kind, MapDef, MapFault, invalid, update};
use crate::errno::Errno;
use std::ops::Range;

/// `BPF_MAP_TYPE_HASH`
pub static HASH: &dyn Kind = &Hash;

#[derive(Debug)]
struct Hash;

/// Longest key and value together, in bytes (`MAX_BPF_STACK` for keys is the verifier's matter; KMALLOC_MAX_SIZE bounds
/// values).
const MAX_SLOT: u32 = 4 << 20;

const USED: u32 = 0;
const FREE: u32 = 1;
const BUCKETS: u32 = 2;

/// Where things are in the memory of such a table.
struct Layout {
    key_size: u32,
    value_at: u32,
    stride: u32,
    buckets: u32,
}

impl Layout {
    fn of(def: &MapDef) -> Self {
        let value_at = def.key_size.next_multiple_of(8);
        Layout {
            key_size: def.key_size,
            value_at,
            stride: value_at + def.value_size.next_multiple_of(8),
            buckets: def.max_entries.next_power_of_two(),
        }
    }

    fn bucket(&self, key: &[u8]) -> u32 {
        BUCKETS + (spread(key) & (self.buckets - 1))
    }

    /// The cell that says what comes after slot `slot`, counted from 1.
    fn next(&self, slot: u32) -> u32 {
        BUCKETS + self.buckets + slot - 1
    }

    fn key(&self, slot: u32) -> u32 {
        (slot - 1) * self.stride
    }

    fn value(&self, slot: u32) -> u32 {
        self.key(slot) + self.value_at
    }
}

/// Which bucket: FNV-1a, mixed once more, since its low bits alone are weak. Linux's own order is random at each boot.
fn spread(key: &[u8]) -> u32 {
    let hash =
        key.iter().fold(0x811c_9dc5_u32, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (hash ^ (hash >> 15)).wrapping_mul(0x2c1b_3c6d) >> 3
}

/// The slot of a key, and the cell that leads to it; or 0 and the chain's last cell.
fn find(table: &Table, layout: &Layout, key: &[u8]) -> (u32, u32) {
    let mut link = layout.bucket(key);
    loop {
        let slot = table.cell(link);
        if slot == 0 {
            return (0, link);
        }
        let at = layout.key(slot) as usize;
        if table.bytes().get(at..at + layout.key_size as usize) == Some(key) {
            return (slot, link);
        }
        link = layout.next(slot);
    }
}

impl Kind for Hash {
    fn name(&self) -> &'static str {
        "hash"
    }

    fn number(&self) -> u32 {
        1
    }

    fn doc(&self) -> &'static str {
        "values by key"
    }

    fn check(&self, def: &MapDef) -> Result<(), MapFault> {
        if def.key_size == 0 || def.value_size == 0 || def.max_entries == 0 {
            return Err(invalid("a hash table needs a key, a value, and room for one entry or more"));
        }
        if u64::from(def.key_size) + u64::from(def.value_size) > u64::from(MAX_SLOT) {
            let message = format!("key and value may have {MAX_SLOT} bytes together");
            return Err(MapFault { errno: Errno::E2BIG, message });
        }
        Ok(())
    }

    fn lookup(&self, table: &mut Access<'_>, key: &[u8]) -> Option<u32> {
        let layout = Layout::of(&table.def());
        let (slot, _) = find(table.table(), &layout, key);
        (slot != 0).then(|| layout.value(slot))
    }

    fn update(&self, table: &mut Access<'_>, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        if flags > update::EXIST {
            return Err(Errno::EINVAL);
        }
        let def = table.def();
        let layout = Layout::of(&def);
        let (found, link) = find(table.table(), &layout, key);
        match (found, flags) {
            (0, update::EXIST) => return Err(Errno::ENOENT),
            (0, _) => {}
            (_, update::NOEXIST) => return Err(Errno::EEXIST),
            (slot, _) => {
                table.write(layout.value(slot), value);
                return Ok(());
            }
        }
        let slot = match table.cell(FREE) {
            0 => {
                let used = table.cell(USED);
                if used == def.max_entries {
                    return Err(Errno::E2BIG);
                }
                table.set_cell(USED, used + 1);
                used + 1
            }
            free => {
                table.set_cell(FREE, table.cell(layout.next(free)));
                free
            }
        };
        table.write(layout.key(slot), key);
        table.write(layout.value(slot), value);
        table.grow(layout.key(slot) + layout.stride);
        table.set_cell(layout.next(slot), 0);
        table.set_cell(link, slot);
        Ok(())
    }

    fn delete(&self, table: &mut Access<'_>, key: &[u8]) -> Result<(), Errno> {
        let layout = Layout::of(&table.def());
        let (slot, link) = find(table.table(), &layout, key);
        if slot == 0 {
            return Err(Errno::ENOENT);
        }
        let next = layout.next(slot);
        table.set_cell(link, table.cell(next));
        table.set_cell(next, table.cell(FREE));
        table.set_cell(FREE, slot);
        Ok(())
    }

    fn next_key(&self, table: &Table, key: Option<&[u8]>) -> Option<Vec<u8>> {
        let layout = Layout::of(table.def());
        let found = key.map(|key| (find(table, &layout, key).0, layout.bucket(key)));
        // A key that is gone starts again from the first, as in Linux.
        let (in_chain, bucket) = match found {
            Some((slot, bucket)) if slot != 0 => (table.cell(layout.next(slot)), bucket + 1),
            _ => (0, BUCKETS),
        };
        let slot = if in_chain != 0 {
            in_chain
        } else {
            (bucket..BUCKETS + layout.buckets).map(|bucket| table.cell(bucket)).find(|&slot| slot != 0)?
        };
        Some(table.copy(layout.key(slot), layout.key_size))
    }

    fn read(&self, table: &Table, key: &[u8]) -> Option<Vec<u8>> {
        let layout = Layout::of(table.def());
        let (slot, _) = find(table, &layout, key);
        (slot != 0).then(|| table.copy(layout.value(slot), table.def().value_size))
    }

    fn extent(&self, def: &MapDef, offset: u32) -> Range<u32> {
        let layout = Layout::of(def);
        if offset / layout.stride >= def.max_entries {
            return 0..0;
        }
        let start = offset - offset % layout.stride + layout.value_at;
        start..start + def.value_size
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    #[test]
    fn what_is_put_in_is_found() {
        let def = MapDef::new("counts", HASH, 4, 8, 3);
        let mut table = Table::new(Rc::new(def));
        for key in [7u32, 8, 9] {
            assert_eq!(table.update(&key.to_le_bytes(), &[key as u8; 8], update::ANY), Ok(()));
            assert_eq!(table.read(&key.to_le_bytes()), Some(vec![key as u8; 8]));
        }
        assert_eq!(table.update(&[1; 4], &[0; 8], update::ANY), Err(Errno::E2BIG));
        assert_eq!(table.update(&7u32.to_le_bytes(), &[0; 8], update::NOEXIST), Err(Errno::EEXIST));
        assert_eq!(table.update(&[1; 4], &[0; 8], update::EXIST), Err(Errno::ENOENT));
        assert_eq!(table.update(&[1; 4], &[0; 8], 3), Err(Errno::EINVAL));
        assert_eq!(table.delete(&8u32.to_le_bytes()), Ok(()));
        assert_eq!(table.delete(&8u32.to_le_bytes()), Err(Errno::ENOENT));
        assert_eq!(table.update(&[1; 4], &[1; 8], update::ANY), Ok(()), "a free slot is used again");
        let mut keys: Vec<Vec<u8>> = table.entries().map(|(key, _)| key).collect();
        keys.sort();
        assert_eq!(keys, [vec![1; 4], vec![7, 0, 0, 0], vec![9, 0, 0, 0]]);
    }
}
