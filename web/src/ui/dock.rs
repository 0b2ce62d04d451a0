//! The place below the machine, where one of several panes is shown: packet, proof, and what else belongs to a run.

use super::memo::part;
use super::packet::packet_pane;
use super::{Page, draw_later};
use crate::state::{Action, Dock};
use yew::prelude::*;

/// The pane with its tabs.
pub(super) fn dock_pane(page: &Page) -> Html {
    let shown = page.state.dock;
    let name = shown.name();
    html! {
        <section class="pane dock" aria-label={name}>
            { part(page, head) }
            <div class={classes!("dock-body", name.to_ascii_lowercase())} role="tabpanel" id="dock-body" aria-label={name}>
                { match shown {
                    Dock::Packet => packet_pane(page),
                    Dock::Proof => draw_later(page, |later| later.proof),
                    Dock::Context => draw_later(page, |later| later.context),
                    Dock::Tables => draw_later(page, |later| later.tables),
                } }
            </div>
        </section>
    }
}

fn head(page: &Page) -> Html {
    html! {
        <div class="dock-head">
            <div role="tablist" aria-label="Panes below the machine" onkeydown={move_between(page)}>
                { for Dock::ALL.into_iter().map(|dock| tab(page, dock)) }
            </div>
            <span class="end">{ note(page) }</span>
        </div>
    }
}

fn tab(page: &Page, dock: Dock) -> Html {
    let selected = page.state.dock == dock;
    let name = dock.name();
    html! {
        <button type="button" role="tab" aria-selected={selected.to_string()} aria-controls="dock-body"
            tabindex={if selected { "0" } else { "-1" }} data-testid={format!("dock-{}", name.to_ascii_lowercase())}
            onclick={page.send(Action::Dock(dock))}>{ name }</button>
    }
}

/// What stands at the right of the tabs.
fn note(page: &Page) -> Html {
    let packet = &page.state.packet;
    match page.state.dock {
        Dock::Packet => {
            let (captured, wire) = (packet.bytes.len(), packet.wire_len as usize);
            let length = if captured == wire {
                format!("{wire} bytes")
            } else {
                format!("{captured} of {wire} bytes")
            };
            html! { <small>{ length }</small> }
        }
        Dock::Proof | Dock::Context | Dock::Tables => Html::default(),
    }
}

/// The arrow keys move between tabs, as in every list of tabs.
fn move_between(page: &Page) -> Callback<KeyboardEvent> {
    let page = page.clone();
    Callback::from(move |event: KeyboardEvent| {
        let all = Dock::ALL;
        let here = all.iter().position(|&dock| dock == page.state.dock).unwrap_or(0);
        let next = match event.key().as_str() {
            "ArrowRight" => (here + 1) % all.len(),
            "ArrowLeft" => (here + all.len() - 1) % all.len(),
            _ => return,
        };
        event.prevent_default();
        page.dispatch.emit(Action::Dock(all[next]));
        let name = all[next].name().to_ascii_lowercase();
        crate::browser::focus(&format!("[data-testid=dock-{name}]"));
    })
}
