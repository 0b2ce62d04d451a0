//! Functions on tables (kernel/bpf/helpers.c).

use super::{Arg, Function, Host, Implementation, Prototype, Ret, result};
use crate::errno::Errno;
use crate::isa::Reg;
use crate::machine::TrapKind;
use crate::maps::Access;

/// The functions on tables that every program type has.
pub static MAPS: &[Function] = &[
    Function {
        id: 1,
        name: "map_lookup_elem",
        doc: "gives the address of the value of the key at r2 in the table r1, or 0",
        prototype: Prototype::new(&[Arg::Map, Arg::MapKey], Ret::MapValueOrNull).with_packet(),
        call: Implementation::Value(|host, [map, key, ..]| {
            let map = host.map(Reg::R1, map)?;
            let key = key_at(host, map, key)?;
            let found = host.with_table(map, |table| table.def().kind.lookup(table, &key));
            Ok(found.map_or(0, |offset| host.value_address(map, offset)))
        }),
    },
    Function {
        id: 2,
        name: "map_update_elem",
        doc: "puts the value at r3 under the key at r2 into the table r1; 0, or a negative error",
        prototype: Prototype::new(&[Arg::Map, Arg::MapKey, Arg::MapValue, Arg::Anything], Ret::Integer)
            .with_packet(),
        call: Implementation::Value(|host, [map, key, value, flags, _]| {
            let map = host.map(Reg::R1, map)?;
            let key = key_at(host, map, key)?;
            let value = value_at(host, map, value)?;
            on(host, map, |table| table.def().kind.update(table, &key, &value, flags))
        }),
    },
    Function {
        id: 3,
        name: "map_delete_elem",
        doc: "takes the key at r2 out of the table r1; 0, or a negative error",
        prototype: Prototype::new(&[Arg::Map, Arg::MapKey], Ret::Integer).with_packet(),
        call: Implementation::Value(|host, [map, key, ..]| {
            let map = host.map(Reg::R1, map)?;
            let key = key_at(host, map, key)?;
            on(host, map, |table| table.def().kind.delete(table, &key))
        }),
    },
];

fn key_at(host: &mut dyn Host, map: u16, address: u64) -> Result<Vec<u8>, TrapKind> {
    let size = host.with_table(map, |table| table.def().key_size);
    host.bytes(address, size)
}

fn value_at(host: &mut dyn Host, map: u16, address: u64) -> Result<Vec<u8>, TrapKind> {
    let size = host.with_table(map, |table| table.def().value_size);
    host.bytes(address, size)
}

/// An operation that succeeds or fails.
fn on(
    host: &mut dyn Host,
    map: u16,
    what: impl FnOnce(&mut Access<'_>) -> Result<(), Errno>,
) -> Result<u64, TrapKind> {
    Ok(result(host.with_table(map, what)))
}
