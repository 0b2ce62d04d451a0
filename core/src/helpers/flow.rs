//! Functions that say what runs next: loops over callbacks, and tail calls.

use super::maps::table;
use super::prototype::{Callback, Given};
use super::{Arg, Function, Implementation, Next, Prototype, Ret, Turn};
use crate::errno::Errno;
use crate::isa::Reg;
use crate::maps::function;

/// The most rounds of `loop` (`BPF_MAX_LOOPS`).
pub const MAX_LOOPS: u32 = 8 * 1024 * 1024;

/// The functions of this file.
pub static FLOW: &[Function] = &[TAIL_CALL, LOOP, FOR_EACH];

/// Goes on in another program (kernel/bpf/core.c).
const TAIL_CALL: Function = Function {
    id: 12,
    name: "tail_call",
    doc: "goes on in the program at index r3 of the table r2, and does not come back; does nothing when there is none",
    prototype: Prototype::new(&[Arg::Context, Arg::Map, Arg::Anything], Ret::Void)
        .for_some_tables()
        .going_on(),
    call: Implementation::Control(|host, Turn { arguments: [_, map, index, ..], .. }| {
        let map = host.map(Reg::R2, map)?;
        let index = (index as u32).to_le_bytes();
        let program = host.with_table(map, |table| table.table().read(&index));
        let number = program.ok().and_then(|number| Some(u32::from_le_bytes(*number.first_chunk()?)));
        Ok(number.map_or(Next::Return(0), |program| Next::TailCall { program }))
    }),
};

/// Calls back so many times (kernel/bpf/bpf_iter.c).
const LOOP: Function = Function {
    id: 181,
    name: "loop",
    doc: "calls the function r2 with 0, 1, … below r1, and r3, until it gives 1; how often it was called, or a negative error",
    prototype: Prototype::new(&[Arg::Anything, Arg::Callback, Arg::StackOrNull, Arg::Anything], Ret::Integer)
        .calling_back(Callback {
            with: [Given::Number, Given::Argument(2), Given::Nothing, Given::Nothing, Given::Nothing],
            at_most: Some(0),
            in_place_if_zero: Some(3),
        }),
    call: Implementation::Control(|_, Turn { arguments, state, returned }| {
        let [rounds, function, context, flags, _] = arguments;
        let [done, ..] = state;
        // As Linux inlines it where it knows that there are no flags (`inline_bpf_loop`): all 64 bits count, and the error
        // has 32. The function itself would look at the lower half and give an error of 64 bits.
        Ok(if flags != 0 {
            Next::Return(Errno::EINVAL.result())
        } else if rounds > u64::from(MAX_LOOPS) {
            Next::Return(u64::from(Errno::E2BIG.result() as u32))
        } else if returned.is_some_and(|stop| stop != 0) || u64::from(done) == rounds {
            Next::Return(done.into())
        } else {
            Next::Callback { function, with: [done.into(), context, 0, 0, 0], state: [done + 1, 0, 0] }
        })
    }),
};

/// Calls back with every entry of a table (`bpf_for_each_array_elem`, `bpf_for_each_hash_elem`).
const FOR_EACH: Function = Function {
    id: function::FOR_EACH,
    name: "for_each_map_elem",
    doc: "calls the function r2 with the table r1, the address of the key and of the value of each of its entries, and r3, until it gives 1; how often it was called, or a negative error",
    prototype: Prototype::new(&[Arg::Map, Arg::Callback, Arg::StackOrNull, Arg::Anything], Ret::Integer)
        .for_some_tables()
        .calling_back(Callback {
            with: [Given::Argument(0), Given::Key, Given::Value, Given::Argument(2), Given::Nothing],
            at_most: None,
            in_place_if_zero: None,
        }),
    call: Implementation::Control(|host, Turn { arguments, state, returned }| {
        let [handle, function, context, flags, _] = arguments;
        let map = table(host, function::FOR_EACH, handle)?;
        if flags != 0 {
            return Ok(Next::Return(Errno::EINVAL.result()));
        }
        // How often it was called back; where it was then and what came next, each plus one.
        let [called, current, following] = state;
        if returned.is_some_and(|stop| stop != 0) {
            return Ok(Next::Return(called.into()));
        }
        let next = host.with_table(map, |access| {
            let (def, cpu) = (access.def(), access.cpu());
            let (kind, table) = (def.kind, access.table());
            let there = |slot| kind.find(table, &kind.key(table, slot)) == Some(slot);
            let next = match current.checked_sub(1) {
                None => kind.next(table, None),
                Some(slot) if there(slot) => kind.next(table, Some(slot)),
                // The callback took it out: what came behind it then comes now, as in Linux, whose entries go on pointing
                // to those behind them.
                Some(_) => following.checked_sub(1),
            }?;
            let following = if there(next) { kind.next(table, Some(next)) } else { None };
            let (key, value) = (kind.key(table, next), kind.value(table, next, cpu));
            access.grow(value + def.value_size);
            Some((key, value, [called + 1, next + 1, following.map_or(0, |slot| slot + 1)]))
        });
        Ok(match next {
            None => Next::Return(called.into()),
            Some((key, value, state)) => {
                let with = [handle, host.key(&key), host.value_address(map, value), context, 0];
                Next::Callback { function, with, state }
            }
        })
    }),
};
