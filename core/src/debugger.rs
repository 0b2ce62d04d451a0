//! A session: a whole run recorded, and a machine that stands anywhere in it.
//!
//! The program is executed once, from start to end, and every step's reads and writes are kept. From then on
//! moving never executes: forward puts in what a step wrote, back puts in what was there before. So stepping
//! back is exact, whatever the program called.

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

/// Every step of a run, in the order of execution.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Recording {
    steps: Vec<Step>,
    reads: Vec<Read>,
    changes: Vec<Change>,
    /// Printed lines, each with the step that printed it.
    lines: Vec<(u32, String)>,
    end: End,
    /// Where the machine stands at the end.
    last_pc: Pc,
}

/// A step: its instruction, and where in the lists its reads and changes end. They begin where the step before
/// ends, so that a step costs no allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    pc: Pc,
    reads_end: u32,
    changes_end: u32,
}

/// Collects what the running machine does.
#[derive(Default)]
struct Log {
    reads: Vec<Read>,
    changes: Vec<Change>,
    lines: Vec<(u32, String)>,
    step: u32,
}

impl Observer for Log {
    fn read(&mut self, place: Place, value: u64) {
        self.reads.push(Read { place, value });
    }

    fn wrote(&mut self, place: Place, before: u64, after: u64) {
        self.changes.push(Change { place, before, after });
    }

    fn printed(&mut self, line: &str) {
        if self.lines.len() < MAX_LINES {
            self.lines.push((self.step, line.to_owned()));
        }
    }
}

impl Recording {
    fn of(mut machine: impl Machine, limit: usize) -> Self {
        let mut log = Log::default();
        let mut steps = Vec::new();
        let end = loop {
            if steps.len() >= limit {
                break End::Limit(limit);
            }
            let pc = machine.pc();
            log.step = steps.len() as u32;
            let flow = machine.step(&mut log);
            let (reads_end, changes_end) = (log.reads.len() as u32, log.changes.len() as u32);
            match flow {
                Err(trap) => break End::Trap(trap),
                Ok(flow) => {
                    steps.push(Step { pc, reads_end, changes_end });
                    if let Flow::End(value, ending) = flow {
                        break End::Value(value, ending);
                    }
                }
            }
        };
        // What a trapping step had read belongs to no step.
        let last = steps.last().map_or((0, 0), |step| (step.reads_end as usize, step.changes_end as usize));
        log.reads.truncate(last.0);
        log.changes.truncate(last.1);
        let last_pc = machine.pc();
        Recording { steps, reads: log.reads, changes: log.changes, lines: log.lines, end, last_pc }
    }

    fn reads(&self, step: usize) -> &[Read] {
        let start = step.checked_sub(1).map_or(0, |before| self.steps[before].reads_end);
        &self.reads[start as usize..self.steps[step].reads_end as usize]
    }

    fn changes(&self, step: usize) -> &[Change] {
        let start = step.checked_sub(1).map_or(0, |before| self.steps[before].changes_end);
        &self.changes[start as usize..self.steps[step].changes_end as usize]
    }
}

/// A recorded run and a machine somewhere in it. Cloning copies the machine, not the recording.
#[derive(Debug, Clone)]
pub struct Session<M> {
    recording: Rc<Recording>,
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
        let recording = Rc::new(Recording::of(machine.clone(), limit.min(MAX_STEPS)));
        Session { recording, machine, position: 0, breakpoints: Vec::new() }
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
        self.recording.steps.len()
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
        match self.recording.steps.get(step) {
            Some(step) => Some(step.pc),
            None => match self.recording.end {
                End::Trap(trap) if step == self.steps() => Some(trap.pc),
                End::Trap(_) | End::Value(..) | End::Limit(_) => None,
            },
        }
    }

    /// The instruction that the next step executes; `None` at the end of the run.
    #[must_use]
    pub fn pc(&self) -> Option<Pc> {
        self.pc_of(self.position)
    }

    /// What step `step` read from memory, in order; empty when there is no such step.
    #[must_use]
    pub fn reads(&self, step: usize) -> &[Read] {
        if step < self.steps() { self.recording.reads(step) } else { &[] }
    }

    /// What step `step` wrote, in order; empty when there is no such step.
    #[must_use]
    pub fn changes(&self, step: usize) -> &[Change] {
        if step < self.steps() { self.recording.changes(step) } else { &[] }
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

    /// How often the whole run executes each instruction, by number.
    #[must_use]
    pub fn hits(&self) -> Vec<u32> {
        let mut hits = Vec::new();
        for step in &self.recording.steps {
            if hits.len() <= step.pc.index() {
                hits.resize(step.pc.index() + 1, 0);
            }
            hits[step.pc.index()] += 1;
        }
        hits
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
        while self.step() && !self.pc().is_some_and(|pc| self.stops_at(pc)) {}
    }

    /// Runs back to the breakpoint before, at least one step, or to the start.
    pub fn resume_back(&mut self) {
        while self.back() && !self.pc().is_some_and(|pc| self.stops_at(pc)) {}
    }

    /// Where `resume` stops, in ascending order.
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

    fn stops_at(&self, pc: Pc) -> bool {
        self.breakpoints.binary_search(&pc).is_ok()
    }

    fn place_pc(&mut self) {
        let step = self.recording.steps.get(self.position);
        self.machine.set_pc(step.map_or(self.recording.last_pc, |step| step.pc));
    }
}
