//! Our verifier against the running kernel's: the same verdict, the same log, the same number of instructions.

use bpf64_core::environment::{Environment, SOCKET_FILTER};
use bpf64_core::helpers::is_gpl_compatible;
use bpf64_core::isa::Insn;
use bpf64_core::load::{Format, Request, elf, load};
use bpf64_core::program::Program;
use bpf64_core::verifier::{Rejection, Settings, Verified, verify, verify_with};
use bpf64_tests::kernel::{possible_cpus, skipped};
use bpf64_tests::kernel_ebpf::{Kernel, Manner, ProgramType, Verdict};
use bpf64_tests::property::{check, tell};
use std::collections::BTreeSet;

/// Asks whether the kernel can be asked.
const PROBE: &str = env!("CARGO_BIN_EXE_probe-kernel");

/// What Linux's log tells of its bookkeeping of loops and of the stack's liveness, which ours does not.
fn is_inner(line: &str) -> bool {
    line.starts_with("stack use/def")
        || line.starts_with('(') && (line.contains(" insn ") || line.contains("live stack"))
}

/// A line without the address in a wide load, which is the kernel's own, and without the spaces behind it.
fn without_address(line: &str) -> String {
    let Some((before, rest)) = line.split_once("(18) r") else { return line.to_owned() };
    let (insn, state) = rest.split_once(';').unwrap_or((rest, ""));
    let (reg, imm) = insn.split_once(" = ").unwrap_or((insn, ""));
    let imm = if imm.starts_with("0xffff") || imm.starts_with("map") { "?" } else { imm.trim_end() };
    format!("{before}(18) r{reg} = {imm};{state}")
}

/// The first lines in which the logs differ, with a few before them.
fn difference(ours: &str, theirs: &str) -> Option<String> {
    let ours: Vec<String> = ours.lines().filter(|line| !is_inner(line)).map(without_address).collect();
    let theirs: Vec<String> = theirs.lines().filter(|line| !is_inner(line)).map(without_address).collect();
    let at = (0..ours.len().max(theirs.len())).find(|&at| ours.get(at) != theirs.get(at))?;
    let around =
        |lines: &[String]| lines[at.saturating_sub(6).min(lines.len())..(at + 3).min(lines.len())].join("\n");
    Some(format!("we say:\n{}\n\nLinux says:\n{}", around(&ours), around(&theirs)))
}

fn compare(kernel: &Kernel, insns: &[Insn]) -> Result<bool, String> {
    let program = Program::new(insns.to_vec(), Vec::new()).map_err(|error| error.to_string())?;
    let theirs = kernel.verify(ProgramType::SocketFilter, insns, 2).map_err(|error| error.to_string())?;
    let ours = verify(&program, &SOCKET_FILTER, 2);
    let (accepted, log) = match &ours {
        Ok(verified) => (true, verified.log()),
        Err(rejection) => (false, rejection.log.as_str()),
    };
    if let Some(difference) = difference(log, &theirs.log) {
        return Err(difference);
    }
    if accepted == theirs.accepted { Ok(accepted) } else { Err(format!("we accept: {accepted}")) }
}

#[test]
fn linux_says_the_same_of_numbers_and_the_stack() {
    let kernel = match Kernel::open(PROBE) {
        Ok(kernel) => kernel,
        Err(why) => return skipped("the running kernel", &why),
    };
    check("Linux, logs of numbers and the stack", 2_000, |make| {
        let program = make.linked_program(30);
        compare(&kernel, &program).map(drop)
    });
}

/// Logs of longer analyses with all their states do not fit into the kernel's buffer.
const MOST_STEPS: u32 = 500;

/// At this level a log tells what it took.
const STATISTICS: u8 = 4;

/// A case of `suites/verifier`: a program, and the line and the words of its refusal.
struct Case {
    name: String,
    text: String,
    refusal: Option<(usize, String)>,
}

