//! How functions begin and end, and how runs do.

use super::Emitter;
use crate::abi::{BLOCK, FRAME, KEPT, Status, Word};
use crate::code::Mark;
use crate::x64::{Alu, Cond, Gpr, Label, Set, Wide};

impl Emitter<'_> {
    /// What the current function has to give back as it was, in the order in which it is saved.
    fn kept(&self) -> Set {
        let own = self.registers.kept();
        if self.number > 0 {
            return own;
        }
        // Functions that are left in the middle do not give back what they keep.
        let mut all = if self.ends_here() { own.or(self.needs.kept) } else { own };
        if self.needs.block && self.needs.block_in == BLOCK {
            all.add(BLOCK);
        }
        if self.needs.framed {
            all.add(FRAME);
        }
        all
    }

    /// Whether runs that end from within end in `main`.
    fn ends_here(&self) -> bool {
        self.needs.ends_within && !self.needs.gate
    }

    /// Whether rsp must be at a multiple of 16 within the function, and is not after saving.
    fn fills(&self) -> bool {
        self.needs.calls_out && self.kept().len().is_multiple_of(2)
    }

    /// The beginning of the current function.
    pub(super) fn enter(&mut self) {
        self.kept().iter().for_each(|register| self.asm.push(register));
        if self.fills() {
            self.asm.push(Gpr::Rax);
        }
        if self.number > 0 {
            self.find_packet(self.needs.block_in);
            return;
        }
        if self.needs.framed {
            self.asm.mov(Wide::Q, FRAME, Word::Frame.from(Gpr::Rdx));
        }
        if self.needs.block && self.needs.block_in != Gpr::Rdx {
            self.asm.mov(Wide::Q, self.needs.block_in, Gpr::Rdx);
        }
        if self.ends_here() {
            self.end_at(self.leave);
        }
        self.find_packet(Gpr::Rdx);
        for cell in self.registers.cells.and(self.before[0]).iter() {
            // What was never written reads as zeros.
            self.asm.mov_imm(cell, 0);
        }
    }

    /// From here on, a run that ends from within ends at the label, with rsp as it is now.
    fn end_at(&mut self, label: Label) {
        self.asm.mov_to(Wide::Q, self.word(Word::ExitStack), Gpr::Rsp);
        self.asm.lea_label(Gpr::Rax, label);
        self.asm.mov_to(Wide::Q, self.word(Word::ExitTo), Gpr::Rax);
    }

    /// Gives back what the current function keeps, as before a return.
    pub(super) fn give_back_kept(&mut self) {
        if self.fills() {
            self.asm.pop(Gpr::Rcx);
        }
        self.kept().iter().rev().for_each(|register| self.asm.pop(register));
    }

    /// The end of a function.
    pub(super) fn exit(&mut self) {
        self.give_back_kept();
        self.asm.ret();
    }

    /// Behind the ops of a function: the other ways in which it ends.
    pub(super) fn ways_out(&mut self) {
        if self.registers.packet.is_some() {
            self.asm.put(self.outside);
            self.mark(Mark::Shared("outside the packet"));
            // From other functions it is a return with 0, as `bpf_gen_ld_abs` makes it.
            if self.number == 0 && self.needs.block {
                self.asm.mov_to_imm(Wide::D, self.word(Word::Status), Status::Outside as i32);
            }
            self.asm.mov_imm(Gpr::Rax, 0);
            self.exit();
            self.windows();
        }
        if self.number == 0 && self.ends_here() {
            self.asm.put(self.leave);
            self.mark(Mark::Shared("the run ends"));
            self.exit();
        }
    }

    /// The way into programs that others may take over from, or that take over: whatever happens, the run ends here, so
    /// everything is kept.
    pub(super) fn gate(&mut self) -> Option<Label> {
        if !self.needs.gate {
            return None;
        }
        let gate = self.asm.label();
        self.asm.put(gate);
        self.mark(Mark::Shared("the run begins"));
        KEPT.iter().for_each(|register| self.asm.push(register));
        self.asm.push(Gpr::Rax);
        self.asm.mov(Wide::Q, BLOCK, Gpr::Rdx);
        self.end_at(self.leave);
        self.asm.call(self.entries[0]);
        self.asm.put(self.leave);
        self.asm.pop(Gpr::Rcx);
        KEPT.iter().rev().for_each(|register| self.asm.pop(register));
        self.asm.ret();
        Some(gate)
    }

    /// The way in for callbacks: as a C function of r1 to r5 and the block. A run that ends within ends here, and who
    /// called back must end, too.
    pub(super) fn callback(&mut self) -> Option<Label> {
        if !self.needs.called_back {
            return None;
        }
        let (entry, out) = (self.asm.label(), self.asm.label());
        self.asm.put(entry);
        self.mark(Mark::Shared("a callback"));
        KEPT.iter().for_each(|register| self.asm.push(register));
        self.asm.mov(Wide::Q, BLOCK, Gpr::R9);
        self.asm.push_mem(self.word(Word::ExitStack));
        self.asm.push_mem(self.word(Word::ExitTo));
        self.asm.push(Gpr::Rax);
        self.end_at(out);
        self.asm.mov(Wide::Q, FRAME, self.word(Word::Frame));
        self.asm.call_rm(self.word(Word::Target));
        self.asm.put(out);
        self.asm.pop(Gpr::Rcx);
        self.asm.pop_mem(self.word(Word::ExitTo));
        self.asm.pop_mem(self.word(Word::ExitStack));
        KEPT.iter().rev().for_each(|register| self.asm.pop(register));
        self.asm.ret();
        Some(entry)
    }

    /// Takes so many instructions off the budget, and ends the run when there are not so many left.
    pub(super) fn spend(&mut self, count: i32) {
        self.asm.alu_imm(Alu::Sub, Wide::Q, self.word(Word::Budget), count);
        let exhausted = match self.exhausted {
            Some(exhausted) => exhausted,
            None => *self.exhausted.insert(self.asm.label()),
        };
        let enough = self.asm.label();
        self.asm.jcc(Cond::Ns, enough);
        // A call, so that it is known from where.
        self.asm.call(exhausted);
        self.asm.put(enough);
    }
}
