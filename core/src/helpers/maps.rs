//! Functions on tables (kernel/bpf/helpers.c).

use super::{Arg, Function, Host, Implementation, Prototype, Ret, result};
use crate::errno::Errno;
use crate::isa::Reg;
use crate::machine::TrapKind;
use crate::maps::{Access, Holds, function};

/// The functions on tables that every program type has.
pub static MAPS: &[Function] = &[
    Function {
        id: function::LOOKUP,
        name: "map_lookup_elem",
        doc: "gives the address of the value of the key at r2 in the table r1, or 0",
        prototype: Prototype::new(&[Arg::Map, Arg::MapKey], Ret::MapValueOrNull)
            .with_packet()
            .finding_preset(),
        call: Implementation::Value(|host, [map, key, ..]| {
            let map = any_table(host, function::LOOKUP, map)?;
            let key = key_at(host, map, key)?;
            let found = host.with_table(map, |table| {
                let def = table.def();
                let value = def.kind.lookup(table, &key)?;
                Some((value, (def.kind.holds() == Holds::Tables).then(|| table.table().number(value))))
            });
            Ok(match found {
                None => 0,
                Some((_, Some(inner))) => host.map_handle(inner as u16),
                Some((value, None)) => host.value_address(map, value),
            })
        }),
    },
    Function {
        id: function::UPDATE,
        name: "map_update_elem",
        doc: "puts the value at r3 under the key at r2 into the table r1; 0, or a negative error",
        prototype: Prototype::new(&[Arg::Map, Arg::MapKey, Arg::MapValue, Arg::Anything], Ret::Integer)
            .with_packet()
            .changing_table(),
        call: Implementation::Value(|host, [map, key, value, flags, _]| {
            let map = changed(host, any_table, function::UPDATE, map)?;
            let key = key_at(host, map, key)?;
            let value = value_at(host, map, value)?;
            on(host, map, |table| table.def().kind.update(table, &key, &value, flags))
        }),
    },
    Function {
        id: function::DELETE,
        name: "map_delete_elem",
        doc: "takes the key at r2 out of the table r1; 0, or a negative error",
        prototype: Prototype::new(&[Arg::Map, Arg::MapKey], Ret::Integer).with_packet().changing_table(),
        call: Implementation::Value(|host, [map, key, ..]| {
            let map = changed(host, any_table, function::DELETE, map)?;
            let key = key_at(host, map, key)?;
            on(host, map, |table| table.def().kind.delete(table, &key))
        }),
    },
    Function {
        id: function::PUSH,
        name: "map_push_elem",
        doc: "adds the value at r2 to the queue, stack or Bloom filter r1; 0, or a negative error",
        prototype: Prototype::new(&[Arg::Map, Arg::MapValue, Arg::Anything], Ret::Integer)
            .with_packet()
            .changing_table()
            .for_some_tables(),
        call: Implementation::Value(|host, [map, value, flags, ..]| {
            let map = changed(host, table, function::PUSH, map)?;
            let value = value_at(host, map, value)?;
            on(host, map, |table| table.def().kind.push(table, &value, flags))
        }),
    },
    Function {
        id: function::POP,
        name: "map_pop_elem",
        doc: "takes the next value out of the queue or stack r1, to r2; 0, or a negative error",
        prototype: Prototype::new(&[Arg::Map, Arg::MapValueOut], Ret::Integer)
            .changing_table()
            .for_some_tables(),
        call: Implementation::Value(|host, [map, address, ..]| {
            let map = changed(host, table, function::POP, map)?;
            // What may trap comes first, what cannot be taken back last.
            let outcome = peek(host, map, address)?;
            if outcome.is_err() {
                return Ok(result(outcome));
            }
            on(host, map, |table| {
                let mut value = vec![0; table.def().value_size as usize];
                table.def().kind.pop(table, &mut value)
            })
        }),
    },
    Function {
        id: function::PEEK,
        name: "map_peek_elem",
        doc: "copies the next value of the queue or stack r1 to r2, or asks a Bloom filter about that at r2; 0, or a negative error",
        prototype: Prototype::new(&[Arg::Map, Arg::MapValueOut], Ret::Integer).for_some_tables(),
        call: Implementation::Value(|host, [map, address, ..]| {
            let map = table(host, function::PEEK, map)?;
            let asks = host.with_table(map, |table| table.def().kind.peek_asks());
            if asks {
                let mut value = value_at(host, map, address)?;
                return on(host, map, |table| table.def().kind.peek(table.table(), &mut value));
            }
            peek(host, map, address).map(result)
        }),
    },
    Function {
        id: function::LOOKUP_PERCPU,
        name: "map_lookup_percpu_elem",
        doc: "gives the address of the value that CPU r3 has of the key at r2 in the table r1, or 0",
        prototype: Prototype::new(&[Arg::Map, Arg::MapKey, Arg::Anything], Ret::MapValueOrNull)
            .with_packet()
            .for_some_tables(),
        call: Implementation::Value(|host, [map, key, cpu, ..]| {
            let map = table(host, function::LOOKUP_PERCPU, map)?;
            let key = key_at(host, map, key)?;
            // As Linux takes it: a number of 32 bits.
            let cpu = cpu as u32;
            let found = host.with_table(map, |table| {
                if cpu >= table.table().cpus() { None } else { table.def().kind.lookup_on(table, &key, cpu) }
            });
            Ok(found.map_or(0, |value| host.value_address(map, value)))
        }),
    },
];

