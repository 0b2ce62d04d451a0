//! What the module does with recorded trace events: the lines of a tool become the records that a program saw.

use crate::{Event, Recording};
use bpf64_core::explain::field;
use bpf64_core::trace::{self, Format, Symbols};

/// The most events that are kept of a recording.
const MOST: usize = 20_000;

/// The events of the trace point of that format file.
pub(crate) fn events(format: &str, recording: &str) -> Result<Recording, String> {
    let format = Format::parse(format).map_err(|error| error.to_string())?;
    let environment = format.environment();
    let known = || {
        let fields = environment.context.fields.iter();
        fields.filter(|field| !field.name.starts_with("common_") && !field.name.starts_with("padding_"))
    };
    let mut symbols = Symbols::default();
    let event = |text: &str| {
        let line = trace::line(text).filter(|line| line.event == format.name)?;
        let (record, _) = format.record(line.text, line.task.pid, &mut symbols);
        let values = known().map(|known| field::text(&environment, &record, known)).collect();
        Some(Event { line: text.trim().to_owned(), values, record })
    };
    Ok(Recording {
        events: recording.lines().filter_map(event).take(MOST).collect(),
        fields: known().map(|known| known.name.to_string()).collect(),
        name: format.name.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: &str = include_str!("../../tests/traces/kfree_skb.format");

    #[test]
    fn a_recording_is_a_list_of_events() {
        let found = events(FORMAT, include_str!("../../tests/traces/net.perf")).unwrap();
        assert_eq!((&*found.name, found.events.len()), ("kfree_skb", 8));
        let protocol = found.fields.iter().position(|name| name == "protocol").unwrap();
        assert_eq!(found.events[0].values[protocol], "2048");
        assert!(found.events.iter().all(|event| event.values.len() == found.fields.len()));
        assert_eq!(events(FORMAT, "nothing").unwrap().events, []);
        let fault = events(&FORMAT.replace("offset:8", "offset:x"), "").unwrap_err();
        assert!(fault.starts_with("line "), "{fault}");
    }
}
