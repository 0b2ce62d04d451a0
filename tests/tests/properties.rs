//! Properties of encodings, texts, conversion and links, on generated inputs.

use bpf64_core::classic::{self, Rules, convert_plain, encoding as classic_encoding, text::Style};
use bpf64_core::debugger::Session;
use bpf64_core::environment::SOCKET_FILTER;
use bpf64_core::isa::doc::Known;
use bpf64_core::isa::encoding::{self, Raw};
use bpf64_core::isa::text::{FunctionNames, Text};
use bpf64_core::isa::{self, Callee, Insn, WideImm};
use bpf64_core::link::{self, Document, Entry, Packet};
use bpf64_core::packet::Capture;
use bpf64_core::program::{Pc, Program};
use bpf64_tests::engine::{CLASSIC, agree};
use bpf64_tests::examples;
use bpf64_tests::generate::Generator;
use bpf64_tests::input::Input;
use bpf64_tests::property::{as_usual, check};
use std::collections::BTreeSet;
use std::fmt::{Debug, Display};
use std::rc::Rc;

fn same<T: PartialEq + Debug>(found: T, wanted: T, what: impl Display) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{what}\nfound  {found:?}\nwanted {wanted:?}")) }
}

// Encodings.

#[test]
fn ebpf_decodes_to_what_was_encoded() {
    check("eBPF decode(encode)", 20_000, |make| {
        let insn = make.insn();
        let (first, second) = encoding::encode(&insn);
        same(Raw::from_bytes(first.to_bytes()), first, "the slot's bytes")?;
        same(encoding::decode(first, second), Ok(insn), insn)
    });
}

#[test]
fn ebpf_encodes_to_the_bytes_it_was_decoded_from() {
    let mut opcodes = BTreeSet::new();
    check("eBPF encode(decode)", 200_000, |make| {
        let [first, second] = [raw_slot(make), raw_slot(make)];
        if let Ok(insn) = encoding::decode(first, Some(second)) {
            opcodes.insert(first.opcode);
            let (again, again_second) = encoding::encode(&insn);
            same(again, first, insn)?;
            same(again_second.unwrap_or(second), second, insn)?;
            same(again_second.is_some(), insn.slots() == 2, insn)?;
        }
        Ok(())
    });
    // RFC 9669 has 125 opcode bytes; beyond it: JCOND, and atomic operations on bytes and half words.
    assert!(!as_usual() || opcodes.len() == 125 + 3, "{opcodes:x?}");
}

/// Any opcode, and fields that are often 0 or small, so that much of it decodes.
fn raw_slot(make: &mut Generator) -> Raw {
    let field = |make: &mut Generator| match make.below(6) {
        0 => make.bits() as i32,
        1 => make.pick(&[0x100, 0x110, 0x01, 0x40, 0x41, 0xa1, 0xe1, 0xf1, 16, 32, 64, 0x111]),
        2 => make.pick(&[1, 8, 16, 32, 0x101, 0x108]),
        _ => 0,
    };
    let reg = |make: &mut Generator| if make.percent(50) { 0 } else { make.below(16) as u8 };
    Raw {
        opcode: if make.percent(30) { 0 } else { make.bits() as u8 },
        dst: reg(make),
        src: reg(make),
        offset: field(make) as i16,
        imm: field(make),
    }
}

