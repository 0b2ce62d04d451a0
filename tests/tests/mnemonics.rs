//! The mnemonic style, alone and mixed with the kernel's: what is printed is read as the same.

use bpf64_core::environment::SOCKET_FILTER;
use bpf64_core::isa::text::{Mnemonic, Text, parse};
use bpf64_core::isa::{Insn, Reg};
use bpf64_tests::property::check;

fn read_as(text: &str, wanted: &[Insn]) -> Result<(), String> {
    let found: Vec<Insn> = match parse(text, &SOCKET_FILTER.functions) {
        Ok(parsed) => parsed.insns.into_iter().map(|(insn, _)| insn).collect(),
        Err(faults) => return Err(format!("{text}\n{}", faults[0])),
    };
    if found == wanted { Ok(()) } else { Err(format!("{text}\nfound  {found:?}\nwanted {wanted:?}")) }
}

fn text(insn: &Insn) -> Text<'_> {
    Text { insn, target: None, label: None, names: &SOCKET_FILTER.functions }
}

#[test]
fn mnemonics_are_read_as_what_was_printed() {
    check("mnemonics parse(print), alone", 20_000, |make| {
        let insn = make.insn();
        read_as(&Mnemonic(text(&insn)).to_string(), &[insn])
    });
}

#[test]
fn both_styles_mix() {
    check("both styles parse(print), mixed", 1_000, |make| {
        let program = make.program(30);
        let mut mixed = String::new();
        for insn in program.insns() {
            let line =
                if make.percent(50) { text(insn).to_string() } else { Mnemonic(text(insn)).to_string() };
            mixed += &format!("{line}\n");
        }
        read_as(&mixed, program.insns())
    });
}

#[test]
fn other_spellings_of_registers_are_read() {
    check("mnemonics with %r0", 5_000, |make| {
        let insn = make.insn();
        let mut printed = Mnemonic(text(&insn)).to_string();
        // The longest first: r10 begins with r1.
        for reg in Reg::ALL.iter().rev() {
            for before in [" ", "["] {
                for after in [",", "+", "-", "]"] {
                    let from = format!("{before}{reg}{after}");
                    printed = printed.replace(&from, &format!("{before}%{reg}{after}"));
                }
            }
        }
        read_as(&printed, &[insn])
    });
}
