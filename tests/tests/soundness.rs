//! What the verifier accepts does no harm, and what it says of it is true: accepted programs run step by step on random
//! input, and at every step every register is what the facts claim.

use bpf64_core::environment::{Environment, SCHED_CLS, SOCKET_FILTER, World, XDP};
use bpf64_core::isa::{Insn, Reg, Size};
use bpf64_core::load::{Format, load};
use bpf64_core::program::Program;
use bpf64_core::verifier::{Fact, verify};
use bpf64_tests::border::{LENGTH, run as run_border};
use bpf64_tests::claims::{Followed, follow};
use bpf64_tests::generate::Generator;
use bpf64_tests::property::{as_usual, check, tell};

/// Runs of each program of numbers: all tests together make more than ten million steps.
const RUNS: usize = 50;
/// Steps at least, of each test: ten million together.
const STEPS: [u64; 5] = [6_900_000, 150_000, 1_450_000, 1_500_000, 1];
/// Steps of one run at most.
const LONGEST: u64 = 20_000;

/// Says how many steps were followed, and that they are not fewer than they should be.
fn told(name: &str, sum: Followed, steps: u64) {
    tell(format_args!("{name}: {sum:?}"));
    assert!(!as_usual() || sum.steps >= steps, "{sum:?}");
}

fn run(program: &Program, environment: &'static Environment, world: World) -> Result<Followed, String> {
    match verify(program, environment, 0) {
        Ok(verified) => follow(&verified, environment, world, LONGEST),
        Err(_) => Ok(Followed::default()),
    }
}

/// Where every context that is used here has a number that may be read in part: `queue_mapping`, `rx_queue_index`.
const NUMBER: i16 = 12;

fn packet(make: &mut Generator) -> World {
    let length = 14 + make.below(90);
    World::new(bpf64_core::context::skb::Skb::ethernet(make.bytes(length)))
}

#[test]
fn numbers_and_the_stack() {
    let mut sum = Followed::default();
    check("Facts hold of numbers and the stack", 3_000, |make| {
        let program = Program::new(make.linked_program(40), Vec::new()).map_err(|error| error.to_string())?;
        let Ok(verified) = verify(&program, &SOCKET_FILTER, 0) else { return Ok(()) };
        for _ in 0..RUNS {
            sum += follow(&verified, &SOCKET_FILTER, packet(make), LONGEST)?;
        }
        Ok(())
    });
    told("Facts hold of numbers and the stack", sum, STEPS[0]);
}

#[test]
fn packets_and_functions() {
    let mut sum = Followed::default();
    check("Facts hold of packets and functions", 3_000, |make| {
        let environment = make.pick(&[&SOCKET_FILTER, &XDP, &SCHED_CLS]);
        let (program, input) = make.accepted_program_for(environment, 16);
        // The registers that it expects numbers in get them from the context: first those whose loads do not need r1.
        let given = Reg::ALL.iter().copied().filter(|reg| ![Reg::R1, Reg::R6, Reg::R10].contains(reg));
        let mut insns: Vec<Insn> = given
            .map(|dst| {
                let size = make.pick(&[Size::B, Size::H, Size::W]);
                Insn::Load { size, signed: make.percent(20), dst, base: Reg::R1, offset: NUMBER }
            })
            .collect();
        insns.extend(program.insns());
        let program = Program::new(insns, Vec::new()).map_err(|error| error.to_string())?;
        sum += run(&program, environment, input.world)?;
        Ok(())
    });
    told("Facts hold of packets and functions", sum, STEPS[1]);
}

#[test]
fn near_the_border() {
    let (mut sum, mut accepted) = (Followed::default(), 0);
    check("Facts hold near the border", 4_000, |make| {
        let program = make.border_program(LENGTH);
        if let Some(followed) = run_border(make, program)? {
            accepted += 1;
            sum += followed;
        }
        Ok(())
    });
    told(&format!("Facts hold near the border, {accepted} programs"), sum, STEPS[2]);
}

#[test]
fn loops_whose_rounds_are_not_counted() {
    let (mut sum, mut accepted) = (Followed::default(), 0);
    check("Facts hold in loops whose rounds are not counted", 2_000, |make| {
        let program = make.looping_program(LENGTH);
        if let Some(followed) = run_border(make, program)? {
            accepted += 1;
            sum += followed;
        }
        Ok(())
    });
    told(&format!("Facts hold in loops whose rounds are not counted, {accepted} programs"), sum, STEPS[3]);
}

