//! Explanations: `suites/explain`, and any step of any run.

use bpf64_core::classic::{self, Ancillary, Rules, encoding as classic_encoding};
use bpf64_core::context::skb::{Skb, link_type};
use bpf64_core::debugger::Session;
use bpf64_core::environment::{Environment, SOCKET_FILTER, World, XDP};
use bpf64_core::load::{Form, Loaded, Request, load};
use bpf64_core::machine::Machine;
use bpf64_core::maps::{ARRAY, HASH, MapDef};
use bpf64_core::program::{Pc, Program};
use bpf64_core::{explain, interp};
use bpf64_tests::generate::Generator;
use bpf64_tests::input::{self, Input};
use bpf64_tests::kinds::{all_kinds, kind};
use bpf64_tests::property::check;
use bpf64_tests::suite::{self, Case};
use std::collections::BTreeSet;
use std::rc::Rc;

/// The most steps of a run that a suite tells.
const LIMIT: usize = 400;

/// What was explained: kinds of eBPF instructions, classic codes, ancillary loads.
#[derive(Default)]
struct Seen {
    kinds: BTreeSet<String>,
    codes: BTreeSet<u16>,
    ancillaries: BTreeSet<u32>,
}

impl Seen {
    fn classic(&mut self, insn: &classic::Insn) {
        self.codes.insert(classic_encoding::encode(insn).code);
        if let classic::Insn::LoadAncillary { what, .. } = insn {
            self.ancillaries.insert(what.offset());
        }
    }
}

/// The program of a case; one whose name ends in "(seccomp)" is checked for that.
fn loaded(case: &Case) -> Result<Loaded, String> {
    let shown = |faults: Vec<bpf64_core::diagnostic::Diagnostic>| {
        faults.iter().map(|fault| format!("{fault}\n")).collect::<String>()
    };
    let loaded = load(case.text.as_bytes(), &Request::default()).map_err(shown)?;
    if case.name.ends_with("(seccomp)") { loaded.for_seccomp().map_err(shown) } else { Ok(loaded) }
}

/// What each instruction does whenever it is executed.
fn in_general(loaded: &Loaded, seen: &mut Seen) -> Vec<String> {
    match &loaded.form {
        Form::Classic(program, _) => {
            let sentence = |(pc, insn): (Pc, &classic::Insn)| {
                seen.classic(insn);
                format!("! {pc}: {}", classic::doc::sentence(insn, pc, program.rules()))
            };
            program.pcs().zip(program.insns()).map(sentence).collect()
        }
        Form::Ebpf(program) => {
            let sentence = |pc| {
                seen.kinds.extend([true, false].map(|taken| kind(&program.insn(pc), taken)));
                format!("! {}: {}", program.slot(pc), explain::insn(program, pc, &loaded.program_type))
            };
            program.pcs().map(sentence).collect()
        }
    }
}

/// What each step of a run does.
fn in_a_run(loaded: &Loaded, input: Input, seen: &mut Seen) -> Vec<String> {
    let Input { mut world, registers, link } = input;
    match &loaded.form {
        Form::Classic(program, _) => {
            if program.rules() == Rules::Seccomp {
                world.record = std::mem::take(&mut world.skb.packet);
            }
            let machine = classic::interp::Machine::new(Rc::new(program.clone()), world);
            let told = told(Session::new(machine, LIMIT), |session, step| {
                explain::classic_step(session, step, link)
            });
            told.into_iter()
                .map(|(pc, _, sentence)| {
                    seen.classic(&program.insns()[pc.index()]);
                    format!("! {pc}: {sentence}")
                })
                .collect()
        }
        Form::Ebpf(program) => {
            let mut machine =
                interp::Machine::new(Rc::new(program.clone()), loaded.program_type.clone(), world);
            for (reg, value) in registers {
                machine.registers[reg.index()] = value;
            }
            let told =
                told(Session::new(machine, LIMIT), |session, step| explain::ebpf_step(session, step, link));
            told.into_iter()
                .map(|(pc, next, sentence)| {
                    if let Some(insn) = program.insns().get(pc.index()) {
                        let target = insn.jump_offset().and_then(|offset| program.target(pc, offset));
                        seen.kinds.insert(kind(insn, target == next));
                    }
                    format!("! {}: {sentence}", program.slot(pc))
                })
                .collect()
        }
    }
}

/// Every step: its instruction, the next one, and its explanation.
fn told<M: Machine>(
    mut session: Session<M>,
    explain: impl Fn(&Session<M>, usize) -> Option<String>,
) -> Vec<(Pc, Option<Pc>, String)> {
    let mut told = Vec::new();
    loop {
        let step = session.position();
        if let Some(pc) = session.pc_of(step) {
            let sentence = explain(&session, step).expect("what has an instruction has an explanation");
            told.push((pc, session.pc_of(step + 1), sentence));
        }
        if !session.step() {
            return told;
        }
    }
}

#[test]
fn suites() {
    let (mut general, mut run) = (Seen::default(), Seen::default());
    suite::run("explain", |case| {
        let loaded = loaded(case)?;
        let mut answer = Vec::new();
        for line in case.expected.iter().filter(|line| line.starts_with('>')) {
            answer.push(line.clone());
            let words = line.trim_start_matches('>').trim();
            answer.extend(match words {
                "in general" => in_general(&loaded, &mut general),
                words => in_a_run(&loaded, input::parse(words)?, &mut run),
            });
        }
        Ok(answer)
    });
    for (seen, how) in [(general, "in general"), (run, "in a run")] {
        let missing: Vec<String> =
            all_kinds().into_iter().filter(|kind| !seen.kinds.contains(kind)).collect();
        assert!(missing.is_empty(), "explained {how} in no case:\n{}", missing.join("\n"));
        assert_eq!(seen.codes.len(), 49, "classic codes explained {how}: {:x?}", seen.codes);
        assert_eq!(seen.ancillaries.len(), Ancillary::TABLE.len(), "ancillary loads explained {how}");
    }
}

