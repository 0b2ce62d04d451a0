//! The direction of imports inside core: who may know whom.

use super::{Problems, Source, code_lines};

/// For each module at the top of core, the others it may name. A module that is not here may not exist: adding one
/// means deciding where it stands. Tests may import what they like.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("lib", &[]),
    ("diagnostic", &[]),
    ("count", &[]),
    ("names", &[]),
    ("sort", &[]),
    ("keyed", &[]),
    ("link", &[]),
    ("isa", &["count", "diagnostic", "keyed", "names", "sort"]),
    ("domain", &["isa"]),
    ("errno", &[]),
    ("btf", &[]),
    ("maps", &["btf", "errno"]),
    ("program", &["count", "diagnostic", "isa", "keyed", "maps", "sort"]),
    ("meaning", &["seccomp"]),
    ("cfg", &["isa", "keyed", "program"]),
    ("context", &["errno", "isa"]),
    ("packet", &["context", "count", "isa", "meaning"]),
    // Two halves of one subject: what a program may call, and the world in which the call happens.
    ("helpers", &["context", "environment", "errno", "isa", "machine", "maps"]),
    ("environment", &["context", "helpers", "machine", "maps", "program"]),
    ("trace", &["context", "environment"]),
    ("listing", &["btf", "environment", "helpers", "isa", "program"]),
    ("machine", &["context", "count", "isa", "program"]),
    (
        "verifier",
        &["cfg", "context", "count", "domain", "environment", "helpers", "isa", "keyed", "maps", "program"],
    ),
    ("interp", &["context", "environment", "helpers", "isa", "machine", "maps", "program"]),
    // Both forms of the interpreter have one machine; the proof is what the running form is made of.
    (
        "running",
        &["context", "environment", "helpers", "interp", "isa", "machine", "maps", "program", "verifier"],
    ),
    ("heat", &["machine", "program"]),
    ("classic", &["context", "diagnostic", "environment", "helpers", "isa", "machine", "names", "program"]),
    ("seccomp", &["classic", "context", "diagnostic", "environment", "errno", "isa"]),
    (
        "load",
        &[
            "btf",
            "classic",
            "context",
            "count",
            "diagnostic",
            "environment",
            "isa",
            "maps",
            "names",
            "program",
            "seccomp",
            "sort",
        ],
    ),
    ("debugger", &["machine", "program", "sort"]),
    // It looks at every part of a run and is known by none.
    (
        "explain",
        &[
            "classic",
            "context",
            "count",
            "debugger",
            "environment",
            "errno",
            "helpers",
            "interp",
            "isa",
            "machine",
            "maps",
            "meaning",
            "packet",
            "program",
            "seccomp",
        ],
    ),
];

pub(super) fn check(sources: &[Source], problems: &mut Problems) {
    for source in sources {
        let Some(inside) = source.path.strip_prefix("core/src/") else { continue };
        let module = inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs");
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == module) else {
            problems.push(format!(
                "{}:1: the module `{module}` has no place in the direction of imports; give it one in {HERE}",
                source.path
            ));
            continue;
        };
        for (line, code) in code_lines(&source.text) {
            if code.trim_start().starts_with("#[cfg(test)]") {
                break;
            }
            for import in imports(code) {
                if import != module && !allowed.contains(&import) {
                    problems.push(format!(
                        "{}:{line}: `{module}` must not know `{import}`; imports point one way ({HERE})",
                        source.path
                    ));
                }
            }
        }
    }
}

const HERE: &str = "xtask/src/tidy/imports.rs";

/// The modules that a line names after `crate::`, a list in braces included. Types and macros at the crate's root
/// are no modules: they begin with a capital or end in `!`.
fn imports(code: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (start, _) in code.match_indices("crate::") {
        let rest = &code[start + "crate::".len()..];
        let list = rest.strip_prefix('{').map_or(rest, |inner| inner.split('}').next().unwrap_or(inner));
        let names: Vec<&str> = if list.len() == rest.len() { vec![rest] } else { list.split(',').collect() };
        for name in names {
            let name = name.trim();
            let end = name.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(name.len());
            if end > 0 && !name[end..].starts_with('!') {
                found.push(&name[..end]);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_way_to_name_a_module() {
        assert_eq!(imports("use crate::isa::Insn;"), ["isa"]);
        assert_eq!(imports("use crate::{isa, program::Pc};"), ["isa", "program"]);
        assert_eq!(imports("fn f(a: crate::isa::Reg) -> crate::program::Pc"), ["isa", "program"]);
        assert_eq!(imports("use crate::Insn; crate::rows!(a)"), Vec::<&str>::new());
    }

    #[test]
    fn a_wrong_direction_and_an_unknown_module_are_found() {
        let file = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
        let sources = [
            file("core/src/isa/text.rs", "use crate::interp;\n#[cfg(test)]\nuse crate::load;"),
            file("core/src/unheard_of.rs", ""),
            file("core/src/program.rs", "use crate::isa::Insn;\nuse crate::program::Pc;"),
            file("web/src/lib.rs", "use crate::anything;"),
        ];
        let mut problems = Problems::new();
        check(&sources, &mut problems);
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].starts_with("core/src/isa/text.rs:1: `isa` must not know `interp`"));
        assert!(problems[1].contains("`unheard_of`"));
    }
}
