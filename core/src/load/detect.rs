//! Recognising a format by its content.

use super::Format;
use crate::classic::{self, encoding::Raw};
use crate::diagnostic::Diagnostic;
use crate::isa;

/// The format of `input`.
///
/// # Errors
/// Empty input: there is nothing to recognise.
pub fn detect(input: &[u8]) -> Result<Format, Diagnostic> {
    if input.starts_with(b"\x7fELF") {
        return Ok(Format::Elf);
    }
    match std::str::from_utf8(input) {
        Ok(text) if !text.contains('\0') => detect_text(text),
        // Text in another encoding, which will be told to be no UTF-8: programs have bytes that no text has.
        _ if !input.iter().any(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace()) => {
            Ok(detect_text(&String::from_utf8_lossy(input)).unwrap_or(Format::Cbpf))
        }
        _ if is_classic(input) => Ok(Format::RawClassic),
        _ => Ok(Format::Raw),
    }
}

/// Whether bytes are a classic program that Linux accepts. An eBPF program that looks like one would have to
/// use r0 as only register and return with opcode 6, which no eBPF program has.
fn is_classic(input: &[u8]) -> bool {
    let (chunks, rest) = input.as_chunks();
    let raw: Vec<Raw> =
        chunks.iter().take(classic::MAX_INSNS + 1).map(|&chunk| Raw::from_bytes(chunk)).collect();
    rest.is_empty() && classic::Program::from_raw(&raw).is_ok()
}

fn detect_text(text: &str) -> Result<Format, Diagnostic> {
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty() && !is_comment(line));
    let Some(first) = lines().next() else {
        return Err(Diagnostic::new(0..text.len(), "there is no program here yet")
            .help("paste what `tcpdump -d` prints, or write one, for example `ret #0`"));
    };
    if is_profile(text) {
        return Ok(Format::Seccomp);
    }
    let is_row = |line: &str| {
        line.strip_prefix('{').is_some_and(|row| row.trim_start().starts_with(|c: char| c.is_ascii_digit()))
    };
    let is_array = first.contains("struct sock_filter") || first.contains("struct bpf_insn");
    if first.starts_with('{') || is_array || (text.contains('{') && lines().any(is_row)) {
        return Ok(Format::C);
    }
    // Whole bytes in whole slots, and nothing else: no listing in decimal is made of these.
    let bytes = || lines().flat_map(str::split_ascii_whitespace);
    let is_hex =
        |word: &str| word.len().is_multiple_of(2) && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    if bytes().all(is_hex) && bytes().map(str::len).sum::<usize>().is_multiple_of(16) {
        return Ok(Format::Hex);
    }
    let numbers = |line: &str| line.split([' ', '\t', ',']).filter(|word| !word.is_empty()).all(is_decimal);
    if numbers(first) && (first.contains(',') || first.contains(' ') || lines().nth(1).is_some_and(numbers)) {
        return Ok(Format::Ddd);
    }
    let hex_digits = lines().flat_map(str::bytes).filter(|byte| !byte.is_ascii_whitespace());
    if hex_digits.clone().all(|byte| byte.is_ascii_hexdigit()) && hex_digits.count() >= 16 {
        return Ok(Format::Hex);
    }
    if numbers(first) {
        // A lone number: the count of a `-ddd` whose rows are missing.
        return Ok(Format::Ddd);
    }
    // The first line that only one of the languages has decides.
    let fallback = || if lines().any(in_both) { Format::Cbpf } else { Format::Filter };
    Ok(lines().find_map(language).unwrap_or_else(fallback))
}

/// Whether a text is a seccomp profile: it begins as an object in JSON does, or as one should that has a comment. No row
/// of C begins with a name in double quotes.
#[must_use]
pub fn is_profile(text: &str) -> bool {
    let named = |rest: &str| rest.trim_start().starts_with(['"', '}']) || rest.contains("\"defaultAction\"");
    text.trim_start().strip_prefix('{').is_some_and(named)
}

pub(super) fn is_comment(line: &str) -> bool {
    line.starts_with([';', '#']) || line.starts_with("//") || (line.starts_with("/*") && line.ends_with("*/"))
}

fn is_decimal(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}

