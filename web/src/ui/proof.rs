//! The proof pane: the verifier's verdict, why it refuses, and its log.

use super::stop::Stop;
use super::{Page, PageProps};
use crate::state::{Action, Verification};
use crate::work::{Proof, Refusal};
use bpf64_core::program::Pc;
use yew::prelude::*;

/// The pane.
#[component]
pub(super) fn ProofPane(PageProps { page }: &PageProps) -> Html {
    let state = &page.state;
    let body = match &state.verification {
        Verification::Pending => html! {
            <p class="verdict-line"><span class="chip">{ "verifying…" }</span><Stop page={page.clone()} /></p>
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
        <div class={classes!("scroll", "proof-body", state.is_stale().then_some("stale"))} tabindex="0" role="group" aria-label="Verdict, states and log">
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
            { log(proof) }
        </>
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
    let first = chars.next().map(|first| {
        if text.starts_with(is_name) { first.to_string() } else { first.to_uppercase().to_string() }
    });
    format!("{}{}.", first.unwrap_or_default(), chars.as_str())
}

/// Names of registers keep their small letter.
fn is_name(first: char) -> bool {
    first == 'r'
}

fn log(proof: &Proof) -> Html {
    html! {
        <details class="log"><summary>{ "The log, as the kernel prints it" }</summary>
            <pre class="mono" data-testid="verifier-log" tabindex="0">{ &proof.log }</pre></details>
    }
}

fn time(micros: u64) -> String {
    if micros < 1000 {
        format!("{micros} µs")
    } else {
        format!("{}.{} ms", micros / 1000, micros % 1000 / 100)
    }
}
