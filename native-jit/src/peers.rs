//! Other eBPF machines in Rust, to be timed beside ours: rbpf and solana-sbpf, with the feature `peers`.
//!
//! Neither knows Linux's contexts, tables or legacy packet loads, so that a program is adapted for them first, by as
//! little as will do. What they refuse then, they refuse in their own words.

mod adapt;
#[cfg(feature = "peers")]
pub mod rbpf;
#[cfg(feature = "peers")]
pub mod sbpf;

pub use adapt::{Adapted, adapt};
