//! Programs near the border of what the verifier accepts: ours and the running kernel's say the same of them.

use bpf64_tests::border::{Count, Maker, ask};
use bpf64_tests::generate::Generator;
use bpf64_tests::kernel::skipped;
use bpf64_tests::kernel_ebpf::Kernel;
use bpf64_tests::property::{as_usual, check, tell};
use std::collections::BTreeMap;

/// Asks whether the kernel can be asked.
const PROBE: &str = env!("CARGO_BIN_EXE_probe-kernel");

fn compare(name: &str, cases: u64, program: Maker) {
    let kernel = match Kernel::open(PROBE) {
        Ok(kernel) => kernel,
        Err(why) => return skipped("the running kernel", &why),
    };
    let (mut count, mut tables) = (Count::default(), BTreeMap::new());
    check(name, cases, |make| {
        if let Some(disagreement) = ask(&kernel, &mut tables, (make, program), &mut count)? {
            println!("{disagreement}");
        }
        Ok(())
    });
    tell(format_args!("{name}: {count}"));
    assert_eq!((count.only_ours, count.other_effort), (0, 0), "{count}");
    assert!(count.only_linux * 100 <= count.all(), "{count}");
    if as_usual() {
        // Neither side is so rare that nothing would be seen of it.
        assert!(count.both * 4 > count.all() && count.neither * 4 > count.all(), "{count}");
    }
}

#[test]
fn linux_says_the_same_near_the_border() {
    compare("Linux, programs near the border", 10_000, Generator::border_program);
}

/// Two tests for one property: it is the longest of all, and a second processor halves it.
#[test]
fn linux_says_the_same_of_more_near_the_border() {
    compare("Linux, more programs near the border", 10_000, Generator::border_program);
}

#[test]
fn linux_says_the_same_of_pointers_near_the_border() {
    // Of some of these Linux thinks for minutes: not among the first ones.
    compare("Linux, pointers near the border", 200, Generator::pointer_program);
}
