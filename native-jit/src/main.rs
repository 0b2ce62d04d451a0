//! The `bpf64` command line.
fn main() {}
