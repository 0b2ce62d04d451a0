//! What a new packet is made of is chosen here; what it says is edited in its fields.

use crate::state::{Action, PacketAction};
use crate::ui::Page;
use bpf64_core::packet::build::{MAX_TAGS, Network, Recipe, Transport};
use web_sys::HtmlSelectElement;
use yew::prelude::*;

const NETWORKS: [(&str, Network); 3] =
    [("IPv4", Network::Ipv4), ("IPv6", Network::Ipv6), ("ARP", Network::Arp)];
const TRANSPORTS: [(&str, Transport); 3] =
    [("TCP", Transport::Tcp), ("UDP", Transport::Udp), ("ICMP", Transport::Icmp)];
const TAGS: [(&str, u8); 3] = [("no tag", 0), ("VLAN", 1), ("two tags", MAX_TAGS)];

/// The choices, and the button that makes it.
pub(in crate::ui) fn builder(page: &Page) -> Html {
    let recipe = page.state.touch.recipe.unwrap_or_default();
    html! {
        <div>
            { choice(page, "tags", "VLAN tags", &TAGS, recipe.tags, |recipe, tags| Recipe { tags, ..recipe }) }
            { choice(page, "network", "Network layer", &NETWORKS, recipe.network, |recipe, network| Recipe { network, ..recipe }) }
            if recipe.network != Network::Arp {
                { choice(page, "transport", "What it carries", &TRANSPORTS, recipe.transport, |recipe, transport| Recipe { transport, ..recipe }) }
            }
            <button type="button" class="btn small" data-testid="build" onclick={page.send(Action::Packet(PacketAction::Build))}>{ "Make" }</button>
        </div>
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
    let recipe = page.state.touch.recipe.unwrap_or_default();
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
