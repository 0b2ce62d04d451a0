//! Loads and stores of the machine: an address names a region and an offset in it.

use super::Machine;
use crate::context::skb::HEADROOM;
use crate::context::{Access, FieldKind, Use};
use crate::isa::{Size, eval};
use crate::machine::{Observer, Place, Region, TrapKind};
use std::ops::Range;
use std::rc::Rc;

impl Machine {
    /// The bytes of a region. Those of a table reach as far as anything was ever written or looked up.
    #[must_use]
    pub fn region(&self, region: Region) -> &[u8] {
        match region {
            Region::Context => &self.context,
            Region::Stack => &self.stack,
            Region::Packet => &self.world.skb.packet,
            Region::Keys => &self.keys,
            Region::Headroom => self.world.skb.headroom.bytes(),
            Region::Map(_) | Region::Code => &[],
            Region::Values(map) => self.world.tables.get(usize::from(map)).map_or(&[], |table| table.bytes()),
        }
    }

    fn region_mut(&mut self, region: Region) -> &mut [u8] {
        match region {
            Region::Context => &mut self.context,
            Region::Stack => &mut self.stack,
            Region::Packet => &mut self.world.skb.packet,
            Region::Keys => &mut self.keys,
            Region::Headroom => self.world.skb.headroom.bytes_mut(),
            Region::Map(_) | Region::Code => &mut [],
            Region::Values(map) => {
                self.world.tables.get_mut(usize::from(map)).map_or(&mut [], |table| table.bytes_mut())
            }
        }
    }

    /// The bytes an access means, if all of them exist and belong together.
    fn locate(&mut self, address: u64, bytes: u32) -> Option<(Region, u32)> {
        let (region, offset) = Region::of(address)?;
        if region == Region::Context && self.context_due {
            self.fill_context();
        }
        let end = offset.checked_add(bytes)?;
        if let Region::Values(map) = region {
            let table = self.world.tables.get_mut(usize::from(map))?;
            let def = Rc::clone(table.def());
            let value = def.kind.extent(table, offset);
            if value.start <= offset && end <= value.end && def.kind.preset() {
                table.grow(value.end);
            }
            if offset < value.start || value.end < end {
                return None;
            }
        }
        if region == Region::Headroom && offset < self.metadata_start() {
            return None;
        }
        (end as usize <= self.region(region).len()).then_some((region, offset))
    }

    /// Where in the headroom metadata begin.
    fn metadata_start(&self) -> u32 {
        HEADROOM as u32 - self.world.skb.headroom.metadata
    }

    pub(super) fn readable(&mut self, address: u64, bytes: u32) -> Result<(Region, u32), TrapKind> {
        self.locate(address, bytes).ok_or(TrapKind::Access { address, size: bytes, write: false })
    }

    pub(super) fn writable(&mut self, address: u64, bytes: u32) -> Result<(Region, u32), TrapKind> {
        let (region, offset) =
            self.locate(address, bytes).ok_or(TrapKind::Access { address, size: bytes, write: true })?;
        let writable = match region {
            Region::Stack => true,
            Region::Context => {
                self.environment.context.access(offset as usize, bytes as usize, Use::Write).is_some()
            }
            Region::Packet | Region::Headroom => self.environment.packet.writable,
            Region::Map(_) | Region::Code | Region::Keys => false,
            Region::Values(map) => self.world.tables[usize::from(map)].def().programs_write(),
        };
        if writable { Ok((region, offset)) } else { Err(TrapKind::ReadOnly { address }) }
    }

    /// The little-endian number at `address`.
    pub(super) fn load(
        &mut self,
        observer: &mut impl Observer,
        address: u64,
        size: Size,
    ) -> Result<u64, TrapKind> {
        let (region, offset) = self.readable(address, size.bytes() as u32)?;
        let value = match region {
            Region::Context => self.field(offset, size),
            _ => None,
        };
        let value = value.unwrap_or_else(|| self.number(region, offset, size));
        observer.read(Place::Memory { region, offset, size }, value);
        Ok(value)
    }

    /// The address that a field of the context stands for, if it stands for one.
    fn field(&self, offset: u32, size: Size) -> Option<u64> {
        let field = self.environment.context.field_at(offset as usize)?;
        if (field.offset, field.size) != (offset as usize, size.bytes()) || field.access == Access::Hidden {
            return None;
        }
        match field.kind {
            FieldKind::Number | FieldKind::Whole | FieldKind::Bytes | FieldKind::Socket => None,
            FieldKind::PacketStart => Some(Region::Packet.address(0)),
            FieldKind::PacketMeta => Some(Region::Headroom.address(self.metadata_start())),
            FieldKind::PacketEnd => Some(Region::Packet.address(self.world.skb.packet.len() as u32)),
        }
    }

    pub(super) fn store(
        &mut self,
        observer: &mut impl Observer,
        address: u64,
        size: Size,
        value: u64,
    ) -> Result<(), TrapKind> {
        let (region, offset) = self.writable(address, size.bytes() as u32)?;
        let before = self.number(region, offset, size);
        self.put_memory(region, offset, size, value);
        observer.wrote(Place::Memory { region, offset, size }, before, eval::truncate(size, value));
        Ok(())
    }

