//! What makes packets: mending, the packet as text, and new ones.

use crate::state::{Action, PacketAction};
use crate::ui::{Page, memory};
use bpf64_core::packet::build::{MAX_TAGS, Network, Recipe, Transport};
use web_sys::{HtmlInputElement, HtmlSelectElement, HtmlTextAreaElement};
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

const NETWORKS: [(&str, Network); 3] =
    [("IPv4", Network::Ipv4), ("IPv6", Network::Ipv6), ("ARP", Network::Arp)];
const TRANSPORTS: [(&str, Transport); 3] =
    [("TCP", Transport::Tcp), ("UDP", Transport::Udp), ("ICMP", Transport::Icmp)];
const TAGS: [(&str, u8); 3] = [("no tag", 0), ("VLAN", 1), ("two tags", MAX_TAGS)];

/// A new packet: what it is made of is chosen here, what it says is edited in its fields.
pub(super) fn builder(page: &Page) -> Html {
    let recipe = page.state.touch.recipe;
    html! {
        <details class="builder"><summary data-testid="new-packet">{ "New packet" }</summary><div>
            { choice(page, "tags", "VLAN tags", &TAGS, recipe.tags, |recipe, tags| Recipe { tags, ..recipe }) }
            { choice(page, "network", "Network layer", &NETWORKS, recipe.network, |recipe, network| Recipe { network, ..recipe }) }
            if recipe.network != Network::Arp {
                { choice(page, "transport", "What it carries", &TRANSPORTS, recipe.transport, |recipe, transport| Recipe { transport, ..recipe }) }
            }
            <button type="button" class="btn small" data-testid="build" onclick={page.send(Action::Packet(PacketAction::Build))}>{ "Make" }</button>
        </div></details>
    }
}

/// A choice of one thing that a packet is made of.
fn choice<T: Copy + PartialEq + 'static>(
    page: &Page,
    id: &str,
    label: &'static str,
    all: &'static [(&'static str, T)],
    chosen: T,
    set: fn(Recipe, T) -> Recipe,
) -> Html {
    let recipe = page.state.touch.recipe;
    let onchange = page.on(move |event: Event| {
        let name = event.target_unchecked_into::<HtmlSelectElement>().value();
        let value = all.iter().find(|(known, _)| *known == name).map_or(chosen, |(_, value)| *value);
        Action::Packet(PacketAction::Recipe(set(recipe, value)))
    });
    html! {
        <select aria-label={label} data-testid={format!("build-{id}")} {onchange}>
            { for all.iter().map(|(name, value)| html! { <option value={*name} selected={*value == chosen}>{ *name }</option> }) }
        </select>
    }
}