/// What a line of assembly belongs to, without the labels in front.
fn language(line: &str) -> Option<Format> {
    if isa::text::is_listed(line) {
        return Some(Format::Ebpf);
    }
    let line = strip_labels(line);
    if line.starts_with('(') {
        return Some(Format::Cbpf);
    }
    let word = line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next().unwrap_or_default();
    let after = line[word.len()..].trim_start();
    let is_register = matches!(word.as_bytes(), [b'r' | b'w', b'0'..=b'9'] | [b'r' | b'w', b'1', b'0']);
    let assigns = after.contains('=');
    match word {
        "exit" | "goto" | "gotol" | "may_goto" | "call" | "lock" | "store_release" => Some(Format::Ebpf),
        "if" if after.contains("goto") => Some(Format::Ebpf),
        "" if line.starts_with("*(") => Some(Format::Ebpf),
        _ if is_register && assigns => Some(Format::Ebpf),
        "" if line.starts_with(".equ ") || line.starts_with(".type ") => Some(Format::Ebpf),
        "" if line.starts_with('%') && assigns => Some(Format::Ebpf),
        // The two languages share many words: what they work on decides.
        _ if isa::text::is_mnemonic(word) && starts_with_register(after) => Some(Format::Ebpf),
        "lddw" | "mov" | "ldabsb" | "ldabsh" | "ldabsw" | "ja32" => Some(Format::Ebpf),
        _ if in_both(line) => None,
        "ldi" | "ldh" | "ldb" | "ldx" | "ldxi" | "ldxb" | "st" | "stx" | "jmp" | "ja" | "jeq" | "jneq"
        | "jne" | "jlt" | "jle" | "jgt" | "jge" | "jset" | "add" | "sub" | "mul" | "div" | "mod" | "neg"
        | "lsh" | "rsh" | "tax" | "txa" | "ret" | "ld" => Some(Format::Cbpf),
        // Words of filter expressions too: the operand decides.
        "and" | "or" | "xor" if after.starts_with('#') || after == "x" => Some(Format::Cbpf),
        _ => None,
    }
}

/// Whether a line is a jump that both languages spell alike.
fn in_both(line: &str) -> bool {
    let mut words = strip_labels(line).split_ascii_whitespace();
    words.next() == Some("ja") && words.next().is_some() && words.next().is_none()
}

/// Whether operands begin with an eBPF register, `r0` or `%r0`, or with the address in one, `[r0`.
fn starts_with_register(operands: &str) -> bool {
    let operands = operands.trim_start_matches(['[', ' ']);
    let operands = operands.strip_prefix('%').unwrap_or(operands);
    let is_register = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    operands.strip_prefix(['r', 'w']).is_some_and(is_register)
}

fn strip_labels(mut line: &str) -> &str {
    while let Some((label, rest)) = line.split_once(':') {
        if label.is_empty() || !label.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.') {
            break;
        }
        line = rest.trim_start();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_recognised() {
        let check = |text: &str, format| assert_eq!(detect(text.as_bytes()), Ok(format), "{text}");
        check("(000) ldh [12]\n(001) ret #0", Format::Cbpf);
        check("start: ldh [12]\nret #0", Format::Cbpf);
        check("; comment\n\nret #0", Format::Cbpf);
        check("4,40 0 0 12,21 0 1 2054,6 0 0 65535,6 0 0 0", Format::Ddd);
        check("2\n40 0 0 12\n6 0 0 0\n", Format::Ddd);
        check("24", Format::Ddd);
        check("{ 0x28, 0, 0, 0x0000000c },\n", Format::C);
        check("static struct sock_filter f[] = { { 0x6, 0, 0, 0 } };", Format::C);
        check("static const struct bpf_insn p[] = { { 0x95, 0, 0, 0, 0 } };", Format::C);
        check("struct sock_filter\nf[] = {\n\t{ 0x6, 0, 0, 0 },\n};", Format::C);
        check("{\"defaultAction\": \"SCMP_ACT_ALLOW\"}", Format::Seccomp);
        check("\n{\n\t\"comment\": 1", Format::Seccomp);
        check("r0 = 1\nexit", Format::Ebpf);
        check("l: if r1 == 0 goto l\nexit", Format::Ebpf);
        check("mov r0, 5\nexit", Format::Ebpf);
        check("ldxb %r0, [%r1+2]\nadd32 r0, 1", Format::Ebpf);
        check("start: ja out\nstxdw [r10-8], r1\nout: exit", Format::Ebpf);
        check("ja +0\nneg r0", Format::Ebpf);
        check(".equ N, 5\n", Format::Ebpf);
        check("func#0 @0\n0: R1=ctx() R10=fp0\n0: (b7) r0 = 0  ; R0_w=0\n1: (95) exit", Format::Ebpf);
        check(
            "a.o:\tfile format elf64-bpf\n\n0000000000000000 <f>:\n  0:\t95 00 00 00 00 00 00 00\texit",
            Format::Ebpf,
        );
        check("ja out\nout: ret #0", Format::Cbpf);
        check("ja out", Format::Cbpf);
        check("ldxb 4*([14]&0xf)\nadd x", Format::Cbpf);
        check("b700000000000000 9500000000000000", Format::Hex);
        check("0500070000000000\n9500000000000000", Format::Hex);
        check("05 00 07 00 00 00 00 00\n95 00 00 00 00 00 00 00", Format::Hex);
        check("tcp port 22", Format::Filter);
        check("ip and not arp", Format::Filter);
        check("len > 100", Format::Filter);
        check("and #0xff\nret a", Format::Cbpf);
    }

    #[test]
    fn binary_formats_are_told_apart() {
        let classic = [0x06, 0, 0, 0, 0xff, 0xff, 0, 0];
        let ebpf = [0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(detect(&classic), Ok(Format::RawClassic));
        assert_eq!(detect(&ebpf), Ok(Format::Raw));
        assert_eq!(detect(b"\x7fELF\x02"), Ok(Format::Elf));
        assert!(detect(b" \n").is_err());
    }
}
