//! solana-sbpf: an interpreter and a JIT that translate each address by a list of regions.
//!
//! It is set up to be as fast as it can be while it stays what it is: instructions are not counted, its JIT puts in
//! neither idle instructions nor disguises of constants; addresses are translated. The machine and what it runs on refer
//! to each other by pointers, which makes setting it up `unsafe`.
#![allow(unsafe_code)]

use super::Adapted;
use solana_sbpf::aligned_memory::AlignedMemory;
use solana_sbpf::ebpf;
use solana_sbpf::elf::Executable;
use solana_sbpf::error::ProgramResult;
use solana_sbpf::memory_region::{MemoryMapping, MemoryRegion};
use solana_sbpf::program::{BuiltinProgram, FunctionRegistry, SBPFVersion};
use solana_sbpf::verifier::RequisiteVerifier;
use solana_sbpf::vm::{CallFrame, Config, ContextObject, EbpfVm, ExecutionMode};
use std::ptr::NonNull;
use std::sync::Arc;

/// The first version that has Linux's encodings of loads, 32-bit comparisons, and calls by distance.
const VERSION: SBPFVersion = SBPFVersion::V3;

/// What a machine of theirs knows of its surroundings.
struct Surroundings {
    mapping: MemoryMapping,
}

impl ContextObject for Surroundings {
    fn consume(&mut self, _: u64) {}

    fn get_remaining(&self) -> u64 {
        u64::MAX
    }

    fn active_mapping_ptr(&mut self) -> NonNull<MemoryMapping> {
        NonNull::from_mut(&mut self.mapping)
    }
}

/// A program that is ready to run.
pub struct Machine {
    // Machine, program and memory refer to each other; all stay as long as this process, which measures some and ends.
    vm: EbpfVm<'static, Surroundings>,
    executable: &'static Executable<Surroundings>,
    frames: Vec<CallFrame>,
    registers: [u64; 12],
    jit: bool,
    code_bytes: Option<usize>,
}

impl Machine {
    /// Loads it, and compiles it if `jit`.
    ///
    /// # Errors
    /// solana-sbpf's, in its words.
    pub fn new(adapted: &Adapted, jit: bool) -> Result<Self, String> {
        let loader = Arc::new(BuiltinProgram::new_loader(config()));
        let executable = executable(adapted, &loader)?;
        let mut code_bytes = None;
        if jit {
            executable.jit_compile().map_err(|error| error.to_string())?;
            code_bytes = executable.get_compiled_program().map(|code| code.machine_code_length());
        }
        let executable: &'static Executable<Surroundings> = Box::leak(Box::new(executable));
        let config = executable.get_config();
        let stack =
            Box::leak(Box::new(AlignedMemory::<{ ebpf::HOST_ALIGN }>::zero_filled(config.stack_size())));
        let input = input(adapted).leak();
        let stack_len = stack.len();
        let regions = vec![
            executable.get_ro_region(),
            MemoryRegion::new(&raw mut *stack.as_slice_mut(), ebpf::MM_STACK_START),
            MemoryRegion::new(&raw mut *input, ebpf::MM_INPUT_START),
        ];
        // SAFETY: all three regions were leaked, so that they live on; nobody else has them; they are bytes.
        let mapping =
            unsafe { MemoryMapping::new(regions, config, VERSION) }.map_err(|error| error.to_string())?;
        let surroundings = Box::leak(Box::new(Surroundings { mapping }));
        let mut vm = EbpfVm::new(loader, VERSION, surroundings, stack_len);
        vm.registers[1] = ebpf::MM_INPUT_START;
        let frames = vec![CallFrame::default(); config.max_call_depth];
        let registers = vm.registers;
        Ok(Machine { vm, executable, frames, registers, jit, code_bytes })
    }

    /// The size of compiled code.
    #[must_use]
    pub fn code_bytes(&self) -> Option<usize> {
        self.code_bytes
    }

    /// Runs it once, and gives r0.
    ///
    /// # Errors
    /// solana-sbpf's: an access outside, a division by 0.
    pub fn run(&mut self) -> Result<u64, String> {
        self.vm.registers = self.registers;
        let mut mode = if self.jit { ExecutionMode::Jit } else { ExecutionMode::Interpreted };
        match self.vm.execute_program(self.executable, &mut mode, &mut self.frames).1 {
            ProgramResult::Ok(r0) => Ok(r0),
            ProgramResult::Err(error) => Err(error.to_string()),
        }
    }
}

fn config() -> Config {
    Config {
        enable_instruction_meter: false,
        noop_instruction_rate: 0,
        sanitize_user_provided_values: false,
        // As many bytes as Linux gives.
        stack_frame_size: 512,
        ..Config::default()
    }
}

fn executable(
    adapted: &Adapted,
    loader: &Arc<BuiltinProgram<Surroundings>>,
) -> Result<Executable<Surroundings>, String> {
    let loader = Arc::clone(loader);
    let registry = FunctionRegistry::default();
    let executable = Executable::from_text_bytes(&adapted.text, loader, VERSION, registry)
        .map_err(|error| error.to_string())?;
    executable.verify::<RequisiteVerifier>().map_err(|error| error.to_string())?;
    Ok(executable)
}

/// Context and packet, one behind the other as the program's input.
fn input(adapted: &Adapted) -> Vec<u8> {
    let place = |context: &[u8]| ebpf::MM_INPUT_START + context.len() as u64;
    let mut input = adapted.context(place(&adapted.context(0)));
    input.extend(&adapted.packet);
    input
}
