//! Attaches one filter, which tells whoever waits for this program's end that the kernel still does so.

fn main() {
    drop(bpf64_tests::kernel::Kernel::open_unasked());
}
