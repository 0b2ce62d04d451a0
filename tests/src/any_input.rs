//! Input of any kind, and what every answer to it must be.

use crate::examples;
use crate::generate::Generator;
use crate::suite;
use bpf64_core::diagnostic::Diagnostic;
use bpf64_core::load::{Format, Request, load};
use std::fs;
use std::path::{Path, PathBuf};

/// Loads it in every way; what is not read must say where and why.
///
/// # Errors
/// What the answer lacks.
pub fn load_all(input: &[u8]) -> Result<(), String> {
    let formats = Format::TABLE.iter().map(|row| Some(row.0)).chain([None]);
    formats.into_iter().try_for_each(|format| load_one(input, format))
}

/// Loads it as `format`, or as what it is taken for.
///
/// # Errors
/// What the answer lacks.
pub fn load_one(input: &[u8], format: Option<Format>) -> Result<(), String> {
    match load(input, &Request { format, ..Request::default() }) {
        Ok(loaded) => {
            // Whatever was accepted can be used.
            let program = loaded.ebpf();
            drop((program.encode(), program.insns().iter().map(ToString::to_string).collect::<String>()));
            let text = String::from_utf8_lossy(input);
            program.pcs().filter_map(|pc| loaded.span(pc)).try_for_each(|span| {
                if text.get(span.clone()).is_some_and(|text| !text.is_empty()) {
                    return Ok(());
                }
                Err(format!("instruction's place {span:?} of {} bytes as {format:?}\n{text}", text.len()))
            })
        }
        Err(faults) => {
            let whole = std::str::from_utf8(input).unwrap_or_default();
            let checked = faults.iter().try_for_each(|fault| sound(whole, fault));
            let many = if faults.is_empty() { Err("refused without a word".to_owned()) } else { checked };
            many.map_err(|why| format!("{why}\n{format:?}: {}", whole.chars().take(2000).collect::<String>()))
        }
    }
}

/// What every fault must be: a sentence about a place that exists.
fn sound(text: &str, fault: &Diagnostic) -> Result<(), String> {
    let Diagnostic { span, message, help, .. } = fault;
    if text.get(span.clone()).is_none() {
        return Err(format!("{span:?} is no place of the text: {message}"));
    }
    for sentence in [Some(message), help.as_ref()].into_iter().flatten() {
        let bad = sentence.is_empty() || sentence.ends_with('.') || sentence.chars().any(|c| c.is_control());
        if bad || sentence.len() > 500 {
            return Err(format!("not a sentence: {sentence:?}"));
        }
    }
    Ok(())
}

/// Words of all languages that programs are written in.
pub const WORDS: [&str; 60] = [
    "ld",
    "ldh",
    "ldb",
    "ldx",
    "ldxb",
    "st",
    "stx",
    "M[3]",
    "[12]",
    "[x + 2]",
    "4*([14]&0xf)",
    "#0x800",
    "jeq",
    "jset",
    "jt",
    "jf",
    "ja",
    "ret",
    "a",
    "x",
    "tax",
    "neg",
    "len",
    "proto",
    "l1:",
    "l1",
    "(000)",
    "(001)",
    "r0",
    "w1",
    "r10",
    "*(u32 *)",
    "(r1 + 4)",
    "skb[3]",
    "+=",
    "s>>=",
    "if",
    "goto",
    "+3",
    "call",
    "pc",
    "exit",
    "ll",
    "lock",
    "be16",
    "atomic64_fetch_add",
    "load_acquire",
    "store_release",
    "map_fd[5]",
    "code[2]",
    "platform[1]",
    "may_goto",
    "{ 0x28,",
    "0, 0, 12 },",
    "4",
    "40 0 0 12",
    "6 0 0 0,",
    "b700000001000000",
    "9500000000000000",
    "-",
];

/// Everything in the repository that is a program, or was meant to be one: examples, the cases of all suites, object
/// files.
///
/// # Panics
/// When a folder cannot be read.
#[must_use]
pub fn corpus() -> Vec<Vec<u8>> {
    let mut found: Vec<Vec<u8>> = examples::files("txt").into_iter().map(|(_, text)| text).collect();
    let mut folders: Vec<PathBuf> = vec![suite::folder().to_owned()];
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<PathBuf> = fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|entry| entry.expect("the folder is readable").path())
            .collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                folders.push(path);
            } else {
                found.extend(pieces(&path));
            }
        }
    }
    found
}

/// An object file, or the cases of a suite.
fn pieces(path: &Path) -> Vec<Vec<u8>> {
    let Ok(bytes) = fs::read(path) else { return Vec::new() };
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("o") => vec![bytes],
        Some("txt") => {
            let text = String::from_utf8_lossy(&bytes);
            text.split("\n=== ")
                .skip(1)
                .filter_map(|case| case.split_once('\n'))
                .map(|(_, case)| {
                    let lines = case.lines().filter(|line| !line.starts_with(['>', '!']));
                    lines.map(|line| format!("{line}\n")).collect::<String>().into_bytes()
                })
                .collect()
        }
        _ => Vec::new(),
    }
}

impl Generator {
    /// Something like a program: one of `corpus` with damage, parts of two, words, or noise.
    pub fn any_input(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        match self.below(20) {
            0 => {
                let length = self.below(200);
                self.bytes(length)
            }
            1 | 2 => self.text(&WORDS).into_bytes(),
            3..=5 => {
                let (first, second) = (self.pick(corpus), self.pick(corpus));
                let (end, start) = (self.below(first.len() + 1), self.below(second.len() + 1));
                let mut bytes = [&first[..end], &second[start..]].concat();
                if self.percent(50) {
                    self.damage(&mut bytes);
                }
                bytes
            }
            6..=8 => {
                // Lines in another order, lines that are there twice, words of another language.
                let text = String::from_utf8_lossy(&self.pick(corpus)).into_owned();
                let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
                for _ in 0..=self.below(6) {
                    let (from, to) = (self.below(lines.len().max(1)), self.below(lines.len() + 1));
                    let line = lines.get(from).cloned().unwrap_or_default();
                    let word = self.pick(&WORDS);
                    let line = match self.below(4) {
                        0 => line,
                        1 => format!("{line} {word}"),
                        2 => line.split(' ').map(|old| if self.percent(20) { word } else { old }).fold(
                            String::new(),
                            |mut text, word| {
                                text += word;
                                text.push(' ');
                                text
                            },
                        ),
                        _ => word.to_owned(),
                    };
                    lines.insert(to, line);
                }
                lines.join("\n").into_bytes()
            }
            _ => {
                let mut bytes = self.pick(corpus);
                for _ in 0..=self.below(3) {
                    self.damage(&mut bytes);
                }
                bytes
            }
        }
    }
}
