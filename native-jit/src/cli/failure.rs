//! What can go wrong, how it is drawn for people and written for scripts, and which exit status it gives.

use super::Status;
use super::input::Source;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use bpf64_core::diagnostic::{Diagnostic, Position};
use serde::Serialize;
use std::io;
use std::ops::Range;

/// More faults than these help nobody; the rest is counted.
const SHOWN: usize = 20;

/// Why a command could not do its work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something without a place in a text.
    Plain {
        /// What it means for the exit status.
        status: Status,
        /// One sentence.
        message: String,
        /// What to do about it.
        help: Option<String>,
    },
    /// Faults in a program.
    Faults(Source, Vec<Diagnostic>),
    /// Standard output does not take what is written.
    Output(io::Error),
}

/// A failure as `--json` prints it.
#[derive(Serialize)]
pub(crate) struct Document {
    error: String,
    faults: Vec<Fault>,
    /// How many faults are not listed.
    #[serde(skip_serializing_if = "is_zero")]
    more: usize,
}

#[derive(Serialize)]
struct Fault {
    /// Missing for a fault of the whole input.
    line: Option<usize>,
    column: Option<usize>,
    message: String,
    help: Option<String>,
    /// The instruction to blame, when the program is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    insn: Option<u32>,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Failure {
    /// The command line or the input is at fault.
    pub(crate) fn not_understood(message: impl Into<String>) -> Self {
        Failure::Plain { status: Status::NotUnderstood, message: message.into(), help: None }
    }

    /// The program is at fault.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Failure::Plain { status: Status::Refused, message: message.into(), help: None }
    }

    /// The same, with advice; faults of a text bring their own.
    pub(crate) fn help(mut self, advice: impl Into<String>) -> Self {
        if let Failure::Plain { help, .. } = &mut self {
            *help = Some(advice.into());
        }
        self
    }

    /// The exit status it gives.
    pub(crate) fn status(&self) -> Status {
        match self {
            Failure::Plain { status, .. } => *status,
            Failure::Faults(_, faults) if is_refusal(faults) => Status::Refused,
            Failure::Faults(..) | Failure::Output(_) => Status::NotUnderstood,
        }
    }

    /// What went wrong, in a sentence.
    pub(crate) fn message(&self) -> String {
        self.document().error
    }

    /// For scripts.
    pub(crate) fn document(&self) -> Document {
        let plain = |error: String, help: &Option<String>| Document {
            error: help.iter().fold(error, |error, help| format!("{error}; {help}")),
            faults: Vec::new(),
            more: 0,
        };
        match self {
            Failure::Plain { message, help, .. } => plain(message.clone(), help),
            Failure::Output(error) => plain(error.to_string(), &None),
            Failure::Faults(source, faults) => {
                let error = match faults.as_slice() {
                    [only] => only.message.clone(),
                    several => format!("{} faults in {}", several.len(), source.name),
                };
                let listed = faults.iter().take(SHOWN).map(|fault| described(source, fault)).collect();
                Document { error, faults: listed, more: faults.len().saturating_sub(SHOWN) }
            }
        }
    }

    /// For people: with escape sequences for colour, which the stream takes out where they are not wanted.
    pub(crate) fn draw(&self) -> String {
        match self {
            Failure::Plain { message, help, .. } => {
                let mut text = render(Group::with_title(Level::ERROR.primary_title(message)));
                if let Some(help) = help {
                    text += "\n";
                    text += &render(Group::with_title(Level::HELP.primary_title(help)));
                }
                text
            }
            Failure::Output(error) => {
                render(Group::with_title(Level::ERROR.primary_title(error.to_string())))
            }
            Failure::Faults(source, faults) => {
                let drawings: Vec<String> =
                    faults.iter().take(SHOWN).map(|fault| draw_fault(source, fault)).collect();
                let more = match faults.len().saturating_sub(SHOWN) {
                    0 => String::new(),
                    1 => "\n\nand 1 more fault".to_owned(),
                    more => format!("\n\nand {more} more faults"),
                };
                drawings.join("\n\n") + &more
            }
        }
    }
}

