//! Any bytes as a program: decoding and running neither panic nor hang nor grow, whatever they are.

use bpf64_core::environment::{MEMORY, SOCKET_FILTER};
use bpf64_core::interp::{MAX_FRAMES, Machine, STACK_SIZE};
use bpf64_core::isa::Reg;
use bpf64_core::machine::Machine as _;
use bpf64_core::program::Program;
use bpf64_tests::generate::Generator;
use bpf64_tests::input;
use bpf64_tests::property::{as_usual, check};
use std::rc::Rc;

/// Instructions after which a run is given up.
const LIMIT: u64 = 2000;

/// Bytes of a program, good or bad: nonsense, programs, and programs with accidents.
fn bytes(make: &mut Generator) -> Vec<u8> {
    let mut bytes = match make.below(10) {
        0 => {
            let length = make.below(200);
            make.bytes(length)
        }
        1 | 2 => make.program(12).encode(),
        3..=6 => make.running_program(40).encode(),
        _ => make.accepted_program(20).0.encode(),
    };
    match make.below(6) {
        0 => make.damage(&mut bytes),
        // What mostly remains an instruction: other registers, offsets and constants, other or doubled instructions.
        1..=4 if bytes.len() >= 8 => {
            for _ in 0..=make.below(3) {
                let slots = bytes.len() / 8;
                let (at, from) = (8 * make.below(slots), 8 * make.below(slots));
                match make.below(5) {
                    0 => bytes[at + 1] = (make.below(11) | make.below(11) << 4) as u8,
                    1 => bytes[at + 2] ^= 1 << make.below(8),
                    2 => bytes[at + 4] ^= 1 << make.below(8),
                    3 => bytes[at] ^= 1 << make.below(8),
                    _ => bytes.copy_within(from..from + 8, at),
                }
            }
        }
        _ => {}
    }
    bytes
}

#[test]
fn any_bytes_run_or_are_refused() {
    let (mut refused, mut returned, mut trapped, mut endless) = (0, 0, 0, 0);
    check("any bytes as a program", 30_000, |make| {
        let Ok(program) = Program::decode(&bytes(make)) else {
            refused += 1;
            return Ok(());
        };
        let environment = make.pick(&[&SOCKET_FILTER, &MEMORY]);
        let length = make.below(64);
        let packet = make.bytes(length);
        let mut machine = Machine::new(Rc::new(program), environment, input::bare(packet));
        for &reg in &Reg::ALL[..10] {
            if make.percent(20) {
                machine.registers[reg.index()] = make.bits64() >> make.below(64);
            }
        }
        let before = machine.clone();
        let outcome = machine.run(LIMIT);
        match outcome.end {
            Some(Ok(_)) => returned += 1,
            Some(Err(trap)) => {
                trapped += 1;
                // A trap changes nothing: the same instruction traps again.
                if machine.step(&mut ()) != Err(trap) {
                    return Err(format!("{trap}, but not again"));
                }
            }
            None => endless += 1,
        }
        let grown = machine.stack.len() > MAX_FRAMES * STACK_SIZE
            || machine.context.len() != before.context.len()
            || machine.skb().packet.len() != before.skb().packet.len();
        if grown || outcome.executed > LIMIT {
            return Err(format!("{} bytes of stack, {} instructions", machine.stack.len(), outcome.executed));
        }
        let mut again = before;
        if again.run(LIMIT) != outcome || again.registers != machine.registers {
            return Err("the same run again gives something else".to_owned());
        }
        Ok(())
    });
    println!("{refused} refused, {returned} returned, {trapped} trapped, {endless} were given up");
    assert!(!as_usual() || [refused, returned, trapped, endless].iter().all(|&count| count > 100));
}
