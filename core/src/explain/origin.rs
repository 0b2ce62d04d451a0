//! Where a value was read, so that it can be called by its name.

use super::context;
use super::moment::{Moment, Stepped};
use crate::isa::{Size, SwapKind};
use crate::machine::{Place, Read, Region};
use crate::meaning::{Meaning, Part};
use crate::packet::layers;

/// How many steps are looked back for the load that filled a register. What was loaded earlier is not named: that
/// keeps explaining a million steps in seconds.
pub(super) const LOOK_BACK: usize = 1000;

/// How an instruction made the value that it left in a place.
pub(super) enum Made {
    /// As it was in another place, or the lowest bytes of that.
    Copied(Place, Size),
    /// With these bytes of what was there swapped.
    Swapped(Place, SwapKind, Size),
    /// With some bits of what was there.
    Masked(Place),
    /// The step's last read; in network order or as the machine stores numbers.
    Read(Order),
    /// What the kernel knows about the packet, a number of so many bytes.
    Known(Meaning, Size),
    /// In some other way.
    Computed,
}

/// The order in which bytes were put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// The first byte is the highest.
    Network,
    /// The first byte is the lowest.
    Machine,
}

/// What a value was read from: a field, or part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    /// The field's name, where the sentence does not give it anyway.
    label: &'static str,
    meaning: Meaning,
    part: Part,
    /// Whether the number's bytes are in the other order than the field's.
    swapped: bool,
    /// Whether only some bits of it are left.
    masked: bool,
}

impl Origin {
    /// How many bytes the number has.
    pub(super) fn bytes(&self) -> usize {
        self.part.size
    }

    /// The number as the field has it; `None` for one that is too large to be from there.
    fn in_order(&self, value: u64) -> Option<u64> {
        let unused = 64 - 8 * self.part.size as u32;
        let fits = value << unused >> unused == value;
        fits.then(|| if self.swapped { value.swap_bytes() >> unused } else { value })
    }

    fn is_whole(&self) -> bool {
        self.part.size == self.part.of && self.meaning != Meaning::Payload
    }

    /// What a number would be called in this place: "IPv6", "port 22, ssh".
    pub(super) fn name(&self, value: u64) -> Option<String> {
        let value = self.in_order(value)?;
        if self.is_whole() { self.meaning.name(value) } else { self.meaning.part_name(self.part, value) }
    }

    /// What the value says: "source port 22, ssh".
    fn describe(&self, value: u64) -> Option<String> {
        let number = self.in_order(value)?;
        if self.masked || self.meaning == Meaning::Payload {
            return self.name(value);
        }
        if self.is_whole() {
            return self.meaning.describe(self.label, number);
        }
        let noun = self.meaning.noun(self.label);
        Some(match self.name(value) {
            Some(name) => format!("{noun} {name}"),
            None => format!("part of the {noun}"),
        })
    }

    /// The value with all its digits and what it says: "0x0800 (IPv4)".
    pub(super) fn text(&self, value: u64) -> Option<String> {
        self.with_digits(value, self.describe(value))
    }

    /// Bits of it that are asked for: "0x12 (SYN+ACK)".
    pub(super) fn mask(&self, value: u64) -> Option<String> {
        self.with_digits(value, self.name(value).filter(|_| self.meaning == Meaning::TcpFlags))
    }

    /// A number it is compared with, in the same form.
    pub(super) fn constant(&self, value: u64) -> Option<String> {
        // What a plain number is in decimal needs no brackets when it is one digit.
        let worth_saying = self.meaning != Meaning::Number || value > 9;
        self.with_digits(value, self.name(value).filter(|_| worth_saying))
    }

    fn with_digits(&self, value: u64, name: Option<String>) -> Option<String> {
        self.in_order(value)?;
        let digits = self.meaning.digits(self.part.size, value);
        Some(name.map_or_else(|| digits.clone(), |name| format!("{digits} ({name})")))
    }
}

