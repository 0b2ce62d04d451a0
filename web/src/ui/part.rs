//! Parts of the page that neither reports nor light draw again.

use super::Page;
use yew::prelude::*;

/// Properties of [`Part`]: equal as long as [`turn`](crate::state::State::turn) is the same.
#[derive(Properties)]
struct Props {
    page: Page,
    draw: fn(&Page) -> Html,
}

impl PartialEq for Props {
    fn eq(&self, other: &Self) -> bool {
        self.page.state.turn == other.page.state.turn
    }
}

/// One component for all such parts, since each is 2 kB.
#[component]
fn Part(Props { page, draw }: &Props) -> Html {
    draw(page)
}

/// What `draw` makes of the page, which may show nothing of what the worker reports, and nothing that is lit.
pub(super) fn part(page: &Page, draw: fn(&Page) -> Html) -> Html {
    html! { <Part page={page.clone()} {draw} /> }
}
