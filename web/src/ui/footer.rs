//! The line at the bottom: what the run came to, in numbers.

use super::PageProps;
use crate::levels::Levels;
use bpf64_core::debugger::End;
use yew::prelude::*;

/// The line.
#[component]
pub(super) fn Footer(PageProps { page }: &PageProps) -> Html {
    let (Some(player), Some(levels)) = (&page.state.player, &page.state.levels) else {
        return Html::default();
    };
    let end = match player.end() {
        End::Value(r0, _) => {
            html! { <span>{ "r0 = " }<strong class="mono">{ format!("{r0:#x}") }</strong></span> }
        }
        End::Trap(trap) => html! { <span><strong>{ "trapped" }</strong>{ format!(": {trap}") }</span> },
        End::Limit(_) => html! { <span><strong>{ "no end in sight" }</strong></span> },
    };
    let steps = player.steps();
    html! {
        <footer>
            { end }
            <span>{ format!("{steps} instruction{} run", if steps == 1 { "" } else { "s" }) }</span>
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
