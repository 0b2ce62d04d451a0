//! Bytes and instructions: 8 bytes a slot, little endian (RFC 9669, section 3).
//!
//! ```text
//!  byte 0   byte 1          bytes 2-3   bytes 4-7
//! +--------+-------+-------+-----------+--------------+
//! | opcode | dst:4 | src:4 |  offset   |  immediate   |
//! +--------+-------+-------+-----------+--------------+
//!            low     high
//! opcode of ALU, ALU64, JMP, JMP32:  code:4 (high)  source:1  class:3
//! opcode of LD, LDX, ST, STX:        mode:3 (high)  size:2    class:3
//! ```
//!
//! Decoding is strict by one rule: the instruction found must encode to the bytes given. So a reserved field
//! that is not zero is refused without a check of its own, and the error names the field that differs.

use super::{AluOp, AtomicOp, Callee, CmpOp, Insn, PacketOffset, Reg, Size, Src, SwapKind, WideImm, Width};
use crate::count::Count;
use std::fmt;

/// Bytes of one slot.
pub const SLOT: usize = 8;

// Instruction classes: the low three bits of the opcode.
const LD: u8 = 0x00;
const LDX: u8 = 0x01;
const ST: u8 = 0x02;
const STX: u8 = 0x03;
const ALU: u8 = 0x04;
const JMP: u8 = 0x05;
const JMP32: u8 = 0x06;
const ALU64: u8 = 0x07;

// Modes of loads and stores: the high three bits.
const IMM: u8 = 0x00;
const ABS: u8 = 0x20;
const IND: u8 = 0x40;
const MEM: u8 = 0x60;
const MEMSX: u8 = 0x80;
const ATOMIC: u8 = 0xc0;

/// The source bit of arithmetic and jumps: operand in a register.
const X: u8 = 0x08;

// Codes of arithmetic and jumps that are no two-operand operator.
const NEG: u8 = 0x80;
const END: u8 = 0xd0;
const MOV: u8 = 0xb0;
const JA: u8 = 0x00;
const CALL: u8 = 0x80;
const EXIT: u8 = 0x90;
const JCOND: u8 = 0xe0;

// Immediates of atomic instructions beyond RFC 9669 (Linux 6.15).
const LOAD_ACQ: i32 = 0x100;
const STORE_REL: i32 = 0x110;

/// One slot, its fields taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Raw {
    /// Byte 0.
    pub opcode: u8,
    /// Low half of byte 1.
    pub dst: u8,
    /// High half of byte 1.
    pub src: u8,
    /// Bytes 2 and 3.
    pub offset: i16,
    /// Bytes 4 to 7.
    pub imm: i32,
}

impl Raw {
    /// Takes a slot apart.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; SLOT]) -> Self {
        let [opcode, regs, o0, o1, i0, i1, i2, i3] = bytes;
        Raw {
            opcode,
            dst: regs & 0xf,
            src: regs >> 4,
            offset: i16::from_le_bytes([o0, o1]),
            imm: i32::from_le_bytes([i0, i1, i2, i3]),
        }
    }

    /// Puts a slot together.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; SLOT] {
        let [o0, o1] = self.offset.to_le_bytes();
        let [i0, i1, i2, i3] = self.imm.to_le_bytes();
        [self.opcode, self.dst & 0xf | self.src << 4, o0, o1, i0, i1, i2, i3]
    }
}

/// Why bytes are no instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// No instruction has this opcode (with these field values that select among several).
    Opcode(u8),
    /// A register number above 10.
    Register(u8),
    /// A field that this instruction does not use, or not with this value.
    Reserved {
        /// The field's name.
        field: Field,
        /// The opcode.
        opcode: u8,
        /// The field's value.
        value: i32,
    },
    /// The second slot of a 64-bit load is missing.
    Truncated,
    /// The input does not end at a slot's end.
    Length {
        /// Bytes left over.
        extra: usize,
    },
}

/// A field of the encoding, by the RFC's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// Destination register.
    Dst,
    /// Source register, or what selects the kind of a call or a 64-bit load.
    Src,
    /// The 16-bit offset.
    Offset,
    /// The 32-bit immediate.
    Imm,
    /// The second slot of a 64-bit load, other than its immediate.
    NextSlot,
    /// The immediate of the second slot.
    NextImm,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Field::Dst => "dst_reg",
            Field::Src => "src_reg",
            Field::Offset => "offset",
            Field::Imm => "imm",
            Field::NextSlot => "opcode, registers or offset of the second slot",
            Field::NextImm => "next_imm",
        })
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Opcode(opcode) => write!(f, "no instruction has opcode {opcode:#04x}"),
            DecodeError::Register(number) => {
                write!(f, "there is no register r{number}; registers are r0 to r10")
            }
            DecodeError::Reserved { field, opcode, value } => {
                write!(f, "the {field} field is {value}, which opcode {opcode:#04x} does not allow")
            }
            DecodeError::Truncated => {
                f.write_str("a 64-bit load takes two slots, but the program ends after the first")
            }
            DecodeError::Length { extra } => {
                write!(f, "the length is not a multiple of 8: {}", left_over(*extra))
            }
        }
    }
}

