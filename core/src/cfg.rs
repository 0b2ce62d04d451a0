//! The graph of a program: its functions, where control may go, and what of it the verifier needs to know beforehand.
//!
//! Linux refuses some programs for their graph alone: a jump from one function into another, a function whose end can
//! be run over, an instruction that nothing reaches. Source: `add_subprog_and_kfunc`, `check_subprogs`, `check_cfg`
//! of Linux 6.18. That every jump lands on an instruction is known: [`Program`] says so.

pub mod blocks;
pub mod layout;
mod live;
mod scc;

pub use live::Registers;

use crate::isa::{Callee, Insn, WideImm};
use crate::program::{Pc, Program, Slot};
use std::fmt;

/// The most functions of a program, `main` counted (`BPF_MAX_SUBPROGS`).
pub const MAX_FUNCTIONS: usize = 256;

/// A program's graph.
#[derive(Debug, Clone)]
pub struct Graph {
    /// The first instruction of each function in order; the first function is `main`.
    functions: Vec<Pc>,
    nodes: Vec<Node>,
}

/// What is known of an instruction from the graph.
#[derive(Debug, Clone, Copy, Default)]
pub struct Node {
    /// Paths meet or part here, so that it may pay to compare states (`prune_point`).
    pub joins: bool,
    /// It may be reached otherwise than from the instruction before it: how must be written down (`jmp_point`).
    pub jumped_to: bool,
    /// States are always kept here: a loop passes that no state tells apart (`force_checkpoint`).
    pub keeps: bool,
    /// It is a `may_goto`.
    pub may_go: bool,
    /// It calls a function that calls back (`calls_callback`).
    pub calls_back: bool,
    /// The number of the loop it is in, from 1 on (`scc`); 0 for none.
    pub cycle: u32,
    /// The registers whose values may be read from here on (`live_regs_before`).
    pub live: Registers,
}

/// What the graph has to know of a function of the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// How many registers, from r1 on, it reads.
    pub arguments: u32,
    /// Whether it calls functions of the program.
    pub calls_back: bool,
    /// Whether it goes on in another program.
    pub goes_on: bool,
}

/// Why a graph is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GraphError {
    /// More functions than [`MAX_FUNCTIONS`].
    TooManyFunctions {
        /// The call of one too many.
        pc: Pc,
    },
    /// A jump out of its function.
    LeavesFunction {
        /// The jump.
        pc: Pc,
        /// Its slot.
        from: Slot,
        /// The slot it goes to.
        to: Slot,
    },
    /// A function whose last instruction is neither `exit` nor an unconditional jump.
    RunsOver {
        /// The last instruction.
        pc: Pc,
    },
    /// A packet load in a function other than `main`: it would end the program when it fails.
    PacketLoad {
        /// The load.
        pc: Pc,
    },
    /// A tail call in a function other than `main`: it would end the program.
    TailCall {
        /// The call.
        pc: Pc,
    },
    /// An instruction that nothing reaches.
    Unreachable {
        /// The first of them.
        pc: Pc,
        /// Its slot.
        slot: Slot,
    },
}

impl GraphError {
    /// The instruction to blame.
    #[must_use]
    pub const fn pc(&self) -> Pc {
        match *self {
            GraphError::TooManyFunctions { pc }
            | GraphError::LeavesFunction { pc, .. }
            | GraphError::RunsOver { pc }
            | GraphError::PacketLoad { pc }
            | GraphError::TailCall { pc }
            | GraphError::Unreachable { pc, .. } => pc,
        }
    }
}

impl fmt::Display for GraphError {
    /// Linux's words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GraphError::TooManyFunctions { .. } => f.write_str("too many subprograms"),
            GraphError::LeavesFunction { from, to, .. } => {
                write!(f, "jump out of range from insn {from} to {to}")
            }
            GraphError::RunsOver { .. } => f.write_str("last insn is not an exit or jmp"),
            GraphError::PacketLoad { .. } => f.write_str("LD_ABS is not allowed in subprogs without BTF"),
            GraphError::TailCall { .. } => f.write_str("tail_call is not allowed in subprogs without BTF"),
            GraphError::Unreachable { slot, .. } => write!(f, "unreachable insn {slot}"),
        }
    }
}

impl std::error::Error for GraphError {}

/// Where control may go from an instruction inside its function, calls going on behind themselves. In Linux's order:
/// on first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Successors([Option<Pc>; 2]);

impl Successors {
    /// In order.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = Pc> {
        self.0.into_iter().flatten()
    }
}

