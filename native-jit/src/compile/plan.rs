//! What is to be compiled, in the order of the code: functions, each a list of [`Op`]s whose jumps name ops.
//!
//! Instructions that no path reaches are not in it.

use super::find::Find;
use super::known::Known;
use crate::x64::Gpr;
use bpf64_core::cfg;
use bpf64_core::isa::{Callee, Insn, Reg, WideImm};
use bpf64_core::program::{Pc, Program};

/// An instruction to be compiled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Op {
    pub(super) insn: Insn,
    pub(super) pc: Pc,
    /// The op that a jump goes to, or the number of the function that is called.
    pub(super) target: u32,
    /// Whether it may be come to otherwise than from the op before it.
    pub(super) leader: bool,
    /// Whether a jump from further on comes here.
    pub(super) loops: bool,
    /// What r6 to r9 are called in the proof, where it stands in place of a call and has others of them.
    pub(super) names: [Reg; 4],
    /// The register that holds the cell of the stack which it loads or stores.
    pub(super) cell: Option<Gpr>,
    /// The lookup that stands in place of the call.
    pub(super) find: Option<Find>,
    /// The table of programs that a call goes on in, if it is known.
    pub(super) goes_on: Option<u16>,
    /// Whether nobody sees what it does.
    pub(super) gone: bool,
}

/// The registers that functions keep for their callers.
pub(super) const KEPT: [Reg; 4] = [Reg::R6, Reg::R7, Reg::R8, Reg::R9];

impl Op {
    /// What the proof calls the register.
    pub(super) const fn proved(&self, reg: Reg) -> Reg {
        match reg {
            Reg::R6 => self.names[0],
            Reg::R7 => self.names[1],
            Reg::R8 => self.names[2],
            Reg::R9 => self.names[3],
            Reg::R0 | Reg::R1 | Reg::R2 | Reg::R3 | Reg::R4 | Reg::R5 | Reg::R10 => reg,
        }
    }

    const fn new(insn: Insn, pc: Pc) -> Self {
        Op {
            insn,
            pc,
            target: NOWHERE,
            leader: false,
            loops: false,
            names: KEPT,
            cell: None,
            find: None,
            goes_on: None,
            gone: false,
        }
    }
}

/// A target that there is not.
pub(super) const NOWHERE: u32 = u32::MAX;

/// A function.
#[derive(Debug, Clone)]
pub(super) struct Function {
    /// Its first instruction.
    pub(super) pc: Pc,
    pub(super) ops: Vec<Op>,
    /// Whether the program takes its address, so that it may be called from outside.
    pub(super) called_back: bool,
}

/// All functions, `main` first.
pub(super) fn functions(program: &Program, known: &Known<'_>) -> Vec<Function> {
    let (starts, called_back) = starts(program);
    let all = program.insns().len() as u32;
    // The place of each instruction among the ops of its function.
    let mut place = vec![NOWHERE; all as usize];
    let mut functions = Vec::with_capacity(starts.len());
    for (number, &first) in starts.iter().enumerate() {
        let end = starts.get(number + 1).map_or(all, |pc| pc.0);
        let mut ops = Vec::with_capacity((end - first.0) as usize);
        for pc in (first.0..end).map(Pc).filter(|&pc| known.reached(pc)) {
            place[pc.index()] = ops.len() as u32;
            ops.push(Op::new(program.insn(pc), pc));
        }
        for at in 0..ops.len() {
            let Op { insn, pc, .. } = ops[at];
            if let Some(target) = insn.jump_offset().and_then(|offset| program.target(pc, offset)) {
                let to = place[target.index()];
                ops[at].target = to;
                if let Some(target) = ops.get_mut(to as usize) {
                    target.leader = true;
                    target.loops |= to as usize <= at;
                }
            } else if let Insn::Call(Callee::Local(_)) = insn
                && let Some(function) = cfg::called(program, pc)
            {
                ops[at].target = starts.partition_point(|&start| start <= function) as u32 - 1;
            }
        }
        if let Some(first) = ops.first_mut() {
            first.leader = true;
        }
        functions.push(Function { pc: first, ops, called_back: called_back.contains(&first) });
    }
    functions
}

/// Where functions begin, in order, and which of them are called back.
fn starts(program: &Program) -> (Vec<Pc>, Vec<Pc>) {
    let (mut starts, mut called_back) = (vec![Pc(0)], Vec::new());
    for pc in program.pcs() {
        if let Some(function) = cfg::called(program, pc) {
            starts.push(function);
            if let Insn::LoadImm { imm: WideImm::Code(_), .. } = program.insn(pc) {
                called_back.push(function);
            }
        }
    }
    starts.sort_unstable();
    starts.dedup();
    (starts, called_back)
}
