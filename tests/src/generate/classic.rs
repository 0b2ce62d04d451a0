//! Classic instructions and programs.

use super::Generator;
use bpf64_core::classic::encoding::{self, Raw};
use bpf64_core::classic::{
    AluOp, Ancillary, CmpOp, Insn, MAX_INSNS, Operand, PacketOffset, Program, RefusalKind, Returned, Value,
};
use bpf64_core::context::skb::{LINK_WINDOW, NETWORK_WINDOW};
use bpf64_core::isa::Size;

const SIZES: [Size; 3] = [Size::B, Size::H, Size::W];

impl Generator {
    /// Any instruction that has an encoding, sensible or not.
    pub fn classic_insn(&mut self) -> Insn {
        let operand = if self.percent(50) { Operand::X } else { Operand::K(self.constant()) };
        let value = match self.below(3) {
            0 => Value::Imm(self.constant()),
            1 => Value::Mem(self.below(16) as u32),
            _ => Value::Len,
        };
        match self.below(16) {
            0 | 1 => self.packet_load(),
            2 | 3 if self.percent(50) => {
                Insn::LoadAncillary { size: self.pick(&SIZES), what: self.pick(Ancillary::TABLE).0 }
            }
            2..=4 => Insn::LoadA(value),
            5 => Insn::LoadX(value),
            6 => Insn::LoadXHeaderLength(self.offset()),
            7 => Insn::StoreA(self.below(16) as u32),
            8 => Insn::StoreX(self.below(16) as u32),
            9 | 10 => Insn::Alu(self.pick(AluOp::TABLE).0, operand),
            11 => Insn::Neg,
            12 => Insn::Jump(self.below(8) as u32),
            13 | 14 => Insn::Branch {
                op: self.pick(CmpOp::TABLE).0,
                with: operand,
                jt: self.below(5) as u8,
                jf: self.below(5) as u8,
            },
            _ => match self.below(6) {
                0 => Insn::Return(Returned::A),
                1 => Insn::Return(Returned::K(self.constant())),
                2 | 3 => Insn::Tax,
                _ => Insn::Txa,
            },
        }
    }

    fn packet_load(&mut self) -> Insn {
        let (size, k) = (self.pick(&SIZES), self.offset());
        if self.percent(40) {
            return Insn::LoadPacket { size, from: PacketOffset::Ind(k) };
        }
        let raw = encoding::encode(&Insn::LoadPacket { size, from: PacketOffset::Abs(k) });
        // What is in the ancillary range is an ancillary load or none at all.
        encoding::decode(raw).unwrap_or(Insn::LoadPacket { size, from: PacketOffset::Abs(0) })
    }

    /// A packet offset: mostly inside, sometimes just behind the end, in a window, or anything.
    fn offset(&mut self) -> u32 {
        let small = self.below(100) as i32;
        match self.below(30) {
            0 | 1 => (NETWORK_WINDOW + small) as u32,
            2 => (LINK_WINDOW + small) as u32,
            3 => self.constant(),
            4 => self.pick(&[LINK_WINDOW - 1, NETWORK_WINDOW - 1, -1, i32::MAX, i32::MIN]) as u32,
            _ => (small / 2) as u32,
        }
    }

    /// A program that Linux accepts, of up to `most` instructions.
    ///
    /// # Panics
    /// Never: what the checker refuses is mended until it does not.
    pub fn classic_program(&mut self, most: usize) -> Program {
        let length = 2 + self.below(most.clamp(2, MAX_INSNS) - 1);
        let mut insns: Vec<Insn> = (0..length).map(|_| self.classic_insn()).collect();
        insns[length - 1] =
            Insn::Return(if self.percent(80) { Returned::A } else { Returned::K(self.constant()) });
        self.mended(insns)
    }

    /// A program of these instructions, the last of which returns, changed where the checker objects.
    pub(super) fn mended(&mut self, mut insns: Vec<Insn>) -> Program {
        let last = insns.len() - 1;
        for (pc, insn) in insns.iter_mut().enumerate() {
            let room = last - pc;
            match insn {
                Insn::Jump(k) => *k %= room as u32,
                Insn::Branch { jt, jf, .. } => {
                    *jt = (usize::from(*jt) % room) as u8;
                    *jf = (usize::from(*jf) % room) as u8;
                }
                // Most returns in the middle would make most programs end early.
                Insn::Return(_) if pc != last && self.percent(70) => *insn = Insn::Tax,
                _ => {}
            }
        }
        loop {
            let refusal = match Program::new(insns.clone()) {
                Ok(program) => return program,
                Err(refusal) => refusal,
            };
            let insn = &mut insns[refusal.pc.index()];
            *insn = match (refusal.kind, *insn) {
                (RefusalKind::DivisionByZero | RefusalKind::Shift { .. }, Insn::Alu(op, _)) => {
                    Insn::Alu(op, Operand::K(1 + self.below(31) as u32))
                }
                (RefusalKind::ScratchNotWritten { cell, .. }, _) => Insn::StoreA(cell),
                (kind, insn) => panic!("the generator makes {insn}, refused: {kind}"),
            };
        }
    }

