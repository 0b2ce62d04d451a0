//! The running form of the interpreter: whatever it does, the stepping form does the same.

use bpf64_core::classic::convert::convert;
use bpf64_core::context::skb::Skb;
use bpf64_core::environment::{Environment, SCHED_CLS, SOCKET_FILTER, World, XDP};
use bpf64_core::heat::Heat;
use bpf64_core::interp::{Machine, Outcome};
use bpf64_core::isa::{Insn, WideImm};
use bpf64_core::load::{Request, load};
use bpf64_core::machine::{Flow, Machine as _, Observer, Place, Sent};
use bpf64_core::program::{Pc, Program};
use bpf64_core::running::{Code, Runner};
use bpf64_core::verifier::verify;
use bpf64_tests::generate::Generator;
use bpf64_tests::input::Input;
use bpf64_tests::property::{as_usual, check};
use std::rc::Rc;

/// More than any generated program needs.
const LIMIT: u64 = 100_000;

/// What a run lets out besides its result.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    lines: Vec<String>,
    sent: Vec<Sent>,
}

impl Observer for Told {
    fn read(&mut self, _: Place, _: u64) {}
    fn wrote(&mut self, _: Place, _: u64, _: u64) {}

    fn printed(&mut self, line: &str) {
        self.lines.push(line.to_owned());
    }

    fn sent(&mut self, sent: &Sent) {
        self.sent.push(sent.clone());
    }
}

/// How often instructions were executed, and followed by another than the next one: counted one by one.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counted {
    executed: Vec<u64>,
    taken: Vec<u64>,
}

impl Counted {
    fn new(insns: usize) -> Self {
        Counted { executed: vec![0; insns], taken: vec![0; insns] }
    }

    /// Adds what a run executes of the program that it begins with; `heat` is told of it by the machine.
    fn add(&mut self, mut machine: Machine, limit: u64, heat: &mut Heat) {
        heat.begin();
        let mut done = false;
        for _ in 0..limit {
            let (program, pc) = (machine.running(), machine.pc());
            let Ok(flow) = machine.step(heat) else { break };
            done = matches!(flow, Flow::End(..));
            if program == 0 {
                self.executed[pc.index()] += 1;
                self.taken[pc.index()] +=
                    u64::from(!done && (machine.running(), machine.pc()) != (0, pc.next()));
            }
            if done {
                break;
            }
        }
        heat.end((machine.running(), machine.pc()), done);
    }

    /// Whether this is what was counted by jumps.
    fn compare(&self, heat: &Heat, how: &str) -> Result<(), String> {
        let found = Counted { executed: heat.executed(), taken: heat.taken().to_vec() };
        if found == *self { Ok(()) } else { Err(format!("counted {how}\nfound  {found:?}\nwanted {self:?}")) }
    }
}

/// Counts by the running form: at once, up to a limit, or in slices.
fn count(mut runner: Runner, heat: &mut Heat, mut go: impl FnMut(&mut Runner, &mut Heat) -> Outcome) {
    heat.begin();
    let outcome = go(&mut runner, heat);
    heat.end((runner.machine().running(), runner.machine().pc()), matches!(outcome.end, Some(Ok(_))));
}

/// Both forms count the same, wherever a run ends.
fn count_alike(forms: &Forms, machine: &Machine, limit: u64, budget: u64) -> Result<(), String> {
    let insns = machine.program().insns().len();
    for limit in [LIMIT, limit] {
        let (mut counted, mut heat) = (Counted::new(insns), Heat::new(insns));
        counted.add(machine.clone(), limit, &mut heat);
        counted.compare(&heat, &format!("step by step up to {limit}"))?;
        let mut heat = Heat::new(insns);
        count(forms.runner(machine.clone()), &mut heat, |runner, heat| runner.run(limit, heat));
        counted.compare(&heat, &format!("up to {limit}"))?;
        if limit == LIMIT {
            let mut heat = Heat::new(insns);
            count(forms.runner(machine.clone()), &mut heat, |runner, heat| {
                loop {
                    if let Some(outcome) = runner.go_on(budget, heat) {
                        break outcome;
                    }
                }
            });
            counted.compare(&heat, &format!("in slices of {budget}"))?;
        }
    }
    Ok(())
}

/// Everything that a run leaves behind; stack that was never used is as good as none.
#[derive(Debug, PartialEq)]
struct Left {
    outcome: Outcome,
    pc: Pc,
    registers: [u64; 11],
    context: Vec<u8>,
    stack: Vec<u8>,
    world: World,
    told: Told,
}

