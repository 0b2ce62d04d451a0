//! One plain sentence for any eBPF instruction, for hover text, screen readers and people who are learning.

use super::{AluOp, AtomicOp, Callee, CmpOp, Insn, PacketOffset, Reg, Size, Src, SwapKind, WideImm, Width};
use std::fmt::Display;

/// What the instruction does, without its full stop: "loads the 2 bytes at packet + 12, in network order, into
/// r0". `function` describes a called function; jump targets are named by `target`, the slot jumped to.
#[must_use]
pub fn sentence(insn: &Insn, target: Option<&dyn Display>, function: Option<&str>) -> String {
    let to =
        || target.map_or_else(|| "another instruction".to_owned(), |target| format!("instruction {target}"));
    match *insn {
        Insn::Alu { width, op, dst, src } => {
            let text = arithmetic(op, &name(width, dst), &operand(width, src));
            match (op, width, src) {
                (AluOp::Mov, Width::W64, _) | (AluOp::Mov, _, Src::Imm(0..)) => text,
                (_, Width::W32, _) => format!("{text}; the upper half of {dst} becomes 0"),
                (_, Width::W64, _) => text,
            }
        }
        Insn::Neg { width, dst } => format!("changes the sign of {}", name(width, dst)),
        Insn::MovSx { from, dst, src, .. } => {
            format!("sets {dst} to the low {} of {src}, as a signed number", bits(from))
        }
        Insn::Swap { kind: SwapKind::ToBe, size, dst } => {
            format!(
                "turns the low {} of {dst} from this machine's byte order to network order, or back",
                bits(size)
            )
        }
        Insn::Swap { kind: SwapKind::ToLe, size, dst } => {
            format!(
                "puts the low {} of {dst} into little-endian order, which this machine has: cuts off the rest",
                bits(size)
            )
        }
        Insn::Swap { kind: SwapKind::Always, size, dst } => {
            format!("reverses the low {} bytes of {dst}", size.bytes())
        }
        Insn::LoadImm { dst, imm } => match imm {
            WideImm::Const(value) => format!("sets {dst} to {value:#x}"),
            WideImm::MapFd(id) | WideImm::MapIndex(id) => format!("sets {dst} to map {id}"),
            WideImm::MapFdValue { fd: id, offset } | WideImm::MapIndexValue { index: id, offset } => {
                format!("sets {dst} to the address of byte {offset} of map {id}'s value")
            }
            WideImm::Variable { id, .. } => format!("sets {dst} to the address of platform variable {id}"),
            WideImm::Code(_) => format!("sets {dst} to the address of {}", to()),
        },
        Insn::LoadPacket { size, from } => {
            let place = match from {
                PacketOffset::Abs(offset) => format!("packet + {offset}"),
                PacketOffset::Ind(reg, offset) => format!("packet + {reg} + {offset}"),
            };
            format!(
                "loads the {} at {place}, in network order, into r0; outside the packet, ends the program with 0",
                bytes(size)
            )
        }
        Insn::Load { size, signed, dst, base, offset } => {
            let sign = if signed { ", as a signed number," } else { "" };
            format!("loads the {} at {}{sign} into {dst}", bytes(size), address(base, offset))
        }
        Insn::LoadAcquire { size, dst, base, offset } => {
            format!(
                "loads the {} at {} into {dst}, before any later access",
                bytes(size),
                address(base, offset)
            )
        }
        Insn::Store { size, base, offset, src } => {
            format!(
                "stores {} into the {} at {}",
                operand(Width::W64, src),
                bytes(size),
                address(base, offset)
            )
        }
        Insn::StoreRelease { size, base, offset, src } => {
            format!(
                "stores {src} into the {} at {}, after any earlier access",
                bytes(size),
                address(base, offset)
            )
        }
        Insn::Atomic { width, op, base, offset, src } => {
            let memory = format!("the {} at {}", bytes(width.size()), address(base, offset));
            let (text, result) = match op {
                AtomicOp::Add | AtomicOp::FetchAdd => (format!("adds {src} to {memory}"), src),
                AtomicOp::Or | AtomicOp::FetchOr => (format!("sets the bits of {src} in {memory}"), src),
                AtomicOp::And | AtomicOp::FetchAnd => {
                    (format!("keeps only the bits of {src} in {memory}"), src)
                }
                AtomicOp::Xor | AtomicOp::FetchXor => (format!("flips the bits of {src} in {memory}"), src),
                AtomicOp::Xchg => (format!("puts {src} into {memory}"), src),
                AtomicOp::Cmpxchg => (format!("puts {src} into {memory} if r0 is there"), Reg::R0),
            };
            let fetched =
                if op.fetches() { format!("; {result} becomes what was there") } else { String::new() };
            format!("{text}, in one step{fetched}")
        }
        Insn::Jump { .. } | Insn::JumpLong { .. } => format!("goes on at {}", to()),
        Insn::Branch { width, op, dst, src, .. } => {
            let condition = comparison(op, &name(width, dst), &operand(width, src));
            format!("goes to {} if {condition}", to())
        }
        Insn::MayGoto { .. } => format!("goes on, but to {} once the program has looped too often", to()),
        Insn::Call(Callee::Helper(id)) => match function {
            Some(doc) => format!("calls a function that {doc}"),
            None => format!("calls function {id}"),
        },
        Insn::Call(Callee::Local(_)) => format!("calls the function at {}", to()),
        Insn::Call(Callee::Platform(id)) => format!("calls platform function {id}"),
        Insn::Exit => "returns; at the outermost level, ends the program with r0 as its result".to_owned(),
    }
}

