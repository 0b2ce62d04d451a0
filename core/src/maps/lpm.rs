//! Longest-prefix match (kernel/bpf/lpm_trie.c): a key is how many bits count, four bytes, and the bits; a lookup finds
//! the entry with the longest prefix of what is looked up.
//!
//! A binary tree of prefixes: a node's children begin with its bits, the left one goes on with 0. Where two prefixes
//! part and nothing ends, there is a node without entry, which always has both children. A slot is a node's number,
//! counted from 1; its bytes are the key, then the value. The cells:
//!
//! ```text
//! 0  the root                            4  for each node: its left and its right child
//! 1  how many nodes were ever used          (a free one: the next free one), and whether it is an entry
//! 2  the first free node
//! 3  how many entries there are
//! ```

use super::definition::{LONGEST, flag};
use super::table::{Access, Table};
use super::{Kind, MapDef, MapFault, change};
use crate::errno::Errno;
use std::ops::Range;

/// `BPF_MAP_TYPE_LPM_TRIE`
pub static LPM_TRIE: &dyn Kind = &Lpm;

#[derive(Debug)]
struct Lpm;

/// Bytes of a key before its bits.
const LENGTH: u32 = 4;
/// The most bytes of bits.
const MOST_BITS: u32 = 256;
/// What the kernel keeps with each node, in the same piece of memory.
const HEAD: u32 = 24;

const ROOT: u32 = 0;
const USED: u32 = 1;
const FREE: u32 = 2;
const COUNT: u32 = 3;
const NODES: u32 = 4;
const CELLS: u32 = 3;
const ENTRY: u32 = 2;

/// The prefix of a key.
#[derive(Clone, Copy)]
struct Prefix<'a> {
    length: u32,
    bits: &'a [u8],
}

impl<'a> Prefix<'a> {
    fn of(key: &'a [u8]) -> Option<Self> {
        let (length, bits) = key.split_first_chunk()?;
        Some(Prefix { length: u32::from_le_bytes(*length), bits })
    }

    /// The same, if a key of such a table may be as long as that.
    fn valid(key: &'a [u8]) -> Option<Self> {
        Prefix::of(key).filter(|prefix| prefix.length as usize <= prefix.bits.len() * 8)
    }

    /// Bit `index`, the highest of each byte first.
    fn bit(&self, index: u32) -> u32 {
        let byte = self.bits.get(index as usize / 8).copied().unwrap_or(0);
        u32::from(byte >> (7 - index % 8) & 1)
    }

    /// How many bits it has in common with another, within both lengths.
    fn common(&self, other: &Self) -> u32 {
        let most = self.length.min(other.length);
        let different = self.bits.iter().zip(other.bits).position(|(a, b)| a != b);
        let same = different
            .map_or(most, |byte| byte as u32 * 8 + (self.bits[byte] ^ other.bits[byte]).leading_zeros());
        same.min(most)
    }
}

/// Where a walk down the tree ends.
struct Walk {
    /// The node that stands there, or 0.
    node: u32,
    /// How many bits it has in common with the key.
    common: u32,
    /// The cell that leads to it.
    link: u32,
    /// The cell that leads to the node above, and that node; 0 at the root.
    above: (u32, u32),
}

fn stride(def: &MapDef) -> u32 {
    def.key_size.next_multiple_of(8) + def.value_size.next_multiple_of(8)
}

/// The cell of a node's child: 0 left, 1 right.
fn child(node: u32, side: u32) -> u32 {
    NODES + (node - 1) * CELLS + side
}

fn is_entry(table: &Table, node: u32) -> bool {
    table.cell(child(node, ENTRY)) != 0
}

fn key_of(table: &Table, node: u32) -> &[u8] {
    let start = ((node - 1) * stride(table.def())) as usize;
    table.bytes().get(start..start + table.def().key_size as usize).unwrap_or_default()
}

fn prefix_of(table: &Table, node: u32) -> Prefix<'_> {
    Prefix::of(key_of(table, node)).unwrap_or(Prefix { length: 0, bits: &[] })
}

