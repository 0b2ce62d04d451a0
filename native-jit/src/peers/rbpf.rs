//! rbpf: an interpreter that checks each access, a JIT that checks none, and a compiler on top of cranelift.
//!
//! Compiled code is entered by an `unsafe` function of theirs, since nothing is checked in it: here it runs only what
//! our verifier has proved.
#![allow(unsafe_code)]

use super::Adapted;
use rbpf::EbpfVmMbuff;

/// Which of its engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The interpreter.
    Interpreter,
    /// The JIT.
    Jit,
    /// The compiler.
    Cranelift,
}

/// A program that is ready to run.
pub struct Machine {
    // The machine borrows its program; both stay as long as this process, which measures some and ends.
    vm: EbpfVmMbuff<'static>,
    context: Vec<u8>,
    packet: Vec<u8>,
    mode: Mode,
}

impl Machine {
    /// Loads it, and compiles it if the mode is to do so.
    ///
    /// # Errors
    /// rbpf's, in its words.
    pub fn new(adapted: &Adapted, mode: Mode) -> Result<Self, String> {
        let text: &'static [u8] = adapted.text.clone().leak();
        let packet = adapted.packet.clone();
        let context = adapted.context(packet.as_ptr().addr() as u64);
        let refused = |error: rbpf::lib::Error| error.to_string();
        let mut vm = EbpfVmMbuff::new(Some(text)).map_err(refused)?;
        match mode {
            Mode::Interpreter => {}
            Mode::Jit => vm.jit_compile().map_err(refused)?,
            Mode::Cranelift => vm.cranelift_compile().map_err(refused)?,
        }
        Ok(Machine { vm, context, packet, mode })
    }

    /// Runs it once, and gives r0.
    ///
    /// # Errors
    /// rbpf's: an access outside.
    pub fn run(&mut self) -> Result<u64, String> {
        let Machine { vm, context, packet, mode } = self;
        let ended = match mode {
            Mode::Interpreter => vm.execute_program(packet, context),
            // SAFETY: the program was proved by our verifier to stay within packet, context and stack, and what is
            // proved of Linux's context holds of the adapted one: fields are where they were, and the two addresses are
            // those of this packet, which lives in `self` and was not moved since they were written.
            Mode::Jit => unsafe { vm.execute_program_jit(packet, context) },
            Mode::Cranelift => vm.execute_program_cranelift(packet, context),
        };
        ended.map_err(|error| error.to_string().lines().next().unwrap_or_default().to_owned())
    }
}
