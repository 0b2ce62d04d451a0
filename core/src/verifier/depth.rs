//! How much of the stack nested calls take together, callbacks counted.
//!
//! Source: `check_max_stack_depth_subprog` of Linux 6.18.

use super::rejection::Reason;
use super::state::{FRAMES, STACK};
use super::{LIMIT, Verifier};
use crate::cfg;
use crate::isa::{Callee, Insn};
use crate::program::Pc;

/// So much of the stack may be taken at most where a tail call is made: the program that follows begins there, and there
/// may be 33 of them.
const BEFORE_TAIL_CALL: i32 = 256;
/// A function that takes less of the stack has none of its own, where others do (`BPF_PRIV_STACK_MIN_SIZE`).
const OWN_STACK: i32 = 64;

/// What `may_goto` needs on x86-64, and a loop over a callback that is compiled in place (`optimize_bpf_loop`).
const MAY_GO_STACK: i32 = 16;
const IN_PLACE_STACK: i32 = 24;

impl Verifier<'_> {
    /// Whether the stack is large enough for all calls that may be nested.
    pub(super) fn check_depth(&mut self) -> Result<(), Reason> {
        let functions = self.graph.functions();
        let ends = functions.iter().skip(1).copied().chain([Pc(self.program.insns().len() as u32)]);
        let ends: Vec<Pc> = ends.collect();
        let goes_on: Vec<bool> =
            (0..functions.len()).map(|at| self.goes_on(functions[at], ends[at])).collect();
        let own_stacks = self.environment.own_stacks && !goes_on.contains(&true);
        // What a function adds to what its callers take; nothing if its stack is its own.
        let depth = |function: usize| {
            let bytes = (self.stacks[function] + 15) & !15;
            if own_stacks && bytes >= OWN_STACK { 0 } else { bytes }
        };
        // Functions that wait, each with the instruction at which it goes on.
        let mut waiting: Vec<(usize, Pc)> = Vec::new();
        let (mut function, mut pc, mut bytes) = (0, Pc(0), depth(0));
        let mut steps = 0;
        loop {
            if bytes > STACK {
                self.state.pc = functions[function];
                return Err(Reason::StackOfFrames { calls: waiting.len() + 1, bytes });
            }
            let call = (pc.0..ends[function].0).map(Pc);
            let call = call.into_iter().find_map(|pc| Some((pc, cfg::called(self.program, pc)?)));
            steps += 1;
            if steps > LIMIT {
                return Err(Reason::TooLarge(steps));
            }
            let Some((call, target)) = call else {
                bytes -= depth(function);
                let Some(back) = waiting.pop() else { return Ok(()) };
                (function, pc) = back;
                continue;
            };
            if waiting.len() + 1 >= FRAMES {
                self.state.pc = call;
                return Err(Reason::TooManyFrames(waiting.len() + 2));
            }
            waiting.push((function, call.next()));
            function = self.graph.function_of(target);
            pc = target;
            if goes_on[function] && bytes >= BEFORE_TAIL_CALL {
                self.state.pc = target;
                return Err(Reason::StackBeforeTailCall(bytes));
            }
            bytes += depth(function);
        }
    }

    /// The stack that each function of an accepted program takes in Linux, which leaves out those that nothing reaches, and
    /// adds what it needs itself: for the rounds and the time of `may_goto`, and for registers where it compiles a loop over a
    /// callback in place.
    pub(super) fn stacks_in_linux(&self) -> Vec<i32> {
        let functions = self.graph.functions();
        let ends = functions.iter().skip(1).map(|pc| pc.0).chain([self.program.insns().len() as u32]);
        let reached = |pc: &Pc| self.facts.is_reached(*pc);
        let of = |(number, (&first, end)): (usize, (&Pc, u32))| {
            let mut pcs = (first.0..end).map(Pc).filter(reached).peekable();
            pcs.peek()?;
            let (mut may_go, mut in_place) = (0, 0);
            for pc in pcs {
                match self.program.insn(pc) {
                    Insn::MayGoto { .. } => may_go = MAY_GO_STACK,
                    _ if self.in_place.get(pc).is_some_and(|&(in_place, _)| in_place) => {
                        in_place = IN_PLACE_STACK;
                    }
                    _ => {}
                }
            }
            Some(self.stacks[number] + may_go + in_place)
        };
        functions.iter().zip(ends).enumerate().filter_map(of).collect()
    }

    /// Whether a function makes tail calls.
    fn goes_on(&self, first: Pc, end: Pc) -> bool {
        (first.0..end.0).map(Pc).any(|pc| match self.program.insn(pc) {
            Insn::Call(Callee::Helper(id)) => {
                self.environment.function(id).is_some_and(|function| function.prototype.goes_on)
            }
            _ => false,
        })
    }
}
