//! The program as a graph: its blocks, where they are drawn, and what of it a run passed.

use crate::levels::{Level, Levels};
use crate::player::Player;
use bpf64_core::cfg::blocks::{self, Block, Turn};
use bpf64_core::cfg::layout::{Layout, layout};
use bpf64_core::classic;
use bpf64_core::program::Pc;
use std::collections::HashMap;

/// The height of a row of a block, in pixels.
pub const ROW: i32 = 19;
/// Where the text of an instruction begins, behind its number.
pub const TEXT: i32 = 40;
/// Above the first row and below the last.
pub const PADDING: i32 = 5;
/// How wide a character is.
const CHARACTER: i32 = 8;
/// What is right of the longest instruction: room for how often the block is executed.
const RIGHT: i32 = 44;

/// A level of the program as a graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Flow {
    /// Its blocks.
    pub blocks: Vec<Block>,
    /// Where they are; nothing when there are too many to draw.
    pub layout: Option<Layout>,
}

impl Flow {
    /// The graph of a level.
    #[must_use]
    pub fn of(levels: &Levels, level: Level) -> Self {
        let rows = levels.rows(level);
        let blocks = match (&levels.classic, level) {
            (Some(program), Level::Classic) => {
                let insns = program.insns();
                blocks::cut(insns.len(), &[], |pc| turn(insns[pc.index()], pc))
            }
            _ => blocks::of(&levels.ebpf),
        };
        let size = |block: &Block| {
            let texts = rows.get(block.first.index()..block.end.index()).unwrap_or_default();
            let longest = texts.iter().map(|row| row.text.chars().count()).max().unwrap_or(0) as i32;
            (TEXT + longest * CHARACTER + RIGHT, texts.len() as i32 * ROW + 2 * PADDING)
        };
        let layout = layout(&blocks, size);
        Flow { blocks, layout }
    }

    /// The block that an instruction is in.
    #[must_use]
    pub fn block_of(&self, pc: Pc) -> Option<usize> {
        self.blocks.partition_point(|block| block.first <= pc).checked_sub(1)
    }

    /// A block that leads to this one: the nearest before it, if there is one.
    #[must_use]
    pub fn before(&self, number: usize) -> Option<usize> {
        let leads_here = |other: &usize| self.blocks[*other].leads.iter().any(|&(to, _)| to == number);
        (0..number.min(self.blocks.len()))
            .rev()
            .find(leads_here)
            .or_else(|| (number..self.blocks.len()).find(leads_here))
    }

    /// How often the run goes from which block to which.
    #[must_use]
    pub fn passed(&self, player: &Player) -> HashMap<(usize, usize), u32> {
        let mut passed = HashMap::new();
        let mut before: Option<Pc> = None;
        for pc in (0..player.steps()).filter_map(|step| player.pc_of(step)) {
            let Some(last) = before.replace(pc) else { continue };
            let (Some(from), Some(to)) = (self.block_of(last), self.block_of(pc)) else { continue };
            if last == self.blocks[from].last() && pc == self.blocks[to].first {
                *passed.entry((from, to)).or_insert(0) += 1;
            }
        }
        passed
    }
}

/// How a classic program goes on.
fn turn(insn: classic::Insn, pc: Pc) -> Turn {
    let skip = |count: u32| Pc(pc.0.saturating_add(1).saturating_add(count));
    match insn {
        classic::Insn::Jump(count) => Turn::Goto(skip(count)),
        classic::Insn::Branch { jt, jf, .. } => Turn::Branch { yes: skip(jt.into()), no: skip(jf.into()) },
        classic::Insn::Return(_) => Turn::End,
        classic::Insn::LoadPacket { .. }
        | classic::Insn::LoadAncillary { .. }
        | classic::Insn::LoadA(_)
        | classic::Insn::LoadX(_)
        | classic::Insn::LoadXHeaderLength(_)
        | classic::Insn::StoreA(_)
        | classic::Insn::StoreX(_)
        | classic::Insn::Alu(..)
        | classic::Insn::Neg
        | classic::Insn::Tax
        | classic::Insn::Txa => Turn::Straight,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::EXAMPLES;
    use crate::examples::tests::fetched;
    use crate::levels;
    use bpf64_core::environment::World;

    #[test]
    fn both_levels_of_every_example_can_be_drawn() {
        let gallery = fetched();
        for example in EXAMPLES {
            let (source, _) = gallery.get(example).expect("every example is in the file");
            let program_type = example.program_type.map(Into::into);
            let levels = levels::read(source, None, program_type).expect("examples can be read");
            let shown = |level: &Level| !levels.rows(*level).is_empty();
            for level in [Level::Classic, Level::Ebpf].into_iter().filter(shown) {
                let flow = Flow::of(&levels, level);
                let drawn = flow.layout.as_ref().map(|layout| layout.boxes.len());
                assert_eq!(drawn, Some(flow.blocks.len()), "{}", example.file);
                let count: u32 = flow.blocks.iter().map(|block| block.end.0 - block.first.0).sum();
                assert_eq!(count as usize, levels.rows(level).len(), "{}", example.file);
            }
        }
    }

    #[test]
    fn what_a_run_passes_is_counted() {
        let source = "r0 = 0\nagain:\nr0 += 1\nif r0 < 3 goto again\nexit\n";
        let levels = levels::read(source, None, None).expect("is a program");
        let flow = Flow::of(&levels, Level::Ebpf);
        let player = Player::new(&levels, Level::Ebpf, World::default());
        let passed = flow.passed(&player);
        assert_eq!(flow.blocks.len(), 3);
        assert_eq!(passed, HashMap::from([((0, 1), 1), ((1, 1), 2), ((1, 2), 1)]));
        assert_eq!((flow.block_of(Pc(2)), flow.before(1), flow.before(0)), (Some(1), Some(0), None));
    }
}
