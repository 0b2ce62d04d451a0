//! eBPF in the running kernel, in the interpreter, and as formulas: what the verifier accepts gives the same everywhere.

use bpf64_core::isa::Reg;
use bpf64_core::isa::encoding::{self, Raw};
use bpf64_core::isa::{AtomicOp, Insn};
use bpf64_core::load::{Format, load};
use bpf64_core::machine::{Flow, Machine};
use bpf64_core::program::Program;
use bpf64_tests::engine::{Engine, Interpreter, LIMIT, Outcome, machine};
use bpf64_tests::input::{self, Input};
use bpf64_tests::kernel::skipped;
use bpf64_tests::kernel_ebpf::{Kernel, Loaded, ProgramType, Refusal, question};
use bpf64_tests::property::check;
use bpf64_tests::pure::Pure;
use bpf64_tests::suite::{self, Case};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Asks whether the kernel can be asked.
const PROBE: &str = env!("CARGO_BIN_EXE_probe-kernel");

fn program(text: &str) -> Program {
    load(text.as_bytes(), &Format::Ebpf.into()).expect("it is read").ebpf()
}

#[test]
fn a_run_gives_all_of_r0_and_the_packet() {
    let kernel = match Kernel::open(PROBE) {
        Ok(kernel) => kernel,
        Err(why) => return skipped("the running kernel", &why),
    };
    let sum = program("r0 = r3\nr0 <<= 32\nr0 |= r1\nexit");
    let loaded = kernel.load(ProgramType::SocketFilter, &sum, &[Reg::R1, Reg::R3]).unwrap();
    let answer = loaded.run(&[(Reg::R1, 5), (Reg::R3, 0x8000_0001)], &[0; 14]).unwrap();
    assert_eq!(answer.r0, 0x8000_0001_0000_0005);

    // data and data_end are the first two words of `struct xdp_md`.
    let write = program(
        "r2 = *(u32 *)(r1 + 4)\nr1 = *(u32 *)(r1 + 0)\nr0 = r1\nr0 += 14\n\
         if r0 > r2 goto out\n*(u8 *)(r1 + 2) = 7\nout: r0 = -1\nexit",
    );
    let loaded = kernel.load(ProgramType::Xdp, &write, &[]).unwrap();
    let answer = loaded.run(&[], &[1; 14]).unwrap();
    assert_eq!((answer.r0, &answer.packet[..4]), (u64::MAX, &[1, 1, 7, 1][..]));

    let refused = kernel.load(ProgramType::SocketFilter, &program("r0 = r5\nexit"), &[]).unwrap_err();
    assert!(refused.to_string().contains("R5 !read_ok"), "{refused}");
}

#[test]
fn random_programs() {
    let kernel = match Kernel::open(PROBE) {
        Ok(kernel) => kernel,
        Err(why) => return skipped("the running kernel", &why),
    };
    let (mut results, mut insns, mut there) = (BTreeSet::new(), 0, BTreeSet::new());
    check("Linux, random eBPF programs", 10_000, |make| {
        let (program, input) = make.accepted_program(40);
        let program = Rc::new(program);
        let wanted = Interpreter.run(&program, &input).expect("the interpreter takes all programs");
        let found = kernel.run(&program, &input).expect("Linux takes this input");
        if found != wanted {
            let listing: Vec<String> =
                program.pcs().map(|pc| format!("{}: {}", program.slot(pc), program.insn(pc))).collect();
            let Input { world, registers, .. } = &input;
            return Err(format!(
                "{}\npacket {:02x?}\nregisters {registers:x?}\nLinux: {found}\ninterpreter: {wanted}",
                listing.join("\n"),
                world.skb.packet
            ));
        }
        results.insert(wanted.to_string());
        insns += program.insns().len();
        there.extend(executed(&program, &input));
        Ok(())
    });
    println!(
        "{insns} instructions, {} kinds of them executed, {} different results",
        there.len(),
        results.len()
    );
}

/// Begins the line in a case that tells why Linux cannot be asked about it.
const NOT_ON_LINUX: &str = "; not on Linux: ";

/// What the verifier refuses on principle and the machine runs: how its log says so, and why. What is refused for a
/// reason of its own has a line in its case.
const PRINCIPLES: [(&str, &str); 3] = [
    ("div by zero", "the verifier allows no constant 0 as divisor"),
    ("invalid shift", "the verifier allows no constant shift by the width or more"),
    ("unreachable insn", "the verifier allows no code that nothing reaches"),
];

