//! Calls of the program's own functions: by itself, and by functions that call back or hand over to another program.

use super::host::Running;
use super::{MAX_FRAMES, Machine, STACK_SIZE};
use crate::helpers::{Function, Implementation, Next, State, Turn};
use crate::isa::Reg;
use crate::machine::{Observer, Place, Region, TrapKind};
use crate::program::{Pc, Program, Slot};
use std::rc::Rc;

/// How many programs may follow each other by tail calls (`MAX_TAIL_CALL_CNT`).
pub const MAX_TAIL_CALLS: u32 = 33;

/// How many frames there may be at once: those of one program; and where a function goes on in another program, that one
/// has the function's frame and may have as many besides as any.
pub const DEEPEST: usize = MAX_FRAMES + MAX_TAIL_CALLS as usize * (MAX_FRAMES - 1);

/// What a call has to restore.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    /// The caller: a program that was tail-called returns to the one that called the function it took the place of.
    program: u32,
    return_to: Pc,
    /// r6 to r9.
    saved: [u64; 4],
    /// Who goes on when this frame is left, when it is not the caller.
    pending: Option<Pending>,
}

impl Frame {
    /// What a function of the program leaves behind when it calls another one.
    pub(crate) const fn new(program: u32, return_to: Pc, saved: [u64; 4]) -> Self {
        Frame { program, return_to, saved, pending: None }
    }

    /// Where a return goes to and r6 to r9 then, if it is one within `program` and to the caller.
    pub(crate) fn plain(&self, program: u32) -> Option<(Pc, [u64; 4])> {
        (self.pending.is_none() && self.program == program).then_some((self.return_to, self.saved))
    }
}

/// A function that waits for its callback to return.
#[derive(Debug, Clone, Copy)]
struct Pending {
    function: &'static Function,
    arguments: [u64; 5],
    state: State,
}

/// Registers that a call keeps.
const SAVED: [Reg; 4] = [Reg::R6, Reg::R7, Reg::R8, Reg::R9];
/// Registers that hold arguments.
const ARGUMENTS: [Reg; 5] = [Reg::R1, Reg::R2, Reg::R3, Reg::R4, Reg::R5];

impl Machine {
    /// Calls a function of the environment's; the instruction after it is at `return_to`.
    pub(crate) fn call(
        &mut self,
        observer: &mut impl Observer,
        function: &'static Function,
        return_to: Pc,
    ) -> Result<Pc, TrapKind> {
        let arguments = ARGUMENTS.map(|reg| self.get(reg));
        match function.call {
            Implementation::Value(call) => {
                let value = call(&mut Running { machine: self, observer }, arguments)?;
                self.force(observer, Reg::R0, value);
                Ok(return_to)
            }
            Implementation::Control(_) => self.decide(
                observer,
                Pending { function, arguments, state: State::default() },
                None,
                return_to,
            ),
        }
    }

    /// A new frame: its own stack, r6 to r9 kept for the caller.
    pub(super) fn enter(&mut self, observer: &mut impl Observer, return_to: Pc) -> Result<(), TrapKind> {
        self.push(observer, return_to, None)
    }

    fn push(
        &mut self,
        observer: &mut impl Observer,
        return_to: Pc,
        pending: Option<Pending>,
    ) -> Result<(), TrapKind> {
        let limit = MAX_FRAMES + self.tail_calls as usize * (MAX_FRAMES - 1);
        if self.frames.len() + 1 >= limit {
            return Err(TrapKind::CallDepth { limit });
        }
        let saved = SAVED.map(|reg| self.get(reg));
        self.frames.push(Frame { program: self.running, return_to, saved, pending });
        let depth = self.frames.len() + 1;
        self.stack.resize(self.stack.len().max(depth * STACK_SIZE), 0);
        self.force(observer, Reg::R10, Region::Stack.address((depth * STACK_SIZE) as u32));
        Ok(())
    }

    /// Back to the caller, if there is one, or to the function that called back.
    pub(super) fn leave(&mut self, observer: &mut impl Observer) -> Result<Option<Pc>, TrapKind> {
        let Some(Frame { program, return_to, saved, pending }) = self.frames.pop() else { return Ok(None) };
        for (reg, value) in SAVED.into_iter().zip(saved) {
            self.force(observer, reg, value);
        }
        let top = (self.frames.len() + 1) * STACK_SIZE;
        self.force(observer, Reg::R10, Region::Stack.address(top as u32));
        self.switch(observer, program);
        match pending {
            None => Ok(Some(return_to)),
            Some(pending) => {
                let returned = self.get(Reg::R0);
                self.decide(observer, pending, Some(returned), return_to).map(Some)
            }
        }
    }

    /// Lets a function that controls the flow say what comes next.
    fn decide(
        &mut self,
        observer: &mut impl Observer,
        pending: Pending,
        returned: Option<u64>,
        return_to: Pc,
    ) -> Result<Pc, TrapKind> {
        let Pending { function, arguments, state } = pending;
        let Implementation::Control(call) = function.call else {
            unreachable!("only functions that control the flow wait for a callback")
        };
        let turn = Turn { arguments, state, returned };
        match call(&mut Running { machine: self, observer }, turn)? {
            Next::Return(value) => {
                self.force(observer, Reg::R0, value);
                Ok(return_to)
            }
            Next::Callback { function: address, with, state } => {
                let target = self.code(address).ok_or(TrapKind::Argument {
                    reg: Reg::R2,
                    value: address,
                    expected: "the address of a function",
                })?;
                self.push(observer, return_to, Some(Pending { function, arguments, state }))?;
                for (reg, value) in ARGUMENTS.into_iter().zip(with) {
                    self.force(observer, reg, value);
                }
                Ok(target)
            }
            Next::TailCall { program } => {
                let known = self.world.programs.len() > program as usize;
                if !known || self.tail_calls >= MAX_TAIL_CALLS {
                    // The call fails and the program goes on. r0 may not be read then.
                    return Ok(return_to);
                }
                self.tail_calls += 1;
                self.switch(observer, program + 1);
                Ok(Pc(0))
            }
        }
    }

    /// The instruction at an address of code.
    fn code(&self, address: u64) -> Option<Pc> {
        match Region::of(address)? {
            (Region::Code, slot) => self.program.at_slot(Slot(slot)),
            _ => None,
        }
    }

    /// Goes on in another program.
    fn switch(&mut self, observer: &mut impl Observer, program: u32) {
        if self.running != program {
            observer.wrote(Place::Program, self.running.into(), program.into());
            self.select(program);
        }
    }

    /// Makes program `number` the one that runs, if there is one of that number.
    pub(super) fn select(&mut self, number: u32) {
        if let Some(program) = self.numbered(number) {
            self.program = Rc::clone(program);
            self.running = number;
        }
    }

    /// The number of the program that runs, as [`Place::Program`] has it.
    #[must_use]
    pub fn running(&self) -> u32 {
        self.running
    }

    /// The program of that number, if there is one.
    #[must_use]
    pub fn numbered(&self, number: u32) -> Option<&Rc<Program>> {
        match number.checked_sub(1) {
            None => Some(&self.first),
            Some(other) => self.world.programs.get(other as usize),
        }
    }
}
