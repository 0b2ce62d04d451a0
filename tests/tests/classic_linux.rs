//! Classic programs in the running kernel: what its checker refuses, and what filters return, on a Unix socket.
#![cfg(target_os = "linux")]

use bpf64_core::classic::{Ancillary, Insn, Program, encoding};
use bpf64_core::environment::World;
use bpf64_tests::engine::{Converted, Engine, Optimised, Outcome, Reference, agree};
use bpf64_tests::examples;
use bpf64_tests::input::{self, Input};
use bpf64_tests::kernel::{Kernel, Wire, run_on, skipped, wire};
use bpf64_tests::property::{as_usual, check};
use std::io::ErrorKind;
use std::rc::Rc;

/// Asks whether the kernel can be asked.
const PROBE: &str = env!("CARGO_BIN_EXE_probe-kernel");
/// The CPU that the programs run on.
const CPU: u32 = 0;

fn listing(raw: &[encoding::Raw]) -> String {
    let lines = raw.iter().take(300).enumerate().map(|(pc, raw)| match encoding::decode(*raw) {
        Ok(insn) => format!("({pc:03}) {insn}"),
        Err(error) => format!("({pc:03}) {raw:?}: {error}"),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The program, when both the kernel and core accept it, and `None` when both refuse.
fn verdict(kernel: &impl Wire, raw: &[encoding::Raw]) -> Result<Option<Rc<Program>>, String> {
    let differ = |why: String| Err(format!("{}\n{why}", listing(raw)));
    match (kernel.attach(raw), Program::from_raw(raw)) {
        (Ok(()), Ok(program)) => Ok(Some(Rc::new(program))),
        (Err(error), Err(_)) if error.kind() == ErrorKind::InvalidInput => Ok(None),
        (Err(error), Err(_)) => differ(format!("Linux refuses it for a reason of its own: {error}")),
        (Err(error), Ok(_)) => differ(format!("Linux refuses what core accepts: {error}")),
        (Ok(()), Err(refusal)) => differ(format!("Linux accepts what core refuses: {refusal}")),
    }
}

/// What our engines make of a program.
fn ours(program: &Rc<Program>, input: &Input) -> Result<u32, String> {
    let engines: [&dyn Engine<Program>; 3] = [&Reference, &Converted, &Optimised];
    match agree(&engines, program, input)? {
        Outcome::Value(value) => Ok(value as u32),
        other => Err(other.to_string()),
    }
}

fn loads(program: &Program, wanted: Ancillary) -> bool {
    program.insns().iter().any(|insn| matches!(insn, Insn::LoadAncillary { what, .. } if *what == wanted))
}

/// What random programs came to.
#[derive(Default)]
struct Counts {
    accepted: usize,
    refused: usize,
    /// Packets whose delivered length agrees.
    lengths: usize,
    /// Of these, with a result that is not 0.
    kept: usize,
    /// Results of which all 32 bits agree.
    values: usize,
}

/// The program that `kernel` has just attached, over some packets: the same length arrives; and of one result that
/// the length does not tell, all bits are the same.
fn same_results(
    kernel: &Kernel,
    program: &Rc<Program>,
    packets: &[Vec<u8>],
    counts: &mut Counts,
) -> Result<(), String> {
    let mut beyond = None;
    for packet in packets {
        let input = Input::from(World { cpu: CPU, ..input::bare(packet.clone()) });
        let wanted = ours(program, &input)?;
        let found = kernel.deliver(packet).map_err(|error| error.to_string())?;
        if found != wire::length(kernel, packet, wanted) {
            return Err(format!("packet {packet:02x?}\nours {wanted:#x}, Linux delivers {found:?}"));
        }
        counts.lengths += 1;
        counts.kept += usize::from(wanted != 0);
        if wanted as usize >= packet.len() {
            beyond = Some((packet, wanted));
        }
    }
    let Some((packet, wanted)) = beyond else { return Ok(()) };
    let found = wire::value(kernel, &program.raw(), packet, wanted).map_err(|error| error.to_string())?;
    if found != wanted {
        return Err(format!("packet {packet:02x?}\nours {wanted:#x}, Linux {found:#x}"));
    }
    counts.values += 1;
    Ok(())
}

#[test]
fn random_programs() {
    let kernel = match Kernel::open(PROBE) {
        Ok(kernel) => kernel,
        Err(why) => return skipped("the running kernel", &why),
    };
    let pinned = run_on(CPU).is_ok();
    let real: Vec<Vec<u8>> = examples::captures()
        .iter()
        .flat_map(|(_, capture)| capture.iter().map(|packet| packet.bytes.to_vec()).collect::<Vec<_>>())
        .collect();
    let mut counts = Counts::default();
    check("Linux, random programs", 20_000, |make| {
        let most = if make.percent(3) { 300 } else { 30 };
        let raw =
            if make.percent(50) { make.classic_program(most).raw() } else { make.nearly_classic_program() };
        let Some(program) = verdict(&kernel, &raw)? else {
            counts.refused += 1;
            return Ok(());
        };
        counts.accepted += 1;
        if loads(&program, Ancillary::Random) || loads(&program, Ancillary::Cpu) && !pinned {
            return Ok(());
        }
        let packets: Vec<Vec<u8>> =
            (0..6).map(|number| if number % 2 == 0 { make.packet() } else { make.pick(&real) }).collect();
        same_results(&kernel, &program, &packets, &mut counts)
            .map_err(|why| format!("{}\n{why}", listing(&raw)))
    });
    let Counts { accepted, refused, lengths, kept, values } = counts;
    println!("Linux agrees: {accepted} accepted, {refused} refused");
    println!(
        "{lengths} lengths the same ({kept} of a result that is not 0), {values} results in all 32 bits"
    );
    if as_usual() {
        assert!(refused > 4_000 && accepted > 12_000 && kept > 25_000 && values > 2_000, "a weaker test");
    }
}

/// The checker's rule about scratch cells is the one that needs all paths: programs of little else.
#[test]
fn random_scratch() {
    let kernel = match Kernel::open(PROBE) {
        Ok(kernel) => kernel,
        Err(why) => return skipped("the running kernel", &why),
    };
    let [mut accepted, mut refused] = [0, 0];
    check("Linux, scratch cells", 5_000, |make| {
        match verdict(&kernel, &make.scratch_program(16))? {
            Some(_) => accepted += 1,
            None => refused += 1,
        }
        Ok(())
    });
    println!("Linux agrees: {accepted} accepted, {refused} refused");
    if as_usual() {
        assert!(accepted > 1_000 && refused > 1_000, "a weaker test");
    }
}

/// Every rule at the numbers where it changes its mind.
#[test]
fn the_edges_of_every_rule() {
    let kernel = match Kernel::open(PROBE) {
        Ok(kernel) => kernel,
        Err(why) => return skipped("the running kernel", &why),
    };
    let plain = |code, k| encoding::Raw { code, jt: 0, jf: 0, k };
    let ret = plain(0x06, 0);
    let mut asked = [0, 0];
    let mut same = |kernel: &Kernel, raw: &[encoding::Raw]| match verdict(kernel, raw) {
        Ok(program) => asked[usize::from(program.is_some())] += 1,
        Err(why) => panic!("{} instructions\n{why}", raw.len()),
    };
    for length in [0, 1, 2, 4095, 4096, 4097] {
        // A socket each time: what an old filter takes counts until it is gone.
        let fresh = || Kernel::open_unasked().expect("it could be asked before");
        let raw = vec![ret; length];
        match fresh().attach(&raw).map_err(|error| error.kind()) {
            Err(ErrorKind::OutOfMemory) => {
                skipped(&format!("{length} instructions"), "net.core.optmem_max does not allow as many");
            }
            _ => same(&fresh(), &raw),
        }
    }
    // Every code alone with what it needs; then the 49 with a bit beyond the byte.
    let decodes = |code| encoding::decode(plain(code, 0)).is_ok();
    let high =
        (0..=0xff).filter(|&code| decodes(code)).flat_map(|code| (8..16).map(move |bit| code | 1 << bit));
    for code in (0..=0xff).chain(high) {
        for k in [0, 1, 15, 16, 31, 32, u32::MAX] {
            same(&kernel, &[plain(0x02, k % 16), plain(code, k), ret, ret]);
        }
    }
    // Every offset around the ancillary ones, in every way to load from the packet.
    for k in 0xffff_efff..=0xffff_f041 {
        same(&kernel, &[plain(0x28, k), ret]);
    }
    for k in [0xffff_efff, 0xffff_f000, 0xffff_f001, 0xffff_f040, u32::MAX] {
        for code in [0x20, 0x30, 0x40, 0x48, 0x50, 0xb1] {
            same(&kernel, &[plain(code, k), ret]);
        }
    }
    // Jumps: to the last instruction, behind it, around the whole of 2^32.
    for k in [0, 1, 2, 3, 4, 0x7fff_ffff, 0x8000_0000, u32::MAX - 2, u32::MAX - 1, u32::MAX] {
        for before in 0..2 {
            let mut raw = vec![plain(0x04, 1); before];
            raw.extend([plain(0x05, k), ret, ret, ret]);
            same(&kernel, &raw);
        }
    }
    for code in [0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d] {
        for (jt, jf) in (0..4).flat_map(|jt| (0..4).map(move |jf| (jt, jf))).chain([(0, 255), (255, 0)]) {
            same(&kernel, &[plain(0x04, 1), encoding::Raw { code, jt, jf, k: 0 }, ret, ret]);
        }
    }
    // A cell in question on one way only: written before the branch, on either way, or on none.
    for cell in [0, 15] {
        for written in 0..8 {
            let store = |at: u32| if written >> at & 1 == 1 { plain(0x02, cell) } else { plain(0x04, 0) };
            let branch = encoding::Raw { code: 0x15, jt: 0, jf: 2, k: 0 };
            same(&kernel, &[store(0), branch, store(1), plain(0x05, 1), store(2), plain(0x60, cell), ret]);
        }
    }
    println!("Linux agrees: {} accepted, {} refused", asked[1], asked[0]);
}

/// What the checker takes and Linux cannot use all the same. Neither is a rule of classic BPF; both depend on what the
/// kernel at hand makes of a program, so core accepts these.
#[test]
fn what_linux_refuses_behind_its_checker() {
    let kernel = match Kernel::open(PROBE) {
        Ok(kernel) => kernel,
        Err(why) => return skipped("the running kernel", &why),
    };
    let plain = |code, k| encoding::Raw { code, jt: 0, jf: 0, k };
    let loads = |count| vec![plain(0x20, 0); count];
    // A packet load becomes a dozen eBPF instructions, and a jump over 3,000 of them does not fit its 16 bits
    // (`bpf_convert_filter()`, "Reject anything not fitting into insn->off").
    let far = [vec![plain(0x05, 3_000)], loads(3_000), vec![plain(0x06, 0)]].concat();
    assert!(Program::from_raw(&far).is_ok());
    assert_eq!(kernel.attach(&far).map_err(|error| error.kind()), Err(ErrorKind::InvalidInput));
    // Without a jump the conversion succeeds, but a socket has net.core.optmem_max bytes for its options
    // (`sk_filter_charge()`).
    let long = [loads(3_000), vec![plain(0x06, 0)]].concat();
    assert!(Program::from_raw(&long).is_ok());
    match kernel.attach(&long) {
        Ok(()) => println!("sockets have much room here"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::OutOfMemory),
    }
}
