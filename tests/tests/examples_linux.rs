//! The eBPF examples of the page against the running kernel: accepted or refused as their names say.

use bpf64_core::classic;
use bpf64_core::environment::SECCOMP;
use bpf64_core::load::{Form, Request, load};
use bpf64_core::verifier::{Settings, verify_with};
use bpf64_tests::examples;
use bpf64_tests::kernel::skipped;
use bpf64_tests::kernel_ebpf::{Kernel, Manner};

/// Asks whether the kernel can be asked.
const PROBE: &str = env!("CARGO_BIN_EXE_probe-kernel");

#[test]
fn linux_takes_the_examples_as_they_say() {
    let kernel = Kernel::open(PROBE);
    let mut refused = 0;
    for (name, text) in examples::files("bpf") {
        let loaded =
            load(&text, &Request::default()).unwrap_or_else(|faults| panic!("{name}: {}", faults[0]));
        let Form::Ebpf(program) = &loaded.form else { panic!("{name} is no eBPF program") };
        let says = !name.starts_with("refused-");
        let ours = verify_with(program, &loaded.program_type, Settings::default());
        assert_eq!(ours.is_ok(), says, "{name}: {:?}", ours.err());
        refused += usize::from(!says);
        // Contexts of people's own are no types of Linux's.
        if let (Ok(kernel), true) = (&kernel, loaded.program_type.number != 0) {
            let theirs =
                kernel.judge(&loaded.program_type, program, Manner { log_level: 1, ..Manner::default() });
            let theirs = theirs.unwrap_or_else(|error| panic!("{name}: the kernel answers {error}"));
            assert_eq!(theirs.accepted, says, "{name}: {}", theirs.log);
            if let Err(ours) = ours {
                assert!(theirs.log.contains(&ours.reason.to_string()), "{name}: {}", theirs.log);
            }
        }
    }
    assert!(refused >= 6);
    if let Err(why) = kernel {
        skipped("the running kernel", &why);
    }
}

#[test]
fn filters_of_system_calls_are_taken() {
    let files = examples::files("seccomp");
    assert!(!files.is_empty());
    for (name, text) in files {
        let request = Request { program_type: Some((&SECCOMP).into()), ..Request::default() };
        let loaded = load(&text, &request).unwrap_or_else(|faults| panic!("{name}: {}", faults[0]));
        let Form::Classic(program, _) = &loaded.form else { panic!("{name} is no classic program") };
        assert_eq!(program.rules(), classic::Rules::Seccomp, "{name}");
    }
}
