//! What a word of the source means: told where the pointer rests on it, or the keyboard asks.
//!
//! Nothing is described here that is described elsewhere: instructions, registers, functions, tables and fields have their
//! sentences in core.

use crate::state::State;
use bpf64_core::environment::Environment;
use bpf64_core::isa::{self, Reg};
use bpf64_core::maps::{self, MapDef};
use bpf64_core::{classic, isa::text};

/// What is said of a word in a line of the source, counted from 1: of the word by itself, then of the instruction.
#[must_use]
pub fn describe(state: &State, line: u32, word: &str) -> Vec<String> {
    let levels = state.levels.as_ref().filter(|_| !state.is_stale());
    let row = levels.and_then(|levels| levels.row(levels.key_of_line(line)?));
    let own = match levels {
        Some(levels) if levels.classic.is_some() => {
            classic::doc::register(&word.to_ascii_lowercase()).map(str::to_owned)
        }
        Some(levels) => register(word)
            .or_else(|| function(&levels.program_type, word))
            .or_else(|| levels.ebpf.maps().iter().find(|map| map.name == word).map(|map| table(map))),
        None => register(word),
    };
    let declared = || row.is_none().then(|| declaration(state, word)).flatten();
    let own = own.or_else(declared);
    own.into_iter().chain(row.map(|row| capital(row.sentence()))).collect()
}

fn register(word: &str) -> Option<String> {
    let (width, number) = word.split_at_checked(1)?;
    let reg = Reg::ALL.iter().find(|reg| reg.to_string().strip_prefix('r') == Some(number))?;
    match width {
        "r" => Some(format!("{reg}: {}.", isa::doc::register(*reg))),
        "w" => Some(format!(
            "w{number}: the lower 32 bits of {reg}, {}. Writing it makes the upper ones 0.",
            isa::doc::register(*reg)
        )),
        _ => None,
    }
}

fn function(environment: &Environment, word: &str) -> Option<String> {
    let name = word.strip_prefix("bpf_").unwrap_or(word);
    let function = environment.functions.iter().copied().flatten().find(|function| function.name == name)?;
    Some(format!("{name}, function {}: {}.", function.id, function.doc))
}

fn table(map: &MapDef) -> String {
    let MapDef { name, kind, key_size, value_size, max_entries, .. } = map;
    let (kind, doc) = (kind.name(), kind.doc());
    format!(
        "{name}: {kind}, {doc}. Keys of {key_size} bytes, values of {value_size}, room for {max_entries}."
    )
}

/// A word of a directive.
fn declaration(state: &State, word: &str) -> Option<String> {
    let directive =
        || text::DIRECTIVES.iter().find(|known| known.0 == word).map(|known| format!("{word}: {}.", known.1));
    let kind = || maps::kind(word).map(|kind| format!("{word}: {}.", kind.doc()));
    let program_type = || {
        Environment::named(word)
            .map(|known| format!("{word}: a program type; r1 is a struct {}.", known.context.name))
    };
    let field = || {
        let field = state.levels.as_ref()?.program_type.context.field(word)?;
        Some(format!("{word}: {}, {} bytes at {} of the context.", field.doc, field.size, field.offset))
    };
    directive().or_else(kind).or_else(program_type).or_else(field)
}

/// A sentence of the core's as one of the page's; names of registers keep their small letter.
fn capital(sentence: &str) -> String {
    let mut chars = sentence.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Action, reduce};

    fn said(source: &str, line: u32, word: &str) -> String {
        let state = reduce(&State::default(), Action::Edit(source.to_owned()));
        describe(&state, line, word).join(" | ")
    }

    const SOURCE: &str =
        ".type xdp\n.map counts hash key=4 value=8 max=64\ncall ktime_get_ns\nr0 = 2\nexit\n";

    #[test]
    fn every_kind_of_word_is_described() {
        assert!(said(SOURCE, 4, "r0").starts_with("r0: the result"), "{}", said(SOURCE, 4, "r0"));
        assert!(said(SOURCE, 4, "r0").ends_with("| Sets r0 to 2."));
        assert!(said(SOURCE, 4, "w0").starts_with("w0: the lower 32 bits of r0"));
        assert!(said(SOURCE, 3, "ktime_get_ns").starts_with("ktime_get_ns, function 5: "));
        assert!(said(SOURCE, 2, "counts").starts_with("counts: hash, "));
        assert!(said(SOURCE, 2, "hash").starts_with("hash: "));
        assert!(said(SOURCE, 1, "xdp").ends_with("r1 is a struct xdp_md."));
        assert!(said(SOURCE, 2, ".map").starts_with(".map: "));
        assert!(said(SOURCE, 5, "exit").starts_with("Returns"));
        assert_eq!(said(SOURCE, 1, "nothing"), "");
        let classic = "ldh [12]\nret a\n";
        assert!(said(classic, 2, "a").starts_with("A: "), "{}", said(classic, 2, "a"));
        assert!(said(classic, 1, "ldh").starts_with("Loads the 2 bytes"));
    }

    #[test]
    fn all_functions_and_registers_have_words() {
        for environment in bpf64_core::environment::ALL {
            for known in environment.functions.iter().copied().flatten() {
                assert!(
                    function(environment, known.name).is_some_and(|text| text.len() > 20),
                    "{}",
                    known.name
                );
            }
        }
        assert!(Reg::ALL.iter().all(|reg| register(&reg.to_string()).is_some()));
    }
}
