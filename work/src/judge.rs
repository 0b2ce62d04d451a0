//! A whole capture, packet by packet, or all events of a recording, and how often each instruction was needed for it.

use super::message::TableRows;
use crate::given::Given;
use crate::subject::Subject;
use bpf64_core::context::skb::Skb;
use bpf64_core::environment::ProgramType;
use bpf64_core::interp;
use bpf64_core::machine::{Flow, Machine as _};
use bpf64_core::maps::{Named, Table};
use bpf64_core::packet::Capture;
use serde::{Deserialize, Serialize};
use std::rc::Rc;

/// Packets in a report.
pub const CHUNK: usize = 2048;
/// How many instructions a packet is given.
const LIMIT: u64 = 50_000;
/// Instructions in a slice: some ten milliseconds.
const SLICE: u64 = 150_000;
/// Making a machine for a packet takes as long as so many instructions.
const START: u64 = 40;

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
pub(super) struct Judge {
    subject: Rc<Subject>,
    /// The number of the capture, or of the events.
    pub(super) number: u32,
    inputs: Inputs,
    given: Rc<Given>,
    next: usize,
    tables: Vec<Table>,
    hits: Vec<u64>,
    taken: Vec<u64>,
    results: Vec<Judgement>,
}

/// A part that is ready: the first packet of it, and what came of each.
pub(super) struct Part {
    pub(super) first: usize,
    pub(super) results: Vec<Judgement>,
    pub(super) hits: Vec<u64>,
    pub(super) taken: Vec<u64>,
}

impl Judge {
    pub(super) fn new(subject: Rc<Subject>, (number, inputs): (u32, Inputs), given: Rc<Given>) -> Self {
        let count = subject.ebpf.insns().len();
        let tables = given.tables(&subject);
        Judge {
            subject,
            number,
            inputs,
            given,
            next: 0,
            tables,
            hits: vec![0; count],
            taken: vec![0; count],
            results: Vec::new(),
        }
    }

    /// Whether every packet was judged and reported.
    pub(super) fn is_done(&self) -> bool {
        self.next == self.inputs.len() && self.results.is_empty()
    }

    /// What the tables hold now.
    pub(super) fn tables(&self) -> Vec<TableRows> {
        let named = Named { tables: &self.tables, programs: &self.subject.names };
        self.tables.iter().map(|table| TableRows::of(table, named)).collect()
    }

    /// Judges for a slice; gives a part when one is ready.
    pub(super) fn turn(&mut self) -> Option<Part> {
        let mut spent = 0;
        while self.next < self.inputs.len() && self.results.len() < CHUNK {
            if spent > SLICE {
                return None;
            }
            spent += START + self.judge(self.next);
            self.next += 1;
        }
        let results = std::mem::take(&mut self.results);
        let first = self.next - results.len();
        Some(Part { first, results, hits: self.hits.clone(), taken: self.taken.clone() })
    }

    /// Runs the program over a packet or an event; gives the instructions executed.
    fn judge(&mut self, index: usize) -> u64 {
        let world = match &self.inputs {
            Inputs::Packets(capture) => {
                capture.get(index).map(|captured| self.given.world(&self.subject, captured.skb()))
            }
            Inputs::Events(records) => records
                .get(index)
                .map(|record| self.given.world_of(&self.subject, Skb::ethernet(Vec::new()), Some(record))),
        };
        let Some(mut world) = world else { return 0 };
        world.tables = std::mem::take(&mut self.tables);
        let program_type = self.subject.program_type.clone();
        let mut machine = interp::Machine::new(Rc::clone(&self.subject.ebpf), program_type, world);
        let mut executed = 0;
        let result = loop {
            if executed == LIMIT {
                break Judgement::NoEnd;
            }
            let (pc, first) = (machine.pc(), machine.running() == 0);
            match machine.step(&mut ()) {
                Ok(flow) => {
                    executed += 1;
                    if let Some(hits) = self.hits.get_mut(pc.index()).filter(|_| first) {
                        *hits += 1;
                        let taken = matches!(flow, Flow::Next) && machine.pc() != pc.next();
                        self.taken[pc.index()] += u64::from(taken);
                    }
                    if let Flow::End(value, _) = flow {
                        break Judgement::Value(value);
                    }
                }
                Err(_) => break Judgement::Trap,
            }
        };
        self.tables = std::mem::take(&mut machine.world.tables);
        self.results.push(result);
        executed
    }
}
