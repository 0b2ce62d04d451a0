//! Our verifier against the running kernel's: the same verdict, the same log, the same number of instructions.

use bpf64_core::environment::SOCKET_FILTER;
use bpf64_core::isa::Insn;
use bpf64_core::program::Program;
use bpf64_core::verifier::verify;
use bpf64_tests::kernel::skipped;
use bpf64_tests::kernel_ebpf::{Kernel, ProgramType};
use bpf64_tests::property::check;

/// Asks whether the kernel can be asked.
const PROBE: &str = env!("CARGO_BIN_EXE_probe-kernel");

/// What Linux's log tells of how its analysis of the stack's liveness goes on, which ours does not.
fn is_inner(line: &str) -> bool {
    line.starts_with("stack use/def")
        || line.starts_with('(') && (line.contains(" insn ") || line.contains("live stack"))
}

/// The first lines in which the logs differ, with a few before them.
fn difference(ours: &str, theirs: &str) -> Option<String> {
    let ours: Vec<&str> = ours.lines().collect();
    let theirs: Vec<&str> = theirs.lines().filter(|line| !is_inner(line)).collect();
    let at = (0..ours.len().max(theirs.len())).find(|&at| ours.get(at) != theirs.get(at))?;
    let around =
        |lines: &[&str]| lines[at.saturating_sub(6).min(lines.len())..(at + 3).min(lines.len())].join("\n");
    Some(format!("we say:\n{}\n\nLinux says:\n{}", around(&ours), around(&theirs)))
}

fn compare(kernel: &Kernel, insns: &[Insn]) -> Result<bool, String> {
    let program = Program::new(insns.to_vec(), Vec::new()).map_err(|error| error.to_string())?;
    let theirs = kernel.verify(ProgramType::SocketFilter, insns).map_err(|error| error.to_string())?;
    let ours = verify(&program, &SOCKET_FILTER, 2);
    let (accepted, log) = match &ours {
        Ok(verified) => (true, verified.log()),
        Err(rejection) => (false, rejection.log.as_str()),
    };
    if let Some(difference) = difference(log, &theirs.log) {
        return Err(difference);
    }
    if accepted == theirs.accepted { Ok(accepted) } else { Err(format!("we accept: {accepted}")) }
}

#[test]
fn linux_says_the_same_of_numbers_and_the_stack() {
    let kernel = match Kernel::open(PROBE) {
        Ok(kernel) => kernel,
        Err(why) => return skipped("the running kernel", &why),
    };
    check("Linux, logs of numbers and the stack", 2_000, |make| {
        let program = make.linked_program(30);
        compare(&kernel, &program).map(drop)
    });
}
