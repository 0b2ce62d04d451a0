//! Functions on ring buffers (kernel/bpf/ringbuf.c).

use super::maps::table;
use super::{Arg, Function, Host, Implementation, Prototype, Ret, result};
use crate::isa::Reg;
use crate::machine::TrapKind;
use crate::maps::{function, ringbuf};

/// The functions of this file.
pub static RINGBUF: &[Function] = &[
    Function {
        id: function::RINGBUF_OUTPUT,
        name: "ringbuf_output",
        doc: "copies the r3 bytes at r2 to the ring buffer r1 as a record; 0, or a negative error",
        prototype: Prototype::new(&[Arg::Map, Arg::Memory, Arg::SizeOrZero, Arg::Anything], Ret::Integer)
            .for_some_tables(),
        call: Implementation::Value(|host, [map, data, size, flags, _]| {
            let map = table(host, function::RINGBUF_OUTPUT, map)?;
            let data = host.bytes(data, size as u32)?;
            Ok(result(host.with_table(map, |table| ringbuf::output(table, &data, flags))))
        }),
    },
    Function {
        id: function::RINGBUF_RESERVE,
        name: "ringbuf_reserve",
        doc: "gives room for a record of r2 bytes in the ring buffer r1, or 0; to be handed back",
        prototype: Prototype::new(&[Arg::Map, Arg::AllocSize, Arg::Anything], Ret::RecordOrNull)
            .for_some_tables(),
        call: Implementation::Value(|host, [map, size, flags, ..]| {
            let map = table(host, function::RINGBUF_RESERVE, map)?;
            let at =
                host.with_table(map, |table| if flags == 0 { ringbuf::reserve(table, size) } else { None });
            Ok(at.map_or(0, |at| host.value_address(map, at)))
        }),
    },
    Function {
        id: 132,
        name: "ringbuf_submit",
        doc: "hands the record r1 over to whoever reads the ring buffer",
        prototype: HAND_BACK,
        call: Implementation::Value(|host, [record, ..]| finish(host, record, false)),
    },
    Function {
        id: 133,
        name: "ringbuf_discard",
        doc: "throws the record r1 away: who reads the ring buffer does not see it",
        prototype: HAND_BACK,
        call: Implementation::Value(|host, [record, ..]| finish(host, record, true)),
    },
    Function {
        id: function::RINGBUF_QUERY,
        name: "ringbuf_query",
        doc: "gives of the ring buffer r1 by r2: 0 the bytes not read yet, 1 its size, 2 the reader's position, 3 the writers'",
        prototype: Prototype::new(&[Arg::Map, Arg::Anything], Ret::Integer).for_some_tables(),
        call: Implementation::Value(|host, [map, what, ..]| {
            let map = table(host, function::RINGBUF_QUERY, map)?;
            Ok(host.with_table(map, |table| ringbuf::query(table.table(), what)))
        }),
    },
];

const HAND_BACK: Prototype = Prototype::new(&[Arg::Record, Arg::Anything], Ret::Void);

/// Hands a record over or throws it away. Who waits is always as good as woken, so the flags say nothing here.
fn finish(host: &mut dyn Host, record: u64, discard: bool) -> Result<u64, TrapKind> {
    let taken = host.value_of(record).is_some_and(|(map, at)| {
        host.with_table(map, |table| {
            table.def().kind.takes(function::RINGBUF_RESERVE) && ringbuf::finish(table, at, discard)
        })
    });
    let expected = "a record that was reserved";
    if taken { Ok(0) } else { Err(TrapKind::Argument { reg: Reg::R1, value: record, expected }) }
}