/// What is odd in a program, for people: the failure's form, with another word in front.
pub(crate) fn draw_warnings(source: &Source, warnings: &[Diagnostic]) -> String {
    let drawings: Vec<String> =
        warnings.iter().take(SHOWN).map(|warning| draw_at(source, warning, Level::WARNING)).collect();
    let more = match warnings.len().saturating_sub(SHOWN) {
        0 => String::new(),
        1 => "\n\nand 1 more warning".to_owned(),
        more => format!("\n\nand {more} more warnings"),
    };
    drawings.join("\n\n") + &more
}

/// Whether the text was understood and only its program refused.
pub(crate) fn is_refusal(faults: &[Diagnostic]) -> bool {
    faults.iter().all(|fault| fault.refused.is_some())
}

fn render(group: Group<'_>) -> String {
    Renderer::styled().render(&[group])
}

fn described(source: &Source, fault: &Diagnostic) -> Fault {
    let position = Place::of(source, &fault.span).map(|place| place.position);
    Fault {
        line: position.map(|position| position.line),
        column: position.map(|position| position.column),
        message: fault.message.clone(),
        help: fault.help.clone(),
        insn: fault.refused,
    }
}

fn draw_fault(source: &Source, fault: &Diagnostic) -> String {
    draw_at(source, fault, Level::ERROR)
}

fn draw_at(source: &Source, fault: &Diagnostic, level: Level<'_>) -> String {
    let group = Group::with_title(level.primary_title(&fault.message));
    let group = match Place::of(source, &fault.span) {
        // Only the one line is handed over: the renderer would number and measure a megabyte for each fault.
        Some(place) => group.element(
            Snippet::source(place.line)
                .path(&source.name)
                .line_start(place.position.line)
                .annotation(AnnotationKind::Primary.span(place.span)),
        ),
        None => group.element(Origin::path(&source.name)),
    };
    render(group.elements(fault.help.iter().map(|help| Level::HELP.message(help))))
}

/// A place in a text: the line it is in, and which bytes of that line.
struct Place<'a> {
    position: Position,
    line: &'a str,
    span: Range<usize>,
}

impl<'a> Place<'a> {
    /// `None` for what is about the whole input (an empty span, or nothing to see there) and for inputs that are
    /// no text.
    fn of(source: &'a Source, span: &Range<usize>) -> Option<Self> {
        let text = source.text()?;
        if span.is_empty() {
            return None;
        }
        let start = text.floor_char_boundary(span.start);
        let end = text.ceil_char_boundary(span.end);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let line = text[line_start..line_end].trim_end_matches('\r');
        let inside = |at: usize| (at - line_start).min(line.len());
        let span = inside(start)..inside(end.max(start));
        (!span.is_empty()).then(|| Place { position: Position::of(text, start), line, span })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source { name: "f.txt".into(), bytes: text.into() }
    }

    #[test]
    fn a_place_is_clipped_to_its_first_line() {
        let source = source("ldh [12]\r\nçjeq\nret");
        let place = Place::of(&source, &(12..99)).expect("the source is text");
        assert_eq!((place.position.line, place.position.column, place.line), (2, 2, "çjeq"));
        assert_eq!(place.span, 2..5);
        assert!(Place::of(&source, &(0..0)).is_none());
    }

    #[test]
    fn all_faults_refusals_is_a_refusal() {
        let fault = Diagnostic::new(0..3, "bad");
        let status = |faults| Failure::Faults(source("bad"), faults).status();
        assert_eq!(status(vec![fault.clone().refusing(0)]), Status::Refused);
        assert_eq!(status(vec![fault.clone().refusing(0), fault]), Status::NotUnderstood);
    }

    #[test]
    fn faults_beyond_the_twentieth_are_counted() {
        let failure = Failure::Faults(source("bad"), vec![Diagnostic::new(0..3, "wrong"); 22]);
        assert_eq!(failure.document().more, 2);
        assert!(failure.draw().ends_with("and 2 more faults"));
    }
}
