//! How the packet's bytes are changed: typed, mended, made. All of it is in the second module.

use super::{Draft, PacketAction, PacketInput, Spot, State};
use crate::packet_text;
use bpf64_core::context::skb::link_type;
use bpf64_core::packet::{build, edit, mend};
use std::rc::Rc;

impl State {
    /// Does what changes bytes.
    pub(super) fn change_packet(&mut self, action: PacketAction) {
        match action {
            PacketAction::Type(spot, text) => self.type_into(spot, text),
            PacketAction::Mend => self.mend(),
            PacketAction::MendAlong(along) => {
                self.touch.mends_along = along;
                if along {
                    self.mend();
                }
            }
            PacketAction::Build => {
                let bytes = build::build(self.touch.recipe.unwrap_or_default());
                let wire_len = bytes.len() as u32;
                self.chosen = None;
                self.packet = Rc::new(PacketInput::new(bytes, wire_len, link_type::ETHERNET));
                self.touch.draft = None;
                self.record();
            }
            PacketAction::Select(_)
            | PacketAction::Unselect
            | PacketAction::Move(_)
            | PacketAction::Done
            | PacketAction::Recipe(_) => {}
        }
    }

    fn mend(&mut self) {
        let mut bytes = self.packet.bytes.clone();
        mend::apply(&mut bytes, &self.packet.faults);
        self.put_packet(bytes);
    }

    pub(super) fn edit_packet(&mut self, text: String) {
        let old = &self.packet;
        match packet_text::parse(&text) {
            Ok(bytes) => {
                // A packet that was typed is whole.
                let wire_len = bytes.len() as u32;
                let packet = PacketInput { text, ..PacketInput::new(bytes, wire_len, old.link_type) };
                self.packet = Rc::new(packet);
                self.chosen = None;
                self.record();
            }
            Err(fault) => {
                self.packet = Rc::new(PacketInput { text, fault: Some(fault), ..(**old).clone() });
            }
        }
    }

    fn type_into(&mut self, spot: Spot, text: String) {
        let mut bytes = self.packet.bytes.clone();
        let done = match spot {
            Spot::Byte(at) => type_byte(&mut bytes, at, &text),
            Spot::Field(start) => match self.packet.field_at(start) {
                Some(_) if text.trim().is_empty() => Err("nothing is typed yet".to_owned()),
                Some(field) => edit::replace(field, &mut bytes, &text),
                None => Err("the packet no longer has this field".to_owned()),
            },
        };
        let changed = done.is_ok() && bytes != self.packet.bytes;
        self.touch.draft = Some(Draft { spot, text, fault: done.err() });
        if changed {
            self.put_packet(bytes);
            if let Spot::Field(start) = spot {
                let bytes = self.packet.field_at(start).map(|field| field.bytes.clone());
                self.select_bytes(bytes);
            }
        }
    }

    /// The same packet with other bytes.
    fn put_packet(&mut self, bytes: Vec<u8>) {
        if bytes == self.packet.bytes {
            return;
        }
        let PacketInput { bytes: before, wire_len, link_type, .. } = &*self.packet;
        // What was cut off stays cut off.
        let missing = (*wire_len as usize).saturating_sub(before.len());
        let wire_len = (bytes.len() + missing) as u32;
        self.packet = Rc::new(PacketInput::new(bytes, wire_len, *link_type));
        self.chosen = None;
        self.record();
    }
}

fn type_byte(bytes: &mut [u8], at: usize, text: &str) -> Result<(), String> {
    let typed = text.trim();
    let is_byte = typed.len() == 2 && typed.bytes().all(|digit| digit.is_ascii_hexdigit());
    let value = u8::from_str_radix(typed, 16).ok().filter(|_| is_byte);
    match (bytes.get_mut(at), value) {
        (Some(byte), Some(value)) => {
            *byte = value;
            Ok(())
        }
        (None, _) => Err("the packet no longer has this byte".to_owned()),
        (_, None) => Err("a byte is two hexadecimal digits".to_owned()),
    }
}
