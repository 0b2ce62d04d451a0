//! The mnemonic style of ubpf, rbpf and bpf_conformance: printing, and the names that reading shares with it.
//!
//! ```text
//! ldxh r0, [r1+4]          add32 r0, 5             jsgt32 r0, -1, +3
//! stxw [r10-8], r7         be16 r0                 call get_smp_processor_id
//! ldindb r7, 14            lddw r1, 0x12345        lock fetch add [r10-8], r1
//! ```
//!
//! The width is part of the name, registers are always `r`. Where the tools differ, ubpf's spelling is printed
//! and the others are read: `add64` (rbpf), `swap16` (bpf_conformance), `%r0`, `afadd`, `endbe r0, 16` (GNU).
//! Those tools have no load-acquire: `load_acquirew r0, [r1+4]` and `store_releasew [r1+4], r0` are ours.

use super::{Base, Text, immediate};
use crate::isa::{AluOp, AtomicOp, Callee, CmpOp, Insn, PacketOffset, Reg, Size, Src, WideImm, Width};
use std::fmt;

/// An instruction displayed in the mnemonic style. Jumps are always printed as distances: ubpf and rbpf read no
/// other numbers.
#[derive(Clone, Copy)]
pub struct Mnemonic<'a>(pub Text<'a>);

/// The basic names, for suggestions. Arithmetic, jumps and atomic operations also have them with `32` and `64`.
pub(super) const NAMES: &str = "add sub mul div sdiv or and lsh rsh mod smod xor mov arsh neg \
    mov32 add32 sub32 movsx864 movsx1664 movsx3264 movsx832 movsx1632 le16 le32 le64 be16 be32 be64 bswap16 \
    bswap32 bswap64 lddw ldxb ldxh ldxw ldxdw ldxsb ldxsh ldxsw stb sth stw stdw stxb stxh stxw stxdw ldabsb ldabsh \
    ldabsw ldindb ldindh ldindw load_acquirew store_releasew ja ja32 jeq jgt jge jset jne jsgt jsge jlt jle jslt \
    jsle jeq32 jne32 jgt32 xchg cmpxchg";

pub(super) const fn alu_name(op: AluOp) -> &'static str {
    match op {
        AluOp::Add => "add",
        AluOp::Sub => "sub",
        AluOp::Mul => "mul",
        AluOp::Div => "div",
        AluOp::SDiv => "sdiv",
        AluOp::Or => "or",
        AluOp::And => "and",
        AluOp::Lsh => "lsh",
        AluOp::Rsh => "rsh",
        AluOp::Mod => "mod",
        AluOp::SMod => "smod",
        AluOp::Xor => "xor",
        AluOp::Mov => "mov",
        AluOp::Arsh => "arsh",
    }
}

pub(super) const fn jump_name(op: CmpOp) -> &'static str {
    match op {
        CmpOp::Eq => "jeq",
        CmpOp::Gt => "jgt",
        CmpOp::Ge => "jge",
        CmpOp::Set => "jset",
        CmpOp::Ne => "jne",
        CmpOp::SGt => "jsgt",
        CmpOp::SGe => "jsge",
        CmpOp::Lt => "jlt",
        CmpOp::Le => "jle",
        CmpOp::SLt => "jslt",
        CmpOp::SLe => "jsle",
    }
}

pub(super) const fn suffix(size: Size) -> &'static str {
    match size {
        Size::B => "b",
        Size::H => "h",
        Size::W => "w",
        Size::DW => "dw",
    }
}

/// What stands behind `lock`, and behind `lock fetch` when [`AtomicOp::fetches`] says so of an operator that
/// exists in both forms.
pub(super) const fn atomic_name(op: AtomicOp) -> &'static str {
    match op {
        AtomicOp::Add | AtomicOp::FetchAdd => "add",
        AtomicOp::Or | AtomicOp::FetchOr => "or",
        AtomicOp::And | AtomicOp::FetchAnd => "and",
        AtomicOp::Xor | AtomicOp::FetchXor => "xor",
        AtomicOp::Xchg => "xchg",
        AtomicOp::Cmpxchg => "cmpxchg",
    }
}

const fn width_suffix(width: Width) -> &'static str {
    match width {
        Width::W32 => "32",
        Width::W64 => "",
    }
}

