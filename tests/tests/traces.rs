//! Trace events: real ones of Linux 6.18, in the forms of two tools and in JSON; what was changed in them by chance does
//! no harm; the programs that filter them are Linux's, too.

use bpf64_core::environment::{ProgramType, TRACEPOINT};
use bpf64_core::load::{Request, load};
use bpf64_core::trace::{Format, Symbols, line};
use bpf64_core::verifier::verify;
use bpf64_tests::generate::Generator;
use bpf64_tests::kernel::skipped;
use bpf64_tests::kernel_ebpf::{Kernel, Manner};
use bpf64_tests::property;
use std::fs;

/// Asks whether the kernel can be asked.
const PROBE: &str = env!("CARGO_BIN_EXE_probe-kernel");

fn file(name: &str) -> String {
    fs::read_to_string(format!("{}/traces/{name}", env!("CARGO_MANIFEST_DIR"))).expect("it is there")
}

fn format(event: &str) -> Format {
    Format::parse(&file(&format!("{event}.format"))).expect("it is Linux's")
}

/// A field of a record as a number.
fn number(format: &Format, record: &[u8], name: &str) -> u64 {
    let field = format.fields.iter().find(|field| field.name == name).expect("it has that");
    let bytes = &record[field.offset as usize..(field.offset + field.size) as usize];
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// Every event of the recordings becomes a record whose numbers are those of the text, which are read a second time here,
/// in a simpler way.
#[test]
fn records_hold_what_was_printed() {
    let mut checked = 0;
    for (event, recording) in [
        ("kfree_skb", "net.ftrace"),
        ("kfree_skb", "net.perf"),
        ("netif_receive_skb", "net.ftrace"),
        ("netif_receive_skb", "net.perf"),
        ("sched_switch", "sched_switch.perf"),
    ] {
        let format = format(event);
        let mut symbols = Symbols::default();
        for found in file(recording).lines().filter_map(line).filter(|line| line.event == event) {
            let (record, lost) = format.record(found.text, found.task.pid, &mut symbols);
            let lost: Vec<&str> = lost.iter().map(|loss| &*loss.field).collect();
            assert_eq!(
                lost,
                if event == "sched_switch" { vec!["prev_state"] } else { vec![] },
                "{}",
                found.text
            );
            assert_eq!(number(&format, &record, "common_type"), u64::from(format.id));
            for field in ["protocol", "len", "prev_pid", "next_pid", "next_prio"] {
                let Some((_, behind)) = found.text.split_once(&format!("{field}=")) else { continue };
                let digits = behind.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
                assert_eq!(
                    number(&format, &record, field),
                    digits.parse::<u64>().unwrap(),
                    "{field}: {}",
                    found.text
                );
                checked += 1;
            }
            if let Some((_, behind)) = found.text.split_once("location=") {
                let text = behind.split_once(" reason").unwrap().0;
                assert_eq!(symbols.name(number(&format, &record, "location")), Some(text));
            }
            if let Some((_, behind)) = found.text.split_once("dev=") {
                let text = behind.split_once(' ').unwrap().0;
                let place = number(&format, &record, "name") as usize;
                assert_eq!(&record[place & 0xffff..][..place >> 16], [text.as_bytes(), b"\0"].concat());
            }
        }
    }
    assert!(checked > 300, "{checked} numbers");
    println!("{checked} numbers of real events");
}

/// Damaged formats and lines are refused or read, quickly and without harm.
#[test]
fn damaged_traces_do_no_harm() {
    let sources =
        ["kfree_skb", "netif_receive_skb", "sched_switch"].map(|event| file(&format!("{event}.format")));
    let lines: Vec<String> = ["net.ftrace", "net.perf", "sched_switch.perf"]
        .iter()
        .flat_map(|name| file(name).lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    property::check("damaged_traces_do_no_harm", 2000, |random: &mut Generator| {
        let source = random.pick(&sources);
        let text = damaged(random, &source);
        let Ok(format) = Format::parse(&text) else { return Ok(()) };
        let environment = format.environment();
        let mut end = 0;
        for field in environment.context.fields.iter() {
            if field.offset < end {
                return Err(format!("{} lies in the one before\n{text}", field.name));
            }
            end = field.offset + field.size;
        }
        let mut symbols = Symbols::default();
        for _ in 0..10 {
            let whole = random.pick(&lines);
            let text = damaged(random, &whole);
            if let Some(found) = line(&text) {
                let (record, _) = format.record(found.text, found.task.pid, &mut symbols);
                if record.len() > 8192 || record.len() < format.size() as usize {
                    return Err(format!("a record of {} bytes\n{text}", record.len()));
                }
            }
        }
        Ok(())
    });
}

/// A few characters taken out, doubled or changed.
fn damaged(random: &mut Generator, text: &str) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..random.below(6) {
        if chars.is_empty() {
            break;
        }
        let at = random.below(chars.len());
        match random.below(4) {
            0 => drop(chars.remove(at)),
            1 => chars.insert(at, chars[at]),
            2 => chars.truncate(at),
            _ => {
                chars[at] = random
                    .pick(&['0', '9', '"', '%', '(', ')', '{', '}', '[', ']', ':', ';', ',', ' ', 'ü', '\n'])
            }
        }
    }
    chars.into_iter().collect()
}

/// The programs that go with the recordings: our verifier takes them, and Linux's takes them as tracepoint programs.
#[test]
fn programs_for_traces_are_linuxs_too() {
    let kernel = Kernel::open(PROBE).inspect_err(|why| skipped("the running kernel", why)).ok();
    for (program, event) in [
        ("drops.txt", "kfree_skb"),
        ("device.txt", "netif_receive_skb"),
        ("oncpu.txt", "sched_switch"),
        ("stacks.txt", "kfree_skb"),
    ] {
        let kind = ProgramType::from(format(event).environment());
        let request = Request { program_type: Some(kind.clone()), ..Request::default() };
        let loaded =
            load(file(program).as_bytes(), &request).unwrap_or_else(|faults| panic!("{}", faults[0])).ebpf();
        if let Err(rejection) = verify(&loaded, &kind, 1) {
            panic!("{program}: {}", rejection.log);
        }
        if let Some(kernel) = &kernel {
            let manner = Manner { log_level: 1, ..Manner::default() };
            let verdict = kernel.judge(&TRACEPOINT, &loaded, manner).expect("it can be asked");
            assert!(verdict.accepted, "{program}\n{}", verdict.log);
        }
    }
}