    /// A program of little else than scratch cells and jumps: accepted or not for what is written on which path.
    pub fn scratch_program(&mut self, most: usize) -> Vec<Raw> {
        let length = 3 + self.below(most);
        let mut insns = Vec::with_capacity(length);
        for pc in 0..length - 1 {
            let room = length - 1 - pc;
            let cell = self.below(2) as u32;
            insns.push(match self.below(10) {
                0..=2 => Insn::StoreA(cell),
                3 => Insn::StoreX(cell),
                4 => Insn::LoadA(Value::Mem(cell)),
                5 => Insn::LoadX(Value::Mem(cell)),
                6 => Insn::Jump(self.below(room.min(4)) as u32),
                7 => Insn::Return(Returned::A),
                _ => Insn::Branch {
                    op: self.pick(CmpOp::TABLE).0,
                    with: Operand::X,
                    jt: self.below(room.min(6)) as u8,
                    jf: self.below(room.min(6)) as u8,
                },
            });
        }
        insns.push(Insn::Return(Returned::A));
        insns.iter().map(encoding::encode).collect()
    }

    /// A program that loads, calculates and asks the same few things again and again, so that much of it is known
    /// before; with a packet of few different bytes, long enough for its loads.
    pub fn repetitive_program(&mut self, most: usize) -> (Program, Vec<u8>) {
        const NUMBERS: [u32; 12] = [0, 1, 2, 3, 4, 15, 16, 31, 0x80, 0x0102, 0xff00, 0x8000_0000];
        let number = |make: &mut Self| make.pick(&NUMBERS);
        let length = 2 + self.below(most.clamp(2, MAX_INSNS) - 1);
        let (last, mut insns) = (length - 1, Vec::with_capacity(length));
        // What no path comes to need not be written before it is read, so all cells are written first.
        for pc in 0..last {
            let room = last - pc;
            let cell = self.below(2) as u32;
            let operand = if self.percent(40) { Operand::X } else { Operand::K(number(self)) };
            let packet = self.pick(&[0, 1, 2, 4]);
            insns.push(match self.below(20) {
                _ if pc < 2 => Insn::StoreA(pc as u32),
                0..3 => Insn::LoadPacket { size: self.pick(&SIZES), from: PacketOffset::Abs(packet) },
                3 => Insn::LoadPacket { size: self.pick(&SIZES), from: PacketOffset::Ind(packet) },
                4 => Insn::LoadXHeaderLength(self.pick(&[0, 4])),
                5 => Insn::LoadA(Value::Mem(cell)),
                6 => Insn::LoadX(self.pick(&[Value::Mem(cell), Value::Len, Value::Imm(3)])),
                7 => Insn::LoadAncillary {
                    size: Size::W,
                    what: self.pick(&[
                        Ancillary::Protocol,
                        Ancillary::Protocol,
                        Ancillary::Ifindex,
                        Ancillary::PayloadOffset,
                    ]),
                },
                8 => Insn::StoreA(cell),
                9 => Insn::StoreX(cell),
                10 => Insn::Tax,
                11 => Insn::Txa,
                12 => Insn::LoadA(Value::Imm(number(self))),
                13..15 => Insn::Alu(self.pick(AluOp::TABLE).0, operand),
                15 if self.percent(30) => {
                    Insn::Return(self.pick(&[Returned::A, Returned::K(0), Returned::K(1)]))
                }
                15 if self.percent(30) => Insn::Jump((self.below(6) % room) as u32),
                _ => Insn::Branch {
                    op: self.pick(CmpOp::TABLE).0,
                    with: operand,
                    jt: (self.below(6) % room) as u8,
                    jf: (self.below(6) % room) as u8,
                },
            });
        }
        insns.push(Insn::Return(self.pick(&[Returned::A, Returned::A, Returned::K(0)])));
        let packet = (0..self.below(90)).map(|_| self.pick(&[0, 0, 1, 2, 0x45, 0xff])).collect();
        (self.mended(insns), packet)
    }

    /// A program with an accident or two: often refused, and often not.
    pub fn nearly_classic_program(&mut self) -> Vec<Raw> {
        let mut raw = self.classic_program(20).raw();
        for _ in 0..=self.below(2) {
            let at = self.below(raw.len());
            let insn = &mut raw[at];
            match self.below(6) {
                0 => insn.code = self.below(256) as u16,
                1 => insn.code ^= 1 << self.below(16),
                2 => insn.jt = self.below(32) as u8,
                3 => insn.jf = self.below(32) as u8,
                4 => {
                    insn.k = self.pick(&[0, 15, 16, 31, 32, u32::MAX, 0xffff_f000, 0xffff_f03c, 0xffff_f040])
                }
                _ => drop(raw.remove(at)),
            }
            if raw.is_empty() {
                break;
            }
        }
        raw
    }
}
