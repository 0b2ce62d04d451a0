//! What tcpdump makes of filter expressions, on our engines, against libpcap's own interpreter.
//!
//! `expressions/` holds the expressions, tcpdump's programs for them, and libpcap's verdicts on every captured packet.
//! Where libpcap is installed, it is asked again, and what it compiles today is run, too.
#![cfg(target_os = "linux")]

use bpf64_core::classic::{Program, convert, convert_plain};
use bpf64_core::environment::World;
use bpf64_core::load::{Form, Request, load};
use bpf64_core::packet::Capture;
use bpf64_core::program::Program as Ebpf;
use bpf64_jit::libpcap::Libpcap;
use bpf64_tests::engine::{ClassicSession, Engine, Interpreter, Outcome, Reference, Stepped};
use bpf64_tests::input::Input;
use bpf64_tests::kernel::{Kernel, Wire, skipped};
use bpf64_tests::{examples, suite};
use std::fs;
use std::path::PathBuf;
use std::rc::Rc;

/// Asks whether the kernel can be asked.
const PROBE: &str = env!("CARGO_BIN_EXE_probe-kernel");

/// Begins the row in verdicts.tsv of a program that is not optimised, if its verdicts are others: the optimiser takes
/// out loads whose results are not needed, and with them the end of the filter where they are outside the packet.
const PLAIN: &str = "-O ";

fn folder() -> PathBuf {
    suite::folder().join("expressions")
}

