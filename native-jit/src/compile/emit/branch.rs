//! Jumps and the comparisons before them.

use super::{Emitter, never, wide};
use crate::abi::Word;
use crate::x64::{Alu, Cond, Gpr, Wide};
use bpf64_core::isa::{CmpOp, Reg, Src, Width};

impl Emitter<'_> {
    pub(super) fn jump(&mut self, target: u32) {
        if target as usize != self.at + 1 {
            self.asm.jmp(self.label_of(target));
        }
    }

    pub(super) fn branch(&mut self, width: Width, op: CmpOp, dst: Reg, src: Src, target: u32) {
        if never(target) || !self.falls_through() {
            self.note(|| "it always goes the same way".to_owned());
            if !never(target) {
                self.jump(target);
            }
            return;
        }
        let register = self.reg(dst);
        match src {
            Src::Reg(with) if op == CmpOp::Set => self.asm.test(wide(width), register, self.reg(with)),
            Src::Reg(with) => self.asm.alu(Alu::Cmp, wide(width), register, self.reg(with)),
            Src::Imm(imm) if op == CmpOp::Set => self.test_imm(width, register, imm),
            Src::Imm(imm) => self.compare_imm(width, op, register, imm),
        }
        self.asm.jcc(condition(op), self.label_of(target));
    }

    fn test_imm(&mut self, width: Width, register: Gpr, imm: i32) {
        // Where the constant has zeros, nothing need be looked at.
        let wide = match imm {
            0..=0xff if !register.is_high() && register.number() < 4 => Wide::B,
            0.. => Wide::D,
            _ => wide(width),
        };
        self.asm.test_imm(wide, register, imm);
    }

    fn compare_imm(&mut self, width: Width, op: CmpOp, register: Gpr, imm: i32) {
        let signed = matches!(op, CmpOp::SGt | CmpOp::SGe | CmpOp::SLt | CmpOp::SLe);
        // With zeros above on both sides, the lower halves decide.
        let wide = match wide(width) {
            Wide::Q if imm >= 0 && !signed && self.narrow.has(register) => Wide::D,
            other => other,
        };
        if imm == 0 {
            self.asm.test(wide, register, register);
        } else {
            self.asm.alu_imm(Alu::Cmp, wide, register, imm);
        }
    }

    pub(super) fn may_goto(&mut self, target: u32) {
        self.asm.alu_imm(Alu::Sub, Wide::Q, Word::MayGoto.mem(), 1);
        if !never(target) {
            self.asm.jcc(Cond::S, self.label_of(target));
        }
    }
}

/// The machine's condition behind `cmp`, or behind `test` for [`CmpOp::Set`].
const fn condition(op: CmpOp) -> Cond {
    match op {
        CmpOp::Eq => Cond::E,
        CmpOp::Gt => Cond::A,
        CmpOp::Ge => Cond::Ae,
        CmpOp::Set | CmpOp::Ne => Cond::Ne,
        CmpOp::SGt => Cond::G,
        CmpOp::SGe => Cond::Ge,
        CmpOp::Lt => Cond::B,
        CmpOp::Le => Cond::Be,
        CmpOp::SLt => Cond::L,
        CmpOp::SLe => Cond::Le,
    }
}
