//! What the tests of bpf64 share: suites as text files, engines, generators, examples, and the running kernel.
//!
//! The tests themselves are in `tests/`, the cases in `suites/`; README.md tells the formats and how to add one.

pub mod alongside;
pub mod any_input;
pub mod border;
#[cfg(target_os = "linux")]
pub mod both;
pub mod claims;
pub mod engine;
pub mod examples;
pub mod generate;
pub mod input;
pub mod jit;
pub mod kernel;
pub mod kernel_ebpf;
#[cfg(target_os = "linux")]
pub mod kernel_maps;
pub mod kernel_seccomp;
pub mod kinds;
#[cfg(target_os = "linux")]
pub mod libseccomp;
pub mod profile;
pub mod property;
pub mod pure;
pub mod seccomp;
pub mod states;
pub mod suite;
pub mod tables;
