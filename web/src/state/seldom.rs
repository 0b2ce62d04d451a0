//! Actions that are seldom: which of them the second module does, and what becomes of them until that is there.

use super::{Action, Draft, PacketAction, PacketInput, State};
use std::rc::Rc;

impl Action {
    /// Whether the second module does it.
    #[must_use]
    pub fn wants_later(&self) -> bool {
        match self {
            Action::PacketText(_) => true,
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

/// Does what the first module cannot.
pub(crate) fn apply(state: &mut State, action: Action) {
    match action {
        Action::PacketText(text) => state.edit_packet(text),
        Action::Packet(action) => state.change_packet(action),
        // The first module does all others.
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Spot, reduce};
    use super::*;

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
    fn what_the_worker_says_and_light_wait_for_nobody() {
        assert!(Action::Step.waits() && Action::Edit(String::new()).waits());
        assert!(!Action::Light(None).waits() && !Action::Arrived.waits() && !Action::Record.waits());
    }
}
