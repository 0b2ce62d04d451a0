//! What wide loads name, which is looked at before any path is followed.

use crate::isa::{Insn, WideImm};
use crate::program::{Pc, Program};
use crate::verifier::rejection::Reason;

/// Tables that wide loads name are there, and so are the places in their values (`resolve_pseudo_ldimm64`).
pub(in crate::verifier) fn addresses(program: &Program) -> Result<(), (Pc, Reason)> {
    for pc in program.pcs() {
        let Insn::LoadImm { imm, .. } = program.insn(pc) else { continue };
        let (index, offset) = match imm {
            WideImm::MapFd(index) | WideImm::MapIndex(index) => (index, None),
            WideImm::MapFdValue { fd: index, offset } | WideImm::MapIndexValue { index, offset } => {
                (index, Some(offset as u32))
            }
            WideImm::Const(_) | WideImm::Variable { .. } | WideImm::Code(_) => continue,
        };
        let Some(map) = program.map_of(imm) else { return Err((pc, Reason::NoTable(index))) };
        let Some(offset) = offset else { continue };
        let def = &program.maps()[usize::from(map)];
        let reason = if offset >= 1 << 29 {
            Reason::ValueOffset(offset)
        } else if !def.kind.preset() {
            Reason::NoDirectValue
        } else if !def.kind.direct_value(def) || offset >= def.value_size {
            Reason::ValueAddress { value_size: def.value_size, offset }
        } else {
            continue;
        };
        return Err((pc, reason));
    }
    Ok(())
}
