//! Abstract numbers against the running kernel: after every instruction, its verifier knows what we know.

use bpf64_tests::kernel::skipped;
use bpf64_tests::kernel_ebpf::{Kernel, ProgramType};
use bpf64_tests::property::{as_usual, check};
use bpf64_tests::states::{Agreement, compare};

/// Asks whether the kernel can be asked.
const PROBE: &str = env!("CARGO_BIN_EXE_probe-kernel");

#[test]
fn linux_knows_the_same_of_every_number() {
    let kernel = match Kernel::open(PROBE) {
        Ok(kernel) => kernel,
        Err(why) => return skipped("the running kernel", &why),
    };
    let mut sum = Agreement::default();
    check("Linux, states of numbers", 5_000, |make| {
        let program = make.scalar_program(24);
        let verdict =
            kernel.verify(ProgramType::SocketFilter, &program, 2).map_err(|error| error.to_string())?;
        let one = compare(&program, &verdict.log).map_err(|why| format!("{why}\n\n{}", verdict.log))?;
        sum.steps += one.steps;
        sum.states += one.states;
        sum.constants += one.constants;
        sum.decided += one.decided;
        sum.forks += one.forks;
        sum.contradictions += one.contradictions;
        if verdict.accepted { Ok(()) } else { Err(format!("refused: {}", verdict.log)) }
    });
    println!("{sum:?}");
    if as_usual() {
        // What the programs are made for happens often enough.
        assert!(sum.states > 100_000 && sum.decided > 10_000 && sum.forks > 10_000, "{sum:?}");
        assert!(sum.contradictions > 0, "{sum:?}");
    }
}