/// Where control may go from the instruction at `pc`.
#[must_use]
pub fn successors(program: &Program, pc: Pc) -> Successors {
    let insn = program.insn(pc);
    let target = insn.jump_offset().and_then(|offset| program.target(pc, offset));
    Successors(match insn {
        Insn::Exit => [None, None],
        Insn::Jump { .. } | Insn::JumpLong { .. } => [None, target],
        _ => [Some(pc.next()), target],
    })
}

/// The function that an instruction calls, or whose address it loads.
#[must_use]
pub fn called(program: &Program, pc: Pc) -> Option<Pc> {
    match program.insn(pc) {
        Insn::Call(Callee::Local(offset)) => program.target(pc, offset),
        // Counted from the load's first slot, and so one slot before where jumps are counted from.
        Insn::LoadImm { imm: WideImm::Code(offset), .. } => program.target(pc, offset - 1),
        _ => None,
    }
}

impl Graph {
    /// The program's graph. `summary` tells of a function of the environment; of one it does not know, all arguments are
    /// taken to be read.
    ///
    /// # Errors
    /// What Linux refuses before it follows any path.
    pub fn of(program: &Program, summary: impl Fn(i32) -> Option<Summary>) -> Result<Self, GraphError> {
        let functions = functions(program)?;
        stay_inside(program, &functions)?;
        let main = functions.get(1).copied().unwrap_or(Pc(u32::MAX));
        // What ends a program in the middle of a function is taken only where it is known what functions return: loaders
        // that tell Linux about functions have their names.
        if !is_described(program) {
            for pc in program.pcs().filter(|&pc| pc >= main) {
                match program.insn(pc) {
                    Insn::LoadPacket { .. } => return Err(GraphError::PacketLoad { pc }),
                    Insn::Call(Callee::Helper(id)) if summary(id).is_some_and(|summary| summary.goes_on) => {
                        return Err(GraphError::TailCall { pc });
                    }
                    _ => {}
                }
            }
        }
        if let Some(pc) = unreachable(program) {
            return Err(GraphError::Unreachable { pc, slot: program.slot(pc) });
        }
        let mut graph = Graph { functions, nodes: vec![Node::default(); program.insns().len()] };
        for pc in program.pcs() {
            graph.mark(program, pc, &summary);
        }
        scc::fill(program, &mut graph.nodes);
        live::fill(program, &mut graph.nodes, |id| summary(id).map(|summary| summary.arguments));
        Ok(graph)
    }

    /// The first instruction of each function, `main` first.
    #[must_use]
    pub fn functions(&self) -> &[Pc] {
        &self.functions
    }

    /// The number of the function that the instruction is in.
    #[must_use]
    pub fn function_of(&self, pc: Pc) -> usize {
        self.functions.partition_point(|&first| first <= pc) - 1
    }

    /// What is known of the instruction at `pc`.
    ///
    /// # Panics
    /// If `pc` is not one of the program's.
    #[must_use]
    pub fn node(&self, pc: Pc) -> &Node {
        &self.nodes[pc.index()]
    }

    fn mark(&mut self, program: &Program, pc: Pc, summary: &impl Fn(i32) -> Option<Summary>) {
        let insn = program.insn(pc);
        let target = insn.jump_offset().and_then(|offset| program.target(pc, offset));
        let mut joins_here = false;
        let mut reached = Vec::new();
        match insn {
            Insn::Jump { .. } | Insn::JumpLong { .. } => reached.extend(target),
            Insn::Branch { .. } => {
                joins_here = true;
                reached.extend(target);
            }
            Insn::MayGoto { .. } => {
                joins_here = true;
                let node = &mut self.nodes[pc.index()];
                (node.keeps, node.may_go) = (true, true);
                reached.extend(target);
            }
            Insn::Call(_) | Insn::LoadImm { imm: WideImm::Code(_), .. } => {
                reached.push(pc.next());
                if let Insn::Call(Callee::Helper(id)) = insn
                    && summary(id).is_some_and(|summary| summary.calls_back)
                {
                    joins_here = true;
                    let node = &mut self.nodes[pc.index()];
                    (node.keeps, node.jumped_to, node.calls_back) = (true, true, true);
                }
                if let Some(function) = called(program, pc) {
                    joins_here = true;
                    reached.push(function);
                }
            }
            _ => {}
        }
        self.nodes[pc.index()].joins |= joins_here;
        for pc in reached {
            self.nodes[pc.index()].joins = true;
            self.nodes[pc.index()].jumped_to = true;
        }
    }
}

/// Whether Linux is told what the program's functions are when it is loaded: it has to be where one's address is taken.
fn is_described(program: &Program) -> bool {
    let takes = |insn: &Insn| matches!(insn, Insn::LoadImm { imm: WideImm::Code(_), .. });
    !program.functions().is_empty() || program.insns().iter().any(takes)
}

