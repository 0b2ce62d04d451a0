//! Seccomp filters in the running kernel: what it refuses, what filters return, and what happens to calls.

use bpf64_core::classic::encoding::{self, Raw};
use bpf64_core::classic::{Insn, Program, Refusal, Returned, interp, text};
use bpf64_core::context::seccomp::Action;
use bpf64_core::environment::{SECCOMP, World};
use bpf64_core::load::{Form, Request, load};
use bpf64_core::machine::Ending;
use bpf64_core::seccomp::chain::{MAX_PATH, is_exempt};
use bpf64_core::seccomp::{Arch, Chain, Filter};
use bpf64_tests::generate::Generator;
use bpf64_tests::kernel::{probe, skipped};
use bpf64_tests::kernel_seccomp::{
    Answer, Call, HARMLESS_32_BIT, NO, Outcome, Question, Worker, YES, asking, guarded,
};
use bpf64_tests::profile;
use bpf64_tests::property::check;
use bpf64_tests::seccomp;
use bpf64_tests::suite;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Asks whether the kernel can be asked.
const PROBE: &str = env!("CARGO_BIN_EXE_probe-kernel");
/// Whose children install the filters.
const WORKER: &str = env!("CARGO_BIN_EXE_seccomp-worker");

const EINVAL: i32 = 22;
const ENOMEM: i32 = 12;

/// The worker, or `None` with a word why the test is left out.
fn worker() -> Option<Worker> {
    match probe(PROBE).and_then(|()| Worker::start(WORKER)) {
        Ok(worker) => Some(worker),
        Err(why) => {
            skipped("seccomp in the running kernel", &why);
            None
        }
    }
}

fn filter(raw: &[Raw]) -> Result<Filter, Refusal> {
    let program = Program::from_raw(raw).and_then(Program::for_seccomp)?;
    Ok(Filter::new(Rc::new(program)).expect("it was checked a line above"))
}

