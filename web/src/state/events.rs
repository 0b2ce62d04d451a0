//! Recorded trace events: a trace point's format and a recording, and one event of them as the record that a program sees.

use super::{Dock, State};
use crate::work::sees_events;
use bpf64_core::trace;
use bpf64_x86::{Event, Recording};
use std::rc::Rc;

/// The lines in which an event must be for a text to count as a recording.
const FIRST_LINES: usize = 100;

/// What was opened of a recording: it takes two files, in either order, which are read in another module.
#[derive(Debug, Clone, Default)]
pub struct Events {
    format: Option<Rc<str>>,
    recording: Option<Rc<str>>,
    /// The name of the file that was opened last, while both are being read.
    reading: Option<Rc<str>>,
    /// The event's name.
    pub name: String,
    /// The fields of its records.
    pub fields: Rc<[String]>,
    /// The events of that format.
    pub list: Rc<[Event]>,
    /// Told apart from captures, and from events before, by this.
    pub number: u32,
    /// Which of them the program sees.
    pub chosen: Option<usize>,
}

impl Events {
    /// Whether both files are there, and what they hold is not known yet.
    #[must_use]
    pub fn is_being_read(&self) -> bool {
        self.reading.is_some()
    }

    /// The texts of both files.
    #[must_use]
    pub fn texts(&self) -> (String, String) {
        let text = |text: &Option<Rc<str>>| text.as_deref().unwrap_or_default().to_owned();
        (text(&self.format), text(&self.recording))
    }
}

/// The event's name, if this begins like a format file.
fn name_in(format: &str) -> Option<&str> {
    let (name, rest) = format.strip_prefix("name:")?.split_once("\nID:")?;
    rest.contains("\nformat:").then(|| name.trim())
}

impl State {
    /// Takes a text that belongs to a recording. False when it is none of that.
    pub(super) fn open_trace(&mut self, name: &str, text: &str) -> bool {
        let missing = if let Some(event) = name_in(text) {
            self.events.format = Some(text.into());
            self.events.recording.is_none().then(|| {
                format!("now open a recording of {event} events: what perf script, trace-cmd report or tracefs's trace prints")
            })
        } else if text.lines().take(FIRST_LINES).any(|line| trace::line(line).is_some()) {
            self.events.recording = Some(text.into());
            self.events.format.is_none().then(|| {
                "now open the event's format, /sys/kernel/tracing/events/GROUP/EVENT/format".to_owned()
            })
        } else {
            return false;
        };
        self.events.reading = missing.is_none().then(|| name.into());
        self.notice = missing.map(|missing| format!("{name}: {missing}.").into());
        self.have_events(Recording::default());
        self.dock = Dock::Context;
        true
    }

    /// What the module that reads recordings has made of one.
    pub(super) fn take_recording(&mut self, number: u32, recording: Result<Recording, String>) {
        let Some(name) = self.events.reading.take_if(|_| number == self.events.number) else { return };
        let fault = match recording {
            Ok(recording) => {
                let fault = recording
                    .events
                    .is_empty()
                    .then(|| format!("the recording has no {} event", recording.name));
                self.have_events(recording);
                self.select_event(0);
                fault
            }
            Err(fault) => Some(fault),
        };
        self.notice = fault.map(|fault| format!("{name}: {fault}.").into());
    }

    fn have_events(&mut self, recording: Recording) {
        self.captures += 1;
        let Recording { name, fields, events } = recording;
        let before = std::mem::take(&mut self.events);
        self.events = Events {
            name,
            fields: fields.into(),
            list: events.into(),
            number: self.captures,
            chosen: None,
            ..before
        };
        self.forget_judged();
    }

    /// The program sees this event.
    pub(super) fn select_event(&mut self, index: usize) {
        let Some(event) = self.events.list.get(index).cloned() else { return };
        self.events.chosen = Some(index);
        let given = Rc::make_mut(&mut self.given);
        // What was set beside the record counted for all events, and counts no more.
        let alone = given.context.iter().all(|(name, _)| name.is_empty());
        given.set_record(event.record);
        if alone {
            self.record();
        } else {
            self.begin();
        }
    }

