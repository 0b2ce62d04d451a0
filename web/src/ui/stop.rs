//! The button that stops what goes on in the worker.

use super::PageProps;
use crate::state::Action;
use yew::prelude::*;

/// The button.
#[component]
pub(super) fn Stop(PageProps { page }: &PageProps) -> Html {
    html! {
        <button type="button" class="btn small" data-testid="stop" title="Stop what goes on in the background"
            onclick={page.send(Action::Stop)}>{ "Stop" }</button>
    }
}
