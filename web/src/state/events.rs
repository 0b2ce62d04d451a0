//! Recorded trace events: a trace point's format and a recording, and one event of them as the record that a program sees.

use super::{Dock, State};
use crate::work::sees_events;
use bpf64_core::explain::field;
use bpf64_core::trace::{self, Format, Symbols};
use std::rc::Rc;

/// The most events that are kept of a recording.
const MOST: usize = 20_000;
/// The lines in which an event must be for a text to count as a recording.
const FIRST_LINES: usize = 100;

/// What was opened of a recording: it takes two files, in either order.
#[derive(Debug, Clone, Default)]
pub struct Events {
    format: Option<Rc<Format>>,
    recording: Option<Rc<str>>,
    /// The events of that format.
    pub list: Rc<[TraceEvent]>,
    /// Told apart from captures, and from events before, by this.
    pub number: u32,
    /// Which of them the program sees.
    pub chosen: Option<usize>,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceEvent {
    /// The line that tells of it.
    pub line: String,
    /// Its record, made again of that.
    pub record: Vec<u8>,
}

impl Events {
    /// The event's name, once its format is known.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.format.as_deref().map(|format| &*format.name)
    }

    /// The fields of a record with what they hold, without those that every event has.
    #[must_use]
    pub fn fields(&self, record: &[u8]) -> Vec<(String, String)> {
        let Some(format) = &self.format else { return Vec::new() };
        let environment = format.environment();
        let shown = environment
            .context
            .fields
            .iter()
            .filter(|field| !field.name.starts_with("common_") && !field.name.starts_with("padding_"));
        shown.map(|known| (known.name.to_string(), field::text(&environment, record, known))).collect()
    }

    fn read(&mut self, number: u32) {
        let (Some(format), Some(recording)) = (&self.format, &self.recording) else { return };
        let mut symbols = Symbols::default();
        let event = |text: &str| {
            let line = trace::line(text).filter(|line| line.event == format.name)?;
            let (record, _) = format.record(line.text, line.task.pid, &mut symbols);
            Some(TraceEvent { line: text.trim().to_owned(), record })
        };
        self.list = recording.lines().filter_map(event).take(MOST).collect();
        self.chosen = None;
        self.number = number;
    }
}

impl State {
    /// Takes a text that belongs to a recording. False when it is none of that.
    pub(super) fn open_trace(&mut self, name: &str, text: &str) -> bool {
        if let Ok(format) = Format::parse(text) {
            self.events.format = Some(Rc::new(format));
        } else if text.lines().take(FIRST_LINES).any(|line| trace::line(line).is_some()) {
            self.events.recording = Some(text.into());
        } else {
            return false;
        }
        self.captures += 1;
        self.events.read(self.captures);
        self.forget_judged();
        self.dock = Dock::Context;
        let missing = match (&self.events.format, &self.events.recording) {
            (Some(format), None) => Some(format!(
                "now open a recording of {} events: what perf script, trace-cmd report or tracefs's trace prints",
                format.name
            )),
            (None, Some(_)) => {
                Some("now open the event's format, /sys/kernel/tracing/events/GROUP/EVENT/format".to_owned())
            }
            (Some(format), Some(_)) if self.events.list.is_empty() => {
                Some(format!("the recording has no {} event", format.name))
            }
            _ => None,
        };
        self.notice = missing.map(|missing| format!("{name}: {missing}.").into());
        if !self.events.list.is_empty() {
            self.select_event(0);
        }
        true
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
    use super::super::{Action, reduce};
    use super::*;
    use crate::work::{Judgement, Report};

    const FORMAT: &str = include_str!("../../../tests/traces/kfree_skb.format");
    const RECORDING: &str = include_str!("../../../tests/traces/net.perf");
    const DROPS: &str = include_str!("../../../tests/traces/drops.txt");

    fn opened(files: [&str; 2]) -> State {
        let open = |text: &str| Action::OpenFile("file".to_owned(), text.as_bytes().into());
        let actions = [Action::Edit(DROPS.to_owned()), open(files[0]), open(files[1])];
        actions.into_iter().fold(State::default(), |state, action| reduce(&state, action))
    }

    #[test]
    fn a_recording_is_a_list_of_events_in_whatever_order_it_is_opened() {
        for files in [[FORMAT, RECORDING], [RECORDING, FORMAT]] {
            let state = opened(files);
            assert_eq!((state.events.list.len(), state.events.chosen), (8, Some(0)));
            assert_eq!((state.notice.as_deref(), &*state.source), (None, DROPS), "the program stays");
            let fields = state.events.fields(&state.events.list[0].record);
            assert!(fields.iter().any(|(name, text)| name == "protocol" && text == "2048"), "{fields:?}");
            let held = state.player.as_ref().map(|player| {
                let mut player = player.clone();
                player.seek(usize::MAX);
                player.tables()[0].entries().count()
            });
            assert_eq!(held, Some(1), "the drop was counted");
        }
        let half = opened([RECORDING, RECORDING]);
        assert!(half.notice.is_some_and(|notice| notice.contains("format")));
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
        let other = reduce(&State::default(), Action::OpenLink(state.link().unwrap()));
        assert_eq!(other.given, state.given);
        assert_eq!(other.given.context[0].1, state.events.list[3].record);
    }
}