    /// Whether the program is run over all recorded events, not over the capture.
    #[must_use]
    pub fn runs_over_events(&self) -> bool {
        let sees = self.levels.as_ref().is_some_and(|levels| sees_events(&levels.program_type));
        sees && !self.events.list.is_empty()
    }

    /// How many inputs all are: events or packets.
    #[must_use]
    pub fn inputs(&self) -> usize {
        if self.runs_over_events() {
            self.events.list.len()
        } else {
            self.capture.as_ref().map_or(0, |open| open.packets.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::share::tests::followed;
    use super::super::{Action, reduce};
    use super::*;
    use crate::work::{Judgement, Report};

    const FORMAT: &str = include_str!("../../../tests/traces/kfree_skb.format");
    const RECORDING: &str = include_str!("../../../tests/traces/net.perf");
    const DROPS: &str = include_str!("../../../tests/traces/drops.txt");

    /// As the other module does it.
    fn read(state: &State) -> State {
        if !state.events.is_being_read() {
            return state.clone();
        }
        let ((format, recording), number) = (state.events.texts(), state.events.number);
        let request = bpf64_x86::Request::Recording { number, format, recording };
        let reply = bpf64_x86::module::answer(&bpf64_work::encode(&request));
        reduce(state, Action::Compiled(Rc::new(bpf64_work::decode(&reply).unwrap())))
    }

    fn opened(files: [&str; 2]) -> State {
        let open = |text: &str| Action::OpenFile("file".to_owned(), text.as_bytes().into());
        let actions = [Action::Edit(DROPS.to_owned()), open(files[0]), open(files[1])];
        let state = actions.into_iter().fold(State::default(), |state, action| reduce(&state, action));
        assert!(state.events.list.is_empty());
        read(&state)
    }

    #[test]
    fn a_recording_is_a_list_of_events_in_whatever_order_it_is_opened() {
        for files in [[FORMAT, RECORDING], [RECORDING, FORMAT]] {
            let state = opened(files);
            assert_eq!((state.events.list.len(), state.events.chosen), (8, Some(0)));
            assert_eq!((state.notice.as_deref(), &*state.source), (None, DROPS), "the program stays");
            let events = &state.events;
            let mut fields = events.fields.iter().zip(&events.list[0].values);
            assert!(fields.any(|(name, text)| name == "protocol" && text == "2048"), "{events:?}");
            let held = state.player.as_ref().map(|player| {
                let mut player = player.clone();
                player.seek(usize::MAX);
                player.tables()[0].entries().count()
            });
            assert_eq!(held, Some(1), "the drop was counted");
        }
        let half = opened([RECORDING, RECORDING]);
        assert!(half.notice.is_some_and(|notice| notice.contains("format")));
        let damaged = opened([&FORMAT.replace("offset:8", "offset:x"), RECORDING]);
        assert!(damaged.notice.is_some_and(|notice| notice.starts_with("file: line ")));
        let other = opened([&FORMAT.replace("name: kfree_skb", "name: sched_switch"), RECORDING]);
        assert_eq!(other.notice.as_deref(), Some("file: the recording has no sched_switch event."));
    }

    #[test]
    fn all_events_are_judged_and_choosing_one_changes_nothing_of_that() {
        let state = opened([FORMAT, RECORDING]);
        assert!(state.runs_over_events() && state.is_working());
        let chosen = reduce(&state, Action::SelectEvent(2));
        assert_eq!((chosen.order, chosen.inputs()), (state.order, 8));
        let judged = |capture| {
            Action::Report(Report::Judged {
                order: state.order,
                capture,
                first: 0,
                results: vec![Judgement::Value(1); 8],
                hits: vec![8],
                taken: vec![0],
            })
        };
        let other = reduce(&chosen, judged(state.events.number + 1));
        assert_eq!(other.judged.done, 0, "that is about something else");
        let done = reduce(&chosen, judged(state.events.number));
        assert_eq!((done.judged.done, done.judged.get(7)), (8, Some(Judgement::Value(1))));
    }

    #[test]
    fn the_chosen_event_is_in_the_link() {
        let state = reduce(&opened([FORMAT, RECORDING]), Action::SelectEvent(3));
        let other = reduce(&State::default(), followed(&state));
        assert_eq!(other.given, state.given);
        assert_eq!(other.given.context[0].1, state.events.list[3].record);
    }
}
