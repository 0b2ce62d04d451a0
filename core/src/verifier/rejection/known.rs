//! What a refusal tells of a register: what it held, and since where.

use super::Places;
use crate::isa::Reg;
use crate::program::Slot;

/// What was known of a register on the path that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The register.
    pub reg: Reg,
    /// What it holds, in words; nothing if it holds nothing.
    pub what: Option<String>,
    /// Where it got that.
    pub source: Source,
}

/// Where a register got what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// At the program's start, or nowhere.
    Start,
    /// By the instruction at that slot.
    Set(Slot),
    /// By the call of a function at that slot.
    Call {
        /// The slot.
        slot: Slot,
        /// The function.
        name: &'static str,
    },
    /// Where the function that runs was entered, by the call at that slot.
    Entered(Slot),
    /// It held an address in the packet, until a call at that slot may have moved the packet.
    Moved {
        /// The slot.
        slot: Slot,
        /// The function.
        name: &'static str,
    },
    /// The call at that slot gave 0 on this path, instead of an address.
    Nothing {
        /// The slot.
        slot: Slot,
        /// The function.
        name: &'static str,
    },
    /// It held the address of a record, until a call at that slot handed the record back.
    HandedBack {
        /// The slot.
        slot: Slot,
        /// The function.
        name: &'static str,
    },
}

impl Known {
    /// What was known of the register, and since where.
    pub(super) fn tell(&self, place: Places<'_>) -> String {
        let Known { reg, what, source } = self;
        match (source, what) {
            (Source::Moved { slot, name }, _) => format!(
                "{reg} held an address in the packet, which `{name}` at {} may have moved: load it from the context again",
                place(*slot)
            ),
            (Source::HandedBack { slot, name }, _) => format!(
                "{reg} held the address of a record, which `{name}` at {} handed back: use it before that",
                place(*slot)
            ),
            (Source::Nothing { slot, name }, _) => format!(
                "`{name}` at {} gave 0 on this path, so {reg} is 0: go on with an address on the other side of the \
                 comparison",
                place(*slot)
            ),
            (Source::Start, None) => format!("nothing on the way here has written {reg}"),
            (Source::Call { slot, name }, None) if *reg == Reg::R0 => {
                format!("`{name}` at {} gives nothing in r0", place(*slot))
            }
            (Source::Call { slot, .. } | Source::Set(slot), None) => format!(
                "the call at {} leaves nothing in r1 to r5: keep what is needed in r6 to r9",
                place(*slot)
            ),
            (Source::Entered(slot), None) => format!(
                "the function is entered by the call at {}, with arguments in r1 to r5 at most",
                place(*slot)
            ),
            (Source::Start, Some(what)) => format!("{reg} is {what}, as at the start"),
            (Source::Set(slot), Some(what)) => format!("{reg}, set at {}, is {what}", place(*slot)),
            (Source::Call { slot, name }, Some(what)) => {
                format!("{reg}, from `{name}` at {}, is {what}", place(*slot))
            }
            (Source::Entered(slot), Some(what)) => {
                format!("{reg}, given by the call at {}, is {what}", place(*slot))
            }
        }
    }
}
