//! Loops: with a counter, with `may_goto`, and by functions that call back.

use super::pieces::{Piece, To};
use super::{Border, Held};
use bpf64_core::isa::{AluOp, Callee, CmpOp, Insn, Reg, Size, Src, WideImm, Width};

/// `bpf_loop`
const LOOP: i32 = 181;

impl Border<'_> {
    /// A loop with a counter.
    pub(super) fn round(&mut self, main: bool) {
        let counter = self.make.pick(&[Reg::R7, Reg::R8, Reg::R9]);
        if self.counters.contains(&counter) {
            return;
        }
        self.alu(AluOp::Mov, counter, Src::Imm(0));
        self.held[counter.index()] = Held::Number;
        self.counters.push(counter);
        self.group();
        let start = To::Group(self.groups.len() - 1);
        for _ in 0..self.make.below(3) {
            self.something(main);
        }
        self.counters.pop();
        let step = self.make.pick(&[1, 1, 1, 2, 3]);
        self.alu(AluOp::Add, counter, Src::Imm(step));
        let most = step * self.make.pick(&[1, 2, 3, 5, 12]);
        // A jump into the loop may bring any counter, and one that has passed its end never comes to `!=`.
        let op = if self.make.percent(2) { CmpOp::Ne } else { self.make.pick(&[CmpOp::Lt, CmpOp::SLe]) };
        let width = self.make.width();
        self.piece(Piece::Jump(
            Insn::Branch { width, op, dst: counter, src: Src::Imm(most), offset: 0 },
            start,
        ));
    }

    /// A loop that goes on as long as it may.
    pub(super) fn may_go(&mut self, main: bool) {
        self.group();
        let start = self.groups.len() - 1;
        let leave = |to| Piece::Jump(Insn::MayGoto { offset: 0 }, to);
        self.piece(leave(To::Later(1)));
        for _ in 0..1 + self.make.below(3) {
            match self.make.below(3) {
                0 => self.change_slot(),
                _ => self.something(main),
            }
        }
        self.piece(Piece::Jump(Insn::Jump { offset: 0 }, To::Group(start)));
        self.group();
        self.groups[start][0] = leave(To::Group(self.groups.len() - 1));
    }

    /// A slot that is changed in every round.
    fn change_slot(&mut self) {
        let slot = self.make.below(super::SLOTS);
        let offset = -8 * (slot as i16 + 1);
        if self.slots[slot] != Held::Number {
            return;
        }
        self.change(Reg::R10, offset);
    }

    /// Something is computed from eight bytes and put back into them.
    fn change(&mut self, base: Reg, offset: i16) {
        let dst = self.free();
        if dst == base {
            return;
        }
        self.insn(Insn::Load { size: Size::DW, signed: false, dst, base, offset });
        self.held[dst.index()] = Held::Number;
        match self.make.below(5) {
            0 => self.alu(AluOp::Add, dst, Src::Imm(1)),
            1 => {
                let (op, width, by) =
                    (self.make.pick(AluOp::ALL), self.make.width(), self.make.constant() as i32 & 31);
                self.insn(Insn::Alu { width, op, dst, src: Src::Imm(by.max(1)) });
            }
            2 => {
                let src = self.number();
                if src != base {
                    self.alu(AluOp::Add, dst, Src::Reg(src));
                }
            }
            3 => {
                let imm = self.make.constant() as i32;
                self.alu(AluOp::Mov, dst, Src::Imm(imm));
            }
            _ => self.alu(AluOp::And, dst, Src::Imm(15)),
        }
        if self.make.percent(40) {
            let (width, op, imm) =
                (self.make.width(), self.make.pick(CmpOp::ALL), self.make.below(20) as i32);
            let branch = Insn::Branch { width, op, dst, src: Src::Imm(imm), offset: 0 };
            let later = To::Later(1 + self.make.below(2));
            self.piece(Piece::Jump(branch, later));
        }
        self.insn(Insn::Store { size: Size::DW, base, offset, src: Src::Reg(dst) });
    }

    /// What a callback does with the memory of the function that waits: it changes it from round to round.
    pub(super) fn accumulate(&mut self) {
        let Some(base) = self.holding(|held| matches!(held, Held::Outer(_))) else { return };
        let Held::Outer(bytes) = self.held[base.index()] else { return };
        let offset = 8 * self.make.below(bytes as usize / 8) as i16;
        self.change(base, offset);
    }

    /// A function that calls back, which is given memory of the stack.
    pub(super) fn repeat(&mut self) {
        if self.called.len() + 1 >= super::FUNCTIONS {
            return;
        }
        let bytes: i16 = self.make.pick(&[8, 16, 24]);
        let first = self.make.below(3) as i16;
        let offset = -bytes - 8 * first;
        for at in (0..bytes).step_by(8) {
            let src = match (self.record.take(), self.make.percent(50)) {
                (Some(record), _) => Src::Reg(record),
                (None, true) => Src::Imm(self.make.below(20) as i32),
                (None, false) => Src::Reg(self.number()),
            };
            self.insn(Insn::Store { size: Size::DW, base: Reg::R10, offset: offset + at, src });
            self.slots[((-offset - at) / 8 - 1) as usize] = Held::Number;
        }
        let elements = self.make.percent(30);
        let map = self.make.pick(&[super::calls::HASH, super::calls::ARRAY]);
        let outer = Held::Outer(bytes);
        let (given, pointer, id) = match elements {
            true => (
                [Held::Nothing, Held::Key(map), Held::Value(map), outer, Held::Nothing],
                Reg::R3,
                bpf64_core::maps::function::FOR_EACH,
            ),
            false => ([Held::Number, outer, Held::Nothing, Held::Nothing, Held::Nothing], Reg::R3, LOOP),
        };
        if elements {
            self.wide(Reg::R1, WideImm::MapFd(map as i32));
        } else if self.make.percent(25) {
            let rounds = self.small();
            self.copy(Reg::R1, rounds);
        } else {
            let rounds = self.make.pick(&[0, 1, 2, 3, 10, 100]);
            self.alu(AluOp::Mov, Reg::R1, Src::Imm(rounds));
        }
        self.called.push(given);
        self.piece(Piece::Address(Reg::R2, self.called.len()));
        self.copy(pointer, Reg::R10);
        self.alu(AluOp::Add, pointer, Src::Imm(offset.into()));
        let flags = i32::from(self.slip());
        self.alu(AluOp::Mov, Reg::R4, Src::Imm(flags));
        self.insn(Insn::Call(Callee::Helper(id)));
        self.clobber(Held::Number);
        // What the rounds have left there leads into memory.
        if self.make.percent(60) {
            let (dst, pointer) = (self.make.pick(&[Reg::R0, Reg::R3]), self.make.pick(&[Reg::R1, Reg::R2]));
            self.insn(Insn::Load { size: Size::DW, signed: false, dst, base: Reg::R10, offset });
            self.held[dst.index()] = Held::Number;
            if self.make.percent(70) {
                let branch =
                    Insn::Branch { width: Width::W64, op: CmpOp::Gt, dst, src: Src::Imm(8), offset: 0 };
                self.piece(Piece::Jump(branch, To::Later(1)));
            }
            self.copy(pointer, Reg::R10);
            self.alu(AluOp::Add, pointer, Src::Reg(dst));
            self.insn(Insn::Load { size: Size::B, signed: false, dst: pointer, base: pointer, offset: -16 });
            self.held[pointer.index()] = Held::Number;
        }
    }
}
