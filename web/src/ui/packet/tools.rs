//! What makes packets: mending, the packet as text, and new ones.

use crate::state::{Action, PacketAction};
use crate::ui::{Page, draw_later, memory};
use web_sys::{HtmlInputElement, HtmlTextAreaElement};
use yew::prelude::*;

/// Which lengths and checksums are wrong, and what puts them right.
pub(super) fn mending(page: &Page) -> Html {
    let faults = &page.state.packet.faults;
    let labels: Vec<String> = faults.iter().map(|mend| format!("{} {}", mend.layer, mend.label)).collect();
    let onchange = page.on(|event: Event| {
        Action::Packet(PacketAction::MendAlong(event.target_unchecked_into::<HtmlInputElement>().checked()))
    });
    html! {
        <div class="mending">
            <p role="status" data-testid="packet-faults" data-value={faults.len().to_string()}>
                if faults.is_empty() { { "Lengths and checksums are right." } }
                else { <span class="wrong">{ format!("Not right: {}.", labels.join(", ")) }</span> }
            </p>
            if !faults.is_empty() {
                <button type="button" class="btn small" data-testid="mend" onclick={page.send(Action::Packet(PacketAction::Mend))}>{ "Mend" }</button>
            }
            if !page.state.packet.bytes.is_empty() { { memory::chooser(page, "packet-view") } }
            <label><input type="checkbox" data-testid="mend-along" checked={page.state.touch.mends_along} {onchange} />{ "mend as I edit" }</label>
        </div>
    }
}

/// The packet as text.
pub(super) fn packet_input(page: &Page) -> Html {
    let packet = &page.state.packet;
    let oninput = page.on(|event: InputEvent| {
        Action::PacketText(event.target_unchecked_into::<HtmlTextAreaElement>().value())
    });
    html! {
        <div class="packet-text">
            <label for="packet-input">{ "All of it as hexadecimal; dumps can be pasted" }</label>
            <textarea id="packet-input" class="mono" rows="2" spellcheck="false" autocomplete="off" data-testid="packet-input"
                value={packet.text.clone()} {oninput} aria-invalid={packet.fault.is_some().to_string()} aria-describedby="packet-fault" />
            <p id="packet-fault" class="fault" role="status">{ packet.fault.clone().unwrap_or_default() }</p>
        </div>
    }
}

/// A new packet. What it is made of is shown once somebody thinks of one.
pub(super) fn new_packet(page: &Page) -> Html {
    let chosen = page.state.touch.recipe;
    let think = page.send(Action::Packet(PacketAction::Recipe(chosen.unwrap_or_default())));
    html! {
        <details class="builder"><summary data-testid="new-packet" onclick={think}>{ "New packet" }</summary>
            if chosen.is_some() { { draw_later(page, |later| later.builder) } }
        </details>
    }
}
