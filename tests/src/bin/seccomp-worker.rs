//! Answers questions about seccomp filters by what becomes of its children.

fn main() -> std::io::Result<()> {
    bpf64_tests::kernel_seccomp::worker::main()
}
