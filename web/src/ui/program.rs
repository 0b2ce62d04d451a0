//! The program pane: its levels side by side.

use super::listing::listing;
use super::memo::part;
use super::stop::stop_button;
use super::{Page, draw_later, flag};
use crate::export::Form;
use crate::levels::{Level, Levels};
use crate::state::{Action, GraphAction, Outcome, Settings, Shown, Verification};
use bpf64_core::machine::Ending;
use yew::prelude::*;

/// The pane.
pub(super) fn program_pane(page: &Page) -> Html {
    let state = &page.state;
    let levels = state.levels.as_ref();
    let shown = state.shown();
    html! {
        <section class="pane program" aria-label="Program">
            <h2>{ "Program" }
                <span class="views">{ part(page, views) }{ heat_button(page) }{ export_button(page) }</span>
                <span class="end">{ verdict_chip(page) }{ result_chip(page) }</span></h2>
            if levels.is_some() && state.graph.shown {
                { draw_later(page, |later| later.graph) }
            } else if levels.is_some() {
                <div class="levels">
                    if shown.c { { draw_later(page, |later| later.c_source) } }
                    if shown.classic { { level(page, Level::Classic, "Classic") } }
                    if shown.ebpf { { level(page, Level::Ebpf, "eBPF") } }
                    if shown.x86 { { draw_later(page, |later| later.machine_code) } }
                </div>
            } else {
                <p class="empty">{ "The program appears here as soon as the source can be read." }</p>
            }
        </section>
    }
}

/// Chooses how the program is shown.
fn views(page: &Page) -> Html {
    html! { <>{ level_choice(page) }{ graph_button(page) }</> }
}

/// Chooses which levels are shown. The last one stays.
fn level_choice(page: &Page) -> Html {
    let state = &page.state;
    let (settings, shown) = (state.settings, state.shown());
    let has = |what: fn(&Levels) -> bool| state.levels.as_ref().is_some_and(|levels| what(levels));
    let (c, classic) = (has(|levels| !levels.c_rows.is_empty()), has(|levels| levels.classic.is_some()));
    let alone = [shown.c, shown.classic, shown.ebpf, shown.x86].iter().filter(|&&shown| shown).count() == 1;
    let button = |testid: &'static str,
                  name: &'static str,
                  pressed: bool,
                  there: bool,
                  change: fn(&mut Shown)| {
        let mut shown = settings.shown;
        change(&mut shown);
        // What is pressed and alone cannot be let go; nor is there a classic level of a text in eBPF.
        let idle = !there || (pressed && alone);
        let onclick = page.send(if idle {
            Action::Light(None)
        } else {
            Action::Settings(Settings { shown, ..settings })
        });
        html! {
            <button type="button" class="btn small toggle" aria-pressed={pressed.to_string()} aria-disabled={flag(idle)}
                data-testid={testid} {onclick}>{ name }</button>
        }
    };
    html! {
        <span class="group" role="group" aria-label="Levels shown">
            if c {
                { button("show-c", "C", shown.c, true, |shown| shown.c = !shown.c) }
            } else {
                { button("show-classic", "Classic", shown.classic, classic, |shown| shown.classic = !shown.classic) }
            }
            { button("show-ebpf", "eBPF", shown.ebpf, true, |shown| shown.ebpf = !shown.ebpf) }
            { button("show-x86", "x86-64", shown.x86, true, |shown| shown.x86 = !shown.x86) }
        </span>
    }
}

/// Chooses between listings and graph.
fn graph_button(page: &Page) -> Html {
    let shown = page.state.graph.shown;
    html! {
        <button type="button" class="btn small toggle" aria-pressed={shown.to_string()} data-testid="show-graph"
            title="Show the control-flow graph (g)" onclick={page.send(Action::Graph(GraphAction::Show(!shown)))}>{ "Graph" }</button>
    }
}

/// Offers the program to other tools.
fn export_button(page: &Page) -> Html {
    let first = page.state.levels.as_ref().and_then(|levels| Form::of(levels).next());
    html! {
        <button type="button" class="btn small" data-testid="export" title="The program in other forms, to be copied or saved"
            onclick={page.send(Action::Export(first.map(|form| form.0)))}>{ "Export" }</button>
    }
}

/// Chooses whose hits the listings show, once there is a capture.
fn heat_button(page: &Page) -> Html {
    let whole = page.state.capture_hits;
    if page.state.judged.done == 0 {
        return Html::default();
    }
    html! {
        <button type="button" class="btn small toggle" aria-pressed={whole.to_string()} data-testid="capture-hits"
            title="Count over the whole capture, not only this packet" onclick={page.send(Action::CaptureHits(!whole))}>{ "Heat" }</button>
    }
}

/// A level under its heading, which also chooses it for stepping.
fn level(page: &Page, level: Level, name: &'static str) -> Html {
    let state = &page.state;
    let Some(levels) = &state.levels else { return Html::default() };
    let program = state.shown_program();
    let count = levels.rows_in(level, program).len();
    let stepped = state.level == level;
    let alone = levels.classic.is_none();
    let id = if level == Level::Classic { "step-classic" } else { "step-ebpf" };
    html! {
        <div class={classes!("level", (level == Level::Classic).then_some("classic"))}>
            <h3>{ name }if let Some(other) = levels.name(program) { { format!(": {other}") } }{ ", " }{ count }
                if !alone {
                    <label class="stepped"><input type="radio" name="stepped" data-testid={id} checked={stepped}
                        onchange={page.send(Action::Level(level))} />{ "step" }</label>
                }
            </h3>
            { listing(page, level) }
        </div>
    }
}

/// Whether the program is accepted: by the checker if it is classic, and by the verifier.
fn verdict_chip(page: &Page) -> Html {
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
fn result_chip(page: &Page) -> Html {
    let state = &page.state;
    let (Some(end), Some(levels)) = (state.end(), &state.levels) else { return Html::default() };
    let (class, value, text, title) = match end {
        Outcome::Value(r0, ending) => {
            let verdict = (levels.program_type.verdict)(r0);
            let class = if verdict.is_accepted() { "chip good" } else { "chip bad" };
            let why = if ending == Ending::Returned { format!("r0 = {r0:#x}") } else { ending.to_string() };
            (class, Some(format!("0x{r0:016x}")), verdict.to_string(), why)
        }
        Outcome::Trap(trap) => ("chip bad", None, "trapped".to_owned(), trap),
        Outcome::Running(executed) => {
            ("chip", None, format!("runs: {}…", rounded(executed)), format!("{executed} instructions so far"))
        }
        Outcome::Stopped(executed) => {
            ("chip bad", None, "no end".to_owned(), format!("stopped after {executed} instructions"))
        }
    };
    let running = matches!(state.end(), Some(Outcome::Running(_)));
    html! {
        <>
            if running { { stop_button(page) } }
            <output {class} {title} data-testid="result" data-value={value}>{ text }</output>
        </>
    }
}

/// "234 million": a large number that changes quickly.
pub(super) fn rounded(number: u64) -> String {
    match number {
        0..10_000 => number.to_string(),
        10_000..1_000_000 => format!("{} thousand", number / 1000),
        1_000_000..1_000_000_000 => format!("{} million", number / 1_000_000),
        _ => format!("{}.{} billion", number / 1_000_000_000, number % 1_000_000_000 / 100_000_000),
    }
}
