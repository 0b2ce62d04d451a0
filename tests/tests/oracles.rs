//! Others who know the answer: tcpdump's verdicts on the captures.

use bpf64_core::environment::World;
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