fn cases() -> Vec<Case> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("suites/verifier");
    let entries = std::fs::read_dir(folder).expect("the folder of the suites is here");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a suite is text");
        for part in text.split("\n=== ").skip(1) {
            let (title, text) = part.split_once('\n').expect("a case has a program");
            let name = format!("{}: {title}", file.file_stem().unwrap_or_default().display());
            let words = text.lines().enumerate().find_map(|(line, text)| {
                let (_, words) = text.split_once("; error:")?;
                Some((line + 1, words.trim().to_owned()))
            });
            cases.push(Case { name, text: format!("{}\n", text.trim_end()), refusal: words });
        }
    }
    cases
}

/// What a log says last: the reason of a refusal.
fn reason(log: &str) -> &str {
    let before = log.rfind("processed ").map_or(log, |end| &log[..end]);
    let words = before.rfind("infinite loop").map_or(before, |at| before[at..].lines().next().unwrap_or(""));
    // What it took is told behind it.
    // Nor does Linux end every line that it should.
    let words = words.split("verification time").next().unwrap_or_default();
    let is_reason = |line: &&str| !line.starts_with("verification time") && !line.starts_with("stack depth");
    words.trim_end().lines().rfind(is_reason).unwrap_or_default()
}

fn processed(log: &str) -> &str {
    log.rfind("processed ").map_or("", |at| log[at..].lines().next().unwrap_or_default())
}

fn steps(log: &str) -> u32 {
    let words = processed(log).split(' ').nth(1).and_then(|count| count.parse().ok());
    words.unwrap_or(u32::MAX)
}

/// A program that both verifiers are asked about.
struct Asked<'a> {
    kernel: &'a Kernel,
    program: &'a Program,
    program_type: &'a Environment,
    settings: Settings,
}

impl Asked<'_> {
    fn judge(&self, log_level: u32) -> Verdict {
        let proprietary = self.program.license().is_some_and(|license| !is_gpl_compatible(license));
        let manner = Manner { log_level, proprietary, strict_alignment: self.settings.strict_alignment };
        match self.kernel.judge(self.program_type, self.program, manner) {
            Ok(verdict) => verdict,
            Err(error) => panic!("the kernel answers: {error}"),
        }
    }

    /// Both looked at as many instructions, and if they accept it, saw the same on every path.
    fn compare(&self, ours: &Result<Verified, Box<Rejection>>, theirs: &Verdict) -> Result<(), String> {
        let log = ours.as_ref().map_or_else(|rejection| rejection.log.as_str(), |verified| verified.log());
        if processed(log) != processed(&theirs.log) {
            return Err(format!("Linux {}\n  we {}", processed(&theirs.log), processed(log)));
        }
        let depth = |log: &str| log.lines().find(|line| line.starts_with("stack depth")).map(str::to_owned);
        if ours.is_ok() && depth(log) != depth(&theirs.log) {
            return Err(format!("Linux {:?}\n  we {:?}", depth(&theirs.log), depth(log)));
        }
        // Not of refusals: what Linux notes down between finding a fault and saying so differs. And with all its states,
        // the log of a long loop would not fit anywhere.
        if ours.is_err() || steps(log) >= MOST_STEPS {
            return Ok(());
        }
        let settings = Settings { log: 2, ..self.settings };
        let ours = verify_with(self.program, self.program_type, settings).expect("it was accepted");
        difference(ours.log(), &self.judge(2).log).map_or(Ok(()), Err)
    }
}

