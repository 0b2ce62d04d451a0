//! The suites: text files of cases, each run on every engine. README.md tells the formats.

use bpf64_core::classic::{self, Ancillary, encoding as classic_encoding};
use bpf64_core::diagnostic::{Diagnostic, Position};
use bpf64_core::load::{Form, Format, Request, load};
use bpf64_core::machine::{Ending, Flow, Machine};
use bpf64_core::program::{Pc, Program};
use bpf64_tests::engine::{CLASSIC, Engine, Interpreter, Outcome, Reread, Running, Stepped, agree, machine};
use bpf64_tests::input::{self, Input};
use bpf64_tests::jit::{Jit, JitFilter};
#[cfg(target_os = "linux")]
use bpf64_tests::kernel::tap::Tap;
use bpf64_tests::kernel::{Kernel, Wire, skipped};
use bpf64_tests::kinds::{all_kinds, kind};
use bpf64_tests::suite::{self, Case};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Asks whether the kernel can be asked.
const PROBE: &str = env!("CARGO_BIN_EXE_probe-kernel");

/// What stands behind a line whose instruction is refused.
const ERROR: &str = "; error: ";

/// The text without the errors expected in it, and these: `line: message`.
fn expected_errors(case: &Case) -> (String, Vec<String>) {
    let mut errors = Vec::new();
    let lines = (1..).zip(case.text.lines()).map(|(number, line)| match line.split_once(ERROR) {
        Some((code, error)) => {
            errors.push(format!("{number}: {error}"));
            code.trim_end()
        }
        None => line,
    });
    let text: Vec<&str> = lines.collect();
    (text.join("\n"), errors)
}

/// The program, or `None` when it was refused as expected.
fn loaded(case: &Case, format: Option<Format>) -> Result<Option<Form>, String> {
    let (text, expected) = expected_errors(case);
    let found: Vec<String> = match load(text.as_bytes(), &Request { format, ..Request::default() }) {
        Ok(loaded) if expected.is_empty() => return Ok(Some(loaded.form)),
        Ok(_) => Vec::new(),
        Err(faults) => {
            let shown =
                |fault: &Diagnostic| format!("{}: {fault}", Position::of(&text, fault.span.start).line);
            faults.iter().map(shown).collect()
        }
    };
    if found != expected {
        return Err(format!("expected errors:\n{}\nfound:\n{}", expected.join("\n"), found.join("\n")));
    }
    if !case.expected.is_empty() {
        return Err("a program that is refused cannot be run".to_owned());
    }
    Ok(None)
}

/// `> INPUT = RESULT`: the line as it should be, given who computes the result.
fn answered(line: &str, result: impl FnOnce(&Input) -> Result<String, String>) -> Result<String, String> {
    let fault = || format!("`{line}` is not `> INPUT = RESULT`");
    let (words, expected) = line.strip_prefix("> ").ok_or_else(fault)?.rsplit_once("= ").ok_or_else(fault)?;
    let words = words.strip_suffix(' ').unwrap_or(words);
    let found = result(&input::parse(words)?)?;
    // A number may be written in any way.
    let (number, why) = expected.split_once(' ').unwrap_or((expected, ""));
    let written = input::number(number).map(|value| format!("{} {why}", Outcome::Value(value)));
    if written.is_some_and(|written| written.trim_end() == found) {
        return Ok(line.to_owned());
    }
    let space = if words.is_empty() { "" } else { " " };
    Ok(format!("> {words}{space}= {found}"))
}

fn answers(case: &Case, mut result: impl FnMut(&Input) -> Result<String, String>) -> suite::Answer {
    if case.expected.is_empty() {
        return Err("nothing is expected of it".to_owned());
    }
    case.expected.iter().map(|line| answered(line, &mut result)).collect()
}

#[test]
fn classic() {
    let kernel = Kernel::open(PROBE);
    let mut engines: Vec<&dyn Engine<classic::Program>> = CLASSIC.to_vec();
    engines.push(&JitFilter);
    match &kernel {
        Ok(kernel) => engines.push(kernel),
        Err(why) => skipped("the running kernel", why),
    }
    #[cfg(target_os = "linux")]
    let tap = if kernel.is_ok() { Tap::open() } else { Err("no filters can be attached".to_owned()) };
    #[cfg(target_os = "linux")]
    match &tap {
        Ok(tap) => engines.push(tap),
        Err(why) => skipped("frames through a tap", why),
    }
    let (mut codes, mut ancillaries, mut asked) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
    suite::run("classic", |case| {
        let program = match loaded(case, None)? {
            Some(Form::Classic(program, _)) => Rc::new(program),
            Some(Form::Ebpf(_)) => return Err("this is eBPF".to_owned()),
            None => {
                refused_by_linux(case, kernel.as_ref().ok())?;
                return Ok(Vec::new());
            }
        };
        answers(case, |input| {
            let outcome = agree(&engines, &program, input)?;
            for engine in engines.iter().filter(|engine| engine.run(&program, input).is_ok()) {
                *asked.entry(engine.name()).or_insert(0) += 1;
            }
            let (_, ending) = classic::interp::run(&program, input.world.clone());
            for insn in executed(classic::interp::Machine::new(Rc::clone(&program), input.world.clone())) {
                let insn = program.insns()[insn.index()];
                codes.insert(classic_encoding::encode(&insn).code);
                if let classic::Insn::LoadAncillary { what, .. } = insn {
                    ancillaries.insert(what.offset());
                }
            }
            let why = match ending {
                Ending::Returned => "",
                Ending::OutsidePacket => " outside the packet",
                Ending::DivisionByZero => " division by zero",
                Ending::NoDevice => " no device",
            };
            Ok(format!("{outcome}{why}"))
        })
    });
    println!("runs on each engine: {asked:?}");
    assert_eq!(codes.len(), 49, "every code is executed in some case: {codes:x?}");
    assert_eq!(ancillaries.len(), Ancillary::TABLE.len(), "every ancillary load is executed in some case");
}

