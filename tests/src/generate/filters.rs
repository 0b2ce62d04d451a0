//! Programs that only ask the packet questions, as filters do, and packets to ask.
//!
//! r6 holds the context, r7 to r9 are kept over loads: a header's length, or numbers that are added up. Every comparison
//! leads to some place behind it, so that paths meet with different numbers in them. Half of the constants are what the
//! packet has there, or else hardly a comparison would hold.

use super::Generator;
use bpf64_core::isa::{AluOp, CmpOp, Insn, PacketOffset, Reg, Size, Src, SwapKind, Width, eval};
use bpf64_core::program::Program;

/// What is kept.
const KEPT: [Reg; 3] = [Reg::R7, Reg::R8, Reg::R9];
/// Where `data` and `data_end` are in a packet program's context.
const DATA: i16 = 76;
const DATA_END: i16 = 80;

fn alu(width: Width, op: AluOp, dst: Reg, src: impl Into<Src>) -> Insn {
    Insn::Alu { width, op, dst, src: src.into() }
}

/// A part of a program: what it does, and jumps in it that are to lead on to some other part.
type Turn = Vec<Insn>;

impl Generator {
    /// A filter of so many questions at most, for types with legacy packet loads and direct access to the packet, and what
    /// it is to be asked about: packets much like each other, some of them shorter than what is looked at.
    pub fn filter(&mut self, most: usize) -> (Program, Vec<Vec<u8>>) {
        let packet = self.packet();
        let mut turns: Vec<Turn> = vec![vec![alu(Width::W64, AluOp::Mov, Reg::R6, Reg::R1)]];
        for reg in KEPT {
            turns[0].push(alu(Width::W32, AluOp::Mov, reg, self.below(3) as i32));
        }
        let mut measured = false;
        for _ in 0..1 + self.below(most) {
            let turn = match self.below(12) {
                0 | 1 => {
                    measured = true;
                    header_length(self.pick(&[14, 14, 14, 0]))
                }
                2 => vec![alu(Width::W64, AluOp::Mov, self.pick(&KEPT), Reg::R0)],
                3 => self.addition(),
                4 | 5 => self.direct(&packet),
                _ => self.question(&packet, measured),
            };
            // Nothing is in r0 before the first load.
            if turns.len() > 1 || matches!(turn[0], Insn::LoadPacket { .. }) {
                turns.push(turn);
            }
        }
        for _ in 0..2 {
            let r0 = self.pick(&[0, 1, 0xffff, -1]);
            turns.push(vec![alu(Width::W32, AluOp::Mov, Reg::R0, r0), Insn::Exit]);
        }
        let program = self.joined(&turns);
        let mut packets = vec![packet.clone(), Vec::new(), self.packet()];
        for _ in 0..6 {
            let mut other = packet.clone();
            match self.below(3) {
                0 => other.truncate(self.below(other.len() + 1)),
                1 => self.damage(&mut other),
                _ => {
                    if let Some(byte) = other.get_mut(14) {
                        *byte = 0x40 | self.below(16) as u8;
                    }
                }
            }
            packets.push(other);
        }
        (program, packets)
    }

    /// A comparison of something in r0, or of what is kept.
    fn compare(&mut self, dst: Reg, value: u32) -> Insn {
        use CmpOp::{Eq, Ge, Gt, Le, Lt, Ne, Set};
        let op = self.pick(&[Eq, Eq, Eq, Ne, Ne, Set, Gt, Ge, Lt, Le]);
        let width = self.pick(&[Width::W32, Width::W32, Width::W64]);
        let imm = match self.below(4) {
            0 | 1 => value,
            2 => value.wrapping_add(self.pick(&[1, u32::MAX])),
            _ => self.constant(),
        };
        let src = if self.percent(4) { self.pick(&KEPT).into() } else { Src::Imm(imm as i32) };
        Insn::Branch { width, op, dst, src, offset: 0 }
    }

    /// Comparisons of `dst`, in which `value` is.
    fn comparisons(&mut self, turn: &mut Turn, dst: Reg, value: u32) {
        if self.percent(20) {
            let first = self.below(3) as u32;
            for imm in 0..1 + self.below(8) as u32 {
                let imm = value.wrapping_add(imm).wrapping_sub(first) as i32;
                let src = Src::Imm(imm);
                turn.push(Insn::Branch { width: Width::W32, op: CmpOp::Eq, dst, src, offset: 0 });
            }
        } else {
            for _ in 0..1 + self.below(2) {
                turn.push(self.compare(dst, value));
            }
        }
    }

    /// A packet load, perhaps a mask and a shift, and comparisons. In r7 may be the length of a header.
    fn question(&mut self, packet: &[u8], measured: bool) -> Turn {
        let size = self.pick(&[Size::B, Size::H, Size::W]);
        let at = self.pick(&[0, 1, 2, 3, 12, 14, 16, 20, 23, 26, 30, 54]);
        let mut value = packet
            .get(at..at + size.bytes())
            .map_or(0, |bytes| bytes.iter().fold(0, |n, &b| n << 8 | u32::from(b)));
        let from = match self.below(20) {
            0 => PacketOffset::Ind(self.pick(&KEPT), self.pick(&[0, 1, 14, 16])),
            1..6 if measured => PacketOffset::Ind(Reg::R7, self.pick(&[0, 1, 14, 16])),
            _ => PacketOffset::Abs(at as i32),
        };
        let mut turn = vec![Insn::LoadPacket { size, from }];
        for _ in 0..self.below(3) {
            let width = self.pick(&[Width::W32, Width::W64]);
            let (op, imm) = match self.below(4) {
                0 => (AluOp::Lsh, self.below(9) as i32),
                1 => (AluOp::Rsh, self.below(9) as i32),
                _ => (AluOp::And, self.pick(&[0x1fff, 0xf, 0xf0, 2, 0xffff, -16, 0x7fff_ff00])),
            };
            turn.push(alu(width, op, Reg::R0, imm));
            value = eval::alu(width, op, value.into(), i64::from(imm) as u64) as u32;
        }
        if self.percent(90) {
            self.comparisons(&mut turn, Reg::R0, value);
        }
        turn
    }

