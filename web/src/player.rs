//! The debugger's session, of whichever level is stepped.

use crate::levels::{Level, Levels};
use bpf64_core::debugger::{End, Session};
use bpf64_core::environment::World;
use bpf64_core::machine::{AddressText, Change, Place, Read, Region};
use bpf64_core::program::Pc;
use bpf64_core::{classic, explain, interp};
use std::rc::Rc;

/// Steps that are recorded at once, on each edit: a few milliseconds.
const AT_ONCE: usize = 30_000;
/// Steps that are recorded at a time of what is left: no frame is lost over it.
const AT_A_TIME: usize = 50_000;

/// A session of either machine.
#[derive(Debug, Clone)]
pub enum Player {
    /// The classic machine.
    Classic(Session<classic::interp::Machine>),
    /// The eBPF machine.
    Ebpf(Session<interp::Machine>),
}

/// The same expression for either session.
macro_rules! either {
    ($player:expr, $session:ident => $body:expr) => {
        match $player {
            Player::Classic($session) => $body,
            Player::Ebpf($session) => $body,
        }
    };
}

/// A register as the page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    /// What `data-testid` ends in: `r0`, `a`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: u64,
    /// Whether the last step changed it.
    pub changed: bool,
    /// What kind of value it is, as `data-kind` says it.
    pub kind: &'static str,
    /// What it means: "packet + 14", "2048".
    pub meaning: String,
}

impl Player {
    /// Records a run of the program's `level` in `world`, and stands at its start. A source that is eBPF has no
    /// classic level and is stepped as eBPF.
    #[must_use]
    pub fn new(levels: &Levels, level: Level, world: World) -> Self {
        match (level, &levels.classic) {
            (Level::Classic, Some(program)) => {
                let machine = classic::interp::Machine::new(Rc::clone(program), world);
                Player::Classic(Session::new(machine, AT_ONCE))
            }
            _ => {
                let machine =
                    interp::Machine::new(Rc::clone(&levels.ebpf), levels.program_type.clone(), world);
                Player::Ebpf(Session::new(machine, AT_ONCE))
            }
        }
    }

    /// The level that is stepped.
    #[must_use]
    pub fn level(&self) -> Level {
        match self {
            Player::Classic(_) => Level::Classic,
            Player::Ebpf(_) => Level::Ebpf,
        }
    }

    /// Steps made.
    #[must_use]
    pub fn position(&self) -> usize {
        either!(self, session => session.position())
    }

    /// Steps of the whole run.
    #[must_use]
    pub fn steps(&self) -> usize {
        either!(self, session => session.steps())
    }

    /// How the run ends.
    #[must_use]
    pub fn end(&self) -> End {
        either!(self, session => session.end())
    }

    /// The instruction that comes next; `None` at the end.
    #[must_use]
    pub fn pc(&self) -> Option<Pc> {
        either!(self, session => session.pc())
    }

    /// The instruction of step `step`.
    #[must_use]
    pub fn pc_of(&self, step: usize) -> Option<Pc> {
        either!(self, session => session.pc_of(step))
    }

    /// What step `step` read from memory.
    #[must_use]
    pub fn reads(&self, step: usize) -> &[Read] {
        either!(self, session => session.reads(step))
    }

    /// What step `step` wrote.
    #[must_use]
    pub fn changes(&self, step: usize) -> &[Change] {
        either!(self, session => session.changes(step))
    }

    /// What step `step` does, over a packet of this link type, with the values it finds.
    #[must_use]
    pub fn explain(&self, step: usize, link: u32) -> Option<String> {
        match self {
            Player::Classic(session) => explain::classic_step(session, step, link),
            Player::Ebpf(session) => explain::ebpf_step(session, step, link),
        }
    }

    /// What the step that led here read and wrote.
    #[must_use]
    pub fn last(&self) -> (&[Read], &[Change]) {
        either!(self, session => session.last())
    }

    /// How often each instruction is executed in the whole run.
    #[must_use]
    pub fn hits(&self) -> &[u32] {
        either!(self, session => session.hits())
    }

    /// The packet as it is now.
    #[must_use]
    pub fn packet(&self) -> &[u8] {
        match self {
            Player::Classic(session) => &session.machine().world.skb.packet,
            Player::Ebpf(session) => &session.machine().skb().packet,
        }
    }

