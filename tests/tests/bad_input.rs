//! Bad input of every kind: each gets a clear message at its place, and nothing panics or hangs.

use bpf64_core::diagnostic::{Diagnostic, Position};
use bpf64_core::load::{Format, MAX_TEXT, Request, load};
use bpf64_core::packet::{Capture, CaptureError, layers};
use bpf64_tests::any_input::{WORDS, load_all, load_one};
use bpf64_tests::examples;
use bpf64_tests::generate::Generator;
use bpf64_tests::property::check;

#[test]
fn arbitrary_bytes_never_panic() {
    check("bytes", 3_000, |make| {
        let length = make.below(80);
        let mut bytes = make.bytes(length);
        // Some look like instructions.
        for slot in bytes.chunks_mut(8) {
            if make.percent(60) {
                slot[0] = make.pick(&[0x06, 0x16, 0x15, 0x28, 0x95, 0xb7, 0x18, 0x85, 0x05, 0x61]);
            }
            if make.percent(60) {
                slot.iter_mut().skip(1).for_each(|byte| *byte = 0);
            }
        }
        load_all(&bytes)
    });
}

#[test]
fn arbitrary_text_never_panics() {
    check("text", 6_000, |make| load_all(make.text(&WORDS).as_bytes()));
}

#[test]
fn damaged_programs_never_panic() {
    let mut inputs: Vec<Vec<u8>> = examples::files("txt").into_iter().map(|(_, text)| text).collect();
    for (_, program) in examples::programs() {
        let converted = bpf64_core::classic::convert(&program).program;
        inputs.push(program.encode());
        inputs.push(converted.encode());
        inputs.push(
            converted.encode().iter().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes(),
        );
        inputs
            .push(converted.insns().iter().map(|insn| format!("{insn}\n")).collect::<String>().into_bytes());
        let rows = program.raw();
        let row = |raw: &bpf64_core::classic::encoding::Raw| {
            format!("{} {} {} {}\n", raw.code, raw.jt, raw.jf, raw.k)
        };
        inputs.push(format!("{}\n{}", rows.len(), rows.iter().map(row).collect::<String>()).into_bytes());
    }
    check("damaged programs", 3_000, |make| {
        let mut bytes = make.pick(&inputs);
        make.damage(&mut bytes);
        load_all(&bytes)
    });
}

#[test]
fn large_nonsense_is_answered() {
    let of = |piece: &str| piece.repeat(MAX_TEXT / piece.len());
    let distinct = |what: fn(usize) -> String| {
        let fit = |length: &mut usize, line: String| {
            *length += line.len();
            (*length < MAX_TEXT - 100).then_some(line)
        };
        (0..).map(what).scan(0, fit).collect::<String>()
    };
    let inputs = [
        of("{"),
        of("{{").replacen('{', "", 1) + "}",
        of("{}"),
        of("x\n"),
        of("a:\n"),
        of("/*"),
        of("("),
        of("9"),
        of("9 "),
        of("9\n"),
        of("1,"),
        of("ja x\n"),
        of("exit\n"),
        of("r0 = 1 ll\n"),
        of("é"),
        of("goto +1\n"),
        of("ff"),
        of("#"),
        of("-"),
        of("0x"),
        of(":"),
        of("ldh [12]\n"),
        distinct(|n| format!("l{n}: goto l{}\n", n + 1)),
        distinct(|n| format!("label{n:06}:\n")) + "ja label\n",
        distinct(|n| format!("goto m{n:06}\nl{n:06}:\n")),
        distinct(|n| format!("{n}: r0 = r{n}\n")),
    ];
    for input in &inputs {
        // All of it in the format it is taken for, and a part in every other.
        let whole = input.as_bytes();
        let part = &input[..input.floor_char_boundary(MAX_TEXT / 64)];
        if let Err(why) = load_one(whole, None).and_then(|()| load_all(part.as_bytes())) {
            panic!("{}", why.chars().take(3000).collect::<String>());
        }
    }
}

/// The faults of a text: `line:column message; help`.
fn faults(input: &[u8], format: Option<Format>) -> Vec<String> {
    let text = String::from_utf8_lossy(input);
    let shown = |fault: &Diagnostic| {
        let Position { line, column } = Position::of(&text, fault.span.start);
        format!("{line}:{column} {fault}")
    };
    load(input, &Request { format, ..Request::default() })
        .err()
        .unwrap_or_default()
        .iter()
        .map(shown)
        .collect()
}

