//! What the page has done elsewhere: its x86-64 level, a program as text in and the JIT's code for it as rows out; object
//! files and seccomp profiles, bytes in and a listing out; and recorded trace events, two texts in and records out.
//!
//! A wasm module of its own in a worker of its own, so that nobody downloads the code generator, the disassembler and
//! these readers who does not want them, and nobody waits for them. It shares no memory with the page: it reads,
//! verifies and compiles the text by itself. Without the feature `module` only the messages are left, for the page's end.

#[cfg(feature = "module")]
pub mod module;
#[cfg(feature = "module")]
mod object;
#[cfg(feature = "module")]
mod profile;
#[cfg(feature = "module")]
mod recording;
#[cfg(feature = "module")]
pub mod runner;

use serde::{Deserialize, Serialize};
use std::ops::Range;

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// The code of a program.
    Code(Text),
    /// The text of an object file's first program that can be read, or of the filter that a seccomp profile becomes.
    File {
        /// The number of the file; the reply has it too.
        number: u32,
        /// The file.
        bytes: Vec<u8>,
    },
    /// The events of a trace point in a recording.
    Recording {
        /// The number of the two; the reply has it too.
        number: u32,
        /// The trace point's format file.
        format: String,
        /// What a tool printed.
        recording: String,
    },
}

/// A program as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// The number of the text; the reply has it too.
    pub order: u32,
    /// The text.
    pub source: String,
    /// The language by name; empty to recognise it.
    pub language: String,
    /// The program type by name; empty for what the text says.
    pub program_type: String,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Of a program.
    Code {
        /// The number of the text.
        order: u32,
        /// The code in its order, or a sentence about why there is none.
        code: Result<Vec<Row>, String>,
    },
    /// Of a file.
    File {
        /// The number of the file.
        number: u32,
        /// What it holds, or why it cannot be read.
        listing: Result<Listing, Vec<Fault>>,
    },
    /// Of a recording.
    Recording {
        /// The number of the two texts.
        number: u32,
        /// Its events, or what is wrong with the format.
        recording: Result<Recording, String>,
    },
}

/// What a recording holds of a trace point's events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// The event's name.
    pub name: String,
    /// The fields of its records, without those that every event has.
    pub fields: Vec<String>,
    /// The events.
    pub events: Vec<Event>,
}

/// A recorded event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The line that tells of it.
    pub line: String,
    /// Its record, made again of that.
    pub record: Vec<u8>,
    /// What each field holds.
    pub values: Vec<String>,
}

/// The program of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// Its text.
    pub source: String,
    /// The program type by name; empty if the text says it.
    pub program_type: String,
    /// What else there is to say: which others an object file holds, what of a profile counts for nothing.
    pub remark: Option<String>,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Where in its text, in bytes; nowhere in a file that is none.
    pub span: Range<usize>,
    /// One sentence, lower case, no full stop.
    pub message: String,
    /// How to mend it.
    pub help: Option<String>,
}

impl From<&str> for Fault {
    fn from(message: &str) -> Self {
        Fault { span: 0..0, message: message.to_owned(), help: None }
    }
}

/// A row of the listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The number of the eBPF instruction it is for; `None` for what the whole program needs.
    pub pc: Option<u32>,
    /// What stands there.
    pub line: Line,
}

/// What stands in a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Line {
    /// A machine instruction.
    Insn {
        /// Bytes from the start of the code.
        address: u32,
        /// Its bytes.
        bytes: Vec<u8>,
        /// Its text in Intel's syntax.
        text: String,
    },
    /// Why the code behind it is as it is, or what it is for; or why an instruction has none.
    Note(String),
}
