//! Common slips: what a line that cannot be read was probably meant to be.
//!
//! Each rule changes the line's words a little. What then reads as a statement is shown, as it would be printed.

use super::super::lexer::{Token, tokens};
use super::super::{Mnemonic, Text};
use super::{Cursor, is_mnemonic, misspelt};
use crate::diagnostic::Diagnostic;
use crate::isa::Reg;

/// The words of a line.
type Words<'a> = Vec<&'a str>;

/// How C spells sizes.
const C_TYPES: [(&str, &str); 17] = [
    ("char", "u8"),
    ("uint8_t", "u8"),
    ("__u8", "u8"),
    ("short", "u16"),
    ("uint16_t", "u16"),
    ("__u16", "u16"),
    ("__be16", "u16"),
    ("int", "u32"),
    ("unsigned", "u32"),
    ("uint32_t", "u32"),
    ("__u32", "u32"),
    ("__be32", "u32"),
    ("long", "u64"),
    ("uint64_t", "u64"),
    ("__u64", "u64"),
    ("size_t", "u64"),
    ("s64", "u64"),
];

/// Operators of two operands, with the statements that have them.
const ARITHMETIC: [(&str, &str); 8] =
    [("+", "+="), ("-", "-="), ("*", "*="), ("/", "/="), ("&", "&="), ("|", "|="), ("^", "^="), ("%", "%=")];

/// The fault of these words, with the mended statement if it is plain.
pub(super) fn advise(fault: Diagnostic, line: &[Token<'_>]) -> Diagnostic {
    if let Some(token) = line.iter().find(|token| token.span == fault.span && is_no_register(token.text)) {
        return Diagnostic::new(fault.span, format!("there is no register `{}`", token.text))
            .help("registers are r0 to r10, and w0 to w10 for their low halves");
    }
    // What says `write …` knows more than a guess.
    if fault.help.as_ref().is_some_and(|help| help.starts_with("write ")) {
        return fault;
    }
    let words: Words<'_> = line.iter().map(|token| token.text).collect();
    if let Some(pair) = three_operands(&words) {
        return fault.help(format!("did you mean {pair}?"));
    }
    let mended = candidates(&words).into_iter().find_map(|words| read(&words.join(" ")));
    match mended {
        Some(statement) => fault.help(format!("did you mean `{statement}`?")),
        None => fault,
    }
}

fn is_no_register(word: &str) -> bool {
    let number = word.strip_prefix(['r', 'w']).filter(|digits| !digits.is_empty());
    number.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
        && !Reg::ALL.iter().any(|reg| reg.text()[1..] == word[1..])
}

/// The statement, as it would be printed, if the text is one.
fn read(text: &str) -> Option<String> {
    let tokens = tokens(text, 0).ok()?;
    let mut cursor = Cursor::new(&tokens, text.len(), &());
    let statement = cursor.statement().ok()?;
    let shown = Text { insn: &statement.insn, target: None, label: None, names: &() };
    let first = tokens.first().map_or("", |token| token.text);
    let printed = if is_mnemonic(first) || (first == "lock" && tokens[1].text != "*") {
        Mnemonic(shown).to_string()
    } else {
        shown.to_string()
    };
    // The distance at the end is not known yet; the place is, as it was written.
    Some(match (&statement.target, printed.rsplit_once(' ')) {
        (Some((_, span)), Some((before, _))) => {
            format!("{before} {}", text[span.clone()].replace("+ ", "+").replace("- ", "-"))
        }
        _ => printed,
    })
}

/// `r1 = r2 + 4` and `add r1, r2, 4`: two statements.
fn three_operands(words: &[&str]) -> Option<String> {
    let (first, second) = match words {
        [dst, "=", left, op, right @ ..] => {
            let (_, assign) = ARITHMETIC.iter().find(|row| row.0 == *op)?;
            (format!("{dst} = {left}"), format!("{dst} {assign} {}", right.join(" ")))
        }
        [name, dst, ",", left, ",", right @ ..] if is_mnemonic(name) && !name.starts_with(['j', 'm']) => {
            let width = if name.ends_with("32") { "32" } else { "" };
            (format!("mov{width} {dst}, {left}"), format!("{name} {dst}, {}", right.join(" ")))
        }
        _ => return None,
    };
    let (first, second) = (read(&first)?, read(&second)?);
    let copies_itself = matches!(words, [dst, "=", left, ..] | [_, dst, ",", left, ..] if dst == left);
    Some(if copies_itself { format!("`{second}`") } else { format!("`{first}` and then `{second}`") })
}

/// The line with one thing or another changed, the likeliest first.
fn candidates<'a>(words: &Words<'a>) -> Vec<Words<'a>> {
    let mut found = Vec::new();
    first_word(words, &mut found);
    operators(words, &mut found);
    if words.first().is_some_and(|word| is_mnemonic(word) || *word == "lock") {
        mnemonic(words, &mut found);
    } else {
        memory(words, &mut found);
    }
    found
}