impl Left {
    fn new(outcome: Outcome, machine: &Machine, told: Told) -> Self {
        let used = machine.stack.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        Left {
            outcome,
            pc: machine.pc(),
            registers: machine.registers,
            context: machine.context.clone(),
            stack: machine.stack[..used].to_vec(),
            world: machine.world.clone(),
            told,
        }
    }
}

fn stepped(mut machine: Machine, limit: u64) -> Left {
    let mut told = Told::default();
    let mut executed = 0;
    let mut end = None;
    while end.is_none() && executed < limit {
        match machine.step(&mut told) {
            Ok(Flow::Next) => executed += 1,
            Ok(Flow::End(value, ending)) => {
                executed += 1;
                end = Some(Ok((value, ending)));
            }
            Err(trap) => end = Some(Err(trap)),
        }
    }
    Left::new(Outcome { end, executed }, &machine, told)
}

/// The running form of a program, and of those that it may go on in; one in three of those is stepped.
#[derive(Debug)]
struct Forms {
    code: Rc<Code>,
    others: Vec<Option<Rc<Code>>>,
}

impl Forms {
    fn runner(&self, machine: Machine) -> Runner {
        Runner::with(Rc::clone(&self.code), machine).with_programs(self.others.clone())
    }
}

fn ran(forms: &Forms, machine: Machine, limit: u64) -> Left {
    let mut told = Told::default();
    let mut runner = forms.runner(machine);
    let outcome = runner.run(limit, &mut told);
    Left::new(outcome, runner.machine(), told)
}

/// In slices of about `budget` instructions.
fn sliced(forms: &Forms, machine: Machine, budget: u64) -> Left {
    let mut told = Told::default();
    let mut runner = forms.runner(machine);
    let outcome = loop {
        if let Some(outcome) = runner.go_on(budget, &mut told) {
            break outcome;
        }
    };
    Left::new(outcome, runner.machine(), told)
}

/// After a run over another packet, in a world that is the same otherwise.
fn again(forms: &Forms, machine: Machine, other: Vec<u8>, limit: u64) -> Left {
    let world = machine.world.clone();
    let mut first = world.clone();
    first.skb.packet = other;
    let mut runner = Runner::new(Rc::clone(&forms.code), first).with_programs(forms.others.clone());
    // The first may have everything to do, the second finds what the first has left.
    for _ in 0..2 {
        let _ = runner.run(limit, &mut Told::default());
        *runner.world_mut() = world.clone();
        runner.restart();
    }
    let mut told = Told::default();
    let outcome = runner.run(limit, &mut told);
    Left::new(outcome, runner.machine(), told).seen_by_others()
}

impl Left {
    /// Without what nobody looks at: registers of a program that has ended but r0, and the context, which is filled in
    /// for those who do.
    fn seen_by_others(mut self) -> Self {
        self.registers[1..].fill(0);
        self.context.clear();
        self
    }
}

/// The program with the registers set that it reads.
fn with_registers(program: &Program, input: &Input) -> Program {
    let set = input.registers.iter().map(|&(dst, value)| Insn::LoadImm { dst, imm: WideImm::Const(value) });
    let insns = set.chain(program.insns().iter().copied()).collect();
    let maps = program.maps().iter().map(|map| (**map).clone()).collect();
    let program = Program::new(insns, Vec::new()).and_then(|program| program.with_maps(maps));
    program.expect("jumps are as far as they were").with_functions(Vec::new())
}

/// Where programs come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Numbers, the packet, the stack, functions of the program.
    Plain,
    /// Tables, functions of the environment, functions that are called back, tail calls.
    Tables,
    /// Near the border of what is accepted: loops, atomics, pointers that move.
    Border,
    /// What compilers write.
    Idioms,
}

const KINDS: [Kind; 4] = [Kind::Plain, Kind::Tables, Kind::Border, Kind::Idioms];

/// A program, its type, and the world it meets.
fn subject(make: &mut Generator, kind: Kind) -> (Program, &'static Environment, World) {
    match kind {
        Kind::Plain => {
            let environment = make.pick(&[&SOCKET_FILTER, &SCHED_CLS, &XDP]);
            let (program, input) = make.accepted_program_for(environment, 30);
            (with_registers(&program, &input), environment, input.world)
        }
        Kind::Tables => {
            let environment = make.pick(&[&SOCKET_FILTER, &SCHED_CLS, &XDP]);
            let (program, others, input) = make.program_with_tables(environment, 30);
            let programs = others.iter().map(|other| Rc::new(with_registers(other, &input))).collect();
            (with_registers(&program, &input), environment, World { programs, ..input.world })
        }
        Kind::Border => {
            let (environment, program) = make.border_program(20);
            (program, environment, make.packet_world())
        }
        Kind::Idioms => {
            let (program, input) = make.idioms(12);
            (with_registers(&program, &input), &SCHED_CLS, input.world)
        }
    }
}

