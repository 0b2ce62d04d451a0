//! Atomic operations, each one step for other CPUs.

use super::{Emitter, wide};
use crate::abi::SCRATCH;
use crate::x64::{Alu, Cond, Gpr, Mem, Set, Wide};
use bpf64_core::isa::{AtomicOp, Reg, Width};

impl Emitter<'_> {
    pub(super) fn atomic(&mut self, width: Width, op: AtomicOp, base: Reg, offset: i16, src: Reg) {
        let (wide, mem, from) = (wide(width), Mem::at(self.reg(base), offset.into()), self.reg(src));
        match op {
            AtomicOp::Add => self.asm.alu_to(Alu::Add, wide, mem, from, true),
            AtomicOp::Or => self.asm.alu_to(Alu::Or, wide, mem, from, true),
            AtomicOp::And => self.asm.alu_to(Alu::And, wide, mem, from, true),
            AtomicOp::Xor => self.asm.alu_to(Alu::Xor, wide, mem, from, true),
            AtomicOp::FetchAdd => self.asm.lock_xadd(wide, mem, from),
            AtomicOp::FetchOr => self.fetch(Alu::Or, wide, mem, from),
            AtomicOp::FetchAnd => self.fetch(Alu::And, wide, mem, from),
            AtomicOp::FetchXor => self.fetch(Alu::Xor, wide, mem, from),
            AtomicOp::Xchg => self.asm.xchg(wide, mem, from),
            AtomicOp::Cmpxchg => {
                self.asm.lock_cmpxchg(wide, mem, from);
                if wide == Wide::D {
                    // When the numbers were the same, the machine leaves rax as it was, with its upper half.
                    self.asm.mov(Wide::D, Gpr::Rax, Gpr::Rax);
                }
            }
        }
    }

    /// Where there is no instruction that gives the old value: computes the new one, and again while another CPU has
    /// changed memory in between.
    fn fetch(&mut self, op: Alu, wide: Wide, mem: Mem, from: Gpr) {
        if !self.wanted().has(from) {
            self.note(|| "nobody reads the old value".to_owned());
            return self.asm.alu_to(op, wide, mem, from, true);
        }
        let ([address, operand, old], saved) = self.borrow::<3>(Set::of(&[Gpr::Rax]));
        self.asm.lea(Wide::Q, address, mem);
        self.asm.mov(Wide::Q, operand, from);
        self.asm.mov(Wide::Q, old, Gpr::Rax);
        let mem = Mem::at(address, 0);
        self.asm.mov(wide, Gpr::Rax, mem);
        let again = self.asm.label();
        self.asm.put(again);
        self.asm.mov(wide, SCRATCH, Gpr::Rax);
        self.asm.alu(op, wide, SCRATCH, operand);
        self.asm.lock_cmpxchg(wide, mem, SCRATCH);
        self.asm.jcc(Cond::Ne, again);
        if from != Gpr::Rax {
            self.asm.mov(wide, from, Gpr::Rax);
            self.asm.mov(Wide::Q, Gpr::Rax, old);
        } else if wide == Wide::D {
            self.asm.mov(Wide::D, Gpr::Rax, Gpr::Rax);
        }
        self.give_back(saved);
    }
}
