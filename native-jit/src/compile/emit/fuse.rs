//! Several instructions of the program in one of the machine: a load and what is done with it, a move and what is added,
//! a mask and the test for zero. And byte swaps that are left out, where a constant can be swapped instead.

use super::alu::extended;
use super::branch::condition;
use super::{Emitter, Op, never, wide, wide_of};
use crate::x64::{Alu, Cond, Gpr, Mem, Shift, Wide};
use bpf64_core::isa::{AluOp, CmpOp, Insn, Reg, Size, Src, SwapKind, Width};

/// What a comparison with memory is.
struct Comparison {
    wide: Wide,
    /// The number, or the mask.
    number: i32,
    /// Bytes behind the loaded ones' beginning at which to look.
    at: i32,
    /// What holds when the branch goes: for `test`, [`CmpOp::Set`] or [`CmpOp::Eq`].
    op: CmpOp,
    test: bool,
}

impl Emitter<'_> {
    /// Writes the current op with some of those behind it, if there is a way; how many it wrote.
    pub(super) fn fused(&mut self) -> Option<usize> {
        let op = self.ops[self.at];
        let masks = |reg: Gpr| matches!(op.insn, Insn::Alu { op: AluOp::And, dst, src: Src::Imm(_), .. } if self.reg(dst) == reg);
        if op.cell.is_some() || self.swapped.is_some_and(|(register, _)| !masks(register)) {
            return None;
        }
        if let Some(find) = op.find {
            return self.find_and_test(find);
        }
        match op.insn {
            Insn::Load { size, signed: false, dst, base, offset } => {
                // Some fields of the context stand for addresses.
                let start = self.known.in_context(&op, base);
                if start.is_some_and(|start| self.address_field(size, start + i64::from(offset)).is_some()) {
                    return None;
                }
                let mem = Mem::at(self.reg(base), offset.into());
                self.load_and_compare(size, dst, false, |_| Some(mem))
                    .or_else(|| self.load_and_operate(size, dst, mem))
            }
            Insn::LoadPacket { size, from } => {
                self.load_and_compare(size, Reg::R0, size != Size::B, |emitter| {
                    emitter.packet_bytes(size, from)
                })
            }
            Insn::Alu { width, op: AluOp::Mov, dst, src: Src::Reg(src) } if src != dst => {
                self.move_and_operate(width, dst, src)
            }
            Insn::Alu { width, op: AluOp::And, dst, src: Src::Imm(mask) } => {
                self.mask_and_test(width, dst, mask)
            }
            Insn::Alu { width, op: AluOp::Rsh, dst, src } => self.bit_test(width, dst, src),
            Insn::Alu { width: Width::W64, op: AluOp::Lsh, dst, src: Src::Imm(32) } => {
                self.extension(0, dst, self.reg(dst))
            }
            _ => None,
        }
    }

    /// The op so many behind the current one, if control comes to it from there alone.
    pub(super) fn next(&self, by: usize) -> Option<&Op> {
        let between = self.ops.get(self.at + 1..=self.at + by)?;
        let op = between.last()?;
        (between.iter().all(|op| !op.leader) && op.cell.is_none()).then_some(op)
    }

    /// The branch so many behind, if it compares the register with a constant and may go either way.
    fn next_branch(&self, by: usize, reg: Reg) -> Option<(Width, CmpOp, i32, u32)> {
        let op = self.next(by)?;
        match op.insn {
            Insn::Branch { width, op: compare, dst, src: Src::Imm(imm), .. }
                if dst == reg && !never(op.target) && self.falls(self.at + by) =>
            {
                Some((width, compare, imm, op.target))
            }
            _ => None,
        }
    }

    /// Whether nobody reads the register behind the op so many behind.
    fn dead(&self, by: usize, reg: Reg) -> bool {
        !self.live[self.at + by].has(self.reg(reg))
    }

    /// `r = *p; r = be r; r &= mask; if r == constant`, where nobody wants `r` itself: the constant or the mask is
    /// compared with memory.
    fn load_and_compare(
        &mut self,
        size: Size,
        dst: Reg,
        mut swapped: bool,
        mem: impl FnOnce(&mut Self) -> Option<Mem>,
    ) -> Option<usize> {
        let mut by = 1;
        if let Some(&Op { insn: Insn::Swap { kind, size: swap, dst: reg }, .. }) = self.next(by)
            && (swap, reg) == (size, dst)
            && kind != SwapKind::ToLe
        {
            swapped = !swapped;
            by += 1;
        }
        let mut mask = None;
        if let Some(&Op { insn: Insn::Alu { op: AluOp::And, dst: reg, src: Src::Imm(imm), width }, .. }) =
            self.next(by)
            && reg == dst
            && (imm >= 0 || width == Width::W32)
        {
            mask = Some(imm as u32);
            by += 1;
        }
        let (width, op, imm, target) = self.next_branch(by, dst)?;
        if !self.dead(by, dst) {
            return None;
        }
        let comparison = comparison(size, swapped, mask, width, op, imm)?;
        for behind in 1..=by {
            self.mark(crate::code::Mark::Insn(self.ops[self.at + behind].pc));
        }
        self.note(|| match (swapped, comparison.test) {
            (true, false) => "compared in memory, with the constant swapped".to_owned(),
            (true, true) => "tested in memory, with the mask swapped".to_owned(),
            (false, false) => "compared in memory".to_owned(),
            (false, true) => "tested in memory".to_owned(),
        });
        let Some(mem) = mem(self) else { return Some(by + 1) };
        if let Insn::LoadPacket { .. } = self.ops[self.at].insn
            && self.options.budget
        {
            // The load may have ended the program, so what is behind it is counted behind it.
            self.spend(by as i32);
        }
        let mem = Mem { disp: mem.disp + comparison.at, ..mem };
        if comparison.test {
            self.asm.test_imm(comparison.wide, mem, comparison.number);
        } else {
            self.asm.alu_imm(Alu::Cmp, comparison.wide, mem, comparison.number);
        }
        self.asm.jcc(condition(comparison.op), self.label_of(target));
        Some(by + 1)
    }

    /// `r = *p; s += r`, or `if s == r`, where nobody wants `r` itself.
    fn load_and_operate(&mut self, size: Size, dst: Reg, mem: Mem) -> Option<usize> {
        let fits = |width| matches!((width, size), (Width::W32, Size::W | Size::DW) | (Width::W64, Size::DW));
        let &Op { insn, target, pc, .. } = self.next(1)?;
        match insn {
            Insn::Alu { width, op, dst: to, src: Src::Reg(src) }
                if src == dst && to != dst && fits(width) && self.dead(1, dst) =>
            {
                let (wide, to) = (wide(width), self.reg(to));
                let op = match op {
                    AluOp::Add => Alu::Add,
                    AluOp::Sub => Alu::Sub,
                    AluOp::And => Alu::And,
                    AluOp::Or => Alu::Or,
                    AluOp::Xor => Alu::Xor,
                    AluOp::Mul => {
                        self.mark(crate::code::Mark::Insn(pc));
                        self.asm.imul(wide, to, mem);
                        return Some(2);
                    }
                    AluOp::Div
                    | AluOp::SDiv
                    | AluOp::Mod
                    | AluOp::SMod
                    | AluOp::Lsh
                    | AluOp::Rsh
                    | AluOp::Arsh
                    | AluOp::Mov => return None,
                };
                self.mark(crate::code::Mark::Insn(pc));
                self.asm.alu(op, wide, to, mem);
                self.flags = Some((to, wide, self.at + 1));
                Some(2)
            }
            Insn::Branch { width, op, dst: with, src: Src::Reg(src), .. }
                if src == dst
                    && with != dst
                    && op != CmpOp::Set
                    && fits(width)
                    && self.dead(1, dst)
                    && !never(target)
                    && self.falls(self.at + 1) =>
            {
                self.mark(crate::code::Mark::Insn(pc));
                self.note(|| "compared in memory".to_owned());
                self.asm.alu(Alu::Cmp, wide(width), self.reg(with), mem);
                self.asm.jcc(condition(op), self.label_of(target));
                Some(2)
            }
            _ => None,
        }
    }

    /// `r = s; r += …`: the machine has instructions whose result is in another register.
    fn move_and_operate(&mut self, width: Width, dst: Reg, src: Reg) -> Option<usize> {
        let &Op { insn: Insn::Alu { width: wide_op, op, dst: again, src: operand }, pc, .. } =
            self.next(1)?
        else {
            return None;
        };
        if (wide_op, op, again, operand) == (Width::W64, AluOp::Lsh, dst, Src::Imm(32))
            && let Some(written) = self.extension(1, dst, self.reg(src))
        {
            return Some(written);
        }
        if again != dst || (width, wide_op) == (Width::W32, Width::W64) || operand == Src::Reg(dst) {
            return None;
        }
        let (to, from, wide) = (self.reg(dst), self.reg(src), wide(wide_op));
        let mark = crate::code::Mark::Insn(pc);
        match (op, operand) {
            (AluOp::Add, Src::Imm(imm)) if imm != 0 => {
                self.mark(mark);
                self.asm.lea(wide, to, Mem::at(from, imm));
            }
            (AluOp::Sub, Src::Imm(imm)) if imm != 0 && imm != i32::MIN => {
                self.mark(mark);
                self.asm.lea(wide, to, Mem::at(from, -imm));
            }
            (AluOp::Add, Src::Reg(by)) => {
                self.mark(mark);
                self.asm.lea(wide, to, Mem { base: from, index: Some((self.reg(by), 0)), disp: 0 });
            }
            (AluOp::Lsh, Src::Imm(1)) => {
                self.mark(mark);
                self.asm.lea(wide, to, Mem { base: from, index: Some((from, 0)), disp: 0 });
            }
            (AluOp::Mul, Src::Imm(by)) if by > 2 && !by.cast_unsigned().is_power_of_two() => {
                self.mark(mark);
                if let 3 | 5 | 9 = by {
                    let scale = (by - 1).trailing_zeros() as u8;
                    self.asm.lea(wide, to, Mem { base: from, index: Some((from, scale)), disp: 0 });
                } else {
                    self.asm.imul_imm(wide, to, from, by);
                }
            }
            (AluOp::And, Src::Imm(0xff)) => {
                self.mark(mark);
                self.asm.movzx(Wide::B, to, from);
            }
            (AluOp::And, Src::Imm(0xffff)) => {
                self.mark(mark);
                self.asm.movzx(Wide::W, to, from);
            }
            (AluOp::Lsh | AluOp::Rsh | AluOp::Arsh, Src::Reg(by)) if self.options.bmi2 => {
                self.mark(mark);
                let shift = match op {
                    AluOp::Lsh => Shift::Shl,
                    AluOp::Rsh => Shift::Shr,
                    _ => Shift::Sar,
                };
                self.asm.shift_x(shift, wide, to, from, self.reg(by));
            }
            _ => return None,
        }
        Some(2)
    }

    /// `r <<= 32; r >>= 32`, so many ops on: the lower half of a register is extended. Before there were operations of 32
    /// bits, that was how.
    fn extension(&mut self, by: usize, dst: Reg, from: Gpr) -> Option<usize> {
        let &Op { insn: Insn::Alu { width: Width::W64, op, dst: again, src: Src::Imm(32) }, .. } =
            self.next(by + 1)?
        else {
            return None;
        };
        if again != dst || !matches!(op, AluOp::Rsh | AluOp::Arsh) {
            return None;
        }
        for behind in 1..=by + 1 {
            self.mark(crate::code::Mark::Insn(self.ops[self.at + behind].pc));
        }
        let to = self.reg(dst);
        if op == AluOp::Arsh {
            self.asm.movsx(Wide::D, Wide::Q, to, from);
        } else if to == from && self.narrow.has(from) {
            self.note(|| format!("no zero extension: the upper half of {from} is 0"));
        } else {
            self.asm.mov(Wide::D, to, from);
        }
        Some(by + 2)
    }

    /// `r >>= n; r &= 1; if r != 0`, where nobody wants `r` itself.
    fn bit_test(&mut self, width: Width, dst: Reg, bit: Src) -> Option<usize> {
        let masked = |op: &Op| matches!(op.insn, Insn::Alu { op: AluOp::And, dst: reg, src: Src::Imm(1), .. } if reg == dst);
        if !self.next(1).is_some_and(masked) || bit == Src::Reg(dst) || !self.dead(2, dst) {
            return None;
        }
        let (_, op, imm, target) = self.next_branch(2, dst)?;
        let set = match (op, imm) {
            (CmpOp::Ne | CmpOp::Gt, 0) | (CmpOp::Eq | CmpOp::Set, 1) => Cond::B,
            (CmpOp::Eq, 0) | (CmpOp::Ne, 1) => Cond::Ae,
            _ => return None,
        };
        for behind in 1..=2 {
            self.mark(crate::code::Mark::Insn(self.ops[self.at + behind].pc));
        }
        let register = self.reg(dst);
        match bit {
            Src::Imm(bit @ 0..32) => self.asm.bt_imm(Wide::D, register, bit as u8),
            Src::Imm(bit) => self.asm.bt_imm(wide(width), register, bit as u8),
            Src::Reg(bit) => self.asm.bt(wide(width), register, self.reg(bit)),
        }
        self.asm.jcc(set, self.label_of(target));
        Some(3)
    }

    /// `r &= mask; if r != 0`, where nobody wants `r` itself.
    fn mask_and_test(&mut self, width: Width, dst: Reg, mask: i32) -> Option<usize> {
        let (compared, op, imm, target) = self.next_branch(1, dst)?;
        // What is masked with a number that is not negative has no upper half.
        let same = mask >= 0 || compared == width || width == Width::W32;
        let op = match op {
            CmpOp::Eq => CmpOp::Eq,
            CmpOp::Ne | CmpOp::Gt => CmpOp::Set,
            _ => return None,
        };
        let register = self.reg(dst);
        if imm != 0 || !same || !self.dead(1, dst) {
            return None;
        }
        let constant = self.constant_for(register, mask);
        let (mask, swapped) = (constant.unwrap_or(mask), constant.is_some());
        if swapped {
            self.swapped = None;
        }
        self.mark(crate::code::Mark::Insn(self.ops[self.at + 1].pc));
        self.test_imm(if swapped || mask >= 0 { Width::W32 } else { width }, register, mask);
        self.asm.jcc(condition(op), self.label_of(target));
        Some(2)
    }

    /// Whether what was just loaded into the register in the other byte order may stay so, since constants are compared
    /// with it next, which can be swapped instead.
    pub(super) fn goes_on_swapped(&self, reg: Reg) -> bool {
        let equal = |op| matches!(op, CmpOp::Eq | CmpOp::Ne | CmpOp::Set);
        if let Some((_, op, ..)) = self.next_branch(1, reg) {
            return equal(op);
        }
        let masked = matches!(
            self.next(1),
            Some(&Op { insn: Insn::Alu { op: AluOp::And, dst, src: Src::Imm(0..), .. }, .. }) if dst == reg
        );
        masked && self.next_branch(2, reg).is_some_and(|(_, op, ..)| equal(op))
    }

    /// Before an op: swaps what was left unswapped, if the op or somebody it leads to wants it as it should be.
    pub(super) fn settle(&mut self) {
        let Some((register, size)) = self.swapped else { return };
        let op = self.ops[self.at];
        let effect = super::effect_of(&op, self.registers);
        let wanted_there = op.insn.jump_offset().is_some()
            && !never(op.target)
            && self.before[op.target as usize].has(register);
        let takes = match op.insn {
            Insn::Branch {
                op: CmpOp::Eq | CmpOp::Ne | CmpOp::Set, dst, src: Src::Imm(imm), width, ..
            } => self.reg(dst) == register && !wanted_there && fits(size, extended(width, imm)),
            Insn::Alu { op: AluOp::And, dst, src: Src::Imm(imm @ 0..), .. } => {
                self.reg(dst) == register && fits(size, imm as u64)
            }
            _ => false,
        };
        if takes {
            return;
        }
        if effect.reads.has(register) || wanted_there {
            self.swap_now();
        } else if effect.writes.has(register) {
            self.swapped = None;
        }
    }

    /// Before a leader: the same.
    pub(super) fn settle_all(&mut self) {
        if let Some((register, _)) = self.swapped {
            if self.before[self.at].has(register) {
                self.swap_now();
            }
            self.swapped = None;
        }
    }

    fn swap_now(&mut self) {
        if let Some((register, size)) = self.swapped.take() {
            match size {
                Size::B => {}
                Size::H => self.asm.shift_imm(Shift::Rol, Wide::W, register, 8),
                Size::W | Size::DW => self.asm.bswap(wide_of(size), register),
            }
        }
    }

    /// The constant as it must be for the register, if that was left unswapped; of its size.
    pub(super) fn constant_for(&mut self, register: Gpr, imm: i32) -> Option<i32> {
        let (_, size) = self.swapped.filter(|&(swapped, _)| swapped == register)?;
        self.note(|| "the constant is swapped, not the number".to_owned());
        Some(swap(size, u64::from(imm as u32)) as i32)
    }
}

