//! A whole capture, packet by packet, or all events of a recording, and how often each instruction was needed for it.

use super::message::TableRows;
use crate::form::Form;
use crate::given::Given;
use crate::pace::{Pace, Slice};
use crate::subject::Subject;
use bpf64_core::context::skb::Skb;
use bpf64_core::environment::ProgramType;
use bpf64_core::heat::Heat;
use bpf64_core::maps::{Named, Table};
use bpf64_core::packet::Capture;
use serde::{Deserialize, Serialize};
use std::rc::Rc;

/// How many instructions a packet is given.
const LIMIT: u64 = 50_000;
/// Getting ready for a packet takes as long as so many instructions.
const START: u64 = 40;
/// Instructions between looks at the clock: two milliseconds at most.
const STRIDE: u64 = 20_000;

/// What came of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Judgement {
    /// This in r0.
    Value(u64),
    /// A trap.
    Trap,
    /// The program did not come to an end soon enough.
    NoEnd,
}

/// Whether what a program of this type runs over are recorded events.
#[must_use]
pub fn sees_events(program_type: &ProgramType) -> bool {
    program_type.name == "tracepoint"
}

/// What a program is run over, one after the other.
#[derive(Clone)]
pub(super) enum Inputs {
    Packets(Rc<Capture>),
    /// What a program sees of each event.
    Events(Rc<[Vec<u8>]>),
}

impl Inputs {
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn len(&self) -> usize {
        match self {
            Inputs::Packets(capture) => capture.len(),
            Inputs::Events(records) => records.len(),
        }
    }
}

/// A capture on its way through a program. What the program keeps in tables is there for the next packet.
pub(super) struct Judge<F> {
    subject: Rc<Subject>,
    /// The number of the capture, or of the events.
    pub(super) number: u32,
    inputs: Inputs,
    /// What each packet finds besides the tables.
    given: Given,
    next: usize,
    /// What the tables hold before the first packet, until that comes; then the machine has them.
    tables: Vec<Table>,
    machine: Option<F>,
    heat: Heat,
    results: Vec<Judgement>,
    pace: Pace,
}

/// A part that is ready: the first packet of it, and what came of each.
pub(super) struct Part {
    pub(super) first: usize,
    pub(super) results: Vec<Judgement>,
    pub(super) hits: Vec<u64>,
    pub(super) taken: Vec<u64>,
}

impl<F: Form> Judge<F> {
    pub(super) fn new(subject: Rc<Subject>, (number, inputs): (u32, Inputs), given: &Given) -> Self {
        Judge {
            number,
            inputs,
            tables: given.tables(&subject),
            given: Given { context: given.context.clone(), entries: Vec::new() },
            next: 0,
            machine: None,
            heat: Heat::new(subject.ebpf.insns().len()),
            results: Vec::new(),
            pace: Pace::default(),
            subject,
        }
    }

    /// Whether every packet was judged and reported.
    pub(super) fn is_done(&self) -> bool {
        self.next == self.inputs.len() && self.results.is_empty()
    }

    /// What the tables hold now.
    pub(super) fn tables(&mut self) -> Vec<TableRows> {
        let tables = self.machine.as_mut().map_or(&self.tables, |machine| &machine.world_mut().tables);
        let named = Named { tables, programs: &self.subject.names };
        tables.iter().map(|table| TableRows::of(table, named)).collect()
    }

    /// Judges for a slice; gives a part when it is time for one.
    pub(super) fn turn(&mut self, code: &F::Code, now: impl Fn() -> u64) -> Option<Part> {
        let slice = Slice::new(now);
        let mut spent = 0;
        while self.next < self.inputs.len() {
            spent += START + self.judge(code, self.next);
            self.next += 1;
            if spent > STRIDE {
                spent = 0;
                if slice.is_over() {
                    break;
                }
            }
        }
        let done = self.next == self.inputs.len();
        if !self.pace.tells(&slice, done) {
            return None;
        }
        let results = std::mem::take(&mut self.results);
        let first = self.next - results.len();
        Some(Part { first, results, hits: self.heat.executed(), taken: self.heat.taken().to_vec() })
    }

    /// Runs the program over a packet or an event; gives the instructions executed.
    fn judge(&mut self, code: &F::Code, index: usize) -> u64 {
        let world = match &self.inputs {
            Inputs::Packets(capture) => {
                capture.get(index).map(|captured| self.given.world(&self.subject, captured.skb()))
            }
            Inputs::Events(records) => records
                .get(index)
                .map(|record| self.given.world_of(&self.subject, Skb::ethernet(Vec::new()), Some(record))),
        };
        let Some(mut world) = world else { return 0 };
        let machine = match &mut self.machine {
            None => {
                world.tables = std::mem::take(&mut self.tables);
                self.machine.insert(F::new(code, &self.subject, world))
            }
            Some(machine) => {
                let before = machine.world_mut();
                world.tables = std::mem::take(&mut before.tables);
                *before = world;
                machine.restart();
                machine
            }
        };
        self.heat.begin();
        let (end, executed) = machine.run(LIMIT, &mut self.heat);
        self.heat.end(machine.place(), matches!(end, Some(Ok(_))));
        self.results.push(match end {
            Some(Ok((value, _))) => Judgement::Value(value),
            Some(Err(_)) => Judgement::Trap,
            None => Judgement::NoEnd,
        });
        executed
    }
}
