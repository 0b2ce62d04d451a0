//! What comes in from outside: captures, files, packets, bytes that are typed.

use super::{Action, Dock, OpenCapture, PacketInput, State, Unread};
use crate::later;
use crate::levels;
use bpf64_core::classic;
use bpf64_core::context::skb::link_type;
use bpf64_core::diagnostic::Diagnostic;
use bpf64_core::environment::Environment;
use bpf64_core::explain::field;
use bpf64_core::listing::{Listing, Style};
use bpf64_core::load::{self, Form, Format, Loaded, detect};
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
        if let Some(later) = later::there() {
            for (name, typed) in example.context {
                (later.set_field)(self, name, typed);
            }
        }
        self.seek(0);
    }

    /// Sets a field of the context to what was typed, if that is something.
    pub(crate) fn set_field(&mut self, name: &str, typed: &str) {
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
                self.capture = Some(Rc::new(OpenCapture::new(name, packets, file, number)));
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
                self.have_read(Some(name), bytes);
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

    /// Has the compiler's module read something.
    fn have_read(&mut self, name: Option<String>, bytes: &[u8]) {
        self.files += 1;
        self.unread = Some(Rc::new(Unread { number: self.files, name, bytes: bytes.into() }));
    }

    /// Whether the text is a seccomp profile: then the compiler's module makes a filter of it, which takes its place.
    pub(super) fn reads_elsewhere(&mut self) -> bool {
        // What was asked about an earlier text is wanted no more.
        self.unread.take_if(|file| file.name.is_none());
        let is_profile = match self.language {
            Some(language) => language == Format::Seccomp,
            None => detect::is_profile(&self.source),
        };
        if is_profile {
            let source = Rc::clone(&self.source);
            self.have_read(None, source.as_bytes());
            let fault = Diagnostic::new(0..0, "this is a seccomp profile, and is being read");
            self.problems = Rc::from([levels::problem(&source, &fault)]);
        }
        is_profile
    }

    /// Whether somebody has undone that a profile became a filter. Made again at once, nothing from before the profile could
    /// ever be undone.
    pub(super) fn is_back_at_profile(&self, before: &Rc<str>) -> bool {
        self.made_of.as_ref().is_some_and(|(profile, filter)| (profile, filter) == (&self.source, before))
    }

    /// Lets a profile stand as it is.
    pub(super) fn leave_profile(&mut self) {
        let fault = Diagnostic::new(0..0, "this is the seccomp profile that the filter was made of");
        let fault = fault.help("undo once more for what was here before it, or redo for the filter");
        self.problems = Rc::from([levels::problem(&self.source, &fault)]);
    }

    /// What the compiler's module has made of a file.
    pub(super) fn take_listing(
        &mut self,
        number: u32,
        listing: Result<bpf64_x86::Listing, Vec<bpf64_x86::Fault>>,
    ) {
        let Some(file) = self.unread.take_if(|file| file.number == number) else { return };
        let name = file.name.as_deref().unwrap_or("the profile");
        match listing {
            Ok(listing) => {
                self.language = None;
                if let Some(program_type) = Environment::named(&listing.program_type) {
                    self.program_type = Some(program_type);
                    // There the call is typed in that the filter is asked about.
                    self.dock = Dock::Context;
                }
                let profile = file.name.is_none().then(|| Rc::clone(&self.source));
                self.apply(Action::Edit(listing.source));
                self.made_of =
                    profile.map(|profile| (profile, Rc::clone(&self.source))).or(self.made_of.take());
                self.notice = listing.remark.map(|remark| format!("{name}: {remark}.").into());
            }
            Err(faults) => {
                let faults = faults.into_iter().map(|bpf64_x86::Fault { span, message, help }| Diagnostic {
                    help,
                    ..Diagnostic::new(span, message)
                });
                if file.name.is_some() {
                    let fault = faults.map(|fault| fault.to_string()).next().unwrap_or_default();
                    self.notice = Some(format!("{name}: {fault}.").into());
                } else {
                    self.problems = faults.map(|fault| levels::problem(&self.source, &fault)).collect();
                }
            }
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
