//! The words after a task's name: `--flag`, `--name value` and, where a task takes them, plain words.

use crate::failure::{Failure, Outcome};

/// What a task accepts.
pub(crate) struct Accepted {
    pub(crate) flags: &'static [&'static str],
    pub(crate) values: &'static [&'static str],
    pub(crate) words: bool,
}

/// What it was given.
#[derive(Debug, Default)]
pub(crate) struct Options {
    flags: Vec<String>,
    values: Vec<(String, String)>,
    /// The plain words, in order.
    pub(crate) words: Vec<String>,
}

impl Options {
    pub(crate) fn parse(given: &[String], accepted: &Accepted) -> Outcome<Self> {
        let mut options = Self::default();
        let mut rest = given.iter();
        while let Some(word) = rest.next() {
            let (name, joined) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (word.as_str(), None),
            };
            if accepted.values.contains(&name) {
                let value = joined.or_else(|| rest.next().cloned());
                let value = value.ok_or_else(|| Failure::new(format!("{name} needs a value after it")))?;
                options.values.push((name.to_owned(), value));
            } else if joined.is_none() && accepted.flags.contains(&name) {
                options.flags.push(name.to_owned());
            } else if accepted.words && !word.starts_with('-') {
                options.words.push(word.clone());
            } else {
                return Err(Failure::new(format!("`{word}` is not understood here"))
                    .mend("cargo xtask help lists what each task takes"));
            }
        }
        Ok(options)
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.flags.iter().any(|flag| flag == name)
    }

    /// The last value given for `name`, so that a later one overrides an earlier.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.values.iter().rev().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVE: Accepted = Accepted { flags: &["--no-build"], values: &["--port"], words: false };

    fn parse(line: &str) -> Outcome<Options> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&words, &SERVE)
    }

    #[test]
    fn flags_and_values_in_any_order() {
        let options = parse("--port 1 --no-build --port=2").unwrap();
        assert!(options.flag("--no-build"));
        assert_eq!(options.value("--port"), Some("2"));
        assert_eq!(parse("").unwrap().value("--port"), None);
    }

    #[test]
    fn what_is_not_accepted_is_named() {
        for line in ["--prot 1", "word", "--port", "--no-build=1"] {
            let message = parse(line).unwrap_err().to_string();
            assert!(message.contains(line.split_whitespace().next().unwrap()), "{message}");
        }
    }
}
