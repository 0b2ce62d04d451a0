//! Others who know the answer: tcpdump's verdicts on the captures, and the checksums that Linux wrote into them.

use bpf64_core::context::skb::Skb;
use bpf64_core::environment::World;
use bpf64_core::packet::{layers, mend};
use bpf64_tests::engine::{CLASSIC, Outcome, agree};
use bpf64_tests::examples;
use bpf64_tests::input::Input;
use std::fs;

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
                agree(&CLASSIC, program, &input).unwrap_or_else(|why| panic!("{line} #{number}: {why}"));
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

/// The captures were recorded without offload, so Linux filled in every length and checksum: we must find nothing to
/// mend in them, and what we damage must become what Linux wrote.
#[test]
fn lengths_and_checksums_are_those_that_linux_wrote() {
    let mut mended = 0;
    for (name, capture) in examples::captures() {
        for (number, packet) in capture.iter().enumerate() {
            let whole = packet.wire_len as usize;
            let of = |bytes: &[u8]| {
                let skb = Skb::captured(bytes.to_vec(), packet.wire_len, packet.link_type);
                mend::faults(bytes, &layers(&skb, packet.link_type), whole)
            };
            assert_eq!(of(packet.bytes), [], "{name}#{number}");
            let known = ["total length", "payload length", "length", "header checksum", "checksum"];
            let skb = Skb::captured(packet.bytes.to_vec(), packet.wire_len, packet.link_type);
            for field in layers(&skb, packet.link_type).iter().flat_map(|layer| &layer.fields) {
                if !known.contains(&field.label) {
                    continue;
                }
                let mut damaged = packet.bytes.to_vec();
                damaged[field.bytes.start + 1] ^= 1;
                let faults = of(&damaged);
                mend::apply(&mut damaged, &faults);
                // Not to be known: sums of fragments, and of a sender who made none.
                if !faults.is_empty() {
                    assert_eq!(damaged, packet.bytes, "{name}#{number}: {}", field.label);
                    mended += 1;
                }
            }
        }
    }
    assert!(mended > 300, "{mended} fields were mended");
}
