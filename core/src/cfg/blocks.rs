//! A program cut into blocks: stretches of instructions of which either all are executed, one after the other, or none.
//!
//! Both instruction sets have such a graph, so what is asked of a program is only how it goes on.

use super::{called, successors};
use crate::isa::Insn;
use crate::program::{Pc, Program};

/// How a program goes on behind an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// At the next one.
    Straight,
    /// Not at all.
    End,
    /// Always there.
    Goto(Pc),
    /// At one of two places.
    Branch {
        /// Where, if what the instruction asks is so.
        yes: Pc,
        /// Where else.
        no: Pc,
    },
}

/// Which way from a block to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Way {
    /// There is no other.
    Always,
    /// What the last instruction asks is not so.
    No,
    /// It is so.
    Yes,
}

/// A block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Its first instruction.
    pub first: Pc,
    /// The one behind its last.
    pub end: Pc,
    /// Whether a function starts here; the program is one.
    pub entry: bool,
    /// The blocks that may follow, by number, each with the way there.
    pub leads: Vec<(usize, Way)>,
}

impl Block {
    /// Its last instruction.
    #[must_use]
    pub fn last(&self) -> Pc {
        Pc(self.end.0 - 1)
    }

    /// Whether the instruction is in it.
    #[must_use]
    pub fn contains(&self, pc: Pc) -> bool {
        (self.first..self.end).contains(&pc)
    }
}

/// The blocks of an eBPF program, in its order.
#[must_use]
pub fn of(program: &Program) -> Vec<Block> {
    let entries: Vec<Pc> = program.pcs().filter_map(|pc| called(program, pc)).collect();
    cut(program.insns().len(), &entries, |pc| {
        let mut ways = successors(program, pc).iter();
        match (program.insn(pc), ways.next(), ways.next()) {
            (_, None, _) => Turn::End,
            (_, Some(no), Some(yes)) => Turn::Branch { yes, no },
            (Insn::Jump { .. } | Insn::JumpLong { .. }, Some(to), None) => Turn::Goto(to),
            (_, Some(_), None) => Turn::Straight,
        }
    })
}

/// The blocks of a program of `length` instructions that goes on as `turn` says and has functions at `entries`, and one
/// at its first instruction. What leads out of the program leads nowhere.
#[must_use]
pub fn cut(length: usize, entries: &[Pc], turn: impl Fn(Pc) -> Turn) -> Vec<Block> {
    let mut starts = vec![false; length + 1];
    let mut start = |pc: Pc| {
        if let Some(start) = starts.get_mut(pc.index()) {
            *start = true;
        }
    };
    start(Pc(0));
    entries.iter().for_each(|&pc| start(pc));
    for pc in (0..length as u32).map(Pc) {
        match turn(pc) {
            Turn::Straight => {}
            Turn::End => start(pc.next()),
            Turn::Goto(to) => {
                start(pc.next());
                start(to);
            }
            Turn::Branch { yes, no } => {
                start(pc.next());
                start(yes);
                start(no);
            }
        }
    }
    let firsts: Vec<Pc> = (0..length as u32).map(Pc).filter(|pc| starts[pc.index()]).collect();
    let number = |pc: Pc| firsts.binary_search(&pc).ok();
    let ends = firsts.iter().skip(1).copied().chain([Pc(length as u32)]);
    let blocks = firsts.iter().zip(ends).map(|(&first, end)| {
        let last = Pc(end.0 - 1);
        let ways = match turn(last) {
            Turn::End => vec![],
            Turn::Straight => vec![(last.next(), Way::Always)],
            Turn::Goto(to) => vec![(to, Way::Always)],
            Turn::Branch { yes, no } if yes == no => vec![(yes, Way::Always)],
            Turn::Branch { yes, no } => vec![(no, Way::No), (yes, Way::Yes)],
        };
        let leads = ways.into_iter().filter_map(|(pc, way)| Some((number(pc)?, way))).collect();
        Block { first, end, entry: first == Pc(0) || entries.contains(&first), leads }
    });
    blocks.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_cut_where_control_parts_and_meets() {
        let insns: [u64; 8] = [
            0xb7,                  // r0 = 0
            0x0000_0005_0003_0125, // if r1 > 5 goto 5
            0x0000_0001_0000_0007, // r0 += 1
            0x0000_0009_fffe_00a5, // if r0 < 9 goto 2
            0x0000_0001_0000_1085, // call 6
            0x95,                  // exit
            0x0000_0002_0000_00b7, // r0 = 2
            0x95,                  // exit
        ];
        let program = Program::decode(&insns.map(u64::to_le_bytes).concat()).expect("is a program");
        let found = of(&program);
        let bounds: Vec<_> = found.iter().map(|block| (block.first.0, block.end.0, block.entry)).collect();
        assert_eq!(bounds, [(0, 2, true), (2, 4, false), (4, 5, false), (5, 6, false), (6, 8, true)]);
        assert_eq!(found[0].leads, [(1, Way::No), (3, Way::Yes)]);
        assert_eq!(found[1].leads, [(2, Way::No), (1, Way::Yes)]);
        assert_eq!(found[2].leads, [(3, Way::Always)]);
        assert!(found[3].leads.is_empty() && found[4].leads.is_empty());
        assert!(found[1].contains(Pc(3)) && found[1].last() == Pc(3));
    }

    #[test]
    fn what_leads_nowhere_is_left_out() {
        let found =
            cut(
                2,
                &[],
                |pc| if pc == Pc(0) { Turn::Branch { yes: Pc(9), no: Pc(1) } } else { Turn::Straight },
            );
        assert_eq!(found[0].leads, [(1, Way::No)]);
        assert!(found[1].leads.is_empty());
        assert!(cut(0, &[], |_| Turn::End).is_empty());
    }
}
