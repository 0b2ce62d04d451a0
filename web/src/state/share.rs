//! The state as a permalink, and back.

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

    /// The permalink's fragment.
    ///
    /// # Errors
    /// When there is more than a link can hold.
    pub fn link(&self) -> Result<String, link::LinkError> {
        link::encode(&self.document())
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