#[test]
fn classic_decodes_to_what_was_encoded_and_back() {
    check("classic decode(encode)", 20_000, |make| {
        let insn = make.classic_insn();
        let raw = classic_encoding::encode(&insn);
        same(classic_encoding::Raw::from_bytes(raw.to_bytes()), raw, "the bytes")?;
        same(classic_encoding::decode(raw), Ok(insn), insn)
    });
    let mut codes = BTreeSet::new();
    check("classic encode(decode)", 100_000, |make| {
        let raw = classic_encoding::Raw {
            code: make.below(0x120) as u16,
            jt: make.bits() as u8,
            jf: make.bits() as u8,
            k: make.constant(),
        };
        let Ok(insn) = classic_encoding::decode(raw) else { return Ok(()) };
        codes.insert(raw.code);
        // Linux does not look at fields that an instruction has no use for, so they are not kept.
        let again = classic_encoding::encode(&insn);
        same(again.code, raw.code, insn)?;
        same(classic_encoding::decode(again), Ok(insn), insn)?;
        let jumps = matches!(insn, classic::Insn::Branch { .. });
        same((again.jt, again.jf), if jumps { (raw.jt, raw.jf) } else { (0, 0) }, insn)?;
        same(again.k, if again.k == 0 { 0 } else { raw.k }, insn)
    });
    assert!(!as_usual() || codes.len() == 49, "{codes:x?}");
}

#[test]
fn programs_decode_to_what_was_encoded() {
    check("programs decode(encode)", 500, |make| {
        let program = make.program(30);
        same(Program::decode(&program.encode()), Ok(program.clone()), "eBPF")?;
        let program = make.classic_program(30);
        same(classic::Program::from_raw(&program.raw()), Ok(program), "classic")
    });
}

// Texts.

fn parse_ebpf(text: &str) -> Result<Vec<Insn>, String> {
    match isa::text::parse(text, &SOCKET_FILTER.functions) {
        Ok(parsed) => Ok(parsed.insns.into_iter().map(|(insn, _)| insn).collect()),
        Err(faults) => Err(format!("{text}\n{}", faults[0])),
    }
}

#[test]
fn ebpf_text_is_read_as_what_was_printed() {
    check("eBPF parse(print), alone", 20_000, |make| {
        let insn = make.insn();
        let text = insn.to_string();
        same(parse_ebpf(&text)?, vec![insn], &text)?;
        let named =
            Text { insn: &insn, target: None, label: None, names: &SOCKET_FILTER.functions }.to_string();
        same(parse_ebpf(&named)?, vec![insn], &named)
    });
    check("eBPF parse(print), listings", 1_000, |make| {
        let program = make.program(30);
        for numbered in [false, true] {
            let text = listing(&program, numbered);
            same(parse_ebpf(&text)?, program.insns().to_vec(), &text)?;
        }
        Ok(())
    });
}

/// A listing as the page shows it: jumps name slots.
fn listing(program: &Program, numbered: bool) -> String {
    let mut text = String::new();
    for pc in program.pcs() {
        let insn = program.insn(pc);
        let target = target(&insn).and_then(|offset| program.target(pc, offset)).map(|to| program.slot(to).0);
        if numbered {
            text += &format!("{}: ", program.slot(pc));
        }
        text += &format!("{}\n", Text { insn: &insn, target, label: None, names: &SOCKET_FILTER.functions });
    }
    text
}

fn target(insn: &Insn) -> Option<i32> {
    match *insn {
        Insn::Call(Callee::Local(offset)) => Some(offset),
        ref insn => insn.jump_offset(),
    }
}

#[test]
fn classic_text_is_read_as_what_was_printed() {
    let parse = |text: &str| match classic::text::parse(text) {
        Ok(parsed) => Ok(parsed.into_iter().map(|statement| statement.insn).collect::<Vec<_>>()),
        Err(faults) => Err(format!("{text}\n{}", faults[0])),
    };
    check("classic parse(print)", 2_000, |make| {
        let program = make.classic_program(60);
        let insns = program.insns();
        for style in [Style::Tcpdump, Style::BpfAsm] {
            let text = classic::text::listing(insns, style);
            same(parse(&text)?, insns.to_vec(), &text)?;
        }
        let lines = program.pcs().zip(insns).map(|(pc, insn)| classic::text::short(insn, pc));
        let text = lines.collect::<Vec<_>>().join("\n");
        same(parse(&text)?, insns.to_vec(), &text)
    });
}

// Conversion and engines.

