//! The packets of the open capture, each with its verdict.

use super::virtual_list::VirtualList;
use super::{PageProps, flag};
use crate::state::Action;
use bpf64_core::packet;
use std::rc::Rc;
use yew::prelude::*;

/// The list. Rows are judged as they come into view, so that a long capture costs no more than a short one.
#[component]
pub fn Packets(PageProps { page }: &PageProps) -> Html {
    let Some(open) = &page.state.capture else { return Html::default() };
    let chosen = page.state.chosen;
    let row = {
        let (page, open) = (page.clone(), Rc::clone(open));
        Callback::from(move |index: usize| {
            let Some(captured) = open.packets.get(index) else { return Html::default() };
            let skb = captured.skb();
            let summary = packet::layers::summary(&packet::layers(&skb, captured.link_type));
            let result = page.state.result_of(index);
            let (mark, class, verdict) = match result {
                Some(r0) if r0 as u32 == 0 => ("–", "dropped", "dropped"),
                Some(_) => ("✓", "accepted", "accepted"),
                None => ("!", "dropped", "no result"),
            };
            let selected = chosen == Some(index);
            html! {
                <div key={index} role="listitem" class={classes!("packet-row", class, selected.then_some("selected"))}
                    data-testid={format!("packet-{index}")} data-result={result.map(|r0| format!("0x{r0:016x}"))} data-selected={flag(selected)}>
                    <button type="button" aria-pressed={selected.to_string()} onclick={page.send(Action::SelectPacket(index))} title={summary.clone()}>
                        <span class="mark" aria-label={verdict} role="img">{ mark }</span>
                        <span class="n">{ index }</span>
                        <span class="what">{ summary }</span>
                        <span class="n">{ captured.wire_len }</span>
                    </button>
                </div>
            }
        })
    };
    html! {
        <VirtualList len={open.packets.len()} {row} follow={chosen} label="Packets of the capture" testid="packet-list" class="packets" />
    }
}
