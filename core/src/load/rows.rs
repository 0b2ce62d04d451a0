//! Instructions as numbers: classic ones as four each, `tcpdump -ddd`, `tcpdump -dd`, and `struct sock_filter` bytes; in
//! rows of C also eBPF's, which are five.

use super::{Form, of_slots, refusal_fault, whole_fault};
use crate::classic::Program;
use crate::classic::encoding::{LENGTH, Raw};
use crate::count::Count;
use crate::diagnostic::{Diagnostic, Span};
use crate::isa::encoding::{self, left_over};
use crate::maps::MapDef;

/// What an instruction is as numbers.
struct Shape {
    /// How many they are, in words.
    is: &'static str,
    /// Which they are.
    help: &'static str,
    /// Their names, as C has them, and the least and the largest each may be.
    fields: &'static [(&'static str, i64, i64)],
}

const CLASSIC: Shape = Shape {
    is: "a classic instruction is four numbers",
    help: "the four are code, jt, jf and k, for example 40 0 0 12",
    fields: &[
        ("code", 0, u16::MAX as i64),
        ("jt", 0, u8::MAX as i64),
        ("jf", 0, u8::MAX as i64),
        ("k", 0, u32::MAX as i64),
    ],
};

/// Offset and imm have a sign, but may also be written without one, as their bits are.
const EBPF: Shape = Shape {
    is: "an eBPF instruction is five numbers",
    help: "the five are code, dst_reg, src_reg, off and imm, for example 0xb7, 0, 0, 0, 1",
    fields: &[
        ("code", 0, u8::MAX as i64),
        ("dst_reg", 0, 15),
        ("src_reg", 0, 15),
        ("off", i16::MIN as i64, u16::MAX as i64),
        ("imm", i32::MIN as i64, u32::MAX as i64),
    ],
};

/// `N`, then N rows of four decimal numbers, separated by line ends or commas.
pub(super) fn from_decimal(source: &str) -> Result<Form, Vec<Diagnostic>> {
    let mut rows = pieces(source, &[',', '\n']).filter(|(_, text)| !text.is_empty());
    let Some((count_at, count_text)) = rows.next() else {
        return Err(whole_fault(&"there is no program here"));
    };
    let count_span = count_at..count_at + count_text.len();
    let count: usize = count_text.parse().map_err(|_| {
        vec![
            Diagnostic::new(count_span.clone(), format!("`{count_text}` is not the number of instructions"))
                .help("the first line of `tcpdump -ddd` says how many instructions follow"),
        ]
    })?;
    let (rows, faults) = collect(rows.map(|(at, text)| classic(at, text, 10)));
    if !faults.is_empty() {
        return Err(faults);
    }
    if rows.len() != count {
        let are = if count == 1 { "is" } else { "are" };
        let follow = match rows.len() {
            0 => "none follows".to_owned(),
            1 => "1 follows".to_owned(),
            rows => format!("{rows} follow"),
        };
        let message = format!("{} {are} announced, but {follow}", Count(count, "instruction"));
        let help = if rows.len() < count {
            "the end is missing: copy the whole output of `tcpdump -ddd`".to_owned()
        } else {
            format!("take {} away at the end, or correct this number", rows.len() - count)
        };
        return Err(vec![Diagnostic::new(count_span, message).help(help)]);
    }
    checked(rows)
}

/// Rows `{ 0x28, 0, 0, 0x0000000c },`, or of eBPF, `{ 0xb7, 0, 0, 0, 1 },`: the first row says which.
pub(super) fn from_c(source: &str, maps: &[MapDef]) -> Result<Form, Vec<Diagnostic>> {
    let mut rows = Vec::new();
    let mut at = 0;
    while let Some(close) = source[at..].find('}').map(|found| at + found) {
        // The nearest brace opens the row; one before it opens the array, and one of these two closes for both.
        if let Some(open) = source[at..close].rfind('{').map(|found| at + found) {
            rows.push((open + 1, &source[open + 1..close]));
        }
        at = close + 1;
    }
    if let Some(open) = source[at..].rfind('{').map(|found| at + found) {
        let end = source.trim_end().len();
        return Err(vec![Diagnostic::new(open..end, "this row does not end").help("a row ends with `}`")]);
    }
    let Some((_, first)) = rows.first() else {
        return Err(whole_fault(&"there is no row of C here, such as `{ 0x28, 0, 0, 0x0000000c },`"));
    };
    if pieces(first, &[',']).filter(|(_, number)| !number.is_empty()).count() < EBPF.fields.len() {
        let (rows, faults) = collect(rows.into_iter().map(|(at, text)| classic(at, text, 0)));
        return if faults.is_empty() { checked(rows) } else { Err(faults) };
    }
    let (slots, faults) = collect(rows.into_iter().map(|(at, text)| slot(at, text)));
    if !faults.is_empty() {
        return Err(faults);
    }
    let (bytes, spans): (Vec<_>, Vec<_>) = slots.into_iter().unzip();
    of_slots(bytes.as_flattened(), &spans, source, maps)
}

