//! The program as a graph: its blocks, where they are drawn, and what of it a run passed.

use crate::levels::{Level, Levels};
use crate::player::Player;
use crate::state::Heat;
use bpf64_core::cfg::blocks::{self, Block, Turn, Way};
use bpf64_core::cfg::layout::{Layout, layout};
use bpf64_core::classic;
use bpf64_core::keyed::Map;
use bpf64_core::program::Pc;

/// How often it was gone from which block, or instruction, to which.
pub type Passes = Map<(usize, usize), u64>;

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
            let longest = texts.iter().map(|row| row.text().chars().count()).max().unwrap_or(0) as i32;
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
    pub fn passed(&self, player: &Player) -> Passes {
        let mut passed = Passes::default();
        let mut before: Option<Pc> = None;
        for pc in (0..player.steps()).filter_map(|step| player.pc_of(step)) {
            let Some(last) = before.replace(pc) else { continue };
            let (Some(from), Some(to)) = (self.block_of(last), self.block_of(pc)) else { continue };
            if last == self.blocks[from].last() && pc == self.blocks[to].first {
                *passed.or_insert((from, to), 0) += 1;
            }
        }
        passed
    }
}

/// How often it was gone from which block of `flow`, the graph of `level`, to which: of what each eBPF instruction did,
/// how often it was executed and how often it jumped.
#[must_use]
pub fn passed_by_all(flow: &Flow, levels: &Levels, level: Level, heat: &[Heat]) -> Passes {
    let of = |pc: Pc| heat.get(pc.index()).copied().unwrap_or_default();
    // The instruction of the level that an eBPF instruction is, or comes from.
    let place = |pc: Pc| match level {
        Level::Ebpf => Some(pc),
        Level::Classic => levels.ebpf_rows.get(pc.index())?.key.map(Pc),
    };
    let mut ways = Passes::default();
    let mut add = |from: Pc, to: Pc, times: u64| {
        // What a classic instruction became goes on within itself, too; only eBPF has loops.
        if let (Some(from), Some(to)) = (place(from), place(to))
            && (from != to || level == Level::Ebpf)
        {
            *ways.or_insert((from.index(), to.index()), 0) += times;
        }
    };
    let ebpf = blocks::of(&levels.ebpf);
    for block in &ebpf {
        for pc in (block.first.0..block.last().0).map(Pc) {
            add(pc, pc.next(), of(pc).executed);
        }
        let Heat { executed, taken } = of(block.last());
        for &(to, way) in &block.leads {
            let times = match way {
                Way::Always => executed,
                Way::Yes => taken,
                Way::No => executed.saturating_sub(taken),
            };
            add(block.last(), ebpf[to].first, times);
        }
    }
    let leads = flow.blocks.iter().enumerate().flat_map(|(from, block)| {
        block
            .leads
            .iter()
            .map(move |&(to, _)| ((from, to), (block.last().index(), flow.blocks[to].first.index())))
    });
    let mut passed = Passes::default();
    for (blocks, way) in leads {
        if let Some(&times) = ways.get(way) {
            passed.insert(blocks, times);
        }
    }
    passed
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
        assert!(passed.into_entries().eq([((0, 1), 1), ((1, 1), 2), ((1, 2), 1)]));
        assert_eq!((flow.block_of(Pc(2)), flow.before(1), flow.before(0)), (Some(1), Some(0), None));
    }

    #[test]
    fn ways_of_a_whole_capture_are_those_of_its_packets() {
        // Each packet's own run, counted instruction by instruction, is what the worker adds up.
        for (source, level) in [
            ("ldh [12]\njeq #0x806, 2, 4\nld #7\nret a\njset #1, 5, 6\nret #1\nret #0", Level::Classic),
            ("ldh [12]\njset #6, 2, 4\nld #7\nret a\njgt #0x700, 5, 6\nret #1\nret #0", Level::Classic),
            (
                "r0 = *(u16 *)skb[12]\nl: r0 += -1\nif r0 > 0x805 goto l\nif r0 != 4 goto m\nr0 = 1\nm: exit",
                Level::Ebpf,
            ),
        ] {
            let levels = levels::read(source, None, None).expect("is a program");
            let flow = Flow::of(&levels, level);
            let mut heat = vec![Heat::default(); levels.ebpf_rows.len()];
            let mut wanted = Passes::default();
            for kind in [0x806_u16, 0x805, 0x800, 0x86dd, 0x808, 4] {
                let mut packet = vec![0; 14];
                packet[12..].copy_from_slice(&kind.to_be_bytes());
                let world = || World::new(bpf64_core::context::skb::Skb::ethernet(packet.clone()));
                for (way, times) in flow.passed(&Player::new(&levels, level, world())).into_entries() {
                    *wanted.or_insert(way, 0) += times;
                }
                let run = Player::new(&levels, Level::Ebpf, world());
                let pcs: Vec<Pc> = (0..run.steps()).filter_map(|step| run.pc_of(step)).collect();
                for (index, pc) in pcs.iter().enumerate() {
                    heat[pc.index()].executed += 1;
                    let jumped = pcs.get(index + 1).is_some_and(|next| *next != pc.next());
                    heat[pc.index()].taken += u64::from(jumped);
                }
            }
            let found = passed_by_all(&flow, &levels, level, &heat).into_entries();
            assert!(found.filter(|(_, times)| *times > 0).eq(wanted.into_entries()), "{source}");
        }
    }
}
