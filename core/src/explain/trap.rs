//! What a step would have done that nobody may.

use crate::count::Count;
use crate::isa::{Callee, Insn, WideImm};
use crate::machine::TrapKind;

/// "would read 8 bytes at packet + 1500, where no memory is". There is no instruction behind the program's end.
pub(super) fn sentence(kind: TrapKind, insn: Option<Insn>, address_text: impl Fn(u64) -> String) -> String {
    match kind {
        TrapKind::Access { address, size, write } => {
            let verb = if write { "write" } else { "read" };
            let bytes = Count(size as usize, "byte");
            format!("would {verb} {bytes} at {}, where no memory is", address_text(address))
        }
        TrapKind::ReadOnly { address } => {
            format!("would write to {}, which may only be read", address_text(address))
        }
        TrapKind::FramePointer => "would write to r10, the frame pointer, which may only be read".to_owned(),
        TrapKind::NoContext { r6 } => {
            format!(
                "would load from the packet, but needs the context in r6, which holds {}",
                address_text(r6)
            )
        }
        TrapKind::UnknownFunction { id } => {
            format!("would call function {id}, which this program type does not have")
        }
        TrapKind::Unresolved => {
            format!("would need {}, which was not given", insn.map_or_else(String::new, needed))
        }
        TrapKind::Argument { reg, value, expected } => {
            format!(
                "would call a function that takes {expected} in {reg}, which holds {}",
                address_text(value)
            )
        }
        TrapKind::CallDepth { limit } => format!("would make more than {limit} calls inside each other"),
        TrapKind::EndOfProgram => "runs past the last instruction, which is no `exit`".to_owned(),
    }
}

/// What an instruction refers to that somebody else has to give.
fn needed(insn: Insn) -> String {
    match insn {
        Insn::LoadImm { imm: WideImm::MapFd(id) | WideImm::MapIndex(id), .. } => format!("map {id}"),
        Insn::LoadImm {
            imm: WideImm::MapFdValue { fd: id, .. } | WideImm::MapIndexValue { index: id, .. },
            ..
        } => format!("the address of map {id}'s value"),
        Insn::LoadImm { imm: WideImm::Variable { id, .. }, .. } => format!("platform variable {id}"),
        Insn::LoadImm { imm: WideImm::Code(_), .. } => "the address of an instruction".to_owned(),
        Insn::Call(Callee::Platform(id)) => format!("platform function {id}"),
        _ => "something".to_owned(),
    }
}
