//! BPF at work.
