//! The keyboard: which key does what.

use crate::state::{Action, GraphAction};

/// A key press as the browser reports it.
#[derive(Debug, Clone, Copy)]
pub struct Press<'a> {
    /// `KeyboardEvent.key`.
    pub key: &'a str,
    /// Whether shift is held.
    pub shift: bool,
    /// Whether control, alt or meta is held.
    pub modified: bool,
    /// Whether the focus is where text is typed.
    pub typing: bool,
}

/// What a key press asks for.
#[derive(Debug, Clone)]
pub enum Wish {
    /// An action of the state.
    Do(Action),
    /// A breakpoint on the row that has the focus, or on the current one.
    Breakpoint,
    /// On to the row that has the focus; nothing where no row has.
    RunToHere,
    /// The list of keys.
    Help,
}

/// What `press` asks for, if anything. Letters work where no text is typed, function keys everywhere.
#[must_use]
pub fn wish(press: Press<'_>) -> Option<Wish> {
    match (press.key, press.shift) {
        ("F10", false) => return Some(Wish::Do(Action::Step)),
        ("F10", true) => return Some(Wish::Do(Action::Back)),
        ("F8", _) => return Some(Wish::Do(Action::Continue)),
        _ if press.typing || press.modified => return None,
        _ => {}
    }
    match press.key {
        "s" => Some(Wish::Do(Action::Step)),
        "S" | "b" => Some(Wish::Do(Action::Back)),
        "c" => Some(Wish::Do(Action::Continue)),
        "r" => Some(Wish::Do(Action::RunToEnd)),
        "0" => Some(Wish::Do(Action::Restart)),
        "g" => Some(Wish::Do(Action::Graph(GraphAction::Toggle))),
        "." => Some(Wish::Breakpoint),
        "Enter" => Some(Wish::RunToHere),
        "?" => Some(Wish::Help),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_for_the_page_only_outside_text() {
        let press = |key, typing| Press { key, shift: false, modified: false, typing };
        assert!(matches!(wish(press("s", false)), Some(Wish::Do(Action::Step))));
        assert!(wish(press("s", true)).is_none());
        assert!(matches!(wish(press("F10", true)), Some(Wish::Do(Action::Step))));
        assert!(matches!(wish(Press { shift: true, ..press("F10", true) }), Some(Wish::Do(Action::Back))));
        assert!(wish(Press { modified: true, ..press("c", false) }).is_none(), "Ctrl+C copies");
    }
}
