//! From an instruction to its operation.

use super::op::Op;
use crate::context::{Description, FieldKind};
use crate::interp;
use crate::isa::{Callee, Insn, PacketOffset, Reg, Size, Src, SwapKind, Width};
use crate::machine::Region;
use crate::maps::{Layout, function};
use crate::program::{Pc, Program};
use crate::verifier::{Fact, Facts, Pointee};

/// What is known of a program besides its instructions.
pub(super) struct Known<'a> {
    pub(super) facts: &'a Facts,
    pub(super) context: &'a Description,
}

/// Where an access goes.
#[derive(Clone, Copy)]
enum Into {
    Stack,
    Packet,
    /// To this byte of the context.
    Context(u32),
    /// Wherever the address says when it is executed.
    Any,
}

impl Known<'_> {
    /// Where the instruction at `pc` goes when it adds `offset` to `base`.
    fn goes(&self, pc: Pc, base: Reg, offset: i16) -> Into {
        let Some(facts) = self.facts.before(pc) else { return Into::Any };
        let Fact::Pointer { to, offset: known } = facts[base.index()] else { return Into::Any };
        match to {
            Pointee::Stack { .. } => Into::Stack,
            Pointee::Packet => Into::Packet,
            Pointee::Context => {
                match known.as_constant().map(|known| known.wrapping_add_signed(offset.into())) {
                    Some(at) => u32::try_from(at).map_or(Into::Any, Into::Context),
                    None => Into::Any,
                }
            }
            _ => Into::Any,
        }
    }

    /// Whether what the context has there is a number, and stands for nothing else.
    fn is_number(&self, at: u32) -> bool {
        let kind = self.context.field_at(at as usize).map(|field| field.kind);
        matches!(kind, Some(FieldKind::Number | FieldKind::Whole | FieldKind::Bytes))
    }

    /// A lookup in a table, where it is known which one it is, and its values lie in a row.
    fn element(&self, program: &Program, pc: Pc) -> Option<Op> {
        let Fact::Pointer { to: Pointee::Table(map), .. } = self.facts.before(pc)?[Reg::R1.index()] else {
            return None;
        };
        let def = program.maps().get(usize::from(map))?;
        let Layout { count, stride, per_cpu: false } = def.kind.layout(def)? else { return None };
        // So that no product is more than an address has bits for.
        (u64::from(count) * u64::from(stride) <= u32::MAX.into()).then_some(Op::Element {
            map,
            count,
            stride,
            size: def.value_size,
        })
    }
}

/// The operation of each instruction. `called` gives the place of a function of the environment in a list of those
/// that are called.
pub(super) fn operations(
    program: &Program,
    known: &Known<'_>,
    mut called: impl FnMut(i32) -> Option<u32>,
) -> Vec<Op> {
    program.pcs().map(|pc| operation(program, known, pc, &mut called)).collect()
}

fn operation(program: &Program, known: &Known<'_>, pc: Pc, mut called: impl FnMut(i32) -> Option<u32>) -> Op {
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
        Insn::Load { size, signed: true, dst, base, offset } => match known.goes(pc, base, offset) {
            Into::Context(at) if known.is_number(at) => Op::ContextSigned { size, dst, at },
            _ => Op::LoadSigned { size, dst, base, offset },
        },
        Insn::Load { size, signed: false, dst, base, offset }
        | Insn::LoadAcquire { size, dst, base, offset } => {
            load(known, size, dst, base, offset, known.goes(pc, base, offset))
        }
        Insn::Store { size, base, offset, src: Src::Imm(imm) } => match known.goes(pc, base, offset) {
            Into::Stack => Op::KeepConstant { size, base, offset, imm },
            Into::Context(at) => Op::WriteContextConstant { size, at, imm },
            Into::Packet | Into::Any => Op::StoreConstant { size, base, offset, imm },
        },
        Insn::Store { size, base, offset, src: Src::Reg(src) }
        | Insn::StoreRelease { size, base, offset, src } => {
            store(size, base, offset, src, known.goes(pc, base, offset))
        }
        Insn::Atomic { width, op, base, offset, src } => Op::Atomic { width, op, base, src, offset },
        Insn::Jump { offset } => Op::Jump { target: target(offset.into()) },
        Insn::JumpLong { offset } => Op::Jump { target: target(offset) },
        Insn::Branch { width, op, dst, src, offset } => {
            Op::branch(width, op, dst, src, target(offset.into()))
        }
        Insn::MayGoto { offset } => Op::MayGoto { target: target(offset.into()) },
        Insn::Call(Callee::Local(offset)) => Op::Local { target: target(offset) },
        Insn::Call(Callee::Helper(function::LOOKUP)) if let Some(element) = known.element(program, pc) => {
            element
        }
        Insn::Call(Callee::Helper(id)) => called(id).map_or(Op::Step, |index| Op::Function { index }),
        Insn::Call(Callee::Platform(_)) => Op::Step,
        Insn::Exit => Op::Exit,
    }
}

