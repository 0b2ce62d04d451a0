//! Functions in groups of instructions, whose jumps and calls have no distances yet.

use bpf64_core::isa::{Callee, Insn, Reg, WideImm};

/// Where a jump goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum To {
    /// To the beginning of this group of the function.
    Group(usize),
    /// So many groups on, and at most to the last.
    Later(usize),
}

/// An instruction, perhaps without its distance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    Plain(Insn),
    Jump(Insn, To),
    /// A call of the function of that number.
    Call(usize),
    /// A load of its address.
    Address(Reg, usize),
}

impl Piece {
    fn slots(&self) -> u32 {
        match self {
            Piece::Plain(insn) => insn.slots(),
            Piece::Jump(..) | Piece::Call(_) => 1,
            Piece::Address(..) => 2,
        }
    }
}

/// The functions one after the other.
pub(super) fn joined(functions: &[Vec<Vec<Piece>>]) -> Vec<Insn> {
    let mut next = 0;
    let mut start = |group: &Vec<Piece>| {
        let start = next;
        next += group.iter().map(Piece::slots).sum::<u32>();
        start
    };
    let starts: Vec<Vec<u32>> =
        functions.iter().map(|groups| groups.iter().map(&mut start).collect()).collect();
    let (mut insns, mut next) = (Vec::new(), 0);
    for (function, groups) in functions.iter().enumerate() {
        for (number, group) in groups.iter().enumerate() {
            for piece in group {
                next += piece.slots();
                let distance = |function: usize, group: usize| starts[function][group] as i32 - next as i32;
                insns.push(match *piece {
                    Piece::Plain(insn) => insn,
                    Piece::Call(callee) => Insn::Call(Callee::Local(distance(callee, 0))),
                    Piece::Address(dst, callee) => {
                        Insn::LoadImm { dst, imm: WideImm::Code(distance(callee, 0) + 1) }
                    }
                    Piece::Jump(jump, to) => {
                        let group = match to {
                            To::Group(group) => group,
                            To::Later(by) => (number + by).min(groups.len() - 1),
                        };
                        let offset = distance(function, group) as i16;
                        match jump {
                            Insn::Branch { width, op, dst, src, .. } => {
                                Insn::Branch { width, op, dst, src, offset }
                            }
                            Insn::MayGoto { .. } => Insn::MayGoto { offset },
                            _ => Insn::Jump { offset },
                        }
                    }
                });
            }
        }
    }
    insns
}