/// The table that a handle is of, for the function with that number.
type Find = fn(&mut dyn Host, i32, u64) -> Result<u16, TrapKind>;

/// The table whose handle is in r1, if `function` takes it.
pub(super) fn table(host: &mut dyn Host, function: i32, handle: u64) -> Result<u16, TrapKind> {
    table_in(host, Reg::R1, function, handle)
}

/// The table whose handle is in `reg`, if `function` takes it.
pub(super) fn table_in(host: &mut dyn Host, reg: Reg, function: i32, handle: u64) -> Result<u16, TrapKind> {
    let map = host.map(reg, handle)?;
    let takes = host.with_table(map, |table| table.def().kind.takes(function));
    taken(takes, reg, map, handle)
}

/// The table whose handle is in r1, if it is one for functions that take any, or for `function`.
fn any_table(host: &mut dyn Host, function: i32, handle: u64) -> Result<u16, TrapKind> {
    let map = host.map(Reg::R1, handle)?;
    let takes = host.with_table(map, |table| {
        let kind = table.def().kind;
        !kind.is_choosy() || kind.takes(function)
    });
    taken(takes, Reg::R1, map, handle)
}

fn taken(takes: bool, reg: Reg, map: u16, handle: u64) -> Result<u16, TrapKind> {
    let expected = "a map of a kind that it is for";
    if takes { Ok(map) } else { Err(TrapKind::Argument { reg, value: handle, expected }) }
}

/// The same, if programs may change the table.
fn changed(host: &mut dyn Host, find: Find, function: i32, handle: u64) -> Result<u16, TrapKind> {
    let map = find(host, function, handle)?;
    let may = host.with_table(map, |table| table.def().programs_write());
    let expected = "a map that programs may write to";
    if may { Ok(map) } else { Err(TrapKind::Argument { reg: Reg::R1, value: handle, expected }) }
}

fn key_at(host: &mut dyn Host, map: u16, address: u64) -> Result<Vec<u8>, TrapKind> {
    let size = host.with_table(map, |table| table.def().key_size);
    host.bytes(address, size)
}

fn value_at(host: &mut dyn Host, map: u16, address: u64) -> Result<Vec<u8>, TrapKind> {
    let size = host.with_table(map, |table| table.def().value_size);
    host.bytes(address, size)
}

/// Copies the value that comes out next to `address`; of an empty table zeros.
fn peek(host: &mut dyn Host, map: u16, address: u64) -> Result<Result<(), Errno>, TrapKind> {
    let mut value = vec![0; host.with_table(map, |table| table.def().value_size) as usize];
    let outcome = host.with_table(map, |table| table.def().kind.peek(table.table(), &mut value));
    host.write(address, &value)?;
    Ok(outcome)
}

/// An operation that succeeds or fails.
fn on(
    host: &mut dyn Host,
    map: u16,
    what: impl FnOnce(&mut Access<'_>) -> Result<(), Errno>,
) -> Result<u64, TrapKind> {
    Ok(result(host.with_table(map, what)))
}