/// Down to where `key` stands or would be put in.
fn walk(table: &Table, key: &Prefix<'_>) -> Walk {
    let mut at = Walk { node: 0, common: 0, link: ROOT, above: (0, 0) };
    loop {
        at.node = table.cell(at.link);
        if at.node == 0 {
            return at;
        }
        let node = prefix_of(table, at.node);
        at.common = node.common(key);
        if at.common != node.length || node.length == key.length {
            return at;
        }
        at.above = (at.link, at.node);
        at.link = child(at.node, key.bit(node.length));
    }
}

/// The node of exactly this prefix, if it is an entry.
fn exact(table: &Table, key: &Prefix<'_>) -> Option<Walk> {
    let at = walk(table, key);
    let found = at.node != 0 && at.common == key.length && prefix_of(table, at.node).length == key.length;
    (found && is_entry(table, at.node)).then_some(at)
}

fn allocate(table: &mut Access<'_>, key: &[u8], entry: bool) -> u32 {
    let node = match table.cell(FREE) {
        0 => {
            let used = table.cell(USED) + 1;
            table.set_cell(USED, used);
            used
        }
        free => {
            table.set_cell(FREE, table.cell(child(free, 0)));
            free
        }
    };
    table.set_cell(child(node, 0), 0);
    table.set_cell(child(node, 1), 0);
    table.set_cell(child(node, ENTRY), entry.into());
    let stride = stride(&table.def());
    table.grow(node * stride);
    table.write((node - 1) * stride, key);
    node
}

fn free(table: &mut Access<'_>, node: u32) {
    table.set_cell(child(node, 0), table.cell(FREE));
    table.set_cell(FREE, node);
}

/// The first entry below and at `node` when the more special come before the less special, and 0 before 1.
fn first_below(table: &Table, node: u32) -> Option<u32> {
    let (mut node, mut found) = (node, None);
    while node != 0 {
        let [left, right] = [0, 1].map(|side| table.cell(child(node, side)));
        if is_entry(table, node) {
            found = Some(node);
        }
        node = if left != 0 { left } else { right };
    }
    found
}

