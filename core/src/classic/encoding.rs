//! `struct sock_filter` and instructions: 8 bytes each, in the machine's byte order (here: little endian).
//!
//! ```text
//!  bytes 0-1   byte 2  byte 3  bytes 4-7
//! +-----------+-------+-------+-----------+
//! |   code    |  jt   |  jf   |     k     |
//! +-----------+-------+-------+-----------+
//! ```
//!
//! Decoding follows Linux: the code must be one of the 49 exactly, and fields it does not use are not looked at
//! (`chk_code_allowed()`, net/core/filter.c).

use super::{ANCILLARY, AluOp, Ancillary, CmpOp, Insn, Operand, PacketOffset, Returned, Value, row};
use crate::isa::Size;
use std::fmt;

/// Bytes of one instruction.
pub const LENGTH: usize = 8;

// Classes: the low three bits of the code.
const LD: u16 = 0x00;
const LDX: u16 = 0x01;
const ST: u16 = 0x02;
const STX: u16 = 0x03;
const ALU: u16 = 0x04;
const JMP: u16 = 0x05;
const RET: u16 = 0x06;
const MISC: u16 = 0x07;

// Modes of loads.
const IMM: u16 = 0x00;
const ABS: u16 = 0x20;
const IND: u16 = 0x40;
const MEM: u16 = 0x60;
const LEN: u16 = 0x80;
const MSH: u16 = 0xa0;
/// The size bits of a byte, which the header-length load carries.
const BYTE: u16 = 0x10;

const X: u16 = 0x08;
const A: u16 = 0x10;
const NEG: u16 = 0x80;
const TAX: u16 = 0x00;
const TXA: u16 = 0x80;

/// `struct sock_filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Raw {
    /// What to do.
    pub code: u16,
    /// Skipped if a comparison holds.
    pub jt: u8,
    /// Skipped if it does not.
    pub jf: u8,
    /// The constant.
    pub k: u32,
}

impl Raw {
    /// Takes the structure apart.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; LENGTH]) -> Self {
        let [c0, c1, jt, jf, k0, k1, k2, k3] = bytes;
        Raw { code: u16::from_le_bytes([c0, c1]), jt, jf, k: u32::from_le_bytes([k0, k1, k2, k3]) }
    }

    /// Puts it together.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; LENGTH] {
        let [c0, c1] = self.code.to_le_bytes();
        let [k0, k1, k2, k3] = self.k.to_le_bytes();
        [c0, c1, self.jt, self.jf, k0, k1, k2, k3]
    }
}

/// Why a `struct sock_filter` is no instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// The code is none of the 49.
    Code(u16),
    /// An offset in the ancillary range that stands for nothing.
    UnknownAncillary(u32),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Code(0x0e) => {
                f.write_str("code 0x0e, `ret x`, is refused by Linux; use `txa` and `ret a`")
            }
            DecodeError::Code(code) => {
                write!(f, "no classic instruction has code {code:#04x}; {}", instead_of(*code))
            }
            DecodeError::UnknownAncillary(k) => write!(
                f,
                "offset {k:#x} ({}) is in the range of ancillary loads, but stands for none; they are every fourth from {ANCILLARY:#x} to {:#x}",
                *k as i32,
                Ancillary::VlanTpid.offset(),
            ),
        }
    }
}

impl std::error::Error for DecodeError {}

/// What to write instead of a code that is none, by what its bits look like.
const fn instead_of(code: u16) -> &'static str {
    match code & 0x07 {
        _ if code > 0xff => "codes are 8 bits wide",
        LD => {
            "A is loaded from `[k]` or `[x + k]` (0x20, 0x40, as half 0x28, 0x48, as byte 0x30, 0x50), `#k` (0x00), `M[k]` (0x60) or `#len` (0x80)"
        }
        LDX if matches!(code & 0xe0, ABS | IND) => {
            "only A is loaded from the packet: load it, then `tax` (0x07)"
        }
        LDX => "X is loaded from `#k` (0x01), `M[k]` (0x61), `#len` (0x81) or `4*([k]&0xf)` (0xb1)",
        ST | STX => "stores are `st M[k]` (0x02) and `stx M[k]` (0x03)",
        ALU => "arithmetic ends with `xor` (0xa4, 0xac), and `neg` (0x84) takes nothing",
        JMP => {
            "jumps are `ja` (0x05), `jeq`, `jgt`, `jge` and `jset`; the opposite of one is the same with its targets swapped"
        }
        RET => "`ret #k` is 0x06, `ret a` is 0x16",
        _ => "`tax` is 0x07, `txa` is 0x87",
    }
}

