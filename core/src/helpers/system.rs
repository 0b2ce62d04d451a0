//! Functions that tell about the machine: random numbers, the CPU.

use super::{Function, Implementation, Prototype, Ret};
use crate::machine::Quantity;

/// Linux's random numbers.
pub const GET_PRANDOM_U32: Function = Function {
    id: 7,
    name: "get_prandom_u32",
    doc: "gives a random 32-bit number",
    prototype: Prototype::new(&[], Ret::Integer),
    call: Implementation::Value(|host, _| {
        let mut random = host.world().random;
        let number = random.next_u32();
        host.set(Quantity::Random, random.0);
        Ok(number.into())
    }),
};

/// Linux's CPU number.
pub const GET_SMP_PROCESSOR_ID: Function = Function {
    id: 8,
    name: "get_smp_processor_id",
    doc: "gives the number of the CPU the program runs on",
    prototype: Prototype::new(&[], Ret::Integer),
    call: Implementation::Value(|host, _| Ok(host.world().cpu.into())),
};

/// What every program type may ask.
pub static SYSTEM: &[Function] = &[GET_PRANDOM_U32, GET_SMP_PROCESSOR_ID];
