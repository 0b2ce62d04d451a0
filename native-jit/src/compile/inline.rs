//! Small functions of the program in place of their calls.
//!
//! A function is put in place of a call when it is short, calls nothing itself, uses its stack only by loads and stores
//! in place, and there are registers for what it keeps: those of r6 to r9 that the caller has no use for. Its `exit`
//! becomes a jump behind the call. Instructions are counted as before: the call and each `exit` stay as jumps, of which
//! nothing is seen in the code where they go to the next instruction.

use super::operands::{regs_of, renamed};
use super::plan::{Function, KEPT, NOWHERE, Op};
use super::registers::Census;
use bpf64_core::interp::STACK_SIZE;
use bpf64_core::isa::{Callee, Insn, Reg};

/// The longest function that is put in place of its calls.
const LONGEST: usize = 24;
/// Instructions that a function may have grown to by it.
const MOST: usize = 2_000;

/// Puts functions in place of their calls throughout the program, and empties those that nobody calls any more.
pub(super) fn inline(functions: &mut [Function]) {
    // Those that call nothing first; then those that call nothing any more.
    for _ in 0..bpf64_core::interp::MAX_FRAMES {
        let small: Vec<Option<Small>> = functions.iter().map(Small::of).collect();
        let mut any = false;
        for function in functions.iter_mut() {
            any |= expand(function, &small);
        }
        if !any {
            break;
        }
    }
    let mut called: Vec<bool> = functions.iter().map(|function| function.called_back).collect();
    called[0] = true;
    // Callers may come behind what they call, and nobody calls himself.
    loop {
        let mut any = false;
        for number in 0..functions.len() {
            if !called[number] {
                continue;
            }
            for op in &functions[number].ops {
                if let Insn::Call(Callee::Local(_)) = op.insn {
                    any |= !std::mem::replace(&mut called[op.target as usize], true);
                }
            }
        }
        if !any {
            break;
        }
    }
    for (function, called) in functions.iter_mut().zip(called) {
        if !called {
            function.ops.clear();
        }
    }
}

/// A function that may be put in place of its calls.
struct Small {
    ops: Vec<Op>,
    /// Those of r6 to r9 that it uses.
    kept: Vec<Reg>,
}

impl Small {
    fn of(function: &Function) -> Option<Self> {
        let fits = |op: &Op| match op.insn {
            Insn::Call(_) | Insn::LoadPacket { .. } => false,
            Insn::Load { base, dst, offset, .. } | Insn::LoadAcquire { base, dst, offset, .. } => {
                dst != Reg::R10 && reaches(base, offset)
            }
            Insn::Store { base, src, offset, .. } => src != Reg::R10.into() && reaches(base, offset),
            Insn::StoreRelease { base, src, offset, .. } | Insn::Atomic { base, src, offset, .. } => {
                src != Reg::R10 && reaches(base, offset)
            }
            insn @ (Insn::Alu { .. }
            | Insn::Neg { .. }
            | Insn::MovSx { .. }
            | Insn::Swap { .. }
            | Insn::LoadImm { .. }
            | Insn::Jump { .. }
            | Insn::JumpLong { .. }
            | Insn::Branch { .. }
            | Insn::MayGoto { .. }
            | Insn::Exit) => !regs_of(&insn).contains(&Some(Reg::R10)),
        };
        if function.ops.is_empty() || function.ops.len() > LONGEST || !function.ops.iter().all(fits) {
            return None;
        }
        let census = Census::of(function);
        let kept = KEPT.into_iter().filter(|reg| census.named[reg.index()] > 0).collect();
        Some(Small { ops: function.ops.clone(), kept })
    }
}

/// Whether an access is still one when the frame begins further on.
fn reaches(base: Reg, offset: i16) -> bool {
    base != Reg::R10 || offset.checked_add(STACK_SIZE as i16).is_some()
}

/// Puts functions in place of calls. Whether there were any.
fn expand(function: &mut Function, small: &[Option<Small>]) -> bool {
    let callee = |op: &Op| match op.insn {
        Insn::Call(Callee::Local(_)) => small[op.target as usize].as_ref(),
        _ => None,
    };
    if !function.ops.iter().any(|op| callee(op).is_some()) {
        return false;
    }
    let census = Census::of(function);
    let free: Vec<Reg> = KEPT.into_iter().filter(|reg| census.named[reg.index()] == 0).collect();
    let mut length = function.ops.len();
    // Which calls go, and where each op comes to be.
    let mut places = Vec::with_capacity(function.ops.len() + 1);
    let mut goes = Vec::with_capacity(function.ops.len());
    let mut place = 0;
    for op in &function.ops {
        places.push(place as u32);
        let inside =
            callee(op).filter(|small| small.kept.len() <= free.len() && length + small.ops.len() <= MOST);
        length += inside.map_or(0, |small| small.ops.len());
        place += 1 + inside.map_or(0, |small| small.ops.len());
        goes.push(inside);
    }
    if goes.iter().all(Option::is_none) {
        return false;
    }
    places.push(place as u32);
    let mut ops = Vec::with_capacity(place);
    for (at, op) in function.ops.iter().enumerate() {
        let mut op = *op;
        if let Some(inside) = goes[at] {
            let first = places[at] + 1;
            ops.push(Op { insn: Insn::JumpLong { offset: 0 }, target: first, ..op });
            let end = places[at + 1];
            inside_of(inside, &free, first, end, &mut ops);
            continue;
        }
        if op.insn.jump_offset().is_some() && op.target != NOWHERE {
            op.target = places[op.target as usize];
        }
        ops.push(op);
    }
    // What several `exit`s lead to is come to by jumps.
    for at in 0..ops.len() {
        let target = ops[at].target as usize;
        if let Insn::JumpLong { .. } = ops[at].insn
            && target != at + 1
            && let Some(target) = ops.get_mut(target)
        {
            target.leader = true;
        }
    }
    function.ops = ops;
    true
}

/// The ops of a function in place of its call, from place `first` up to `end`.
fn inside_of(small: &Small, free: &[Reg], first: u32, end: u32, ops: &mut Vec<Op>) {
    let rename = |reg: Reg| match small.kept.iter().position(|&kept| kept == reg) {
        Some(at) => free[at],
        None => reg,
    };
    for (number, &op) in small.ops.iter().enumerate() {
        let mut op = Op { insn: renamed(&op.insn, rename, STACK_SIZE as i16), ..op };
        if let Insn::Exit = op.insn {
            op = Op { insn: Insn::JumpLong { offset: 0 }, target: end, ..op };
        } else if op.insn.jump_offset().is_some() && op.target != NOWHERE {
            op.target += first;
        }
        // Its beginning is come to from the call alone, if nothing in it jumps there.
        op.leader &= number > 0 || op.loops;
        for (kept, name) in small.kept.iter().zip(free) {
            let at = KEPT.iter().position(|reg| reg == name).expect("these are registers that are kept");
            op.names[at] = small.ops[number].proved(*kept);
        }
        ops.push(op);
    }
}
