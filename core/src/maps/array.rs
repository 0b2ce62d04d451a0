//! Arrays: every index below `max_entries` is always there (kernel/bpf/arraymap.c).

use super::table::{Access, Table};
use super::{Kind, MapDef, MapFault, invalid, update};
use crate::errno::Errno;
use std::ops::Range;

/// `BPF_MAP_TYPE_ARRAY`
pub static ARRAY: &dyn Kind = &Array;

#[derive(Debug)]
struct Array;

/// Bytes from one value to the next: values begin at multiples of 8.
fn stride(def: &MapDef) -> u32 {
    def.value_size.next_multiple_of(8)
}

/// The index in a key, if there is such an element.
fn index(def: &MapDef, key: &[u8]) -> Option<u32> {
    let index = u32::from_le_bytes(key.try_into().ok()?);
    (index < def.max_entries).then_some(index)
}

impl Kind for Array {
    fn name(&self) -> &'static str {
        "array"
    }

    fn number(&self) -> u32 {
        2
    }

    fn doc(&self) -> &'static str {
        "values by index, all there from the start"
    }

    fn check(&self, def: &MapDef) -> Result<(), MapFault> {
        if def.key_size != 4 {
            return Err(invalid(format!("an array's key is an index of 4 bytes, not {}", def.key_size)));
        }
        if def.value_size == 0 || def.max_entries == 0 {
            return Err(invalid("an array needs values of one byte or more, and one element or more"));
        }
        Ok(())
    }

    fn lookup(&self, table: &mut Access<'_>, key: &[u8]) -> Option<u32> {
        let def = table.def();
        let start = index(&def, key)? * stride(&def);
        table.grow(start + def.value_size);
        Some(start)
    }

    fn update(&self, table: &mut Access<'_>, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        let def = table.def();
        if flags > update::EXIST {
            return Err(Errno::EINVAL);
        }
        let index = index(&def, key).ok_or(Errno::E2BIG)?;
        if flags == update::NOEXIST {
            return Err(Errno::EEXIST);
        }
        table.write(index * stride(&def), value);
        Ok(())
    }

    fn delete(&self, _: &mut Access<'_>, _: &[u8]) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    fn next_key(&self, table: &Table, key: Option<&[u8]>) -> Option<Vec<u8>> {
        let def = table.def();
        let next = match key.and_then(|key| index(def, key)) {
            Some(index) => index + 1,
            None => 0,
        };
        (next < def.max_entries).then(|| next.to_le_bytes().to_vec())
    }

    fn read(&self, table: &Table, key: &[u8]) -> Option<Vec<u8>> {
        let def = table.def();
        Some(table.copy(index(def, key)? * stride(def), def.value_size))
    }

    fn direct_value(&self) -> bool {
        true
    }

    fn extent(&self, def: &MapDef, offset: u32) -> Range<u32> {
        if offset / stride(def) >= def.max_entries {
            return 0..0;
        }
        let start = offset - offset % stride(def);
        start..start + def.value_size
    }
}
