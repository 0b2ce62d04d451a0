//! Where results and failures go: results to standard output, failures to standard error, JSON all to the former.

use super::Status;
use super::failure::Failure;
use anstream::{AutoStream, ColorChoice};
use clap::builder::styling::Style;
use serde::Serialize;
use std::fmt;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

/// Standard output, and what form it wants.
pub(crate) struct Output {
    /// One JSON document instead of text.
    pub(crate) json: bool,
    colour: bool,
    stdout: BufWriter<StdoutLock<'static>>,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        // The terminal, NO_COLOR, CLICOLOR_FORCE and TERM: the library knows the customs.
        let colour = AutoStream::choice(&io::stdout()) != ColorChoice::Never;
        Output { json, colour, stdout: BufWriter::new(io::stdout().lock()) }
    }

    /// Writes text.
    pub(crate) fn text(&mut self, text: impl fmt::Display) -> Result<(), Failure> {
        write!(self.stdout, "{text}").map_err(Failure::Output)
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.stdout.write_all(bytes).map_err(Failure::Output)
    }

    /// Writes the document, on one line.
    pub(crate) fn document(&mut self, document: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.stdout, document).map_err(|error| Failure::Output(error.into()))?;
        self.text('\n')
    }

    /// Writes part of a document.
    pub(crate) fn part(&mut self, part: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.stdout, part).map_err(|error| Failure::Output(error.into()))
    }

    /// Writes the rest of a document of which something is written already, and the end of the line.
    pub(crate) fn rest_of_document(&mut self, rest: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(rest).map_err(|error| Failure::Output(error.into()))?;
        self.text(format_args!("{}\n", text.strip_prefix('{').unwrap_or(&text)))
    }

    /// The text in this style, where colours are wanted.
    pub(crate) fn paint(&self, style: Style, text: &str) -> String {
        if self.colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// Whether a person is watching.
    pub(crate) fn is_terminal(&self) -> bool {
        self.stdout.get_ref().is_terminal()
    }

    /// Hands everything over, so that what is written to standard error next comes after it.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.stdout.flush().map_err(Failure::Output)
    }

    /// Reports what went wrong, and says which status it gives.
    pub(crate) fn fail(&mut self, failure: &Failure) -> Status {
        if let Failure::Output(error) = failure {
            return output_failed(error);
        }
        let reported = if self.json { self.document(&failure.document()) } else { Ok(()) };
        match reported.and_then(|()| self.flush()) {
            Ok(()) if self.json => {}
            Ok(()) => warn(failure.draw()),
            Err(Failure::Output(error)) => return output_failed(&error),
            Err(other) => warn(other.draw()),
        }
        failure.status()
    }
}

/// A closed pipe is no fault of anybody's: `bpf64 run … | head` has what it wanted.
fn output_failed(error: &io::Error) -> Status {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Status::Done;
    }
    warn(format!("error: cannot write to standard output: {error}"));
    Status::NotUnderstood
}

/// A line or drawing for standard error; when that is closed too, there is nobody left to tell.
pub(crate) fn warn(text: impl fmt::Display) {
    let _ = writeln!(anstream::stderr(), "{text}");
}
