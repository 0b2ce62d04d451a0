//! The program pane: its levels side by side.

use super::listing::Listing;
use super::{Page, PageProps};
use crate::levels::Level;
use crate::state::Action;
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

/// Whether the program is accepted. Classic programs are checked by Linux's rules; the eBPF verifier is yet to come.
#[component]
fn Verdict(PageProps { page }: &PageProps) -> Html {
    let state = &page.state;
    let classic = state.levels.as_ref().is_some_and(|levels| levels.classic.is_some());
    let (verdict, class, text) = match (state.is_stale(), classic) {
        (true, _) => ("error", "chip bad", format!("{} to mend", count(state.problems.len(), "problem"))),
        (false, true) => ("accept", "chip good", "checked".to_owned()),
        (false, false) => ("unverified", "chip", "not verified".to_owned()),
    };
    let title = match verdict {
        "accept" => "Linux's checker for classic filters accepts this program",
        "error" => "The source cannot be read as a program; the problems stand below it",
        _ => "eBPF programs are run as they are, every access checked; the verifier is yet to come",
    };
    html! { <span {class} {title} data-testid="verdict" data-verdict={verdict}>{ text }</span> }
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