#[test]
fn converted_examples_give_what_the_classic_ones_give() {
    let (programs, captures) = (examples::programs(), examples::captures());
    let mut runs = 0;
    for (name, program) in &programs {
        for (file, capture) in &captures {
            for (number, packet) in capture.iter().enumerate() {
                let input = Input::from(bpf64_core::environment::World::new(packet.skb()));
                if let Err(why) = agree(&CLASSIC, program, &input) {
                    panic!("{name} on {file}#{number}: {why}");
                }
                runs += 1;
            }
        }
    }
    println!(
        "{} programs, {} captures, {runs} runs on {} engines",
        programs.len(),
        captures.len(),
        CLASSIC.len()
    );
}

#[test]
fn converted_programs_give_what_the_classic_ones_give() {
    let mut executed = BTreeSet::new();
    check("reference, converted, stepped", 10_000, |make| {
        let program = Rc::new(make.classic_program(40));
        let world = make.world();
        let input = Input::from(world.clone());
        agree(&CLASSIC, &program, &input).map_err(|why| shown(&program, &input, &why))?;
        let session = Session::new(classic::interp::Machine::new(Rc::clone(&program), world), 10_000);
        let steps = (0..session.steps()).filter_map(|step| session.pc_of(step));
        executed.extend(steps.map(|pc| program.raw()[pc.index()].code));
        Ok(())
    });
    assert!(!as_usual() || executed.len() == 49, "all codes are executed: {executed:x?}");
}

fn shown(program: &classic::Program, input: &Input, why: &str) -> String {
    let text = classic::text::listing(program.insns(), Style::Tcpdump);
    format!("{text}\n{:?}\n{why}", input.world)
}

#[test]
fn converted_instructions_know_where_they_come_from() {
    check("origins", 1_000, |make| {
        let program = make.classic_program(60);
        let converted = convert_plain(&program).program;
        let mut last = None;
        let mut seen = BTreeSet::new();
        for pc in converted.pcs() {
            let origin = converted.origin(pc).classic;
            match origin {
                None if pc.0 < 3 => {}
                Some(classic) if classic.index() < program.insns().len() && origin >= last => {
                    seen.insert(classic);
                }
                _ => {
                    return Err(format!(
                        "instruction {pc} comes from {origin:?}, the one before from {last:?}"
                    ));
                }
            }
            last = origin;
        }
        same(seen.len(), program.insns().len(), "every classic instruction is somebody's origin")
    });
}

#[test]
fn the_longest_programs_convert() {
    use bpf64_core::classic::{CmpOp, MAX_INSNS, Operand, Returned};
    let end = classic::Insn::Return(Returned::A);
    let filled = |first, with| {
        let mut insns = vec![with; MAX_INSNS];
        (insns[0], insns[MAX_INSNS - 1]) = (first, end);
        classic::Program::new(insns).expect("Linux accepts it")
    };
    // The longest jump over the longest translation.
    let over = filled(classic::Insn::Jump(MAX_INSNS as u32 - 2), classic::Insn::LoadXHeaderLength(0));
    let through = filled(
        classic::Insn::LoadA(classic::Value::Imm(7)),
        classic::Insn::Branch { op: CmpOp::Set, with: Operand::X, jt: 0, jf: 0 },
    );
    // Something new to keep in mind at every instruction, over long distances.
    let mut insns = vec![end; MAX_INSNS];
    for (pc, insn) in insns.iter_mut().enumerate().take(MAX_INSNS - 300) {
        *insn = match pc % 3 {
            0 => classic::Insn::LoadAncillary { size: isa::Size::W, what: classic::Ancillary::Random },
            1 => classic::Insn::StoreA((pc / 3 % 16) as u32),
            _ => classic::Insn::Branch { op: CmpOp::Gt, with: Operand::K(pc as u32), jt: 252, jf: 1 },
        };
    }
    let asking = classic::Program::new(insns).expect("Linux accepts it");
    let found = |program: classic::Program| {
        let input = bpf64_tests::input::parse("").expect("an empty packet");
        agree(&CLASSIC, &Rc::new(program), &input)
    };
    let value = |value| Ok(bpf64_tests::engine::Outcome::Value(value));
    assert_eq!((found(over), found(through)), (value(0), value(7)));
    found(asking).unwrap_or_else(|why| panic!("{why}"));
}