    /// Something added to what is kept, or taken from it, and perhaps a comparison.
    fn addition(&mut self) -> Turn {
        let (dst, src) = (self.pick(&KEPT), self.pick(&[Reg::R0, Reg::R7, Reg::R8]));
        let width = if self.percent(5) { Width::W64 } else { Width::W32 };
        let op = self.pick(&[AluOp::Add, AluOp::Sub]);
        let mut turn = vec![alu(width, op, dst, src)];
        if self.percent(70) {
            let src =
                if self.percent(50) { Src::Imm(self.below(80) as i32) } else { self.pick(&KEPT).into() };
            let op = self.pick(&[CmpOp::Eq, CmpOp::Ne]);
            turn.push(Insn::Branch { width: Width::W32, op, dst, src, offset: 0 });
        }
        turn
    }

    /// Loads through a pointer, behind a look at where the packet ends; and behind an IPv4 header, if one is kept.
    fn direct(&mut self, packet: &[u8]) -> Turn {
        let field = |dst, offset| Insn::Load { size: Size::W, signed: false, dst, base: Reg::R6, offset };
        let mut turn = vec![field(Reg::R2, DATA), field(Reg::R3, DATA_END)];
        let size = if self.percent(5) { Size::DW } else { self.pick(&[Size::B, Size::H, Size::W]) };
        let at = self.below(40);
        let length = (at + size.bytes() + self.below(3)) as i32;
        let (op, pair) = self.pick(&[(CmpOp::Gt, [Reg::R4, Reg::R3]), (CmpOp::Lt, [Reg::R3, Reg::R4])]);
        turn.push(alu(Width::W64, AluOp::Mov, Reg::R4, Reg::R2));
        if self.percent(40) {
            // The first byte of the header must be there, and its length be put to use.
            let branch = |op, [dst, src]: [Reg; 2]| Insn::Branch {
                width: Width::W64,
                op,
                dst,
                src: src.into(),
                offset: 0,
            };
            turn.push(alu(Width::W64, AluOp::Add, Reg::R4, 15));
            turn.push(branch(op, pair));
            turn.push(Insn::Load { size: Size::B, signed: false, dst: Reg::R5, base: Reg::R2, offset: 14 });
            turn.push(alu(Width::W64, AluOp::And, Reg::R5, 15));
            turn.push(alu(Width::W64, AluOp::Lsh, Reg::R5, 2));
            turn.push(alu(Width::W64, AluOp::Add, Reg::R2, Reg::R5));
            turn.push(alu(Width::W64, AluOp::Mov, Reg::R4, Reg::R2));
        }
        turn.push(alu(Width::W64, AluOp::Add, Reg::R4, length));
        turn.push(Insn::Branch { width: Width::W64, op, dst: pair[0], src: pair[1].into(), offset: 0 });
        turn.push(Insn::Load { size, signed: false, dst: Reg::R0, base: Reg::R2, offset: at as i16 });
        let bytes = packet.get(at..at + size.bytes()).unwrap_or_default();
        let mut value = bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte));
        if size != Size::B && self.percent(50) {
            turn.push(Insn::Swap { kind: SwapKind::ToBe, size, dst: Reg::R0 });
            value = eval::swap(SwapKind::ToBe, size, value);
        }
        self.comparisons(&mut turn, Reg::R0, value as u32);
        turn
    }

    /// One program of all turns, each jump to a turn behind its own.
    fn joined(&mut self, turns: &[Turn]) -> Program {
        let mut insns: Vec<Insn> = turns.concat();
        let mut end = 0;
        let ends = turns.iter().map(|turn| {
            end += turn.len();
            end
        });
        // Behind each turn another one begins.
        let ends: Vec<usize> = ends.collect();
        for (number, turn) in turns.iter().enumerate() {
            let start = ends[number] - turn.len();
            for (at, insn) in (start..).zip(&mut insns[start..ends[number]]) {
                if let Insn::Branch { offset, .. } = insn {
                    let later = &ends[number..ends.len() - 1];
                    let near = if self.percent(60) { later.len().min(3) } else { later.len() };
                    *offset = (later[self.below(near)] - at - 1) as i16;
                }
            }
        }
        Program::new(insns, Vec::new()).expect("every jump lands")
    }
}

/// What tcpdump makes of an IPv4 header's length.
fn header_length(at: i32) -> Turn {
    vec![
        Insn::LoadPacket { size: Size::B, from: PacketOffset::Abs(at) },
        alu(Width::W32, AluOp::And, Reg::R0, 15),
        alu(Width::W32, AluOp::Lsh, Reg::R0, 2),
        alu(Width::W32, AluOp::Mov, Reg::R7, Reg::R0),
    ]
}
