//! The two forms of converted programs: the optimised one does the same as the plain one, in no more instructions and
//! no more steps, and Linux's verifier accepts both.

use bpf64_core::cfg::GraphError;
use bpf64_core::classic::{
    self, Ancillary, Conversion, Insn as Classic, PacketOffset, convert, convert_plain, text::Style,
};
use bpf64_core::context::skb::NETWORK_WINDOW;
use bpf64_core::environment::{SOCKET_FILTER, World};
use bpf64_core::helpers;
use bpf64_core::interp::{Machine, Outcome};
use bpf64_core::isa::text::Text;
use bpf64_core::isa::{Callee, Insn};
use bpf64_core::load::{Form, Request, load};
use bpf64_core::machine::Ending;
use bpf64_core::verifier::{Reason, verify};
use bpf64_tests::examples;
use bpf64_tests::generate::Generator;
use bpf64_tests::input;
use bpf64_tests::kernel::skipped;
use bpf64_tests::kernel_ebpf::{Kernel, Loaded, ProgramType};
use bpf64_tests::property::{as_usual, check};
use bpf64_tests::suite;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::rc::Rc;

/// More steps than the longest program takes.
const LIMIT: u64 = 1 << 16;

/// Asks whether the kernel can be asked.
const PROBE: &str = env!("CARGO_BIN_EXE_probe-kernel");

/// What a run comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    value: u32,
    ending: Ending,
    steps: u64,
}

fn run(conversion: &Conversion, world: &World) -> Run {
    let program = Rc::new(conversion.program.clone());
    let Outcome { end, executed } = Machine::new(program, &SOCKET_FILTER, world.clone()).run(LIMIT);
    let (value, ending) = end.expect("jumps go forward").expect("converted programs do not trap");
    Run { value: value as u32, ending, steps: executed }
}

/// The program in all its forms, and what is wrong.
fn shown(program: &classic::Program, why: &str) -> String {
    let list = |conversion: &Conversion| {
        let line = |pc| {
            let (insn, origin) = (conversion.program.insn(pc), conversion.program.origin(pc).classic);
            format!("{pc}: {insn}  ; {origin:?} {:?}\n", conversion.why(pc))
        };
        conversion.program.pcs().map(line).collect::<String>()
    };
    let (plain, optimised) = (list(&convert_plain(program)), list(&convert(program)));
    let text = classic::text::listing(program.insns(), Style::Tcpdump);
    format!("{text}\nplain\n{plain}\noptimised\n{optimised}\n{why}")
}

/// Both forms in these worlds: how many instructions they have.
fn compare(program: &classic::Program, worlds: &[World]) -> Result<[usize; 2], String> {
    let (plain, optimised) = (convert_plain(program), convert(program));
    let lengths = [&plain, &optimised].map(|conversion| conversion.program.insns().len());
    if lengths[1] > lengths[0] {
        return Err(shown(program, &format!("{lengths:?} instructions")));
    }
    for world in worlds {
        let (wanted, found) = (run(&plain, world), run(&optimised, world));
        if (Run { steps: 0, ..wanted }) != (Run { steps: 0, ..found }) || found.steps > wanted.steps {
            return Err(shown(program, &format!("plain {wanted:?}, optimised {found:?}\n{world:?}")));
        }
    }
    Ok(lengths)
}

#[test]
fn the_optimised_form_is_no_longer_and_no_slower() {
    check("optimised, plain", 6_000, |make| {
        let program = make.classic_program(40);
        let worlds: Vec<World> = (0..4).map(|_| make.world()).collect();
        compare(&program, &worlds).map(drop)
    });
}

/// A program that asks the same things again and again, and worlds in which it comes far.
fn repetitive(make: &mut Generator) -> (classic::Program, [World; 3]) {
    let (program, packet) = make.repetitive_program(60);
    let mut world = make.world();
    world.skb.len = world.skb.len.max(packet.len() as u32);
    world.skb.packet = packet;
    let protocols = [0x0102, 0x0201, world.skb.protocol];
    (
        program,
        protocols.map(|protocol| {
            let mut world = world.clone();
            world.skb.protocol = protocol;
            world
        }),
    )
}

