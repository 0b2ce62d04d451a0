//! Where packets may be sent by `redirect_map`: devices (kernel/bpf/devmap.c), CPUs (cpumap.c), sockets
//! (net/xdp/xskmap.c).
//!
//! What is behind a number is not looked at: a device or a socket of any number is as good as another, where Linux
//! says `EINVAL` and `ENOTSOCK` of what it does not have. Programs that are run at the destination are refused.

use super::array::{after, check_index, index};
use super::definition::flag;
use super::hash::Chains;
use super::table::{Access, Table};
use super::{Holds, Kind, MapDef, MapFault, change, function};
use crate::errno::Errno;
use std::ops::Range;

/// `BPF_MAP_TYPE_DEVMAP`: values are `struct bpf_devmap_val`, the number of an interface and perhaps a program.
pub static DEVMAP: &dyn Kind = &Places {
    name: "devmap",
    number: 14,
    doc: "network devices by index, to send packets to",
    of: Of::Devices,
};
/// `BPF_MAP_TYPE_CPUMAP`: values are `struct bpf_cpumap_val`, the length of a queue and perhaps a program.
pub static CPUMAP: &dyn Kind =
    &Places { name: "cpumap", number: 16, doc: "queues of CPUs by number, to send packets to", of: Of::Cpus };
/// `BPF_MAP_TYPE_XSKMAP`: values are sockets, which programs see as the queue they are bound to.
pub static XSKMAP: &dyn Kind =
    &Places { name: "xskmap", number: 17, doc: "sockets by index, to send packets to", of: Of::Sockets };
/// `BPF_MAP_TYPE_DEVMAP_HASH`
pub static DEVMAP_HASH: &dyn Kind = &DeviceHash;

#[derive(Debug)]
struct Places {
    name: &'static str,
    number: u32,
    doc: &'static str,
    of: Of,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Devices,
    Cpus,
    Sockets,
}

#[derive(Debug)]
struct DeviceHash;

/// The most CPUs a kernel is built for (`NR_CPUS` of x86's largest configuration).
const NR_CPUS: u32 = 8192;
/// The longest queue of a CPU.
const LONGEST_QUEUE: u32 = 16384;
/// Bytes from one value to the next.
const STRIDE: u32 = 8;

/// A value's two numbers; a missing second one is 0.
fn parts(value: &[u8]) -> (u32, i32) {
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte));
    let (first, second) = value.split_at(value.len().min(4));
    (number(first), number(second) as i32)
}

fn check_value(def: &MapDef, sizes: &[u32]) -> Result<(), MapFault> {
    if sizes.contains(&def.value_size) {
        return Ok(());
    }
    let sizes: Vec<String> = sizes.iter().map(u32::to_string).collect();
    Err(MapFault::invalid(format!(
        "a value of the kind `{}` has {} bytes, not {}",
        def.kind.name(),
        sizes.join(" or "),
        def.value_size
    )))
}

impl Kind for Places {
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
        check_index(def)?;
        let outside = flag::NUMA_NODE | flag::RDONLY | flag::WRONLY;
        let (sizes, flags): (&[u32], u32) = match self.of {
            Of::Devices => (&[4, 8], outside),
            Of::Cpus => (&[4, 8], flag::NUMA_NODE),
            Of::Sockets => (&[4], outside),
        };
        check_value(def, sizes)?;
        def.check_flags(flags)?;
        if self.of == Of::Cpus && def.max_entries > NR_CPUS {
            return Err(MapFault::too_big(format!(
                "there are {NR_CPUS} CPUs at most, not {}",
                def.max_entries
            )));
        }
        Ok(())
    }

    fn sizes(&self) -> (Option<u32>, Option<u32>) {
        (Some(4), (self.of == Of::Sockets).then_some(4))
    }

    fn takes(&self, function: i32) -> bool {
        function == function::REDIRECT_MAP || function == function::LOOKUP && self.of != Of::Cpus
    }

    fn is_choosy(&self) -> bool {
        true
    }

    fn floods(&self) -> bool {
        self.of == Of::Devices
    }

    fn holds(&self) -> Holds {
        if self.of == Of::Sockets { Holds::Sockets } else { Holds::Facts }
    }

    fn stands_for(&self, def: &MapDef, other: &MapDef) -> bool {
        def.same_inside(other) && (self.of != Of::Sockets || def.max_entries == other.max_entries)
    }

    fn extent(&self, table: &Table, offset: u32) -> Range<u32> {
        let start = offset - offset % STRIDE;
        if offset / STRIDE >= table.def().max_entries {
            return 0..0;
        }
        start..start + table.def().value_size
    }

    fn find(&self, table: &Table, key: &[u8]) -> Option<u32> {
        index(table.def(), key).filter(|&index| table.cell(index) != 0)
    }

    fn next(&self, table: &Table, slot: Option<u32>) -> Option<u32> {
        let first = slot.map_or(0, |slot| slot + 1);
        (first..table.def().max_entries).find(|&index| table.cell(index) != 0)
    }

    fn key(&self, _: &Table, slot: u32) -> Vec<u8> {
        slot.to_le_bytes().to_vec()
    }

    fn value(&self, _: &Table, slot: u32, _: u32) -> u32 {
        slot * STRIDE
    }

    fn update(&self, table: &mut Access<'_>, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        if flags > change::EXIST {
            return Err(Errno::EINVAL);
        }
        let index = index(&table.def(), key).ok_or(Errno::E2BIG)?;
        let (number, program) = parts(value);
        let there = table.cell(index) != 0;
        match self.of {
            Of::Devices | Of::Cpus if flags == change::NOEXIST => return Err(Errno::EEXIST),
            Of::Sockets if flags == change::NOEXIST && there => return Err(Errno::EEXIST),
            Of::Sockets if flags == change::EXIST && !there => return Err(Errno::ENOENT),
            Of::Cpus if number > LONGEST_QUEUE => return Err(Errno::EOVERFLOW),
            Of::Cpus if index >= table.table().cpus() => return Err(Errno::ENODEV),
            Of::Devices | Of::Cpus | Of::Sockets => {}
        }
        if program > 0 {
            return Err(Errno::EINVAL);
        }
        // No device and no queue are as good as no entry.
        table.write(index * STRIDE, &number.to_le_bytes());
        table.set_cell(index, u32::from(number != 0 || self.of == Of::Sockets));
        table.grow((index + 1) * STRIDE);
        Ok(())
    }

    fn delete(&self, table: &mut Access<'_>, key: &[u8]) -> Result<(), Errno> {
        let index = index(&table.def(), key).ok_or(Errno::EINVAL)?;
        table.set_cell(index, 0);
        Ok(())
    }

    fn read(&self, table: &Table, key: &[u8]) -> Result<Vec<u8>, Errno> {
        match self.of {
            Of::Sockets => Err(Errno::EOPNOTSUPP),
            Of::Devices | Of::Cpus => {
                self.find(table, key).map(|slot| self.shown(table, slot)).ok_or(Errno::ENOENT)
            }
        }
    }

    fn next_key(&self, table: &Table, key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        // Every index, whether something is there or not.
        let def = table.def();
        let next = after(def, key.and_then(|key| index(def, key))).ok_or(Errno::ENOENT)?;
        Ok(next.to_le_bytes().to_vec())
    }
}