/// `struct sock_filter` bytes.
pub(super) fn from_bytes(input: &[u8]) -> Result<Form, Vec<Diagnostic>> {
    let (chunks, rest) = input.as_chunks::<LENGTH>();
    if !rest.is_empty() {
        let message = format!("the length is not a multiple of {LENGTH}: {}", left_over(rest.len()));
        return Err(whole_fault(&message));
    }
    let raw: Vec<Raw> = chunks.iter().map(|&chunk| Raw::from_bytes(chunk)).collect();
    Program::from_raw(&raw)
        .map(|program| Form::Classic(program, Vec::new()))
        .map_err(|refusal| vec![refusal_fault(&refusal, &[])])
}

type Row = (Raw, Span);

fn collect<T>(rows: impl Iterator<Item = Result<T, Diagnostic>>) -> (Vec<T>, Vec<Diagnostic>) {
    let (mut good, mut faults) = (Vec::new(), Vec::new());
    for row in rows {
        match row {
            Ok(row) => good.push(row),
            Err(fault) => faults.push(fault),
        }
    }
    (good, faults)
}

fn checked(rows: Vec<Row>) -> Result<Form, Vec<Diagnostic>> {
    let (raw, spans): (Vec<Raw>, Vec<Span>) = rows.into_iter().unzip();
    match Program::from_raw(&raw) {
        Ok(program) => Ok(Form::Classic(program, spans)),
        Err(refusal) => Err(vec![refusal_fault(&refusal, &spans)]),
    }
}

/// Pieces of `source` between separators, each trimmed, with the byte it starts at.
fn pieces<'a>(source: &'a str, separators: &'a [char]) -> impl Iterator<Item = (usize, &'a str)> {
    source.split(separators).map(|piece| {
        let trimmed = piece.trim();
        let offset = trimmed.as_ptr() as usize - source.as_ptr() as usize;
        (offset, trimmed)
    })
}

/// A classic instruction: decimal numbers if `base` is 10, otherwise as C writes them.
fn classic(at: usize, text: &str, base: u32) -> Result<Row, Diagnostic> {
    let ([code, jt, jf, k, _], span) = numbers(at, text, base, &CLASSIC)?;
    Ok((Raw { code: code as u16, jt: jt as u8, jf: jf as u8, k: k as u32 }, span))
}

/// A slot of eBPF, as C writes its fields.
fn slot(at: usize, text: &str) -> Result<([u8; encoding::SLOT], Span), Diagnostic> {
    let ([opcode, dst, src, offset, imm], span) = numbers(at, text, 0, &EBPF)?;
    let (opcode, dst, src) = (opcode as u8, dst as u8, src as u8);
    let raw = encoding::Raw { opcode, dst, src, offset: offset as i16, imm: imm as i32 };
    Ok((raw.to_bytes(), span))
}

/// The numbers of a row, zeros behind them, and its place.
fn numbers(at: usize, text: &str, base: u32, shape: &Shape) -> Result<([i64; 5], Span), Diagnostic> {
    let separators: &[char] = if base == 10 { &[' ', '\t'] } else { &[','] };
    let start = at + text.len() - text.trim_start().len();
    let span = start..start + text.trim().len();
    let mut numbers = [0; 5];
    let mut found = 0;
    for (offset, word) in pieces(text, separators).filter(|(_, word)| !word.is_empty()) {
        let place = at + offset..at + offset + word.len();
        let Some(&(name, least, most)) = shape.fields.get(found) else {
            return Err(Diagnostic::new(place, format!("{}; this is one more", shape.is)));
        };
        let value = number(word, base).ok_or_else(|| {
            Diagnostic::new(place.clone(), format!("`{word}` is no number; expected {name}"))
        })?;
        if value > most {
            return Err(Diagnostic::new(place, format!("{name} is {word}, but at most {most}")));
        }
        if value < least {
            return Err(Diagnostic::new(place, format!("{name} is {word}, but at least {least}")));
        }
        numbers[found] = value;
        found += 1;
    }
    if found < shape.fields.len() {
        return Err(Diagnostic::new(span, format!("{}, not {found}", shape.is)).help(shape.help));
    }
    Ok((numbers, span))
}

