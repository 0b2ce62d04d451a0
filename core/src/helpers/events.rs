//! Functions that give events to whoever listens, and that say where the program was called from
//! (kernel/trace/bpf_trace.c, net/core/filter.c, kernel/bpf/stackmap.c).

use super::{Arg, Function, Host, Implementation, Prototype, Ret, result};
use crate::errno::Errno;
use crate::isa::Reg;
use crate::machine::TrapKind;
use crate::maps::{events, function, stack_trace};

/// The number of an event's listener, in its flags (`BPF_F_INDEX_MASK`).
const INDEX: u64 = u32::MAX as u64;
/// How many bytes of the packet go behind the data, in the flags (`BPF_F_CTXLEN_MASK`).
const PACKET_LENGTH: u64 = 0xf_ffff << 32;

const OUTPUT: Prototype =
    Prototype::new(&[Arg::Context, Arg::Map, Arg::Anything, Arg::Memory, Arg::SizeOrZero], Ret::Integer)
        .for_some_tables()
        .gpl();

/// What programs that see packets may call.
pub static PACKETS: &[Function] = &[Function {
    id: function::PERF_EVENT_OUTPUT,
    name: "perf_event_output",
    doc: "gives the r5 bytes at r4, and behind them as many of the packet as the upper half of r3 says, to who listens at the index in the lower half in the table r2; 0, or a negative error",
    prototype: OUTPUT,
    call: Implementation::Value(|host, arguments| {
        let [_, _, flags, ..] = arguments;
        let skb = &host.world().skb;
        let length = ((flags & PACKET_LENGTH) >> 32) as u32;
        // All errors of the table come after those.
        if flags & !(PACKET_LENGTH | INDEX) != 0 {
            return Ok(Errno::EINVAL.result());
        }
        if length > skb.len {
            return Ok(Errno::EFAULT.result());
        }
        let mut packet = skb.packet.iter().copied().take(length as usize).collect::<Vec<u8>>();
        // What was cut off when the packet was captured is not known any more.
        packet.resize(length as usize, 0);
        output(host, arguments, &packet)
    }),
}];

/// What programs that trace may call.
pub static TRACES: &[Function] = &[
    Function {
        id: function::PERF_EVENT_OUTPUT,
        name: "perf_event_output",
        doc: "gives the r5 bytes at r4 to who listens at the index r3 in the table r2; 0, or a negative error",
        prototype: OUTPUT,
        call: Implementation::Value(|host, arguments| {
            if arguments[2] & !INDEX != 0 {
                return Ok(Errno::EINVAL.result());
            }
            output(host, arguments, &[])
        }),
    },
    Function {
        id: function::GET_STACKID,
        name: "get_stackid",
        doc: "puts the addresses that the program was called from into the table r2; their number there, or a negative error",
        prototype: Prototype::new(&[Arg::Context, Arg::Map, Arg::Anything], Ret::Integer)
            .gpl()
            .for_some_tables(),
        call: Implementation::Value(|host, [_, map, flags, ..]| {
            let map = table(host, function::GET_STACKID, map)?;
            let stacks = &host.world().stacks;
            let stack = if flags & stack_trace::USER == 0 { &stacks.kernel } else { &stacks.user };
            let stack = stack.clone();
            let number = host.with_table(map, |table| stack_trace::keep(table, &stack, flags));
            Ok(number.map_or_else(Errno::result, u64::from))
        }),
    },
];

fn output(
    host: &mut dyn Host,
    [_, map, flags, data, size]: [u64; 5],
    behind: &[u8],
) -> Result<u64, TrapKind> {
    let map = table(host, function::PERF_EVENT_OUTPUT, map)?;
    let mut data = host.bytes(data, size as u32)?;
    data.extend_from_slice(behind);
    Ok(result(host.with_table(map, |table| events::output(table, flags as u32, &data))))
}

/// The table whose handle is in r2, if `function` takes it.
fn table(host: &mut dyn Host, function: i32, handle: u64) -> Result<u16, TrapKind> {
    super::maps::table_in(host, Reg::R2, function, handle)
}