#[test]
fn what_is_known_already_is_put_to_use() {
    let mut lengths = [0, 0];
    check("optimised, repetitive programs", 6_000, |make| {
        let (program, worlds) = repetitive(make);
        let [plain, optimised] = compare(&program, &worlds)?;
        lengths = [lengths[0] + plain, lengths[1] + optimised];
        Ok(())
    });
    println!("{} instructions instead of {}", lengths[1], lengths[0]);
    assert!(lengths[1] * 2 < lengths[0], "{lengths:?}");
}

/// Our verifier takes both forms, but for what nothing reaches, which the plain one keeps.
#[test]
fn the_verifier_accepts_both_forms() {
    let (mut accepted, mut unasked) = ([0, 0], 0);
    check("verifier, both forms", 2_000, |make| {
        let program = if make.percent(50) { make.classic_program(40) } else { make.repetitive_program(60).0 };
        let environment = program.rules().environment();
        for (form, conversion) in [convert_plain(&program), convert(&program)].iter().enumerate() {
            match verify(&conversion.program, environment, 0).map_err(|refusal| refusal.reason) {
                Ok(_) => accepted[form] += 1,
                Err(Reason::Graph(GraphError::Unreachable { .. })) if form == 0 => {}
                Err(Reason::NotSupported(_)) => unasked += 1,
                Err(reason) => return Err(shown(&program, &reason.to_string())),
            }
        }
        Ok(())
    });
    println!("{accepted:?} plain and optimised ones accepted; {unasked} cannot be verified yet");
    assert!(!as_usual() || accepted.iter().all(|&count| count > 100), "{accepted:?}");
}

#[test]
fn every_instruction_has_an_origin_or_a_reason() {
    check("origins and reasons", 2_000, |make| {
        let program = if make.percent(50) { make.classic_program(60) } else { make.repetitive_program(60).0 };
        let conversion = convert(&program);
        let converted = &conversion.program;
        let from: BTreeSet<_> = converted.pcs().filter_map(|pc| converted.origin(pc).classic).collect();
        let left_out: Vec<_> = conversion.left_out.iter().map(|(pc, _)| *pc).collect();
        let missing: Vec<_> = program.pcs().filter(|pc| !from.contains(pc)).collect();
        if left_out != missing {
            return Err(shown(&program, &format!("left out {left_out:?}, but missing {missing:?}")));
        }
        for pc in converted.pcs() {
            let insn = converted.insn(pc);
            if insn.jump_offset().is_some_and(|offset| offset < 0) {
                return Err(shown(&program, &format!("{pc}: {insn} goes back")));
            }
            let reasons = conversion.why(pc).iter().chain(conversion.left_out.iter().map(|(_, why)| why));
            for why in reasons {
                let sentence = why.to_string();
                if sentence.ends_with('.') || sentence.contains('\n') || why.code().contains(' ') {
                    return Err(format!("{why:?}: {sentence}"));
                }
            }
        }
        Ok(())
    });
}

/// What each case of `suites/optimised` becomes: the program with the names of the reasons, then what is left out.
#[test]
fn suite() {
    suite::run("optimised", |case| {
        let loaded =
            load(case.text.as_bytes(), &Request::default()).map_err(|faults| faults[0].to_string())?;
        let Form::Classic(program, _) = loaded.form else { return Err("this is eBPF".to_owned()) };
        let conversion = convert(&program);
        let worlds: Vec<World> = (0..50).map(|seed| Generator::new(seed).world()).collect();
        compare(&program, &worlds)?;

        let (names, converted) = (&SOCKET_FILTER.functions, &conversion.program);
        let line = |pc| {
            let insn = converted.insn(pc);
            let target = insn.jump_offset().and_then(|offset| converted.target(pc, offset));
            let target = target.map(|target| converted.slot(target).0);
            let text = Text { insn: &insn, target, label: None, names }.to_string();
            let codes: Vec<&str> = conversion.why(pc).iter().map(|why| why.code()).collect();
            let why = if codes.is_empty() { String::new() } else { format!("  ; {}", codes.join(", ")) };
            format!("! {pc}: {text}{why}")
        };
        let left_out = conversion.left_out.iter().map(|(pc, why)| format!("! ({:03}) {why}", pc.0));
        Ok(converted.pcs().map(line).chain(left_out).collect())
    });
}

