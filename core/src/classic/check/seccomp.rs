//! What seccomp refuses of what socket filters may do: 41 of the 49 codes are left.
//!
//! Source: `seccomp_check_filter()`, kernel/seccomp.c. A filter of system calls sees one record of 64 bytes, of which
//! it loads whole words at offsets that stand in the program; there is no packet behind it and nothing ancillary.

use crate::classic::{AluOp, Ancillary, Insn, Operand, PacketOffset, Returned, Value, row};
use crate::context::seccomp::SIZE;
use crate::isa::Size;
use std::fmt;

/// What a seccomp filter may not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotForSeccomp {
    /// A load of a byte or of two.
    Narrow {
        /// The offset.
        offset: u32,
    },
    /// A load at an offset that is not a multiple of 4.
    Unaligned {
        /// The offset.
        offset: u32,
    },
    /// A load behind the record.
    Outside {
        /// The offset.
        offset: u32,
    },
    /// A load at an offset in X.
    Indirect,
    /// A load of what the kernel knows about a packet.
    Ancillary(Ancillary),
    /// The load of a packet header's length.
    HeaderLength {
        /// The offset.
        offset: u32,
    },
    /// A remainder.
    Remainder(Operand),
}

/// What seccomp objects to in an instruction.
pub(super) fn objection(insn: &Insn) -> Option<NotForSeccomp> {
    match *insn {
        Insn::LoadPacket { from: PacketOffset::Ind(_), .. } => Some(NotForSeccomp::Indirect),
        Insn::LoadPacket { size, from: PacketOffset::Abs(offset) } => {
            if size != Size::W {
                Some(NotForSeccomp::Narrow { offset })
            } else if offset as usize >= SIZE {
                Some(NotForSeccomp::Outside { offset })
            } else if !offset.is_multiple_of(4) {
                Some(NotForSeccomp::Unaligned { offset })
            } else {
                None
            }
        }
        Insn::LoadAncillary { what, .. } => Some(NotForSeccomp::Ancillary(what)),
        Insn::LoadXHeaderLength(offset) => Some(NotForSeccomp::HeaderLength { offset }),
        Insn::Alu(AluOp::Mod, operand) => Some(NotForSeccomp::Remainder(operand)),
        Insn::Alu(
            AluOp::Add
            | AluOp::Sub
            | AluOp::Mul
            | AluOp::Div
            | AluOp::Or
            | AluOp::And
            | AluOp::Lsh
            | AluOp::Rsh
            | AluOp::Xor,
            _,
        )
        | Insn::LoadA(Value::Imm(_) | Value::Mem(_) | Value::Len)
        | Insn::LoadX(Value::Imm(_) | Value::Mem(_) | Value::Len)
        | Insn::StoreA(_)
        | Insn::StoreX(_)
        | Insn::Neg
        | Insn::Jump(_)
        | Insn::Branch { .. }
        | Insn::Return(Returned::K(_) | Returned::A)
        | Insn::Tax
        | Insn::Txa => None,
    }
}

/// The word that a byte is in.
const fn word(offset: u32) -> u32 {
    offset & !3
}

impl fmt::Display for NotForSeccomp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LAST: usize = SIZE - 4;
        match *self {
            NotForSeccomp::Narrow { offset } if (offset as usize) < SIZE => write!(
                f,
                "seccomp loads whole words only; [{offset}] is in `ld [{}]`, whose bits `rsh` and `and` take out",
                word(offset)
            ),
            NotForSeccomp::Narrow { offset } | NotForSeccomp::Outside { offset } => write!(
                f,
                "there is nothing at [{}]: seccomp sees no packet, but the {SIZE} bytes of struct seccomp_data; its words are `ld [0]` to `ld [{LAST}]`",
                offset as i32
            ),
            NotForSeccomp::Unaligned { offset } => write!(
                f,
                "seccomp loads words at multiples of 4 only; [{offset}] is inside the word `ld [{}]`",
                word(offset)
            ),
            NotForSeccomp::Indirect => write!(
                f,
                "seccomp loads from constant offsets only; write one of `ld [0]` to `ld [{LAST}]` instead of adding X"
            ),
            NotForSeccomp::Ancillary(Ancillary::XorX) => {
                f.write_str("seccomp has no ancillary loads; the operation is `xor x`")
            }
            NotForSeccomp::Ancillary(what) => write!(
                f,
                "seccomp has no ancillary loads: there is no packet whose `{}` could be asked for; what a filter sees is `ld [0]` (the number of the call) to `ld [{LAST}]`",
                row(Ancillary::TABLE, what).1
            ),
            NotForSeccomp::HeaderLength { offset } => write!(
                f,
                "seccomp sees no packet, so there is no header length at [{}]; set X with `ldx #k`, or with `ld [k]` and `tax`",
                offset as i32
            ),
            NotForSeccomp::Remainder(Operand::K(k)) if k.is_power_of_two() => {
                write!(f, "seccomp has no remainder; for this divisor write `and #{:#x}`", k - 1)
            }
            NotForSeccomp::Remainder(Operand::K(k)) => write!(
                f,
                "seccomp has no remainder; keep A with `st M[0]`, then `div #{k}`, `mul #{k}`, `tax`, `ld M[0]`, `sub x`"
            ),
            NotForSeccomp::Remainder(Operand::X) => f.write_str(
                "seccomp has no remainder; keep A with `st M[0]` and X with `stx M[1]`, then `div x`, `mul x`, `tax`, `ld M[0]`, `sub x`, `ldx M[1]`",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classic::encoding::{Raw, decode};
    use crate::classic::{Program, Refusal, RefusalKind};
    use crate::program::Pc;

    #[test]
    fn there_are_exactly_41_codes() {
        let takes = |code: u16| {
            let insn = decode(Raw { code, k: 4, ..Raw::default() });
            insn.is_ok_and(|insn| objection(&insn).is_none())
        };
        let codes: Vec<u16> = (0..=u16::MAX).filter(|&code| takes(code)).collect();
        assert_eq!(codes.len(), 41, "{codes:x?}");
    }

    #[test]
    fn words_of_the_record_are_the_only_offsets() {
        let load = |offset| Insn::LoadPacket { size: Size::W, from: PacketOffset::Abs(offset) };
        let offsets: Vec<u32> = (0..200).filter(|&offset| objection(&load(offset)).is_none()).collect();
        assert_eq!(offsets, (0..16).map(|word| 4 * word).collect::<Vec<u32>>());
        assert_eq!(objection(&load(u32::MAX - 3)), Some(NotForSeccomp::Outside { offset: u32::MAX - 3 }));
    }

    #[test]
    fn it_is_looked_at_last() {
        let narrow = Insn::LoadPacket { size: Size::B, from: PacketOffset::Abs(5) };
        let insns = vec![Insn::Tax, narrow, Insn::Return(Returned::A)];
        let refused = Program::new(insns).expect("sockets take it").for_seccomp();
        let kind = RefusalKind::Seccomp(NotForSeccomp::Narrow { offset: 5 });
        assert_eq!(refused, Err(Refusal { pc: Pc(1), kind }));
    }
}
