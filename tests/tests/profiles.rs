//! Seccomp profiles: what is compiled means what is written.

use bpf64_core::classic::{Program, text};
use bpf64_core::context::seccomp::Action;
use bpf64_core::load::{Form, Request, load};
use bpf64_core::seccomp::{Arch, Chain, Filter, matrix};
use bpf64_tests::kernel::skipped;
#[cfg(target_os = "linux")]
use bpf64_tests::libseccomp::Libseccomp;
use bpf64_tests::profile::{self, Profile};
use bpf64_tests::property::check;
use bpf64_tests::seccomp::{self, result};
use bpf64_tests::suite;
use std::collections::BTreeSet;
use std::fs;
use std::rc::Rc;

fn compiled(profile: &Profile) -> Result<Rc<Program>, String> {
    let loaded = load(profile.to_json().as_bytes(), &Request::default()).map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        format!("{}\n{}", profile.to_json(), faults.join("\n"))
    })?;
    match loaded.form {
        Form::Classic(program, spans) if spans.len() == program.insns().len() => Ok(Rc::new(program)),
        other => Err(format!("{other:?}")),
    }
}

fn shown(profile: &Profile, program: &Program) -> String {
    let text = text::listing(program.insns(), text::Style::Tcpdump);
    format!("{}\n{text}", profile.to_json())
}

#[test]
fn filters_decide_as_the_profile_says() {
    let (mut insns, mut decided) = (0, [0; 2]);
    check("profiles", 2_000, |make| {
        let profile = make.profile(3);
        let program = compiled(&profile)?;
        let filter = Filter::new(Rc::clone(&program)).ok_or("it is no filter")?;
        insns += program.insns().len();
        result(&program, &make.profiled_call())?;
        for _ in 0..60 {
            let data = make.profiled_call();
            let expected = profile.decide(&data);
            let found = Action::of(filter.run(&data));
            if found != expected {
                return Err(format!(
                    "{}\n{data:x?}\nexpected {expected}, found {found}",
                    shown(&profile, &program)
                ));
            }
            decided[usize::from(expected != profile.default && expected != Action::KillThread)] += 1;
        }
        Ok(())
    });
    let [by_default, by_rules] = decided;
    println!("{insns} instructions; {by_rules} calls decided by rules, {by_default} otherwise");
}

/// What libseccomp makes of a profile decides as what core makes of it. Where rules with different actions are for one
/// call, libseccomp's order is its own; so each profile here has one action beside the default.
#[cfg(target_os = "linux")]
#[test]
fn libseccomp_decides_the_same() {
    let library = match Libseccomp::open() {
        Ok(library) => library,
        Err(why) => return skipped("libseccomp", &why),
    };
    let (mut ours, mut theirs) = (0, 0);
    check("libseccomp", 1_000, |make| {
        let profile = make.profile(1).plain();
        let program = compiled(&profile)?;
        let raw = library.compile(&profile).map_err(|why| format!("{}\n{why}", profile.to_json()))?;
        let other = Program::from_raw(&raw).and_then(Program::for_seccomp).expect("libseccomp makes filters");
        let other = Filter::new(Rc::new(other)).expect("it was checked a line above");
        let filter = Filter::new(Rc::clone(&program)).ok_or("it is no filter")?;
        ours += program.insns().len();
        theirs += raw.len();
        for _ in 0..60 {
            let data = make.profiled_call();
            let [expected, found] = [other.run(&data), filter.run(&data)].map(Action::of);
            if found != expected {
                let listing = shown(&profile, &program);
                let text = text::listing(other.program().insns(), text::Style::Tcpdump);
                return Err(format!("{listing}\n{text}\n{data:x?}\nlibseccomp {expected}, ours {found}"));
            }
        }
        Ok(())
    });
    println!("{ours} instructions; libseccomp {theirs}");
}

/// The profiles of `profiles/`, written after real ones: their calls do what is expected, and every architecture has a
/// filter of them that goes through the matrix without being given up.
#[test]
fn real_profiles() {
    let expected = fs::read_to_string(suite::folder().join("profiles/expected.txt")).expect("it is there");
    let lines = expected.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut calls = 0;
    for line in lines.clone() {
        let (file, rest) = line.split_once(' ').expect("a line begins with a file");
        let (call, action) = rest.rsplit_once(" = ").expect("a line ends with an action");
        let (_, program) = profile::real(file, Arch::X86_64);
        let found = result(&program, &seccomp::parse(call).expect("a call is understood"));
        assert_eq!(found.map(|value| Action::of(value).to_string()).as_deref(), Ok(action), "{line}");
        calls += 1;
    }
    let files: BTreeSet<&str> = lines.filter_map(|line| Some(line.split_once(' ')?.0)).collect();
    for file in files {
        for arch in Arch::ALL {
            let (warnings, program) = profile::real(file, arch);
            let nowhere =
                warnings.iter().find(|warning| warning.message.contains("no system call is called"));
            assert_eq!(nowhere, None, "{file} on {}", arch.name());
            let mut chain = Chain::default();
            let filter = Filter::new(Rc::clone(&program)).expect("profiles are seccomp's");
            chain.push(filter).expect("it is not too long");
            let matrix = matrix(&chain, arch);
            for row in &matrix.rows {
                let cases = &row.outcome.cases;
                let shown = cases.iter().all(|case| case.example.is_some());
                assert!(row.outcome.complete && shown, "{file} on {}: {row:?}", arch.name());
            }
        }
    }
    println!("{calls} calls");
}