/// The table in tests/README.md, which is made here: `BPF64_BLESS=1` rewrites it.
#[test]
fn the_table_of_the_examples_is_true() {
    let mut rows = Vec::new();
    let mut sums = [0; 4];
    for (name, program) in examples::programs() {
        let (plain, optimised) = (convert_plain(&program), convert(&program));
        let mut row = [plain.program.insns().len() as u64, optimised.program.insns().len() as u64, 0, 0];
        for (_, capture) in examples::captures() {
            for packet in capture.iter() {
                let world = World::new(packet.skb());
                row[2] += run(&plain, &world).steps;
                row[3] += run(&optimised, &world).steps;
            }
        }
        sums.iter_mut().zip(row).for_each(|(sum, number)| *sum += number);
        rows.push((name, row));
    }
    rows.push(("all".to_owned(), sums));
    let lines = rows.iter().map(|(name, [long, short, slow, fast])| {
        let less = (slow - fast) * 100 / slow;
        format!("| {} | {long} | {short} | {slow} | {fast} | {less} % |\n", name.trim_end_matches(".txt"))
    });
    let table = lines.collect::<String>();

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(&path).expect("the readme is there");
    let head = "| program | plain | optimised | steps, plain | steps, optimised | less |\n| --- | --- | --- | --- | --- | --- |\n";
    let start = text.find(head).expect("the table has its head") + head.len();
    let end = text[start..].find("\n\n").map_or(text.len(), |end| start + end + 1);
    if std::env::var_os("BPF64_BLESS").is_some() {
        let new = [&text[..start], &table, &text[end..]].concat();
        return fs::write(&path, new).expect("the readme can be rewritten");
    }
    assert_eq!(&text[start..end], table, "the table in tests/README.md; BPF64_BLESS=1 rewrites it");
}

// Linux.

/// Both forms in the kernel, if it has all they call. It takes no code that nothing reaches, which the plain form keeps:
/// then there is only the optimised one.
fn in_linux<'a>(
    kernel: &'a Kernel,
    kind: ProgramType,
    program: &classic::Program,
) -> Result<Option<(Option<Loaded<'a>>, Loaded<'a>)>, String> {
    let conversions = [convert_plain(program), convert(program)];
    let ours = |insn: &Insn| matches!(insn, Insn::Call(Callee::Helper(helpers::CLASSIC..)));
    if conversions[0].program.insns().iter().any(ours) {
        return Ok(None);
    }
    let [plain, optimised] = conversions.map(|conversion| kernel.load(kind, &conversion.program, &[]));
    let optimised = optimised
        .map_err(|refusal| shown(program, &format!("Linux refuses the optimised form: {refusal}")))?;
    match plain {
        Ok(plain) => Ok(Some((Some(plain), optimised))),
        Err(refusal) if refusal.to_string().contains("unreachable insn") => Ok(Some((None, optimised))),
        Err(refusal) => Err(shown(program, &format!("Linux refuses the plain form: {refusal}"))),
    }
}

