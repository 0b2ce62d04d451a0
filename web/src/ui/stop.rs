//! The button that stops what goes on in the worker.

use super::Page;
use crate::state::Action;
use yew::prelude::*;

/// The button.
pub(super) fn stop_button(page: &Page) -> Html {
    html! {
        <button type="button" class="btn small" data-testid="stop" title="Stop what goes on in the background"
            onclick={page.send(Action::Stop)}>{ "Stop" }</button>
    }
}