fn number(word: &str, base: u32) -> Option<i64> {
    if base == 10 {
        return word.parse().ok();
    }
    let (sign, digits) = match word.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, word),
    };
    let value: Result<i64, _> = match digits.to_ascii_lowercase().strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16),
        None => digits.parse(),
    };
    // One sign, if any: two of them are no number.
    value.ok().filter(|&value| value >= 0 && !digits.starts_with('+')).map(|value| sign * value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::Pc;

    fn first_fault(result: Result<Form, Vec<Diagnostic>>, source: &str) -> String {
        let fault = result.unwrap_err().remove(0);
        format!("{} | {fault}", &source[fault.span.clone()])
    }

    #[test]
    fn all_three_forms_give_the_same_program() {
        let Ok(Form::Classic(lines, spans)) = from_decimal("2\n40 0 0 12\n6 0 0 65535\n") else { panic!() };
        assert_eq!(spans, [2..11, 12..23]);
        let Ok(Form::Classic(one_line, _)) = from_decimal("2,40 0 0 12,6 0 0 65535,") else { panic!() };
        let c = "struct sock_filter f[] = {\n{ 0x28, 0, 0, 0x0000000c },\n{ 0x6, 0, 0, 0x0000ffff },\n};";
        let Ok(Form::Classic(rows, _)) = from_c(c, &[]) else { panic!() };
        let Ok(Form::Classic(bytes, _)) = from_bytes(&lines.encode()) else { panic!() };
        assert!(lines == one_line && lines == rows && lines == bytes);
    }

    #[test]
    fn rows_of_five_numbers_are_ebpf() {
        let c = "struct bpf_insn p[] = {\n{ 0x18, 1, 0, 0, 0x23456789 }, { 0, 0, 0, 0, 0x1 },\n{ 0x7b, 10, 1, -8, 0 },\n{ 0xb7, 0, 0, 0, 0xffffffff },\n{ 0x95, 0, 0, 0, 0 },\n};";
        let Ok(Form::Ebpf(program)) = from_c(c, &[]) else { panic!() };
        let texts: Vec<String> = program.insns().iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["r1 = 0x123456789 ll", "*(u64 *)(r10 - 8) = r1", "r0 = -1", "exit"]);
        assert_eq!(
            &c[program.origin(Pc(0)).text.clone().unwrap()],
            "0x18, 1, 0, 0, 0x23456789 }, { 0, 0, 0, 0, 0x1"
        );
        let Ok(Form::Ebpf(same)) = from_c(&crate::load::numbers::rows(&program), &[]) else { panic!() };
        assert_eq!(same.insns(), program.insns());
    }

    #[test]
    fn a_truncated_listing_says_so() {
        let text = "3\n40 0 0 12\n6 0 0 0";
        assert_eq!(
            first_fault(from_decimal(text), text),
            "3 | 3 instructions are announced, but 2 follow; the end is missing: copy the whole output of `tcpdump -ddd`"
        );
        let text = "2\n40 0 0 12\n6 0";
        assert_eq!(
            first_fault(from_decimal(text), text),
            "6 0 | a classic instruction is four numbers, not 2; the four are code, jt, jf and k, for example 40 0 0 12"
        );
        let text = "1\n40 300 0 0";
        assert_eq!(first_fault(from_decimal(text), text), "300 | jt is 300, but at most 255");
        let text = "{ 0x28, 0, 0, zwölf },";
        assert_eq!(first_fault(from_c(text, &[]), text), "zwölf | `zwölf` is no number; expected k");
        assert_eq!(
            from_c("6 0 0 0", &[]).unwrap_err()[0].refused,
            None,
            "not an empty program, but no program"
        );
        let text = "{ 0x28, 0, 0";
        assert_eq!(
            first_fault(from_c(text, &[]), text),
            "{ 0x28, 0, 0 | this row does not end; a row ends with `}`"
        );
        let text = "1\n6 0 0 0 9";
        assert_eq!(
            first_fault(from_decimal(text), text),
            "9 | a classic instruction is four numbers; this is one more"
        );
    }

    #[test]
    fn the_checker_points_at_the_row() {
        let text = "2\n5 0 0 7\n6 0 0 0";
        assert!(first_fault(from_decimal(text), text).starts_with("5 0 0 7 | jump to instruction 8"));
    }
}