impl std::error::Error for DecodeError {}

/// "1 byte is left over", "2 bytes are left over".
pub(crate) fn left_over(bytes: usize) -> String {
    let are = if bytes == 1 { "is" } else { "are" };
    format!("{} {are} left over", Count(bytes, "byte"))
}

/// The one or two slots of an instruction; the second is `None` except for 64-bit loads.
#[must_use]
pub fn encode(insn: &Insn) -> (Raw, Option<Raw>) {
    if let Insn::LoadImm { dst, imm } = *insn {
        let (kind, low, high) = match imm {
            WideImm::Const(value) => (0, value as i32, (value >> 32) as i32),
            WideImm::MapFd(fd) => (1, fd, 0),
            WideImm::MapFdValue { fd, offset } => (2, fd, offset),
            WideImm::Variable { id, btf } => (3, id, btf),
            WideImm::Code(offset) => (4, offset, 0),
            WideImm::MapIndex(index) => (5, index, 0),
            WideImm::MapIndexValue { index, offset } => (6, index, offset),
        };
        let first =
            Raw { opcode: LD | IMM | Size::DW.bits(), dst: dst.bits(), src: kind, offset: 0, imm: low };
        return (first, Some(Raw { imm: high, ..Raw::default() }));
    }
    (encode_one_slot(insn), None)
}

fn encode_one_slot(insn: &Insn) -> Raw {
    let raw = |opcode, dst: Reg, src: Src, offset| match src {
        Src::Reg(reg) => Raw { opcode: opcode | X, dst: dst.bits(), src: reg.bits(), offset, imm: 0 },
        Src::Imm(imm) => Raw { opcode, dst: dst.bits(), src: 0, offset, imm },
    };
    let memory =
        |opcode, dst: Reg, src: Reg, offset| Raw { opcode, dst: dst.bits(), src: src.bits(), offset, imm: 0 };
    match *insn {
        Insn::Alu { width, op, dst, src } => {
            let [code, offset] = op.bits().to_le_bytes();
            raw(alu_class(width) | code, dst, src, i16::from(offset))
        }
        Insn::Neg { width, dst } => Raw { opcode: alu_class(width) | NEG, dst: dst.bits(), ..Raw::default() },
        Insn::MovSx { width, from, dst, src } => {
            raw(alu_class(width) | MOV, dst, Src::Reg(src), from.bits_wide() as i16)
        }
        Insn::Swap { kind, size, dst } => {
            let opcode = match kind {
                SwapKind::ToLe => ALU | END,
                SwapKind::ToBe => ALU | END | X,
                SwapKind::Always => ALU64 | END,
            };
            Raw { opcode, dst: dst.bits(), imm: size.bits_wide() as i32, ..Raw::default() }
        }
        Insn::LoadImm { .. } => unreachable!("a 64-bit load has two slots; `encode` handles it"),
        Insn::LoadPacket { size, from } => match from {
            PacketOffset::Abs(imm) => Raw { opcode: LD | ABS | size.bits(), imm, ..Raw::default() },
            PacketOffset::Ind(reg, imm) => {
                Raw { opcode: LD | IND | size.bits(), src: reg.bits(), imm, ..Raw::default() }
            }
        },
        Insn::Load { size, signed, dst, base, offset } => {
            memory(LDX | if signed { MEMSX } else { MEM } | size.bits(), dst, base, offset)
        }
        Insn::Store { size, base, offset, src: Src::Reg(src) } => {
            memory(STX | MEM | size.bits(), base, src, offset)
        }
        Insn::Store { size, base, offset, src: Src::Imm(imm) } => {
            Raw { imm, ..memory(ST | MEM | size.bits(), base, Reg::R0, offset) }
        }
        Insn::Atomic { width, op, base, offset, src } => {
            Raw { imm: op.bits(), ..memory(STX | ATOMIC | width.size().bits(), base, src, offset) }
        }
        Insn::LoadAcquire { size, dst, base, offset } => {
            Raw { imm: LOAD_ACQ, ..memory(STX | ATOMIC | size.bits(), dst, base, offset) }
        }
        Insn::StoreRelease { size, base, offset, src } => {
            Raw { imm: STORE_REL, ..memory(STX | ATOMIC | size.bits(), base, src, offset) }
        }
        Insn::Jump { offset } => Raw { opcode: JMP | JA, offset, ..Raw::default() },
        Insn::JumpLong { offset } => Raw { opcode: JMP32 | JA, imm: offset, ..Raw::default() },
        Insn::Branch { width, op, dst, src, offset } => raw(jump_class(width) | op.bits(), dst, src, offset),
        Insn::MayGoto { offset } => Raw { opcode: JMP | JCOND, offset, ..Raw::default() },
        Insn::Call(callee) => {
            let (src, imm) = match callee {
                Callee::Helper(id) => (0, id),
                Callee::Local(offset) => (1, offset),
                Callee::Platform(id) => (2, id),
            };
            Raw { opcode: JMP | CALL, src, imm, ..Raw::default() }
        }
        Insn::Exit => Raw { opcode: JMP | EXIT, ..Raw::default() },
    }
}