#[test]
fn pointers_near_the_border() {
    let (mut sum, mut accepted) = (Followed::default(), 0);
    check("Facts hold of pointers near the border", 1_000, |make| {
        let program = make.pointer_program(LENGTH);
        if let Some(followed) = run_border(make, program)? {
            accepted += 1;
            sum += followed;
        }
        Ok(())
    });
    told(&format!("Facts hold of pointers near the border, {accepted} programs"), sum, STEPS[4]);
}

/// The fact of a register before the line that says `; here`.
fn at_here(text: &str, reg: usize) -> Fact {
    let loaded = load(text.as_bytes(), &Format::Ebpf.into()).expect("it is a program");
    let program = loaded.ebpf();
    let verified = verify(&program, &loaded.program_type, 0).expect("it does no harm");
    let end = text.find("; here").expect("a line says so");
    let starts =
        |pc: &bpf64_core::program::Pc| program.origin(*pc).text.clone().is_some_and(|span| span.start < end);
    let pc = program.pcs().rfind(starts).expect("there is an instruction");
    verified.facts().before(pc).expect("it is reached")[reg]
}

#[test]
fn what_a_covered_path_brings_is_known() {
    // The second path to `join` ends there, since nothing depends on r7, which is 7 on the first and 100 on the second.
    let text = "\
r6 = *(u32 *)(r1 + 0)
r7 = 7
if r6 > 5 goto other
goto join
other: r7 = 100
join: r8 = r7
r8 += 1
r0 = r8  ; here
exit
";
    let Fact::Number(number) = at_here(text, 8) else { panic!("r8 is a number") };
    assert!(number.contains(8) && number.contains(101) && !number.contains(200), "{number}");
}

#[test]
fn a_counter_is_known_by_its_loop() {
    let text = "\
r6 = 0
loop: r6 += 2
r0 = r6  ; here
if r6 < 100 goto loop
exit
";
    let Fact::Number(number) = at_here(text, 6) else { panic!("r6 is a number") };
    assert_eq!((number.wide.unsigned.min, number.wide.unsigned.max), (2, 100));
}

#[test]
fn numbers_that_were_one_on_the_covering_path_only() {
    // At `join` r8 is r7 on the first path, which covers the second, where it is another number: nothing depends on it.
    let text = "\
r7 = *(u32 *)(r1 + 8)
r6 = *(u32 *)(r1 + 0)
r8 = *(u32 *)(r1 + 12)
if r6 > 500 goto join
r0 = 1
if r6 > 400 goto join
r2 = 2
r3 = 3
r4 = 4
r5 = 5
r9 = 9
r8 = r7
join: r9 = 0
if r7 != 3 goto out
r0 = r8  ; here
out: r0 = 0
exit
";
    let Fact::Number(number) = at_here(text, 8) else { panic!("r8 is a number") };
    assert!(number.contains(3) && number.contains(4), "{number}");
}

#[test]
fn what_a_covered_path_brings_past_a_tail_call() {
    // The path on which main's slot holds 100 ends at `join`. Only where the other program takes over does the slot stay
    // as it is.
    let text = "\
.type sched_cls
.map programs prog_array key=4 value=4 max=2
r6 = r1
*(u64 *)(r10 - 8) = 7
r2 = r10
r2 += -8
call f
r8 = *(u64 *)(r10 - 8)
r8 += 1
r0 = r8  ; here
exit
f: r6 = r1
r7 = r2
r3 = *(u32 *)(r6 + 0)
if r3 > 500 goto other
if r3 > 400 goto other
r0 = 0
r1 = 1
r2 = 2
r3 = 3
r4 = 4
r5 = 5
r8 = 8
r9 = 9
goto join
other: *(u64 *)(r7 + 0) = 100
join: r1 = r6
r2 = map[programs]
r3 = 0
call tail_call
*(u64 *)(r7 + 0) = 7
r0 = 0
exit
";
    let Fact::Number(number) = at_here(text, 8) else { panic!("r8 is a number") };
    assert!(number.contains(8) && number.contains(101), "{number}");
}
