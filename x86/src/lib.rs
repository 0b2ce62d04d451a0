//! What the page has done elsewhere: its x86-64 level, a program as text in and the JIT's code for it as rows out; and
//! object files, bytes in and a listing out.
//!
//! A wasm module of its own in a worker of its own, so that nobody downloads the code generator, the disassembler and the
//! reader of object files who does not want them, and nobody waits for them. It shares no memory with the page: it reads,
//! verifies and compiles the text by itself. Without the feature `module` only the messages are left, for the page's end.

#[cfg(feature = "module")]
pub mod module;
#[cfg(feature = "module")]
mod object;
#[cfg(feature = "module")]
pub mod runner;

use serde::{Deserialize, Serialize};

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// The code of a program.
    Code(Text),
    /// The text of an object file's first program that can be read.
    Object {
        /// The file's name.
        name: String,
        /// The file.
        bytes: Vec<u8>,
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
    /// Of an object file.
    Object {
        /// The file's name.
        name: String,
        /// What it holds, or a sentence about why it cannot be read.
        listing: Result<Listing, String>,
    },
}

/// A program of an object file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// Its text.
    pub source: String,
    /// Which it is, and which others the file holds; nothing when it is alone.
    pub others: Option<String>,
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
