//! Division and remainder.

use super::alu::extended;
use super::{Emitter, wide};
use crate::abi::SCRATCH;
use crate::x64::{Alu, Cond, Gpr, Set, Shift, Unary, Wide};
use bpf64_core::isa::{AluOp, Src, Width};

impl Emitter<'_> {
    pub(super) fn divide(&mut self, width: Width, op: AluOp, to: Gpr, src: Src) {
        let signed = matches!(op, AluOp::SDiv | AluOp::SMod);
        let remainder = matches!(op, AluOp::Mod | AluOp::SMod);
        if let Src::Imm(imm) = src
            && self.divide_by_constant(width, signed, remainder, to, imm)
        {
            return;
        }
        self.divide_by_any(width, signed, remainder, to, src);
    }

    /// Divides by a constant for which there is something better than a division. Whether there was.
    fn divide_by_constant(&mut self, width: Width, signed: bool, remainder: bool, to: Gpr, imm: i32) -> bool {
        let by = extended(width, imm);
        match by {
            0 if remainder => self.mov_same(width, to),
            0 => self.asm.mov_imm(to, 0),
            _ if signed || !by.is_power_of_two() => return false,
            _ => {
                let bits = by.trailing_zeros() as u8;
                if remainder {
                    self.note(|| format!("a mask: {by} is a power of two"));
                    // At most 2^31 - 1, as constants of 32 bits are.
                    self.asm.alu_imm(Alu::And, Wide::D, to, (by - 1) as i32);
                } else {
                    self.note(|| format!("a shift: {by} is a power of two"));
                    match bits {
                        0 => self.mov_same(width, to),
                        _ => self.asm.shift_imm(Shift::Shr, wide(width), to, bits),
                    }
                }
            }
        }
        true
    }

    /// What is left of an operation that changes nothing.
    fn mov_same(&mut self, width: Width, to: Gpr) {
        if width == Width::W32 {
            self.asm.mov(Wide::D, to, to);
        }
    }

    /// By the machine's own instruction, which takes the dividend from rax and rdx and leaves the result there.
    fn divide_by_any(&mut self, width: Width, signed: bool, remainder: bool, to: Gpr, src: Src) {
        let wide = wide(width);
        let (done, zero, minus) = (self.asm.label(), self.asm.label(), self.asm.label());
        match src {
            Src::Reg(by) => self.asm.mov(wide, SCRATCH, self.reg(by)),
            Src::Imm(imm) => self.asm.mov_imm(SCRATCH, extended(width, imm)),
        }
        if let Src::Reg(_) = src {
            self.asm.test(wide, SCRATCH, SCRATCH);
            self.asm.jcc(Cond::E, zero);
        }
        let minus_one = signed && !matches!(src, Src::Imm(imm) if imm != -1);
        if minus_one {
            // The machine traps when the quotient of the least number does not fit.
            self.asm.alu_imm(Alu::Cmp, wide, SCRATCH, -1);
            self.asm.jcc(Cond::E, minus);
        }
        let kept = self.keep(to, Set::of(&[Gpr::Rax, Gpr::Rdx]));
        if to != Gpr::Rax {
            self.asm.mov(wide, Gpr::Rax, to);
        }
        if signed {
            self.asm.sign_into_rdx(wide);
            self.asm.unary(Unary::Idiv, wide, SCRATCH);
        } else {
            self.asm.alu(Alu::Xor, Wide::D, Gpr::Rdx, Gpr::Rdx);
            self.asm.unary(Unary::Div, wide, SCRATCH);
        }
        let result = if remainder { Gpr::Rdx } else { Gpr::Rax };
        if to != result {
            self.asm.mov(wide, to, result);
        }
        self.restore(&kept);
        if let Src::Reg(_) = src {
            self.asm.jmp(done);
            self.asm.put(zero);
            match remainder {
                true => self.mov_same(width, to),
                false => self.asm.mov_imm(to, 0),
            }
        }
        if minus_one {
            self.asm.jmp(done);
            self.asm.put(minus);
            match remainder {
                true => self.asm.mov_imm(to, 0),
                false => self.asm.unary(Unary::Neg, wide, to),
            }
        }
        self.asm.put(done);
    }

    /// Saves those of `clobbered` that are wanted later, other than `to`, where there is room.
    pub(super) fn keep(&mut self, to: Gpr, clobbered: Set) -> Vec<(Gpr, Option<Gpr>)> {
        let mut taken = clobbered.with(to);
        let wanted = clobbered.and(self.wanted());
        let mut kept = Vec::new();
        for register in wanted.iter().filter(|&register| register != to) {
            let room = self.spare(taken);
            match room {
                Some(room) => {
                    self.asm.mov(Wide::Q, room, register);
                    taken.add(room);
                }
                None => self.asm.push(register),
            }
            kept.push((register, room));
        }
        kept
    }

    /// Puts back what [`Emitter::keep`] saved.
    pub(super) fn restore(&mut self, kept: &[(Gpr, Option<Gpr>)]) {
        for &(register, room) in kept.iter().rev() {
            match room {
                Some(room) => self.asm.mov(Wide::Q, register, room),
                None => self.asm.pop(register),
            }
        }
    }
}
