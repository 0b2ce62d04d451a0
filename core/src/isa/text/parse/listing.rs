//! What tools print: `llvm-objdump -d`, `bpftool prog dump xlated` and the log of the kernel's verifier.
//!
//! Recognised line by line, so that a listing may be pasted whole and edited. Jumps in listings are distances, so
//! the numbers in front say only where an instruction of a log belongs: a log shows instructions in the order in
//! which it came by, some often, and some never.

use super::{Statement, Target, misspelt};
use crate::count::Count;
use crate::diagnostic::{Diagnostic, Span};
use crate::isa::Insn;
use crate::names::Names;
use crate::sort;

/// What a log may leave out, in instructions: more would be a slip in its numbers.
const MOST_MISSING: i64 = 65_536;

/// A line of text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'s> {
    /// A statement from this byte of the line on.
    Code(usize, Note),
    /// `Disassembly of section xdp:`
    Section(&'s str),
    /// `0000000000000048 <LBB0_2>:`
    Heading(&'s str),
    /// `0000000000000038:  R_BPF_64_32  helper`
    Relocation(&'s str),
    /// What the tool says besides.
    Talk,
}

/// What a listing says of an instruction beside its text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Note {
    /// Its slot, in a listing of the kernel's.
    pub(super) slot: Option<i64>,
    /// Its opcode, in a listing of the kernel's.
    pub(super) opcode: Option<u8>,
    /// Whether its bytes say that it is a call within the program.
    pub(super) local_call: bool,
}

/// Whether a line is an instruction as one of the tools lists it.
#[must_use]
pub fn is_listed(line: &str) -> bool {
    kernel(line).is_some() || object(line).is_some_and(|(_, bytes)| bytes.is_some())
}

/// Whether a text has an instruction as the kernel lists it: then it may have the verifier's talk, too.
pub(super) fn is_log(text: &str) -> bool {
    text.lines().any(|line| kernel(line).is_some())
}

pub(super) fn classify(line: &str, log: bool) -> Line<'_> {
    let trimmed = line.trim();
    if let Some((at, slot, opcode)) = kernel(line) {
        return Line::Code(at, Note { slot: Some(slot), opcode: Some(opcode), local_call: false });
    }
    if let Some((at, bytes)) = object(line) {
        return match bytes {
            Some(_) if line[at..].trim().is_empty() => Line::Talk,
            bytes => {
                let local_call = bytes == Some([0x85, 0x10]);
                Line::Code(at, Note { local_call, ..Note::default() })
            }
        };
    }
    if let Some(name) = trimmed.strip_prefix("Disassembly of section ") {
        return Line::Section(name.trim_end_matches(':'));
    }
    let digits = trimmed.bytes().take_while(u8::is_ascii_hexdigit).count();
    if digits >= 8
        && let Some(rest) = trimmed[digits..].strip_prefix([' ', ':'])
    {
        if let Some(name) = rest.trim().strip_prefix('<').and_then(|rest| rest.strip_suffix(">:")) {
            return Line::Heading(name);
        }
        let mut words = rest.split_ascii_whitespace();
        if let (Some(kind), Some(name)) = (words.next(), words.next())
            && kind.starts_with("R_BPF_")
        {
            return Line::Relocation(name);
        }
    }
    let is_bytes = || bytes(trimmed).is_some_and(|(length, _)| length == trimmed.len());
    let names_file = |(name, rest): (&str, &str)| name.ends_with(':') && rest.starts_with("file format ");
    if trimmed.split_once('\t').is_some_and(names_file) || (log && (is_bytes() || talks(trimmed))) {
        return Line::Talk;
    }
    Line::Code(0, Note::default())
}

/// `  12: (b7) r0 = 0`: where the statement begins, slot and opcode.
fn kernel(line: &str) -> Option<(usize, i64, u8)> {
    let (at, slot) = number(line)?;
    let rest = line[at..].strip_prefix(" (")?;
    let opcode = u8::from_str_radix(rest.get(..2)?, 16).ok()?;
    rest[2..].starts_with(") ").then_some((at + 5, slot, opcode))
}