fn listing(raw: &[Raw]) -> String {
    let lines = raw.iter().take(300).enumerate().map(|(pc, raw)| match encoding::decode(*raw) {
        Ok(insn) => format!("({pc:03}) {insn}"),
        Err(error) => format!("({pc:03}) {raw:?}: {error}"),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A call that does no harm, and whose numbers appear in generated filters.
fn call(make: &mut Generator, worker: &Worker) -> Call {
    let data = make.system_call();
    let is_32_bit = worker.has_32_bit && make.percent(10);
    Call { is_32_bit, nr: if is_32_bit { HARMLESS_32_BIT } else { data.nr }, args: data.args }
}

/// The filter, when both the kernel and core accept it, and `None` when both refuse.
fn verdict(worker: &mut Worker, raw: &[Raw]) -> Result<Option<Filter>, String> {
    let question = Question { filters: vec![raw.to_vec()], call: None };
    let answer = worker.ask(&question).map_err(|error| error.to_string())?;
    let differ = |why: String| Err(format!("{}\n{why}", listing(raw)));
    match (answer, filter(raw)) {
        (Answer { installed: 1, .. }, Ok(filter)) => Ok(Some(filter)),
        (Answer { installed: 0, errno: EINVAL, .. }, Err(_)) => Ok(None),
        (Answer { installed: 1, .. }, Err(refusal)) => {
            differ(format!("Linux accepts what core refuses: {refusal}"))
        }
        (answer, Ok(_)) => differ(format!("Linux refuses what core accepts: {answer:?}")),
        (answer, Err(_)) => differ(format!("Linux refuses it for a reason of its own: {answer:?}")),
    }
}

/// Whether the kernel's filter returns for this call what ours does.
fn same_result(worker: &mut Worker, filter: &Filter, call: &Call) -> Result<u32, String> {
    let record = worker.record(call);
    let (value, ending) = interp::run(filter.program(), World::of_record(record.context().to_vec()));
    let question =
        Question { filters: vec![asking(&filter.program().raw(), call, value)], call: Some(*call) };
    let answer = worker.ask(&question).map_err(|error| error.to_string())?;
    match (answer.outcome, ending) {
        (Some(Outcome::Returned(returned)), Ending::Returned) if returned == -YES => Ok(value),
        // There is no number to compare: the filter ends, and its 0 is an action.
        (Some(Outcome::Killed(31)), Ending::DivisionByZero) => Ok(value),
        (Some(Outcome::Returned(returned)), _) if returned == -NO => {
            Err(format!("{record:x?}\nours returns {value:#x}, Linux's something else"))
        }
        _ => Err(format!("{record:x?}\nours returns {value:#x}, {ending}; Linux: {answer:?}")),
    }
}

/// Whether what the filters decide together happens.
fn same_outcome(worker: &mut Worker, filters: &[Filter], call: &Call) -> Result<Action, String> {
    let mut chain = Chain::default();
    for filter in filters {
        chain.push(filter.clone()).map_err(|error| error.to_string())?;
    }
    let action = chain.run(&worker.record(call)).action();
    let filters: Vec<Vec<Raw>> =
        filters.iter().map(|filter| guarded(&filter.program().raw(), call)).collect();
    let count = filters.len();
    let answer = worker.ask(&Question { filters, call: Some(*call) }).map_err(|error| error.to_string())?;
    let expected = Outcome::of(action, answer.usual);
    if answer.installed == count && answer.outcome == Some(expected) {
        return Ok(action);
    }
    Err(format!("{call:x?}\nours says {action}, Linux: {answer:?}"))
}

#[test]
fn random_filters() {
    let Some(mut worker) = worker() else { return };
    let (mut refused, mut actions) = (0, BTreeMap::<&str, usize>::new());
    check("Linux, random seccomp filters", 5_000, |make| {
        let raw =
            if make.percent(60) { make.seccomp_program(30).raw() } else { make.nearly_seccomp_program() };
        let Some(filter) = verdict(&mut worker, &raw)? else {
            refused += 1;
            return Ok(());
        };
        let call = call(make, &worker);
        let shown = |why: String| format!("{}\n{why}", listing(&raw));
        same_result(&mut worker, &filter, &call).map_err(shown)?;
        let action = same_outcome(&mut worker, &[filter], &call).map_err(shown)?;
        *actions.entry(action.name()).or_default() += 1;
        Ok(())
    });
    let accepted: usize = actions.values().sum();
    println!("{accepted} accepted, {refused} refused; actions: {actions:?}");
}

#[test]
fn several_filters_at_once() {
    let Some(mut worker) = worker() else { return };
    let (mut actions, mut others) = (BTreeMap::<&str, usize>::new(), 0);
    check("Linux, several seccomp filters", 1_000, |make| {
        let filters: Vec<Filter> = (0..2 + make.below(3))
            .map(|_| filter(&make.seccomp_program(12).raw()).expect("it was made as one"))
            .collect();
        let call = call(make, &worker);
        let action = same_outcome(&mut worker, &filters, &call).map_err(|why| {
            let listings: Vec<String> =
                filters.iter().map(|filter| listing(&filter.program().raw())).collect();
            format!("{}\n{why}", listings.join("\n\n"))
        })?;
        *actions.entry(action.name()).or_default() += 1;
        let record = worker.record(&call);
        let newest = filters.last().map(|filter| Action::of(filter.run(&record)));
        others += usize::from(newest != Some(action));
        Ok(())
    });
    println!("actions: {actions:?}; {others} times not the newest filter's");
}

#[test]
fn every_code_and_offset_and_length() {
    let Some(mut worker) = worker() else { return };
    let plain = |code, k| Raw { code, jt: 0, jf: 0, k };
    let ret = plain(0x06, Action::Allow.value());
    let mut same = |raw: &[Raw]| match verdict(&mut worker, raw) {
        Ok(found) => found.is_some(),
        Err(why) => panic!("{why}"),
    };
    let mut accepted = 0;
    for code in 0..0x120 {
        for k in [0, 1, 4, 15, 16, 31, 32, 60, 64, u32::MAX] {
            accepted += usize::from(same(&[plain(0x02, k % 16), plain(code, k), ret, ret]));
        }
    }
    println!("{accepted} of 2880 codes with constants accepted");
    for offset in
        (0..=72).chain([0x7fff_fffc, 0x8000_0000, 0xffe0_0000, 0xfff0_0000, 0xffff_f000, u32::MAX - 3])
    {
        assert_eq!(same(&[plain(0x20, offset), ret]), offset < 64 && offset % 4 == 0, "{offset:#x}");
    }
    for length in [0, 1, 2, 4095, 4096, 4097, 65535] {
        assert_eq!(same(&vec![ret; length]), (1..=4096).contains(&length), "{length}");
    }
}

/// Profiles written after real ones, alone and together.
#[test]
fn real_profiles() {
    let Some(mut worker) = worker() else { return };
    let filters = ["container.json", "service.json", "filter.json"].map(|file| {
        let (_, program) = profile::real(file, Arch::X86_64);
        Filter::new(program).expect("profiles are seccomp's")
    });
    let chains = filters.iter().map(std::slice::from_ref).chain([&filters[..2], &filters[..]]);
    let (mut calls, mut exempt) = (0, 0);
    for chain in chains {
        check("Linux, calls under profiles", 30, |make| {
            let call = call(make, &worker);
            calls += 1;
            same_outcome(&mut worker, chain, &call).map(drop)
        });
    }
    for filter in &filters {
        for nr in 0..=470 {
            let call = Call { is_32_bit: false, nr, args: [3, 8, 5, 0, 0, 0] };
            let same = same_result(&mut worker, filter, &call);
            // Where a filter is not asked, the call is made, and these end whoever makes them for no reason. Kernels
            // before 6.14 and 6.18 ask.
            assert!(same.is_ok() || is_exempt(&worker.record(&call)), "{same:?}");
            calls += 1;
            exempt += usize::from(same.is_err());
        }
    }
    println!("{calls} calls; of {exempt}, no filter is asked");
}

/// How long Linux's conversion of a filter is, by how much fits behind it.
#[test]
fn filters_are_as_long_as_linux_converts_them() {
    let Some(mut worker) = worker() else { return };
    let allow = Insn::Return(Returned::K(Action::Allow.value()));
    let before = [4096, 4096, 4096, 1000].map(|length| vec![encoding::encode(&allow); length]);
    let counted = |raw: &Vec<Raw>| filter(raw).expect("it is one").converted_len() + 4;
    let room = MAX_PATH - before.iter().map(counted).sum::<usize>();
    check("Linux, lengths of seccomp filters", 60, |make| {
        let mut insns = make.seccomp_program(60).insns().to_vec();
        let mut len = filter(&raw(&insns)).expect("it was made as one").converted_len();
        while len + 2 <= room {
            insns.push(allow);
            len += 2;
        }
        if len < room {
            insns.push(Insn::Return(Returned::A));
        }
        for fits in [true, false] {
            let filters: Vec<Vec<Raw>> = before.iter().cloned().chain([raw(&insns)]).collect();
            let mut chain = Chain::default();
            let ours = filters.iter().all(|raw| chain.push(filter(raw).expect("it is one")).is_ok());
            let answer = worker.ask(&Question { filters, call: None }).map_err(|error| error.to_string())?;
            let linux = match answer {
                Answer { installed: 5, .. } => true,
                Answer { installed: 4, errno: ENOMEM, .. } => false,
                other => return Err(format!("{other:?}")),
            };
            if (ours, linux) != (fits, fits) {
                let text = text::listing(&insns, text::Style::Tcpdump);
                return Err(format!("{text}fits {fits}, ours {ours}, Linux {linux}"));
            }
            insns.push(Insn::Return(Returned::A));
        }
        Ok(())
    });
}

fn raw(insns: &[Insn]) -> Vec<Raw> {
    insns.iter().map(encoding::encode).collect()
}

/// The suites: what is refused, and the result of every call that this machine can make.
#[test]
fn suites() {
    let Some(mut worker) = worker() else { return };
    let (mut asked, mut refused, mut left_out) = (0, 0, 0);
    for suite in suite::suites("seccomp") {
        for case in &suite.cases {
            let place = format!("{}: {}", case.line, case.name);
            let text: Vec<&str> =
                case.text.lines().map(|line| line.split("; error: ").next().unwrap_or(line)).collect();
            let text = text.join("\n");
            let request = Request { program_type: Some((&SECCOMP).into()), ..Request::default() };
            match load(text.as_bytes(), &request).map(|loaded| loaded.form) {
                Ok(Form::Classic(program, _)) => {
                    let filter = verdict(&mut worker, &program.raw());
                    let filter = filter.unwrap_or_else(|why| panic!("{place}\n{why}"));
                    let filter = filter.unwrap_or_else(|| panic!("{place}: Linux refuses it"));
                    for line in &case.expected {
                        let Some((words, _)) =
                            line.strip_prefix("> ").and_then(|line| line.split_once(" = "))
                        else {
                            continue;
                        };
                        let data = seccomp::parse(words).unwrap_or_else(|why| panic!("{place}: {why}"));
                        let is_32_bit = data.arch == Arch::I386.audit();
                        let call = Call { is_32_bit, nr: data.nr, args: data.args };
                        let mut same = worker.record(&call);
                        same.instruction_pointer = data.instruction_pointer;
                        if same != data || data.instruction_pointer != 0 || is_32_bit && !worker.has_32_bit {
                            left_out += 1;
                            continue;
                        }
                        same_result(&mut worker, &filter, &call)
                            .unwrap_or_else(|why| panic!("{place}: {line}\n{why}"));
                        asked += 1;
                    }
                }
                Ok(Form::Ebpf(_)) => panic!("{place}: this is eBPF"),
                Err(_) => {
                    let Ok(statements) = text::parse(&text) else { continue };
                    let raw: Vec<Raw> =
                        statements.iter().map(|statement| encoding::encode(&statement.insn)).collect();
                    let verdict = verdict(&mut worker, &raw).unwrap_or_else(|why| panic!("{place}\n{why}"));
                    assert!(verdict.is_none(), "{place}: Linux accepts it");
                    refused += 1;
                }
            }
        }
    }
    println!("Linux agrees on {asked} calls and {refused} refusals; {left_out} calls cannot be made here");
}
