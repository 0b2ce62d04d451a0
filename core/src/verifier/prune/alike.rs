//! Whether everything that goes well from one state goes well from another.
//!
//! Source: `states_equal`, `regsafe`, `stacksafe` of Linux 6.18.

use crate::cfg::Graph;
use crate::isa::{Reg, Width};
use crate::program::Pc;
use crate::verifier::Verifier;
use crate::verifier::state::{Byte, Frame, Kind, Link, Range, Register, SLOT, Slot, State};

/// How alike states must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alike {
    /// The same but for names.
    Exactly,
    /// No number is outside the range it was in, and nothing was written where nothing was.
    Within,
    /// No number that decides something is outside the range it was in.
    Enough,
}

/// Which identity of the current state stands for which of the old one.
#[derive(Debug)]
pub(in crate::verifier) struct Identities {
    pairs: Vec<(u32, u32)>,
    /// Numbers without an identity get one of their own.
    fresh: u32,
}

impl Identities {
    /// None is known yet; numbers without one get those behind `last`.
    pub(in crate::verifier) const fn new(last: u32) -> Self {
        Identities { pairs: Vec::new(), fresh: last }
    }

    fn same(&mut self, old: u32, new: u32) -> bool {
        if (old == 0) != (new == 0) {
            return false;
        }
        if old == 0 {
            return true;
        }
        for &(old_known, new_known) in &self.pairs {
            if old_known == old {
                return new_known == new;
            }
            if new_known == new {
                return false;
            }
        }
        self.pairs.push((old, new));
        true
    }

    /// A number that was by itself may be tied to others now; numbers that were the same, or as far apart, must be so
    /// still.
    fn same_numbers(&mut self, old: Link, new: Link) -> bool {
        if old.id == 0 {
            return true;
        }
        if new.id == 0 {
            self.fresh += 1;
        }
        old.plus == new.plus && self.same(old.id, if new.id == 0 { self.fresh } else { new.id })
    }
}

/// The identity as Linux keeps it: that something was added is a part of it.
fn raw(link: Link) -> u32 {
    link.id
        | match link.plus {
            Some((Width::W64, _)) => 1 << 31,
            Some((Width::W32, _)) => 1 << 30,
            None => 0,
        }
}

impl Verifier<'_> {
    /// Whether everything that goes well from `old` goes well from the current state (`states_equal`).
    pub(super) fn equal(&self, old: &State, alike: Alike) -> bool {
        if old.frames.len() != self.state.frames.len() {
            return false;
        }
        let mut identities = Identities::new(self.ids);
        // What is held now must be what was held then (`refsafe`).
        let (held, held_now) = (&old.references, &self.state.references);
        if held.len() != held_now.len()
            || !held.iter().zip(held_now).all(|(old, new)| identities.same(old.id, new.id))
        {
            return false;
        }
        old.frames.iter().zip(&self.state.frames).enumerate().all(|(number, (a, b))| {
            a.callsite == b.callsite
                && a.callbacks <= b.callbacks
                && frames_equal(self.graph, old.pc_of(number), [a, b], alike, &mut identities)
        })
    }
}

/// Whether it is worth a closer look (`states_maybe_looping`): no register of the innermost frame differs.
pub(super) fn looks_like(old: &State, new: &State) -> bool {
    let plain = |register: &Register| Register { precise: false, ..*register };
    old.frames.len() == new.frames.len()
        && old.frame().registers.iter().zip(&new.frame().registers).all(|(a, b)| plain(a) == plain(b))
}

fn frames_equal(
    graph: &Graph,
    pc: Pc,
    [old, new]: [&Frame; 2],
    alike: Alike,
    identities: &mut Identities,
) -> bool {
    let live = graph.node(pc).live;
    Reg::ALL
        .iter()
        .filter(|&&reg| live.contains(reg))
        .all(|&reg| registers_equal(old.get(reg), new.get(reg), alike, identities))
        && stacks_equal(&old.stack, &new.stack, alike, identities)
}

pub(in crate::verifier) fn exactly(old: &Register, new: &Register, identities: &mut Identities) -> bool {
    old.kind == new.kind
        && old.offset == new.offset
        && old.range == new.range
        && old.link.plus == new.link.plus
        && old.value == new.value
        && identities.same(raw(old.link), raw(new.link))
        && identities.same(old.reference, new.reference)
}

fn registers_equal(old: &Register, new: &Register, alike: Alike, identities: &mut Identities) -> bool {
    if alike == Alike::Exactly {
        return exactly(old, new, identities);
    }
    match old.kind {
        Kind::Unset => alike == Alike::Enough || new.kind == Kind::Unset,
        _ if old.kind != new.kind => false,
        Kind::Scalar => {
            !old.precise && alike == Alike::Enough
                || identities.same_numbers(old.link, new.link) && old.value.includes(new.value)
        }
        Kind::Packet | Kind::PacketMeta => {
            let there = match (old.range, new.range) {
                (Range::Bytes(old), Range::Bytes(new)) => old <= new,
                // What is decided of a pointer at the end or behind it is decided the other way before it.
                (old, new) => old == new,
            };
            there
                && old.offset == new.offset
                && identities.same(raw(old.link), raw(new.link))
                && old.value.includes(new.value)
        }
        Kind::Value(_) | Kind::ValueOrNull(_) | Kind::Key(_) | Kind::Record(_) | Kind::RecordOrNull(_) => {
            old.offset == new.offset
                && old.value.includes(new.value)
                && identities.same(raw(old.link), raw(new.link))
                && identities.same(old.reference, new.reference)
        }
        Kind::Context | Kind::Stack(_) | Kind::PacketEnd | Kind::Map(_) | Kind::Code(_) => {
            exactly(old, new, identities)
        }
    }
}

fn stacks_equal(old: &[Slot], new: &[Slot], alike: Alike, identities: &mut Identities) -> bool {
    old.iter().enumerate().all(|(at, old)| slots_equal(old, new.get(at), alike, identities))
}

fn slots_equal(old: &Slot, new: Option<&Slot>, alike: Alike, identities: &mut Identities) -> bool {
    if alike != Alike::Enough && new.is_none_or(|new| new.bytes != old.bytes) {
        return false;
    }
    for byte in 0..SLOT {
        // What was read as any number may be anything; what was never written, too.
        if matches!(old.bytes[byte], Byte::Invalid | Byte::Misc) {
            continue;
        }
        let Some(new) = new else { return false };
        if let (Some(a), Some(b)) = (as_number(old), as_number(new)) {
            return registers_equal(&a, &b, alike, identities);
        }
        if old.bytes[byte] != new.bytes[byte] {
            return false;
        }
        if byte == SLOT - 1 && old.bytes[byte] == Byte::Spill {
            return registers_equal(&old.spilled, &new.spilled, alike, identities);
        }
    }
    true
}

/// What a load of the whole slot would give, if that is a number.
fn as_number(slot: &Slot) -> Option<Register> {
    if slot.is_whole_scalar() {
        return Some(slot.spilled);
    }
    let misc = slot.bytes.iter().all(|byte| matches!(byte, Byte::Misc | Byte::Invalid));
    misc.then(Register::unknown)
}
