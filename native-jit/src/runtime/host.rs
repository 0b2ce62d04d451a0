//! The machine as functions of the environment see it: addresses are real ones, and each is looked up among what there
//! is before anything is read or written.

use super::Machine;
use crate::abi::Word;
use bpf64_core::context::Use;
use bpf64_core::context::skb::HEADROOM;
use bpf64_core::environment::World;
use bpf64_core::helpers::Host;
use bpf64_core::interp::STACK_SIZE;
use bpf64_core::isa::Reg;
use bpf64_core::machine::At;
use bpf64_core::machine::{Quantity, Region, Sent, TrapKind};
use bpf64_core::maps::Access;
use std::ops::Range;

/// A machine in the middle of a call.
pub(super) struct Running<'a> {
    pub(super) machine: &'a mut Machine,
    /// The call.
    pub(super) at: At,
}

/// The part of a stretch of memory at `start` that an access means.
fn within(start: u64, length: usize, address: u64, size: usize) -> Option<Range<usize>> {
    let offset = usize::try_from(address.checked_sub(start)?).ok()?;
    let end = offset.checked_add(size)?;
    (end <= length).then_some(offset..end)
}

impl Running<'_> {
    /// The bytes an access means, if all of them exist and belong together.
    fn locate(&self, address: u64, size: u32) -> Option<(Region, Range<usize>)> {
        let machine = &*self.machine;
        let arena = &machine.arena;
        let skb = &machine.world.skb;
        let packet = arena.get(Word::Packet);
        let size = size as usize;
        let depth = arena.get(Word::Frame) - arena.stack_address();
        let stretches = [
            (Region::Context, arena.context_address(), arena.context().len()),
            (Region::Stack, arena.stack_address(), depth as usize),
            (Region::Packet, packet, skb.packet.len()),
            (Region::Keys, machine.keys.as_ptr().addr() as u64, machine.keys.len()),
        ];
        for (region, start, length) in stretches {
            if let Some(range) = within(start, length, address, size) {
                return Some((region, range));
            }
        }
        if !machine.joined.is_empty()
            && let Some(range) = within(packet - HEADROOM as u64, HEADROOM, address, size)
            && range.start >= HEADROOM - skb.headroom.metadata as usize
        {
            return Some((Region::Headroom, range));
        }
        for (map, (&start, table)) in machine.tables.iter().zip(&machine.world.tables).enumerate() {
            if let Some(range) = within(start, table.bytes().len(), address, size) {
                let value = table.def().kind.extent(table, range.start as u32);
                let inside = value.start as usize <= range.start && range.end <= value.end as usize;
                return inside.then_some((Region::Values(map as u16), range));
            }
        }
        None
    }

    fn writable(&self, address: u64, size: u32) -> Result<(Region, Range<usize>), TrapKind> {
        let access = TrapKind::Access { address, size, write: true };
        let (region, range) = self.locate(address, size).ok_or(access)?;
        let environment = &self.machine.environment;
        let writable = match region {
            Region::Stack => true,
            Region::Context => environment.context.access(range.start, range.len(), Use::Write).is_some(),
            Region::Packet | Region::Headroom => environment.packet.writable,
            Region::Map(_) | Region::Code | Region::Keys => false,
            Region::Values(map) => self.machine.world.tables[usize::from(map)].def().programs_write(),
        };
        if writable { Ok((region, range)) } else { Err(TrapKind::ReadOnly { address }) }
    }

    fn bytes_mut(&mut self, region: Region) -> &mut [u8] {
        let machine = &mut *self.machine;
        match region {
            Region::Context => machine.arena.context_mut(),
            Region::Stack => machine.arena.stack_mut(),
            Region::Packet => &mut machine.world.skb.packet,
            Region::Keys => &mut machine.keys,
            Region::Headroom => machine.world.skb.headroom.bytes_mut(),
            Region::Values(map) => machine.world.tables[usize::from(map)].bytes_mut(),
            Region::Map(_) | Region::Code => &mut [],
        }
    }
}