/// A sentence that can be shown anywhere.
fn fits(sentence: &str) -> Result<(), String> {
    let length = sentence.chars().count();
    if sentence.chars().any(char::is_control) {
        Err(format!("more than a line, or signs that drive a terminal: {sentence:?}"))
    } else if !(3..200).contains(&length) || sentence.ends_with('.') || sentence.trim() != sentence {
        Err(format!("{length} characters: {sentence:?}"))
    } else {
        Ok(())
    }
}

/// Explains every step of a run from where it is made, and some from elsewhere, which must not matter.
fn every_step<M: Machine>(
    make: &mut Generator,
    machine: M,
    explain: impl Fn(&Session<M>, usize) -> Option<String>,
) -> Result<(), String> {
    let mut session = Session::new(machine, 200);
    let steps = session.steps();
    let mut sentences = Vec::new();
    loop {
        let sentence = explain(&session, session.position());
        if sentence.is_some() != session.pc().is_some() {
            return Err(format!("step {} of {steps}: {sentence:?}", session.position()));
        }
        if let Some(sentence) = sentence {
            fits(&sentence)?;
            sentences.push(sentence);
        }
        if !session.step() {
            break;
        }
    }
    for _ in 0..4 {
        session.seek(make.below(steps + 1));
        let step = make.below(steps + 2);
        let (found, expected) = (explain(&session, step), sentences.get(step));
        if found.as_ref() != expected {
            let position = session.position();
            return Err(format!("step {step} seen from {position}: {found:?} instead of {expected:?}"));
        }
    }
    Ok(())
}

/// Two tables, one with a name that nobody should print as it is.
fn with_maps(make: &mut Generator, program: Program) -> Program {
    let long = "long".repeat(100);
    let name = make.pick(&["counters", "two\nlines\u{1b}[2J", &long]);
    let maps = vec![MapDef::new(name, ARRAY, 4, 16, 4), MapDef::new("flows", HASH, 4, 8, 3)];
    program.with_maps(maps).expect("two small tables can be made")
}

#[test]
fn any_step_of_any_program_is_explained_in_a_line() {
    check("explanations", 3_000, |make| {
        let link =
            make.pick(&[link_type::ETHERNET, link_type::ETHERNET, link_type::RAW, link_type::LINUX_SLL]);
        let world = make.world();
        let any = make.program(20);
        let program = if make.percent(50) { any } else { make.running_program(30) };
        let program = Rc::new(with_maps(make, program));
        let environment: &'static Environment = &SOCKET_FILTER;
        for pc in program.pcs() {
            fits(&explain::insn(&program, pc, environment))?;
        }
        let mut machine = interp::Machine::new(Rc::clone(&program), environment, world.clone());
        for reg in &mut machine.registers[..10] {
            // Wild pointers, and pointers nearly right.
            let region = make.pick(&[0, 1, 2, 3, 0x1_0000, 0x1_0001, 0x2_0000, 0x2_0001, 0x2_0007]);
            *reg = if make.percent(30) { region << 32 | u64::from(make.constant()) } else { *reg };
        }
        every_step(make, machine, |session, step| explain::ebpf_step(session, step, link))?;
        // Programs of this type write the packet, so only that nothing breaks is asked.
        let machine = interp::Machine::new(program, &XDP, world.clone());
        let mut session = Session::new(machine, 200);
        session.seek(make.below(200));
        for step in 0..=session.steps() {
            explain::ebpf_step(&session, step, link).as_deref().map_or(Ok(()), fits)?;
        }
        let classic = Rc::new(make.classic_program(30));
        for (pc, insn) in classic.pcs().zip(classic.insns()) {
            fits(&classic::doc::sentence(insn, pc, classic.rules()))?;
        }
        let machine = classic::interp::Machine::new(classic, world);
        every_step(make, machine, |session, step| explain::classic_step(session, step, link))
    });
}

/// A run may go on in other programs: a step is explained by the one that it belongs to, wherever the session stands.
#[test]
fn a_tail_call_goes_on_in_another_program() {
    let program = |text: &str| {
        let loaded = load(text.as_bytes(), &Request::default()).expect("it is well-formed");
        Rc::new(loaded.ebpf())
    };
    let first = program(
        ".map jumps array key=4 value=4 max=1\nr6 = r1\nr2 = map[jumps]\nr3 = 0\ncall tail_call\nr0 = 1\nexit",
    );
    let mut world = World::new(Skb::ethernet([[2; 12].as_slice(), &[8, 0]].concat()));
    world.programs = vec![program("r6 = r1\nr0 = *(u16 *)skb[12]\nif r0 == 0x86dd goto +0\nexit")];
    let mut session = Session::new(interp::Machine::new(first, &SOCKET_FILTER, world), LIMIT);
    let expected = [
        "r6 = r1 = context",
        "r2 = map jumps",
        "r3 = 0",
        "tail_call(context, map jumps, 0) goes on in program 0",
        "r6 = r1 = context",
        "r0 = the 2 bytes at packet + 12, big endian: 0x0800 (IPv4)",
        "0x0800 (IPv4) is not 0x86dd (IPv6): goes on",
        "returns 2048 (0x800): accepted, 2048 bytes kept",
    ];
    for position in [0, 5, usize::MAX] {
        session.seek(position);
        let told: Vec<String> = (0..session.steps())
            .filter_map(|step| explain::ebpf_step(&session, step, link_type::ETHERNET))
            .collect();
        assert_eq!(told, expected, "seen from step {position}");
    }
}
