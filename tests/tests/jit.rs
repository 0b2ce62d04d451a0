//! Compiled programs against interpreted ones: the same r0, packet, context and tables, whatever the CPU can.

use bpf64_core::context::skb::Skb;
use bpf64_core::environment::{Environment, SCHED_CLS, SOCKET_FILTER, World, XDP};
use bpf64_core::load::{Request, load};
use bpf64_tests::input::Input;
use bpf64_tests::jit::compare;
use bpf64_tests::property::check;

/// Programs of a type: how many, and how long.
fn agree(environment: &'static Environment, cases: u64, most: usize) {
    let mut refused = 0;
    let name = format!("compiled and interpreted {} programs", environment.name);
    check(&name, cases, |make| {
        let (program, input) = make.accepted_program_for(environment, most);
        refused += u64::from(!compare(&program, environment, &input)?);
        Ok(())
    });
    assert!(refused * 10 <= cases * 7, "the verifier refuses {refused} of {cases} programs");
}

/// Programs full of what may be compiled into less than is written.
#[test]
fn idioms() {
    let mut refused = 0;
    check("compiled and interpreted idioms", 600, |make| {
        let (program, input) = make.idioms(12);
        refused += u64::from(!compare(&program, &SCHED_CLS, &input)?);
        Ok(())
    });
    assert!(refused < 60, "the verifier refuses {refused}");
}

#[test]
fn socket_filters() {
    agree(&SOCKET_FILTER, 4_000, 40);
}

#[test]
fn traffic_control() {
    agree(&SCHED_CLS, 3_000, 30);
}

#[test]
fn drivers() {
    agree(&XDP, 3_000, 30);
}

/// A function in place of its call, whose registers have other names there, still loads what its context stands for.
#[test]
fn names_of_the_proof() {
    let text = "
        .type xdp
        r6 = r1
        r7 = 1
        r1 = r6
        call length
        r7 += r0
        r1 = r6
        call length
        r0 += r7
        exit
        length:
        r6 = r1
        r7 = *(u32 *)(r6 + 4)
        r6 = *(u32 *)(r6 + 0)
        r0 = r7
        r0 -= r6
        exit";
    let loaded = load(text.as_bytes(), &Request::default()).expect("it is a program");
    let input = Input::from(World::new(Skb::ethernet(vec![0; 60])));
    assert_eq!(compare(&loaded.ebpf(), &XDP, &input), Ok(true));
}
