//! Numbers that are the same number, or differ by a constant: what a comparison tells of one is known of all.
//!
//! Source: `assign_scalar_id_before_mov`, `collect_linked_regs`, `sync_linked_regs` of Linux 6.18.

use super::Verifier;
use super::state::{At, Link, Location, Register, State};
use crate::domain::Scalar;
use crate::isa::{AluOp, Reg, Width};

/// So many are followed at once; the others lose the link (`LINKED_REGS_MAX`).
const LINKED: usize = 6;

impl Verifier<'_> {
    /// Gives a number an identity before it is copied, so that the copy has it too.
    pub(super) fn identify(&mut self, location: Location) {
        let register = self.state.at_mut(location);
        if !register.is_scalar() {
            return;
        }
        if register.link.plus.is_some() {
            // Sums of sums are not followed.
            register.link = Link::default();
        }
        if register.link.id == 0 && register.value.as_constant().is_none() {
            self.ids += 1;
            self.state.at_mut(location).link.id = self.ids;
        }
    }

    /// Where numbers of these identities are; those that are too many lose theirs.
    pub(super) fn linked(&mut self, ids: impl IntoIterator<Item = u32>) -> Vec<Location> {
        let mut found = Vec::new();
        for id in ids {
            for number in (0..self.state.frames.len()).rev() {
                let frame = &self.state.frames[number];
                // What nobody reads any more needs to be told nothing.
                let live = self.graph.node(self.state.pc_of(number)).live;
                let registers =
                    Reg::ALL[..10].iter().filter(|&&reg| live.contains(reg)).map(|&reg| At::Register(reg));
                let slots = (0..frame.stack.len()).filter(|&slot| frame.stack[slot].is_spill());
                let places: Vec<At> = registers.chain(slots.map(|slot| At::Slot(slot as u8))).collect();
                for at in places {
                    let location = Location { frame: number as u8, at };
                    let register = self.state.at_mut(location);
                    if !register.is_scalar() || register.link.id != id {
                        continue;
                    }
                    if found.len() < LINKED {
                        found.push(location);
                    } else {
                        register.link = Link::default();
                    }
                }
            }
        }
        found
    }
}

/// Tells the numbers at `linked` what is known of the one at `known`. The log shows that when they are used.
pub(super) fn spread(state: &mut State, known: Location, linked: &[Location]) {
    let source = *state.at(known);
    for &location in linked {
        let register = state.at_mut(location);
        // Sums of different widths say nothing of each other.
        let apart = match (source.link.plus, register.link.plus) {
            (Some((a, _)), Some((b, _))) => a != b,
            _ => false,
        };
        if location == known || !register.is_scalar() || register.link.id != source.link.id || apart {
            continue;
        }
        *register = told_by(&source, register);
    }
}

/// A number as the other one of its identity makes it.
fn told_by(source: &Register, register: &Register) -> Register {
    let plus = |link: Link| link.plus.map_or(0, |(_, plus)| i64::from(plus));
    if plus(source.link) == plus(register.link) {
        return *source;
    }
    let difference = Scalar::constant((plus(register.link) - plus(source.link)) as u64);
    let cut = [source.link, register.link].iter().any(|link| matches!(link.plus, Some((Width::W32, _))));
    let width = if cut { Width::W32 } else { Width::W64 };
    Register { value: source.value.alu(width, AluOp::Add, difference), link: register.link, ..*source }
}

/// The identity after `register += by` or `register -= by`: kept if `by` is a constant that the link can tell.
pub(super) fn link_of_sum(register: &Register, width: Width, op: AluOp, by: &Register) -> Link {
    let sum = || {
        let by = by.value.as_constant_in(width)?;
        let plus = match width {
            Width::W64 => i32::try_from(by as i64).ok()?,
            // What is cut off must have been 0.
            Width::W32 if register.width() <= 32 => by as u32 as i32,
            Width::W32 => return None,
        };
        match op {
            AluOp::Add => Some(plus),
            AluOp::Sub => plus.checked_neg(),
            _ => None,
        }
    };
    match sum() {
        Some(plus) if register.link.id != 0 && register.link.plus.is_none() => {
            Link { plus: Some((width, plus)), ..register.link }
        }
        _ => Link::default(),
    }
}