/// `  12: b7 00 00 00 00 00 00 00 r0 = 0`: where the statement begins, and its first two bytes if it has them.
fn object(line: &str) -> Option<(usize, Option<[u8; 2]>)> {
    let (at, _) = number(line)?;
    let skipped = line[at..].len() - line[at..].trim_start().len();
    let (length, first) = bytes(&line[at + skipped..])?;
    (skipped > 0).then_some((at + skipped + length, Some(first)))
}

/// The number and colon that a line begins with: where they end, and the number.
fn number(line: &str) -> Option<(usize, i64)> {
    // No line of most texts.
    if line.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return None;
    }
    let value = line.trim_start();
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = value.split_at(digits);
    let at = line.len() - rest.len();
    // Without digits it is no number.
    Some((at + 1, number.parse::<u32>().ok()?.into())).filter(|_| rest.starts_with(':'))
}

/// The 8 or 16 bytes of an instruction in hexadecimal: how long they are written, and the first two.
fn bytes(text: &str) -> Option<(usize, [u8; 2])> {
    let is_pair = |at: usize| {
        let pair = text.get(at..at + 2);
        pair.is_some_and(|pair| pair.bytes().all(|byte| byte.is_ascii_hexdigit()))
            && text[at + 2..].chars().next().is_none_or(char::is_whitespace)
    };
    let count = (0..16).take_while(|pair| is_pair(pair * 3)).count();
    let pairs = if count == 16 { 16 } else { 8 };
    if count != pairs {
        return None;
    }
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).ok();
    Some((pairs * 3 - 1, [byte(0)?, byte(3)?]))
}

/// Whether a line of a log is the verifier's talk: registers, how it came to an instruction, what is wrong.
fn talks(line: &str) -> bool {
    let line = number(line).map_or(line, |(at, _)| line[at..].trim_start());
    if line.is_empty() || line.starts_with(';') {
        // Nothing, or a number with a comment: nothing to read either.
        return line.starts_with(';');
    }
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(line.len());
    let (word, rest) = line.split_at(end);
    match word {
        "safe" | "caller" | "callee" => true,
        _ if rest.starts_with(':') && !word.starts_with("frame") && !word.starts_with("mark_precise") => {
            word == "libbpf"
        }
        _ if word.starts_with('R') || word.is_empty() => !line.starts_with(['*', '.', '%', '/', '#']),
        // A sentence that begins with no word of the language.
        _ => rest.contains([' ', '=']) && !begins_statement(word) && misspelt(word).is_none(),
    }
}

fn begins_statement(word: &str) -> bool {
    super::STATEMENTS.contains(&word)
        || super::is_mnemonic(word)
        || matches!(word.as_bytes(), [b'r' | b'w', b'0'..=b'9', ..])
}

/// Takes in what a relocation says of the instruction above it.
pub(super) fn relocate<'s>(
    statement: &mut Statement<'s>,
    name: &'s str,
    span: Span,
) -> Result<(), Diagnostic> {
    match (&statement.insn, &statement.target) {
        (Insn::Call(_), Some((Target::Relative(distance), _))) => {
            let addend = distance + 1;
            statement.target = Some((Target::Behind(name, addend), span));
            Ok(())
        }
        (Insn::LoadImm { .. }, _) => Err(Diagnostic::new(
            span,
            format!("this instruction needs `{name}`, which only the object file has"),
        )),
        _ => Ok(()),
    }
}

/// The section that holds functions for all programs.
const SHARED: &str = ".text";

/// Puts the statements of an object file's sections together: one program and, behind it, `.text`.
pub(super) fn join(
    statements: &mut Vec<Statement<'_>>,
    labels: &mut Names<'_, usize>,
    sections: &[(&str, usize, Span)],
    faults: &mut Vec<Diagnostic>,
) {
    let end = |number: usize| sections.get(number + 1).map_or(statements.len(), |next| next.1);
    let filled: Vec<usize> = (0..sections.len()).filter(|&number| end(number) > sections[number].1).collect();
    if let Some(second) = filled.iter().filter(|&&number| sections[number].0 != SHARED).nth(1) {
        let (name, _, span) = &sections[*second];
        faults.push(
            Diagnostic::new(span.clone(), format!("`{name}` is a second program in this text"))
                .help("keep one section, and `.text` if the program calls functions in it"),
        );
        return;
    }
    if filled.len() < 2 {
        return;
    }
    let lost = |statement: &&Statement<'_>| {
        matches!((&statement.insn, &statement.target), (Insn::Call(_), Some((Target::Relative(-1), _))))
    };
    faults.extend(statements.iter().filter(lost).map(|statement| {
        Diagnostic::new(
            statement.span.clone(),
            "this call leaves its section, and the listing does not say where to",
        )
        .help("`llvm-objdump -dr` shows it")
    }));
    // Each section's first statement when `.text` stands last; only it moves.
    let Some(shared) = filled.iter().find(|&&number| sections[number].0 == SHARED) else { return };
    let (first, last) = (sections[*shared].1, end(*shared));
    let count = last - first;
    let length = statements.len();
    statements[first..].rotate_left(count);
    for at in labels.values_mut() {
        *at = if (first..last).contains(at) {
            *at - first + length - count
        } else if *at >= last {
            *at - count
        } else {
            *at
        };
    }
}