impl<M: Stepped> Moment<'_, M> {
    /// Where the value that `place` holds before this step was read, as far as the recording tells.
    pub(super) fn origin(&self, place: Place) -> Option<Origin> {
        self.follow(place, self.step)
    }

    /// Where the value that this step left in `place` was read.
    pub(super) fn origin_after(&self, place: Place) -> Option<Origin> {
        self.follow(place, self.step + 1)
    }

    /// Where the value that `place` holds after `steps` steps was read: from step to step back to the one that wrote
    /// the place, as long as that only moved the value.
    fn follow(&self, mut place: Place, mut steps: usize) -> Option<Origin> {
        let session = self.session();
        let first = steps.saturating_sub(LOOK_BACK);
        let (mut kept, mut swaps, mut masked) = (Size::DW.bytes(), Vec::new(), false);
        loop {
            let writes =
                |step: &usize| session.changes(*step).iter().any(|change| touches(change.place, place));
            steps = (first..steps).rev().find(writes)?;
            // Where only some of the bytes were written, nobody wrote the value.
            session.changes(steps).iter().find(|change| change.place == place)?;
            let program = self.held(Place::Program, steps);
            match session.machine().made(program, session.pc_of(steps)?) {
                Made::Copied(from, size) => {
                    kept = kept.min(size.bytes());
                    place = from;
                }
                // On this machine it only cuts.
                Made::Swapped(from, SwapKind::ToLe, size) => {
                    kept = kept.min(size.bytes());
                    place = from;
                }
                Made::Swapped(from, SwapKind::ToBe | SwapKind::Always, size) => {
                    swaps.push(size.bytes());
                    place = from;
                }
                Made::Masked(from) => {
                    masked = true;
                    place = from;
                }
                Made::Read(order) => {
                    let read = session.reads(steps).last()?;
                    match read.place {
                        Place::Scratch(_) | Place::Memory { region: Region::Stack, .. } => place = read.place,
                        _ => {
                            let origin = self.origin_of(read, order)?;
                            return origin.after(kept, &swaps, masked);
                        }
                    }
                }
                Made::Known(meaning, size) => {
                    let part = Part { start: 0, size: size.bytes(), of: size.bytes() };
                    let origin = Origin { label: "", meaning, part, swapped: false, masked: false };
                    return origin.after(kept, &swaps, masked);
                }
                Made::Computed => return None,
            }
        }
    }

    /// What was read.
    pub(super) fn origin_of(&self, read: &Read, order: Order) -> Option<Origin> {
        let Place::Memory { region, offset, size } = read.place else { return None };
        let start = offset as usize;
        match region {
            Region::Packet => {
                let field = layers::field_at(self.layers(), start, size)?;
                Some(Origin {
                    label: field.label,
                    meaning: field.meaning,
                    part: field.part(start, size)?,
                    swapped: order == Order::Machine,
                    masked: false,
                })
            }
            Region::Context => {
                let machine = self.machine();
                let field = context::named(machine.context(), machine.context_bytes(), start, size)?;
                Some(Origin {
                    label: "",
                    meaning: field.meaning,
                    part: Part { start: 0, size: field.bytes, of: field.bytes },
                    swapped: field.order == Order::Network,
                    masked: false,
                })
            }
            Region::Stack
            | Region::Map(_)
            | Region::Values(_)
            | Region::Code
            | Region::Keys
            | Region::Headroom => None,
        }
    }
}

/// Whether writing one place changes what the other holds.
fn touches(written: Place, place: Place) -> bool {
    match (written, place) {
        (
            Place::Memory { region, offset, size },
            Place::Memory { region: other, offset: start, size: length },
        ) => {
            let (end, last) = (offset as usize + size.bytes(), start as usize + length.bytes());
            region == other && (offset as usize) < last && (start as usize) < end
        }
        _ => written == place,
    }
}

impl Origin {
    /// What is left of it after only `kept` bytes were copied, these swaps were made, and some bits were masked.
    fn after(self, kept: usize, swaps: &[usize], masked: bool) -> Option<Origin> {
        let whole = kept >= self.bytes() && swaps.iter().all(|&bytes| bytes == self.bytes());
        let swapped = self.swapped ^ (swaps.len() % 2 == 1);
        let means = !masked || self.meaning.survives_a_mask();
        (whole && means).then_some(Origin { swapped, masked, ..self })
    }
}
