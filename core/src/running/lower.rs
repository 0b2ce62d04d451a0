//! From an instruction to its operation.

use super::op::Op;
use crate::interp;
use crate::isa::{Callee, Insn, PacketOffset, Reg, Size, Src, SwapKind, Width};
use crate::program::{Pc, Program};

/// The operation of each instruction. `function` gives the place of a function of the environment in a list of those
/// that are called.
pub(super) fn operations(program: &Program, mut function: impl FnMut(i32) -> Option<u32>) -> Vec<Op> {
    program.pcs().map(|pc| operation(program, pc, &mut function)).collect()
}

fn operation(program: &Program, pc: Pc, mut function: impl FnMut(i32) -> Option<u32>) -> Op {
    let target = |offset: i32| {
        program.target(pc, offset).expect("`Program::new` saw that every jump lands on an instruction").0
    };
    match program.insn(pc) {
        Insn::Alu { width, op, dst, src } => Op::arithmetic(width, op, dst, src),
        Insn::Neg { width: Width::W64, dst } => Op::Neg { dst },
        Insn::Neg { width: Width::W32, dst } => Op::Neg32 { dst },
        Insn::MovSx { width, from, dst, src } => match (width, from) {
            (Width::W64, Size::B) => Op::Extend8 { dst, src },
            (Width::W64, Size::H) => Op::Extend16 { dst, src },
            (Width::W64, Size::W) => Op::Extend32 { dst, src },
            (Width::W32, Size::B) => Op::Extend8To32 { dst, src },
            (Width::W32, Size::H) => Op::Extend16To32 { dst, src },
            (Width::W32, Size::W | Size::DW) | (Width::W64, Size::DW) => Op::Step,
        },
        Insn::Swap { kind, size, dst } => match (kind, size) {
            (SwapKind::ToLe, Size::H) => Op::Cut16 { dst },
            (SwapKind::ToLe, Size::W) => Op::Cut32 { dst },
            (SwapKind::ToLe, Size::DW) => Op::MovR { dst, src: dst },
            (SwapKind::ToBe | SwapKind::Always, Size::H) => Op::Swap16 { dst },
            (SwapKind::ToBe | SwapKind::Always, Size::W) => Op::Swap32 { dst },
            (SwapKind::ToBe | SwapKind::Always, Size::DW) => Op::Swap64 { dst },
            (SwapKind::ToLe | SwapKind::ToBe | SwapKind::Always, Size::B) => Op::Step,
        },
        Insn::LoadImm { dst, imm } => match interp::wide(program, pc, imm) {
            Some(value) => Op::Constant { dst, low: value as u32, high: (value >> 32) as u32 },
            None => Op::Step,
        },
        Insn::LoadPacket { size, from } => match (from, size) {
            // Windows are for the stepping form.
            (PacketOffset::Abs(..0), _) | (_, Size::DW) => Op::Step,
            (PacketOffset::Abs(at), Size::B) => Op::PacketB { at: at as u32 },
            (PacketOffset::Abs(at), Size::H) => Op::PacketH { at: at as u32 },
            (PacketOffset::Abs(at), Size::W) => Op::PacketW { at: at as u32 },
            (PacketOffset::Ind(src, offset), Size::B) => Op::IndexB { src, offset },
            (PacketOffset::Ind(src, offset), Size::H) => Op::IndexH { src, offset },
            (PacketOffset::Ind(src, offset), Size::W) => Op::IndexW { src, offset },
        },
        Insn::Load { size, signed: true, dst, base, offset } => Op::LoadSigned { size, dst, base, offset },
        Insn::Load { size, signed: false, dst, base, offset }
        | Insn::LoadAcquire { size, dst, base, offset } => load(size, dst, base, offset),
        Insn::Store { size, base, offset, src: Src::Imm(imm) } if base == Reg::R10 => {
            Op::KeepConstant { size, base, offset, imm }
        }
        Insn::Store { size, base, offset, src: Src::Imm(imm) } => {
            Op::StoreConstant { size, base, offset, imm }
        }
        Insn::Store { size, base, offset, src: Src::Reg(src) }
        | Insn::StoreRelease { size, base, offset, src } => store(size, base, offset, src),
        Insn::Atomic { .. } => Op::Step,
        Insn::Jump { offset } => Op::Jump { target: target(offset.into()) },
        Insn::JumpLong { offset } => Op::Jump { target: target(offset) },
        Insn::Branch { width, op, dst, src, offset } => {
            Op::branch(width, op, dst, src, target(offset.into()))
        }
        Insn::MayGoto { offset } => Op::MayGoto { target: target(offset.into()) },
        Insn::Call(Callee::Local(offset)) => Op::Local { target: target(offset) },
        Insn::Call(Callee::Helper(id)) => function(id).map_or(Op::Step, |index| Op::Function { index }),
        Insn::Call(Callee::Platform(_)) => Op::Step,
        Insn::Exit => Op::Exit,
    }
}

fn load(size: Size, dst: Reg, base: Reg, offset: i16) -> Op {
    match (base, size) {
        (Reg::R10, Size::B) => Op::StackB { dst, base, offset },
        (Reg::R10, Size::H) => Op::StackH { dst, base, offset },
        (Reg::R10, Size::W) => Op::StackW { dst, base, offset },
        (Reg::R10, Size::DW) => Op::StackD { dst, base, offset },
        (_, Size::B) => Op::LoadB { dst, base, offset },
        (_, Size::H) => Op::LoadH { dst, base, offset },
        (_, Size::W) => Op::LoadW { dst, base, offset },
        (_, Size::DW) => Op::LoadD { dst, base, offset },
    }
}

fn store(size: Size, base: Reg, offset: i16, src: Reg) -> Op {
    match (base, size) {
        (Reg::R10, Size::B) => Op::KeepB { base, offset, src },
        (Reg::R10, Size::H) => Op::KeepH { base, offset, src },
        (Reg::R10, Size::W) => Op::KeepW { base, offset, src },
        (Reg::R10, Size::DW) => Op::KeepD { base, offset, src },
        (_, Size::B) => Op::StoreB { base, offset, src },
        (_, Size::H) => Op::StoreH { base, offset, src },
        (_, Size::W) => Op::StoreW { base, offset, src },
        (_, Size::DW) => Op::StoreD { base, offset, src },
    }
}
