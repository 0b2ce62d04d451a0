//! One step of a recorded run, and what the machine held before it.

use super::number;
use super::origin::Made;
use crate::context::Description;
use crate::context::skb::Skb;
use crate::debugger::{End, Session};
use crate::interp::STACK_SIZE;
use crate::isa::{Reg, doc::plus};
use crate::machine::{Change, Ending, Machine, Place, Read, Region, TrapKind};
use crate::maps::Table;
use crate::packet::layers::{self, Layer};
use crate::program::Pc;
use std::cell::OnceCell;

/// How far from a region's start a number still reads as an address of it. Packets are shorter.
const NEAR: i32 = 1 << 20;

/// What of a machine explaining needs to know.
pub(super) trait Stepped: Machine {
    /// What a register holds now; 0 for places that this machine does not have.
    fn get(&self, place: Place) -> u64;

    /// The packet.
    fn skb(&self) -> &Skb;

    /// What the context's bytes mean.
    fn context(&self) -> &Description;

    /// The context's bytes.
    fn context_bytes(&self) -> &[u8];

    /// A table of the world.
    fn table(&self, map: u16) -> Option<&Table>;

    /// How the instruction at `pc` of program number `program` made the value that it writes.
    fn made(&self, program: u64, pc: Pc) -> Made;
}

/// A step of a recorded run, seen just before it is made.
pub(super) struct Moment<'a, M> {
    session: &'a Session<M>,
    /// The number of the step, from 0.
    pub(super) step: usize,
    link: u32,
    layers: OnceCell<Vec<Layer>>,
}

impl<'a, M: Stepped> Moment<'a, M> {
    pub(super) fn new(session: &'a Session<M>, step: usize, link: u32) -> Self {
        Moment { session, step, link, layers: OnceCell::new() }
    }