const fn alu_class(width: Width) -> u8 {
    match width {
        Width::W32 => ALU,
        Width::W64 => ALU64,
    }
}

const fn jump_class(width: Width) -> u8 {
    match width {
        Width::W32 => JMP32,
        Width::W64 => JMP,
    }
}

/// The instruction in `first` and, for a 64-bit load, `second`.
///
/// # Errors
/// Unknown opcodes, registers above r10, reserved fields that are not zero, a missing second slot.
pub fn decode(first: Raw, second: Option<Raw>) -> Result<Insn, DecodeError> {
    let insn = decode_fields(first, second)?;
    let (again, again_second) = encode(&insn);
    differing_field(first, again).map_or(Ok(()), Err)?;
    if let (Some(next), Some(again_next)) = (second, again_second) {
        if (Raw { imm: 0, ..next }) != (Raw { imm: 0, ..again_next }) {
            let value = i32::from(next.opcode);
            return Err(DecodeError::Reserved { field: Field::NextSlot, opcode: first.opcode, value });
        }
        if next.imm != again_next.imm {
            return Err(DecodeError::Reserved {
                field: Field::NextImm,
                opcode: first.opcode,
                value: next.imm,
            });
        }
    }
    Ok(insn)
}

/// The strictness rule: which field of what was read is not what the instruction found would be written as.
fn differing_field(read: Raw, written: Raw) -> Option<DecodeError> {
    let reserved = |field, value| Some(DecodeError::Reserved { field, opcode: read.opcode, value });
    if read.opcode != written.opcode {
        Some(DecodeError::Opcode(read.opcode))
    } else if read.dst != written.dst {
        reserved(Field::Dst, i32::from(read.dst))
    } else if read.src != written.src {
        reserved(Field::Src, i32::from(read.src))
    } else if read.offset != written.offset {
        reserved(Field::Offset, i32::from(read.offset))
    } else if read.imm != written.imm {
        reserved(Field::Imm, read.imm)
    } else {
        None
    }
}

/// Reads the fields that matter and trusts that [`decode`] compares the rest.
fn decode_fields(raw: Raw, second: Option<Raw>) -> Result<Insn, DecodeError> {
    let Raw { opcode, offset, imm, .. } = raw;
    let unknown = DecodeError::Opcode(opcode);
    let reserved = |field, value| DecodeError::Reserved { field, opcode, value };
    let reg = |bits: u8| Reg::from_bits(bits).ok_or(DecodeError::Register(bits));
    let size = Size::from_bits(opcode & 0x18).expect("all four values of the two size bits are sizes");
    let class = opcode & 0x07;
    match class {
        LD => match opcode & 0xe0 {
            IMM if size == Size::DW => {
                let next = second.ok_or(DecodeError::Truncated)?.imm;
                let imm = match raw.src {
                    0 => WideImm::Const(u64::from(imm as u32) | u64::from(next as u32) << 32),
                    1 => WideImm::MapFd(imm),
                    2 => WideImm::MapFdValue { fd: imm, offset: next },
                    3 => WideImm::Variable { id: imm, btf: next },
                    4 => WideImm::Code(imm),
                    5 => WideImm::MapIndex(imm),
                    6 => WideImm::MapIndexValue { index: imm, offset: next },
                    other => return Err(reserved(Field::Src, i32::from(other))),
                };
                Ok(Insn::LoadImm { dst: reg(raw.dst)?, imm })
            }
            ABS if size != Size::DW => Ok(Insn::LoadPacket { size, from: PacketOffset::Abs(imm) }),
            IND if size != Size::DW => {
                Ok(Insn::LoadPacket { size, from: PacketOffset::Ind(reg(raw.src)?, imm) })
            }
            _ => Err(unknown),
        },
        LDX => match opcode & 0xe0 {
            mode @ (MEM | MEMSX) if mode == MEM || size != Size::DW => Ok(Insn::Load {
                size,
                signed: mode == MEMSX,
                dst: reg(raw.dst)?,
                base: reg(raw.src)?,
                offset,
            }),
            _ => Err(unknown),
        },
        ST if opcode & 0xe0 == MEM => {
            Ok(Insn::Store { size, base: reg(raw.dst)?, offset, src: Src::Imm(imm) })
        }
        STX if opcode & 0xe0 == MEM => {
            Ok(Insn::Store { size, base: reg(raw.dst)?, offset, src: Src::Reg(reg(raw.src)?) })
        }
        STX if opcode & 0xe0 == ATOMIC => {
            let (dst, src) = (reg(raw.dst)?, reg(raw.src)?);
            match imm {
                LOAD_ACQ => Ok(Insn::LoadAcquire { size, dst, base: src, offset }),
                STORE_REL => Ok(Insn::StoreRelease { size, base: dst, offset, src }),
                _ => {
                    let width = match size {
                        Size::W => Width::W32,
                        Size::DW => Width::W64,
                        Size::B | Size::H => return Err(unknown),
                    };
                    let op = AtomicOp::from_bits(imm).ok_or(reserved(Field::Imm, imm))?;
                    Ok(Insn::Atomic { width, op, base: dst, offset, src })
                }
            }
        }
        ALU | ALU64 => decode_alu(raw, if class == ALU { Width::W32 } else { Width::W64 }),
        JMP | JMP32 => decode_jump(raw, if class == JMP32 { Width::W32 } else { Width::W64 }),
        _ => Err(unknown),
    }
}

