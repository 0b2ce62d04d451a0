//! The JIT: x86-64 code of proved eBPF programs; and what `bpf64` does on the machine it runs on, beyond the pure core.
//!
//! [`compile`](compile::compile) is a pure function from a [`Verified`](bpf64_core::verifier::Verified) program to
//! [`Code`]; it runs anywhere, in a browser too. With the feature `run`, on x86-64 Linux, `runtime` executes it.

pub mod abi;
pub mod code;
pub mod compile;
#[cfg(feature = "disassemble")]
pub mod disassemble;
#[cfg(all(unix, feature = "kernel"))]
pub mod kernel;
#[cfg(all(unix, feature = "libpcap"))]
pub mod libpcap;
#[cfg(all(unix, feature = "libpcap"))]
pub mod library;
pub mod listing;
#[cfg(all(unix, target_arch = "x86_64", any(test, feature = "peers")))]
pub mod peers;
#[cfg(feature = "run")]
pub mod runtime;
pub mod x64;

pub use code::{Code, CompileError, Mark};
pub use compile::{Options, compile};
