//! A session: a whole run recorded, and a machine that stands anywhere in it.
//!
//! The program is executed once, from start to end, and every step's reads and writes are kept. From then on
//! moving never executes: forward puts in what a step wrote, back puts in what was there before. So stepping
//! back is exact, whatever the program called. A long run can be recorded piece by piece, while somebody looks at
//! its beginning.

use crate::machine::{Change, Ending, Flow, Machine, Observer, Place, Read, Trap};
use crate::program::Pc;
use crate::sort;
use std::rc::Rc;

/// The most steps that are recorded: some 70 bytes each, so less than 100 MB.
pub const MAX_STEPS: usize = 1_000_000;

/// The most printed lines that are kept of a run.
pub const MAX_LINES: usize = 10_000;

/// How a recorded run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With this value.
    Value(u64, Ending),
    /// With a trap.
    Trap(Trap),
    /// It did not: after this many steps the recording stops.
    Limit(usize),
}

/// Steps that are kept together: a recording that goes on adds pieces, and those that are there never move.
const PIECE: usize = 16_384;

/// Every step of a run so far, in the order of execution.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Recording {
    /// All are full but the last.
    pieces: Vec<Rc<Piece>>,
    /// Printed lines, each with the step that printed it.
    lines: Rc<Vec<(u32, String)>>,
    /// How often each instruction of each program was executed, by their numbers.
    hits: Vec<Vec<u32>>,
    end: End,
    /// Where the machine stands at the end, and in which program.
    last: (Pc, u32),
}

/// Up to [`PIECE`] steps and what they read and wrote.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Piece {
    steps: Vec<Step>,
    reads: Vec<Read>,
    changes: Vec<Change>,
}

/// A step: its instruction, and where in its piece's lists its reads and changes end. They begin where the step before
/// ends, so that a step costs no allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    pc: Pc,
    /// The number of its program.
    program: u32,
    reads_end: u32,
    changes_end: u32,
}

/// Collects what the running machine does.
struct Log<'a> {
    piece: &'a mut Piece,
    lines: &'a mut Vec<(u32, String)>,
    step: u32,
}

impl Observer for Log<'_> {
    fn read(&mut self, place: Place, value: u64) {
        self.piece.reads.push(Read { place, value });
    }

    fn wrote(&mut self, place: Place, before: u64, after: u64) {
        self.piece.changes.push(Change { place, before, after });
    }

    fn printed(&mut self, line: &str) {
        if self.lines.len() < MAX_LINES {
            self.lines.push((self.step, line.to_owned()));
        }
    }
}

impl Recording {
    fn new(pc: Pc) -> Self {
        Recording {
            pieces: Vec::new(),
            lines: Rc::default(),
            hits: Vec::new(),
            end: End::Limit(0),
            last: (pc, 0),
        }
    }

    fn len(&self) -> usize {
        self.pieces.last().map_or(0, |last| (self.pieces.len() - 1) * PIECE + last.steps.len())
    }

    /// Goes on until the run ends or `limit` steps are recorded in all.
    fn go_on(&mut self, machine: &mut impl Machine, limit: usize) {
        let mut steps = self.len();
        let lines = Rc::make_mut(&mut self.lines);
        self.end = loop {
            if steps >= limit {
                break End::Limit(steps);
            }
            if steps.is_multiple_of(PIECE) {
                self.pieces.push(Rc::default());
            }
            let piece = Rc::make_mut(self.pieces.last_mut().expect("one was pushed before the first step"));
            let (pc, program) = (machine.pc(), machine.running());
            let before = (piece.reads.len(), piece.changes.len());
            match machine.step(&mut Log { piece: &mut *piece, lines, step: steps as u32 }) {
                Err(trap) => {
                    // What a trapping step had read belongs to no step.
                    piece.reads.truncate(before.0);
                    piece.changes.truncate(before.1);
                    break End::Trap(trap);
                }
                Ok(flow) => {
                    let (reads_end, changes_end) = (piece.reads.len() as u32, piece.changes.len() as u32);
                    piece.steps.push(Step { pc, program, reads_end, changes_end });
                    steps += 1;
                    let program = program as usize;
                    if self.hits.len() <= program {
                        self.hits.resize_with(program + 1, Vec::new);
                    }
                    let hits = &mut self.hits[program];
                    if hits.len() <= pc.index() {
                        hits.resize(pc.index() + 1, 0);
                    }
                    hits[pc.index()] += 1;
                    if let Flow::End(value, ending) = flow {
                        break End::Value(value, ending);
                    }
                }
            }
        };
        self.last = (machine.pc(), machine.running());
    }

