//! The tour: what each of its steps speaks of. What they say is in the second module, in `ui/tour.rs`.

use crate::state::{Dock, Tab};

/// How many steps there are.
pub const STEPS: usize = 8;

/// Where a phone shows what a step speaks of, and the pane below the machine, if it is one of those.
pub const PLACES: [(Tab, Option<Dock>); STEPS] = [
    (Tab::Source, None),
    (Tab::Program, None),
    (Tab::Program, None),
    (Tab::Machine, None),
    (Tab::Packet, Some(Dock::Packet)),
    (Tab::Packet, None),
    (Tab::Packet, Some(Dock::Proof)),
    (Tab::Program, None),
];