impl fmt::Display for Mnemonic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self.0.insn {
            Insn::Alu { width, op, dst, src } => {
                write!(f, "{}{} {dst}, ", alu_name(op), width_suffix(width))?;
                operand(f, width, src, super::alu_base(op))
            }
            Insn::Neg { width, dst } => write!(f, "neg{} {dst}", width_suffix(width)),
            Insn::MovSx { width, from, dst, src } => {
                write!(f, "movsx{}{} {dst}, {src}", from.bits_wide(), width.size().bits_wide())
            }
            Insn::Swap { kind, size, dst } => write!(f, "{}{} {dst}", kind.text(), size.bits_wide()),
            Insn::LoadImm { dst, imm } => {
                write!(f, "lddw {dst}, ")?;
                if let (WideImm::Code(_), Some(name)) = (imm, self.0.label()) {
                    return write!(f, "code[{name}]");
                }
                match self.0.named_map(imm) {
                    Some((name, None)) => write!(f, "map:{name}"),
                    Some((name, Some(offset))) => write!(f, "map:{name}[0]{offset:+}"),
                    None => super::wide_reference(f, imm),
                }
            }
            Insn::LoadPacket { size, from: PacketOffset::Abs(offset) } => {
                write!(f, "ldabs{} {offset}", suffix(size))
            }
            Insn::LoadPacket { size, from: PacketOffset::Ind(reg, offset) } => {
                write!(f, "ldind{} {reg}, {offset}", suffix(size))
            }
            Insn::Load { size, signed, dst, base, offset } => {
                let sign = if signed { "s" } else { "" };
                write!(f, "ldx{sign}{} {dst}, {}", suffix(size), Memory(base, offset))
            }
            Insn::Store { size, base, offset, src } => {
                let x = if matches!(src, Src::Reg(_)) { "x" } else { "" };
                write!(f, "st{x}{} {}, ", suffix(size), Memory(base, offset))?;
                operand(f, Width::W64, src, Base::Decimal)
            }
            Insn::Atomic { width, op, base, offset, src } => {
                let fetch = match op {
                    AtomicOp::FetchAdd | AtomicOp::FetchOr | AtomicOp::FetchAnd | AtomicOp::FetchXor => {
                        "fetch "
                    }
                    AtomicOp::Add | AtomicOp::Or | AtomicOp::And | AtomicOp::Xor => "",
                    AtomicOp::Xchg | AtomicOp::Cmpxchg => "",
                };
                let (name, width) = (atomic_name(op), width_suffix(width));
                write!(f, "lock {fetch}{name}{width} {}, {src}", Memory(base, offset))
            }
            Insn::LoadAcquire { size, dst, base, offset } => {
                write!(f, "load_acquire{} {dst}, {}", suffix(size), Memory(base, offset))
            }
            Insn::StoreRelease { size, base, offset, src } => {
                write!(f, "store_release{} {}, {src}", suffix(size), Memory(base, offset))
            }
            Insn::Jump { offset } => write!(f, "ja {offset:+}"),
            Insn::JumpLong { offset } => write!(f, "ja32 {offset:+}"),
            Insn::Branch { width, op, dst, src, offset } => {
                write!(f, "{}{} {dst}, ", jump_name(op), width_suffix(width))?;
                operand(f, width, src, if op == CmpOp::Set { Base::Hex } else { Base::BySize })?;
                write!(f, ", {offset:+}")
            }
            Insn::MayGoto { offset } => write!(f, "may_goto {offset:+}"),
            Insn::Call(Callee::Local(offset)) => match self.0.label() {
                Some(name) => write!(f, "call local {name}"),
                None => write!(f, "call local {offset:+}"),
            },
            Insn::Call(Callee::Platform(id)) => write!(f, "call runtime {id}"),
            Insn::Call(Callee::Helper(_)) | Insn::Exit => self.0.fmt(f),
        }
    }
}

fn operand(f: &mut fmt::Formatter<'_>, width: Width, src: Src, base: Base) -> fmt::Result {
    match src {
        Src::Reg(reg) => write!(f, "{reg}"),
        Src::Imm(imm) => immediate(f, width, imm, base),
    }
}

/// `[r1+4]`
struct Memory(Reg, i16);

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}{:+}]", self.0, self.1)
    }
}
