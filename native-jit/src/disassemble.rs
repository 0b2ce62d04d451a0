//! Machine code as text: instructions in Intel's syntax, by iced-x86.
//!
//! It looks at bytes alone, so that a page can load it on its own, when it is first wanted; [`listing`](crate::listing)
//! puts what it found beside the instructions of the program.

use crate::listing::Machine;
use iced_x86::{Decoder, DecoderOptions, FastFormatter, Instruction, OpKind};

/// All machine instructions in some code, in order. Bytes that are none are `(bad)`, one after the other.
#[must_use]
pub fn disassemble(code: &[u8]) -> Vec<Machine> {
    let mut formatter = FastFormatter::new();
    let options = formatter.options_mut();
    options.set_use_hex_prefix(true);
    options.set_uppercase_hex(false);
    options.set_space_after_operand_separator(true);
    let mut decoder = Decoder::with_ip(64, code, 0, DecoderOptions::NONE);
    let mut machine = Vec::new();
    let mut instruction = Instruction::default();
    while decoder.can_decode() {
        decoder.decode_out(&mut instruction);
        let mut text = String::new();
        if instruction.op0_kind() == OpKind::NearBranch64 {
            // As short as the other addresses in the listing.
            let mnemonic = format!("{:?}", instruction.mnemonic()).to_ascii_lowercase();
            text = format!("{mnemonic} {:#x}", instruction.near_branch_target());
        } else {
            formatter.format(&instruction, &mut text);
        }
        machine.push(Machine { address: instruction.ip32(), text });
    }
    machine
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x64::{Alu, Assembler, Cond, Gpr, Mem, Shift, Unary, Wide};

    /// The text of what is written.
    fn text(write: impl FnOnce(&mut Assembler)) -> String {
        let mut asm = Assembler::default();
        write(&mut asm);
        let code = asm.lay_out().bytes;
        let lines: Vec<String> = disassemble(&code).into_iter().map(|machine| machine.text).collect();
        lines.join("; ")
    }

    const WIDES: [(Wide, usize); 4] = [(Wide::B, 0), (Wide::W, 1), (Wide::D, 2), (Wide::Q, 3)];

    /// The name of a register at a width, as the disassembler writes it.
    fn name(register: Gpr, wide: Wide) -> String {
        let number = usize::from(register.number());
        let names = [
            ["al", "ax", "eax", "rax"],
            ["cl", "cx", "ecx", "rcx"],
            ["dl", "dx", "edx", "rdx"],
            ["bl", "bx", "ebx", "rbx"],
            ["spl", "sp", "esp", "rsp"],
            ["bpl", "bp", "ebp", "rbp"],
            ["sil", "si", "esi", "rsi"],
            ["dil", "di", "edi", "rdi"],
        ];
        let at = WIDES.iter().find(|(known, _)| *known == wide).map_or(3, |(_, at)| *at);
        match names.get(number) {
            Some(names) => names[at].to_owned(),
            None => format!("r{number}{}", ["b", "w", "d", ""][at]),
        }
    }

    /// Every register in every place that an instruction has: what is written is what the disassembler reads.
    #[test]
    fn registers_are_read_as_they_were_written() {
        for to in Gpr::ALL {
            for from in Gpr::ALL {
                for wide in [Wide::D, Wide::Q] {
                    let (a, b) = (name(to, wide), name(from, wide));
                    assert_eq!(text(|asm| asm.mov(wide, to, from)), format!("mov {a}, {b}"));
                    assert_eq!(text(|asm| asm.alu(Alu::Xor, wide, to, from)), format!("xor {a}, {b}"));
                    assert_eq!(text(|asm| asm.imul(wide, to, from)), format!("imul {a}, {b}"));
                    let count = name(Gpr::R13, wide);
                    assert_eq!(
                        text(|asm| asm.shift_x(Shift::Sar, wide, to, from, Gpr::R13)),
                        format!("sarx {a}, {b}, {count}")
                    );
                }
                let byte = name(from, Wide::B);
                assert_eq!(
                    text(|asm| asm.movzx(Wide::B, to, from)),
                    format!("movzx {}, {byte}", name(to, Wide::D))
                );
            }
        }
    }

    /// Every base with displacements of every length, with and without an index.
    #[test]
    fn memory_is_read_as_it_was_written() {
        for base in Gpr::ALL {
            for (disp, shown) in
                [(0, ""), (8, "+0x8"), (-8, "-0x8"), (0x1234, "+0x1234"), (-0x1234, "-0x1234")]
            {
                for (wide, _) in WIDES {
                    let mem = Mem::at(base, disp);
                    let written = text(|asm| asm.mov_to(wide, mem, Gpr::Rsi));
                    let expected = format!("mov [{base}{shown}], {}", name(Gpr::Rsi, wide));
                    assert_eq!(written, expected);
                }
                for index in Gpr::ALL.into_iter().filter(|&index| index != Gpr::Rsp) {
                    let mem = Mem { base, index: Some((index, 3)), disp };
                    assert_eq!(
                        text(|asm| asm.lea(Wide::Q, Gpr::R9, mem)),
                        format!("lea r9, [{base}+{index}*8{shown}]")
                    );
                }
            }
        }
    }

    #[test]
    fn constants_are_as_short_as_they_can_be() {
        let cases: [(u64, &str, usize); 6] = [
            (0, "xor ecx, ecx", 2),
            (1, "mov ecx, 0x1", 5),
            (0xffff_ffff, "mov ecx, 0xffffffff", 5),
            (u64::MAX, "mov rcx, 0xffffffffffffffff", 7),
            (0xffff_ffff_8000_0000, "mov rcx, 0xffffffff80000000", 7),
            (0x1_0000_0000, "mov rcx, 0x100000000", 10),
        ];
        for (value, shown, length) in cases {
            let mut asm = Assembler::default();
            asm.mov_imm(Gpr::Rcx, value);
            assert_eq!(
                (text(|asm| asm.mov_imm(Gpr::Rcx, value)).as_str(), asm.lay_out().bytes.len()),
                (shown, length)
            );
        }
    }

    #[test]
    fn the_rest() {
        let mem = Mem::at(Gpr::R12, 16);
        type Write = fn(&mut Assembler, Mem);
        let cases: [(&str, Write); 23] = [
            ("add rax, 0x7f", |asm, _| asm.alu_imm(Alu::Add, Wide::Q, Gpr::Rax, 127)),
            ("cmp rax, 0x12345", |asm, _| asm.alu_imm(Alu::Cmp, Wide::Q, Gpr::Rax, 0x12345)),
            ("cmp word ptr [r12+0x10], 0x8", |asm, mem| asm.alu_imm(Alu::Cmp, Wide::W, mem, 8)),
            ("cmp byte ptr [r12+0x10], 0x6", |asm, mem| asm.alu_imm(Alu::Cmp, Wide::B, mem, 6)),
            ("lock add [r12+0x10], r8", |asm, mem| asm.alu_to(Alu::Add, Wide::Q, mem, Gpr::R8, true)),
            ("lock cmpxchg [r12+0x10], ecx", |asm, mem| asm.lock_cmpxchg(Wide::D, mem, Gpr::Rcx)),
            ("lock xadd [r12+0x10], rsi", |asm, mem| asm.lock_xadd(Wide::Q, mem, Gpr::Rsi)),
            ("xchg [r12+0x10], edi", |asm, mem| asm.xchg(Wide::D, mem, Gpr::Rdi)),
            ("test dil, 0x1", |asm, _| asm.test_imm(Wide::B, Gpr::Rdi, 1)),
            ("bt r9, 0x21", |asm, _| asm.bt_imm(Wide::Q, Gpr::R9, 33)),
            ("bt r9d, r10d", |asm, _| asm.bt(Wide::D, Gpr::R9, Gpr::R10)),
            ("dec r8d", |asm, _| asm.step(Wide::D, Gpr::R8, true)),
            ("neg r14", |asm, _| asm.unary(Unary::Neg, Wide::Q, Gpr::R14)),
            ("mulx rdx, r8, r9", |asm, _| asm.mulx(Gpr::Rdx, Gpr::R8, Gpr::R9)),
            ("bswap r10", |asm, _| asm.bswap(Wide::Q, Gpr::R10)),
            ("movbe eax, [r12+0x10]", |asm, mem| asm.movbe(Wide::D, Gpr::Rax, mem)),
            ("cmovb rax, r9", |asm, _| asm.cmov(Cond::B, Wide::Q, Gpr::Rax, Gpr::R9)),
            ("movsxd r9, [r12+0x10]", |asm, mem| asm.movsx(Wide::D, Wide::Q, Gpr::R9, mem)),
            ("rol ax, 0x8", |asm, _| asm.shift_imm(Shift::Rol, Wide::W, Gpr::Rax, 8)),
            ("push qword ptr [r12+0x10]", |asm, mem| asm.push_mem(mem)),
            ("adc r9, 0x0", |asm, _| asm.alu_imm(Alu::Adc, Wide::Q, Gpr::R9, 0)),
            ("sbb rdx, 0xffffffffffffffff", |asm, _| asm.alu_imm(Alu::Sbb, Wide::Q, Gpr::Rdx, -1)),
            ("cqo", |asm, _| asm.sign_into_rdx(Wide::Q)),
        ];
        for (shown, write) in cases {
            assert_eq!(text(|asm| write(asm, mem)), shown);
        }
    }
}
