//! Reading classic assembly, both spellings; every faulty line is reported.
//!
//! Source: the grammar of bpf_asm (tools/bpf/bpf_exp.y, bpf_exp.l) and libpcap's bpf_image.c.

mod cursor;
mod jumps;
mod operands;

use self::cursor::Cursor;
use self::jumps::{Way, resolve};
use super::super::{AluOp, CmpOp, Insn, MAX_INSNS, Operand};
use crate::diagnostic::{Diagnostic, SUGGESTIONS, Span, nearest};
use crate::names::Names;

/// Instructions in order, with the places they stand in. Not checked yet.
pub type Parsed = Vec<Statement>;

/// An instruction and the bytes of the text it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The instruction.
    pub insn: Insn,
    /// Its bytes.
    pub span: Span,
}

/// bpf_asm's mnemonics, for suggestions.
const MNEMONICS: &[&str] = &[
    "ld", "ldi", "ldh", "ldb", "ldx", "ldxi", "ldxb", "st", "stx", "jmp", "ja", "jeq", "jneq", "jne", "jlt",
    "jle", "jgt", "jge", "jset", "add", "sub", "mul", "div", "mod", "neg", "and", "or", "xor", "lsh", "rsh",
    "tax", "txa", "ret",
];

/// A line as read.
struct Line<'a> {
    insn: Insn,
    /// jt and jf of a branch, or the one way of a jump.
    ways: Vec<Way<'a>>,
    span: Span,
}

/// Reads a whole program.
///
/// # Errors
/// Every faulty line's first fault, jumps to labels that are not there, jumps backwards or too far.
pub fn parse(source: &str) -> Result<Parsed, Vec<Diagnostic>> {
    let mut faults = Vec::new();
    let text = blank_comments(source);
    let mut lines: Vec<Line<'_>> = Vec::new();
    let mut labels = Names::new();
    // The instruction that the next line is: one that was not understood counts as one.
    let (mut start, mut number) = (0, 0u64);
    for line in text.split_inclusive('\n') {
        let mut cursor = Cursor { text: line.trim_end(), at: 0, start };
        start += line.len();
        match cursor.line(&mut number, &mut labels) {
            Ok(Some(line)) => lines.push(line),
            Ok(None) => continue,
            Err(fault) => faults.push(fault),
        }
        number = number.saturating_add(1);
        if lines.len() > MAX_INSNS {
            let span = lines.last().map_or(0..0, |line| line.span.clone());
            let message = format!("a classic program has at most {MAX_INSNS} instructions; this is one more");
            return Err(vec![Diagnostic::new(span, message).refusing(MAX_INSNS as u32)]);
        }
    }
    let mut parsed = Vec::with_capacity(lines.len());
    let count = lines.len() as u64;
    // Lines that were not understood hide labels and shift numbers: do not blame jumps for them.
    let complete = faults.is_empty();
    for (pc, Line { insn, ways, span }) in (0u64..).zip(lines) {
        let suggest = complete && faults.len() < SUGGESTIONS;
        match resolve(insn, &ways, pc, count, &labels, suggest) {
            Ok(insn) => parsed.push(Statement { insn, span }),
            Err(fault) if complete => faults.push(fault),
            Err(_) => {}
        }
    }
    if faults.is_empty() { Ok(parsed) } else { Err(faults) }
}

/// The text with comments blanked out, every byte in its place: `/* … */`, `;` to the end of the line, and `#`
/// at the start of a line.
fn blank_comments(source: &str) -> String {
    let mut bytes = source.as_bytes().to_vec();
    let (mut at, mut line_start) = (0, true);
    while at < bytes.len() {
        let rest = &bytes[at..];
        let length = if rest.starts_with(b"/*") {
            rest.windows(2).position(|pair| pair == b"*/").map_or(rest.len(), |end| end + 2)
        } else if rest[0] == b';' || (rest[0] == b'#' && line_start) {
            rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len())
        } else {
            line_start = rest[0] == b'\n' || (line_start && rest[0].is_ascii_whitespace());
            at += 1;
            continue;
        };
        bytes[at..at + length].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        at += length;
    }
    String::from_utf8(bytes).expect("whole comments, from ASCII mark to ASCII mark, become ASCII spaces")
}

