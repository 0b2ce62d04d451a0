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
        if never(target) || !self.falls(self.at) {
            self.note(|| "it always goes the same way".to_owned());
            if !never(target) {
                self.jump(target);
            }
            return;
        }
        let register = self.reg(dst);
        let mut cond = condition(op);
        match src {
            Src::Reg(with) if op == CmpOp::Set => self.asm.test(wide(width), register, self.reg(with)),
            Src::Reg(with) => {
                let with = self.reg(with);
                let both = self.narrow.has(register) && self.narrow.has(with) && !is_signed(op);
                let wide = if both { Wide::D } else { wide(width) };
                self.asm.alu(Alu::Cmp, wide, register, with);
            }
            // At the end of a loop the comparison stays: where it goes together with the jump in the CPU's eyes, a round
            // takes no longer for it, and on AMD's Zen 3 a tenth less than where arithmetic does.
            Src::Imm(0) if target as usize > self.at && self.flags_tell(width, op, register) => {
                self.note(|| "no comparison: the flags are still there".to_owned());
                cond = match op {
                    CmpOp::SLt => Cond::S,
                    CmpOp::SGe => Cond::Ns,
                    _ => cond,
                };
            }
            Src::Imm(imm) => self.compare_imm(width, op, register, imm),
        }
        self.asm.jcc(cond, self.label_of(target));
    }

    /// Whether arithmetic has just left in the flags how its result compares with 0.
    fn flags_tell(&self, width: Width, op: CmpOp, register: Gpr) -> bool {
        let Some((about, left, at)) = self.flags else { return false };
        let same = (wide(width) == left, left == Wide::D);
        let enough = match op {
            // A result of 32 bits has zeros above.
            CmpOp::Eq | CmpOp::Ne => same.0 || same.1,
            CmpOp::SLt | CmpOp::SGe => same.0,
            CmpOp::Gt | CmpOp::Ge | CmpOp::Set | CmpOp::SGt | CmpOp::Lt | CmpOp::Le | CmpOp::SLe => false,
        };
        about == register && at + 1 == self.at && enough
    }

    /// Compares a register with a constant, or tests it.
    fn compare_imm(&mut self, width: Width, op: CmpOp, register: Gpr, imm: i32) {
        if let Some(number) = self.constant_for(register, imm) {
            match op {
                CmpOp::Set => self.test_imm(Width::W32, register, number),
                _ => self.asm.alu_imm(Alu::Cmp, Wide::D, register, number),
            }
            return;
        }
        if op == CmpOp::Set {
            return self.test_imm(width, register, imm);
        }
        // With zeros above on both sides, the lower halves decide.
        let wide = match wide(width) {
            Wide::Q if imm >= 0 && !is_signed(op) && self.narrow.has(register) => Wide::D,
            other => other,
        };
        if imm == 0 {
            self.asm.test(wide, register, register);
        } else {
            self.asm.alu_imm(Alu::Cmp, wide, register, imm);
        }
    }

    pub(super) fn test_imm(&mut self, width: Width, register: Gpr, imm: i32) {
        // Where the constant has zeros, nothing need be looked at.
        let wide = match imm {
            0..=0xff if !register.is_high() && register.number() < 4 => Wide::B,
            0.. => Wide::D,
            _ => wide(width),
        };
        self.asm.test_imm(wide, register, imm);
    }

    pub(super) fn may_goto(&mut self, target: u32) {
        self.asm.alu_imm(Alu::Sub, Wide::Q, self.word(Word::MayGoto), 1);
        if !never(target) {
            self.asm.jcc(Cond::S, self.label_of(target));
        }
    }
}

const fn is_signed(op: CmpOp) -> bool {
    matches!(op, CmpOp::SGt | CmpOp::SGe | CmpOp::SLt | CmpOp::SLe)
}

/// The machine's condition behind `cmp`, or behind `test` for [`CmpOp::Set`].
pub(super) const fn condition(op: CmpOp) -> Cond {
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
