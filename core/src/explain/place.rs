//! Memory by name, and what was found there.

use super::context;
use super::moment::{Moment, Stepped};
use super::number::{self, the_bytes};
use super::origin::Order;
use crate::count::Count;
use crate::isa::{Size, doc};
use crate::machine::{Place, Region};

impl<M: Stepped> Moment<'_, M> {
    /// "the 2 bytes at packet + 12", "skb->len".
    pub(super) fn memory(&self, region: Region, offset: u32, size: Size) -> String {
        match region {
            Region::Context => context::place(self.machine().context(), offset as usize, size),
            Region::Packet => format!("{} at packet + {offset}", the_bytes(size)),
            Region::Stack
            | Region::Map(_)
            | Region::Values(_)
            | Region::Code
            | Region::Keys
            | Region::Headroom => {
                format!("{} at {}", the_bytes(size), self.address_or_number(region.address(offset)))
            }
        }
    }

    /// What a load read and what it left in `into`: "the 2 bytes at packet + 12, big endian: 0x0800 (IPv4)". `note`
    /// stands behind the place.
    pub(super) fn loaded(&self, into: Place, order: Order, note: &str) -> String {
        let value = self.after(into);
        let named = self.origin_after(into).and_then(|origin| origin.text(value));
        let number = named.clone().unwrap_or_else(|| self.number(value));
        let Some(read) = self.reads().last() else { return number };
        let Place::Memory { region, offset, size } = read.place else { return number };
        let memory = self.memory(region, offset, size);
        // Plain memory has no order that matters, nor digits that are worth more than the number.
        if region != Region::Packet || self.layers().is_empty() {
            return format!("{memory}{note}: {number}");
        }
        let order = match order {
            _ if size == Size::B => "",
            Order::Network => ", big endian",
            Order::Machine => ", little endian",
        };
        // A signed number is not the bytes' own.
        let bytes = (named.is_none() && value == read.value).then(|| raw(size, value));
        format!("{memory}{note}{order}: {}", bytes.unwrap_or(number))
    }
}

/// Bytes without a name: all digits, and in decimal.
fn raw(size: Size, value: u64) -> String {
    let digits = number::digits(size.bytes(), value);
    if value < 10 { digits } else { format!("{digits} ({value})") }
}

/// How a packet load counts its offset, where that is more than a constant: " (X + 14)", " (the network header + 12)".
pub(super) fn offset_note(base: Option<&str>, constant: i32) -> String {
    match base {
        Some(base) => format!(" ({})", doc::plus(base, constant)),
        None if constant < 0 => format!(" ({})", doc::packet(None, constant)),
        None => String::new(),
    }
}

/// A packet load at `offset` that ends the program.
pub(super) fn outside_packet(
    size: Size,
    base: Option<&str>,
    offset: i32,
    constant: i32,
    length: usize,
) -> String {
    let lie = if size == Size::B { "lies" } else { "lie" };
    let place = doc::packet(None, offset);
    let note = if base.is_some() { offset_note(base, constant) } else { String::new() };
    let bytes = Count(length, "byte");
    format!(
        "{} at {place}{note} {lie} outside the packet, which has {bytes}: ends the program",
        the_bytes(size)
    )
}