/// These words with `count` of them, from `at` on, replaced.
fn replaced<'a>(words: &[&'a str], at: usize, count: usize, with: &[&'a str]) -> Words<'a> {
    [&words[..at], with, &words[at + count..]].concat()
}

fn first_word<'a>(words: &Words<'a>, found: &mut Vec<Words<'a>>) {
    let Some(&word) = words.first() else { return };
    let known = [
        ("ret", "exit"),
        ("return", "exit"),
        ("jmp", "goto"),
        ("jump", "goto"),
        ("li", "lddw"),
        ("movl", "mov32"),
    ];
    found.extend(known.iter().find(|row| row.0 == word).map(|row| replaced(words, 0, 1, &[row.1])));
    if word == "return" || word == "ret" {
        found.push(vec!["exit"]);
    }
    if !is_mnemonic(word) {
        found.extend(misspelt(word).map(|near| replaced(words, 0, 1, &[near])));
    }
}

fn operators<'a>(words: &Words<'a>, found: &mut Vec<Words<'a>>) {
    let is_branch = words.first() == Some(&"if");
    for (at, &word) in words.iter().enumerate() {
        let next = words.get(at + 1).copied().unwrap_or_default();
        match (word, next) {
            ("=", ">") if is_branch => found.push(replaced(words, at, 2, &[">="])),
            ("=", "<") if is_branch => found.push(replaced(words, at, 2, &["<="])),
            ("<", ">") if is_branch => found.push(replaced(words, at, 2, &["!="])),
            ("==" | "!=", "=") => found.push(replaced(words, at, 2, &[word])),
            ("=", _) if is_branch => found.push(replaced(words, at, 1, &["=="])),
            ("==", _) => found.push(replaced(words, at, 1, &["="])),
            ("=", ">") => found.push(replaced(words, at, 2, &["="])),
            ("=", "+") if at == 1 => found.push(replaced(words, at, 2, &["+="])),
            ("+", "+") if at == 1 => found.push(replaced(words, at, 2, &["+=", "1"])),
            ("-", "-") if at == 1 => found.push(replaced(words, at, 2, &["-=", "1"])),
            ("=", "~") if at == 1 => found.push([&words[..1], &["^=", "-1"]].concat()),
            _ => {}
        }
    }
    if is_branch {
        let bare: Words<'a> =
            words.iter().copied().filter(|word| !["(", ")", "then"].contains(word)).collect();
        found.push(bare.clone());
        if !bare.contains(&"goto") && bare.len() > 4 {
            found.push(replaced(&bare, 4, 0, &["goto"]));
        }
        if bare.get(2) == Some(&"=") {
            found.push(replaced(&bare, 2, 1, &["=="]));
        }
    }
    if let [dst, "=", number @ ..] = &words[..]
        && number.len() <= 2
    {
        found.push([&[*dst, "="], number, &["ll"]].concat());
    }
    if let ["mov" | "mov64", rest @ ..] = &words[..]
        && rest.len() <= 4
    {
        found.push([&["lddw"], rest].concat());
    }
}

