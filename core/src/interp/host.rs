//! The machine as the functions see it that programs call.

use super::Machine;
use super::memory::{number, pieces};
use crate::environment::World;
use crate::helpers::Host;
use crate::isa::Reg;
use crate::machine::{Observer, Place, Quantity, Region, Sent, TrapKind};
use crate::maps::{Access, Journal};

/// A machine in the middle of a call.
pub(super) struct Running<'a, O> {
    pub(super) machine: &'a mut Machine,
    pub(super) observer: &'a mut O,
}

impl<O: Observer> Host for Running<'_, O> {
    fn world(&mut self) -> &mut World {
        &mut self.machine.world
    }

    fn read(&mut self, address: u64, buffer: &mut [u8]) -> Result<(), TrapKind> {
        self.machine.read_bytes(self.observer, address, buffer)
    }

    fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), TrapKind> {
        self.machine.write_bytes(self.observer, address, bytes)
    }

    fn map(&mut self, reg: Reg, handle: u64) -> Result<u16, TrapKind> {
        match Region::of(handle) {
            Some((Region::Map(map), 0)) if usize::from(map) < self.machine.world.tables.len() => Ok(map),
            _ => Err(TrapKind::Argument { reg, value: handle, expected: "a map" }),
        }
    }

    fn table(&mut self, map: u16, what: &mut dyn FnMut(&mut Access<'_>)) {
        let World { tables, cpu, .. } = &mut self.machine.world;
        let mut journal = Told { map, observer: self.observer };
        what(&mut tables[usize::from(map)].access(*cpu, &mut journal));
    }

    fn value_address(&self, map: u16, offset: u32) -> u64 {
        Region::Values(map).address(offset)
    }

    fn value_of(&self, address: u64) -> Option<(u16, u32)> {
        match Region::of(address)? {
            (Region::Values(map), offset) if usize::from(map) < self.machine.world.tables.len() => {
                Some((map, offset))
            }
            _ => None,
        }
    }

    fn set(&mut self, quantity: Quantity, value: u64) {
        let before = self.machine.world.get(quantity);
        if before != value {
            self.observer.wrote(Place::World(quantity), before, value);
            self.machine.world.set(quantity, value);
        }
    }

    fn set_field(&mut self, name: &str, value: u64) {
        let Some(field) = self.machine.environment.context.field(name) else { return };
        let (offset, size) = (field.offset as u32, field.size.min(8));
        self.machine.overwrite(self.observer, Region::Context, offset, &value.to_le_bytes()[..size]);
    }

    fn check(&mut self, address: u64, size: u32, write: bool) -> Result<(), TrapKind> {
        match (size, write) {
            (0, _) => Ok(()),
            (_, true) => self.machine.writable(address, size).map(drop),
            (_, false) => self.machine.readable(address, size).map(drop),
        }
    }

    fn set_headroom(&mut self, headroom: &[u8]) {
        self.machine.rewrite(self.observer, Region::Headroom, 0, headroom);
    }

    fn send(&mut self, sent: &Sent) {
        self.observer.sent(sent);
    }

    fn set_packet(&mut self, packet: &[u8]) {
        let Running { machine, observer } = self;
        let before = machine.world.skb.packet.len();
        // What is cut off becomes 0 first, so that going back finds it again.
        if packet.len() < before {
            machine.rewrite(*observer, Region::Packet, packet.len() as u32, &vec![0; before - packet.len()]);
        }
        if packet.len() != before {
            observer.wrote(Place::PacketLength, before as u64, packet.len() as u64);
            machine.world.skb.resize(packet.len());
        }
        machine.rewrite(*observer, Region::Packet, 0, packet);
    }

    fn key(&mut self, key: &[u8]) -> u64 {
        let Running { machine, observer } = self;
        let longest = machine.world.tables.iter().map(|table| table.def().key_size).max().unwrap_or(0);
        let offset = machine.frames.len() as u32 * longest.next_multiple_of(8);
        let end = offset as usize + key.len();
        if machine.keys.len() < end {
            machine.keys.resize(end, 0);
        }
        machine.overwrite(*observer, Region::Keys, offset, key);
        Region::Keys.address(offset)
    }

    fn map_handle(&self, map: u16) -> u64 {
        Region::Map(map).address(0)
    }

    fn print(&mut self, line: &str) {
        self.observer.printed(line);
    }
}

/// Changes of a table, told to the observer.
struct Told<'a, O> {
    map: u16,
    observer: &'a mut O,
}

impl<O: Observer> Journal for Told<'_, O> {
    fn bytes(&mut self, offset: u32, before: &[u8], after: &[u8]) {
        for ((at, before, size), (_, after, _)) in pieces(before).zip(pieces(after)) {
            let place = Place::Memory { region: Region::Values(self.map), offset: offset + at, size };
            self.observer.wrote(place, number(before), number(after));
        }
    }

    fn cell(&mut self, index: u32, before: u32, after: u32) {
        self.observer.wrote(Place::Cell { map: self.map, index }, before.into(), after.into());
    }
}