/// What the checker refuses, the running kernel refuses too. (Text that cannot be read has no program to ask about.)
fn refused_by_linux(case: &Case, kernel: Option<&Kernel>) -> Result<(), String> {
    let (text, _) = expected_errors(case);
    let raw: Option<Vec<classic_encoding::Raw>> = match classic::text::parse(&text) {
        Ok(statements) => {
            Some(statements.iter().map(|statement| classic_encoding::encode(&statement.insn)).collect())
        }
        Err(_) => text.lines().map(row).collect(),
    };
    let (Some(kernel), Some(raw)) = (kernel, raw) else { return Ok(()) };
    if kernel.attach(&raw).is_ok() { Err("Linux accepts it".to_owned()) } else { Ok(()) }
}

/// `{ code, jt, jf, k },` as it stands, whether it is an instruction or not.
fn row(line: &str) -> Option<classic_encoding::Raw> {
    let fields = line.trim().strip_prefix('{')?.strip_suffix("},")?;
    let numbers: Option<Vec<u64>> = fields.split(',').map(|field| input::number(field.trim())).collect();
    match numbers?[..] {
        [code, jt, jf, k] => {
            Some(classic_encoding::Raw { code: code as u16, jt: jt as u8, jf: jf as u8, k: k as u32 })
        }
        _ => None,
    }
}

/// The instructions a run executes, the one that traps among them.
fn executed(mut machine: impl Machine) -> Vec<Pc> {
    let mut pcs = Vec::new();
    while pcs.len() < bpf64_tests::engine::LIMIT {
        pcs.push(machine.pc());
        if !matches!(machine.step(&mut ()), Ok(Flow::Next)) {
            break;
        }
    }
    pcs
}

#[test]
fn ebpf() {
    let engines: [&dyn Engine<Program>; 5] = [&Interpreter, &Running, &Stepped, &Reread, &Jit];
    let (mut kinds, mut compiled) = (BTreeSet::new(), 0);
    suite::run("ebpf", |case| {
        let program = match loaded(case, Some(Format::Ebpf))? {
            Some(Form::Ebpf(program)) => Rc::new(program),
            Some(Form::Classic(..)) => return Err("this is classic".to_owned()),
            None => return Ok(Vec::new()),
        };
        answers(case, |input| {
            let outcome = agree(&engines, &program, input)?;
            compiled += usize::from(Jit.run(&program, input).is_ok());
            let pcs = executed(machine(&program, input));
            for (at, pc) in pcs.iter().enumerate().filter(|(_, pc)| pc.index() < program.insns().len()) {
                let insn = program.insn(*pc);
                let next = pcs.get(at + 1);
                let taken =
                    insn.jump_offset().and_then(|offset| program.target(*pc, offset)).as_ref() == next;
                kinds.insert(kind(&insn, taken));
            }
            Ok(outcome.to_string())
        })
    });
    let missing: Vec<String> = all_kinds().into_iter().filter(|kind| !kinds.contains(kind)).collect();
    assert!(missing.is_empty(), "executed in no case:\n{}", missing.join("\n"));
    println!("{} kinds of instructions; {compiled} runs of compiled code", kinds.len());
}

/// The format in brackets behind a case's name: `a sign is missing (ebpf)`.
fn format_of(case: &Case) -> Option<Format> {
    let (_, name) = case.name.strip_suffix(')')?.rsplit_once('(')?;
    Format::named(name)
}

#[test]
fn faults() {
    suite::run("faults", |case| {
        let faults =
            match load(case.text.as_bytes(), &Request { format: format_of(case), ..Request::default() }) {
                Ok(_) => return Err("it is read".to_owned()),
                Err(faults) => faults,
            };
        let shown = |fault: &Diagnostic| {
            let Position { line, column } = Position::of(&case.text, fault.span.start);
            let end = Position::of(&case.text, fault.span.end);
            let width = if end.line == line { end.column - column } else { usize::MAX };
            match width {
                usize::MAX => format!("! {line}:{column}-{}:{} {fault}", end.line, end.column),
                _ => format!("! {line}:{column}+{width} {fault}"),
            }
        };
        Ok(faults.iter().map(shown).collect())
    });
}