/// Runs it in both forms and in all ways. How many instructions it executes; `None` if it is not verified.
fn agree(make: &mut Generator, kind: Kind) -> Result<Option<u64>, String> {
    let (program, environment, world) = subject(make, kind);
    let Ok(verified) = verify(&program, environment, 0) else { return Ok(None) };
    let mut others = Vec::new();
    for other in &world.programs {
        let Ok(proof) = verify(other, environment, 0) else { return Ok(None) };
        others.push((make.below(3) > 0).then(|| Rc::new(Code::new(&proof, environment))));
    }
    let machine = Machine::new(Rc::new(program.clone()), environment, world);
    let forms = Forms { code: Rc::new(Code::new(&verified, environment)), others };
    let whole = stepped(machine.clone(), LIMIT);
    if whole.outcome.end.is_none() {
        return Ok(None);
    }
    let same = |found: Left, wanted: &Left, how: &str| {
        if found == *wanted {
            return Ok(());
        }
        let listing: String = program.insns().iter().map(|insn| format!("{insn}\n")).collect();
        Err(format!("{how}, {}\n{listing}\nfound  {found:x?}\nwanted {wanted:x?}", environment.name))
    };
    same(ran(&forms, machine.clone(), LIMIT), &whole, "at once")?;
    let mut other = machine.world.skb.packet.clone();
    other.truncate(make.below(other.len() + 1));
    other.extend(make.bytes(20));
    let wanted = stepped(machine.clone(), LIMIT).seen_by_others();
    same(again(&forms, machine.clone(), other, LIMIT), &wanted, "after another packet")?;
    let budget = 1 + make.below(40) as u64;
    same(sliced(&forms, machine.clone(), budget), &whole, &format!("in slices of {budget}"))?;
    // Wherever the limit falls, both stand at the same place.
    let limit = make.below(whole.outcome.executed as usize + 2) as u64;
    let stopped = stepped(machine.clone(), limit);
    same(ran(&forms, machine.clone(), limit), &stopped, &format!("up to {limit}"))?;
    count_alike(&forms, &machine, limit, budget).map_err(|why| {
        let listing: String = program.insns().iter().map(|insn| format!("{insn}\n")).collect();
        format!("{}\n{listing}\n{why}", environment.name)
    })?;
    Ok(Some(whole.outcome.executed))
}

#[test]
fn running_form_and_stepping_form_agree() {
    for kind in KINDS {
        let (mut accepted, mut refused, mut instructions) = (0u32, 0u32, 0);
        check(&format!("running form, {kind:?}"), 150, |make| {
            match agree(make, kind)? {
                Some(executed) => {
                    accepted += 1;
                    instructions += executed;
                }
                None => refused += 1,
            }
            Ok(())
        });
        println!(
            "{kind:?}: {accepted} verified programs of {instructions} instructions in all, {refused} refused"
        );
        if as_usual() {
            assert!(accepted > refused / 4, "too few programs are verified for this to test much");
        }
    }
}

/// A program runs over one packet after the other on one machine, and ends over each as it does step by step. What it is
/// made of, if it is verified.
fn agree_over_packets(
    program: Program,
    environment: &'static Environment,
    packets: Vec<Vec<u8>>,
    make: &mut Generator,
) -> Result<Option<Rc<Code>>, String> {
    let Ok(verified) = verify(&program, environment, 0) else { return Ok(None) };
    let program = Rc::new(program);
    let code = Rc::new(Code::new(&verified, environment));
    let mut runner = Runner::new(Rc::clone(&code), World::default());
    let insns = program.insns().len();
    let (mut counted, mut stepping, mut running) = (Counted::new(insns), Heat::new(insns), Heat::new(insns));
    for packet in packets {
        let world = World::new(Skb::ethernet(packet));
        let machine = Machine::new(Rc::clone(&program), environment, world.clone());
        let wanted = stepped(machine.clone(), LIMIT);
        counted.add(machine, LIMIT, &mut stepping);
        *runner.world_mut() = world.clone();
        runner.restart();
        running.begin();
        let outcome = runner.run(LIMIT, &mut running);
        running.end((0, runner.machine().pc()), matches!(outcome.end, Some(Ok(_))));
        *runner.world_mut() = world;
        // Enough, or not quite.
        let enough = make.percent(80);
        let limit = if enough { LIMIT } else { make.below(wanted.outcome.executed as usize + 2) as u64 };
        runner.restart();
        let mut told = Told::default();
        let mut outcome = runner.run(limit, &mut told);
        if outcome.end.is_none() {
            let stopped = (outcome.executed, limit);
            if stopped.0 != stopped.1 {
                return Err(format!("{} instructions instead of {}", stopped.0, stopped.1));
            }
            outcome = runner.run(LIMIT, &mut told);
        }
        let found = Left::new(outcome, runner.machine(), told).seen_by_others();
        let wanted = wanted.seen_by_others();
        if found != wanted {
            let listing: String = program.insns().iter().map(|insn| format!("{insn}\n")).collect();
            return Err(format!("{}\n{listing}\nfound  {found:x?}\nwanted {wanted:x?}", environment.name));
        }
    }
    counted.compare(&stepping, "step by step over packets")?;
    counted.compare(&running, "over packets")?;
    Ok(Some(code))
}

