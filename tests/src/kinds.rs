//! The kinds of eBPF instructions: so that a suite can say that it has them all.

use bpf64_core::isa::{
    AluOp, AtomicOp, Callee, CmpOp, Insn, PacketOffset, Reg, Size, Src, SwapKind, WideImm, Width, encoding,
};
use std::collections::BTreeSet;

/// What an instruction is, but for its registers and numbers.
#[must_use]
pub fn kind(insn: &Insn, taken: bool) -> String {
    let src = |src: Src| if matches!(src, Src::Reg(_)) { "register" } else { "constant" };
    match *insn {
        Insn::Alu { width, op, src: operand, .. } => format!("{width:?} {op:?} {}", src(operand)),
        Insn::Neg { width, .. } => format!("{width:?} Neg"),
        Insn::MovSx { width, from, .. } => format!("{width:?} MovSx {from:?}"),
        Insn::Swap { kind, size, .. } => format!("{kind:?} {size:?}"),
        Insn::LoadImm { imm, .. } => match imm {
            WideImm::Const(_) => "LoadImm Const",
            WideImm::MapFd(_) => "LoadImm MapFd",
            WideImm::MapFdValue { .. } => "LoadImm MapFdValue",
            WideImm::Variable { .. } => "LoadImm Variable",
            WideImm::Code(_) => "LoadImm Code",
            WideImm::MapIndex(_) => "LoadImm MapIndex",
            WideImm::MapIndexValue { .. } => "LoadImm MapIndexValue",
        }
        .to_owned(),
        Insn::LoadPacket { size, from: PacketOffset::Abs(_) } => format!("LoadPacket Abs {size:?}"),
        Insn::LoadPacket { size, from: PacketOffset::Ind(..) } => format!("LoadPacket Ind {size:?}"),
        Insn::Load { size, signed, .. } => format!("Load {size:?} signed {signed}"),
        Insn::Store { size, src: operand, .. } => format!("Store {size:?} {}", src(operand)),
        Insn::Atomic { width, op, .. } => format!("{width:?} Atomic {op:?}"),
        Insn::LoadAcquire { size, .. } => format!("LoadAcquire {size:?}"),
        Insn::StoreRelease { size, .. } => format!("StoreRelease {size:?}"),
        Insn::Jump { .. } => "Jump".to_owned(),
        Insn::JumpLong { .. } => "JumpLong".to_owned(),
        Insn::Branch { width, op, src: operand, .. } => {
            format!("{width:?} Branch {op:?} {} {}", src(operand), if taken { "taken" } else { "not taken" })
        }
        Insn::MayGoto { .. } => "MayGoto".to_owned(),
        Insn::Call(Callee::Helper(_)) => "Call Helper".to_owned(),
        Insn::Call(Callee::Local(_)) => "Call Local".to_owned(),
        Insn::Call(Callee::Platform(_)) => "Call Platform".to_owned(),
        Insn::Exit => "Exit".to_owned(),
    }
}

/// Every kind there is.
#[must_use]
pub fn all_kinds() -> BTreeSet<String> {
    let (dst, base, src, offset) = (Reg::R0, Reg::R0, Reg::R0, 0);
    let operands = [Src::Reg(src), Src::Imm(0)];
    let mut insns = vec![
        Insn::Jump { offset },
        Insn::JumpLong { offset: 0 },
        Insn::MayGoto { offset },
        Insn::Call(Callee::Helper(0)),
        Insn::Call(Callee::Local(0)),
        Insn::Call(Callee::Platform(0)),
        Insn::Exit,
    ];
    let wides = [
        WideImm::Const(0),
        WideImm::MapFd(0),
        WideImm::MapFdValue { fd: 0, offset: 0 },
        WideImm::Variable { id: 0, btf: 0 },
        WideImm::Code(0),
        WideImm::MapIndex(0),
        WideImm::MapIndexValue { index: 0, offset: 0 },
    ];
    insns.extend(wides.map(|imm| Insn::LoadImm { dst, imm }));
    for width in [Width::W32, Width::W64] {
        insns.push(Insn::Neg { width, dst });
        insns.extend(AtomicOp::ALL.iter().map(|&op| Insn::Atomic { width, op, base, offset, src }));
        for from in [Size::B, Size::H, Size::W] {
            insns.push(Insn::MovSx { width, from, dst, src });
        }
        for src in operands {
            insns.extend(AluOp::ALL.iter().map(|&op| Insn::Alu { width, op, dst, src }));
            insns.extend(CmpOp::ALL.iter().map(|&op| Insn::Branch { width, op, dst, src, offset }));
        }
    }
    for &size in Size::ALL {
        insns.extend(SwapKind::ALL.iter().map(|&kind| Insn::Swap { kind, size, dst }));
        insns.extend(operands.map(|src| Insn::Store { size, base, offset, src }));
        insns.extend([false, true].map(|signed| Insn::Load { size, signed, dst, base, offset }));
        let from = [PacketOffset::Abs(0), PacketOffset::Ind(src, 0)];
        insns.extend(from.map(|from| Insn::LoadPacket { size, from }));
        insns.push(Insn::LoadAcquire { size, dst, base, offset });
        insns.push(Insn::StoreRelease { size, base, offset, src });
    }
    // Combinations that have no encoding are no instructions.
    insns.retain(|insn| {
        let (first, second) = encoding::encode(insn);
        encoding::decode(first, second).as_ref() == Ok(insn)
    });
    insns.iter().flat_map(|insn| [kind(insn, false), kind(insn, true)]).collect()
}
