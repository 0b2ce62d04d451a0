//! The tour: a card with a few words, and a frame around what they are about.

use super::change::use_change;
use super::{Page, QuietProps};
use crate::browser;
use crate::state::Action;
use crate::tour::STEPS;
use yew::prelude::*;

/// A step.
struct Stop {
    /// Its heading.
    title: &'static str,
    /// What it says.
    text: &'static str,
    /// The part of the page it speaks of, as style.css knows it.
    part: &'static str,
}

/// The steps in order.
const STOPS: [Stop; STEPS] = [
    Stop {
        title: "Write or paste a program",
        text: "What tcpdump -d, -dd or -ddd prints, bpf_asm's language, eBPF assembly, hex, an object file, a seccomp profile: it is recognised, and everything else follows each key you press. Rest on a word to read what it means.",
        part: "source",
    },
    Stop {
        title: "See what it becomes",
        text: "A classic filter on the left, the eBPF that Linux makes of it on the right. Rows of one colour have one origin: point at one, and its partners light up.",
        part: "program",
    },
    Stop {
        title: "Step, forward and back",
        text: "The buttons, the slider, or the keys s and b. Every step is recorded, so going back is as quick. The dot left of an instruction is a breakpoint.",
        part: "controls",
    },
    Stop {
        title: "Look into the machine",
        text: "Registers as what they are, the stack, the context. What a step has changed is marked; click a value to go to the step that made it.",
        part: "machine",
    },
    Stop {
        title: "Change the packet",
        text: "Bytes and fields side by side. Edit either, and the run is made anew at once; select a field to see which instructions read it.",
        part: "dock",
    },
    Stop {
        title: "Judge a whole capture",
        text: "Drop a .pcap anywhere on the page. Every packet gets its verdict, Heat counts how often each instruction ran, and the accepted ones can be saved.",
        part: "capture",
    },
    Stop {
        title: "Ask the verifier",
        text: "Accepted or refused, with place, reason and the kernel's own words; and what it knows before each instruction, with the real value on it while you step.",
        part: "dock",
    },
    Stop {
        title: "Pass it on",
        text: "The address holds everything: program, packet, tables, step. Share copies it. There are examples above, and ? lists all keys and brings this tour back.",
        part: "top",
    },
];

/// Under which name the browser keeps how far somebody has come.
pub(super) const KEPT: &str = "bpf64.tour";

/// The card, while the tour goes on.
#[component]
pub(super) fn Tour(QuietProps { page }: &QuietProps) -> Html {
    let at = page.state.tour;
    let before = use_mut_ref(|| None::<usize>);
    use_change(at, move |at| {
        let part = at.and_then(|at| STOPS.get(at)).map_or("", |stop| stop.part);
        browser::set_root("data-tour", part);
        if let Some(at) = at {
            browser::keep(KEPT, &at.to_string());
            // Whoever reads with their ears hears the step, and the keys are here.
            browser::focus(".tour");
        } else if before.borrow().is_some() {
            browser::keep(KEPT, "done");
        }
        *before.borrow_mut() = *at;
    });
    let Some((at, Stop { title, text, part })) = at.and_then(|at| Some((at, STOPS.get(at)?))) else {
        return Html::default();
    };
    let to = |at: Option<usize>| page.send::<MouseEvent>(Action::Tour(at));
    let last = at + 1 == STEPS;
    let onward = (!last).then_some(at + 1);
    html! {
        <section class="tour" role="dialog" tabindex="-1" aria-labelledby="tour-title" aria-describedby="tour-text" data-testid="tour" data-part={*part} onkeydown={keys(page, at)}>
            <h2 id="tour-title">{ *title }<small>{ format!("{} of {}", at + 1, STEPS) }</small></h2>
            <p id="tour-text">{ *text }</p>
            <div class="tour-buttons">
                if !last { <button type="button" class="btn small" data-testid="tour-skip" onclick={to(None)}>{ "Skip" }</button> }
                <span class="spacer"></span>
                if at > 0 { <button type="button" class="btn small" data-testid="tour-back" onclick={to(Some(at - 1))}>{ "Back" }</button> }
                <button type="button" class="btn small primary" data-testid="tour-next" onclick={to(onward)}>{ if last { "Done" } else { "Next" } }</button>
            </div>
        </section>
    }
}

/// Arrows go on and back, Escape ends it.
fn keys(page: &Page, at: usize) -> Callback<KeyboardEvent> {
    let page = page.clone();
    Callback::from(move |event: KeyboardEvent| {
        let to = match event.key().as_str() {
            "Escape" => None,
            "ArrowRight" if at + 1 < STEPS => Some(at + 1),
            "ArrowLeft" if at > 0 => Some(at - 1),
            _ => return,
        };
        event.prevent_default();
        page.dispatch.emit(Action::Tour(to));
    })
}

/// Offers the tour to whoever has never taken or skipped it.
pub(super) fn invitation(page: &Page) -> Html {
    if page.state.tour.is_some() || page.state.toured || browser::kept(KEPT).is_some() {
        return Html::default();
    }
    html! {
        <>{ " " }<button type="button" class="link-like" data-testid="tour-start" onclick={page.send(Action::Tour(Some(0)))}>{ "New here? Take the tour." }</button></>
    }
}

/// Where the tour goes on when it is asked for.
pub(super) fn resumed() -> usize {
    browser::kept(KEPT).and_then(|kept| kept.parse().ok()).filter(|&at| at < STEPS).unwrap_or(0)
}