/// The instruction as `struct sock_filter`.
#[must_use]
pub fn encode(insn: &Insn) -> Raw {
    let plain = |code, k| Raw { code, jt: 0, jf: 0, k };
    let operand = |code, operand| match operand {
        Operand::K(k) => plain(code, k),
        Operand::X => plain(code | X, 0),
    };
    let value = |class, value| match value {
        Value::Imm(k) => plain(class | IMM, k),
        Value::Mem(k) => plain(class | MEM, k),
        Value::Len => plain(class | LEN, 0),
    };
    match *insn {
        Insn::LoadPacket { size, from } => {
            let size = u16::from(size.bits());
            match from {
                PacketOffset::Abs(k) => plain(LD | ABS | size, k),
                PacketOffset::Ind(k) => plain(LD | IND | size, k),
            }
        }
        Insn::LoadAncillary { size, what } => plain(LD | ABS | u16::from(size.bits()), what.offset()),
        Insn::LoadA(from) => value(LD, from),
        Insn::LoadX(from) => value(LDX, from),
        Insn::LoadXHeaderLength(k) => plain(LDX | MSH | BYTE, k),
        Insn::StoreA(k) => plain(ST, k),
        Insn::StoreX(k) => plain(STX, k),
        Insn::Alu(op, with) => operand(ALU | row(AluOp::TABLE, op).0, with),
        Insn::Neg => plain(ALU | NEG, 0),
        Insn::Jump(k) => plain(JMP, k),
        Insn::Branch { op, with, jt, jf } => Raw { jt, jf, ..operand(JMP | row(CmpOp::TABLE, op).0, with) },
        Insn::Return(Returned::K(k)) => plain(RET, k),
        Insn::Return(Returned::A) => plain(RET | A, 0),
        Insn::Tax => plain(MISC | TAX, 0),
        Insn::Txa => plain(MISC | TXA, 0),
    }
}

/// The instruction in a `struct sock_filter`.
///
/// # Errors
/// A code that is none of the 49, or an ancillary offset that stands for nothing.
pub fn decode(raw: Raw) -> Result<Insn, DecodeError> {
    let Raw { code, jt, jf, k } = raw;
    let unknown = Err(DecodeError::Code(code));
    let operand = if code & X == 0 { Operand::K(k) } else { Operand::X };
    match code & 0x07 {
        _ if code > 0xff => unknown,
        LD | LDX => {
            let size =
                Size::from_bits((code & 0x18) as u8).expect("all four values of the two size bits are sizes");
            let to_a = code & 0x07 == LD;
            let value = |value| if to_a { Insn::LoadA(value) } else { Insn::LoadX(value) };
            match (code & 0xe0, size) {
                (IMM, Size::W) => Ok(value(Value::Imm(k))),
                (MEM, Size::W) => Ok(value(Value::Mem(k))),
                (LEN, Size::W) => Ok(value(Value::Len)),
                (MSH, Size::B) if !to_a => Ok(Insn::LoadXHeaderLength(k)),
                (ABS, Size::B | Size::H | Size::W) if to_a => match Ancillary::at(k) {
                    Some(what) => Ok(Insn::LoadAncillary { size, what }),
                    None if k >= ANCILLARY => Err(DecodeError::UnknownAncillary(k)),
                    None => Ok(Insn::LoadPacket { size, from: PacketOffset::Abs(k) }),
                },
                (IND, Size::B | Size::H | Size::W) if to_a => {
                    Ok(Insn::LoadPacket { size, from: PacketOffset::Ind(k) })
                }
                _ => unknown,
            }
        }
        ST if code == ST => Ok(Insn::StoreA(k)),
        STX if code == STX => Ok(Insn::StoreX(k)),
        ALU if code == ALU | NEG => Ok(Insn::Neg),
        ALU => match AluOp::TABLE.iter().find(|row| row.1 == code & 0xf0) {
            Some(&(op, ..)) => Ok(Insn::Alu(op, operand)),
            None => unknown,
        },
        JMP if code == JMP => Ok(Insn::Jump(k)),
        JMP => match CmpOp::TABLE.iter().find(|row| row.1 == code & 0xf0) {
            Some(&(op, ..)) => Ok(Insn::Branch { op, with: operand, jt, jf }),
            None => unknown,
        },
        RET if code == RET => Ok(Insn::Return(Returned::K(k))),
        RET if code == RET | A => Ok(Insn::Return(Returned::A)),
        MISC if code == MISC | TAX => Ok(Insn::Tax),
        MISC if code == MISC | TXA => Ok(Insn::Txa),
        _ => unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_exactly_49_codes() {
        let codes: Vec<u16> =
            (0..=u16::MAX).filter(|&code| decode(Raw { code, ..Raw::default() }).is_ok()).collect();
        assert_eq!(codes.len(), 49, "{codes:x?}");
        for code in codes {
            let insn = decode(Raw { code, ..Raw::default() }).unwrap();
            assert_eq!(encode(&insn).code, code);
        }
    }

    #[test]
    fn there_are_exactly_16_ancillary_loads() {
        let load = |k| decode(Raw { code: 0x28, k, ..Raw::default() });
        let found = (ANCILLARY..=u32::MAX).filter(|&k| load(k).is_ok()).count();
        assert_eq!(found, 16);
        assert_eq!(load(ANCILLARY + 1), Err(DecodeError::UnknownAncillary(ANCILLARY + 1)));
        assert!(matches!(load(ANCILLARY - 1), Ok(Insn::LoadPacket { .. })));
    }
}