impl Kind for Lpm {
    fn name(&self) -> &'static str {
        "lpm_trie"
    }

    fn number(&self) -> u32 {
        11
    }

    fn doc(&self) -> &'static str {
        "values by prefix; the longest that fits is found"
    }

    fn check(&self, def: &MapDef) -> Result<(), MapFault> {
        if !def.has(flag::NO_PREALLOC) {
            return Err(MapFault::invalid(
                "an lpm_trie must have the flag BPF_F_NO_PREALLOC: `flags=BPF_F_NO_PREALLOC`",
            ));
        }
        def.check_flags(flag::NO_PREALLOC | flag::NUMA_NODE | flag::ACCESS)?;
        if !(LENGTH + 1..=LENGTH + MOST_BITS).contains(&def.key_size) {
            return Err(MapFault::invalid(format!(
                "the key of an lpm_trie has {} to {} bytes, 4 of them how many bits count, not {}",
                LENGTH + 1,
                LENGTH + MOST_BITS,
                def.key_size
            )));
        }
        let longest = LONGEST - MOST_BITS - HEAD;
        if def.value_size == 0 || def.value_size > longest || def.max_entries == 0 {
            return Err(MapFault::invalid(format!(
                "an lpm_trie needs values of 1 to {longest} bytes, and room for one entry or more"
            )));
        }
        Ok(())
    }

    /// Every entry may need a node where it parts from another, and one more replaces what is there.
    fn bytes(&self, def: &MapDef) -> u64 {
        u64::from(stride(def)) * 2 * u64::from(def.max_entries)
    }

    fn extent(&self, table: &Table, offset: u32) -> Range<u32> {
        let def = table.def();
        if offset / stride(def) >= table.cell(USED) {
            return 0..0;
        }
        let start = offset - offset % stride(def) + def.key_size.next_multiple_of(8);
        start..start + def.value_size
    }

    /// The longest prefix that fits.
    fn find(&self, table: &Table, key: &[u8]) -> Option<u32> {
        let key = Prefix::valid(key)?;
        let (mut node, mut found) = (table.cell(ROOT), None);
        while node != 0 {
            let prefix = prefix_of(table, node);
            if prefix.common(&key) < prefix.length {
                break;
            }
            if is_entry(table, node) {
                found = Some(node);
            }
            // A key ends here that a longer one goes on behind.
            if prefix.length >= key.length {
                break;
            }
            node = table.cell(child(node, key.bit(prefix.length)));
        }
        found
    }

    /// The more special come first.
    fn next(&self, table: &Table, slot: Option<u32>) -> Option<u32> {
        let Some(slot) = slot else { return first_below(table, table.cell(ROOT)) };
        let key = prefix_of(table, slot);
        // Down to the node, keeping in mind where the way goes on: at an entry on the way, or right of it.
        let (mut node, mut next) = (table.cell(ROOT), None);
        while node != slot && node != 0 {
            let side = key.bit(prefix_of(table, node).length);
            if is_entry(table, node) {
                next = Some((node, 0));
            }
            if side == 0 && table.cell(child(node, 1)) != 0 {
                next = Some((node, table.cell(child(node, 1))));
            }
            node = table.cell(child(node, side));
        }
        match next? {
            (entry, 0) => Some(entry),
            (_, right) => first_below(table, right),
        }
    }

    fn key(&self, table: &Table, slot: u32) -> Vec<u8> {
        key_of(table, slot).to_vec()
    }

    fn value(&self, table: &Table, slot: u32, _: u32) -> u32 {
        let def = table.def();
        (slot - 1) * stride(def) + def.key_size.next_multiple_of(8)
    }

    fn update(&self, table: &mut Access<'_>, bytes: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        if flags > change::EXIST {
            return Err(Errno::EINVAL);
        }
        let key = Prefix::valid(bytes).ok_or(Errno::EINVAL)?;
        let found = exact(table.table(), &key).is_some();
        match (found, flags) {
            (true, change::NOEXIST) => return Err(Errno::EEXIST),
            (false, change::EXIST) => return Err(Errno::ENOENT),
            (false, _) if table.cell(COUNT) == table.def().max_entries => return Err(Errno::ENOSPC),
            _ => {}
        }
        let Walk { node, common, link, .. } = walk(table.table(), &key);
        let new = allocate(table, bytes, true);
        let at = self.value(table.table(), new, 0);
        table.write(at, value);
        table.set_cell(COUNT, table.cell(COUNT) + u32::from(!found));
        if node == 0 {
            table.set_cell(link, new);
            return Ok(());
        }
        let there = prefix_of(table.table(), node);
        let (length, side) = (there.length, there.bit(common));
        if common == length {
            // The same prefix, with or without an entry: what is below stays below.
            for side in [0, 1] {
                table.set_cell(child(new, side), table.cell(child(node, side)));
            }
            table.set_cell(link, new);
            free(table, node);
        } else if common == key.length {
            table.set_cell(child(new, side), node);
            table.set_cell(link, new);
        } else {
            let mut fork = key_of(table.table(), node).to_vec();
            fork[..LENGTH as usize].copy_from_slice(&common.to_le_bytes());
            let fork = allocate(table, &fork, false);
            table.set_cell(child(fork, side), node);
            table.set_cell(child(fork, 1 - side), new);
            table.set_cell(link, fork);
        }
        Ok(())
    }

    fn delete(&self, table: &mut Access<'_>, key: &[u8]) -> Result<(), Errno> {
        let key = Prefix::valid(key).ok_or(Errno::EINVAL)?;
        let Walk { node, link, above: (above_link, above), .. } =
            exact(table.table(), &key).ok_or(Errno::ENOENT)?;
        table.set_cell(COUNT, table.cell(COUNT) - 1);
        match [0, 1].map(|side| table.cell(child(node, side))) {
            [0, 0] if above != 0 && !is_entry(table.table(), above) => {
                // Nothing parts there any more: the other child takes its place.
                let [left, right] = [0, 1].map(|side| table.cell(child(above, side)));
                table.set_cell(above_link, if left == node { right } else { left });
                free(table, above);
                free(table, node);
            }
            [left, right] if left != 0 && right != 0 => table.set_cell(child(node, ENTRY), 0),
            [left, right] => {
                table.set_cell(link, left.max(right));
                free(table, node);
            }
        }
        Ok(())
    }

    fn next_key(&self, table: &Table, key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        let slot = key.and_then(Prefix::valid).and_then(|key| exact(table, &key)).map(|at| at.node);
        let next = self.next(table, slot).ok_or(Errno::ENOENT)?;
        Ok(self.key(table, next))
    }
}