    fn step(&self, step: usize) -> Option<&Step> {
        self.pieces.get(step / PIECE)?.steps.get(step % PIECE)
    }

    /// The piece that has a step, and where the lists of the step begin and the step itself.
    fn place(&self, step: usize) -> Option<(&Piece, (u32, u32), &Step)> {
        let piece = self.pieces.get(step / PIECE)?;
        let this = piece.steps.get(step % PIECE)?;
        let before = (step % PIECE).checked_sub(1).and_then(|before| piece.steps.get(before));
        Some((piece, before.map_or((0, 0), |before| (before.reads_end, before.changes_end)), this))
    }

    fn reads(&self, step: usize) -> &[Read] {
        let Some((piece, start, this)) = self.place(step) else { return &[] };
        &piece.reads[start.0 as usize..this.reads_end as usize]
    }

    fn changes(&self, step: usize) -> &[Change] {
        let Some((piece, start, this)) = self.place(step) else { return &[] };
        &piece.changes[start.1 as usize..this.changes_end as usize]
    }
}

/// A recorded run and a machine somewhere in it. Cloning copies the machine, not the recording.
#[derive(Debug, Clone)]
pub struct Session<M> {
    recording: Rc<Recording>,
    /// The machine at the end of the recording, as long as the run may go on.
    running: Option<Rc<M>>,
    machine: M,
    position: usize,
    /// In ascending order, each once.
    breakpoints: Vec<Pc>,
}

impl<M: Machine> Session<M> {
    /// Runs `machine` to its end, or for `limit` steps, and stands at the start. At most [`MAX_STEPS`] are
    /// recorded.
    #[must_use]
    pub fn new(machine: M, limit: usize) -> Self {
        let recording = Rc::new(Recording::new(machine.pc()));
        let running = Some(Rc::new(machine.clone()));
        let mut session = Session { recording, running, machine, position: 0, breakpoints: Vec::new() };
        session.record(limit);
        session
    }

    /// Goes on recording, for up to `more` steps, where the recording stopped at its limit. Whether it could still go
    /// on then: the run has not ended, and fewer than [`MAX_STEPS`] are recorded.
    pub fn record(&mut self, more: usize) -> bool {
        let limit = self.steps().saturating_add(more).min(MAX_STEPS);
        if let Some(running) = self.running.take() {
            let mut running = Rc::unwrap_or_clone(running);
            let recording = Rc::make_mut(&mut self.recording);
            recording.go_on(&mut running, limit);
            if matches!(recording.end, End::Limit(steps) if steps < MAX_STEPS) {
                self.running = Some(Rc::new(running));
            }
        }
        self.running.is_some()
    }

    /// Records no more, whatever is asked.
    pub fn stop(&mut self) {
        self.running = None;
    }