/// Puts the instructions of a log in their places. What it does not show is never reached: there stands `goto -1`,
/// as in the kernel.
pub(super) fn in_order<'s>(
    statements: Vec<Statement<'s>>,
    faults: &mut Vec<Diagnostic>,
) -> Vec<Statement<'s>> {
    if statements.is_empty() || !statements.iter().all(|statement| statement.slot.is_some()) {
        return statements;
    }
    let mut statements = statements;
    sort::by_key(&mut statements, |statement| statement.slot.unwrap_or_default());
    let base = statements[0].slot.unwrap_or_default();
    let mut ordered: Vec<Statement<'_>> = Vec::with_capacity(statements.len());
    let (mut next, mut missing, mut farthest) = (base, 0, 0);
    for statement in statements {
        let slot = statement.slot.unwrap_or_default();
        let gap = slot - next;
        missing += gap;
        if gap < 0 {
            let message = format!("slot {slot} is the second half of the 64-bit load before it");
            faults.push(Diagnostic::new(statement.span.clone(), message));
            continue;
        }
        if missing > MOST_MISSING {
            let message = format!("the log lacks {} before slot {slot}", Count(gap as usize, "instruction"));
            faults.push(Diagnostic::new(statement.span.clone(), message).help("paste the whole log"));
            return ordered;
        }
        ordered.extend((0..gap).map(|_| never(statement.span.start)));
        next = slot + i64::from(statement.insn.slots());
        if let Some((Target::Relative(distance), _)) = &statement.target {
            farthest = farthest.max(next + distance);
        }
        ordered.push(statement);
    }
    // A log ends where the verifier refused; jumps go farther.
    if (1..=MOST_MISSING).contains(&(farthest - next + 1)) {
        let end = ordered.last().map_or(0, |statement| statement.span.end);
        ordered.extend((next..=farthest).map(|_| never(end)));
    }
    ordered
}

/// An instruction that is never reached.
fn never<'s>(at: usize) -> Statement<'s> {
    Statement { insn: Insn::Jump { offset: -1 }, target: None, span: at..at, slot: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_recognised() {
        let kernel = |slot, opcode| Note { slot: Some(slot), opcode: Some(opcode), local_call: false };
        assert_eq!(classify("  12: (b7) r0 = 0", true), Line::Code(10, kernel(12, 0xb7)));
        assert_eq!(
            classify("       0:\tb7 00 00 00 00 00 00 00\tr0 = 0", false),
            Line::Code(33, Note::default())
        );
        assert_eq!(classify("0000000000000048 <LBB0_2>:", false), Line::Heading("LBB0_2"));
        assert_eq!(classify("Disassembly of section xdp:", false), Line::Section("xdp"));
        assert_eq!(classify("\t\t0000000000000038:  R_BPF_64_32\thelper", false), Line::Relocation("helper"));
        for talk in ["0: R1=ctx() R10=fp0", " R0=inv(id=0) R10=fp0", "from 3 to 5: R0=1", "safe", "callee:"] {
            assert_eq!(classify(talk, true), Line::Talk, "{talk}");
        }
        for code in
            ["r0 = 1", "out: exit", "mov r0, 5", "exti", "12: exit", "*(u8 *)(r1 + 0) = 1", ".type xdp"]
        {
            assert_eq!(classify(code, true), Line::Code(0, Note::default()), "{code}");
        }
    }
}
