//! The packet pane: bytes, what is selected of them, layers with their fields, and what makes packets.

mod builder;
mod bytes;
mod fields;
mod selection;
mod tools;

use super::memo::part;
use super::{Page, draw_later};
use bpf64_core::packet::layers::Kind;
pub(super) use builder::builder;
use bytes::Bytes;
pub(super) use fields::fields;
use fields::layers_view;
pub(super) use selection::selection;
use tools::{mending, new_packet, packet_input};
use yew::prelude::*;

/// The pane.
pub(super) fn packet_pane(page: &Page) -> Html {
    html! {
        <div key="packet" class="packet-parts">
            <div class="packet-bytes"><Bytes page={page.clone()} />{ part(page, selected) }</div>
            { part(page, rest) }
        </div>
    }
}

fn rest(page: &Page) -> Html {
    html! {
        <div class="packet-rest scroll" tabindex="0" role="group" aria-label="Layers and fields">
            { layers_view(page) }
            { mending(page) }
            { packet_input(page) }
            { new_packet(page) }
        </div>
    }
}

/// What is selected.
fn selected(page: &Page) -> Html {
    if page.state.touch.selected.is_none() {
        return html! { <p class="packet-selected none">{ "Select a byte or a field to see who reads it." }</p> };
    }
    draw_later(page, |later| later.selection)
}

fn kind_class(kind: Kind) -> &'static str {
    match kind {
        Kind::Link => "link",
        Kind::Tag => "tag",
        Kind::Network => "net",
        Kind::Transport => "transport",
        Kind::Payload => "payload",
    }
}
