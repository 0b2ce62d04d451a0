//! Seccomp: programs that decide about system calls.
//!
//! A filter is a classic program whose input is `struct seccomp_data` (`context::seccomp`) and whose result is an
//! [`Action`]. Conventions and numbers of system calls are in [`arch`] and [`syscalls`], several filters at once in
//! [`chain`], what a filter does with every call there is in [`matrix`](mod@matrix). With the
//! feature `oci`, profiles as containers have them are compiled to filters.

pub mod arch;
pub mod chain;
pub mod matrix;
#[cfg(feature = "oci")]
pub mod profile;
pub mod syscalls;
pub mod target;

pub use crate::context::seccomp::{Action, SeccompData};
pub use arch::Arch;
pub use chain::{Chain, Filter};
pub use matrix::matrix;
pub use target::Target;
