//! The state as what a permalink holds, and back.

use super::{Action, PacketInput, State};
use crate::examples;
use crate::given::Given;
use crate::later;
use crate::levels::Level;
use bpf64_core::environment::Environment;
use bpf64_core::link::{self, Document};
use bpf64_core::load::Format;
use std::rc::Rc;

impl State {
    /// The whole state that a colleague needs.
    #[must_use]
    pub fn document(&self) -> Document {
        let slots = self.levels.as_ref().map(|levels| {
            let rows = levels.rows(self.level);
            let mut slots: Vec<u32> =
                self.breakpoints.iter().filter_map(|pc| rows.get(pc.index())).map(|row| row.slot).collect();
            // The same breakpoints make the same link, in whatever order they were set.
            slots.sort_unstable();
            slots
        });
        let unread = self.unread_conditions.iter().cloned();
        Document {
            source: self.source.to_string(),
            language: self.language.map(|format| format.name().to_owned()).unwrap_or_default(),
            packet: Some(link::Packet {
                bytes: self.packet.bytes.clone(),
                wire_len: self.packet.wire_len,
                link_type: self.packet.link_type,
            }),
            breakpoints: slots.unwrap_or_default(),
            step: self.player.as_ref().map_or(0, |player| player.position() as u32),
            classic: self.level == Level::Classic,
            program_type: self.program_type.map(|known| known.name.to_string()).unwrap_or_default(),
            context: self.given.context.clone(),
            entries: self.given.entries.clone(),
            conditions: self.conditions.iter().map(ToString::to_string).chain(unread).collect(),
        }
    }

    pub(super) fn open(&mut self, document: Document) {
        let Document { source, language, packet, breakpoints, step, classic, .. } = document;
        let Document { program_type, context, entries, conditions, .. } = document;
        // Numbers go on: what the worker still reports is of what was there before.
        let (order, stops, captures) = (self.order, self.stops, self.captures);
        let (tab, dock, view, settings) = (self.tab, self.dock, self.view, self.settings);
        let gallery = self.gallery.clone();
        *self = State { tab, dock, view, settings, stops, captures, gallery, ..State::default() };
        self.order += order;
        self.example = examples::of(&source);
        self.source = source.into();
        self.language = Format::named(&language);
        self.program_type = Environment::named(&program_type);
        self.given = Rc::new(Given { context, entries });
        self.unread_conditions = conditions.into();
        if let Some(link::Packet { bytes, wire_len, link_type }) = packet {
            self.packet = Rc::new(PacketInput::new(bytes, wire_len, link_type));
        }
        self.level = if classic { Level::Classic } else { Level::Ebpf };
        (self.levels, self.read) = Default::default();
        self.player = None;
        self.read_source();
        if let Some(levels) = self.levels.clone() {
            let pc_at =
                |slot: u32| levels.rows(self.level).iter().find(|row| row.slot == slot).map(|row| row.pc);
            self.breakpoints = breakpoints.into_iter().filter_map(pc_at).collect();
            self.record();
            self.seek(step as usize);
        }
        if later::there().is_some() {
            self.apply(Action::ReadConditions);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::tests::{ARP, PACKET, after, arp, position};
    use super::super::{Action, reduce};
    use super::*;
    use crate::examples::{EXAMPLES, FIRST};
    use bpf64_core::link::{Entry, LinkError};
    use bpf64_core::program::Pc;

    /// A link to this state.
    fn made(state: &State) -> String {
        link::encode(&state.document()).unwrap()
    }

    /// What a link holds.
    fn held(link: &str) -> Result<Rc<Document>, LinkError> {
        link::decode(link).map(Rc::new)
    }

    /// That a link to this state is followed.
    pub(in crate::state) fn followed(state: &State) -> Action {
        Action::OpenLink(held(&made(state)))
    }

    #[test]
    fn links_carry_the_whole_state() {
        let state = arp([
            Action::Level(Level::Classic),
            Action::Breakpoint(Level::Classic, Pc(3)),
            Action::Step,
            Action::Step,
        ]);
        let opened = after([followed(&state)]);
        assert_eq!(opened.document(), state.document());
        assert_eq!((position(&opened), opened.level, &*opened.source), (2, Level::Classic, ARP));
        assert_eq!(opened.packet.bytes, PACKET);
        let damaged = reduce(&state, Action::OpenLink(held("1.abc")));
        assert!(damaged.notice.is_some());
        assert_eq!(damaged.document(), state.document(), "a damaged link changes nothing");
    }

    #[test]
    fn what_was_kept_is_offered_once() {
        let offer = |state: &State| Action::Offer(held(&made(state)).unwrap());
        let state = after([offer(&arp([Action::Step]))]);
        let restored = reduce(&state, Action::Restore(true));
        assert_eq!((&*restored.source, position(&restored), &restored.offer), (ARP, 1, &None));
        assert_eq!(&*reduce(&state, Action::Restore(false)).source, FIRST.0);
        // Examples are in the gallery.
        assert_eq!(after([offer(&State::default())]).offer, None);
    }

    #[test]
    fn what_is_set_before_the_run_is_in_the_link() {
        let source = ".type sched_cls\n.map counts hash key=4 value=4 max=4\nr0 = *(u32 *)(r1 + 8)\nexit";
        let set = |table: &str, key, value: Option<Vec<u8>>| {
            Action::Entry(Entry { table: table.to_owned(), key, value })
        };
        let state = after([
            Action::Edit(source.to_owned()),
            Action::Context("mark".to_owned(), Some(vec![7, 0, 0, 0])),
            set("counts", vec![1, 0, 0, 0], Some(vec![2, 0, 0, 0])),
            Action::Condition(crate::condition::Condition::parse("write stack", &|_| false).unwrap()),
        ]);
        assert_eq!(state.result(), Some(7));
        let held = |state: &State| state.player.as_ref().map(|player| player.tables()[0].entries().count());
        assert_eq!(held(&state), Some(1));
        let opened = reduce(&State::default(), followed(&state));
        assert_eq!((opened.result(), held(&opened)), (Some(7), Some(1)));
        assert_eq!((opened.document(), opened.conditions.len()), (state.document(), 1));
        let left = after([followed(&state), Action::Context("mark".to_owned(), None)]);
        assert_eq!(left.result(), Some(0));
        let empty = reduce(&opened, Action::ForgetEntries("counts".to_owned()));
        assert_eq!(held(&empty), Some(0));
        // An example brings its own world.
        assert!(reduce(&opened, Action::Example(&EXAMPLES[0])).given.context.is_empty());
    }
}
