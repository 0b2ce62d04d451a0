//! The x86-64 level: what the compiler's module has answered, tied to the other levels by their origins.

use super::{Action, Shown, State};
use crate::levels::Key;
use crate::work::{Order, Request};
use bpf64_core::load::{Format, detect};
use bpf64_core::program::Pc;
use bpf64_x86::{Line, Reply};
use std::rc::Rc;

/// The machine code of a program.
#[derive(Debug, Clone, PartialEq)]
pub struct Code {
    /// The text it is of.
    pub order: Order,
    /// Its rows, or a sentence about why there are none.
    pub rows: Result<Rc<[Rc<CodeRow>]>, Rc<str>>,
}

/// What the compiler's module is to read: an object file, or a seccomp profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// Told apart from others before by this.
    pub number: u32,
    /// The file's name; none for what is the editor's text.
    pub name: Option<String>,
    /// The bytes.
    pub bytes: Rc<[u8]>,
}

/// A language as it is handed on.
fn name(language: Option<Format>) -> String {
    language.map(Format::name).unwrap_or_default().to_owned()
}

/// A row of the x86-64 listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeRow {
    /// What stands there.
    pub line: Line,
    /// The eBPF instruction it is for.
    pub pc: Option<Pc>,
    /// The slot of that.
    pub from: Option<u32>,
    /// The instruction of the source it comes from.
    pub key: Option<Key>,
    /// The line of C.
    pub c: Option<u32>,
    /// What it is for, in a sentence, and its bytes.
    pub title: String,
}

impl State {
    /// Which levels are shown: what is wanted of what the program has, and eBPF if that leaves nothing.
    #[must_use]
    pub fn shown(&self) -> Shown {
        let Shown { c, classic, ebpf, x86 } = self.settings.shown;
        let c = c && self.levels.as_ref().is_some_and(|levels| !levels.c_rows.is_empty());
        let classic = classic && self.levels.as_ref().is_some_and(|levels| levels.classic.is_some());
        Shown { c, classic, ebpf: ebpf || !(c || classic || x86), x86 }
    }

    /// What the worker is asked about the program.
    #[must_use]
    pub fn program(&self) -> Request {
        let (source, language, program_type) = self.text();
        let given = (*self.given).clone();
        Request::Program { order: self.order, source, language, program_type, given, start: true }
    }

    /// What it will be asked once this has happened, if the text can be read: so it can begin at once, and both read at
    /// the same time.
    #[must_use]
    pub fn program_after(&self, action: &Action) -> Option<Request> {
        // A chosen type would have to give way to one that the text says, and profiles are read elsewhere.
        let (Action::Edit(edited), None) = (action, self.program_type) else { return None };
        if detect::is_profile(edited) {
            return None;
        }
        let source = edited.clone();
        let (language, program_type) = (name(self.language), String::new());
        let (order, given) = (self.order + 1, (*self.given).clone());
        Some(Request::Program { order, source, language, program_type, given, start: true })
    }

    /// The text that [`State::levels`] is of, as it is handed on: itself, and the names of language and program type if they
    /// were chosen.
    #[must_use]
    pub fn text(&self) -> (String, String, String) {
        let (source, language, program_type) = &self.read;
        let language = name(*language);
        let program_type = program_type.map(|known| known.name.to_string()).unwrap_or_default();
        (source.to_string(), language, program_type)
    }

    /// Takes what the other module has answered.
    pub(super) fn take_reply(&mut self, reply: Reply) {
        match reply {
            Reply::Code { order, code } => self.take_code(order, code),
            Reply::File { number, listing } => self.take_listing(number, listing),
            Reply::Recording { number, recording } => self.take_recording(number, recording),
        }
    }

    fn take_code(&mut self, order: Order, code: Result<Vec<bpf64_x86::Row>, String>) {
        let Some(levels) = self.levels.as_ref().filter(|_| order == self.order) else { return };
        let row = |bpf64_x86::Row { pc, line }| {
            let of = pc.and_then(|pc| levels.ebpf_rows.get(pc as usize));
            let mut title = of.map(|row| format!("{}: {}", row.text(), row.sentence())).unwrap_or_default();
            match &line {
                Line::Insn { address, bytes, .. } => {
                    title.push_str(&format!("\n{address:x}:"));
                    bytes.iter().for_each(|byte| title.push_str(&format!(" {byte:02x}")));
                }
                Line::Note(note) => title = format!("{note}\n{title}"),
            }
            let (from, key, c) =
                (of.map(|row| row.slot), of.and_then(|row| row.key), of.and_then(|row| row.c));
            Rc::new(CodeRow { line, pc: pc.map(Pc), from, key, c, title })
        };
        let rows = code.map(|rows| rows.into_iter().map(row).collect()).map_err(Into::into);
        self.code = Some(Rc::new(Code { order, rows }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Settings, reduce};
    use bpf64_x86::{Reply, Row};

    fn told(state: &State, order: Order) -> State {
        let insn = |address, text: &str| Line::Insn { address, bytes: vec![0xc3], text: text.to_owned() };
        let rows = vec![
            Row { pc: Some(0), line: Line::Note("nobody reads what it computes".to_owned()) },
            Row { pc: Some(3), line: insn(0, "movzx eax, word ptr [r8+0xc]") },
            Row { pc: None, line: insn(5, "ret") },
        ];
        reduce(state, Action::Compiled(Reply::Code { order, code: Ok(rows) }.into()))
    }

    #[test]
    fn machine_code_is_tied_to_the_source() {
        let state = reduce(&State::default(), Action::Edit("ldh [12]\nret a".to_owned()));
        let state = told(&state, state.order);
        let rows = state.code.as_ref().unwrap().rows.clone().unwrap();
        let ties: Vec<_> = rows.iter().map(|row| (row.pc, row.from, row.key)).collect();
        assert_eq!(ties[1], (Some(Pc(3)), Some(3), Some(0)), "{ties:?}");
        assert_eq!(ties[2], (None, None, None));
        assert!(rows[1].title.ends_with("\n0: c3"), "{}", rows[1].title);
        // An answer about an earlier text comes too late.
        let edited = reduce(&state, Action::Edit("ret #3".to_owned()));
        assert_eq!(told(&edited, state.order).code, state.code);
    }

    #[test]
    fn what_the_worker_will_be_asked_is_known_before_the_text_is_read() {
        let state = reduce(&State::default(), Action::Language(Some(Format::Ebpf)));
        let edit = Action::Edit("r0 = 1\nexit".to_owned());
        assert_eq!(state.program_after(&edit), Some(reduce(&state, edit).program()));
        assert_eq!(state.program_after(&Action::Step), None);
        // Of a text that cannot be read nothing is asked; what comes next has its number.
        let faulty = reduce(&state, Action::Edit("r0 =".to_owned()));
        assert_eq!(faulty.order, state.order);
    }

    #[test]
    fn some_level_is_always_shown() {
        let only = |classic, ebpf, x86| Settings {
            shown: Shown { c: true, classic, ebpf, x86 },
            ..Settings::default()
        };
        let state = reduce(&State::default(), Action::Settings(only(false, false, false)));
        assert_eq!(state.shown(), Shown { c: false, classic: false, ebpf: true, x86: false });
        let state = reduce(&state, Action::Settings(only(true, false, false)));
        assert_eq!(state.shown(), Shown { c: false, classic: true, ebpf: false, x86: false });
        let state = reduce(&state, Action::Edit("r0 = 1\nexit".to_owned()));
        assert_eq!(state.shown(), Shown { c: false, classic: false, ebpf: true, x86: false });
    }
}
