//! Division by a number that is known long before the dividend: by multiplying with its reciprocal.
//!
//! The machine's own division takes a dozen cycles, and whoever wants the quotient waits for them. To multiply twice and to
//! correct takes fewer. The division that finds the reciprocal waits for the divisor alone, and in a loop that leaves the
//! divisor as it is, or only counts with it, the CPU is done with it before the dividend is there.
//!
//! For a divisor d, let m = trunc((2^64 - 1) / d), which is not above 2^64 / d and above 2^64 / d - 1. A dividend n is
//! below 2^64, so that n * m / 2^64 is less than n / d by less than 1, and its whole part is the quotient or one too few.
//! Which of them, the rest tells: it is d or more where there was one too few.

use super::super::live::effect_of;
use super::Emitter;
use crate::abi::SCRATCH;
use crate::x64::{Alu, Cond, Gpr, Set, Unary, Wide};
use bpf64_core::isa::{AluOp, Insn, Reg, Src};

/// The longest loop, in ops. In longer ones it matters less, and to look through them takes longer.
const LONGEST: usize = 64;
/// What the machine's division and multiplication change.
const CHANGED: Set = Set::of(&[Gpr::Rax, Gpr::Rdx]);

/// Where things are meanwhile.
struct Room {
    dividend: Gpr,
    divisor: Gpr,
    /// Registers that are saved, and where.
    kept: Vec<(Gpr, Gpr)>,
}

impl Emitter<'_> {
    /// Divides a number of 64 bits in this way, if it can be done and there is something to gain. Whether it did.
    pub(super) fn by_reciprocal(&mut self, remainder: bool, dst: Reg, by: Reg) -> bool {
        let range = self.number(by).wide.unsigned;
        if range.min == 0 || !self.is_early(by) {
            return false;
        }
        let to = self.reg(dst);
        let Some(room) = self.room(to, self.reg(by)) else { return false };
        let Room { dividend, divisor, kept } = room;
        self.note(|| {
            let from = format!("{by} is {}..{}", range.min, range.max);
            format!("two multiplications: {from}, and its reciprocal is there early")
        });
        for &(register, room) in &kept {
            self.asm.mov(Wide::Q, room, register);
        }
        self.asm.alu(Alu::Xor, Wide::D, Gpr::Rdx, Gpr::Rdx);
        self.asm.mov_imm(Gpr::Rax, u64::MAX);
        self.asm.unary(Unary::Div, Wide::Q, divisor);
        self.asm.unary(Unary::Mul, Wide::Q, dividend);
        self.asm.mov(Wide::Q, Gpr::Rax, Gpr::Rdx);
        self.asm.imul(Wide::Q, Gpr::Rax, divisor);
        self.asm.mov(Wide::Q, SCRATCH, dividend);
        self.asm.alu(Alu::Sub, Wide::Q, SCRATCH, Gpr::Rax);
        if remainder {
            self.asm.mov(Wide::Q, Gpr::Rax, SCRATCH);
            self.asm.alu(Alu::Sub, Wide::Q, Gpr::Rax, divisor);
            self.asm.cmov(Cond::Ae, Wide::Q, SCRATCH, Gpr::Rax);
            self.asm.mov(Wide::Q, to, SCRATCH);
        } else {
            self.asm.alu(Alu::Cmp, Wide::Q, SCRATCH, divisor);
            // One more, but not where the rest is below the divisor.
            self.asm.alu_imm(Alu::Sbb, Wide::Q, Gpr::Rdx, -1);
            if to != Gpr::Rdx {
                self.asm.mov(Wide::Q, to, Gpr::Rdx);
            }
        }
        for &(register, room) in kept.iter().filter(|&&(register, _)| register != to) {
            self.asm.mov(Wide::Q, register, room);
        }
        true
    }

    /// Finds registers for what is in those that change, and is an operand or wanted later.
    fn room(&self, to: Gpr, by: Gpr) -> Option<Room> {
        let wanted = self.wanted().with(to).with(by);
        let (mut taken, mut kept) = (CHANGED, Vec::new());
        for register in CHANGED.and(wanted).iter() {
            let room = self.spare(taken)?;
            taken.add(room);
            kept.push((register, room));
        }
        let place =
            |register: Gpr| kept.iter().find(|&&(of, _)| of == register).map_or(register, |&(_, room)| room);
        let (dividend, divisor) = (place(to), place(by));
        Some(Room { dividend, divisor, kept })
    }

    /// Whether the current op is in a short loop, nothing in which changes the register but by adding a constant.
    fn is_early(&self, reg: Reg) -> bool {
        let register = self.reg(reg);
        let goes_back = |at: usize| {
            let op = &self.ops[at];
            op.insn.jump_offset().is_some() && op.target as usize <= self.at
        };
        let end = self.ops.len().min(self.at + LONGEST);
        let Some(last) = (self.at..end).find(|&at| goes_back(at)) else { return false };
        let ops = &self.ops[self.ops[last].target as usize..=last];
        ops.len() <= LONGEST
            && ops.iter().all(|op| {
                !effect_of(op, self.registers).writes.has(register)
                    || matches!(op.insn, Insn::Alu { op: AluOp::Add | AluOp::Sub, src: Src::Imm(_), .. })
            })
    }
}

#[cfg(test)]
mod tests {
    use crate::compile::magic::tests::random;

    /// What the code above computes.
    fn divided(n: u64, d: u64) -> (u64, u64) {
        let few = ((u128::from(n) * u128::from(u64::MAX / d)) >> 64) as u64;
        let rest = n - few * d;
        (few + u64::from(rest >= d), rest.checked_sub(d).unwrap_or(rest))
    }

    #[test]
    fn quotients_are_right_where_they_change() {
        let mut random = random();
        for round in 0..100_000u64 {
            let d = if round < 3_000 { round + 1 } else { (random() >> (round % 64)).max(1) };
            let last = u64::MAX - u64::MAX % d;
            let near = random() >> (round % 61);
            let near = near - near % d;
            for n in [0, 1, d - 1, d, last, last - 1, u64::MAX, near, near.saturating_sub(1), near | 1] {
                assert_eq!(divided(n, d), (n / d, n % d), "{n} / {d}");
            }
        }
    }
}
