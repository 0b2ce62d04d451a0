//! What comes in from outside: captures, files, packets, bytes that are typed.

use super::{Action, Dock, ObjectFile, OpenCapture, PacketInput, State};
use crate::packet_text;
use bpf64_core::classic;
use bpf64_core::context::skb::link_type;
use bpf64_core::explain::field;
use bpf64_core::listing::{Listing, Style};
use bpf64_core::load::{self, Form, Loaded};
use bpf64_core::packet::Capture;
use std::rc::Rc;

impl State {
    /// Shows the example that was chosen, if its program is there.
    pub(super) fn show_wanted(&mut self) {
        let Some(example) = self.wanted else { return };
        let Some(source) = self.gallery.get(example).map(|(source, _)| source.into()) else { return };
        self.wanted = None;
        self.example = Some(example);
        self.source = source;
        self.program_type = example.program_type;
        self.given = Rc::default();
        self.language = None;
        self.breakpoints.clear();
        self.notice = None;
        if example.capture.is_none() {
            self.capture = None;
            self.chosen = None;
            self.packet = Rc::new(PacketInput::new(Vec::new(), 0, link_type::ETHERNET));
            self.dock = Dock::Context;
        } else if self.dock == Dock::Context {
            self.dock = Dock::Packet;
        }
        self.read_source();
        for (name, typed) in example.context {
            self.set_field(name, typed);
        }
        self.seek(0);
    }

    /// Sets a field of the context to what was typed, if that is something.
    fn set_field(&mut self, name: &str, typed: &str) {
        let Some(levels) = self.levels.clone() else { return };
        let environment = &levels.program_type;
        let context = environment.context_in(&self.given.world(&levels, self.packet.skb()));
        let bytes = environment
            .context
            .field(name)
            .and_then(|known| field::parse(environment, &context, known, typed).ok());
        self.give(|given| given.set_field(name, bytes));
    }

    pub(super) fn open_capture(&mut self, name: String, bytes: &[u8], index: usize) {
        match Capture::read(bytes) {
            Ok(packets) => {
                self.notice = packets.damage.as_ref().map(|damage| format!("{name}: {damage}.").into());
                if packets.is_empty() && self.notice.is_none() {
                    self.notice = Some(format!("{name} holds no packets.").into());
                }
                let last = packets.len().saturating_sub(1);
                self.captures += 1;
                let (file, number) = (bytes.into(), self.captures);
                self.capture = Some(Rc::new(OpenCapture { name, packets, file, number }));
                self.forget_judged();
                self.chosen = None;
                self.select_packet(index.min(last));
            }
            Err(error) => self.notice = Some(format!("{name}: {error}.").into()),
        }
    }

    pub(super) fn open_file(&mut self, name: String, bytes: &[u8]) {
        const CAPTURE_STARTS: [[u8; 4]; 5] = [
            [0xd4, 0xc3, 0xb2, 0xa1],
            [0xa1, 0xb2, 0xc3, 0xd4],
            [0x4d, 0x3c, 0xb2, 0xa1],
            [0xa1, 0xb2, 0x3c, 0x4d],
            [0x0a, 0x0d, 0x0d, 0x0a],
        ];
        let named_capture = name.ends_with(".pcap") || name.ends_with(".pcapng") || name.ends_with(".cap");
        if named_capture || CAPTURE_STARTS.iter().any(|start| bytes.starts_with(start)) {
            return self.open_capture(name, bytes, 0);
        }
        match std::str::from_utf8(bytes) {
            _ if bytes.starts_with(b"\x7fELF") => {
                self.object = Some(Rc::new(ObjectFile { name, bytes: bytes.into() }));
            }
            Ok(text) if !text.contains('\0') => {
                if !self.open_trace(&name, text) {
                    self.apply(Action::Edit(text.to_owned()));
                }
            }
            _ => match load::load(bytes, &load::Request::default()) {
                Ok(loaded) => self.apply(Action::Edit(written(&loaded))),
                Err(faults) => {
                    let fault = faults.first().map(ToString::to_string).unwrap_or_default();
                    self.notice = Some(format!("{name}: {fault}.").into());
                }
            },
        }
    }

    /// What the module that reads object files has made of one.
    pub(super) fn take_object(&mut self, name: &str, listing: Result<bpf64_x86::Listing, String>) {
        self.object = None;
        match listing {
            Ok(listing) => {
                self.apply(Action::Edit(listing.source));
                self.notice = listing.others.map(|others| format!("{name}: {others}").into());
            }
            Err(fault) => self.notice = Some(format!("{name}: {fault}.").into()),
        }
    }

    pub(super) fn select_packet(&mut self, index: usize) {
        let Some(open) = &self.capture else { return };
        let Some(captured) = open.packets.get(index) else { return };
        self.packet =
            Rc::new(PacketInput::new(captured.bytes.to_vec(), captured.wire_len, captured.link_type));
        self.chosen = Some(index);
        self.record();
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
}

/// A program of a binary file as text for the editor.
fn written(loaded: &Loaded) -> String {
    match &loaded.form {
        Form::Classic(program, _) => classic::text::listing(program.insns(), classic::text::Style::Tcpdump),
        Form::Ebpf(program) => {
            let Loaded { program_type, others, .. } = loaded;
            Listing { program, program_type, style: Style::Kernel, source: true, others }.to_string()
        }
    }
}