    pub(super) fn session(&self) -> &'a Session<M> {
        self.session
    }

    pub(super) fn machine(&self) -> &'a M {
        self.session.machine()
    }

    /// The layers of the packet, or nothing where it is plain memory: a program without a context.
    ///
    /// They are those of the packet where the session stands, which differ from those of this step only if the program
    /// wrote into headers between.
    pub(super) fn layers(&self) -> &[Layer] {
        self.layers.get_or_init(|| match self.machine().context().size {
            0 => Vec::new(),
            _ => layers::layers(self.machine().skb(), self.link),
        })
    }

    /// What the step read, in order.
    pub(super) fn reads(&self) -> &'a [Read] {
        self.session.reads(self.step)
    }

    /// What the step wrote, in order.
    pub(super) fn changes(&self) -> &'a [Change] {
        self.session.changes(self.step)
    }

    /// What the step left in a place; what is there if it wrote nothing.
    pub(super) fn after(&self, place: Place) -> u64 {
        let change = self.changes().iter().rev().find(|change| change.place == place);
        change.map_or_else(|| self.before(place), |change| change.after)
    }

    /// What a register held before the step.
    pub(super) fn before(&self, place: Place) -> u64 {
        self.held(place, self.step)
    }

    /// What a register held before step `there`: as it is where the session stands, but for the changes between.
    pub(super) fn held(&self, place: Place, there: usize) -> u64 {
        let session = self.session;
        let here = session.position();
        let of = |change: &&Change| change.place == place;
        let changed = if here <= there {
            let last = |step| session.changes(step).iter().rev().find(of);
            (here..there).rev().find_map(last).map(|change| change.after)
        } else {
            (there..here).find_map(|step| session.changes(step).iter().find(of)).map(|change| change.before)
        };
        changed.unwrap_or_else(|| session.machine().get(place))
    }

    /// Why the step could not be made.
    pub(super) fn trap(&self) -> Option<TrapKind> {
        match self.session.end() {
            End::Trap(trap) if self.step == self.session.steps() => Some(trap.kind),
            End::Trap(_) | End::Value(..) | End::Limit(_) => None,
        }
    }

    /// How the run ended, if this was its last step.
    pub(super) fn end(&self) -> Option<(u64, Ending)> {
        match self.session.end() {
            End::Value(value, ending) if self.step + 1 == self.session.steps() => Some((value, ending)),
            End::Value(..) | End::Trap(_) | End::Limit(_) => None,
        }
    }

    /// The value of a register or cell before the step, by name if it is known: "0x0800 (IPv4)".
    pub(super) fn known(&self, place: Place) -> String {
        let value = self.before(place);
        let named = self.origin(place).and_then(|origin| origin.text(value));
        named.unwrap_or_else(|| self.number(value))
    }

    /// The value that the step left in a place, by name if it is known.
    pub(super) fn known_after(&self, place: Place) -> String {
        let value = self.after(place);
        let named = self.origin_after(place).and_then(|origin| origin.text(value));
        named.unwrap_or_else(|| self.number(value))
    }

    /// A value: an address where it is one.
    pub(super) fn number(&self, value: u64) -> String {
        self.pointer(value).unwrap_or_else(|| number::scalar(value))
    }

    /// A value among others.
    pub(super) fn brief(&self, value: u64) -> String {
        self.pointer(value).unwrap_or_else(|| number::brief(value))
    }

    /// An address, but for those just below the first region: they are more often negative numbers of 32 bits.
    fn pointer(&self, value: u64) -> Option<String> {
        if value >> 32 == 0 { None } else { self.address(value) }
    }

    /// An address, or whatever was taken for one: "packet + 14", "stack - 8", "0x7b".
    pub(super) fn address_or_number(&self, value: u64) -> String {
        self.address(value).unwrap_or_else(|| format!("{value:#x}"))
    }

    /// "packet + 14", "stack - 8", "value of counters + 4", if it is in or near a region.
    fn address(&self, value: u64) -> Option<String> {
        // What lies just before a region's first byte has the number of the region before in its upper half.
        let distance = value as i32;
        let (region, _) = Region::of(value.wrapping_sub_signed(distance.into()))?;
        if let Region::Values(map) = region {
            return self.value_address(map, distance);
        }
        if !(-NEAR..NEAR).contains(&distance) {
            return None;
        }
        Some(match region {
            Region::Stack => self.stack_address(distance),
            Region::Map(map) => {
                plus(&format!("map {}", shown(&self.machine().table(map)?.def().name)), distance)
            }
            Region::Code => format!("instruction {distance}"),
            Region::Context | Region::Packet | Region::Headroom | Region::Keys | Region::Values(_) => {
                plus(&region.to_string(), distance)
            }
        })
    }

    /// In the memory of a table: from the start of the value that the address is in.
    fn value_address(&self, map: u16, offset: i32) -> Option<String> {
        let table = self.machine().table(map)?;
        let name = shown(&table.def().name);
        let extent = |offset| table.def().kind.extent(table, offset);
        let value = u32::try_from(offset).map(extent).unwrap_or_default();
        let start =
            i32::try_from(value.start).ok().filter(|start| (*start..=value.end as i32).contains(&offset));
        Some(match start {
            Some(start) => plus(&format!("value of {name}"), offset - start),
            None => plus(&format!("memory of {name}"), offset),
        })
    }

    /// Stacks grow down, so a place in one is named from the end where it begins.
    fn stack_address(&self, offset: i32) -> String {
        const SIZE: i32 = STACK_SIZE as i32;
        let frame_pointer = self.before(Place::Reg(Reg::R10)) as i32;
        let distance = offset.wrapping_sub(frame_pointer);
        if distance == 0 {
            return "the top of the stack".to_owned();
        }
        if distance >= -SIZE || offset <= 0 {
            return plus("stack", distance);
        }
        let frame = (offset - 1) / SIZE;
        let top = (frame + 1) * SIZE;
        let stack = if top + SIZE == frame_pointer {
            "the caller's stack".to_owned()
        } else {
            format!("frame {frame}'s stack")
        };
        plus(&stack, offset - top)
    }
}

/// A name that came from outside, fit for one line.
pub(super) fn shown(name: &str) -> String {
    const LONGEST: usize = 32;
    let mut text: String = name.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    if name.chars().count() > LONGEST {
        text.push('…');
    }
    text
}
