//! The code generator: from a proved program to x86-64 code, in a few passes over its instructions, each of which looks
//! at a function at a time.
//!
//! `plan` says what is compiled, `inline` and `find` what stands in place of calls, `registers` where eBPF's registers are, `live` which of them are wanted later, `emit`
//! writes the code, an instruction at a time with a look at those behind it. What was proved, `known` tells. Nothing in
//! here depends on the machine it runs on.

mod emit;
mod find;
mod inline;
mod known;
mod live;
mod magic;
mod operands;
mod plan;
mod reach;
mod registers;
mod slots;

use crate::abi::BLOCK;
use crate::code::{Code, CompileError};
use crate::x64::{Gpr, Set};
use bpf64_core::environment::Environment;
use bpf64_core::helpers::Implementation;
use bpf64_core::isa::{Callee, Insn, WideImm};
use bpf64_core::verifier::Verified;
use emit::{Emitter, Prepared};
use known::Known;
use plan::Function;
use registers::{Census, Registers};

/// What to compile for, and what to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// The CPU has the shifts and the multiplication of BMI2.
    pub bmi2: bool,
    /// The CPU has MOVBE.
    pub movbe: bool,
    /// Count instructions, so that a run can be given up.
    pub budget: bool,
    /// Other programs may go on to this one by tail calls.
    pub tail_target: bool,
    /// Say why code is as it is.
    pub notes: bool,
}

impl Options {
    /// For the CPU that this runs on; for a plain one elsewhere.
    #[must_use]
    pub fn host() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let (bmi2, movbe) =
                (std::arch::is_x86_feature_detected!("bmi2"), std::arch::is_x86_feature_detected!("movbe"));
            Options { bmi2, movbe, ..Options::default() }
        }
        #[cfg(not(target_arch = "x86_64"))]
        Options::default()
    }
}

/// What the functions of a program need of each other.
struct Needs {
    /// The address of the block is in a register, and in which.
    block: bool,
    block_in: Gpr,
    /// Functions of the environment may call back, or go on to another program.
    controls: bool,
    /// The frame pointer is in its register.
    framed: bool,
    /// Functions of the environment are called.
    calls_out: bool,
    /// Runs may end from within: a function traps, or too many instructions were executed.
    ends_within: bool,
    /// Runs begin at a gate of their own, not in `main`.
    gate: bool,
    /// Any function loads from the packet in the old way.
    loads_packet: bool,
    /// Functions are called back.
    called_back: bool,
    /// What functions keep for each other.
    kept: Set,
    /// Of each function, whether it or one it calls uses a frame.
    frames: Vec<bool>,
}

impl Needs {
    /// Finds out who uses a frame, when it is known what of the stack is in registers.
    fn find_frames(&mut self, functions: &[Function], censuses: &[Census]) {
        self.frames = frames(functions, censuses, self.controls);
        self.framed = self.frames.contains(&true);
    }

    fn frame_of(&self, function: usize) -> bool {
        self.frames[function]
    }

    fn of(environment: &Environment, options: &Options, functions: &[Function], censuses: &[Census]) -> Self {
        let (mut calls_out, mut controls, mut block) = (false, false, options.budget);
        for op in functions.iter().flat_map(|function| &function.ops) {
            match op.insn {
                Insn::Call(_) if op.find.is_some() => block = true,
                Insn::Call(Callee::Helper(id)) => {
                    calls_out = true;
                    controls |= environment
                        .function(id)
                        .is_some_and(|function| matches!(function.call, Implementation::Control(_)));
                }
                Insn::MayGoto { .. }
                | Insn::LoadImm { imm: WideImm::MapFdValue { .. } | WideImm::MapIndexValue { .. }, .. } => {
                    block = true
                }
                Insn::LoadPacket { .. }
                | Insn::LoadImm { .. }
                | Insn::Alu { .. }
                | Insn::Neg { .. }
                | Insn::MovSx { .. }
                | Insn::Swap { .. }
                | Insn::Load { .. }
                | Insn::Store { .. }
                | Insn::Atomic { .. }
                | Insn::LoadAcquire { .. }
                | Insn::StoreRelease { .. }
                | Insn::Jump { .. }
                | Insn::JumpLong { .. }
                | Insn::Branch { .. }
                | Insn::Call(Callee::Local(_) | Callee::Platform(_))
                | Insn::Exit => {}
            }
        }
        let loads_packet = censuses.iter().any(|census| census.loads_packet);
        let ends_within = calls_out || options.budget;
        let gate = controls || options.tail_target;
        let alone = !gate && censuses.iter().all(|census| !census.calls);
        Needs {
            block: block || calls_out || loads_packet,
            // A program that calls nothing leaves it where it was given, or wherever it is not in the way.
            block_in: match alone {
                true if censuses[0].named[3] == 0 => Gpr::Rdx,
                true => Gpr::R10,
                false => BLOCK,
            },
            controls,
            framed: false,
            calls_out,
            ends_within,
            gate,
            loads_packet,
            called_back: functions.iter().any(|function| function.called_back),
            kept: Set::NONE,
            frames: Vec::new(),
        }
    }
}

/// Of each function, whether it or one it calls uses a frame.
fn frames(functions: &[Function], censuses: &[Census], controls: bool) -> Vec<bool> {
    let mut frames: Vec<bool> = censuses.iter().map(|census| controls || census.stack()).collect();
    // Calls do not nest deeper than eight functions, and no function calls itself.
    for _ in 0..bpf64_core::interp::MAX_FRAMES {
        for (number, function) in functions.iter().enumerate() {
            let calls = function.ops.iter().filter(|op| matches!(op.insn, Insn::Call(Callee::Local(_))));
            let any = calls.into_iter().any(|op| frames[op.target as usize]);
            frames[number] |= any;
        }
    }
    frames
}

/// Compiles a proved program for its environment.
///
/// # Errors
/// It names what only the platform has.
pub fn compile(
    verified: &Verified,
    environment: &Environment,
    options: &Options,
) -> Result<Code, CompileError> {
    let program = verified.program();
    let known = Known::new(verified);
    let mut functions = plan::functions(program, &known);
    inline::inline(&mut functions);
    for function in &mut functions {
        find::find(&mut function.ops, program, environment, &known);
    }
    let mut censuses: Vec<Census> = functions.iter().map(Census::of).collect();
    let mut needs = Needs::of(environment, options, &functions, &censuses);
    let block = needs.block.then_some(needs.block_in);
    let registers: Vec<Registers> = functions
        .iter_mut()
        .zip(&mut censuses)
        .enumerate()
        .map(|(number, (function, census))| {
            let mut registers = Registers::assign(census, block);
            slots::promote(function, census, &mut registers, number == 0);
            registers
        })
        .collect();
    needs.find_frames(&functions, &censuses);
    let prepared: Vec<Prepared<'_>> = functions
        .iter()
        .zip(registers)
        .map(|(function, registers)| {
            let (before, live) = live::live(&function.ops, &registers);
            let reach = if needs.loads_packet { reach::reach(&function.ops) } else { Vec::new() };
            Prepared { function, registers, live, before, reach }
        })
        .collect();
    needs.kept = prepared.iter().fold(Set::NONE, |kept, prepared| kept.or(prepared.registers.kept()));
    Emitter::program(program, environment, options, &known, &needs, &prepared, &functions)
}