impl DeviceHash {
    fn chains(table: &Table) -> Chains {
        // Numbers of devices are small and follow each other: they are their own hash.
        Chains::new(table.def(), table.cpus(), 1).by(|key| parts(key).0)
    }
}

impl Kind for DeviceHash {
    fn name(&self) -> &'static str {
        "devmap_hash"
    }

    fn number(&self) -> u32 {
        25
    }

    fn doc(&self) -> &'static str {
        "network devices by any number, to send packets to"
    }

    fn check(&self, def: &MapDef) -> Result<(), MapFault> {
        check_index(def)?;
        check_value(def, &[4, 8])?;
        def.check_flags(flag::NUMA_NODE | flag::RDONLY | flag::WRONLY)?;
        if def.max_entries > 1 << 31 {
            return Err(MapFault::invalid("a devmap_hash may have 2147483648 entries"));
        }
        Ok(())
    }

    fn sizes(&self) -> (Option<u32>, Option<u32>) {
        (Some(4), None)
    }

    fn takes(&self, function: i32) -> bool {
        matches!(function, function::REDIRECT_MAP | function::LOOKUP)
    }

    fn is_choosy(&self) -> bool {
        true
    }

    fn floods(&self) -> bool {
        true
    }

    fn holds(&self) -> Holds {
        Holds::Facts
    }

    fn extent(&self, table: &Table, offset: u32) -> Range<u32> {
        Self::chains(table).value_around(offset, table.def().value_size)
    }

    fn find(&self, table: &Table, key: &[u8]) -> Option<u32> {
        Self::chains(table).find(table, key).map(|found| found.slot)
    }

    fn next(&self, table: &Table, slot: Option<u32>) -> Option<u32> {
        Self::chains(table).next(table, slot)
    }

    fn key(&self, table: &Table, slot: u32) -> Vec<u8> {
        Self::chains(table).key(table, slot)
    }

    fn value(&self, table: &Table, slot: u32, _: u32) -> u32 {
        Self::chains(table).value(slot, 0)
    }

    fn update(&self, table: &mut Access<'_>, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        let (device, program) = parts(value);
        if flags > change::EXIST || device == 0 {
            return Err(Errno::EINVAL);
        }
        let chains = Self::chains(table.table());
        let found = chains.find(table.table(), key);
        if found.is_some() && flags == change::NOEXIST {
            return Err(Errno::EEXIST);
        }
        if program > 0 {
            return Err(Errno::EINVAL);
        }
        // What is replaced comes to the head of its chain, too. `BPF_EXIST` is not asked for.
        let slot = match found {
            Some(found) => {
                chains.unlink(table, found);
                found.slot
            }
            None => chains.take(table).ok_or(Errno::E2BIG)?,
        };
        chains.insert(table, slot, key);
        table.write(chains.value(slot, 0), &device.to_le_bytes());
        Ok(())
    }

    fn delete(&self, table: &mut Access<'_>, key: &[u8]) -> Result<(), Errno> {
        let chains = Self::chains(table.table());
        let found = chains.find(table.table(), key).ok_or(Errno::ENOENT)?;
        chains.unlink(table, found);
        chains.free(table, found.slot);
        Ok(())
    }
}
