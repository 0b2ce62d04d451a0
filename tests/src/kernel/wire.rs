//! Sockets whose filter can be asked what it returned, all 32 bits of it.
//!
//! A filter's result is seen by what arrives: nothing for 0, otherwise so many bytes, or all there are. What is beyond
//! the packet's length is asked bit by bit, of programs that return only that bit.

use bpf64_core::classic::encoding::{self, Raw};
use bpf64_core::classic::{Ancillary, Insn};
use std::io;

/// A way for packets to a socket that has a filter.
pub trait Wire {
    /// Makes the kernel check the program and filter by it from now on.
    ///
    /// # Errors
    /// The kernel's refusal.
    fn attach(&self, program: &[Raw]) -> io::Result<()>;

    /// Sends a packet through the filter: how many bytes arrive of those it saw, or `None` when it is dropped.
    ///
    /// # Errors
    /// When the sockets fail.
    fn deliver(&self, packet: &[u8]) -> io::Result<Option<usize>>;

    /// Whether packets come through a device.
    fn has_device(&self) -> bool;

    /// How many bytes of a packet the filter sees.
    fn seen(&self, packet: &[u8]) -> usize {
        packet.len()
    }

    /// As many bytes as arrive, whatever the filter says, if it is not 0.
    fn at_least(&self) -> usize {
        0
    }
}

/// How many bytes arrive when a filter returns `value` for this packet.
pub fn length(wire: &impl Wire, packet: &[u8], value: u32) -> Option<usize> {
    (value != 0).then(|| (value as usize).max(wire.at_least()).min(wire.seen(packet)))
}

/// All 32 bits of what a program returns for a packet. The length delivered tells a number below the packet's
/// own length; otherwise a program that compares the result with `guess` is asked, and when the guess was wrong,
/// each bit by a program that returns only that bit.
///
/// # Errors
/// The kernel's refusal.
pub fn value(wire: &impl Wire, program: &[Raw], packet: &[u8], guess: u32) -> io::Result<u32> {
    wire.attach(program)?;
    match wire.deliver(packet)? {
        None => return Ok(0),
        Some(length) if length > wire.at_least() && length < wire.seen(packet) => return Ok(length as u32),
        Some(_) => {}
    }
    let ask = |question| {
        wire.attach(&returning(program, question, wire.has_device()))?;
        Ok::<bool, io::Error>(wire.deliver(packet)?.is_some())
    };
    if ask(Question::Is(guess))? {
        return Ok(guess);
    }
    let mut value = 0;
    for bit in 0..32 {
        value |= u32::from(ask(Question::Bit(bit))?) << bit;
    }
    Ok(value)
}

/// What is asked of a result.
#[derive(Clone, Copy)]
enum Question {
    /// Whether it is this.
    Is(u32),
    /// Whether this bit is set.
    Bit(u32),
}

/// The program with every result replaced by the answer to a question about it, 1 or 0. Where there is no device, a
/// question for it returns A as it is; that this is so is seen by the program as it was, for an A below the packet's
/// length.
fn returning(program: &[Raw], question: Question, has_device: bool) -> Vec<Raw> {
    const RETURN_K: u16 = 0x06;
    const RETURN_A: u16 = 0x16;
    let insn = |code, k| Raw { code, jt: 0, jf: 0, k };
    let mut changed = program.to_vec();
    for (at, raw) in changed.iter_mut().enumerate() {
        let ends_with_a = !has_device
            && encoding::decode(*raw).is_ok_and(|insn| {
                matches!(insn, Insn::LoadAncillary { what: Ancillary::Ifindex | Ancillary::HardwareType, .. })
            });
        match raw.code {
            RETURN_K => {
                raw.k = match question {
                    Question::Is(value) => (raw.k == value).into(),
                    Question::Bit(bit) => raw.k >> bit & 1,
                };
            }
            code if code == RETURN_A || ends_with_a => *raw = insn(0x05, (program.len() - at - 1) as u32),
            _ => {}
        }
    }
    // Where the jumps that were `ret a` go: does A equal the value, or has it the bit?
    let test = match question {
        Question::Is(value) => Raw { jf: 1, ..insn(0x15, value) },
        Question::Bit(bit) => Raw { jf: 1, ..insn(0x45, 1 << bit) },
    };
    changed.extend([test, insn(RETURN_K, 1), insn(RETURN_K, 0)]);
    changed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::Generator;
    use bpf64_core::classic::{Program, interp};
    use std::rc::Rc;

    #[test]
    fn questions_about_a_result_are_answered() {
        for seed in 0..2000 {
            let mut make = Generator::new(seed);
            let (program, world) = (make.classic_program(20), make.bare_world());
            let run = |raw: &[Raw]| {
                let program = Rc::new(Program::from_raw(raw).expect("the changed program is one, too"));
                interp::run(&program, world.clone()).0
            };
            let value = run(&program.raw());
            let ask = |question| run(&returning(&program.raw(), question, false));
            assert_eq!(
                ask(Question::Is(value)),
                u32::from(value != 0 || !ends_early(&program, &world)),
                "{seed}"
            );
            assert_eq!(ask(Question::Is(value ^ 1 << (seed % 32))), 0, "{seed}");
            let bits = (0..32).map(|bit| ask(Question::Bit(bit)) << bit).sum::<u32>();
            assert_eq!(bits, value, "{seed}");
        }
    }

    /// With 0, in the middle of an instruction: to which nothing can be added.
    fn ends_early(program: &Program, world: &bpf64_core::environment::World) -> bool {
        use bpf64_core::machine::Ending;
        let (_, ending) = interp::run(&Rc::new(program.clone()), world.clone());
        matches!(ending, Ending::OutsidePacket | Ending::DivisionByZero)
    }
}
