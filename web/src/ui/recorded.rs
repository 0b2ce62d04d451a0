//! The recorded trace events: the program is run over all of them, and one is what the run that is stepped sees.

use super::stop::stop_button;
use super::virtual_list::{Basis, VirtualList};
use super::{Page, flag};
use crate::state::Action;
use crate::work::Judgement;
use std::rc::Rc;
use yew::prelude::*;

/// The events, or what to do to have some.
pub(super) fn recorded(page: &Page) -> Html {
    let state = &page.state;
    let events = &state.events;
    let traces = state.levels.as_ref().is_some_and(|levels| levels.program_type.name == "tracepoint");
    if events.list.is_empty() {
        return html! { <>if events.is_being_read() { <p class="hint">{ "Reading the recording…" }</p> } else if traces { <p class="hint">{ "Drop a trace point's format file and a recording (perf script, trace-cmd report, tracefs's trace) here to run over its events." }</p> }</> };
    }
    let chosen = events.chosen.and_then(|chosen| events.list.get(chosen));
    let fields = events.fields.iter().zip(chosen.into_iter().flat_map(|event| &event.values));
    html! {
        <>
            <h3 class="sub">{ format!("{} recorded: {}", events.list.len(), events.name) }</h3>
            if state.runs_over_events() { { tally(page) } }
            { list(page) }
            <dl class="kv mono" data-testid="event-fields">{ for fields.map(|(name, text)| html! { <div><dt>{ name }</dt><dd>{ text }</dd></div> }) }</dl>
        </>
    }
}

/// How far the run over all events is, and what came of it.
fn tally(page: &Page) -> Html {
    let state = &page.state;
    let (done, all) = (state.judged.done, state.inputs());
    let text = if done == all {
        format!("Run over all {all}: {} gave something other than 0.", state.judged.tally.accepted())
    } else if state.is_working() {
        format!("Run over {done} of {all} so far…")
    } else {
        format!("Stopped after {done} of {all}.")
    };
    html! {
        <p class="hint events-tally"><span role="status" data-testid="events-tally" data-done={done.to_string()}>{ text }</span>
            if state.is_working() { { stop_button(page) } }</p>
    }
}

fn list(page: &Page) -> Html {
    let list = Rc::clone(&page.state.events.list);
    let len = list.len();
    let chosen = page.state.events.chosen;
    let row = {
        let page = page.clone();
        Callback::from(move |index: usize| {
            let state = &page.state;
            let result = state.judged.get(index).filter(|_| state.runs_over_events());
            let (value, said) = match result {
                Some(Judgement::Value(r0)) => (Some(r0), format!("{r0:#x}")),
                Some(Judgement::Trap) => (None, "trap".to_owned()),
                Some(Judgement::NoEnd) => (None, "no end".to_owned()),
                None => (None, String::new()),
            };
            let selected = chosen == Some(index);
            html! {
                <div key={index} role="listitem" class="event-row" data-selected={flag(selected)} data-result={value.map(|r0| format!("0x{r0:016x}"))}>
                    <button type="button" tabindex={if chosen.unwrap_or(0) == index { "0" } else { "-1" }} aria-pressed={selected.to_string()}
                        data-testid={format!("event-{index}")} title={list[index].line.clone()} onclick={page.send(Action::SelectEvent(index))}>
                        <span>{ &list[index].line }</span><span class="n">{ said }</span></button>
                </div>
            }
        })
    };
    let of = Basis { turn: page.state.turn, lit: None, at: None, judged: page.state.judged.done };
    html! { <VirtualList {len} {row} {of} follow={chosen} label="Recorded events" testid="events" class="events mono" /> }
}
