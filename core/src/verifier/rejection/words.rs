//! Linux's names of what registers hold, as people say it.

use super::PointerName;

/// What a kind of register is, to people.
fn plain(kind: PointerName) -> &'static str {
    match kind {
        "fp" => "address on the stack",
        "ctx" => "context",
        "pkt" | "pkt_meta" => "address in the packet",
        "pkt_end" => "packet's end",
        "map_ptr" => "map",
        "map_key" => "key of a map",
        "map_value" => "value of a map",
        "map_value_or_null" => "value of a map that may not have been found",
        "ringbuf_mem" => "record",
        "ringbuf_mem_or_null" => "record that may not have been given out",
        "func" => "function",
        "scalar" => "number",
        other => other,
    }
}

pub(super) fn definite(kind: PointerName) -> String {
    format!("the {}", plain(kind))
}

pub(super) fn indefinite(kind: PointerName) -> String {
    match plain(kind) {
        what @ ("context" | "packet's end") => format!("the {what}"),
        what if what.starts_with('a') => format!("an {what}"),
        what => format!("a {what}"),
    }
}

/// Kinds that a function takes, to people; not those that nothing here is.
pub(super) fn list(kinds: &[PointerName]) -> String {
    let mut words: Vec<String> = Vec::new();
    let known = |kind: &&PointerName| plain(kind).contains(' ') || kinds.len() == 1;
    for word in kinds.iter().filter(known).map(|&kind| indefinite(kind)) {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => "something else".into(),
    }
}
