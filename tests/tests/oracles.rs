//! Others who know the answer: tcpdump's verdicts on the captures, and the running kernel.

use bpf64_core::classic::{self, encoding};
use bpf64_core::environment::World;
use bpf64_tests::engine::{ClassicSession, Converted, ConvertedSession, Engine, Outcome, Reference, agree};
use bpf64_tests::examples;
use bpf64_tests::generate::Generator;
use bpf64_tests::input::Input;
use bpf64_tests::kernel::{Kernel, skipped};
use bpf64_tests::property::check;
use std::fs;
use std::rc::Rc;

const ENGINES: [&dyn Engine<classic::Program>; 4] =
    [&Reference, &Converted, &ClassicSession, &ConvertedSession];

/// Asks whether the kernel can be asked.
const PROBE: &str = env!("CARGO_BIN_EXE_probe-kernel");

#[test]
fn engines_accept_what_tcpdump_accepts() {
    let verdicts =
        fs::read_to_string(examples::folder().join("verdicts.tsv")).expect("verdicts.tsv is there");
    let (programs, captures) = (examples::programs(), examples::captures());
    let find = |name: &str| programs.iter().find(|(found, _)| found == name).map(|(_, program)| program);
    let (mut rows, mut packets) = (0, 0);
    for line in verdicts.lines().skip(1) {
        let [name, expression, file, accepted] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("four columns: {line}")
        };
        let program = find(name).unwrap_or_else(|| panic!("no program {name}"));
        let capture = captures.iter().find(|(found, _)| found == file).map(|(_, capture)| capture);
        let capture = capture.unwrap_or_else(|| panic!("no capture {file}"));
        let accepted: Vec<usize> =
            accepted.split(',').filter(|number| !number.is_empty()).map(|n| n.parse().unwrap()).collect();
        for (number, packet) in capture.iter().enumerate() {
            let input = Input::from(World::new(packet.skb()));
            let outcome =
                agree(&ENGINES, program, &input).unwrap_or_else(|why| panic!("{line} #{number}: {why}"));
            assert_eq!(
                outcome != Outcome::Value(0),
                accepted.contains(&number),
                "{expression} on {file}#{number}"
            );
            packets += 1;
        }
        rows += 1;
    }
    println!("{rows} rows of tcpdump's verdicts, {packets} packets");
    assert!(rows > 100, "{rows} rows");
}

fn listing(raw: &[encoding::Raw]) -> String {
    let lines = raw.iter().enumerate().map(|(pc, raw)| match encoding::decode(*raw) {
        Ok(insn) => format!("({pc:03}) {insn}"),
        Err(error) => format!("({pc:03}) {raw:?}: {error}"),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The kernel and the core refuse the same programs, and what both accept gives the same.
fn compare(kernel: &Kernel, make: &mut Generator, raw: &[encoding::Raw]) -> Result<Option<u32>, String> {
    let shown = |why: String| format!("{}\n{why}", listing(raw));
    let attached = kernel.attach(raw);
    let program = match (attached, classic::Program::from_raw(raw)) {
        (Ok(()), Ok(program)) => Rc::new(program),
        (Err(_), Err(_)) => return Ok(None),
        (Err(error), Ok(_)) => return Err(shown(format!("Linux refuses what core accepts: {error}"))),
        (Ok(()), Err(refusal)) => return Err(shown(format!("Linux accepts what core refuses: {refusal}"))),
    };
    let input = Input::from(make.bare_world());
    let packet = &input.world.skb.packet;
    let value = classic::interp::run(&program, input.world.clone()).0;
    let asked: &dyn Engine<classic::Program> = kernel;
    match asked.run(&program, &input) {
        Ok(Outcome::Value(found)) if found == u64::from(value) => Ok(Some(value)),
        Ok(found) => Err(shown(format!("packet {packet:02x?}\nLinux {found}, reference {value:#x}"))),
        // The CPU and random numbers: nothing to compare.
        Err(_) => Ok(Some(0)),
    }
}

#[test]
fn the_kernel_accepts_and_computes_the_same() {
    let kernel = match Kernel::open(PROBE) {
        Ok(kernel) => kernel,
        Err(why) => return skipped("the running kernel", &why),
    };
    let (mut accepted, mut nonzero, mut refused) = (0, 0, 0);
    check("Linux, random programs", 2_000, |make| {
        let raw =
            if make.percent(50) { make.classic_program(30).raw() } else { make.nearly_classic_program() };
        match compare(&kernel, make, &raw)? {
            Some(value) => {
                accepted += 1;
                nonzero += usize::from(value != 0);
            }
            None => refused += 1,
        }
        Ok(())
    });
    println!("Linux agrees: {accepted} accepted ({nonzero} with a result that is not 0), {refused} refused");
}

#[test]
fn the_kernel_agrees_on_lengths_and_every_code() {
    let kernel = match Kernel::open(PROBE) {
        Ok(kernel) => kernel,
        Err(why) => return skipped("the running kernel", &why),
    };
    let plain = |code, k| encoding::Raw { code, jt: 0, jf: 0, k };
    let ret = plain(0x06, 0);
    let same = |kernel: &Kernel, raw: &[encoding::Raw]| {
        let core = classic::Program::from_raw(raw).map(drop);
        match kernel.attach(raw) {
            Err(error) if error.kind() == std::io::ErrorKind::OutOfMemory => {
                skipped(&format!("{} instructions", raw.len()), "net.core.optmem_max does not allow as many");
            }
            linux => assert_eq!(
                core.is_ok(),
                linux.is_ok(),
                "{} instructions\n{}\n{core:?}\n{linux:?}",
                raw.len(),
                listing(&raw[..raw.len().min(9)])
            ),
        }
    };
    for length in [0, 1, 2, 4095, 4096, 4097] {
        // A socket each: what an old filter takes counts until it is gone.
        let kernel = Kernel::open_unasked().expect("it could be asked before");
        same(&kernel, &vec![ret; length]);
    }
    // Every code, alone with what it needs, with constants at which the checker changes its mind.
    for code in 0..0x120 {
        for k in [0, 1, 15, 16, 31, 32, u32::MAX] {
            same(&kernel, &[plain(0x02, k % 16), plain(code, k), ret, ret]);
        }
    }
    // Every offset around the ancillary ones.
    for k in 0xffff_efff..=0xffff_f041 {
        same(&kernel, &[plain(0x28, k), ret]);
    }
    for k in [0xffff_efff, 0xffff_f000, 0xffff_f001, 0xffff_f040, u32::MAX] {
        for code in [0x20, 0x30, 0x40, 0x48, 0x50, 0xb1] {
            same(&kernel, &[plain(code, k), ret]);
        }
    }
}