/// Whether the number is one of that size.
fn fits(size: Size, number: u64) -> bool {
    number <= all(size)
}

/// The largest number of that size.
const fn all(size: Size) -> u64 {
    u64::MAX >> (64 - size.bits_wide())
}

/// The number with its bytes the other way round.
const fn swap(size: Size, number: u64) -> u64 {
    number.swap_bytes() >> (64 - size.bits_wide())
}

/// How what was loaded is compared without loading it, if it can be.
fn comparison(
    size: Size,
    swapped: bool,
    mask: Option<u32>,
    width: Width,
    op: CmpOp,
    imm: i32,
) -> Option<Comparison> {
    let equal = matches!(op, CmpOp::Eq | CmpOp::Ne | CmpOp::Set);
    // Of eight bytes, a comparison of 32 bits looks at the lower half.
    let size = match (size, width) {
        (Size::DW, Width::W32) if swapped || mask.is_some() => return None,
        (Size::DW, Width::W32) => Size::W,
        _ => size,
    };
    if swapped && !equal {
        return None;
    }
    if let Some(mask) = mask {
        let op = match op {
            CmpOp::Eq => CmpOp::Eq,
            CmpOp::Ne | CmpOp::Gt => CmpOp::Set,
            _ => return None,
        };
        return (imm == 0).then(|| test(size, swapped, u64::from(mask) & all(size), op)).flatten();
    }
    let number = extended(width, imm);
    if op == CmpOp::Set {
        return test(size, swapped, number & all(size), op);
    }
    if !fits(size, number) {
        return None;
    }
    let number = if swapped { swap(size, number) } else { number };
    let narrower = size.bits_wide() < width.size().bits_wide();
    // With zeros above, no number is negative.
    let op = match op {
        CmpOp::SGt if narrower => CmpOp::Gt,
        CmpOp::SGe if narrower => CmpOp::Ge,
        CmpOp::SLt if narrower => CmpOp::Lt,
        CmpOp::SLe if narrower => CmpOp::Le,
        other => other,
    };
    let number = match size {
        Size::DW => i32::try_from(number as i64).ok()?,
        Size::W | Size::H | Size::B => number as i32,
    };
    Some(Comparison { wide: wide_of(size), number, at: 0, op, test: false })
}

/// The test of a mask, in as few bytes as it has.
fn test(size: Size, swapped: bool, mask: u64, op: CmpOp) -> Option<Comparison> {
    let mask = if swapped { swap(size, mask) } else { mask };
    if mask == 0 {
        return None;
    }
    let first = mask.trailing_zeros() / 8;
    let last = (63 - mask.leading_zeros()) / 8;
    let (wide, at) = match last - first {
        0 => (Wide::B, first),
        1 if size == Size::H => (Wide::W, 0),
        _ if last < 4 && size != Size::H => (Wide::D, 0),
        _ => return None,
    };
    Some(Comparison { wide, number: (mask >> (8 * at)) as i32, at: at as i32, op, test: true })
}
