//! What `bpf64` does on the machine it runs on, beyond the pure core.

pub mod kernel;