/// Accesses of memory in the kernel's style.
fn memory<'a>(words: &Words<'a>, found: &mut Vec<Words<'a>>) {
    const CAST: [&str; 4] = ["(", "u32", "*", ")"];
    let is_register = |at: usize| {
        let word = words.get(at).copied().unwrap_or_default();
        matches!(word.as_bytes(), [b'r', b'0'..=b'9'] | [b'r', b'1', b'0'])
    };
    let is_size = |at: usize| {
        words.get(at).is_some_and(|word| ["u8", "u16", "u32", "u64", "s8", "s16", "s32"].contains(word))
    };
    for (at, &word) in words.iter().enumerate() {
        let next = words.get(at + 1).copied().unwrap_or_default();
        if let Some((_, size)) = C_TYPES.iter().find(|row| row.0 == word) {
            found.push(replaced(words, at, 1, &[size]));
        }
        match word {
            // `*(r1 + 4)`
            "*" if next == "(" && is_register(at + 2) => found.push(replaced(words, at + 1, 0, &CAST)),
            // `*r1`
            "*" if is_register(at + 1) => {
                found.push(replaced(words, at + 1, 1, &["(", "u32", "*", ")", "(", words[at + 1], ")"]));
            }
            // `[r1 + 4]`
            "[" => {
                if let Some(close) = words.iter().position(|word| *word == "]") {
                    let opened = replaced(words, close, 1, &[")"]);
                    found.push(replaced(&opened, at, 1, &["*", "(", "u32", "*", ")", "("]));
                }
            }
            // `*(u32)(r1 + 4)`
            "(" if is_size(at + 1) && words.get(at + 2) == Some(&")") => {
                found.push(replaced(words, at + 2, 0, &["*"]));
            }
            // `r0 = (u32 *)(r1 + 4)`
            "(" if is_size(at + 1) && at > 0 && words[at - 1] == "=" => {
                found.push(replaced(words, at, 0, &["*"]));
            }
            // `*u32(r1 + 4)`, `u32 [r1 + 4]`
            _ if is_size(at) && next == "(" && at > 0 && words[at - 1] == "*" => {
                found.push(replaced(words, at, 1, &["(", word, "*", ")"]));
            }
            // `*(u32 *)r1 + 4`
            ")" if is_register(at + 1) => {
                let end = words[at + 1..]
                    .iter()
                    .position(|word| *word == "=")
                    .map_or(words.len(), |end| at + 1 + end);
                let closed = replaced(words, end, 0, &[")"]);
                found.push(replaced(&closed, at + 1, 0, &["("]));
            }
            _ => {}
        }
    }
    found.push([words, &[")"][..]].concat());
}

/// Commas and brackets of the mnemonic style.
fn mnemonic<'a>(words: &Words<'a>, found: &mut Vec<Words<'a>>) {
    let name = words[0];
    let stored = name
        .strip_prefix("stx")
        .map(|size| ["stb", "sth", "stw", "stdw"].into_iter().find(|st| st[2..] == *size));
    let register =
        ["stxb", "stxh", "stxw", "stxdw"].into_iter().find(|stx| name.strip_prefix("st") == Some(&stx[3..]));
    found.extend(stored.flatten().or(register).map(|other| replaced(words, 0, 1, &[other])));
    // `ldxb r0, (r1+2)`
    let round = |word: &&'a str| match *word {
        "(" => "[",
        ")" => "]",
        other => other,
    };
    found.push(words.iter().map(round).collect());
    if !words.contains(&"[") {
        // `ldxb r0, r1+2` and `stxb r1+2, r0`
        if let Some(comma) = words.iter().position(|word| *word == ",") {
            if name.starts_with("ld") {
                found.push([&words[..=comma], &["["], &words[comma + 1..], &["]"]].concat());
            } else {
                found.push([&words[..1], &["["], &words[1..comma], &["]"], &words[comma..]].concat());
            }
        }
    }
    found.push(with_commas(words));
}

/// `mov r0 5`, `jeq r0 5 +3`: a comma wherever one operand ends and another begins.
fn with_commas<'a>(words: &Words<'a>) -> Words<'a> {
    let operands = match words[..] {
        ["lock", "fetch", ..] => 3,
        ["lock", ..] => 2,
        _ => 1,
    };
    let mut spaced: Words<'a> = Vec::with_capacity(words.len() + 3);
    let mut inside = false;
    for (at, &word) in words.iter().enumerate() {
        let ends = at > operands
            && !inside
            && (words[at - 1] == "]" || words[at - 1].ends_with(|c: char| c.is_ascii_alphanumeric()));
        let begins =
            ["[", "-", "+", "%"].contains(&word) || word.starts_with(|c: char| c.is_ascii_alphanumeric());
        if ends && begins {
            spaced.push(",");
        }
        inside = word == "[" || (inside && word != "]");
        spaced.push(word);
    }
    spaced
}