/// What the nodes of a graph of decisions ask.
const QUESTIONS: [&str; 7] = ["Equal", "Behind", "Above", "AboveInOrder", "Reaches", "Among", "Sum"];

#[test]
fn filters_decide_as_they_step() {
    let (mut deciding, mut others, mut refused) = (0u32, 0u32, 0u32);
    let mut asked = [0; QUESTIONS.len()];
    check("filters", 1000, |make| {
        let (program, packets) = make.filter(12);
        match agree_over_packets(program, &SCHED_CLS, packets, make)? {
            Some(code) if code.only_decides() => {
                deciding += 1;
                let shown = format!("{code:?}");
                for (count, question) in asked.iter_mut().zip(QUESTIONS) {
                    *count += shown.matches(&format!("kind: {question},")).count();
                }
            }
            Some(_) => others += 1,
            None => refused += 1,
        }
        Ok(())
    });
    println!("{deciding} that only decide, {others} others, {refused} refused; {QUESTIONS:?}: {asked:?}");
    if as_usual() {
        assert!(deciding > others && deciding > refused, "too few of them only decide for this to test much");
        assert!(asked.iter().all(|&count| count > 20), "some kind of question is hardly asked");
    }
}

#[test]
fn converted_programs_decide_as_they_step() {
    let (mut deciding, mut others) = (0u32, 0u32);
    check("converted programs", 1000, |make| {
        let (classic, packet) = make.repetitive_program(30);
        let packets = vec![packet, make.packet(), make.packet(), Vec::new()];
        if let Some(code) = agree_over_packets(convert(&classic).program, &SOCKET_FILTER, packets, make)? {
            *(if code.only_decides() { &mut deciding } else { &mut others }) += 1;
        }
        Ok(())
    });
    println!("{deciding} that only decide, {others} others");
    if as_usual() {
        assert!(deciding > 100, "too few of them only decide for this to test much");
    }
}

/// A load and comparisons with other instructions between them, which are executed as one: those who count see each.
#[test]
fn comparisons_apart_from_each_other_are_counted_one_by_one() {
    let text = "r6 = r1\nr0 = *(u16 *)skb[12]\nif w0 != 0x806 goto other\nw0 = 1\nexit\n\
                other: if w0 == 0x800 goto ip\nw0 = 2\nexit\nip: w0 = 3\nexit";
    let loaded = load(text.as_bytes(), &Request::default()).expect("is a program");
    let program = loaded.ebpf();
    let verified = verify(&program, &SOCKET_FILTER, 0).expect("is verified");
    let code = Rc::new(Code::new(&verified, &SOCKET_FILTER));
    assert!(format!("{code:?}").contains("PacketHRoute"), "{code:?}");
    let mut heat = Heat::new(program.insns().len());
    let mut runner = Runner::new(code, World::default());
    for kind in [[8, 0], [8, 0], [8, 6], [7, 7]] {
        *runner.world_mut() = World::new(Skb::ethernet([&[0; 12][..], &kind].concat()));
        runner.restart();
        heat.begin();
        let outcome = runner.run(LIMIT, &mut heat);
        heat.end((0, runner.machine().pc()), matches!(outcome.end, Some(Ok(_))));
    }
    assert_eq!(heat.executed(), [4, 4, 4, 1, 1, 3, 1, 1, 2, 2]);
    assert_eq!(heat.taken(), [0, 0, 3, 0, 0, 2, 0, 0, 0, 0]);
}