// Links.

fn document(make: &mut Generator) -> Document {
    let words = ["ldh [12]", "jeq #0x800", "ret #0", "r0 = 1", "exit", "tcp port 22"];
    Document {
        source: make.text(&words),
        language: make.pick(&["", "cbpf", "ebpf", "é"]).to_owned(),
        packet: make.percent(60).then(|| Packet {
            bytes: make.packet(),
            wire_len: make.constant(),
            link_type: make.constant(),
        }),
        breakpoints: (0..make.below(5)).map(|_| make.constant()).collect(),
        step: make.constant(),
        classic: make.percent(50),
        program_type: make.pick(&["", "xdp", "é"]).to_owned(),
        context: (0..make.below(3)).map(|_| (make.text(&words), make.packet())).collect(),
        entries: (0..make.below(4)).map(|_| entry(make)).collect(),
        conditions: (0..make.below(3)).map(|_| make.text(&["r0 == 5", "write", "\n"])).collect(),
    }
}

fn entry(make: &mut Generator) -> Entry {
    let value = make.percent(70).then(|| make.packet());
    Entry { table: make.pick(&["", "counts"]).to_owned(), key: make.packet(), value }
}

#[test]
fn links_open_to_what_they_were_made_of() {
    check("link decode(encode)", 500, |make| {
        let document = document(make);
        let link = link::encode(&document).map_err(|error| error.to_string())?;
        same(link.ends_with(['-', '_']), false, &link)?;
        same(link.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)), true, &link)?;
        same(link::decode(&link), Ok(document), &link)
    });
}

#[test]
fn damaged_links_are_refused_and_nothing_else() {
    check("damaged links", 3_000, |make| {
        let whole = document(make);
        let link = link::encode(&whole).map_err(|error| error.to_string())?;
        let mut bytes = link.clone().into_bytes();
        make.damage(&mut bytes);
        let damaged = String::from_utf8_lossy(&bytes).into_owned();
        match link::decode(&damaged) {
            // Damage that undoes itself, or lies in bits that no byte uses.
            Ok(document) => same(document, whole, damaged),
            Err(error) => same(error.to_string().is_empty(), false, damaged),
        }
    });
    check("arbitrary links", 3_000, |make| {
        let text = make.text(&["#", "1.", "#1.", "AAAA", "http://", "2.", "..", "=", "-_"]);
        drop(link::decode(&text));
        let noise = make.below(60);
        let noise = make.bytes(noise);
        drop(link::decode(&format!("#1.{}", String::from_utf8_lossy(&noise))));
        Ok(())
    });
}

/// Names are for people only: the numbers decide.
#[test]
fn every_function_is_called_by_its_name() {
    for name in SOCKET_FILTER.functions.all() {
        let id = SOCKET_FILTER.functions.number(name).expect("its own name");
        for text in [
            format!("call {name}"),
            format!("call bpf_{name}"),
            format!("call {name}#{id}"),
            format!("call {id}"),
        ] {
            assert_eq!(parse_ebpf(&text), Ok(vec![Insn::Call(Callee::Helper(id))]), "{text}");
        }
    }
}

/// The address of an instruction counts from the slot after the first of its own two.
#[test]
fn a_label_as_address_is_where_the_label_stands() {
    let insns = parse_ebpf("r1 = code[f]\nexit\nf: r0 = 1\nexit").expect("it is well-formed");
    assert_eq!(insns[0], Insn::LoadImm { dst: isa::Reg::R1, imm: WideImm::Code(2) });
    let text = Text { insn: &insns[0], target: Some(3), label: None, names: &() }.to_string();
    assert_eq!(parse_ebpf(&text), Ok(vec![insns[0]]), "{text}");
}