/// What differs from run to run, or is not here as it is in a test run of the kernel.
fn depends_on_surroundings(program: &classic::Program) -> [bool; 2] {
    let asks = |what: &[Ancillary]| {
        let found = |insn: &Classic| matches!(insn, Classic::LoadAncillary { what: asked, .. } if what.contains(asked));
        program.insns().iter().any(found)
    };
    let all: Vec<Ancillary> =
        Ancillary::TABLE.iter().map(|row| row.0).filter(|&what| what != Ancillary::XorX).collect();
    // Below the window of the network header, X may lead into that of the link layer.
    let link_layer = |insn: &Classic| match *insn {
        Classic::LoadPacket { from: PacketOffset::Abs(k) | PacketOffset::Ind(k), .. }
        | Classic::LoadXHeaderLength(k) => (k as i32) < NETWORK_WINDOW,
        _ => false,
    };
    let live = asks(&[Ancillary::Cpu, Ancillary::Random]);
    [live, asks(&all) || program.insns().iter().any(link_layer)]
}

#[test]
fn linux_accepts_both_forms_and_runs_them_alike() {
    let kernel = match Kernel::open(PROBE) {
        Ok(kernel) => kernel,
        Err(why) => return skipped("the running kernel", &why),
    };
    let (mut accepted, mut compared, mut nonzero) = ([0, 0], 0, 0);
    check("Linux, both forms", 1_000, |make| {
        let (program, packet) = match make.below(2) {
            0 => (make.classic_program(40), make.packet()),
            _ => make.repetitive_program(60),
        };
        let Some((plain, optimised)) = in_linux(&kernel, ProgramType::SocketFilter, &program)? else {
            return Ok(());
        };
        accepted[usize::from(plain.is_some())] += 1;
        let frame = [&[0; 14], &packet[..]].concat();
        let answer = |loaded: &Loaded<'_>| {
            loaded.run(&[], &frame).map(|answer| answer.r0 as u32).map_err(|error| error.to_string())
        };
        let optimised = answer(&optimised)?;
        let plain = plain.as_ref().map_or(Ok(optimised), answer)?;
        let [live, surroundings] = depends_on_surroundings(&program);
        if plain != optimised && !live {
            return Err(shown(
                &program,
                &format!("Linux: plain {plain:#x}, optimised {optimised:#x}\n{packet:x?}"),
            ));
        }
        let wanted = classic::interp::run(&Rc::new(program.clone()), input::bare(packet.clone())).0;
        if !surroundings {
            compared += 1;
            nonzero += usize::from(wanted != 0);
            if plain != wanted {
                return Err(shown(
                    &program,
                    &format!("Linux {plain:#x}, reference {wanted:#x}\n{packet:x?}"),
                ));
            }
        }
        Ok(())
    });
    println!(
        "{} accepted in both forms, {} in the optimised one; {compared} give what the reference gives, {nonzero} of \
         them not 0",
        accepted[1], accepted[0]
    );
}

#[test]
fn linux_runs_the_examples_alike() {
    let kernel = match Kernel::open(PROBE) {
        Ok(kernel) => kernel,
        Err(why) => return skipped("the running kernel", &why),
    };
    let mut runs = 0;
    for (name, program) in examples::programs() {
        // As a classifier: so it sees the packet from its first byte.
        let loaded =
            in_linux(&kernel, ProgramType::SchedCls, &program).unwrap_or_else(|why| panic!("{name}: {why}"));
        let Some((plain, optimised)) = loaded else { continue };
        let forms = [plain.unwrap_or_else(|| panic!("{name} has code that nothing reaches")), optimised];
        let [_, surroundings] = depends_on_surroundings(&program);
        for (file, capture) in examples::captures() {
            for (number, packet) in capture.iter().enumerate() {
                let skb = packet.skb();
                // Test runs take whole packets only, and none whose IP header is cut off.
                let whole = skb.len as usize == skb.packet.len() && skb.packet.len() >= 54;
                if surroundings || !whole {
                    continue;
                }
                let wanted = classic::interp::run(&program, World::new(skb.clone())).0;
                for loaded in &forms {
                    let answer = loaded.run(&[], &skb.packet);
                    let answer = answer.unwrap_or_else(|error| panic!("{name} on {file}#{number}: {error}"));
                    assert_eq!(answer.r0 as u32, wanted, "{name} on {file}#{number}");
                    runs += 1;
                }
            }
        }
    }
    println!("{runs} runs");
    assert!(runs > 1000);
}
