//! The line at the bottom: what the run came to, in numbers.

use super::Page;
use super::program::rounded;
use crate::levels::Levels;
use crate::state::Outcome;
use yew::prelude::*;

/// The line.
pub(super) fn footer(page: &Page) -> Html {
    let (Some(player), Some(levels)) = (&page.state.player, &page.state.levels) else {
        return Html::default();
    };
    let end = match page.state.end() {
        Some(Outcome::Value(r0, _)) => {
            html! { <span>{ "r0 = " }<strong class="mono">{ format!("{r0:#x}") }</strong></span> }
        }
        Some(Outcome::Trap(trap)) => {
            html! { <span><strong>{ "trapped" }</strong>{ format!(": {trap}") }</span> }
        }
        Some(Outcome::Running(executed)) => {
            html! { <span><strong>{ "no end in sight" }</strong>{ format!(" after {} instructions", rounded(executed)) }</span> }
        }
        Some(Outcome::Stopped(executed)) => {
            html! { <span><strong>{ "stopped" }</strong>{ format!(" after {} instructions", rounded(executed)) }</span> }
        }
        None => Html::default(),
    };
    let steps = player.steps();
    html! {
        <footer>
            { end }
            <span>{ format!("{steps} step{} to look at", if steps == 1 { "" } else { "s" }) }</span>
            <span>{ size(levels) }</span>
            <span class="end">{ "everything stays in your browser; the address holds it all" }</span>
        </footer>
    }
}

fn size(levels: &Levels) -> String {
    let ebpf = levels.ebpf.slot_count();
    match &levels.classic {
        Some(classic) => format!("{} classic instructions became {ebpf} of eBPF", classic.insns().len()),
        None => format!("{ebpf} eBPF instruction slots"),
    }
}