/// Every instruction has its sentence, which goes on in other sentences.
#[test]
fn every_instruction_is_explained_in_a_sentence() {
    check("sentences", 2_000, |make| {
        let insn = make.insn();
        let classic = make.classic_insn();
        let known = Known { target: Some(7), function: Some(("f", "gives nothing")), map: Some("m") };
        for text in [
            isa::doc::sentence(&insn, &Known::default()),
            isa::doc::sentence(&insn, &known),
            classic::doc::sentence(&classic, Pc(3), Rules::Socket),
            classic::doc::sentence(&classic, Pc(3), Rules::Seccomp),
        ] {
            let good = text.starts_with(char::is_lowercase) && !text.ends_with('.') && !text.contains('\n');
            same(good, true, format!("{insn} or {classic}: {text}"))?;
        }
        Ok(())
    });
}

/// The same packets, however they are written down.
#[test]
fn captures_are_read_in_every_form() {
    for (name, capture) in examples::captures() {
        let packets: Vec<_> = capture.iter().collect();
        let number = |big: bool, value: u32| if big { value.to_be_bytes() } else { value.to_le_bytes() };
        let halves = |big: bool, a: u16, b: u16| {
            if big { [a.to_be_bytes(), b.to_be_bytes()] } else { [a.to_le_bytes(), b.to_le_bytes()] }.concat()
        };
        for (big, magic) in
            [(false, 0xa1b2_c3d4), (true, 0xa1b2_c3d4), (false, 0xa1b2_3c4d), (true, 0xa1b2_3c4d)]
        {
            let mut file = number(big, magic).to_vec();
            file.extend(halves(big, 2, 4));
            [0, 0, 262_144, 1].into_iter().for_each(|value| file.extend(number(big, value)));
            for packet in &packets {
                let length = packet.bytes.len() as u32;
                [1, 2, length, packet.wire_len].into_iter().for_each(|value| file.extend(number(big, value)));
                file.extend(packet.bytes);
            }
            let read = Capture::read(&file).unwrap();
            assert_eq!(read.iter().collect::<Vec<_>>(), packets, "{name} {big} {magic:#x}");
            assert_eq!(read.damage, None, "{name} {big} {magic:#x}");
        }
        for big in [false, true] {
            let mut file = Vec::new();
            let mut block = |kind: u32, body: &[u8]| {
                let padded = body.len().next_multiple_of(4);
                let length = number(big, padded as u32 + 12);
                file.extend(
                    [&number(big, kind)[..], &length, body, &vec![0; padded - body.len()], &length].concat(),
                );
            };
            block(0x0a0d_0d0a, &[&number(big, 0x1a2b_3c4d)[..], &halves(big, 1, 0), &[0xff; 8]].concat());
            block(1, &[&halves(big, 1, 0)[..], &number(big, 0)].concat());
            for (at, packet) in packets.iter().enumerate() {
                let length = packet.bytes.len() as u32;
                let [length, wire] = [number(big, length), number(big, packet.wire_len)];
                if at % 3 == 0 {
                    // Something of no interest between: a comment in a block of names.
                    block(4, &halves(big, 0, 0));
                }
                if at % 2 == 0 && packet.wire_len == packet.bytes.len() as u32 {
                    block(3, &[&wire[..], packet.bytes].concat());
                } else {
                    block(6, &[&number(big, 0)[..], &[0; 8], &length, &wire, packet.bytes].concat());
                }
            }
            let read = Capture::read(&file).unwrap();
            assert_eq!(read.iter().collect::<Vec<_>>(), packets, "{name} pcapng {big}");
            assert_eq!(read.damage, None, "{name} pcapng {big}");
        }
    }
}
