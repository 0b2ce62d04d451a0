//! Filters of system calls: their suites, and properties of generated ones.

use bpf64_core::classic::encoding::{self, Raw};
use bpf64_core::classic::{Program, text};
use bpf64_core::context::seccomp::{Action, SeccompData};
use bpf64_core::diagnostic::{Diagnostic, Position};
use bpf64_core::environment::SECCOMP;
use bpf64_core::load::{Form, Request, load};
use bpf64_core::seccomp::matrix::Outcome;
use bpf64_core::seccomp::{Arch, Chain, Filter, matrix, syscalls};
use bpf64_tests::generate::Generator;
use bpf64_tests::property::{as_usual, check};
use bpf64_tests::seccomp::{parse, result};
use bpf64_tests::suite::{self, Case};
use std::collections::BTreeSet;
use std::rc::Rc;

/// What stands behind a line whose instruction is refused.
const ERROR: &str = "; error: ";

/// The filter of a case, or `None` when it was refused as expected.
fn loaded(case: &Case) -> Result<Option<Rc<Program>>, String> {
    let mut expected = Vec::new();
    let lines = (1..).zip(case.text.lines()).map(|(number, line)| match line.split_once(ERROR) {
        Some((code, error)) => {
            expected.push(format!("{number}: {error}"));
            code.trim_end()
        }
        None => line,
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    let request = Request { program_type: Some((&SECCOMP).into()), ..Request::default() };
    let found: Vec<String> = match load(text.as_bytes(), &request).map(|loaded| loaded.form) {
        Ok(Form::Classic(program, _)) if expected.is_empty() => return Ok(Some(Rc::new(program))),
        Ok(Form::Ebpf(_)) => return Err("this is eBPF".to_owned()),
        Ok(Form::Classic(..)) => Vec::new(),
        Err(faults) => {
            let shown =
                |fault: &Diagnostic| format!("{}: {fault}", Position::of(&text, fault.span.start).line);
            faults.iter().map(shown).collect()
        }
    };
    if found == expected {
        Ok(None)
    } else {
        Err(format!("expected errors:\n{}\nfound:\n{}", expected.join("\n"), found.join("\n")))
    }
}

#[test]
fn suites() {
    let mut codes = BTreeSet::new();
    suite::run("seccomp", |case| {
        let Some(program) = loaded(case)? else {
            return if case.expected.is_empty() {
                Ok(Vec::new())
            } else {
                Err("it cannot be run".to_owned())
            };
        };
        codes.extend(program.raw().iter().map(|raw| raw.code));
        let answer = |line: &String| {
            let call = line.strip_prefix("> ").and_then(|line| line.split_once(" = "));
            let (call, _) = call.ok_or_else(|| format!("`{line}` is not `> CALL = ACTION`"))?;
            Ok(format!("> {call} = {}", Action::of(result(&program, &parse(call)?)?)))
        };
        case.expected.iter().map(answer).collect()
    });
    assert_eq!(codes.len(), 41, "every code is in some case: {codes:x?}");
}

fn shown(program: &Program, data: &SeccompData, why: &str) -> String {
    format!("{}{data:x?}\n{why}", text::listing(program.insns(), text::Style::Tcpdump))
}

#[test]
fn converted_filters_give_what_the_classic_ones_give() {
    let (mut executed, mut actions) = (BTreeSet::new(), BTreeSet::new());
    check("seccomp: reference, converted, stepped", 10_000, |make| {
        let program = Rc::new(make.seccomp_program(40));
        let data = make.system_call();
        let value = result(&program, &data).map_err(|why| shown(&program, &data, &why))?;
        executed.extend(program.raw().iter().map(|raw| raw.code));
        actions.insert(Action::of(value).name());
        Ok(())
    });
    assert!(!as_usual() || (executed.len() == 41 && actions.len() == 9), "{executed:x?} {actions:?}");
}

#[test]
fn seccomp_takes_less_than_sockets() {
    let mut counts = [0; 3];
    check("seccomp: sockets take it, too", 10_000, |make| {
        let raw = make.nearly_seccomp_program();
        let socket = Program::from_raw(&raw);
        let seccomp = socket.clone().and_then(Program::for_seccomp);
        match (&socket, &seccomp) {
            (Ok(socket), Ok(seccomp)) if socket.insns() == seccomp.insns() => counts[0] += 1,
            (Ok(_), Err(refusal)) if refusal.pc.index() < raw.len() => counts[1] += 1,
            (Err(socket), Err(seccomp)) if socket == seccomp => counts[2] += 1,
            _ => return Err(format!("{}\n{socket:?}\n{seccomp:?}", listing(&raw))),
        }
        Ok(())
    });
    let [both, sockets, none] = counts;
    println!("{both} for both, {sockets} for sockets only, {none} for none");
}

fn listing(raw: &[Raw]) -> String {
    let lines = raw.iter().enumerate().map(|(pc, raw)| match encoding::decode(*raw) {
        Ok(insn) => format!("({pc:03}) {insn}"),
        Err(error) => format!("({pc:03}) {raw:?}: {error}"),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Some filters, as many as a process may have.
fn chain(make: &mut Generator) -> Chain {
    let mut chain = Chain::default();
    for _ in 0..=make.below(3) {
        let program = Rc::new(make.seccomp_program(25));
        let filter = Filter::new(program).expect("it was checked for seccomp");
        chain.push(filter).expect("they are short");
    }
    chain
}

/// What happens to a call is among what the matrix says can happen, and its examples are true.
#[test]
fn the_matrix_leaves_out_nothing() {
    let (mut always, mut depends, mut incomplete, mut without) = (0, 0, 0, 0);
    check("seccomp: matrix", 300, |make| {
        let chain = chain(make);
        let arch = make.pick(&Arch::ALL);
        let matrix = matrix(&chain, arch);
        let listed = |why: &str| {
            let listings = chain.filters().iter();
            let listings: Vec<String> = listings
                .map(|filter| text::listing(filter.program().insns(), text::Style::Tcpdump))
                .collect();
            format!("{}\n{why}", listings.join("\n"))
        };
        let covers = |outcome: &Outcome, data: &SeccompData| {
            let action = chain.run(data).action();
            let known = outcome.cases.iter().any(|case| case.action == action);
            if known || !outcome.complete {
                Ok(())
            } else {
                Err(listed(&format!("{data:x?}: {action} is not in {outcome:?}")))
            }
        };
        for row in &matrix.rows {
            let outcome = &row.outcome;
            match outcome.always() {
                Some(_) => always += 1,
                None if outcome.complete => depends += 1,
                None => incomplete += 1,
            }
            for case in &outcome.cases {
                match case.example {
                    Some(example) => {
                        assert_eq!((example.nr, example.arch), (row.number, arch.audit()));
                        assert_eq!(chain.run(&example).action(), case.action, "{}", listed(row.name));
                    }
                    None => without += 1,
                }
            }
        }
        for _ in 0..300 {
            let mut data = make.system_call();
            let row = make.pick(&matrix.rows);
            (data.nr, data.arch) = (row.number, arch.audit());
            covers(&row.outcome, &data)?;
            data.nr = make.below(600) as u32 + arch.number_base();
            if syscalls::name(arch, data.nr).is_none() {
                covers(&matrix.unnamed, &data)?;
            }
            data.arch = make.bits();
            covers(&matrix.foreign, &data)?;
        }
        Ok(())
    });
    println!(
        "{always} calls with one action, {depends} that depend, {incomplete} calculated; {without} cases without example"
    );
}
