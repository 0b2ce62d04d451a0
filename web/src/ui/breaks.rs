//! Conditions at which a run stops: the list of them, and the field for another one.

use super::{Page, QuietProps};
use crate::condition::{Condition, EXAMPLE};
use crate::later;
use crate::state::Action;
use web_sys::HtmlInputElement;
use yew::prelude::*;

/// The list and the field.
#[component]
pub(super) fn Breaks(QuietProps { page }: &QuietProps) -> Html {
    let fault = use_state_eq(String::new);
    let onsubmit = {
        let (page, fault) = (page.clone(), fault.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let form = event.target_unchecked_into::<web_sys::HtmlFormElement>();
            let Ok(Some(input)) = form.query_selector("input") else { return };
            let input: HtmlInputElement = wasm_bindgen::JsCast::unchecked_into(input);
            let (page, fault, text) = (page.clone(), fault.clone(), input.value());
            // What was typed stays until it can be read.
            later::fetch(Box::new(move |_| {
                let is_table = |name: &str| page.state.has_table(name);
                let read = later::there().map(|later| (later.condition)(&text, &is_table));
                match read.unwrap_or_else(|| Err(later::LOST.to_owned())) {
                    Ok(condition) => {
                        page.dispatch.emit(Action::Condition(condition));
                        input.set_value("");
                        fault.set(String::new());
                    }
                    Err(said) => fault.set(said),
                }
            }));
        })
    };
    let tables = page.state.levels.as_ref().map(|levels| levels.ebpf.maps());
    let placeholder = match tables.and_then(|tables| tables.first()) {
        Some(table) => format!("r0 == 5, {0}[1] > 9, or write {0}", table.name),
        None => EXAMPLE.to_owned(),
    };
    html! {
        <form class="breaks" {onsubmit}>
            <h3 class="sub">{ "Stops when" }</h3>
            <ul>{ for page.state.conditions.iter().map(|condition| item(page, condition.clone())) }</ul>
            <input class="mono" type="text" {placeholder} aria-label="Condition to stop at" data-testid="condition" autocomplete="off" spellcheck="false"
                aria-invalid={(!fault.is_empty()).to_string()} aria-describedby="condition-fault" />
            <p id="condition-fault" class="fault" role="status">{ (*fault).clone() }</p>
        </form>
    }
}

fn item(page: &Page, condition: Condition) -> Html {
    let text = condition.to_string();
    html! {
        <li class="chip mono" data-testid="condition-set">{ text.clone() }
            <button type="button" aria-label={format!("Remove the condition {text}")} onclick={page.send(Action::Condition(condition))}>{ "×" }</button></li>
    }
}
