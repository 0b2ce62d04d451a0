//! The debugger's session, of whichever level is stepped.

use crate::condition::Condition;
use crate::later;
use crate::levels::{Level, Levels};
use bpf64_core::debugger::{End, Session};
use bpf64_core::environment::World;
use bpf64_core::isa::{Insn, Reg};
use bpf64_core::machine::{At, Change, Place, Read, Region};
use bpf64_core::maps::Table;
use bpf64_core::program::Pc;
use bpf64_core::{classic, explain, interp};
use std::cell::RefCell;
use std::rc::Rc;

/// Steps that are recorded at once, on each edit: a few milliseconds.
const AT_ONCE: usize = 30_000;
/// Steps that are recorded at a time of what is left: no frame is lost over it.
const AT_A_TIME: usize = 50_000;

/// Steps that are searched for what they wrote to the stack: it is done on every step that is made.
const SEARCHED: usize = 20_000;

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
    /// The register.
    pub place: Place,
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

    /// The instruction that comes next; `None` at the end, and in a program that was gone on to.
    #[must_use]
    pub fn pc(&self) -> Option<Pc> {
        self.pc_of(self.position())
    }

    /// The instruction of step `step`; `None` in a program that was gone on to.
    #[must_use]
    pub fn pc_of(&self, step: usize) -> Option<Pc> {
        self.at(step).filter(|at| at.program == 0).map(|at| at.pc)
    }

    /// The instruction of step `step`, and its program.
    #[must_use]
    pub fn at(&self, step: usize) -> Option<At> {
        either!(self, session => Some(At { program: session.program_of(step), pc: session.pc_of(step)? }))
    }

    /// The program that was gone on to, and the instruction in it that comes next.
    #[must_use]
    pub fn elsewhere(&self) -> Option<At> {
        self.at(self.position()).filter(|at| at.program > 0)
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

    /// How often each instruction of a program is executed in the whole run.
    #[must_use]
    pub fn hits(&self, program: u32) -> &[u32] {
        either!(self, session => session.hits(program))
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

    /// On to the next breakpoint or condition, or the end. False at the end.
    pub fn resume(&mut self, conditions: &[Condition]) -> bool {
        // Without the second module there are no conditions: it reads them.
        let later = later::there().filter(|_| !conditions.is_empty());
        let state = |condition| later.is_some_and(|later| (later.condition_state)(condition, self.tables()));
        let states = conditions.iter().map(state).collect();
        let states: RefCell<Vec<bool>> = RefCell::new(states);
        let holds = |last: (&[Read], &[Change]), tables: &[Table]| {
            let mut states = states.borrow_mut();
            let mut held = false;
            for (condition, state) in conditions.iter().zip(states.iter_mut()) {
                // All are asked: each notes what the step has changed.
                held |= later.is_some_and(|later| (later.condition_holds)(condition, last, tables, state));
            }
            held
        };
        match self {
            Player::Classic(session) => session.resume_until(|session| holds(session.last(), &[])),
            Player::Ebpf(session) => {
                session.resume_until(|session| holds(session.last(), &session.machine().world.tables))
            }
        }
    }

    /// The last step before this one that wrote to a place.
    #[must_use]
    pub fn maker(&self, place: Place) -> Option<usize> {
        either!(self, session => session.maker(place))
    }

    /// Where the calls that are under way go back to, the innermost last. They are read off the recording: a machine
    /// that is moved in one has registers and memory, but no callers.
    #[must_use]
    pub fn returns(&self) -> Vec<Pc> {
        let Player::Ebpf(session) = self else { return Vec::new() };
        // Each frame has a stack of its own below r10, which tells without a search whether there is any call.
        let top = session.machine().registers[Reg::R10.index()] as u32 as usize;
        if top <= interp::STACK_SIZE {
            return Vec::new();
        }
        let mut returns = Vec::new();
        for step in 0..session.position() {
            let Some(pc) = session.pc_of(step) else { break };
            let program = session.machine().numbered(session.program_of(step));
            let insn = program.and_then(|program| program.insns().get(pc.index()));
            // A function of the environment that calls back goes on elsewhere, too.
            let leaves = session.pc_of(step + 1).is_some_and(|next| next != pc.next());
            if leaves && matches!(insn, Some(Insn::Call(_))) {
                returns.push(pc.next());
            } else if matches!(insn, Some(Insn::Exit)) {
                returns.pop();
            }
        }
        returns
    }

    /// The lines printed so far, each with the step that printed it.
    #[must_use]
    pub fn printed(&self) -> &[(u32, String)] {
        either!(self, session => session.printed())
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
    pub fn registers(&self, link: u32) -> Vec<Register> {
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
                        meaning: said(value.into(), explain::classic_value(session, place, link)),
                        place,
                    })
                    .to_vec()
            }
            Player::Ebpf(session) => Reg::ALL
                .iter()
                .map(|&reg| {
                    let value = session.machine().registers[reg.index()];
                    let place = Place::Reg(reg);
                    let (kind, meaning) = meaning(value, || explain::ebpf_value(session, place, link));
                    let name = reg.to_string();
                    Register { id: name.clone(), name, value, changed: changed(place), kind, meaning, place }
                })
                .collect(),
        }
    }

    /// What an eBPF register holds; `None` for the classic machine.
    #[must_use]
    pub fn register(&self, reg: Reg) -> Option<u64> {
        match self {
            Player::Classic(_) => None,
            Player::Ebpf(session) => Some(session.machine().registers[reg.index()]),
        }
    }

    /// The lowest byte of the stack that the run has written so far; 8 bytes at a time, and all of what is there when
    /// nothing was written.
    #[must_use]
    pub fn stack_used(&self) -> usize {
        let written = |step: usize| {
            self.changes(step).iter().filter_map(|change| match change.place {
                Place::Memory { region: Region::Stack, offset, .. } => Some(offset as usize),
                _ => None,
            })
        };
        // Long runs write the same places again and again; what their beginning wrote is what there is to see.
        let steps = self.position().min(SEARCHED);
        (0..steps).flat_map(written).min().unwrap_or(usize::MAX)
    }

    /// The classic scratch cells with whether the last step changed them; none for eBPF.
    #[must_use]
    pub fn scratch(&self) -> Vec<(u32, bool)> {
        let Player::Classic(session) = self else { return Vec::new() };
        let (_, changes) = self.last();
        let changed = |cell: usize| changes.iter().any(|change| change.place == Place::Scratch(cell as u8));
        session.machine().scratch.iter().enumerate().map(|(cell, &value)| (value, changed(cell))).collect()
    }

    /// The program's tables as they are now; none for the classic machine, which has none.
    #[must_use]
    pub fn tables(&self) -> &[Table] {
        match self {
            Player::Classic(_) => &[],
            Player::Ebpf(session) => &session.machine().world.tables,
        }
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

/// What kind of value a register holds, and what it means; `told` is what the explanations call it.
fn meaning(value: u64, told: impl FnOnce() -> String) -> (&'static str, String) {
    let kind = match Region::of(value) {
        Some((Region::Context, 0)) => return ("ctx", "context".to_owned()),
        Some((Region::Stack, offset)) if offset as usize == interp::STACK_SIZE => {
            return ("stack", "frame pointer".to_owned());
        }
        Some((Region::Context, _)) => "ctx",
        Some((Region::Stack, _)) => "stack",
        Some((Region::Packet, _)) => "packet",
        Some((Region::Map(_), _)) => "map",
        Some((Region::Values(_), _)) => "map value",
        Some((Region::Code, _)) => "code",
        Some((Region::Keys, _)) => "map key",
        Some((Region::Headroom, _)) => "metadata",
        None => return ("scalar", said(value, told())),
    };
    (kind, told())
}

/// A number in decimal, and what the explanations call it where that says more.
fn said(value: u64, told: String) -> String {
    let signed = value as i64;
    let decimal = if signed < 0 && signed > -65_536 { signed.to_string() } else { value.to_string() };
    match told.split_once(" (").and_then(|(_, name)| name.strip_suffix(')')) {
        Some(name) => format!("{decimal}, {name}"),
        None => decimal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::levels::read;
    use bpf64_core::context::skb::Skb;

    #[test]
    fn calls_are_known_wherever_one_stands() {
        let source = "call f\nr0 += 1\nexit\nf: call g\nr0 += 2\nexit\ng: r0 = 4\nexit";
        let levels = read(source, None, None).unwrap();
        let mut player = Player::new(&levels, Level::Ebpf, World::new(Skb::ethernet(vec![0; 14])));
        let returns: Vec<Vec<u32>> = (0..=player.steps())
            .map(|position| {
                player.seek(position);
                player.returns().into_iter().map(|pc| pc.0).collect()
            })
            .collect();
        let [none, outer, both] = [vec![], vec![1], vec![1, 4]];
        let expected = [&none, &outer, &both, &both, &outer, &outer, &none, &none, &none];
        assert_eq!(returns.iter().collect::<Vec<_>>(), expected);
        player.seek(2);
        assert_eq!(player.returns().len(), 2, "also on the way back");
    }
}
