//! The program pane: its levels side by side.

use super::listing::Listing;
use super::{Page, PageProps};
use crate::levels::Level;
use crate::state::{Action, Verification};
use bpf64_core::debugger::End;
use bpf64_core::machine::Ending;
use yew::prelude::*;

/// The pane.
#[component]
pub fn Program(PageProps { page }: &PageProps) -> Html {
    let state = &page.state;
    let levels = state.levels.as_ref();
    let classic = levels.is_some_and(|levels| levels.classic.is_some());
    let subtitle = match (state.is_stale(), classic) {
        (true, _) => "the last that could be read",
        (false, true) => "one colour, one origin",
        (false, false) => "eBPF as written",
    };
    html! {
        <section class="pane program" aria-label="Program">
            <h2>{ "Program" }<small>{ subtitle }</small>
                <span class="end"><Verdict page={page.clone()} /><Result page={page.clone()} /></span></h2>
            if levels.is_some() {
                <div class={classes!("levels", (!classic).then_some("single"))}>
                    if classic { { level(page, Level::Classic, "Classic") } }
                    { level(page, Level::Ebpf, "eBPF") }
                </div>
            } else {
                <p class="empty">{ "The program appears here as soon as the source can be read." }</p>
            }
        </section>
    }
}

/// A level under its heading, which also chooses it for stepping.
fn level(page: &Page, level: Level, name: &'static str) -> Html {
    let state = &page.state;
    let count = state.levels.as_ref().map_or(0, |levels| levels.rows(level).len());
    let stepped = state.level == level;
    let alone = state.levels.as_ref().is_some_and(|levels| levels.classic.is_none());
    let id = if level == Level::Classic { "step-classic" } else { "step-ebpf" };
    html! {
        <div class="level">
            <h3>{ name }{ ", " }{ count }
                if !alone {
                    <label class="stepped"><input type="radio" name="stepped" data-testid={id} checked={stepped}
                        onchange={page.send(Action::Level(level))} />{ "step" }</label>
                }
            </h3>
            <Listing page={page.clone()} {level} />
        </div>
    }
}

/// Whether the program is accepted: by the checker if it is classic, and by the verifier.
#[component]
fn Verdict(PageProps { page }: &PageProps) -> Html {
    let state = &page.state;
    let problems = count(state.problems.len(), "problem");
    let classic = state.levels.as_ref().is_some_and(|levels| levels.classic.is_some());
    let (verdict, class, text, title) = match &state.verification {
        _ if state.is_stale() => (
            "error",
            "chip bad",
            format!("{problems} to mend"),
            "The source cannot be read as a program; the problems stand below it".to_owned(),
        ),
        Verification::Pending => {
            ("pending", "chip", "verifying…".to_owned(), "The verifier is at work".to_owned())
        }
        Verification::Stopped => {
            ("unverified", "chip", "stopped".to_owned(), "The verifier was stopped".to_owned())
        }
        Verification::Failed => {
            ("unverified", "chip", "not verified".to_owned(), "The verifier did not answer".to_owned())
        }
        Verification::Done(proof) => match &proof.refusal {
            None => (
                "accept",
                "chip good",
                "verified".to_owned(),
                format!(
                    "The verifier accepts it; {} looked at",
                    count(proof.processed as usize, "instruction")
                ),
            ),
            Some(refusal) if refusal.unknown && classic => (
                "accept",
                "chip good",
                "checked".to_owned(),
                format!(
                    "Linux's checker accepts the classic program. Of what it became: {}",
                    refusal.sentence
                ),
            ),
            Some(refusal) if refusal.unknown => {
                ("unverified", "chip", "not verified".to_owned(), refusal.sentence.clone())
            }
            Some(refusal) => (
                "reject",
                "chip bad",
                format!("refused at {}", refusal.place.slot),
                format!("{}\nThe kernel says: {}", refusal.sentence, refusal.kernel),
            ),
        },
    };
    html! { <span {class} {title} data-testid="verdict" data-verdict={verdict} role="status">{ text }</span> }
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// What the run over the packet comes to.
#[component]
fn Result(PageProps { page }: &PageProps) -> Html {
    let (Some(player), Some(levels)) = (&page.state.player, &page.state.levels) else {
        return Html::default();
    };
    let (class, value, text, title) = match player.end() {
        End::Value(r0, ending) => {
            let verdict = (levels.program_type.verdict)(r0);
            let class = if r0 as u32 == 0 { "chip bad" } else { "chip good" };
            let why = if ending == Ending::Returned { format!("r0 = {r0:#x}") } else { ending.to_string() };
            (class, Some(format!("0x{r0:016x}")), verdict.to_string(), why)
        }
        End::Trap(trap) => ("chip bad", None, "trapped".to_owned(), trap.to_string()),
        End::Limit(limit) => {
            ("chip bad", None, "no end".to_owned(), format!("stopped after {limit} instructions"))
        }
    };
    html! { <output {class} {title} data-testid="result" data-value={value}>{ text }</output> }
}
