//! Bloom filters (kernel/bpf/bloom_filter.c): sets that may say "perhaps" of what was never put in, and never "no" of
//! what was. The bytes are the bits.

use super::definition::{LONGEST, flag};
use super::jhash::jhash;
use super::table::{Access, Table};
use super::{Kind, MapDef, MapFault, change, function};
use crate::errno::Errno;
use std::ops::Range;

/// `BPF_MAP_TYPE_BLOOM_FILTER`; `extra` is how many hashes a value has, 0 for five.
pub static BLOOM_FILTER: &dyn Kind = &Bloom;

#[derive(Debug)]
struct Bloom;

const USUAL_HASHES: u32 = 5;
const MOST_HASHES: u32 = 15;
/// The fewest bits: a machine word.
const FEWEST: u64 = 64;

fn hashes(def: &MapDef) -> u32 {
    if def.extra == 0 { USUAL_HASHES } else { def.extra }
}

/// How many bits: the optimum is entries times hashes divided by ln 2, which is near 5/7, and a power of two.
fn bits(def: &MapDef) -> u64 {
    let product = u64::from(def.max_entries) * u64::from(hashes(def));
    let wanted = product / 5 * 7;
    if product > u64::from(u32::MAX) || wanted > 1 << 31 {
        return 1 << 32;
    }
    wanted.max(FEWEST).next_power_of_two()
}

/// The bits of a value.
fn places<'a>(def: &'a MapDef, value: &'a [u8]) -> impl Iterator<Item = (u32, u8)> + 'a {
    let mask = (bits(def) - 1) as u32;
    (0..hashes(def)).map(move |seed| jhash(value, seed) & mask).map(|bit| (bit / 8, 1 << (bit % 8)))
}

impl Kind for Bloom {
    fn name(&self) -> &'static str {
        "bloom_filter"
    }

    fn number(&self) -> u32 {
        30
    }

    fn doc(&self) -> &'static str {
        "a set that may say perhaps of what is not in it"
    }

    fn check(&self, def: &MapDef) -> Result<(), MapFault> {
        if def.value_size > LONGEST {
            return Err(MapFault::too_big(format!("a value may have {LONGEST} bytes")));
        }
        if def.key_size != 0 {
            return Err(MapFault::invalid(format!(
                "a Bloom filter has no keys: leave out `key={}`",
                def.key_size
            )));
        }
        if def.value_size == 0 || def.max_entries == 0 {
            return Err(MapFault::invalid("a Bloom filter needs a value, and one entry or more"));
        }
        if def.extra > MOST_HASHES {
            return Err(MapFault::invalid(format!(
                "`extra` is how many hashes a value has, at most {MOST_HASHES}, not {}",
                def.extra
            )));
        }
        def.check_flags(flag::NUMA_NODE | flag::ACCESS | flag::ZERO_SEED)
    }

    fn bytes(&self, def: &MapDef) -> u64 {
        bits(def) / 8
    }

    fn sizes(&self) -> (Option<u32>, Option<u32>) {
        (Some(0), None)
    }

    fn takes_extra(&self) -> bool {
        true
    }

    fn takes(&self, function: i32) -> bool {
        matches!(function, function::PUSH | function::PEEK)
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

    /// What was put in cannot be told.
    fn next(&self, _: &Table, _: Option<u32>) -> Option<u32> {
        None
    }

    fn key(&self, _: &Table, _: u32) -> Vec<u8> {
        Vec::new()
    }

    fn value(&self, _: &Table, _: u32, _: u32) -> u32 {
        0
    }

    fn update(&self, _: &mut Access<'_>, _: &[u8], _: &[u8], _: u64) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    fn delete(&self, _: &mut Access<'_>, _: &[u8]) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    fn push(&self, table: &mut Access<'_>, value: &[u8], flags: u64) -> Result<(), Errno> {
        if flags != change::ANY {
            return Err(Errno::EINVAL);
        }
        let def = table.def();
        for (byte, bit) in places(&def, value) {
            let before = table.table().copy(byte, 1)[0];
            table.write(byte, &[before | bit]);
        }
        Ok(())
    }

    fn peek(&self, table: &Table, value: &mut [u8]) -> Result<(), Errno> {
        let set = |(byte, bit)| table.bytes().get(byte as usize).is_some_and(|bits| bits & bit != 0);
        if places(table.def(), value).all(set) { Ok(()) } else { Err(Errno::ENOENT) }
    }

    fn peek_asks(&self) -> bool {
        true
    }

    /// A lookup from outside hands the value in.
    fn read(&self, _: &Table, _: &[u8]) -> Result<Vec<u8>, Errno> {
        Err(Errno::ENOENT)
    }

    fn write(&self, table: &mut Access<'_>, _: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        self.push(table, value, flags)
    }

    fn next_key(&self, _: &Table, _: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        Err(Errno::EOPNOTSUPP)
    }
}
