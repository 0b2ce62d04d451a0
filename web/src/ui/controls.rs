//! Run, continue, step, back, restart, and the timeline.

use super::Page;
use crate::state::Action;
use web_sys::HtmlInputElement;
use yew::prelude::*;

/// The buttons: name, what it says on hover, the path of its icon, what it does.
const BUTTONS: [(&str, &str, &str, Action); 4] = [
    ("restart", "Restart (0)", "M6 5v14M19 5l-9 7 9 7z", Action::Restart),
    ("step-back", "Step back (b)", "M15 6l-6 6 6 6", Action::Back),
    ("step", "Step (s)", "M9 6l6 6-6 6", Action::Step),
    ("continue", "Continue to the next breakpoint (c)", "M5 5l9 7-9 7zM19 5v14", Action::Continue),
];

/// The controls. They are in order from the start of the run to its end.
pub(super) fn controls(page: &Page) -> Html {
    let Some(player) = &page.state.player else { return Html::default() };
    let (position, steps) = (player.position(), player.steps());
    let button = |(id, title, path, action): &(&'static str, &'static str, &'static str, Action)| {
        let idle = match action {
            Action::Restart | Action::Back => position == 0,
            _ => position == steps,
        };
        html! {
            <button type="button" class="btn" title={*title} aria-label={*title} aria-disabled={idle.to_string()}
                data-testid={*id} onclick={page.send(action.clone())}>
                <svg viewBox="0 0 24 24" aria-hidden="true"><path d={*path} /></svg></button>
        }
    };
    html! {
        <>
            <span class="group" role="group" aria-label="Run">
                { for BUTTONS.iter().map(button) }
                <button type="button" class="btn primary" title="Run to the end (r, Ctrl+Enter in the editor)"
                    data-testid="run" onclick={page.send(Action::RunToEnd)}>{ "Run" }</button>
            </span>
            { timeline(page, position, steps) }
        </>
    }
}

fn timeline(page: &Page, position: usize, steps: usize) -> Html {
    let oninput = page.on(|event: InputEvent| {
        let value = event.target_unchecked_into::<HtmlInputElement>().value();
        Action::Seek(value.parse().unwrap_or(0))
    });
    html! {
        <span class="time">
            <input type="range" min="0" max={steps.to_string()} value={position.to_string()} {oninput}
                aria-label="Step of the run" data-testid="timeline" />
            <span class="count">{ format!("step {position} of {steps}") }</span>
        </span>
    }
}
