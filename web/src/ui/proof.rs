//! The proof pane: the verifier's verdict, why it refuses, and its log.

use super::Page;
use super::known::registers;
use super::stop::stop_button;
use crate::state::{Action, Verification};
use crate::work::{KnownHere, Proof, Refusal, Visit};
use bpf64_core::program::Pc;
use web_sys::HtmlSelectElement;
use yew::prelude::*;

/// The pane.
pub(super) fn proof_pane(page: &Page) -> Html {
    let state = &page.state;
    let body = match &state.verification {
        Verification::Pending => html! {
            <p class="verdict-line"><span class="chip">{ "verifying…" }</span>{ stop_button(page) }</p>
        },
        Verification::Stopped => {
            html! { <p class="empty">{ "The verifier was stopped. It begins again with the next edit." }</p> }
        }
        Verification::Failed => {
            html! { <p class="empty">{ "The verifier did not answer. It begins again with the next edit." }</p> }
        }
        Verification::Done(proof) => verdict(page, proof),
    };
    html! {
        <div key="proof" class={classes!("scroll", "proof-body", state.is_stale().then_some("stale"))} tabindex="0" role="group" aria-label="Verdict, states and log">
            { body }
        </div>
    }
}

fn verdict(page: &Page, proof: &Proof) -> Html {
    html! {
        <>
            { match &proof.refusal {
                None => accepted(page, proof),
                Some(refusal) => refused(page, refusal),
            } }
            { here(page) }
            { log(proof) }
        </>
    }
}

/// What is known where somebody looks.
fn here(page: &Page) -> Html {
    let (state, Some(place)) = (&page.state, page.state.proof_place()) else { return Html::default() };
    let row = state.levels.as_ref().and_then(|levels| levels.ebpf_rows.get(place.index()));
    let known = state.seen.as_ref().filter(|seen| seen.pc == place.0);
    html! {
        <>
            <h3 class="sub">{ "Known before " }<span class="mono">{ row.map(|row| format!("{}: {}", row.slot, row.text())) }</span></h3>
            if let Some(known) = known { { visits(page, known) }{ registers(page, known) } }
        </>
    }
}

/// Chooses among the paths that came by, if there were several.
fn visits(page: &Page, known: &KnownHere) -> Html {
    if known.visits.is_empty() {
        return Html::default();
    }
    let onchange = page.on(|event: Event| {
        Action::Visit(event.target_unchecked_into::<HtmlSelectElement>().value().parse().ok())
    });
    let name = |(number, visit): (usize, &Visit)| {
        let from = visit.from.map_or_else(|| "from the start".to_owned(), |from| format!("from {from}"));
        let covered = if visit.covered { ", seen before" } else { "" };
        html! { <option value={number.to_string()} selected={page.state.visit == Some(number)}>{ format!("visit {} {from}{covered}", number + 1) }</option> }
    };
    let chosen = page.state.visit.and_then(|visit| known.visits.get(visit));
    let all = known.visits.len() + known.left_out as usize;
    let until = if page.state.refused_at().is_some() { ", up to the refusal" } else { "" };
    html! {
        <div class="visits">
            <select aria-label="Visit of the instruction" data-testid="visit-select" {onchange}>
                <option value="" selected={page.state.visit.is_none()}>{ format!("{}{until}", if all == 1 { "on the only path".to_owned() } else { format!("on all {all} visits") }) }</option>
                { for known.visits.iter().enumerate().map(name) }
            </select>
            if let Some(visit) = chosen { <code class="mono" data-testid="visit-state">{ &visit.state }</code> }
        </div>
    }
}

fn accepted(page: &Page, proof: &Proof) -> Html {
    let classic = page.state.levels.as_ref().is_some_and(|levels| levels.classic.is_some());
    let what = if classic {
        "The checker accepts the classic program, and the verifier what it became."
    } else {
        "No packet, no table and no number can make this program do harm."
    };
    html! {
        <div class="verdict-line" data-testid="proof-verdict">
            <span class="chip good">{ "accepted" }</span>
            <p>{ what }<small>{ format!("{} instructions looked at in {}", proof.processed, time(proof.micros)) }</small></p>
        </div>
    }
}

fn refused(page: &Page, refusal: &Refusal) -> Html {
    let (chip, name) = if refusal.unknown { ("chip", "not known") } else { ("chip bad", "refused") };
    let place = refusal.place;
    html! {
        <div class="verdict-line" data-testid="proof-verdict">
            <span class={chip}>{ name }</span>
            <p>{ sentence(&refusal.sentence) }
                <button type="button" class="btn small" data-testid="go-to-refusal"
                    onclick={page.send(Action::LookAt(Pc(place.pc)))}>{ format!("Instruction {}", place.slot) }</button>
                <small>{ "The kernel says: " }<code class="mono" data-testid="kernel-message">{ &refusal.kernel }</code></small></p>
        </div>
    }
}

/// A sentence of the core's, as one of the page's.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first =
        chars.next().map(|first| if text.starts_with(is_name) { first } else { first.to_ascii_uppercase() });
    format!("{}{}.", first.map(String::from).unwrap_or_default(), chars.as_str())
}

/// Names of registers keep their small letter.
fn is_name(first: char) -> bool {
    first == 'r'
}

fn log(proof: &Proof) -> Html {
    html! {
        <details class="log"><summary>{ "The log, as the kernel prints it" }</summary>
            <pre class="mono" data-testid="verifier-log" tabindex="0">{ if proof.log.is_empty() { "…" } else { &proof.log } }</pre></details>
    }
}

fn time(micros: u64) -> String {
    if micros < 1000 {
        format!("{micros} µs")
    } else {
        format!("{}.{} ms", micros / 1000, micros % 1000 / 100)
    }
}
