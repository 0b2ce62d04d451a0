//! Abstract numbers: what can be known of a number without knowing it.
//!
//! Pure values that know nothing of BPF programs. [`Tnum`] knows some of the bits, [`Interval`] two ends, [`Bounds`]
//! the ends of one width without and with sign; a [`Scalar`] is all of these for 64 and 32 bits, and what the
//! verifier keeps for a register. An operation on them holds every result of the operation on their members
//! (soundness: tested exhaustively at small widths against [`crate::isa::eval`]); how much more it holds is decided
//! by Linux 6.18, whose log our states are compared with, field by field.

mod alu;
mod bounds;
mod branch;
mod interval;
mod scalar;
mod text;
mod tnum;

pub use bounds::{Bounds, Word};
pub use interval::{Int, Interval};
pub use scalar::{Contradiction, Scalar};
pub use text::Ranges;
pub use tnum::Tnum;

#[cfg(test)]
mod tests;
