//! Loads and stores of the machine: an address names a region and an offset in it.

use super::Machine;
use crate::isa::{Size, eval};
use crate::machine::{Observer, Place, Region, TrapKind};

impl Machine {
    fn region(&self, region: Region) -> &[u8] {
        match region {
            Region::Context => &self.context,
            Region::Stack => &self.stack,
            Region::Packet => &self.world.skb.packet,
        }
    }

    fn region_mut(&mut self, region: Region) -> &mut [u8] {
        match region {
            Region::Context => &mut self.context,
            Region::Stack => &mut self.stack,
            Region::Packet => &mut self.world.skb.packet,
        }
    }

    /// The bytes an access means, if all of them exist.
    fn locate(&self, address: u64, size: Size) -> Option<(Region, u32)> {
        let (region, offset) = Region::of(address)?;
        let end = (offset as usize).checked_add(size.bytes())?;
        (end <= self.region(region).len()).then_some((region, offset))
    }

    /// The little-endian number at `address`.
    pub(super) fn load(
        &self,
        observer: &mut impl Observer,
        address: u64,
        size: Size,
    ) -> Result<u64, TrapKind> {
        let (region, offset) =
            self.locate(address, size).ok_or(TrapKind::Access { address, size, write: false })?;
        let value = self.number(region, offset, size);
        observer.read(Place::Memory { region, offset, size }, value);
        Ok(value)
    }

    pub(super) fn store(
        &mut self,
        observer: &mut impl Observer,
        address: u64,
        size: Size,
        value: u64,
    ) -> Result<(), TrapKind> {
        let (region, offset) =
            self.locate(address, size).ok_or(TrapKind::Access { address, size, write: true })?;
        let writable = match region {
            Region::Stack => true,
            Region::Context => self.environment.context.writable(offset as usize, size.bytes()),
            Region::Packet => self.environment.packet_writable,
        };
        if !writable {
            return Err(TrapKind::ReadOnly { address });
        }
        let before = self.number(region, offset, size);
        self.put_memory(region, offset, size, value);
        observer.wrote(Place::Memory { region, offset, size }, before, eval::truncate(size, value));
        Ok(())
    }

    /// The number in bytes that exist.
    fn number(&self, region: Region, offset: u32, size: Size) -> u64 {
        let start = offset as usize;
        let mut bytes = [0; 8];
        bytes[..size.bytes()].copy_from_slice(&self.region(region)[start..start + size.bytes()]);
        u64::from_le_bytes(bytes)
    }

    pub(super) fn put_memory(&mut self, region: Region, offset: u32, size: Size, value: u64) {
        let start = offset as usize;
        let bytes = &value.to_le_bytes()[..size.bytes()];
        self.region_mut(region)[start..start + size.bytes()].copy_from_slice(bytes);
    }
}
