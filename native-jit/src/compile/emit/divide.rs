//! Division and remainder.

use super::super::magic::{Magic, magic};
use super::alu::extended;
use super::{Emitter, wide};
use crate::abi::SCRATCH;
use crate::x64::{Alu, Cond, Gpr, Set, Shift, Unary, Wide};
use bpf64_core::isa::{AluOp, Reg, Src, Width};

impl Emitter<'_> {
    pub(super) fn divide(&mut self, width: Width, op: AluOp, dst: Reg, src: Src) {
        let signed = matches!(op, AluOp::SDiv | AluOp::SMod);
        let remainder = matches!(op, AluOp::Mod | AluOp::SMod);
        if let Src::Imm(imm) = src
            && self.divide_by_constant(width, signed, remainder, dst, imm)
        {
            return;
        }
        self.divide_by_any(width, signed, remainder, dst, src);
    }

    /// Divides by a constant for which there is something better than a division. Whether there was.
    fn divide_by_constant(
        &mut self,
        width: Width,
        signed: bool,
        remainder: bool,
        dst: Reg,
        imm: i32,
    ) -> bool {
        let to = self.reg(dst);
        let by = extended(width, imm);
        match by {
            0 if remainder => self.mov_same(width, to),
            0 => self.asm.mov_imm(to, 0),
            _ if signed => return false,
            _ if !by.is_power_of_two() => self.multiply(width, remainder, dst, by),
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

    /// Divides by multiplying.
    fn multiply(&mut self, width: Width, remainder: bool, dst: Reg, by: u64) {
        let to = self.reg(dst);
        let most = match width {
            Width::W32 => u64::from(self.number(dst).low.unsigned.max),
            Width::W64 if self.narrow.has(to) => u32::MAX.into(),
            Width::W64 => self.number(dst).wide.unsigned.max,
        };
        if most < by {
            // The quotient is 0.
            self.note(|| format!("{dst} is below {by}"));
            return if remainder { self.mov_same(width, to) } else { self.asm.mov_imm(to, 0) };
        }
        self.note(|| format!("a multiplication: by {by}"));
        let bits = if most <= u32::MAX.into() { 32 } else { 64 };
        if width == Width::W32 && !self.narrow.has(to) {
            self.asm.mov(Wide::D, to, to);
        }
        match magic(bits, by) {
            Magic::Low { factor, shift } => {
                match i32::try_from(factor) {
                    Ok(factor) => self.asm.imul_imm(Wide::Q, SCRATCH, to, factor),
                    Err(_) => {
                        self.asm.mov_imm(SCRATCH, factor);
                        self.asm.imul(Wide::Q, SCRATCH, to);
                    }
                }
                self.asm.shift_imm(Shift::Shr, Wide::Q, SCRATCH, shift);
            }
            Magic::High { factor, shift } => {
                self.high_half(to, factor, false);
                if shift > 0 {
                    self.asm.shift_imm(Shift::Shr, Wide::Q, SCRATCH, shift);
                }
            }
            Magic::Down { factor, shift } => {
                self.high_half(to, factor, true);
                self.asm.shift_imm(Shift::Shr, Wide::Q, SCRATCH, shift);
            }
        }
        if !remainder {
            return self.asm.mov(Wide::Q, to, SCRATCH);
        }
        // Divisors that are no numbers of 31 bits are constants with a sign, and numbers of the width with it.
        self.asm.imul_imm(wide(width), SCRATCH, SCRATCH, by as i32);
        self.asm.alu(Alu::Sub, wide(width), to, SCRATCH);
    }

    /// The upper half of the product of 128 bits, into the scratch register; or of that and the factor once more.
    fn high_half(&mut self, of: Gpr, factor: u64, once_more: bool) {
        if self.options.bmi2 {
            let kept = if of == Gpr::Rdx { Vec::new() } else { self.keep(SCRATCH, Set::of(&[Gpr::Rdx])) };
            if of != Gpr::Rdx {
                self.asm.mov(Wide::Q, Gpr::Rdx, of);
            }
            if once_more {
                let ([by, low], saved) = self.borrow::<2>(rooms(&kept).with(Gpr::Rdx));
                self.asm.mov_imm(by, factor);
                self.asm.mulx(SCRATCH, low, by);
                self.asm.alu(Alu::Add, Wide::Q, low, by);
                self.asm.alu_imm(Alu::Adc, Wide::Q, SCRATCH, 0);
                self.give_back(saved);
            } else {
                self.asm.mov_imm(SCRATCH, factor);
                self.asm.mulx(SCRATCH, SCRATCH, SCRATCH);
            }
            return self.restore(&kept);
        }
        let kept = self.keep(SCRATCH, Set::of(&[Gpr::Rax, Gpr::Rdx]));
        self.asm.mov_imm(SCRATCH, factor);
        if of != Gpr::Rax {
            self.asm.mov(Wide::Q, Gpr::Rax, of);
        }
        self.asm.unary(Unary::Mul, Wide::Q, SCRATCH);
        if once_more {
            self.asm.alu(Alu::Add, Wide::Q, Gpr::Rax, SCRATCH);
            self.asm.alu_imm(Alu::Adc, Wide::Q, Gpr::Rdx, 0);
        }
        self.asm.mov(Wide::Q, SCRATCH, Gpr::Rdx);
        self.restore(&kept);
    }

    /// What is left of an operation that changes nothing.
    fn mov_same(&mut self, width: Width, to: Gpr) {
        if width == Width::W32 {
            self.asm.mov(Wide::D, to, to);
        }
    }

    /// By the machine's own instruction, which takes the dividend from rax and rdx and leaves the result there.
    fn divide_by_any(&mut self, width: Width, signed: bool, remainder: bool, dst: Reg, src: Src) {
        let to = self.reg(dst);
        let narrow = !signed && width == Width::W64 && self.is_narrow(dst, src);
        if let Src::Reg(by) = src
            && !signed
            && !narrow
            && width == Width::W64
            && self.by_reciprocal(remainder, dst, by)
        {
            return;
        }
        let wide = if narrow {
            self.note(|| "32 bits: both are below 2^32".to_owned());
            Wide::D
        } else {
            wide(width)
        };
        let tests_zero = self.may_be_zero(width, src);
        let (done, zero, minus) = (self.asm.label(), self.asm.label(), self.asm.label());
        match src {
            Src::Reg(by) => self.asm.mov(wide, SCRATCH, self.reg(by)),
            Src::Imm(imm) => self.asm.mov_imm(SCRATCH, extended(width, imm)),
        }
        if tests_zero {
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
        if tests_zero {
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

    /// Whether the divisor may be 0, as far as is known.
    fn may_be_zero(&mut self, width: Width, src: Src) -> bool {
        let Src::Reg(reg) = src else { return false };
        let number = self.number(reg);
        let [least, most] = match width {
            Width::W32 => [number.low.unsigned.min, number.low.unsigned.max].map(u64::from),
            Width::W64 => [number.wide.unsigned.min, number.wide.unsigned.max],
        };
        if least > 0 {
            self.note(|| format!("no zero test: {reg} is {least}..{most}"));
        }
        least == 0
    }

    /// Whether dividend and divisor are known to be below 2^32.
    fn is_narrow(&self, dst: Reg, src: Src) -> bool {
        let below = |reg: Reg| {
            self.narrow.has(self.reg(reg)) || self.number(reg).wide.unsigned.max <= u32::MAX.into()
        };
        below(dst)
            && match src {
                Src::Reg(reg) => below(reg),
                Src::Imm(imm) => imm >= 0,
            }
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

/// Where registers are that were saved in others.
pub(super) fn rooms(kept: &[(Gpr, Option<Gpr>)]) -> Set {
    kept.iter().filter_map(|&(_, room)| room).fold(Set::NONE, Set::with)
}