#[test]
fn objects_of_clang() {
    let kernel = match Kernel::open(PROBE) {
        Ok(kernel) => kernel,
        Err(why) => return skipped("the running kernel", &why),
    };
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("objects");
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).expect("it is here").flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "o"));
    paths.sort();
    let (mut wrong, mut asked) = (String::new(), 0);
    for path in paths {
        let bytes = std::fs::read(&path).expect("it can be read");
        for entry in elf::programs(&bytes).expect("its programs are found") {
            let request = Request { function: Some(&entry.function), ..Request::default() };
            let Ok(loaded) = load(&bytes, &request) else { continue };
            let name = format!("{}, {}", path.display(), entry.function);
            let program = loaded.ebpf();
            let settings = Settings { log: 1 | STATISTICS, cpus: possible_cpus(), ..Settings::default() };
            let ours = verify_with(&program, &loaded.program_type, settings);
            if let Err(rejection) = &ours {
                wrong += &format!("{name}: instruction {}: {rejection}\n", program.slot(rejection.pc));
            }
            let asking =
                Asked { kernel: &kernel, program: &program, program_type: &loaded.program_type, settings };
            let theirs = asking.judge(STATISTICS.into());
            if !theirs.accepted {
                wrong += &format!("{name}: Linux says {:?}\n", reason(&theirs.log));
            }
            if let Err(difference) = asking.compare(&ours, &theirs) {
                wrong += &format!("{name}: {difference}\n");
            }
            asked += 1;
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    tell(format_args!("{asked} programs of clang accepted, by the kernel too"));
}

/// Every reason for a refusal, by its name in the source.
fn reasons() -> impl Iterator<Item = &'static str> {
    let source = include_str!("../../core/src/verifier/rejection.rs");
    let body = source.split("pub enum Reason {").nth(1).and_then(|rest| rest.split("\n}\n").next());
    let variant = |line: &'static str| {
        let name = line.strip_prefix("    ")?.split(|letter: char| !letter.is_alphanumeric()).next()?;
        (!name.is_empty()).then_some(name)
    };
    body.expect("it is declared there").lines().filter_map(variant)
}

#[test]
fn suite() {
    let kernel = Kernel::open(PROBE);
    let (mut refused, mut accepted) = (0, 0);
    let (mut wrong, mut seen) = (String::new(), BTreeSet::new());
    for Case { name: case, text, refusal } in cases() {
        let loaded = match load(text.as_bytes(), &Format::Ebpf.into()) {
            Ok(loaded) => loaded,
            Err(faults) => panic!("{case}: {faults:?}"),
        };
        let program = loaded.ebpf();
        let strict_alignment = text.contains("; strict alignment");
        let settings = Settings { log: 1 | STATISTICS, strict_alignment, cpus: possible_cpus() };
        let ours = verify_with(&program, &loaded.program_type, settings);
        if let Err(rejection) = &ours {
            let reason = format!("{:?}", rejection.reason);
            let name = reason.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default();
            seen.insert(name.to_owned());
            let sentence = rejection.explanation();
            // It says how to mend it, and in words of its own.
            let words = ["_or_null", "map_value", "pkt", "ringbuf_mem", "scalar"];
            if !sentence.contains(&[';', ','][..]) || words.iter().any(|word| sentence.contains(word)) {
                wrong += &format!("{case}: {sentence}\n");
            }
        }
        let found = ours.as_ref().err().map(|rejection| {
            let at = program.origin(rejection.pc).text.clone().expect("it was text").start;
            (
                text[..at].lines().count().max(1) + usize::from(text[..at].ends_with('\n')),
                rejection.reason.to_string().lines().next_back().unwrap_or_default().to_owned(),
            )
        });
        if found != refusal {
            wrong += &format!("{case}: expected {refusal:?}, found {found:?}\n");
        }
        *(if found.is_some() { &mut refused } else { &mut accepted }) += 1;
        let Ok(kernel) = &kernel else { continue };
        if text.contains("; not on Linux: ") {
            continue;
        }
        let asked = Asked { kernel, program: &program, program_type: &loaded.program_type, settings };
        let theirs = asked.judge(STATISTICS.into());
        let words = (!theirs.accepted).then(|| reason(&theirs.log).to_owned());
        if text.contains("; Linux accepts it") {
            if theirs.accepted && refusal.is_some() {
                continue;
            }
            wrong += &format!("{case}: Linux says {words:?}\n");
        }
        if words.as_deref() != refusal.as_ref().map(|(_, words)| words.as_str()) {
            wrong += &format!("{case}: Linux says {words:?}\n");
        }
        if let Err(difference) = asked.compare(&ours, &theirs) {
            wrong += &format!("{case}: {difference}\n");
        }
    }
    let missing: Vec<&str> = reasons().filter(|reason| !seen.contains(*reason)).collect();
    assert!(missing.is_empty(), "no case is refused for: {missing:?}");
    assert!(wrong.is_empty(), "{wrong}");
    match kernel {
        Ok(_) => tell(format_args!("{accepted} accepted and {refused} refused, by the kernel too")),
        Err(why) => skipped("the running kernel", &why),
    }
}
