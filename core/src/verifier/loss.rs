//! What is lost where a path ends because a kept state covers it.
//!
//! Of a number that decides nothing behind the kept state, the path may bring others than the kept state had. They go
//! the ways that were followed from there, and no fact of those ways knows of them. So at each such end it is noted
//! which registers and slots of the stack they are in (`Lost`); afterwards they are followed through the program, and
//! whatever is computed from them is added to the facts, until nothing changes.
//!
//! It is enough to follow numbers. Pointers are the same in states that cover each other, what moves a pointer decides
//! something and so is the same, too, and so is what an undecided comparison does not ask. Where a comparison is not
//! decided, both its operands are lost together, and with them all numbers that were linked to them there. Numbers that
//! are linked in the covering state and not in the covered one are lost, too: what is learnt of one of them on the ways
//! from there is not true of the other ones here.

mod spread;

use super::facts::{Fact, fact};
use super::state::{At, FRAMES, Frame, Kind, Link, Location, Register, Slot, State};
use crate::cfg::Graph;
use crate::isa::Reg;
use crate::keyed::{Map, Set};
use crate::program::Pc;

/// Slots of a frame at most: bits of what is lost of them.
const SLOTS: usize = u64::BITS as usize;

/// Where numbers may be that the facts do not know of: in registers, and in slots of the function's frame, its caller's,
/// and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Lost {
    registers: u16,
    slots: [u64; FRAMES],
}

/// A number that a comparison told something about besides its operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Linked {
    Register(Reg),
    /// In the frame so many calls up.
    Slot(usize, u8),
    /// Of the function that called at this place.
    Outer(Pc, Reg),
}

/// What is noted while paths are followed.
#[derive(Debug, Default)]
pub(super) struct Losses {
    lost: Map<Pc, Lost>,
    /// Numbers in the registers of functions that wait for a call to come back.
    waiting: Map<(Pc, usize), Fact>,
    linked: Map<Pc, Vec<Linked>>,
    /// Calls, and the functions that they were followed into.
    calls: Set<(Pc, Pc)>,
    /// Instructions that may end the function that runs.
    ends: Set<Pc>,
}

impl Losses {
    /// The instruction at `pc` may go on behind it, or end the function that runs.
    pub(super) fn may_end(&mut self, pc: Pc) {
        self.ends.insert(pc);
    }

    /// A call at `call` entered a function.
    pub(super) fn enters(&mut self, call: Pc, function: Pc) {
        self.calls.insert((call, function));
    }

    /// The comparison at the current instruction tells about these numbers together.
    pub(super) fn compares(&mut self, state: &State, linked: &[Location]) {
        if linked.len() < 2 {
            return;
        }
        let depth = usize::from(state.depth());
        let known = self.linked.or_default(state.pc);
        for &Location { frame, at } in linked {
            let frame = usize::from(frame);
            let linked = match at {
                At::Register(reg) if frame == depth => Linked::Register(reg),
                At::Register(reg) => Linked::Outer(state.pc_of(frame), reg),
                At::Slot(slot) => Linked::Slot(depth - frame, slot),
            };
            if !known.contains(&linked) {
                known.push(linked);
            }
        }
    }

    /// The path of `new` ends, since `old` covers it.
    pub(super) fn ends(&mut self, graph: &Graph, old: &State, new: &State) {
        let depth = new.frames.len() - 1;
        let apart = apart(graph, old, new);
        let mut here = Lost::default();
        for (number, (old_frame, frame)) in old.frames.iter().zip(&new.frames).enumerate() {
            let live = graph.node(new.pc_of(number)).live;
            let is_apart = |at| apart.contains(&Location { frame: number as u8, at });
            let outside = |reg: &Reg| {
                live.contains(*reg)
                    && (is_outside(old_frame.get(*reg), frame.get(*reg)) || is_apart(At::Register(*reg)))
            };
            let registers: Vec<Reg> = Reg::ALL[..10].iter().copied().filter(outside).collect();
            let slots = (0..old_frame.stack.len().min(SLOTS)).filter(|&slot| is_apart(At::Slot(slot as u8)));
            here.slots[depth - number] =
                slots.fold(slots_outside(old_frame, frame), |bits, slot| bits | 1 << slot);
            if number == depth {
                here.registers = registers.iter().fold(0, |bits, reg| bits | 1 << reg.bits());
                continue;
            }
            for reg in registers {
                let fact = fact(frame.get(reg), number as u8);
                let waits = self.waiting.or_insert((new.pc_of(number), reg.index()), fact);
                *waits = waits.join(fact);
            }
        }
        if here != Lost::default() {
            add(self.lost.or_default(new.pc), &here);
        }
    }
}

/// Adds to what is lost; whether that is new.
fn add(lost: &mut Lost, more: &Lost) -> bool {
    let before = *lost;
    lost.registers |= more.registers;
    for (slots, more) in lost.slots.iter_mut().zip(&more.slots) {
        *slots |= more;
    }
    *lost != before
}

/// Whether a register may be what the old state, which covers it, did not know of.
fn is_outside(old: &Register, new: &Register) -> bool {
    match old.kind {
        Kind::Unset => false,
        Kind::Scalar => !new.is_scalar() || !old.value.includes(new.value),
        _ => old.kind != new.kind,
    }
}

/// Numbers that were linked in the old state, which covers the new one, and are not so in the new one: what is learnt of
/// one of them is true of the others on the old one's paths only.
fn apart(graph: &Graph, old: &State, new: &State) -> Vec<Location> {
    // By identity: whether the link is the same in the new state, there by which identity, and where they are.
    let mut groups: Map<u32, (bool, u32, Vec<Location>)> = Map::default();
    for (number, frame) in old.frames.iter().enumerate() {
        let live = graph.node(new.pc_of(number)).live;
        let registers = Reg::ALL[..10]
            .iter()
            .filter(|&&reg| live.contains(reg))
            .map(|&reg| (At::Register(reg), *frame.get(reg)));
        let slots = frame.stack.iter().enumerate().filter(|(_, slot)| slot.is_scalar_spill());
        let slots = slots.map(|(at, slot)| (At::Slot(at as u8), slot.spilled));
        for (at, before) in registers.chain(slots) {
            if !before.is_scalar() || before.link.id == 0 {
                continue;
            }
            let now = match at {
                At::Register(reg) => Some(*new.frames[number].get(reg)),
                At::Slot(slot) => {
                    let slot = new.frames[number].stack.get(usize::from(slot));
                    slot.filter(|slot| slot.is_scalar_spill()).map(|slot| slot.spilled)
                }
            };
            let link = now.map_or(Link::default(), |now| now.link);
            let (same, id, places) = groups.or_insert(before.link.id, (true, link.id, Vec::new()));
            *same &= link.id != 0 && link.id == *id && link.plus == before.link.plus;
            places.push(Location { frame: number as u8, at });
        }
    }
    let lost = groups.into_entries().filter(|(_, (same, _, places))| !same && places.len() > 1);
    lost.flat_map(|(_, (.., places))| places).collect()
}

fn slots_outside(old: &Frame, new: &Frame) -> u64 {
    let empty = Slot::EMPTY;
    let pairs = old.stack.iter().enumerate().map(|(at, old)| (at, old, new.stack.get(at).unwrap_or(&empty)));
    let outside = |old: &Slot, new: &Slot| {
        // What was never written, or is any number, is read as any number.
        old.is_scalar_spill() && !(new.is_scalar_spill() && old.spilled.value.includes(new.spilled.value))
    };
    pairs.filter(|(_, old, new)| outside(old, new)).fold(0, |bits, (at, ..)| bits | 1 << at)
}
