//! Suites: text files of cases.
//!
//! ```text
//! Anything before the first case is for people.
//!
//! === the name of a case
//! ldh [12]
//! ret a
//! > 00*12 0800 = 0x800
//! ```
//!
//! A case is a text and what is expected of it: lines that begin with `>` (a run) or `!` (a fault). Whoever runs
//! a suite answers with the lines as they should be; where they differ, the case fails, or, with `BPF64_BLESS=1`,
//! the file is rewritten.

use std::fs;
use std::path::{Path, PathBuf};

/// One case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// What stands behind `===`.
    pub name: String,
    /// The line of its name, from 1.
    pub line: usize,
    /// The lines up to the first expectation, without blank lines around them.
    pub text: String,
    /// The lines that say what is expected.
    pub expected: Vec<String>,
}

/// A file of cases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suite {
    path: PathBuf,
    preamble: String,
    /// In the order of the file.
    pub cases: Vec<Case>,
}

/// What a runner says of a case: the expectations as they should be, or why there can be none.
pub type Answer = Result<Vec<String>, String>;

/// Where suites and their data are: the folder of this crate.
#[must_use]
pub fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All suites of `suites/NAME`, by file name.
///
/// # Panics
/// When they cannot be read: a test has nothing better to do.
#[must_use]
pub fn suites(name: &str) -> Vec<Suite> {
    let folder = folder().join("suites").join(name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.expect("the folder is readable").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    paths.into_iter().map(Suite::read).collect()
}

/// Runs every case of `suites/NAME`.
///
/// # Panics
/// When a case fails, after all have run, with every failure.
pub fn run(name: &str, mut answer: impl FnMut(&Case) -> Answer) {
    let bless = std::env::var_os("BPF64_BLESS").is_some();
    let (mut cases, mut expectations, mut failures) = (0, 0, Vec::new());
    for mut suite in suites(name) {
        let mut blessed = false;
        for case in &mut suite.cases {
            cases += 1;
            let place = format!("{}:{}: {}", suite.path.display(), case.line, case.name);
            match answer(case) {
                Err(why) => failures.push(format!("{place}\n{why}")),
                Ok(found) if found != case.expected && bless => (case.expected, blessed) = (found, true),
                Ok(found) if found != case.expected => failures.push(format!(
                    "{place}\nexpected:\n{}\nfound:\n{}",
                    case.expected.join("\n"),
                    found.join("\n")
                )),
                Ok(_) => {}
            }
            expectations += case.expected.len();
        }
        if blessed {
            fs::write(&suite.path, suite.to_text()).expect("a suite can be rewritten");
        }
    }
    println!("suites/{name}: {cases} cases, {expectations} expectations");
    assert!(cases > 0, "suites/{name} has no cases");
    assert!(failures.is_empty(), "{} of {cases} cases fail\n\n{}\n", failures.len(), failures.join("\n\n"));
}

impl Suite {
    fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Suite::parse(path, &text)
    }

    fn parse(path: PathBuf, text: &str) -> Self {
        let mut suite = Suite { path, preamble: String::new(), cases: Vec::new() };
        for (number, line) in (1..).zip(text.lines()) {
            if let Some(name) = line.strip_prefix("=== ") {
                let name = name.trim().to_owned();
                suite.cases.push(Case { name, line: number, text: String::new(), expected: Vec::new() });
                continue;
            }
            match suite.cases.last_mut() {
                None => suite.preamble += &format!("{line}\n"),
                Some(case) if line.starts_with(['>', '!']) => case.expected.push(line.to_owned()),
                Some(case) if !case.expected.is_empty() => assert!(
                    line.is_empty(),
                    "{}:{number}: text behind expectations; begin a new case with `=== NAME`",
                    suite.path.display()
                ),
                Some(case) => case.text += &format!("{line}\n"),
            }
        }
        for case in &mut suite.cases {
            case.text = case.text.trim_matches('\n').to_owned();
        }
        suite
    }

    fn to_text(&self) -> String {
        let mut text = self.preamble.trim_end().to_owned();
        for case in &self.cases {
            text += &format!("\n\n=== {}\n{}", case.name, case.text);
            case.expected.iter().for_each(|line| text += &format!("\n{line}"));
        }
        text.trim_start().to_owned() + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_is_read_and_written() {
        let text = "For people.\n\n=== one\nret a\n\n  ret #1\n> 01 = 5\n> 02 = 6\n\n=== two\n\nret x\n";
        let suite = Suite::parse("a.txt".into(), text);
        let [one, two] = &suite.cases[..] else { panic!("{suite:?}") };
        assert_eq!((one.name.as_str(), one.line, one.text.as_str()), ("one", 3, "ret a\n\n  ret #1"));
        assert_eq!(one.expected, ["> 01 = 5", "> 02 = 6"]);
        assert_eq!((two.text.as_str(), two.expected.len()), ("ret x", 0));
        assert_eq!(suite.to_text(), text.replace("two\n\n", "two\n"));
    }
}
