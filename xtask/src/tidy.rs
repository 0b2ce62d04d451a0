//! `cargo xtask tidy`: rules of the tree that the compiler does not know.
//!
//! Each check reads the tree and adds what it finds to one list, so that a run shows everything.

mod imports;
mod lists;

use std::fs;
use std::path::Path;

use crate::failure::{Context as _, Failure, Outcome};
use crate::options::{Accepted, Options};
use crate::workspace;

/// A file of text, by its path from the root with `/` between the parts.
struct Source {
    path: String,
    text: String,
}

/// What is wrong, where: `path:line: sentence`.
type Problems = Vec<String>;

/// Folders whose content is not ours or not kept.
const SKIPPED: [&str; 4] = ["target", "node_modules", "shots", ".git"];

/// Above this, a file has a second subject in it.
const MOST_LINES: usize = 600;

/// Files that may contain `unsafe`, each of which says in its module doc why. The compiler forbids it everywhere
/// else; this list makes a new one a decision.
const UNSAFE_FILES: &[&str] = &[
    "native-jit/src/kernel/bpf.rs",
    "native-jit/src/kernel/events.rs",
    "native-jit/src/kernel/program.rs",
    "native-jit/src/library.rs",
    "native-jit/src/libpcap.rs",
    "native-jit/src/peers/rbpf.rs",
    "native-jit/src/peers/sbpf.rs",
    "native-jit/src/runtime/memory.rs",
    "native-jit/src/runtime/native.rs",
    "tests/src/kernel.rs",
    "tests/src/kernel/tap.rs",
    "tests/src/kernel_seccomp/child.rs",
    "tests/src/libseccomp.rs",
];

/// What must not be committed, and what to do instead. Split, or this file would be its own first offender.
const FORBIDDEN: [(&str, &str); 4] = [
    (concat!("#[ign", "ore"), "mend the test or remove it"),
    (concat!("#[should_", "panic"), "test for the error that is returned"),
    (concat!("tod", "o!("), "write it"),
    (concat!("db", "g!("), "remove it"),
];

pub(crate) fn task(given: &[String]) -> Outcome {
    Options::parse(given, &Accepted { flags: &[], values: &[], words: false })?;
    check()
}

/// Runs all checks; the problems go to the terminal, their number into the failure.
pub(crate) fn check() -> Outcome {
    let mut sources = Vec::new();
    collect(workspace::root(), &mut sources).context(|| "cannot read the tree".to_owned())?;
    sources.sort_by(|a, b| a.path.cmp(&b.path));

    let mut problems = Problems::new();
    for source in &sources {
        length(source, &mut problems);
        if source.path.ends_with(".rs") {
            module_doc(source, &mut problems);
            forbidden(source, &mut problems);
            unsafe_code(source, &mut problems);
        }
    }
    imports::check(&sources, &mut problems);
    lists::check(workspace::root(), &mut problems)?;

    if problems.is_empty() {
        println!("{} files are tidy", sources.len());
        return Ok(());
    }
    for problem in &problems {
        println!("{problem}");
    }
    Err(Failure::new(format!("{} rules of the tree are broken, see above", problems.len())))
}

/// Reads every Rust, JavaScript and style file below `folder`.
fn collect(folder: &Path, into: &mut Vec<Source>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let name = entry.file_name();
        if entry.file_type()?.is_dir() {
            if !SKIPPED.iter().any(|skipped| name == *skipped) {
                collect(&path, into)?;
            }
        } else if path.extension().is_some_and(|e| ["rs", "js", "mjs", "css"].iter().any(|known| e == *known))
        {
            let path_from_root = workspace::shown(&path).replace('\\', "/");
            into.push(Source { path: path_from_root, text: fs::read_to_string(&path)? });
        }
    }
    Ok(())
}

fn length(source: &Source, problems: &mut Problems) {
    let lines = source.text.lines().count();
    if lines > MOST_LINES {
        let path = &source.path;
        problems.push(format!("{path}:{lines}: more than {MOST_LINES} lines; move its second subject out"));
    }
}

fn module_doc(source: &Source, problems: &mut Problems) {
    if !source.text.starts_with("//!") {
        problems.push(format!("{}:1: begins with no `//!`; say what the module is for", source.path));
    }
}

fn forbidden(source: &Source, problems: &mut Problems) {
    for (line, code) in code_lines(&source.text) {
        for (word, instead) in FORBIDDEN {
            if code.contains(word) {
                problems.push(format!("{}:{line}: `{word}`; {instead}", source.path));
            }
        }
    }
}

fn unsafe_code(source: &Source, problems: &mut Problems) {
    if UNSAFE_FILES.contains(&source.path.as_str()) {
        return;
    }
    for (line, code) in code_lines(&source.text) {
        let starts = ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern", "unsafe trait"];
        if starts
            .iter()
            .any(|start| code.trim_start().starts_with(start) || code.contains(&format!(" {start}")))
        {
            let path = &source.path;
            problems
                .push(format!("{path}:{line}: unsafe code in a file that xtask/src/tidy.rs does not list"));
        }
    }
}

/// The lines that are not comments, numbered from 1.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines()).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str, check: fn(&Source, &mut Problems)) -> Problems {
        let mut problems = Problems::new();
        check(&Source { path: "a.rs".into(), text: text.into() }, &mut problems);
        problems
    }

    #[test]
    fn each_rule_finds_its_offender_and_nothing_else() {
        assert_eq!(problems("//! Doc.\n", module_doc), Problems::new());
        assert_eq!(problems("use a;\n//! Late.\n", module_doc).len(), 1);
        assert_eq!(problems(&"\n".repeat(600), length), Problems::new());
        assert_eq!(problems(&"\n".repeat(601), length).len(), 1);
        assert!(problems(&format!("ok\n  {}1)", FORBIDDEN[3].0), forbidden)[0].starts_with("a.rs:2: "));
        assert_eq!(problems(&format!("// {}", FORBIDDEN[0].0), forbidden), Problems::new());
        assert_eq!(problems(concat!("let a = uns", "afe { b };"), unsafe_code).len(), 1);
        assert_eq!(problems("#![forbid(unsafe_code)]", unsafe_code), Problems::new());
    }
}
