//! The two message types between page and worker, and the bytes of these and others.

use super::judge::Judgement;
use super::known::Known;
use crate::given::Given;
use bpf64_core::maps::{Named, Row, Table};
use serde::{Deserialize, Serialize};

/// Which text a message is about: it grows by one with each that could be read.
pub type Order = u32;

/// What the page asks of the worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// The program from now on, if the text is one. It is verified, and judges the open capture; all that was under way for
    /// another ends.
    Program {
        /// Its number.
        order: Order,
        /// The text.
        source: String,
        /// The language by name, if one was chosen.
        language: String,
        /// The program type by name, if one was chosen.
        program_type: String,
        /// What is set before each run.
        given: Given,
        /// Whether to begin; otherwise the worker only knows it. Work that was stopped does not begin by itself again.
        start: bool,
    },
    /// The capture from now on, as the file's bytes; empty for none.
    Capture {
        /// Its number.
        number: u32,
        /// The file.
        bytes: Vec<u8>,
    },
    /// The recorded events from now on.
    Events {
        /// Their number, which no capture has.
        number: u32,
        /// What a program sees of each.
        records: Vec<Vec<u8>>,
    },
    /// Runs the program to its end over a packet, however long that takes.
    Run {
        /// The run's number.
        run: u32,
        /// The program.
        order: Order,
        /// The packet's bytes.
        packet: Vec<u8>,
        /// Its length on the wire.
        wire_len: u32,
        /// Its link type.
        link_type: u32,
        /// What is set before the run.
        given: Given,
    },
    /// Somebody looks at the proof: its log is wanted, and what the verifier knows before an instruction.
    Look {
        /// The program.
        order: Order,
        /// The instruction's number, if it is at one.
        pc: Option<u32>,
    },
    /// Captures, events and runs are another worker's from now on.
    HandOver,
    /// Ends all that is under way.
    Stop,
}

/// What the worker finds out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Report {
    /// The worker is there.
    Ready,
    /// A request has arrived; what follows may take its time.
    Heard,
    /// The program was verified; or it was before, and here is its log.
    Proved {
        /// The program.
        order: Order,
        /// What came of it.
        proof: Proof,
    },
    /// What the verifier knows before an instruction.
    Seen {
        /// The program.
        order: Order,
        /// What it knows.
        here: KnownHere,
    },
    /// A part of the capture, or of the recorded events, was judged.
    Judged {
        /// The program.
        order: Order,
        /// The number of the capture, or of the events.
        capture: u32,
        /// The first packet of this part.
        first: u32,
        /// What came of each packet.
        results: Vec<Judgement>,
        /// How often each instruction was executed, over all packets so far.
        hits: Vec<u64>,
        /// How often each instruction was followed by another than the next one.
        taken: Vec<u64>,
    },
    /// The capture was judged: what tables hold after it.
    Kept {
        /// The program.
        order: Order,
        /// Its tables.
        tables: Vec<TableRows>,
    },
    /// A run goes on, or is at its end.
    Ran {
        /// The run's number.
        run: u32,
        /// Instructions executed so far.
        executed: u64,
        /// Its end; `None` while it goes on.
        end: Option<Ran>,
    },
    /// The worker is no more; said by the page's end of the line.
    Died,
    /// There is no worker that runs what takes long: the page's own steps through it. Said likewise.
    NoRunner,
}

/// A table as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRows {
    /// Its first entries: key and value as text, and the number that the value is.
    pub rows: Vec<(String, String, Option<u64>)>,
    /// How many it has.
    pub total: u32,
}

impl TableRows {
    /// How many entries are shown.
    pub const MOST: usize = 200;

    /// What is shown of a table.
    #[must_use]
    pub fn of(table: &Table, named: Named<'_>) -> Self {
        let rows = table.rows(named, |_| None, Self::MOST);
        let row = |row: Row| (row.key, row.value, row.amount);
        TableRows { total: rows.total as u32, rows: rows.list.into_iter().map(row).collect() }
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ran {
    /// With this in r0.
    Value(u64),
    /// With a trap, in words.
    Trap(String),
    /// It was stopped.
    Stopped,
}

/// What came of verifying a program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// Why it is refused; `None` if it is accepted.
    pub refusal: Option<Refusal>,
    /// Instructions looked at.
    pub processed: u32,
    /// The log in Linux's form, or its last part if it is very long; empty until somebody looks at the proof. The same
    /// proof is then told again, with it: to write it takes longer than to prove.
    pub log: String,
    /// What this took, in microseconds, by the worker's clock.
    pub micros: u64,
}

/// What the verifier knows before an instruction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownHere {
    /// The instruction's number.
    pub pc: u32,
    /// What holds on every path, by the registers' numbers; `None` if no path comes here, or if of a refused program not
    /// all visits are there.
    pub always: Option<Vec<Known>>,
    /// The paths that came by, in their order; of a refused program until then.
    pub visits: Vec<Visit>,
    /// How many more there were.
    pub left_out: u32,
}

/// A path that came by an instruction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    /// The slot of the instruction it came from; none at the beginning.
    pub from: Option<u32>,
    /// What was known then, by the registers' numbers.
    pub registers: Vec<Known>,
    /// The same as Linux's log tells it, with the stack.
    pub state: String,
    /// Whether the path ended here, because a state as good as this one was followed before.
    pub covered: bool,
}

impl KnownHere {
    /// What is known on the visit of that number, or on every path.
    #[must_use]
    pub fn registers(&self, visit: Option<usize>) -> Option<&[Known]> {
        match visit.and_then(|visit| self.visits.get(visit)) {
            Some(visit) => Some(&visit.registers),
            None => self.always.as_deref(),
        }
    }
}

/// Why a program is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Where.
    pub place: Place,
    /// The kind of reason, as the command line names it.
    pub code: String,
    /// What is wrong and how to mend it.
    pub sentence: String,
    /// What Linux says.
    pub kernel: String,
    /// Whether this says nothing of the program: something that the verifier does not know.
    pub unknown: bool,
}

/// An instruction of the eBPF level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Its number.
    pub pc: u32,
    /// The slot it starts at.
    pub slot: u32,
}

/// A message as bytes.
///
/// # Panics
/// Never: strings, numbers and lists can always be written.
#[must_use]
pub fn encode(message: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(message).expect("strings, numbers and lists can always be written")
}

/// The message in these bytes; `None` if they are none.
#[must_use]
pub fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    postcard::from_bytes(bytes).ok()
}
