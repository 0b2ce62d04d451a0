//! Compiled programs against interpreted ones: the same r0, packet, context and tables, whatever the CPU can.

use bpf64_core::context::skb::Skb;
use bpf64_core::environment::{Environment, SCHED_CLS, SOCKET_FILTER, World, XDP};
use bpf64_core::interp;
use bpf64_core::load::{Request, load};
use bpf64_core::machine::Ending;
use bpf64_core::maps::MapDef;
use bpf64_core::verifier::verify;
use bpf64_tests::input::Input;
use bpf64_tests::jit::{compare, compare_with};
use bpf64_tests::property::check;
use std::rc::Rc;

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
    agree(&SOCKET_FILTER, 3_000, 40);
}

#[test]
fn traffic_control() {
    agree(&SCHED_CLS, 2_400, 30);
}

#[test]
fn drivers() {
    agree(&XDP, 2_000, 30);
}

/// Programs with tables, functions of the environment, functions that are called back, and tail calls.
#[test]
fn tables() {
    let mut refused = 0;
    check("compiled and interpreted programs with tables", 2_000, |make| {
        let environment = make.pick(&[&SCHED_CLS, &XDP, &SOCKET_FILTER]);
        let (program, others, input) = make.program_with_tables(environment, 30);
        refused += u64::from(!compare_with(&program, &others, environment, &input)?);
        Ok(())
    });
    assert!(refused < 1_000, "the verifier refuses {refused}");
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

/// A printed line is known by the call that printed it, also in a function in place of its call, in one that is called,
/// and in one that is called back.
#[test]
fn lines_know_who_printed_them() {
    use bpf64_core::machine::{Flow, Machine, Observer, Place};
    use bpf64_core::program::Pc;
    use bpf64_jit::runtime::{self, Compiled};
    use bpf64_jit::{Options, compile};
    use std::rc::Rc;

    #[derive(Default)]
    struct Heard(Pc, Vec<(Pc, String)>);
    impl Observer for Heard {
        fn read(&mut self, _: Place, _: u64) {}
        fn wrote(&mut self, _: Place, _: u64, _: u64) {}
        fn printed(&mut self, line: &str) {
            self.1.push((self.0, line.to_owned()));
        }
    }

    let print = |label: &str, number: i32| {
        format!(
            "{label}: r1 = 0x6425
             *(u64 *)(r10 - 8) = r1
             r1 = r10
             r1 += -8
             r2 = 3
             r3 = {number}
             call trace_printk\n"
        )
    };
    let text = format!(
        ".type xdp
         {}call small
         call again
         r1 = 2
         r2 = code[back]
         r3 = 0
         r4 = 0
         call loop
         {}r0 = 2
         exit
         {}exit
         {}call small
         r0 = 0
         exit
         {}r0 = 0
         exit",
        print("first", 1),
        print("last", 2),
        print("small", 3),
        print("again", 4),
        print("back", 5)
    );
    let loaded = load(text.as_bytes(), &Request::default()).unwrap_or_else(|faults| panic!("{}", faults[0]));
    let program = Rc::new(loaded.ebpf());
    let world = World::new(Skb::ethernet(vec![0; 60]));
    let mut machine =
        bpf64_core::interp::Machine::new(Rc::clone(&program), loaded.program_type.clone(), world.clone());
    let mut heard = Heard::default();
    loop {
        heard.0 = machine.pc();
        if let Flow::End(..) = machine.step(&mut heard).expect("the program does no harm") {
            break;
        }
    }
    let numbers: Vec<&str> = heard.1.iter().map(|(_, line)| line.as_str()).collect();
    assert_eq!(numbers, ["1", "3", "4", "3", "5", "5", "2"]);
    let verified =
        verify(&program, &loaded.program_type, 0).unwrap_or_else(|rejection| panic!("{rejection}"));
    for options in [Options::host(), Options { budget: true, ..Options::default() }] {
        let code = compile(&verified, &loaded.program_type, &options).expect("all it calls is there");
        let Ok(compiled) = Compiled::new(code) else {
            println!("skipped: the JIT: this is another kind of machine");
            return;
        };
        let (compiled, kind) = (Rc::new(compiled), loaded.program_type.clone());
        let mut machine = runtime::Machine::new(compiled, Vec::new(), program.maps(), kind, world.clone());
        machine.run(10_000);
        let printed = machine.take_printed().into_iter().map(|(at, line)| (at.pc, line));
        assert_eq!(printed.collect::<Vec<_>>(), heard.1, "{options:?}");
    }
}

/// A load outside the packet in a function is a return with 0, and so is one in a program that took over there: Linux
/// 6.18 says 5 to the first two as well (asked with bpftool, since it wants functions described by BTF).
#[test]
fn outside_the_packet_in_functions() {
    let program = |text: &str| {
        let text = format!(".type sched_cls\n.map programs prog_array key=4 value=4 max=1\n{text}");
        let program = load(text.as_bytes(), &Request::default()).expect("it is a program").ebpf();
        let mut programs = MapDef::clone(&program.maps()[0]);
        programs.entries = vec![(vec![0; 4], vec![0; 4])];
        program.with_maps(vec![programs]).expect("the table can be made")
    };
    let run = |text: &str, other: &str| {
        let (program, others) = (program(text), [Rc::new(program(other))]);
        let input = Input::from(World::new(Skb::ethernet(vec![0; 60])));
        assert_eq!(compare_with(&program, &others, &SCHED_CLS, &input), Ok(true));
        let world = World { programs: others.to_vec(), ..input.world };
        interp::Machine::new(Rc::new(program), &SCHED_CLS, world).run(100).end
    };
    let load = "r6 = r1\nr0 = *(u8 *)skb[1000]\nexit";
    let goes_on = "r2 = map[programs]\nr3 = 0\ncall tail_call\nr0 = 70\nexit";
    let in_function = |text: &str| format!("call function\nr0 += 5\nexit\nfunction:\n{text}");
    assert_eq!(run(&in_function(load), load), Some(Ok((5, Ending::Returned))));
    assert_eq!(run(&in_function(goes_on), load), Some(Ok((5, Ending::Returned))));
    assert_eq!(run(goes_on, load), Some(Ok((0, Ending::OutsidePacket))));
}
