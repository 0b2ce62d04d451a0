//! What verifying is timed on: one program for each thing that costs a verifier time.

use bpf64_core::isa::Insn;
use bpf64_core::load::{Format, Loaded, load};
use bpf64_core::program::Program;
use std::fmt::Write as _;

/// A program, and what of it costs time.
pub(super) struct Builtin {
    pub(super) name: &'static str,
    made: Made,
}

/// What a program is made as: text of it, or bytes where that would be longer than what is read.
enum Made {
    Text(fn() -> String),
    Bytes(fn() -> Vec<u8>),
}

impl Builtin {
    pub(super) fn load(&self) -> Loaded {
        let (format, bytes) = match self.made {
            Made::Text(made) => (Format::Ebpf, made().into_bytes()),
            Made::Bytes(made) => (Format::Raw, made()),
        };
        load(&bytes, &format.into()).expect("a test loads all of them")
    }
}

/// The suite: instructions, branches, rounds of a loop, and the most that may be looked at, in a loop and without one.
pub(super) const SUITE: [Builtin; 5] = [
    Builtin { name: "straight, 4,000", made: Made::Text(straight) },
    Builtin { name: "parser, 200 branches", made: Made::Text(parser) },
    Builtin { name: "loop, 10,000 rounds", made: Made::Text(|| rounds(10_000)) },
    Builtin { name: "near 1,000,000", made: Made::Text(|| rounds(110_000)) },
    Builtin { name: "straight, 990,000", made: Made::Bytes(|| straight_on(990_000)) },
];

/// 4,000 instructions on numbers and the stack, without a jump.
fn straight() -> String {
    let mut text = ".type socket_filter\nr6 = r1\nr0 = *(u32 *)(r6 + 0)\nr7 = *(u32 *)(r6 + 4)\n".to_owned();
    text += "*(u64 *)(r10 - 8) = r0\n";
    for round in 0.. {
        let lines = [
            format!("r0 += {}", round % 1000 + 1),
            "r0 &= 0xffff".to_owned(),
            "r2 = r0".to_owned(),
            format!("r2 <<= {}", round % 8),
            "w2 ^= w7".to_owned(),
            format!("*(u64 *)(r10 - {}) = r2", 8 * (round % 16 + 1)),
            "r3 = *(u32 *)(r6 + 8)".to_owned(),
            "r3 >>= 3".to_owned(),
            "r7 += r3".to_owned(),
            format!("r0 = *(u64 *)(r10 - {})", 8 * (round % 16 + 1)),
        ];
        for line in lines {
            if text.lines().count() == 4_000 {
                return text + "exit\n";
            }
            writeln!(text, "{line}").expect("a string takes everything");
        }
    }
    text
}

/// So many instructions: those of [`straight`] again and again.
fn straight_on(count: usize) -> Vec<u8> {
    let program = load(straight().as_bytes(), &Format::Ebpf.into()).expect("a test loads it").ebpf();
    let insns = program.insns();
    let (exit, body) = insns.split_last().expect("it has some");
    // What its first instructions load, its last ones have changed.
    let again = body.iter().skip(4).cycle();
    let all: Vec<Insn> = body.iter().chain(again).take(count - 1).chain([exit]).copied().collect();
    Program::new(all, Vec::new()).expect("it has no jumps").encode()
}

/// A parser with 200 branches: 100 headers, each of which must be there and may be left out for what it says.
fn parser() -> String {
    let mut text = ".type xdp\nr2 = *(u32 *)(r1 + 0)\nr3 = *(u32 *)(r1 + 4)\nr0 = 0\n".to_owned();
    for header in 0..100 {
        write!(
            text,
            "r4 = r2\nr4 += 20\nif r4 > r3 goto out\nr5 = *(u8 *)(r2 + {})\nif r5 == {header} goto skip{header}\n\
             r6 = *(u16 *)(r2 + 2)\nr0 += r6\nskip{header}: r2 += 4\n",
            header % 20
        )
        .expect("a string takes everything");
    }
    text + "out: r0 = 2\nexit\n"
}

/// A loop that is followed round by round: nine instructions each.
fn rounds(count: u32) -> String {
    format!(
        ".type socket_filter\nr6 = r1\nr7 = 0\nr0 = 0\nround: r2 = *(u32 *)(r6 + 0)\nr2 &= 0xff\nr0 += r2\n\
         *(u64 *)(r10 - 8) = r0\nr3 = *(u64 *)(r10 - 8)\nr3 >>= 4\nr7 += 1\nr4 = r7\nif r7 < {count} goto round\nexit\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use bpf64_core::verifier::{LIMIT, verify};

    #[test]
    fn each_is_what_it_is_called() {
        let processed = SUITE.map(|builtin| {
            let loaded = builtin.load();
            let program = loaded.ebpf();
            let branches = program.insns().iter().filter(|insn| matches!(insn, Insn::Branch { .. })).count();
            let verified = verify(&program, &loaded.program_type, 0).expect("it does no harm");
            (program.insns().len(), branches, verified.effort().processed)
        });
        assert_eq!(processed[0].0, 4_000);
        assert_eq!(processed[1].1, 200);
        assert!(processed[2].2 >= 10_000, "{processed:?}");
        for near in &processed[3..] {
            assert!((LIMIT - LIMIT / 50..LIMIT).contains(&near.2), "{processed:?}");
        }
    }
}