#[test]
fn what_does_not_fit_a_suite_has_its_message() {
    let megabytes = "ldh [12]\n".repeat(10 * (1 << 20) / 9);
    assert_eq!(
        faults(megabytes.as_bytes(), None),
        [
            "1:1 the text has 10.0 MiB; up to 1 MiB are read; a classic program has at most 4096 instructions: cut the text down to the program"
        ]
    );
    let long = "ret #0\n".repeat(4097);
    assert_eq!(
        faults(long.as_bytes(), None),
        ["4097:1 a classic program has at most 4096 instructions; this is one more"]
    );
    let rows = format!("4097\n{}", "6 0 0 0\n".repeat(4097));
    assert_eq!(
        faults(rows.as_bytes(), None),
        [
            "4098:1 the program has 4097 instructions; a classic program has at most 4096: let paths that end alike share an end"
        ]
    );
    let bytes = [6, 0, 0, 0, 0, 0, 0, 0].repeat(5000);
    assert_eq!(
        faults(&bytes, Some(Format::RawClassic)),
        [
            "1:1 the program has 5000 instructions; a classic program has at most 4096: let paths that end alike share an end"
        ]
    );
    assert_eq!(
        faults(b"ldh [12] ; \xe9\nret #0", None),
        [
            "1:1 the input is not text: byte 11 is no UTF-8; for instructions as bytes, say `--format raw` or `--format raw-classic`"
        ]
    );
    for input in [&b""[..], b" \n\t\n", b"; nothing but a comment\n", b"# nothing\n"] {
        assert_eq!(faults(input, None).len(), 1, "{input:?}");
        assert!(faults(input, None)[0].contains("there is no program here yet"), "{:?}", faults(input, None));
    }
    // Line ends and tabs of other systems, and a mark that editors put in front.
    for text in ["ldh\t[12]\r\nret\t#0\r\n", "\u{feff}ldh [12]\nret #0", "ldh [12]\nret #0\n\n\n"] {
        assert_eq!(faults(text.as_bytes(), None), Vec::<String>::new(), "{text:?}");
    }
}

#[test]
fn damaged_captures_give_what_is_whole() {
    let captures = examples::files("pcap");
    check("damaged captures", 1_000, |make: &mut Generator| {
        let mut bytes = make.pick(&captures).1;
        if make.percent(50) {
            // In the headers of file and packets, where damage matters most.
            let at = make.below(bytes.len().min(200));
            bytes[at] = make.pick(&[0, 1, 0x7f, 0x80, 0xff]);
        } else {
            make.damage(&mut bytes);
        }
        match Capture::read(&bytes) {
            Ok(capture) => {
                for packet in capture.iter() {
                    let skb = packet.skb();
                    let end = layers(&skb, packet.link_type).iter().fold(0, |_, layer| layer.bytes.end);
                    if end != skb.packet.len() || (skb.len as usize) < skb.packet.len() {
                        return Err(format!("layers end at {end} of {}", skb.packet.len()));
                    }
                    drop((skb.payload_offset(), skb.context()));
                }
                Ok(())
            }
            Err(error) if error.to_string().is_empty() => Err("refused without a word".to_owned()),
            Err(_) => Ok(()),
        }
    });
    check("noise as capture", 500, |make| {
        let magic = make.pick(&[
            &[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0][..],
            &[0xa1, 0xb2, 0x3c, 0x4d, 0, 2, 0, 4],
            &[0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0],
            &[],
        ]);
        let length = make.below(200);
        let noise = make.bytes(length);
        let mut bytes = [magic, &noise].concat();
        bytes.iter_mut().skip(magic.len()).for_each(|byte| {
            if make.percent(60) {
                *byte = 0;
            }
        });
        drop(Capture::read(&bytes));
        Ok(())
    });
}

#[test]
fn a_capture_cut_anywhere_keeps_its_whole_packets() {
    for (name, bytes) in examples::files("pcap") {
        let whole = Capture::read(&bytes).unwrap();
        for end in (0..bytes.len()).step_by(31) {
            match Capture::read(&bytes[..end]) {
                Ok(capture) => {
                    assert!(capture.len() <= whole.len(), "{name} cut at {end}");
                    assert!(capture.iter().zip(whole.iter()).all(|(a, b)| a == b), "{name} cut at {end}");
                }
                Err(error) => {
                    let first = 24 + 16 + whole.get(0).unwrap().bytes.len();
                    assert!(end < first, "{name} cut at {end}: {error}");
                    assert_eq!(error == CaptureError::NotACapture, end < 4, "{name} cut at {end}: {error:?}");
                }
            }
        }
    }
}