fn load(known: &Known<'_>, size: Size, dst: Reg, base: Reg, offset: i16, goes: Into) -> Op {
    match (goes, size) {
        (Into::Context(at), _) => field(known.context, size, dst, at),
        (Into::Stack, Size::B) => Op::StackB { dst, base, offset },
        (Into::Stack, Size::H) => Op::StackH { dst, base, offset },
        (Into::Stack, Size::W) => Op::StackW { dst, base, offset },
        (Into::Stack, Size::DW) => Op::StackD { dst, base, offset },
        (Into::Packet, Size::B) => Op::DirectB { dst, base, offset },
        (Into::Packet, Size::H) => Op::DirectH { dst, base, offset },
        (Into::Packet, Size::W) => Op::DirectW { dst, base, offset },
        (Into::Packet, Size::DW) => Op::DirectD { dst, base, offset },
        (Into::Any, Size::B) => Op::LoadB { dst, base, offset },
        (Into::Any, Size::H) => Op::LoadH { dst, base, offset },
        (Into::Any, Size::W) => Op::LoadW { dst, base, offset },
        (Into::Any, Size::DW) => Op::LoadD { dst, base, offset },
    }
}

/// A load from the context: of a number that is there, or of an address that it stands for.
fn field(context: &Description, size: Size, dst: Reg, at: u32) -> Op {
    let kind = context.field_at(at as usize).map(|field| field.kind);
    match (kind, size) {
        (Some(FieldKind::PacketStart), _) => {
            let start = Region::Packet.address(0);
            Op::Constant { dst, low: start as u32, high: (start >> 32) as u32 }
        }
        (Some(FieldKind::PacketEnd), _) => Op::PacketEnd { dst },
        (None | Some(FieldKind::PacketMeta | FieldKind::Socket), _) => Op::Step,
        (Some(FieldKind::Number | FieldKind::Whole | FieldKind::Bytes), Size::B) => Op::ContextB { dst, at },
        (Some(FieldKind::Number | FieldKind::Whole | FieldKind::Bytes), Size::H) => Op::ContextH { dst, at },
        (Some(FieldKind::Number | FieldKind::Whole | FieldKind::Bytes), Size::W) => Op::ContextW { dst, at },
        (Some(FieldKind::Number | FieldKind::Whole | FieldKind::Bytes), Size::DW) => Op::ContextD { dst, at },
    }
}

fn store(size: Size, base: Reg, offset: i16, src: Reg, goes: Into) -> Op {
    match (goes, size) {
        (Into::Context(at), _) => Op::WriteContext { size, at, src },
        (Into::Stack, Size::B) => Op::KeepB { base, offset, src },
        (Into::Stack, Size::H) => Op::KeepH { base, offset, src },
        (Into::Stack, Size::W) => Op::KeepW { base, offset, src },
        (Into::Stack, Size::DW) => Op::KeepD { base, offset, src },
        (Into::Packet | Into::Any, Size::B) => Op::StoreB { base, offset, src },
        (Into::Packet | Into::Any, Size::H) => Op::StoreH { base, offset, src },
        (Into::Packet | Into::Any, Size::W) => Op::StoreW { base, offset, src },
        (Into::Packet | Into::Any, Size::DW) => Op::StoreD { base, offset, src },
    }
}