/// "sets A to B", "adds B to A": shared with the classic set, whose operators are a subset.
pub(crate) fn arithmetic(op: AluOp, dst: &str, src: &str) -> String {
    let bits = if src == "1" { "bit" } else { "bits" };
    match op {
        AluOp::Add => format!("adds {src} to {dst}"),
        AluOp::Sub => format!("subtracts {src} from {dst}"),
        AluOp::Mul => format!("multiplies {dst} by {src}"),
        AluOp::Div => format!("divides {dst} by {src}"),
        AluOp::SDiv => format!("divides {dst} by {src}, both signed"),
        AluOp::Or => format!("sets the bits {src} in {dst}"),
        AluOp::And => format!("keeps only the bits {src} of {dst}"),
        AluOp::Lsh => format!("shifts {dst} left by {src} {bits}"),
        AluOp::Rsh => format!("shifts {dst} right by {src} {bits}"),
        AluOp::Mod => format!("sets {dst} to the remainder of its division by {src}"),
        AluOp::SMod => format!("sets {dst} to the remainder of its signed division by {src}"),
        AluOp::Xor => format!("flips the bits {src} of {dst}"),
        AluOp::Mov => format!("sets {dst} to {src}"),
        AluOp::Arsh => format!("shifts {dst} right by {src} {bits}, keeping its sign"),
    }
}

/// "A is greater than B".
pub(crate) fn comparison(op: CmpOp, dst: &str, src: &str) -> String {
    match op {
        CmpOp::Eq => format!("{dst} is {src}"),
        CmpOp::Gt => format!("{dst} is greater than {src}"),
        CmpOp::Ge => format!("{dst} is {src} or greater"),
        CmpOp::Set => format!("{dst} has any of the bits {src}"),
        CmpOp::Ne => format!("{dst} is not {src}"),
        CmpOp::SGt => format!("{dst} is greater than {src}, both signed"),
        CmpOp::SGe => format!("{dst} is {src} or greater, both signed"),
        CmpOp::Lt => format!("{dst} is less than {src}"),
        CmpOp::Le => format!("{dst} is {src} or less"),
        CmpOp::SLt => format!("{dst} is less than {src}, both signed"),
        CmpOp::SLe => format!("{dst} is {src} or less, both signed"),
    }
}

/// "2 bytes"
pub(crate) fn bytes(size: Size) -> String {
    if size == Size::B { "byte".to_owned() } else { format!("{} bytes", size.bytes()) }
}

/// A constant: masks and larger numbers in hexadecimal too.
pub(crate) fn constant(value: i64) -> String {
    if (-9..10).contains(&value) { value.to_string() } else { format!("{value} ({value:#x})") }
}

fn bits(size: Size) -> String {
    format!("{} bits", size.bits_wide())
}

fn name(width: Width, reg: Reg) -> String {
    match width {
        Width::W32 => format!("w{}", reg.bits()),
        Width::W64 => reg.to_string(),
    }
}

fn operand(width: Width, src: Src) -> String {
    match (src, width) {
        (Src::Reg(reg), _) => name(width, reg),
        (Src::Imm(imm), Width::W32) => constant(i64::from(imm as u32)),
        (Src::Imm(imm), Width::W64) => constant(imm.into()),
    }
}

fn address(base: Reg, offset: i16) -> String {
    let sign = if offset < 0 { '-' } else { '+' };
    if offset == 0 { base.to_string() } else { format!("{base} {sign} {}", offset.unsigned_abs()) }
}