impl<'a> Cursor<'a> {
    fn line(
        &mut self,
        number: &mut u64,
        labels: &mut Names<'a, u64>,
    ) -> Result<Option<Line<'a>>, Diagnostic> {
        self.printed_number(number)?;
        loop {
            let before = self.at;
            let word = self.word();
            let from = self.at - word.len();
            if !word.is_empty() && self.take(":") {
                if !labels.insert(word, *number) {
                    return Err(Diagnostic::new(
                        self.since(from),
                        format!("label `{word}` stands here for the second time"),
                    ));
                }
                continue;
            }
            self.at = before;
            break;
        }
        if self.rest().is_empty() {
            return Ok(None);
        }
        let from = self.at;
        let (insn, ways) = self.instruction()?;
        let span = self.since(from);
        if !self.rest().is_empty() {
            return Err(self.unexpected("the end of the instruction"));
        }
        Ok(Some(Line { insn, ways, span }))
    }

    /// `(003)`: must be the instruction's own number, since jumps mean these.
    /// When it is not, the lines behind it go on from it, so that one gap is one fault.
    fn printed_number(&mut self, number: &mut u64) -> Result<(), Diagnostic> {
        self.skip_space();
        let (before, bracket) = (self.at, self.take("("));
        if !bracket {
            return Ok(());
        }
        let digits = self.rest();
        let length = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        let printed: Option<u64> = digits[..length].parse().ok();
        self.at += length;
        self.expect(")")?;
        let expected = std::mem::replace(number, printed.unwrap_or(*number));
        if printed == Some(expected) {
            return Ok(());
        }
        Err(Diagnostic::new(
            self.since(before),
            format!("this is instruction {expected}, but the line says ({})", &digits[..length]),
        )
        .help("lines are missing before it, or were added; jumps go by these numbers"))
    }

    fn instruction(&mut self) -> Result<(Insn, Vec<Way<'a>>), Diagnostic> {
        let from = self.at;
        let mnemonic = self.word().to_ascii_lowercase();
        let plain = |insn| Ok((insn, Vec::new()));
        match mnemonic.as_str() {
            "ld" | "ldi" | "ldh" | "ldb" => plain(self.load_a(&mnemonic)?),
            "ldx" | "ldxi" | "ldxb" => plain(self.load_x(&mnemonic)?),
            "st" => plain(Insn::StoreA(self.scratch()?)),
            "stx" => plain(Insn::StoreX(self.scratch()?)),
            "neg" => plain(Insn::Neg),
            "tax" => plain(Insn::Tax),
            "txa" => plain(Insn::Txa),
            "ret" => plain(self.ret()?),
            "ja" | "jmp" => Ok((Insn::Jump(0), vec![self.way()?])),
            "jeq" => self.branch(CmpOp::Eq, false),
            "jneq" | "jne" => self.branch(CmpOp::Eq, true),
            "jgt" => self.branch(CmpOp::Gt, false),
            "jle" => self.branch(CmpOp::Gt, true),
            "jge" => self.branch(CmpOp::Ge, false),
            "jlt" => self.branch(CmpOp::Ge, true),
            "jset" => self.branch(CmpOp::Set, false),
            name => {
                if let Some(&(op, ..)) = AluOp::TABLE.iter().find(|row| row.2 == name) {
                    let operand =
                        if self.index_register() { Operand::X } else { Operand::K(self.constant()?) };
                    return plain(Insn::Alu(op, operand));
                }
                let help = match nearest(name, MNEMONICS.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "for example `ldh [12]`, `jeq #0x800, ip, drop` or `ret #0`".to_owned(),
                };
                self.at = from;
                Err(self.unexpected("an instruction").help(help))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Returned;
    use super::super::{Style, listing, short};
    use super::*;
    use crate::program::Pc;

    fn insns(text: &str) -> Vec<Insn> {
        parse(text).unwrap().into_iter().map(|statement| statement.insn).collect()
    }

    /// The first fault as `span text | message`.
    fn fault(text: &str) -> String {
        let faults = parse(text).unwrap_err();
        format!("{} | {}", &text[faults[0].span.clone()], faults[0])
    }

    #[test]
    fn both_spellings_mean_the_same() {
        let printed = "(000) ldh      [12]\n(001) jeq      #0x800           jt 2\tjf 3\n(002) ret      #262144\n(003) ret      #0\n";
        let written = "ldh [12]\n jeq #0x800, keep, drop ; IPv4?\nkeep: ret #262144 /* all */\n# drop it\ndrop:\n  ret #0";
        assert_eq!(insns(printed), insns(written));
        assert_eq!(listing(&insns(written), Style::Tcpdump), printed);
        assert_eq!(insns(&listing(&insns(printed), Style::BpfAsm)), insns(printed));
        assert_eq!(short(&insns(printed)[1], Pc(1)), "jeq #0x800, 2, 3");
    }

    #[test]
    fn every_operand_is_read() {
        let text = "ld [4]\nldb [x+2]\nldh [%x + 0x10]\nld M[3]\nld #7\nldi 7\nld #len\nld len\nld vlan_tci\nldb #proto\n\
            ldx #1\nldx M[2]\nldx #len\nldxb 4*([14]&0xf)\nldx 4*([14]&0xf)\nst M[1]\nstx M[0xf]\nadd x\nsub %x\nneg\n\
            and #0xff\nlsh 2\njmp e\njlt #5, e\ne: ret a\nret %a\nret 010\n";
        assert_eq!(insns(text).len(), 27);
        assert_eq!(insns("ret 010"), [Insn::Return(Returned::K(8))]);
        assert_eq!(insns("ld [-4096]"), insns("ld proto"));
        assert_eq!(insns("LDH [12]"), insns("ldh [12]"));
    }

    #[test]
    fn inverted_jumps_swap_their_ways() {
        let branch = |jt, jf| Insn::Branch { op: CmpOp::Gt, with: Operand::K(5), jt, jf };
        assert_eq!(insns("jle #5, e\n ret #1\ne: ret #0")[0], branch(0, 1));
        assert_eq!(insns("jle #5, a, e\na: ret #1\ne: ret #0")[0], branch(1, 0));
    }

    #[test]
    fn faults_say_what_and_where() {
        assert_eq!(fault("ldq [12]"), "ldq | expected an instruction, found `ldq`; did you mean `ld`?");
        assert_eq!(fault("ldh [12"), "2 | expected `]`, found the end of the line");
        assert_eq!(
            fault("jeq #1, out\nret #0"),
            "out | there is no label `out`; a label is written `out:` before an instruction"
        );
        assert_eq!(
            fault("l: ldh [0]\nja l"),
            "l | jump from instruction 1 back to 0; classic jumps only go forward"
        );
        assert_eq!(
            fault("ja 9\nret #0"),
            "9 | jump to instruction 9, but the program ends with instruction 1"
        );
        assert_eq!(fault("ret x"), "x | `ret x` is refused by Linux; write `txa` and then `ret a`");
        assert_eq!(
            fault("ld vlan_tcy"),
            "vlan_tcy | expected what to load, found `vlan_tcy`; did you mean `vlan_tci`?"
        );
        assert_eq!(fault("ld #99999999999"), "99999999999 | the number does not fit into 32 bits");
        assert_eq!(
            fault("(000) ldh [12]\n(002) ret #0"),
            "(002) | this is instruction 1, but the line says (002); lines are missing before it, or were added; jumps go by these numbers"
        );
        assert_eq!(parse("ldq\nret #0 1\nret #0").unwrap_err().len(), 2, "all faulty lines are reported");
    }

    #[test]
    fn jumps_too_far_are_refused() {
        let text = format!("jeq #1, e\n{}e: ret #0", "neg\n".repeat(256));
        assert!(fault(&text).contains("a conditional jump skips at most 255"));
        assert!(parse(&"ret #0\n".repeat(4097)).unwrap_err()[0].message.contains("at most 4096"));
    }
}
