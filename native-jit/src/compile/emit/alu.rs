//! Arithmetic, byte swaps and constants. A 32-bit instruction of the machine zero-extends by itself.

use super::{Emitter, wide, wide_of};
use crate::abi::{self, SCRATCH};
use crate::code::CompileError;
use crate::x64::{Alu, Gpr, Mem, Rm, Set, Shift, Unary, Wide};
use bpf64_core::isa::{AluOp, Reg, Size, Src, SwapKind, WideImm, Width};
use bpf64_core::machine::Region;
use bpf64_core::program::Pc;

impl Emitter<'_> {
    pub(super) fn alu(&mut self, width: Width, op: AluOp, dst: Reg, src: Src) {
        let to = self.reg(dst);
        match (op, src) {
            (AluOp::Mov, Src::Imm(imm)) => self.asm.mov_imm(to, extended(width, imm)),
            (AluOp::Mov, Src::Reg(from)) => self.mov(width, to, from),
            (AluOp::Add, _) => self.simple(Alu::Add, width, to, src),
            (AluOp::Sub, _) => self.simple(Alu::Sub, width, to, src),
            (AluOp::Or, _) => self.simple(Alu::Or, width, to, src),
            (AluOp::And, Src::Imm(imm)) => match self.constant_for(to, imm) {
                // The lower half is all there is.
                Some(mask) => self.asm.alu_imm(Alu::And, Wide::D, to, mask),
                None => self.simple(Alu::And, width, to, src),
            },
            (AluOp::And, _) => self.simple(Alu::And, width, to, src),
            (AluOp::Xor, _) => self.simple(Alu::Xor, width, to, src),
            (AluOp::Mul, Src::Imm(imm)) => self.mul_imm(width, to, imm),
            (AluOp::Mul, Src::Reg(by)) => self.asm.imul(wide(width), to, self.reg(by)),
            (AluOp::Lsh, _) => self.shift(Shift::Shl, width, to, src),
            (AluOp::Rsh, _) => self.shift(Shift::Shr, width, to, src),
            (AluOp::Arsh, _) => self.shift(Shift::Sar, width, to, src),
            (AluOp::Div | AluOp::SDiv | AluOp::Mod | AluOp::SMod, _) => self.divide(width, op, dst, src),
        }
    }

    fn mov(&mut self, width: Width, to: Gpr, from: Reg) {
        let from_reg = self.reg(from);
        match width {
            Width::W64 if to == from_reg => {}
            Width::W32 if to == from_reg => self.zero_extend(to),
            _ => self.asm.mov(wide(width), to, from_reg),
        }
    }

    /// Makes the upper half 0, if it is not known to be.
    fn zero_extend(&mut self, register: Gpr) {
        if self.narrow.has(register) {
            self.note(|| format!("no zero extension: the upper half of {register} is 0"));
        } else {
            self.asm.mov(Wide::D, register, register);
        }
    }

    fn simple(&mut self, op: Alu, width: Width, to: Gpr, src: Src) {
        let wide = wide(width);
        let imm = match src {
            Src::Reg(from) => {
                self.asm.alu(op, wide, to, self.reg(from));
                self.flags = Some((to, wide, self.at));
                return;
            }
            Src::Imm(imm) => imm,
        };
        self.flags = match (op, imm) {
            (Alu::Add | Alu::Sub | Alu::Or | Alu::Xor, 0)
            | (Alu::And, -1 | 0xff | 0xffff)
            | (Alu::Xor, -1) => None,
            (Alu::And, 0..) => Some((to, Wide::D, self.at)),
            _ => Some((to, wide, self.at)),
        };
        match (op, imm) {
            (Alu::Add | Alu::Sub | Alu::Or | Alu::Xor, 0) | (Alu::And, -1) => {
                if width == Width::W32 {
                    self.zero_extend(to);
                }
            }
            (Alu::Add, 1) | (Alu::Sub, -1) => self.asm.step(wide, to, false),
            (Alu::Add, -1) | (Alu::Sub, 1) => self.asm.step(wide, to, true),
            // The one number that is shorter the other way round.
            (Alu::Add, 128) => self.asm.alu_imm(Alu::Sub, wide, to, -128),
            (Alu::Sub, 128) => self.asm.alu_imm(Alu::Add, wide, to, -128),
            (Alu::And, 0xff) => self.asm.movzx(Wide::B, to, to),
            (Alu::And, 0xffff) => self.asm.movzx(Wide::W, to, to),
            // The upper half of the result is 0 either way.
            (Alu::And, 0..) => self.asm.alu_imm(op, Wide::D, to, imm),
            (Alu::Xor, -1) => self.asm.unary(Unary::Not, wide, to),
            _ => self.asm.alu_imm(op, wide, to, imm),
        }
    }

    fn mul_imm(&mut self, width: Width, to: Gpr, by: i32) {
        let wide = wide(width);
        match by {
            0 => self.asm.mov_imm(to, 0),
            1 if width == Width::W32 => self.zero_extend(to),
            1 => {}
            _ if by > 0 && by.cast_unsigned().is_power_of_two() => {
                self.note(|| format!("a shift: {by} is a power of two"));
                self.asm.shift_imm(Shift::Shl, wide, to, by.trailing_zeros() as u8);
            }
            3 | 5 | 9 => {
                self.note(|| format!("an address computes {by} times a number"));
                let mem = Mem { base: to, index: Some((to, (by - 1).trailing_zeros() as u8)), disp: 0 };
                self.asm.lea(wide, to, mem);
            }
            _ => self.asm.imul_imm(wide, to, to, by),
        }
    }

    fn shift(&mut self, op: Shift, width: Width, to: Gpr, src: Src) {
        let wide = wide(width);
        let by = match src {
            Src::Imm(imm) => {
                let bits = if width == Width::W32 { 31 } else { 63 };
                return match (imm & bits) as u8 {
                    0 if width == Width::W32 => self.zero_extend(to),
                    0 => {}
                    by => self.asm.shift_imm(op, wide, to, by),
                };
            }
            Src::Reg(by) => self.reg(by),
        };
        if by == Gpr::Rcx && to != Gpr::Rcx {
            return self.asm.shift_cl(op, wide, to);
        }
        if self.options.bmi2 {
            self.note(|| "BMI2 shifts by any register".to_owned());
            return self.asm.shift_x(op, wide, to, to, by);
        }
        if to == Gpr::Rcx {
            self.asm.mov(Wide::Q, SCRATCH, to);
            self.asm.mov(Wide::D, Gpr::Rcx, by);
            self.asm.shift_cl(op, wide, SCRATCH);
            return self.asm.mov(Wide::Q, Gpr::Rcx, SCRATCH);
        }
        let keep = self.wanted().has(Gpr::Rcx);
        if keep {
            self.asm.mov(Wide::Q, SCRATCH, Gpr::Rcx);
        }
        self.asm.mov(Wide::D, Gpr::Rcx, by);
        self.asm.shift_cl(op, wide, to);
        if keep {
            self.asm.mov(Wide::Q, Gpr::Rcx, SCRATCH);
        }
    }

    pub(super) fn neg(&mut self, width: Width, dst: Reg) {
        self.asm.unary(Unary::Neg, wide(width), self.reg(dst));
    }

    pub(super) fn mov_sx(&mut self, width: Width, from: Size, dst: Reg, src: Reg) {
        self.asm.movsx(wide_of(from), wide(width), self.reg(dst), Rm::Reg(self.reg(src)));
    }

    pub(super) fn swap(&mut self, kind: SwapKind, size: Size, dst: Reg) {
        let to = self.reg(dst);
        match (kind, size) {
            (SwapKind::ToLe, Size::DW) => {}
            (SwapKind::ToLe, Size::W) => self.zero_extend(to),
            (SwapKind::ToLe, Size::H | Size::B) => self.asm.movzx(wide_of(size), to, to),
            (SwapKind::ToBe | SwapKind::Always, Size::H) if self.is_short(dst) => {
                if self.goes_on_swapped(dst) {
                    self.swapped = Some((to, size));
                } else {
                    self.note(|| format!("no zero extension: {dst} has 16 bits"));
                    self.asm.shift_imm(Shift::Rol, Wide::W, to, 8);
                }
            }
            (SwapKind::ToBe | SwapKind::Always, Size::W)
                if self.narrow.has(to) && self.goes_on_swapped(dst) =>
            {
                self.swapped = Some((to, size));
            }
            (SwapKind::ToBe | SwapKind::Always, Size::H | Size::B) => {
                self.asm.shift_imm(Shift::Ror, Wide::W, to, 8);
                self.asm.movzx(Wide::W, to, to);
            }
            (SwapKind::ToBe | SwapKind::Always, Size::W | Size::DW) => self.asm.bswap(wide_of(size), to),
        }
    }

    /// Whether the register is known to hold no more than 16 bits.
    fn is_short(&self, reg: Reg) -> bool {
        self.number(reg).wide.unsigned.max <= u16::MAX.into()
    }

    pub(super) fn load_imm(&mut self, pc: Pc, dst: Reg, imm: WideImm) -> Result<(), CompileError> {
        let to = self.reg(dst);
        let unresolved = CompileError::Unresolved { pc };
        match imm {
            WideImm::Const(value) => self.asm.mov_imm(to, value),
            WideImm::MapFd(_) | WideImm::MapIndex(_) => {
                let map = self.program.map_of(imm).ok_or(unresolved)?;
                self.asm.mov_imm(to, Region::Map(map).address(0));
            }
            WideImm::MapFdValue { offset, .. } | WideImm::MapIndexValue { offset, .. } => {
                let map = self.program.map_of(imm).ok_or(unresolved)?;
                self.asm.mov(Wide::Q, to, abi::table(map, self.needs.block_in));
                if offset != 0 {
                    self.asm.alu_imm(Alu::Add, Wide::Q, to, offset);
                }
            }
            WideImm::Code(offset) => {
                let target = self.program.code_target(pc, offset).ok_or(unresolved)?;
                self.asm.mov_imm(to, Region::Code.address(self.program.slot(target).0));
            }
            WideImm::Variable { .. } => return Err(unresolved),
        }
        Ok(())
    }

    /// So many registers for a moment, other than the scratch register and those of the current op; those that hold
    /// something are saved, and given back by [`Emitter::give_back`].
    pub(super) fn borrow<const N: usize>(&mut self, not: Set) -> ([Gpr; N], Vec<Gpr>) {
        let (mut taken, mut saved) = (not, Vec::new());
        let registers = [(); N].map(|()| {
            let register = self.spare(taken).unwrap_or_else(|| {
                let effect = super::effect_of(&self.ops[self.at], self.registers);
                let not = taken.or(effect.reads).or(effect.writes);
                let may = [Gpr::Rbx, Gpr::R13, Gpr::R14, Gpr::R15, Gpr::R9, Gpr::R10, Gpr::Rcx, Gpr::Rdx];
                let found = may.into_iter().find(|&register| !not.has(register));
                let register = found.expect("an instruction has fewer operands than there are registers");
                self.asm.push(register);
                saved.push(register);
                register
            });
            taken.add(register);
            register
        });
        (registers, saved)
    }

    pub(super) fn give_back(&mut self, saved: Vec<Gpr>) {
        saved.into_iter().rev().for_each(|register| self.asm.pop(register));
    }
}

/// The constant as the operation has it: cut to 32 bits, or sign-extended.
pub(super) fn extended(width: Width, imm: i32) -> u64 {
    match width {
        Width::W32 => u64::from(imm as u32),
        Width::W64 => i64::from(imm) as u64,
    }
}