/// What was asked of whom, over all cases.
#[derive(Default)]
struct Counts {
    /// Runs that `eval` alone agrees on.
    pure: usize,
    /// Runs that Linux agrees on.
    linux: usize,
    /// Programs that trap here and are refused there.
    refused: usize,
    /// Runs Linux was not asked about, by reason.
    skipped: BTreeMap<String, usize>,
    /// What was executed, by opcode and what selects among several: in any run, and in those that Linux agrees on.
    executed: [BTreeSet<(u8, String)>; 2],
}

impl Counts {
    fn skip(&mut self, why: &str) {
        *self.skipped.entry(why.to_owned()).or_default() += 1;
    }
}

/// The eBPF suites on `eval` and on the kernel; that the interpreter gives what they say is tested in suites.rs.
#[test]
fn suites() {
    let kernel = Kernel::open(PROBE);
    if let Err(why) = &kernel {
        skipped("the running kernel", why);
    }
    let (mut counts, mut failures) = (Counts::default(), Vec::new());
    for suite in suite::suites("ebpf") {
        for case in &suite.cases {
            if let Err(why) = compare(kernel.as_ref().ok(), case, &mut counts) {
                failures.push(format!("{}:{}\n{why}", case.line, case.name));
            }
        }
    }
    let Counts { pure, linux, refused, skipped, executed: [executed, there] } = &counts;
    println!("eval agrees on {pure} runs, Linux on {linux}; {refused} trap here and are refused there");
    skipped.iter().for_each(|(why, runs)| println!("{runs} runs not asked of Linux: {why}"));
    assert!(failures.is_empty(), "{} cases fail\n\n{}", failures.len(), failures.join("\n\n"));

    let all = everything_decoded();
    let opcodes =
        |set: &BTreeSet<(u8, String)>| set.iter().map(|(opcode, _)| *opcode).collect::<BTreeSet<u8>>();
    println!(
        "{} opcode bytes, {} instructions; Linux executed {} and {}",
        opcodes(&all).len(),
        all.len(),
        opcodes(there).len(),
        there.len()
    );
    // RFC 9669 has 125; beyond it are may_goto, and load-acquire and store-release of bytes and half words.
    assert_eq!(opcodes(&all).len(), 125 + 3);
    let missing: Vec<_> = all.difference(executed).collect();
    assert!(missing.is_empty(), "executed in no case: {missing:02x?}");
    if kernel.is_ok() {
        let missing: Vec<_> =
            all.difference(there).filter(|(opcode, name)| !NEED_MORE.contains(&(*opcode, name))).collect();
        assert!(missing.is_empty(), "executed by Linux in no case: {missing:02x?}");
    }
}

/// What Linux executes only with what the interpreter has no counterpart for yet: maps, variables and functions of the
/// kernel, addresses of code, and functions whose results are the kernel's own.
const NEED_MORE: [(u8, &str); 8] = [
    (0x18, "src_reg 1"),
    (0x18, "src_reg 2"),
    (0x18, "src_reg 3"),
    (0x18, "src_reg 4"),
    (0x18, "src_reg 5"),
    (0x18, "src_reg 6"),
    (0x85, "src_reg 0"),
    (0x85, "src_reg 2"),
];

/// Every instruction that decoding accepts, but for registers and free numbers: the opcode and what it selects.
fn everything_decoded() -> BTreeSet<(u8, String)> {
    let mut imms: BTreeSet<i32> = AtomicOp::ALL.iter().map(|op| op.bits()).collect();
    imms.extend([0, 1, 16, 32, 64, 0x100, 0x110]);
    let mut found = BTreeSet::new();
    for opcode in 0..=u8::MAX {
        for src in 0..=6 {
            for offset in [0, 1, 8, 16, 32] {
                for &imm in &imms {
                    let raw = Raw { opcode, dst: 0, src, offset, imm };
                    if let Ok(insn) = encoding::decode(raw, Some(Raw::default())) {
                        found.insert((opcode, selected(&insn)));
                    }
                }
            }
        }
    }
    found
}

