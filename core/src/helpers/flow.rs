//! Functions that say what runs next: loops over callbacks, and tail calls.

use super::{Arg, Function, Implementation, Next, Prototype, Ret, Turn};
use crate::errno::Errno;
use crate::isa::Reg;

/// The most rounds of `loop` (`BPF_MAX_LOOPS`).
pub const MAX_LOOPS: u32 = 8 * 1024 * 1024;

/// The functions of this file.
pub static FLOW: &[Function] = &[TAIL_CALL, LOOP];

/// Goes on in another program (kernel/bpf/core.c).
const TAIL_CALL: Function = Function {
    id: 12,
    name: "tail_call",
    doc: "goes on in the program at index r3 of the table r2, and does not come back; does nothing when there is none",
    prototype: Prototype::new(&[Arg::Context, Arg::Map, Arg::Anything], Ret::Void),
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
    prototype: Prototype::new(&[Arg::Anything, Arg::Callback, Arg::StackOrNull, Arg::Anything], Ret::Integer),
    call: Implementation::Control(|_, Turn { arguments, state, returned }| {
        let [rounds, function, context, flags, _] = arguments;
        // As Linux inlines it where it knows that there are no flags (`inline_bpf_loop`): all 64 bits count, and the error
        // has 32. The function itself would look at the lower half and give an error of 64 bits.
        Ok(if flags != 0 {
            Next::Return(Errno::EINVAL.result())
        } else if rounds > u64::from(MAX_LOOPS) {
            Next::Return(u64::from(Errno::E2BIG.result() as u32))
        } else if returned.is_some_and(|stop| stop != 0) || state == rounds {
            Next::Return(state)
        } else {
            Next::Callback { function, with: [state, context, 0, 0, 0], state: state + 1 }
        })
    }),
};
