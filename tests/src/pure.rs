//! Programs as formulas: `isa::eval` applied instruction by instruction, without the machine.
//!
//! What this engine takes is what operators need around them: moves, constants, comparisons, forward jumps, and cells of
//! the stack. All else it leaves to machines. So a mistake in the machine's use of `eval` is told from one in `eval`.

use crate::engine::{Engine, Outcome, Skip};
use crate::input::Input;
use bpf64_core::isa::{AtomicOp, Insn, Reg, Size, Src, WideImm, eval};
use bpf64_core::program::{Pc, Program};
use std::rc::Rc;

/// `isa::eval` alone.
pub struct Pure;

struct State {
    registers: [u64; 11],
    stack: [u8; 512],
}

impl Engine<Program> for Pure {
    fn name(&self) -> &'static str {
        "eval"
    }

    fn run(&self, program: &Rc<Program>, input: &Input) -> Result<Outcome, Skip> {
        let mut state = State { registers: [0; 11], stack: [0; 512] };
        for &(reg, value) in &input.registers {
            state.registers[reg.index()] = value;
        }
        let mut pc = Pc(0);
        loop {
            let &insn = program.insns().get(pc.index()).ok_or(Skip("it does not end with `exit`"))?;
            if insn == Insn::Exit {
                return Ok(Outcome::Value(state.get(Reg::R0)));
            }
            pc = match state.apply(insn)? {
                None => pc.next(),
                Some(offset) if offset >= 0 => program.target(pc, offset).expect("every jump lands"),
                Some(_) => return Err(Skip("it has a loop")),
            };
        }
    }
}

impl State {
    fn get(&self, reg: Reg) -> u64 {
        self.registers[reg.index()]
    }

    fn operand(&self, src: Src) -> u64 {
        match src {
            Src::Reg(reg) => self.get(reg),
            Src::Imm(imm) => i64::from(imm) as u64,
        }
    }

    fn cell(&mut self, base: Reg, offset: i16, size: Size) -> Result<&mut [u8], Skip> {
        let at = usize::try_from(512 + i32::from(offset)).ok().filter(|_| base == Reg::R10);
        at.and_then(|at| self.stack.get_mut(at..at + size.bytes())).ok_or(Skip("it uses memory"))
    }

    fn load(&mut self, base: Reg, offset: i16, size: Size) -> Result<u64, Skip> {
        Ok(self.cell(base, offset, size)?.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    fn store(&mut self, base: Reg, offset: i16, size: Size, value: u64) -> Result<(), Skip> {
        self.cell(base, offset, size)?.copy_from_slice(&value.to_le_bytes()[..size.bytes()]);
        Ok(())
    }

    /// The offset of a jump that is taken.
    fn apply(&mut self, insn: Insn) -> Result<Option<i32>, Skip> {
        let (dst, value) = match insn {
            Insn::Alu { width, op, dst, src } => {
                (dst, eval::alu(width, op, self.get(dst), self.operand(src)))
            }
            Insn::Neg { width, dst } => (dst, eval::neg(width, self.get(dst))),
            Insn::MovSx { width, from, dst, src } => (dst, eval::mov_sx(width, from, self.get(src))),
            Insn::Swap { kind, size, dst } => (dst, eval::swap(kind, size, self.get(dst))),
            Insn::LoadImm { dst, imm: WideImm::Const(value) } => (dst, value),
            Insn::Load { size, signed, dst, base, offset } => {
                let value = self.load(base, offset, size)?;
                (dst, if signed { eval::sign_extend(size, value) } else { value })
            }
            Insn::LoadAcquire { size, dst, base, offset } => (dst, self.load(base, offset, size)?),
            Insn::Store { size, base, offset, src } => {
                self.store(base, offset, size, self.operand(src))?;
                return Ok(None);
            }
            Insn::StoreRelease { size, base, offset, src } => {
                self.store(base, offset, size, self.get(src))?;
                return Ok(None);
            }
            Insn::Atomic { width, op, base, offset, src } => {
                let old = self.load(base, offset, width.size())?;
                let new = eval::atomic(width, op, old, self.get(src), self.get(Reg::R0));
                self.store(base, offset, width.size(), new)?;
                match op {
                    AtomicOp::Cmpxchg => (Reg::R0, old),
                    _ if op.fetches() => (src, old),
                    _ => return Ok(None),
                }
            }
            Insn::Branch { width, op, dst, src, offset } => {
                let taken = eval::compare(width, op, self.get(dst), self.operand(src));
                return Ok(taken.then_some(offset.into()));
            }
            Insn::Jump { offset } => return Ok(Some(offset.into())),
            Insn::JumpLong { offset } => return Ok(Some(offset)),
            Insn::MayGoto { .. } => return Ok(None),
            Insn::LoadImm { .. } => return Err(Skip("it refers to a map or to code")),
            Insn::LoadPacket { .. } => return Err(Skip("it loads from the packet")),
            Insn::Call(_) | Insn::Exit => return Err(Skip("it calls functions")),
        };
        if dst == Reg::R10 {
            return Err(Skip("it writes the frame pointer"));
        }
        self.registers[dst.index()] = value;
        Ok(None)
    }
}
