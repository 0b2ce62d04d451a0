//! Lookups and tail calls in place of calls.

use super::super::find::{Find, Key, layout};
use super::{Emitter, never};
use crate::abi::{FRAME, SCRATCH, Word, table};
use crate::code::Mark;
use crate::x64::{Alu, Cond, Gpr, Label, Mem, Shift, Wide};
use bpf64_core::isa::{CmpOp, Insn, Reg, Src, Width};
use bpf64_core::maps::Layout;

impl Emitter<'_> {
    /// A tail call: this function gives back what it keeps, and the program at index r3 of the table returns for it.
    pub(super) fn go_on(&mut self, map: u16) {
        let count = self.program.maps()[usize::from(map)].max_entries;
        self.note(|| "goes on without a call".to_owned());
        let (stay, index) = (self.asm.label(), self.reg(Reg::R3));
        let left = self.word(Word::TailCalls);
        self.asm.alu_imm(Alu::Cmp, Wide::D, index, count as i32);
        self.asm.jcc(Cond::Ae, stay);
        self.asm.mov(Wide::D, Gpr::Rax, index);
        self.asm.mov(Wide::Q, SCRATCH, table(map, self.needs.block_in));
        self.asm.mov(Wide::Q, Gpr::Rax, Mem { base: SCRATCH, index: Some((Gpr::Rax, 3)), disp: 0 });
        self.asm.test(Wide::Q, Gpr::Rax, Gpr::Rax);
        self.asm.jcc(Cond::E, stay);
        self.asm.alu_imm(Alu::Cmp, Wide::D, left, 0);
        self.asm.jcc(Cond::E, stay);
        self.asm.step(Wide::D, left, true);
        if self.needs.framed {
            self.asm.mov_to(Wide::Q, self.word(Word::Frame), FRAME);
        }
        self.leave_to(Gpr::Rax);
        self.asm.put(stay);
    }

    /// Finds the value: its address, or 0, into r0.
    pub(super) fn find(&mut self, find: Find) {
        if find.certain {
            return self.found(find, None);
        }
        let (none, out) = (self.asm.label(), self.asm.label());
        self.found(find, Some(none));
        self.asm.jmp(out);
        self.asm.put(none);
        self.asm.mov_imm(Gpr::Rax, 0);
        self.asm.put(out);
    }

    /// The same with the test for 0 behind it, which is that of the key; how many ops it wrote.
    pub(super) fn find_and_test(&mut self, find: Find) -> Option<usize> {
        let next = *self.next(1)?;
        let Insn::Branch { width: Width::W64, op, dst: Reg::R0, src: Src::Imm(0), .. } = next.insn else {
            return None;
        };
        if never(next.target) || !self.falls(self.at + 1) {
            return None;
        }
        if find.certain && matches!(op, CmpOp::Eq | CmpOp::Ne) {
            self.found(find, None);
            self.mark(Mark::Insn(next.pc));
            if op == CmpOp::Ne {
                let there = self.label_of(next.target);
                self.asm.jmp(there);
            }
            return Some(2);
        }
        // Where there is none, r0 is 0 for whoever wants it.
        let wanted_there = self.before[next.target as usize].has(Gpr::Rax);
        let wanted_here = self.before[self.at + 2].has(Gpr::Rax);
        let target = match op {
            CmpOp::Eq if !wanted_there => self.label_of(next.target),
            CmpOp::Ne => self.asm.label(),
            _ => return None,
        };
        self.found(find, Some(target));
        self.mark(Mark::Insn(next.pc));
        if op == CmpOp::Ne {
            let there = self.label_of(next.target);
            self.asm.jmp(there);
            self.asm.put(target);
            if wanted_here {
                self.asm.mov_imm(Gpr::Rax, 0);
            }
        }
        Some(2)
    }

    /// The address of the value into r0; to the label where the key is none.
    fn found(&mut self, find: Find, none: Option<Label>) {
        let layout = layout(self.program, find.map).expect("it was asked before");
        let Layout { count, stride, per_cpu } = layout;
        self.note(|| match find.key {
            Key::Memory => "found without a call".to_owned(),
            Key::In(reg) => format!("found without a call; the key is in {reg}"),
            Key::Is(key) => format!("found without a call; the key is {key}"),
        });
        if find.certain {
            self.note(|| format!("no bounds check: the key is below {count}"));
        }
        let values = table(find.map, self.needs.block_in);
        let from = match find.key {
            Key::Is(key) => {
                if let Some(none) = none
                    && key >= count
                {
                    return self.asm.jmp(none);
                }
                let offset = u64::from(key) * u64::from(stride);
                if !per_cpu && let Ok(offset) = i32::try_from(offset) {
                    self.asm.mov(Wide::Q, Gpr::Rax, values);
                    if offset != 0 {
                        self.asm.alu_imm(Alu::Add, Wide::Q, Gpr::Rax, offset);
                    }
                    return;
                }
                self.asm.mov_imm(Gpr::Rax, key.into());
                None
            }
            Key::In(reg) => Some(self.reg(reg)),
            Key::Memory => {
                let key = self.reg(Reg::R2);
                self.asm.mov(Wide::D, Gpr::Rax, Mem::at(key, 0));
                None
            }
        };
        if let Some(none) = none
            && !matches!(find.key, Key::Is(_))
        {
            let key = from.unwrap_or(Gpr::Rax);
            self.asm.alu_imm(Alu::Cmp, Wide::D, key, count as i32);
            self.asm.jcc(Cond::Ae, none);
        }
        if let Some(from) = from {
            self.asm.mov(Wide::D, Gpr::Rax, from);
        }
        if per_cpu {
            let (cpus, cpu) = (self.word(Word::Cpus), self.word(Word::Cpu));
            self.asm.imul(Wide::Q, Gpr::Rax, cpus);
            self.asm.alu(Alu::Add, Wide::Q, Gpr::Rax, cpu);
        }
        if stride.is_power_of_two() {
            self.asm.shift_imm(Shift::Shl, Wide::Q, Gpr::Rax, stride.trailing_zeros() as u8);
        } else {
            self.asm.imul_imm(Wide::Q, Gpr::Rax, Gpr::Rax, stride as i32);
        }
        self.asm.alu(Alu::Add, Wide::Q, Gpr::Rax, values);
    }
}
