//! Calls: of functions of the program, and of functions of the environment, of which only the number is known here.

use super::Emitter;
use crate::abi::{self, BLOCK, FRAME, Status, Word};
use crate::code::{CompileError, Mark};
use crate::x64::{Alu, Cond, Gpr, Label, Mem, Rm, Wide};
use bpf64_core::helpers::Implementation;
use bpf64_core::interp::STACK_SIZE;
use bpf64_core::program::Pc;

impl Emitter<'_> {
    pub(super) fn call_local(&mut self, function: u32) {
        let frame = self.needs.frame_of(function as usize);
        if frame {
            self.asm.alu_imm(Alu::Add, Wide::Q, FRAME, STACK_SIZE as i32);
        }
        self.asm.call(self.entries[function as usize]);
        if self.needs.controls {
            // If another program took over from it and ended with a load outside the packet, that was a return.
            self.asm.mov_to_imm(Wide::D, self.word(Word::Status), Status::Running as i32);
        }
        if frame {
            self.asm.alu_imm(Alu::Sub, Wide::Q, FRAME, STACK_SIZE as i32);
        }
        self.find_packet(BLOCK);
    }

    pub(super) fn call_helper(&mut self, pc: Pc, id: i32) -> Result<(), CompileError> {
        let function = self.environment.function(id).ok_or(CompileError::Unresolved { pc })?;
        let known = self.callees.iter().position(|callee| callee.id == id);
        let number = known.unwrap_or_else(|| {
            self.callees.push(function);
            let stub = self.asm.label();
            self.stubs.push(stub);
            self.stubs.len() - 1
        });
        self.asm.call(self.stubs[number]);
        if let Implementation::Control(_) = function.call {
            // Another program may take over: what this function keeps is given back, and that program returns for it.
            let stay = self.asm.label();
            self.asm.alu_imm(Alu::Cmp, Wide::D, self.word(Word::Status), Status::TailCall as i32);
            self.asm.jcc(Cond::Ne, stay);
            self.asm.mov_to_imm(Wide::D, self.word(Word::Status), Status::Running as i32);
            self.leave_to(Word::Target.from(Gpr::Rdx));
            self.asm.put(stay);
        }
        self.find_packet(BLOCK);
        Ok(())
    }

    /// Another program takes over from this function, to return for it. Changes rcx, rdx and rdi before it looks where.
    pub(super) fn leave_to(&mut self, target: impl Into<Rm>) {
        self.asm.mov(Wide::Q, Gpr::Rdx, BLOCK);
        self.asm.lea(Wide::Q, Gpr::Rdi, Mem::at(BLOCK, abi::TO_CONTEXT));
        self.give_back_kept();
        self.asm.jmp_rm(target);
    }

    /// What calls need that is there once: a stub for each function, code common to those, and the way out.
    pub(super) fn shared(&mut self) {
        let stubs = std::mem::take(&mut self.stubs);
        if !stubs.is_empty() {
            let common = self.asm.label();
            for (number, &stub) in stubs.iter().enumerate() {
                self.asm.put(stub);
                self.mark(Mark::Stub(number as u32));
                self.asm.mov_to_imm(Wide::D, self.word(Word::Callee), number as i32);
                if number + 1 < stubs.len() {
                    self.asm.jmp(common);
                }
            }
            self.asm.put(common);
            self.call_out();
        }
        if let Some(exhausted) = self.exhausted {
            self.asm.put(exhausted);
            self.mark(Mark::Shared("too many instructions"));
            self.asm.pop(Gpr::Rax);
            self.asm.mov_to(Wide::Q, self.word(Word::From), Gpr::Rax);
            self.asm.mov_to_imm(Wide::D, self.word(Word::Status), Status::Exhausted as i32);
            let abort = self.abort();
            self.asm.jmp(abort);
        }
        if let Some(abort) = self.abort {
            self.asm.put(abort);
            self.mark(Mark::Shared("the run ends"));
            self.asm.mov(Wide::Q, Gpr::Rsp, self.word(Word::ExitStack));
            self.asm.jmp_rm(self.word(Word::ExitTo));
        }
    }

    /// Where a run goes that ends from within.
    pub(super) fn abort(&mut self) -> Label {
        match self.abort {
            Some(abort) => abort,
            None => *self.abort.insert(self.asm.label()),
        }
    }

    /// Calls the runtime: r1 to r5 are in the registers of a C function's first arguments, the sixth is the block.
    fn call_out(&mut self) {
        self.asm.mov(Wide::Q, Gpr::Rax, Mem::at(Gpr::Rsp, 0));
        self.asm.mov_to(Wide::Q, self.word(Word::From), Gpr::Rax);
        if self.needs.framed {
            self.asm.mov_to(Wide::Q, self.word(Word::Frame), FRAME);
        }
        self.asm.mov(Wide::Q, Gpr::R9, BLOCK);
        self.asm.push(Gpr::Rax);
        self.asm.call_rm(self.word(Word::Call));
        self.asm.pop(Gpr::Rcx);
        self.asm.alu_imm(Alu::Cmp, Wide::D, self.word(Word::Status), Status::Stopped as i32);
        let abort = self.abort();
        self.asm.jcc(Cond::Ae, abort);
        self.asm.ret();
    }
}