/// What an instruction is beside its opcode: the field that selects among several.
fn selected(insn: &Insn) -> String {
    let (Raw { src, offset, imm, .. }, _) = encoding::encode(insn);
    match *insn {
        Insn::Alu { .. } | Insn::MovSx { .. } => format!("offset {offset}"),
        Insn::Swap { .. } | Insn::Atomic { .. } | Insn::LoadAcquire { .. } | Insn::StoreRelease { .. } => {
            format!("imm {imm:#x}")
        }
        Insn::LoadImm { .. } | Insn::Call(_) => format!("src_reg {src}"),
        Insn::Neg { .. }
        | Insn::LoadPacket { .. }
        | Insn::Load { .. }
        | Insn::Store { .. }
        | Insn::Jump { .. }
        | Insn::JumpLong { .. }
        | Insn::Branch { .. }
        | Insn::MayGoto { .. }
        | Insn::Exit => String::new(),
    }
}

/// Every run of a case. A result must be Linux's, too; what traps or does not end, Linux must refuse.
fn compare(kernel: Option<&Kernel>, case: &Case, counts: &mut Counts) -> Result<(), String> {
    // What is refused when it is read is no program.
    let Ok(loaded) = load(case.text.as_bytes(), &Format::Ebpf.into()) else { return Ok(()) };
    let program = Rc::new(loaded.ebpf());
    let why_not = case.text.lines().find_map(|line| line.strip_prefix(NOT_ON_LINUX));
    let mut last: Option<(ProgramType, Vec<Reg>, Result<Loaded<'_>, Refusal>)> = None;
    for line in &case.expected {
        let fault = || format!("`{line}` is not `> INPUT = RESULT`");
        let (words, result) =
            line.strip_prefix("> ").and_then(|line| line.rsplit_once("= ")).ok_or_else(fault)?;
        let input = input::parse(words)?;
        let wanted = input::number(result).map(Outcome::Value);
        let executed = executed(&program, &input);
        counts.executed[0].extend(executed.iter().cloned());
        if let Ok(found) = Pure.run(&program, &input) {
            if Some(&found) != wanted.as_ref() {
                return Err(format!("{line}\neval gives {found}"));
            }
            counts.pure += 1;
        }
        if let Some(why) = why_not {
            counts.skip(why);
            continue;
        }
        let Some(kernel) = kernel else { continue };
        let (kind, packet) = match question(&program, &input) {
            Ok(question) => question,
            Err(skip) => {
                counts.skip(skip.0);
                continue;
            }
        };
        let given: Vec<Reg> = input.registers.iter().map(|&(reg, _)| reg).collect();
        // Tables keep what they hold: each run has new ones.
        let keeps = !program.maps().is_empty();
        if keeps || last.as_ref().is_none_or(|(last, had, _)| (*last, had) != (kind, &given)) {
            last = Some((kind, given.clone(), kernel.load(kind, &program, &given)));
        }
        let (_, _, loaded) = last.as_ref().expect("it was just put there");
        match (loaded, wanted) {
            (Ok(loaded), Some(wanted)) => {
                let found =
                    loaded.run(&input.registers, &packet).map_err(|error| format!("{line}\n{error}"))?;
                if Outcome::Value(found.r0) != wanted {
                    return Err(format!("{line}\nLinux gives {:#x}", found.r0));
                }
                counts.linux += 1;
                counts.executed[1].extend(executed);
            }
            (Err(_), None) => counts.refused += 1,
            (Ok(_), None) => return Err(format!("{line}\nLinux accepts it")),
            (Err(refusal), Some(_)) => {
                let text = refusal.to_string();
                let principle = PRINCIPLES.iter().find(|(log, _)| text.contains(log));
                let (_, why) = principle.ok_or_else(|| format!("{line}\nLinux refuses it: {text}"))?;
                counts.skip(why);
            }
        }
    }
    Ok(())
}

/// What the interpreter executes in a run.
fn executed(program: &Rc<Program>, input: &Input) -> BTreeSet<(u8, String)> {
    let mut machine = machine(program, input);
    let mut found = BTreeSet::new();
    for _ in 0..LIMIT {
        if let Some(insn) = program.insns().get(machine.pc().index()) {
            found.insert((encoding::encode(insn).0.opcode, selected(insn)));
        }
        if !matches!(machine.step(&mut ()), Ok(Flow::Next)) {
            break;
        }
    }
    found
}