impl Host for Running<'_> {
    fn world(&mut self) -> &mut World {
        &mut self.machine.world
    }

    fn read(&mut self, address: u64, buffer: &mut [u8]) -> Result<(), TrapKind> {
        if buffer.is_empty() {
            return Ok(());
        }
        let size = buffer.len() as u32;
        let access = TrapKind::Access { address, size, write: false };
        let (region, range) = self.locate(address, size).ok_or(access)?;
        buffer.copy_from_slice(&self.bytes_mut(region)[range]);
        Ok(())
    }

    fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), TrapKind> {
        if bytes.is_empty() {
            return Ok(());
        }
        let (region, range) = self.writable(address, bytes.len() as u32)?;
        self.bytes_mut(region)[range].copy_from_slice(bytes);
        if region == Region::Context {
            self.machine.tell_context();
        }
        Ok(())
    }

    fn check(&mut self, address: u64, size: u32, write: bool) -> Result<(), TrapKind> {
        match (size, write) {
            (0, _) => Ok(()),
            (_, true) => self.writable(address, size).map(drop),
            (_, false) => {
                self.locate(address, size).map(drop).ok_or(TrapKind::Access { address, size, write })
            }
        }
    }

    fn map(&mut self, reg: Reg, handle: u64) -> Result<u16, TrapKind> {
        match Region::of(handle) {
            Some((Region::Map(map), 0)) if usize::from(map) < self.machine.world.tables.len() => Ok(map),
            _ => Err(TrapKind::Argument { reg, value: handle, expected: "a map" }),
        }
    }

    fn table(&mut self, map: u16, what: &mut dyn FnMut(&mut Access<'_>)) {
        let World { tables, cpu, .. } = &mut self.machine.world;
        what(&mut tables[usize::from(map)].access(*cpu, &mut ()));
    }

    fn value_address(&self, map: u16, offset: u32) -> u64 {
        self.machine.tables[usize::from(map)] + u64::from(offset)
    }

    fn value_of(&self, address: u64) -> Option<(u16, u32)> {
        let machine = &*self.machine;
        machine.tables.iter().zip(&machine.world.tables).enumerate().find_map(|(map, (&start, table))| {
            let range = within(start, table.bytes().len(), address, 1)?;
            Some((map as u16, range.start as u32))
        })
    }

    fn set(&mut self, quantity: Quantity, value: u64) {
        self.machine.world.set(quantity, value);
    }

    fn set_field(&mut self, name: &str, value: u64) {
        let machine = &mut *self.machine;
        let Some(field) = machine.environment.context.field(name) else { return };
        let (offset, size) = (field.offset, field.size.min(8));
        machine.arena.context_mut()[offset..offset + size].copy_from_slice(&value.to_le_bytes()[..size]);
        (machine.environment.stored)(&mut machine.world, machine.arena.context(), offset);
        machine.known[offset..offset + size].copy_from_slice(&value.to_le_bytes()[..size]);
    }

    fn set_packet(&mut self, packet: &[u8]) {
        let skb = &mut self.machine.world.skb;
        skb.resize(packet.len());
        skb.packet.copy_from_slice(packet);
        self.machine.find_packet();
    }

    fn set_headroom(&mut self, headroom: &[u8]) {
        self.machine.world.skb.headroom.bytes_mut().copy_from_slice(headroom);
        self.machine.find_packet();
    }

    fn key(&mut self, key: &[u8]) -> u64 {
        let machine = &mut *self.machine;
        let longest = machine.keys.len() / machine.arena.frames();
        let depth = (machine.arena.get(Word::Frame) - machine.arena.stack_address()) as usize / STACK_SIZE;
        let offset = depth.saturating_sub(1) * longest;
        machine.keys[offset..offset + key.len()].copy_from_slice(key);
        machine.keys.as_mut_ptr().expose_provenance() as u64 + offset as u64
    }

    fn map_handle(&self, map: u16) -> u64 {
        Region::Map(map).address(0)
    }

    fn print(&mut self, line: &str) {
        self.machine.printed.push((self.at, line.to_owned()));
    }

    fn send(&mut self, sent: &Sent) {
        self.machine.sent.push(sent.clone());
    }
}