    /// Whether [`Session::record`] would record more.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        self.running.is_some()
    }

    /// The machine as it is after [`Session::position`] steps.
    #[must_use]
    pub fn machine(&self) -> &M {
        &self.machine
    }

    /// How many steps have been made: 0 at the start, [`Session::steps`] at the end.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// How many steps the run has.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.recording.len()
    }

    /// How the run ends.
    #[must_use]
    pub fn end(&self) -> End {
        self.recording.end
    }

    /// The instruction of step `step`, counted from 0; for the step after the last, the one that trapped,
    /// if one did.
    #[must_use]
    pub fn pc_of(&self, step: usize) -> Option<Pc> {
        match self.recording.step(step) {
            Some(step) => Some(step.pc),
            None => match self.recording.end {
                End::Trap(trap) if step == self.steps() => Some(trap.pc),
                End::Trap(_) | End::Value(..) | End::Limit(_) => None,
            },
        }
    }

    /// The number of the program that step `step` belongs to, as [`Place::Program`] has it; behind the last step, of the
    /// one that the machine is in.
    #[must_use]
    pub fn program_of(&self, step: usize) -> u32 {
        self.recording.step(step).map_or(self.recording.last.1, |step| step.program)
    }

    /// The instruction that the next step executes; `None` at the end of the run.
    #[must_use]
    pub fn pc(&self) -> Option<Pc> {
        self.pc_of(self.position)
    }

    /// What step `step` read from memory, in order; empty when there is no such step.
    #[must_use]
    pub fn reads(&self, step: usize) -> &[Read] {
        self.recording.reads(step)
    }

    /// What step `step` wrote, in order; empty when there is no such step.
    #[must_use]
    pub fn changes(&self, step: usize) -> &[Change] {
        self.recording.changes(step)
    }

    /// What the step that led here read and wrote; empty at the start.
    #[must_use]
    pub fn last(&self) -> (&[Read], &[Change]) {
        match self.position.checked_sub(1) {
            Some(step) => (self.reads(step), self.changes(step)),
            None => (&[], &[]),
        }
    }

    /// The lines printed so far, each with the step that printed it.
    #[must_use]
    pub fn printed(&self) -> &[(u32, String)] {
        let lines = &self.recording.lines;
        &lines[..lines.partition_point(|(step, _)| (*step as usize) < self.position)]
    }

    /// How often the run, as far as it is recorded, executes each instruction of a program, by number; behind the last that
    /// it executes there is nothing.
    #[must_use]
    pub fn hits(&self, program: u32) -> &[u32] {
        self.recording.hits.get(program as usize).map_or(&[], Vec::as_slice)
    }

    /// One step forward. False at the end.
    pub fn step(&mut self) -> bool {
        let forward = self.position < self.steps();
        if forward {
            let recording = Rc::clone(&self.recording);
            for change in recording.changes(self.position) {
                self.machine.put(change.place, change.after);
            }
            self.position += 1;
            self.place_pc();
        }
        forward
    }

    /// One step back. False at the start.
    pub fn back(&mut self) -> bool {
        let back = self.position > 0;
        if back {
            self.position -= 1;
            let recording = Rc::clone(&self.recording);
            for change in recording.changes(self.position).iter().rev() {
                self.machine.put(change.place, change.before);
            }
            self.place_pc();
        }
        back
    }

    /// Goes to where `position` steps have been made, or to the end.
    pub fn seek(&mut self, position: usize) {
        while self.position > position && self.back() {}
        while self.position < position && self.step() {}
    }

    /// Runs on to the next breakpoint, at least one step, or to the end.
    pub fn resume(&mut self) {
        while self.step() && !self.stops_here() {}
    }

    /// Runs on to the next breakpoint or to where `stop` holds, at least one step, or to the end. False at the end.
    pub fn resume_until(&mut self, stop: impl Fn(&Self) -> bool) -> bool {
        while self.step() {
            if self.stops_here() || stop(self) {
                return true;
            }
        }
        false
    }

    /// The last step before where this stands that wrote to a place or to bytes of it.
    #[must_use]
    pub fn maker(&self, place: Place) -> Option<usize> {
        let made = |step: &usize| self.changes(*step).iter().any(|change| change.place.overlaps(place));
        (0..self.position).rev().find(made)
    }

    /// Runs back to the breakpoint before, at least one step, or to the start.
    pub fn resume_back(&mut self) {
        while self.back() && !self.stops_here() {}
    }

    /// Where `resume` stops, in ascending order: instructions of the program that the run begins with.
    #[must_use]
    pub fn breakpoints(&self) -> &[Pc] {
        &self.breakpoints
    }

    /// Sets a breakpoint, or takes it away if it is there.
    pub fn toggle_breakpoint(&mut self, pc: Pc) {
        match self.breakpoints.binary_search(&pc) {
            Ok(at) => {
                self.breakpoints.remove(at);
            }
            Err(at) => self.breakpoints.insert(at, pc),
        }
    }

    /// Replaces all breakpoints.
    pub fn set_breakpoints(&mut self, breakpoints: impl IntoIterator<Item = Pc>) {
        self.breakpoints = breakpoints.into_iter().collect();
        sort::by_key(&mut self.breakpoints, |pc| pc.0.into());
        self.breakpoints.dedup();
    }

    fn stops_here(&self) -> bool {
        let at = self.pc().filter(|_| self.program_of(self.position) == 0);
        at.is_some_and(|pc| self.breakpoints.binary_search(&pc).is_ok())
    }

    fn place_pc(&mut self) {
        let step = self.recording.step(self.position);
        self.machine.set_pc(step.map_or(self.recording.last.0, |step| step.pc));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::{SOCKET_FILTER, World};
    use crate::interp;
    use crate::load::{Request, load};

    fn session(text: &str, limit: usize) -> Session<interp::Machine> {
        let program = Rc::new(load(text.as_bytes(), &Request::default()).unwrap().ebpf());
        Session::new(interp::Machine::new(program, &SOCKET_FILTER, World::default()), limit)
    }

    /// Longer than a piece: it stores, loads, counts and, at its end, returns.
    const LOOP: &str =
        "r0 = 0\nl: r0 += 1\n*(u64 *)(r10 - 8) = r0\nr1 = *(u64 *)(r10 - 8)\nif r0 < 9000 goto l\nexit";

    #[test]
    fn a_recording_made_in_parts_is_the_whole_recording() {
        let mut whole = session(LOOP, MAX_STEPS);
        assert_eq!((whole.steps(), whole.goes_on()), (4 * 9000 + 2, false));
        for part in [1, 7000, PIECE, PIECE + 1] {
            let mut parts = session(LOOP, 0);
            assert_eq!((parts.steps(), parts.end(), parts.pc()), (0, End::Limit(0), None));
            while parts.record(part) {
                assert_eq!(parts.end(), End::Limit(parts.steps()));
                // What is there can be walked meanwhile.
                parts.seek(parts.steps() / 2);
                if part == 1 && parts.steps() > 50 {
                    parts.record(MAX_STEPS);
                    break;
                }
            }
            assert_eq!((parts.end(), parts.hits(0)), (whole.end(), whole.hits(0)));
            for step in (0..whole.steps()).step_by(97).chain(PIECE - 2..PIECE + 2) {
                assert_eq!(parts.pc_of(step), whole.pc_of(step));
                assert_eq!(parts.reads(step), whole.reads(step));
                assert_eq!(parts.changes(step), whole.changes(step));
            }
            for position in [whole.steps(), PIECE + 3, PIECE - 1, 0] {
                parts.seek(position);
                whole.seek(position);
                assert_eq!(parts.machine().registers, whole.machine().registers);
                assert_eq!(parts.machine().stack, whole.machine().stack);
                assert_eq!(parts.pc(), whole.pc());
            }
        }
    }

    #[test]
    fn what_never_ends_is_recorded_up_to_the_limit() {
        let mut session = session("l: goto l\nexit", 10);
        assert_eq!((session.steps(), session.goes_on(), session.end()), (10, true, End::Limit(10)));
        while session.record(300_000) {}
        assert_eq!((session.steps(), session.end()), (MAX_STEPS, End::Limit(MAX_STEPS)));
        assert_eq!(session.hits(0), [MAX_STEPS as u32]);
        let mut counting = self::session(LOOP, 5000);
        assert!(counting.resume_until(|session| session.machine().registers[0] == 7));
        assert_eq!((counting.position(), counting.pc()), (4 * 6 + 2, Some(Pc(2))));
        assert_eq!(counting.maker(Place::Reg(crate::isa::Reg::R0)), Some(4 * 6 + 1));
        let byte = |offset| Place::Memory {
            region: crate::machine::Region::Stack,
            offset,
            size: crate::isa::Size::B,
        };
        assert_eq!((counting.maker(byte(507)), counting.maker(byte(503))), (Some(4 * 5 + 2), None));
        let mut session = self::session("l: goto l\nexit", 10);
        session.stop();
        assert_eq!((session.record(5), session.steps()), (false, 10));
    }
}