/// The second operand of arithmetic and jumps, chosen by the source bit.
fn operand(raw: Raw) -> Result<Src, DecodeError> {
    if raw.opcode & X == 0 {
        return Ok(Src::Imm(raw.imm));
    }
    Reg::from_bits(raw.src).map(Src::Reg).ok_or(DecodeError::Register(raw.src))
}

fn decode_alu(raw: Raw, width: Width) -> Result<Insn, DecodeError> {
    let Raw { opcode, offset, imm, .. } = raw;
    let reserved = |field, value| DecodeError::Reserved { field, opcode, value };
    let dst = Reg::from_bits(raw.dst).ok_or(DecodeError::Register(raw.dst))?;
    match opcode & 0xf0 {
        NEG => Ok(Insn::Neg { width, dst }),
        END => {
            let kind = match (width, opcode & X) {
                (Width::W32, 0) => SwapKind::ToLe,
                (Width::W32, _) => SwapKind::ToBe,
                (Width::W64, _) => SwapKind::Always,
            };
            let size = match imm {
                16 => Size::H,
                32 => Size::W,
                64 => Size::DW,
                other => return Err(reserved(Field::Imm, other)),
            };
            Ok(Insn::Swap { kind, size, dst })
        }
        MOV if opcode & X != 0 && offset != 0 => {
            let from = match (offset, width) {
                (8, _) => Size::B,
                (16, _) => Size::H,
                (32, Width::W64) => Size::W,
                _ => return Err(reserved(Field::Offset, i32::from(offset))),
            };
            let src = Reg::from_bits(raw.src).ok_or(DecodeError::Register(raw.src))?;
            Ok(Insn::MovSx { width, from, dst, src })
        }
        code => {
            // The offset selects among operators of one code; any but 0 and 1 selects none.
            let selected = u16::from(code) | (offset as u16) << 8;
            let known = if offset as u16 <= 1 { AluOp::from_bits(selected) } else { None };
            let op = match known {
                Some(op) => op,
                None if AluOp::from_bits(u16::from(code)).is_some() => {
                    return Err(reserved(Field::Offset, i32::from(offset)));
                }
                None => return Err(DecodeError::Opcode(opcode)),
            };
            Ok(Insn::Alu { width, op, dst, src: operand(raw)? })
        }
    }
}

fn decode_jump(raw: Raw, width: Width) -> Result<Insn, DecodeError> {
    let Raw { opcode, offset, imm, .. } = raw;
    match (opcode & 0xf0, width) {
        (JA, Width::W64) => Ok(Insn::Jump { offset }),
        (JA, Width::W32) => Ok(Insn::JumpLong { offset: imm }),
        (CALL, Width::W64) => Ok(Insn::Call(match raw.src {
            0 => Callee::Helper(imm),
            1 => Callee::Local(imm),
            2 => Callee::Platform(imm),
            other => {
                return Err(DecodeError::Reserved { field: Field::Src, opcode, value: i32::from(other) });
            }
        })),
        (EXIT, Width::W64) => Ok(Insn::Exit),
        (JCOND, Width::W64) => Ok(Insn::MayGoto { offset }),
        (code, _) => {
            let op = CmpOp::from_bits(code).ok_or(DecodeError::Opcode(opcode))?;
            let dst = Reg::from_bits(raw.dst).ok_or(DecodeError::Register(raw.dst))?;
            Ok(Insn::Branch { width, op, dst, src: operand(raw)?, offset })
        }
    }
}
