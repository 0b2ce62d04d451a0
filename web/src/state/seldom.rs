//! Actions that are seldom: which of them the second module does, and what becomes of them until that is there.

use super::{Action, Draft, PacketAction, PacketInput, State};
use crate::condition::Condition;
use std::rc::Rc;

impl Action {
    /// Whether the second module does it.
    #[must_use]
    pub fn wants_later(&self) -> bool {
        match self {
            Action::Compiled(_)
            | Action::Context(..)
            | Action::Entry(_)
            | Action::ForgetEntries(_)
            | Action::OpenFile(..)
            | Action::PacketText(_)
            | Action::ReadConditions
            | Action::SelectEvent(_) => true,
            // What is set beside the packet is written as people write it.
            Action::Example(example) => !example.context.is_empty(),
            Action::Packet(action) => matches!(
                action,
                PacketAction::Type(..)
                    | PacketAction::Mend
                    | PacketAction::MendAlong(_)
                    | PacketAction::Build
            ),
            _ => false,
        }
    }

    /// Whether it comes after those that wait for the second module: all do that a person may have meant to come after them.
    #[must_use]
    pub fn waits(&self) -> bool {
        let own = matches!(
            self,
            Action::Report(_)
                | Action::Compiled(_)
                | Action::Record
                | Action::Light(_)
                | Action::Arrived
                | Action::Notice(_)
        );
        !own
    }
}

impl State {
    /// Without the second module what is typed is kept as it is, so that the field goes on showing it; it is read when the
    /// action comes once more.
    pub(super) fn keep_typed(&mut self, action: Action) {
        match action {
            Action::PacketText(text) => {
                self.packet = Rc::new(PacketInput { text, fault: None, ..(*self.packet).clone() });
            }
            Action::Packet(PacketAction::Type(spot, text)) => {
                self.touch.draft = Some(Draft { spot, text, fault: None });
            }
            _ => {}
        }
    }
}

/// Whether a word may be a table's name. Only the program could say whether it is, and that may be one that cannot be read.
fn is_name(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')
}

/// Does what the first module cannot.
pub(crate) fn apply(state: &mut State, action: Action) {
    match action {
        Action::Compiled(reply) => state.take_reply(Rc::unwrap_or_clone(reply)),
        Action::Context(name, bytes) => state.give(|given| given.set_field(&name, bytes)),
        Action::Entry(entry) => state.give(|given| given.set_entry(entry)),
        Action::ForgetEntries(table) => {
            state.give(|given| given.entries.retain(|entry| entry.table != table));
        }
        Action::OpenFile(name, bytes) => state.open_file(name, &bytes),
        Action::SelectEvent(index) => state.select_event(index),
        Action::PacketText(text) => state.edit_packet(text),
        Action::Packet(action) => state.change_packet(action),
        Action::ReadConditions => {
            let texts = std::mem::take(&mut state.unread_conditions);
            let read = texts.iter().filter_map(|text| Condition::parse(text, &is_name).ok());
            state.conditions.extend(read);
        }
        // The first module does all others.
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Spot, reduce};
    use super::*;
    use bpf64_core::environment::Environment;

    #[test]
    fn what_is_typed_stays_until_it_can_be_read() {
        let mut state = reduce(&State::default(), Action::PacketText("45 00".to_owned()));
        state.keep_typed(Action::PacketText("45 00 0".to_owned()));
        assert_eq!((&*state.packet.text, &*state.packet.bytes), ("45 00 0", &[0x45, 0][..]));
        state.keep_typed(Action::Packet(PacketAction::Type(Spot::Byte(1), "7".to_owned())));
        assert_eq!(state.touch.draft.as_ref().map(|draft| &*draft.text), Some("7"));
        // What was typed in the meantime comes in its order.
        for text in ["45 00 0", "45 00 07"] {
            state = reduce(&state, Action::PacketText(text.to_owned()));
        }
        assert_eq!(state.packet.bytes, [0x45, 0, 7]);
    }

    #[test]
    fn conditions_of_a_link_stay_in_it_until_they_are_read() {
        let texts = ["r0 == 5".to_owned(), "write counts[3]".to_owned()];
        let unread = State { unread_conditions: texts.clone().into(), ..State::default() };
        assert_eq!(unread.document().conditions, texts);
        let read = reduce(&unread, Action::ReadConditions);
        assert_eq!((read.conditions.len(), read.unread_conditions.len()), (2, 0));
        assert_eq!(read.document().conditions, texts);
    }

    #[test]
    fn names_of_system_calls_come_with_the_second_module() {
        let before = State { names_calls: false, ..State::default() };
        assert!(!before.lacks_names(), "a packet filter has none");
        let chosen = reduce(&before, Action::Edit("ld [0]\njeq #59, 2, 3\nret #0\nret #1".to_owned()));
        let chosen = reduce(&chosen, Action::ProgramType(Environment::named("seccomp")));
        assert!(chosen.lacks_names());
        let arrived = reduce(&chosen, Action::Arrived);
        assert!(!arrived.lacks_names() && arrived.order > chosen.order, "it is read anew");
        assert_eq!(reduce(&arrived, Action::Arrived).order, arrived.order, "once");
    }

    #[test]
    fn what_the_worker_says_and_light_wait_for_nobody() {
        assert!(Action::Step.waits() && Action::Edit(String::new()).waits());
        assert!(!Action::Light(None).waits() && !Action::Arrived.waits() && !Action::Record.waits());
    }
}
