//! What is selected of the packet, and places that take text.

use crate::levels::Level;
use crate::state::{Action, PacketAction, Spot, State};
use crate::ui::Page;
use std::ops::Range;
use web_sys::HtmlInputElement;
use yew::prelude::*;

/// What is selected: what it is, who reads it, and a single byte to be typed over.
pub(in crate::ui) fn selection(page: &Page) -> Html {
    let state = &page.state;
    let Some(bytes) = &state.touch.selected else { return Html::default() };
    let readers = state.readers_in(state.level);
    let rows = state.levels.as_ref().map(|levels| levels.rows(state.level));
    let slots: Vec<String> =
        readers.iter().filter_map(|pc| rows?.get(pc.index()).map(|row| row.slot.to_string())).collect();
    html! {
        <div class="packet-selected" data-testid="packet-selection" data-from={bytes.start.to_string()} data-to={(bytes.end - 1).to_string()}
            data-readers={slots.join(" ")}>
            <p role="status">{ what(state, bytes) }<small>{ who(state.level, &slots) }</small></p>
            if bytes.len() == 1 { { byte_input(page, bytes.start) } }
            <button type="button" class="btn small" aria-label="Select nothing" title="Select nothing (Escape)"
                onclick={page.send(Action::Packet(PacketAction::Unselect))}>{ "×" }</button>
        </div>
    }
}

/// "IPv4 protocol, byte 23".
fn what(state: &State, bytes: &Range<usize>) -> String {
    let place = match bytes.len() {
        1 => format!("byte {}", bytes.start),
        _ => format!("bytes {} to {}", bytes.start, bytes.end - 1),
    };
    let Some(layer) = state.packet.layers.iter().find(|layer| layer.bytes.contains(&bytes.start)) else {
        return place;
    };
    let field = layer.fields.iter().find(|field| {
        field.bytes.start <= bytes.start && bytes.end <= field.bytes.end && layer.bytes != *bytes
    });
    match field {
        Some(field) if !layer.name.eq_ignore_ascii_case(field.label) => {
            format!("{} {}, {place}", layer.name, field.meaning.noun(field.label))
        }
        _ => format!("{}, {place}", layer.name),
    }
}

fn who(level: Level, slots: &[String]) -> String {
    let name = match level {
        Level::Classic => "classic",
        Level::Ebpf => "eBPF",
    };
    match slots {
        [] => " not read in this run".to_owned(),
        [one] => format!(" read by {name} instruction {one}"),
        many => format!(" read by {name} instructions {}", many.join(", ")),
    }
}

fn byte_input(page: &Page, at: usize) -> Html {
    let spot = Spot::Byte(at);
    let value = page.state.packet.bytes.get(at).map(|byte| format!("{byte:02x}")).unwrap_or_default();
    html! {
        <label class="byte-input">{ "set" }{ typed(page, spot, value, &format!("Byte {at}, hexadecimal"), "byte-input") }</label>
    }
}

/// A place in the packet that takes text: what is typed goes into the packet as soon as it can be read.
pub(super) fn typed(page: &Page, spot: Spot, value: String, label: &str, testid: &str) -> Html {
    let draft = page.state.touch.draft.as_ref().filter(|draft| draft.spot == spot);
    let fault = draft.and_then(|draft| draft.fault.clone());
    let value = draft.map_or(value, |draft| draft.text.clone());
    let oninput = page.on(move |event: InputEvent| {
        let text = event.target_unchecked_into::<HtmlInputElement>().value();
        Action::Packet(PacketAction::Type(spot, text))
    });
    let done = Action::Packet(PacketAction::Done);
    html! {
        <input class="mono" type="text" spellcheck="false" autocomplete="off" {value} {oninput} aria-label={label.to_owned()}
            data-testid={testid.to_owned()} aria-invalid={fault.is_some().to_string()} title={fault}
            onchange={page.send(done.clone())} onblur={page.send(done)} />
    }
}
