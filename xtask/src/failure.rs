//! What a task returns when it cannot go on: what happened and, where we know it, how to mend it.

use std::fmt::{self, Display};

/// The result of everything in this program that may fail.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// A sentence for the person at the terminal, and the remedy if there is one.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    remedy: Option<String>,
}

impl Failure {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: None }
    }

    /// Adds what to do about it: best a command that can be copied.
    pub(crate) fn mend(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        if let Some(remedy) = &self.remedy {
            write!(f, "\n  to mend it: {}", remedy.replace('\n', "\n              "))?;
        }
        Ok(())
    }
}

/// Says what was being done when a lower layer failed: its own errors name neither the file nor the purpose.
pub(crate) trait Context<T> {
    fn context(self, doing: impl FnOnce() -> String) -> Outcome<T>;
}

impl<T, E: Display> Context<T> for Result<T, E> {
    fn context(self, doing: impl FnOnce() -> String) -> Outcome<T> {
        self.map_err(|error| Failure::new(format!("{}: {error}", doing())))
    }
}