    /// Records some more of a run that is longer.
    pub fn record(&mut self) {
        either!(self, session => { session.record(AT_A_TIME); });
    }

    /// Whether there is more to record.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        either!(self, session => session.goes_on())
    }

    /// Records no more.
    pub fn stop(&mut self) {
        either!(self, session => session.stop());
    }

    /// One step forward.
    pub fn step(&mut self) {
        either!(self, session => { session.step(); });
    }

    /// One step back.
    pub fn back(&mut self) {
        either!(self, session => { session.back(); });
    }

    /// On to the next breakpoint, or the end.
    pub fn resume(&mut self) {
        either!(self, session => session.resume());
    }

    /// To where `position` steps have been made, or the end.
    pub fn seek(&mut self, position: usize) {
        either!(self, session => session.seek(position));
    }

    /// Replaces the breakpoints.
    pub fn set_breakpoints(&mut self, breakpoints: &[Pc]) {
        either!(self, session => session.set_breakpoints(breakpoints.iter().copied()));
    }

    /// The registers, in order. Those of the eBPF machine that the whole run never touches are left out by
    /// `used` of the caller, not here.
    #[must_use]
    pub fn registers(&self) -> Vec<Register> {
        let (_, changes) = self.last();
        let changed = |place: Place| {
            changes.iter().any(|change| change.place == place && change.before != change.after)
        };
        match self {
            Player::Classic(session) => {
                let machine = session.machine();
                [("a", Place::A, machine.a), ("x", Place::X, machine.x)]
                    .map(|(id, place, value)| Register {
                        id: id.to_owned(),
                        name: id.to_ascii_uppercase(),
                        value: value.into(),
                        changed: changed(place),
                        kind: "scalar",
                        meaning: number(value.into()),
                    })
                    .to_vec()
            }
            Player::Ebpf(session) => bpf64_core::isa::Reg::ALL
                .iter()
                .map(|&reg| {
                    let value = session.machine().registers[reg.index()];
                    let (kind, meaning) = meaning(value);
                    let name = reg.to_string();
                    Register {
                        id: name.clone(),
                        name,
                        value,
                        changed: changed(Place::Reg(reg)),
                        kind,
                        meaning,
                    }
                })
                .collect(),
        }
    }

    /// What an eBPF register holds; `None` for the classic machine.
    #[must_use]
    pub fn register(&self, reg: bpf64_core::isa::Reg) -> Option<u64> {
        match self {
            Player::Classic(_) => None,
            Player::Ebpf(session) => Some(session.machine().registers[reg.index()]),
        }
    }

    /// The classic scratch cells with whether the last step changed them; none for eBPF.
    #[must_use]
    pub fn scratch(&self) -> Vec<(u32, bool)> {
        let Player::Classic(session) = self else { return Vec::new() };
        let (_, changes) = self.last();
        let changed = |cell: usize| changes.iter().any(|change| change.place == Place::Scratch(cell as u8));
        session.machine().scratch.iter().enumerate().map(|(cell, &value)| (value, changed(cell))).collect()
    }

    /// The bytes of a region, as far as the level has it.
    #[must_use]
    pub fn region(&self, region: Region) -> &[u8] {
        match (self, region) {
            (_, Region::Packet) => self.packet(),
            (Player::Ebpf(session), region) => session.machine().region(region),
            (Player::Classic(_), _) => &[],
        }
    }
}

/// What kind of value a register holds, and what it means.
fn meaning(value: u64) -> (&'static str, String) {
    match Region::of(value) {
        Some((Region::Context, 0)) => ("ctx", "context".to_owned()),
        Some((Region::Stack, offset)) if offset as usize == interp::STACK_SIZE => {
            ("stack", "frame pointer".to_owned())
        }
        Some((region, _)) => {
            let kind = match region {
                Region::Context => "ctx",
                Region::Stack => "stack",
                Region::Packet => "packet",
                Region::Map(_) => "map",
                Region::Values(_) => "map value",
                Region::Code => "code",
                Region::Keys => "map key",
                Region::Headroom => "metadata",
            };
            (kind, AddressText(value).to_string())
        }
        None => ("scalar", number(value)),
    }
}

/// A number in decimal; nothing where that says no more than the hexadecimal digits do.
fn number(value: u64) -> String {
    let signed = value as i64;
    if signed < 0 && signed > -65_536 { signed.to_string() } else { value.to_string() }
}