    /// Writes a number to the context, where programs may.
    pub(crate) fn write_context(&mut self, offset: u32, size: Size, value: u64) {
        if self.context_due {
            self.fill_context();
        }
        self.put_memory(Region::Context, offset, size, value);
    }

    /// Copies memory, as functions read it.
    pub(super) fn read_bytes(
        &mut self,
        observer: &mut impl Observer,
        address: u64,
        buffer: &mut [u8],
    ) -> Result<(), TrapKind> {
        if buffer.is_empty() {
            return Ok(());
        }
        let (region, offset) = self.readable(address, buffer.len() as u32)?;
        let start = offset as usize;
        buffer.copy_from_slice(&self.region(region)[start..start + buffer.len()]);
        for (at, piece, size) in pieces(buffer) {
            observer.read(Place::Memory { region, offset: offset + at, size }, number(piece));
        }
        Ok(())
    }

    /// Writes memory, as functions do.
    pub(super) fn write_bytes(
        &mut self,
        observer: &mut impl Observer,
        address: u64,
        bytes: &[u8],
    ) -> Result<(), TrapKind> {
        if bytes.is_empty() {
            return Ok(());
        }
        let (region, offset) = self.writable(address, bytes.len() as u32)?;
        self.overwrite(observer, region, offset, bytes);
        Ok(())
    }

    /// Writes bytes that are there, whether programs may or not.
    pub(super) fn overwrite(
        &mut self,
        observer: &mut impl Observer,
        region: Region,
        offset: u32,
        bytes: &[u8],
    ) {
        if region == Region::Context && self.context_due {
            self.fill_context();
        }
        for (at, piece, size) in pieces(bytes) {
            let before = self.number(region, offset + at, size);
            observer.wrote(Place::Memory { region, offset: offset + at, size }, before, number(piece));
        }
        let start = offset as usize;
        self.region_mut(region)[start..start + bytes.len()].copy_from_slice(bytes);
        if region == Region::Context {
            self.keep_context(start..start + bytes.len());
        }
    }

    /// Writes those of these bytes that change something.
    pub(super) fn rewrite(
        &mut self,
        observer: &mut impl Observer,
        region: Region,
        offset: u32,
        bytes: &[u8],
    ) {
        for (at, piece, _) in pieces(bytes) {
            let start = (offset + at) as usize;
            if self.region(region)[start..start + piece.len()] != *piece {
                self.overwrite(observer, region, offset + at, piece);
            }
        }
    }

    /// Tells the world that these bytes of the context have changed.
    fn keep_context(&mut self, changed: Range<usize>) {
        let mut at = changed.start;
        while at < changed.end {
            (self.environment.stored)(&mut self.world, &self.context, at);
            let field = self.environment.context.field_at(at);
            at = field.map_or(at + 1, |field| field.offset + field.size);
        }
    }

    /// The number in bytes that exist.
    fn number(&self, region: Region, offset: u32, size: Size) -> u64 {
        let start = offset as usize;
        number(&self.region(region)[start..start + size.bytes()])
    }

    pub(super) fn put_memory(&mut self, region: Region, offset: u32, size: Size, value: u64) {
        let start = offset as usize;
        let bytes = &value.to_le_bytes()[..size.bytes()];
        self.region_mut(region)[start..start + size.bytes()].copy_from_slice(bytes);
        if region == Region::Context {
            self.keep_context(start..start + size.bytes());
        }
    }
}

/// The little-endian number in up to 8 bytes.
pub(super) fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// Bytes in pieces of the sizes that a change can have, each with where it begins.
pub(super) fn pieces(bytes: &[u8]) -> impl Iterator<Item = (u32, &[u8], Size)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let left = bytes.len() - at;
        let size = [Size::DW, Size::W, Size::H, Size::B].into_iter().find(|size| size.bytes() <= left)?;
        let start = at;
        at += size.bytes();
        Some((start as u32, &bytes[start..at], size))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::{SOCKET_FILTER, World};
    use crate::interp::Machine;
    use crate::isa::{Insn, Reg};
    use crate::maps::{ARRAY, HASH, MapDef};
    use crate::program::Program;
    use std::rc::Rc;

    /// An address is whatever a program made it: behind the last value it is a trap, and takes no memory.
    #[test]
    fn a_table_has_no_memory_behind_its_values() {
        let load = Insn::Load { size: Size::B, signed: false, dst: Reg::R0, base: Reg::R1, offset: 0 };
        let maps = vec![MapDef::new("a", ARRAY, 4, 12, 3), MapDef::new("h", HASH, 4, 12, 3)];
        let program = Program::new(vec![load, Insn::Exit], Vec::new()).and_then(|bare| bare.with_maps(maps));
        let program = Rc::new(program.unwrap());
        let run = |map, offset| {
            let world = World::new(crate::context::skb::Skb::ethernet(Vec::new()));
            let mut machine = Machine::new(Rc::clone(&program), &SOCKET_FILTER, world);
            machine.registers[1] = Region::Values(map).address(offset);
            let trapped = machine.run(9).end.is_some_and(|end| end.is_err());
            (trapped, machine.region(Region::Values(map)).len())
        };
        assert_eq!(run(0, 43), (false, 44), "the last byte of the last value");
        for offset in [44, 48, 1 << 31, u32::MAX] {
            assert_eq!((run(0, offset), run(1, offset)), ((true, 0), (true, 0)), "{offset}");
        }
    }
}
