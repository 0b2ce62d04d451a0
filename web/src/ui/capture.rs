//! The capture pane: the packets of the open capture, each with its verdict.

use super::stop::stop_button;
use super::virtual_list::{Basis, VirtualList};
use super::{Page, flag};
use crate::browser;
use crate::later;
use crate::state::{Action, State};
use crate::work::Judgement;
use bpf64_core::environment::Verdict;
use std::rc::Rc;
use web_sys::HtmlInputElement;
use yew::prelude::*;

/// The pane; chosen files go to `open`. A capture can also be dropped anywhere on the page.
pub(super) fn capture_pane(page: &Page, open: &Callback<web_sys::File>) -> Html {
    let state = &page.state;
    let name = state.capture.as_ref().map_or("none is open", |open| open.name.as_str()).to_owned();
    let tally = state.capture.as_ref().filter(|_| !state.runs_over_events()).map(|open| {
        let (judged, all) = (&state.judged, open.packets.len());
        if judged.done == all {
            match judged.tally.names() {
                [] => format!("{} of {all} accepted", judged.tally.accepted()),
                _ => judged.tally.to_string(),
            }
        } else if state.is_working() {
            format!("{} of {all} judged…", judged.done)
        } else {
            format!("stopped after {} of {all}", judged.done)
        }
    });
    let tallied = tally.is_some();
    let working = state.is_working() && tallied;
    let onchange = {
        let open = open.clone();
        Callback::from(move |event: Event| {
            let input: HtmlInputElement = event.target_unchecked_into();
            if let Some(file) = input.files().and_then(|files| files.get(0)) {
                open.emit(file);
            }
            // So that choosing the same file again is a change.
            input.set_value("");
        })
    };
    html! {
        <section class="pane capture" aria-label="Capture">
            <h2>{ "Capture" }<small>{ name }</small><span class="end">
                if let Some(tally) = tally { <span class="chip" data-testid="tally">{ tally }</span> }
                if working { { stop_button(page) } } else if tallied && state.judged.tally.accepted() > 0 { { save_button(page) } }
                <label class="btn small" title="Open a .pcap or .pcapng capture, or a program">{ "Open…" }
                    <input type="file" class="visually-hidden" data-testid="file-input" aria-label="Open a capture or a program"
                        accept=".pcap,.pcapng,.cap,.bpf,.txt,.o" {onchange} /></label></span></h2>
            { packets(page) }
        </section>
    }
}

/// Offers the accepted packets as a capture of their own.
fn save_button(page: &Page) -> Html {
    let onclick = {
        let page = page.clone();
        Callback::from(move |_: MouseEvent| {
            let page = page.clone();
            later::fetch(Box::new(move |_| match later::there() {
                Some(later) => (later.save_accepted)(&page.state),
                None => page.dispatch.emit(Action::Notice(later::LOST.to_owned())),
            }));
        })
    };
    html! {
        <button type="button" class="btn small" data-testid="save-accepted" title="Save the accepted packets as a capture" {onclick}>{ "Save" }</button>
    }
}

/// Saves them.
pub(super) fn save_accepted(state: &State) {
    if let (Some(open), Some(bytes)) = (&state.capture, state.accepted_packets()) {
        let name = open.name.rsplit_once('.').map_or(&*open.name, |(stem, _)| stem);
        let kind = if open.file.starts_with(&[0x0a, 0x0d]) { "pcapng" } else { "pcap" };
        browser::save(&format!("{name}-accepted.{kind}"), &bytes);
    }
}

/// The list. Only rows in view are drawn, so that a long capture costs no more than a short one.
fn packets(page: &Page) -> Html {
    let Some(open) = &page.state.capture else { return Html::default() };
    let chosen = page.state.chosen;
    let row = {
        let (page, open) = (page.clone(), Rc::clone(open));
        let program_type = page.state.levels.as_ref().map(|levels| levels.program_type.clone());
        Callback::from(move |index: usize| {
            let Some(captured) = open.packets.get(index) else { return Html::default() };
            let summary = AttrValue::from(open.summary(index));
            let result = page.state.judged.get(index).filter(|_| !page.state.runs_over_events());
            let verdict = |r0| program_type.as_ref().map(|program_type| (program_type.verdict)(r0));
            let (mark, class, verdict, value) = match result {
                Some(Judgement::Value(r0)) => match verdict(r0).unwrap_or(Verdict::Number) {
                    verdict if verdict.is_accepted() => ("✓", "accepted", verdict.word(), Some(r0)),
                    verdict => ("–", "dropped", verdict.word(), Some(r0)),
                },
                Some(Judgement::Trap) => ("!", "dropped", "trapped", None),
                Some(Judgement::NoEnd) => ("?", "dropped", "no end", None),
                None => ("·", "dropped", "not judged yet", None),
            };
            let selected = chosen == Some(index);
            html! {
                <div key={index} role="listitem" class={classes!("packet-row", class, selected.then_some("selected"))}
                    data-testid={format!("packet-{index}")} data-result={value.map(|r0| format!("0x{r0:016x}"))} data-selected={flag(selected)}>
                    <button type="button" tabindex={if chosen.unwrap_or(0) == index { "0" } else { "-1" }}
                        aria-pressed={selected.to_string()} onclick={page.send(Action::SelectPacket(index))} title={summary.clone()}>
                        <span class="mark" aria-label={verdict} role="img">{ mark }</span>
                        <span class="n">{ index }</span>
                        <span class="what">{ summary }</span>
                        <span class="n">{ captured.wire_len }</span>
                    </button>
                </div>
            }
        })
    };
    // Programs and captures have numbers that only grow. Over events the program is another one.
    let of =
        Basis { turn: open.number + page.state.order, lit: None, at: chosen, judged: page.state.judged.done };
    html! {
        <VirtualList len={open.packets.len()} {row} {of} follow={chosen} label="Packets of the capture" testid="packet-list" class="packets" />
    }
}
