//! The x86-64 level of the page: a program as text in, the JIT's code for it as rows out.
//!
//! A wasm module of its own in a worker of its own, so that nobody downloads the code generator and the disassembler who
//! does not look at machine code, and nobody waits for them. It shares no memory with the page: it reads, verifies and
//! compiles the text by itself. Without the feature `module` only the messages are left, for the page's end.

#[cfg(feature = "module")]
pub mod module;

use serde::{Deserialize, Serialize};

/// The program whose code is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
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
pub struct Reply {
    /// The number of the text.
    pub order: u32,
    /// The code in its order, or a sentence about why there is none.
    pub code: Result<Vec<Row>, String>,
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