/// Where functions begin, in order.
fn functions(program: &Program) -> Result<Vec<Pc>, GraphError> {
    let mut functions = vec![Pc(0)];
    for pc in program.pcs() {
        if let Some(function) = called(program, pc)
            && let Err(place) = functions.binary_search(&function)
        {
            if functions.len() >= MAX_FUNCTIONS {
                return Err(GraphError::TooManyFunctions { pc });
            }
            functions.insert(place, function);
        }
    }
    Ok(functions)
}

/// No jump leaves its function, and no function ends otherwise than by `exit` or a jump.
fn stay_inside(program: &Program, functions: &[Pc]) -> Result<(), GraphError> {
    let all = Pc(program.insns().len() as u32);
    for (at, &first) in functions.iter().enumerate() {
        let end = functions.get(at + 1).copied().unwrap_or(all);
        for pc in (first.0..end.0).map(Pc) {
            let insn = program.insn(pc);
            if let Some(to) = insn.jump_offset().and_then(|offset| program.target(pc, offset))
                && !(first..end).contains(&to)
            {
                return Err(GraphError::LeavesFunction { pc, from: program.slot(pc), to: program.slot(to) });
            }
            let ends = matches!(insn, Insn::Exit | Insn::Jump { .. } | Insn::JumpLong { .. });
            if pc.next() == end && !ends {
                return Err(GraphError::RunsOver { pc });
            }
        }
    }
    Ok(())
}

/// The first instruction that cannot be reached from the program's beginning.
fn unreachable(program: &Program) -> Option<Pc> {
    let mut reached = vec![false; program.insns().len()];
    let mut open = vec![Pc(0)];
    reached[0] = true;
    while let Some(pc) = open.pop() {
        for next in successors(program, pc).iter().chain(called(program, pc)) {
            if !std::mem::replace(&mut reached[next.index()], true) {
                open.push(next);
            }
        }
    }
    program.pcs().find(|pc| !reached[pc.index()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::{AluOp, CmpOp, Reg, Src, Width};

    const NOTHING: Insn = Insn::Alu { width: Width::W64, op: AluOp::Mov, dst: Reg::R0, src: Src::Imm(0) };

    fn branch(offset: i16) -> Insn {
        Insn::Branch { width: Width::W64, op: CmpOp::Eq, dst: Reg::R1, src: Src::Imm(0), offset }
    }

    fn graph(insns: &[Insn]) -> Result<Graph, GraphError> {
        let program = Program::new(insns.to_vec(), Vec::new()).expect("every jump lands");
        Graph::of(&program, |_| None)
    }

    fn refusal(insns: &[Insn]) -> (Pc, String) {
        let error = graph(insns).expect_err("it is refused");
        (error.pc(), error.to_string())
    }

    #[test]
    fn what_linux_refuses() {
        assert_eq!(refusal(&[NOTHING]), (Pc(0), "last insn is not an exit or jmp".into()));
        let around = [Insn::Jump { offset: 1 }, NOTHING, Insn::Exit];
        assert_eq!(refusal(&around), (Pc(1), "unreachable insn 1".into()));
        let call = Insn::Call(Callee::Local(1));
        assert_eq!(
            refusal(&[call, Insn::Exit, branch(-2), Insn::Exit]),
            (Pc(2), "jump out of range from insn 2 to 1".into())
        );
        assert_eq!(refusal(&[call, NOTHING, Insn::Exit]), (Pc(1), "last insn is not an exit or jmp".into()));
    }

    #[test]
    fn functions_are_found_in_order() {
        let far = Insn::Call(Callee::Local(4));
        let near = Insn::Call(Callee::Local(1));
        let graph = graph(&[far, near, Insn::Exit, NOTHING, Insn::Jump { offset: -2 }, Insn::Exit]);
        assert!(
            matches!(graph, Ok(graph) if graph.functions() == [Pc(0), Pc(3), Pc(5)]),
            "loops are no matter"
        );
    }

    #[test]
    fn places_where_paths_meet() {
        let graph = graph(&[branch(1), NOTHING, NOTHING, Insn::Call(Callee::Helper(7)), Insn::Exit]);
        let graph = graph.expect("nothing is wrong with it");
        let joins: Vec<bool> = (0..5).map(|pc| graph.node(Pc(pc)).joins).collect();
        assert_eq!(joins, [true, false, true, false, true]);
        assert!(!graph.node(Pc(0)).jumped_to && graph.node(Pc(2)).jumped_to && graph.node(Pc(4)).jumped_to);
    }
}
