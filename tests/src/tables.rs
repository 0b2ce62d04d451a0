//! Operations on tables as suites write them, and who can do them: our tables, and those of the running kernel.
//!
//! `update m 01000000 05` is done from outside, as bpf(2) does it; `in update m 01000000 05` by a program that is made
//! for it, which calls the function. README.md has the list.

#[cfg(target_os = "linux")]
mod linux;
mod operation;
mod ours;

#[cfg(target_os = "linux")]
pub use linux::Linux;
pub use operation::{Operation, Part, operation};
pub use ours::Ours;

use bpf64_core::errno::Errno;
use bpf64_core::load::{Format, Loaded, load};
use std::fmt;

/// What an operation gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// It was done.
    Done,
    /// Nothing is there: a function gave no address.
    Nothing,
    /// A key or a value.
    Bytes(Vec<u8>),
    /// A table by its name, or a program.
    Named(String),
    /// Keys or values in their order.
    List(Vec<Vec<u8>>),
    /// It failed.
    Error(Errno),
    /// What a program returned, the low half.
    Number(u32),
    /// It cannot be asked, for this reason.
    Skipped(&'static str),
}

impl From<Result<(), Errno>> for Reply {
    fn from(result: Result<(), Errno>) -> Self {
        result.map_or_else(Reply::Error, |()| Reply::Done)
    }
}

impl From<Result<Vec<u8>, Errno>> for Reply {
    fn from(result: Result<Vec<u8>, Errno>) -> Self {
        result.map_or_else(Reply::Error, Reply::Bytes)
    }
}

/// As suites write it.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reply::Done => f.write_str("done"),
            Reply::Nothing => f.write_str("nothing"),
            Reply::Bytes(bytes) => f.write_str(&hex(bytes)),
            Reply::Named(name) => write!(f, "@{name}"),
            Reply::List(list) if list.is_empty() => f.write_str("none"),
            Reply::List(list) => {
                f.write_str(&list.iter().map(|item| hex(item)).collect::<Vec<_>>().join(" "))
            }
            Reply::Error(errno) => match errno.name() {
                Some(name) => f.write_str(name),
                None => write!(f, "error {}", errno.0),
            },
            Reply::Number(number) => match Errno((*number as i32).wrapping_neg()).name() {
                Some(name) if (*number as i32) < 0 => write!(f, "-{name}"),
                _ => write!(f, "{number}"),
            },
            Reply::Skipped(why) => write!(f, "skipped: {why}"),
        }
    }
}

/// Bytes in hexadecimal, in words of eight.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "empty".to_owned();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A value of which each CPU has one: that of the first, and what all others have.
#[must_use]
pub fn per_cpu(value: &[u8], size: usize) -> Vec<u8> {
    let mut each = value.chunks(size.next_multiple_of(8)).map(|value| &value[..size.min(value.len())]);
    let (first, second) = (each.next().unwrap_or_default(), each.next());
    let others: Vec<&[u8]> = second.into_iter().chain(each).collect();
    match others.first() {
        Some(second) if others.iter().all(|other| other == second) => [first, second].concat(),
        _ => value.to_vec(),
    }
}

/// Whoever has tables and can do these operations.
pub trait Tables {
    /// Who.
    fn name(&self) -> &'static str;

    /// Does an operation.
    ///
    /// # Errors
    /// What is wrong with the operation, or the program in it.
    fn does(&mut self, operation: &Operation) -> Result<Reply, String>;
}

/// The text of a case as a program: declarations alone get one that does nothing.
///
/// # Errors
/// Its faults.
pub fn program(text: &str) -> Result<Loaded, String> {
    let is_declaration = |line: &str| line.trim().is_empty() || line.trim_start().starts_with(['.', ';']);
    let text = match text.lines().all(is_declaration) {
        true => format!("{text}\nr0 = 0\nexit\n"),
        false => text.to_owned(),
    };
    load(text.as_bytes(), &Format::Ebpf.into())
        .map_err(|faults| faults.iter().map(|fault| format!("{}: {fault}\n", fault.span.start)).collect())
}