fn read(file: &str) -> String {
    let path = folder().join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Each expression with its programs: as tcpdump prints them, optimised and not.
fn programs() -> Vec<(String, [Rc<Program>; 2])> {
    let wanted: Vec<String> = read("expressions.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    let text = read("programs.tsv");
    let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split('\t').collect()).collect();
    let recorded: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(recorded, wanted, "programs.tsv has other expressions than expressions.txt; run record.sh");
    let program = |text: &str| match load(text.as_bytes(), &Request::default()).map(|loaded| loaded.form) {
        Ok(Form::Classic(program, _)) => Rc::new(program),
        other => panic!("{text}: {other:?}"),
    };
    rows.iter().map(|row| (row[0].to_owned(), [program(row[1]), program(row[2])])).collect()
}

/// The captures of the examples, and the one of what these have none of.
fn captures() -> Vec<(String, Capture)> {
    let mut captures = examples::captures();
    let made = fs::read(folder().join("made.pcap")).expect("made.pcap is there");
    captures.push(("made.pcap".to_owned(), Capture::read(&made).expect("it is a capture")));
    captures
}

/// Numbers in order, as `0-3,7`; `-` for none.
fn ranges(numbers: &[usize]) -> String {
    let runs = numbers.chunk_by(|a, b| a + 1 == *b).map(|run| match run {
        [only] => only.to_string(),
        [first, .., last] => format!("{first}-{last}"),
        [] => String::new(),
    });
    let runs: Vec<String> = runs.collect();
    if runs.is_empty() { "-".to_owned() } else { runs.join(",") }
}

/// The packets of a capture for which `verdict` is not 0.
fn accepted(capture: &Capture, mut verdict: impl FnMut(usize) -> u32) -> Vec<usize> {
    (0..capture.len()).filter(|&number| verdict(number) != 0).collect()
}

/// What all our engines say of a packet.
fn ours(program: &Rc<Program>, [plain, optimised]: &[Rc<Ebpf>; 2], input: &Input) -> Result<u32, String> {
    let answers = [
        Reference.run(program, input),
        ClassicSession.run(program, input),
        Interpreter.run(plain, input),
        Interpreter.run(optimised, input),
        Stepped.run(plain, input),
        Stepped.run(optimised, input),
    ];
    match answers {
        [Ok(Outcome::Value(first)), ..] if answers[1..].iter().all(|answer| *answer == answers[0]) => {
            Ok(first as u32)
        }
        _ => Err(format!("the engines disagree: {answers:?}")),
    }
}

/// Our engines, and libpcap's if it is there, on one program and all packets: who is accepted, as in verdicts.tsv.
fn verdicts(
    program: &Rc<Program>,
    captures: &[(String, Capture)],
    libpcap: Option<&Libpcap>,
) -> Result<Vec<String>, String> {
    let converted = [convert_plain(program), convert(program)].map(|form| Rc::new(form.program));
    let mut columns = Vec::new();
    for (name, capture) in captures {
        let mut disagreement = None;
        let list = accepted(capture, |number| {
            let packet = capture.get(number).expect("it is one of the capture's");
            let value = ours(program, &converted, &Input::from(World::new(packet.skb())));
            let theirs = libpcap.map(|libpcap| libpcap.filter(program, packet.bytes, packet.wire_len));
            if value.is_err() || theirs.is_some_and(|theirs| value != Ok(theirs)) {
                disagreement.get_or_insert(format!("{name}#{number}: ours {value:?}, libpcap {theirs:?}"));
            }
            value.unwrap_or_default()
        });
        match disagreement {
            Some(disagreement) => return Err(disagreement),
            None => columns.push(ranges(&list)),
        }
    }
    Ok(columns)
}

#[test]
fn engines_accept_what_libpcap_accepts() {
    let (programs, captures) = (programs(), captures());
    assert!(programs.len() >= 150, "{} expressions", programs.len());
    let libpcap = Libpcap::open();
    match &libpcap {
        Ok(libpcap) => println!("live: {}", libpcap.version()),
        Err(why) => skipped("libpcap's interpreter; its recorded verdicts are compared", why),
    }
    let names: Vec<&str> = captures.iter().map(|(name, _)| name.as_str()).collect();
    let mut found = vec![format!("expression\t{}", names.join("\t"))];
    let (mut failures, mut one_sided, mut recompiled) = (Vec::new(), Vec::new(), 0);
    for (expression, [optimised, plain]) in &programs {
        let ask = |program: &Rc<Program>| verdicts(program, &captures, libpcap.as_ref().ok());
        let columns = match ask(optimised) {
            Ok(columns) => columns,
            Err(why) => {
                failures.push(format!("{expression}\n{why}"));
                continue;
            }
        };
        // Another version of libpcap has its own ideas of an expression; we must agree with it on them all the same.
        match libpcap.as_ref().map(|libpcap| libpcap.compile(expression)) {
            Ok(Ok(raw)) => {
                let today = Program::from_raw(&raw).unwrap_or_else(|why| panic!("{expression}: {why}"));
                if today != **optimised {
                    recompiled += 1;
                    if let Err(why) = ask(&Rc::new(today)) {
                        failures.push(format!("{expression}\ncompiled today: {why}"));
                    }
                }
            }
            Ok(Err(why)) => skipped(expression, &format!("this libpcap does not compile it: {why}")),
            Err(_) => {}
        }
        let all: Vec<String> =
            captures.iter().map(|(_, capture)| ranges(&(0..capture.len()).collect::<Vec<_>>())).collect();
        if columns.iter().all(|column| column == "-") || columns == all {
            one_sided.push(expression.clone());
        }
        found.push(format!("{expression}\t{}", columns.join("\t")));
        match ask(plain) {
            Ok(same) if same == columns => {}
            Ok(other) => found.push(format!("{PLAIN}{expression}\t{}", other.join("\t"))),
            Err(why) => failures.push(format!("{PLAIN}{expression}\n{why}")),
        }
    }
    let packets: usize = captures.iter().map(|(_, capture)| capture.len()).sum();
    println!("{} expressions, optimised and not, on {packets} packets", programs.len());
    if libpcap.is_ok() {
        println!("it compiles {recompiled} of them to other programs than those recorded");
    }
    assert!(failures.is_empty(), "{} fail\n\n{}", failures.len(), failures.join("\n\n"));
    assert_eq!(one_sided, Vec::<String>::new(), "a packet that is accepted and one that is not, for each");

    let found = found.join("\n") + "\n";
    if std::env::var_os("BPF64_BLESS").is_some() {
        assert!(libpcap.is_ok(), "verdicts are libpcap's, which is not here");
        fs::write(folder().join("verdicts.tsv"), &found).expect("verdicts.tsv can be written");
    }
    for (found, recorded) in found.lines().zip(read("verdicts.tsv").lines()) {
        assert_eq!(found, recorded);
    }
    assert_eq!(found.lines().count(), read("verdicts.tsv").lines().count());
}

/// The same programs on a socket: a packet arrives, or it does not. (These programs look at the packet only.)
#[test]
fn linux_accepts_what_libpcap_accepts() {
    let kernel = match Kernel::open(PROBE) {
        Ok(kernel) => kernel,
        Err(why) => return skipped("the running kernel", &why),
    };
    let (programs, captures) = (programs(), captures());
    let recorded = read("verdicts.tsv");
    let row = |name: &str| recorded.lines().find(|row| row.split('\t').next() == Some(name));
    for (expression, [optimised, plain]) in &programs {
        let plain_name = format!("{PLAIN}{expression}");
        for (program, names) in [(optimised, [expression, expression]), (plain, [&plain_name, expression])] {
            kernel.attach(&program.raw()).unwrap_or_else(|error| panic!("{expression}: {error}"));
            let columns = captures.iter().map(|(_, capture)| {
                ranges(&accepted(capture, |number| {
                    let packet = capture.get(number).expect("it is one of the capture's");
                    let arrived = kernel.deliver(packet.bytes).expect("the sockets are there");
                    assert!(arrived.is_none_or(|length| length == packet.bytes.len()), "{expression}");
                    arrived.is_some().into()
                }))
            });
            let columns: Vec<String> = columns.collect();
            let recorded = names.iter().find_map(|name| row(name)).expect("each expression has its row");
            let (_, recorded) = recorded.split_once('\t').expect("behind it are the verdicts");
            assert_eq!(columns.join("\t"), recorded, "{expression}");
        }
    }
    println!("{} programs on a socket", 2 * programs.len());
}
