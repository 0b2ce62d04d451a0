//! What the kernel wants to be told of a program's functions when it uses the address of one: where each begins, and
//! that it is static (BTF, Documentation/bpf/btf.rst).

use super::program::Btf;
use bpf64_core::isa::{Callee, Insn, WideImm};
use bpf64_core::program::Program;
use std::collections::BTreeSet;
use std::io;

/// Kinds of types (`BTF_KIND_…`).
const INT: u32 = 1;
const FUNC: u32 = 12;
const FUNC_PROTO: u32 = 13;

/// The slots at which functions begin that the program calls or takes the address of.
pub(crate) fn starts(program: &Program) -> BTreeSet<u32> {
    let start = |pc| match program.insn(pc) {
        Insn::Call(Callee::Local(offset)) => program.target(pc, offset).map(|pc| program.slot(pc).0),
        // An address counts from the slot behind its own first one.
        Insn::LoadImm { imm: WideImm::Code(offset), .. } => {
            (program.slot(pc).0 + 1).checked_add_signed(offset)
        }
        _ => None,
    };
    program.pcs().filter_map(start).collect()
}

/// Whether the kernel wants to be told.
pub(crate) fn has_address(program: &Program) -> bool {
    program.insns().iter().any(|insn| matches!(insn, Insn::LoadImm { imm: WideImm::Code(_), .. }))
}

/// Types for functions without arguments that give a number, and which function has which.
pub(crate) fn describe(program: &Program) -> io::Result<(Btf, Vec<[u32; 2]>)> {
    let mut slots = starts(program);
    slots.insert(0);
    let mut strings = vec![0];
    let mut name = |text: &str| {
        let at = strings.len() as u32;
        strings.extend(text.bytes());
        strings.push(0);
        at
    };
    // 1: a number of 32 bits with a sign; 2: a function that gives one.
    let mut types = vec![name("int"), INT << 24, 4, 1 << 24 | 32, 0, FUNC_PROTO << 24, 1];
    let mut functions = Vec::new();
    for (id, slot) in (3..).zip(slots) {
        // Linkage 0: static.
        types.extend([name(&format!("f{slot}")), FUNC << 24, 2]);
        functions.push([slot, id]);
    }
    let length = 4 * types.len() as u32;
    let mut bytes = Vec::new();
    // The magic number with version 1 and no flags, the header's length, where types and strings are.
    for word in [0x0001_eb9f, 24, 0, length, length, strings.len() as u32].into_iter().chain(types) {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(strings);
    Ok((Btf::load(&bytes)?, functions))
}
