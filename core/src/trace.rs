//! Trace events: records that a kernel made at its trace points, as their printed text says, for programs that filter
//! them or count them.
//!
//! What is in a record says its *format*, a file in tracefs ([`Format`]): fields with offsets and sizes, and how the
//! kernel prints them. [`line`] takes a line of `perf script`, `trace-cmd report` or tracefs's `trace` apart, and
//! [`Format::record`] makes a record of its text again, by reading the way it was printed backwards. Functions that
//! were printed by name have no address any more: [`Symbols`] gives each one, which is the same for the same name.

mod format;
mod line;
mod print;
mod record;

pub use format::{Field, Format, FormatError, Shape};
pub use line::{Frame, Line, Task, line, stack_frame};
pub use record::{Loss, Symbols};
