//! Programs near the border of what the verifier accepts: ours and the running kernel's say the same of them.

use bpf64_tests::border::{Count, ask};
use bpf64_tests::kernel::skipped;
use bpf64_tests::kernel_ebpf::Kernel;
use bpf64_tests::property::{as_usual, check};
use std::collections::BTreeMap;

/// Asks whether the kernel can be asked.
const PROBE: &str = env!("CARGO_BIN_EXE_probe-kernel");

#[test]
fn linux_says_the_same_near_the_border() {
    let kernel = match Kernel::open(PROBE) {
        Ok(kernel) => kernel,
        Err(why) => return skipped("the running kernel", &why),
    };
    let (mut count, mut tables) = (Count::default(), BTreeMap::new());
    check("Linux, programs near the border", 20_000, |make| {
        if let Some(disagreement) = ask(&kernel, &mut tables, make, &mut count)? {
            println!("{disagreement}");
        }
        Ok(())
    });
    println!("{count}");
    assert_eq!((count.only_ours, count.other_effort), (0, 0), "{count}");
    assert!(count.only_linux * 100 <= count.all(), "{count}");
    if as_usual() {
        // Neither side is so rare that nothing would be seen of it.
        assert!(count.both * 3 > count.all() && count.neither * 3 > count.all(), "{count}");
    }
}
