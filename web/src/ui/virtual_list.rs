//! A list of rows of one height, of which only those in view are in the page.

use super::change::use_change;
use crate::state::Lit;
use yew::prelude::*;

/// The height of a row in pixels: `--row` in style.css.
pub(super) const ROW: usize = 22;
/// Lists up to this length are drawn whole: searching in the page finds everything.
const WHOLE: usize = 600;
/// Rows drawn above and below what is seen, so that scrolling shows no gaps.
const MARGIN: usize = 30;

/// What rows are drawn of. As long as it is the same, they are.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Basis {
    /// [`State::turn`](crate::state::State::turn), or another number that grows with all that the rest does not tell.
    pub turn: u32,
    /// What is lit, if rows show it.
    pub lit: Option<Lit>,
    /// The row that differs from the others.
    pub at: Option<usize>,
    /// How many packets are judged, if rows show what came of them.
    pub judged: usize,
}

/// Properties of [`VirtualList`].
#[derive(Properties)]
pub(super) struct Props {
    /// How many rows there are.
    pub len: usize,
    /// Draws row `index`.
    pub row: Callback<usize, Html>,
    /// What `row` draws it of. Another one draws all rows in view again.
    pub of: Basis,
    /// The row to bring into view whenever it changes.
    pub follow: Option<usize>,
    /// The list's name, for screen readers.
    pub label: AttrValue,
    /// What tests call it.
    pub testid: AttrValue,
    /// Classes of the scrolling element.
    #[prop_or_default]
    pub class: Classes,
}

impl PartialEq for Props {
    fn eq(&self, other: &Self) -> bool {
        self.of == other.of
            && (self.len, self.follow) == (other.len, other.follow)
            && (&self.label, &self.testid, &self.class) == (&other.label, &other.testid, &other.class)
    }
}

/// The list. Arrow keys, Home and End move the focus between rows.
#[component]
pub(super) fn VirtualList(props: &Props) -> Html {
    let scroller = use_node_ref();
    let first = use_state_eq(|| 0usize);
    let whole = props.len <= WHOLE;
    let seen = if whole { 0..props.len } else { window(*first, props.len) };

    {
        let scroller = scroller.clone();
        use_change((props.follow, props.len), move |(follow, _)| {
            if let (Some(index), Some(element)) = (*follow, scroller.cast::<web_sys::Element>()) {
                reveal(&element, index);
            }
        });
    }
    // In the same breath as the rows: were the list shorter for a moment, it would scroll. A style attribute is
    // forbidden by the page's policy; an image may say how high it is.
    let spacer = |key: &'static str, rows: usize| html! { <svg {key} class="rows" width="1" height={(rows * ROW).to_string()} aria-hidden="true" /> };
    // With keys, as rows have them: rows that come and go leave the others what they are.
    let (above, below) = (spacer("above", seen.start), spacer("below", props.len - seen.end));
    let onscroll = {
        let (scroller, first) = (scroller.clone(), first.clone());
        Callback::from(move |_: Event| {
            if let Some(element) = scroller.cast::<web_sys::Element>() {
                // Half a margin at a time: rows are drawn again now and then, not at every pixel.
                let step = MARGIN / 2;
                first.set(element.scroll_top().max(0) as usize / ROW / step * step);
            }
        })
    };
    html! {
        <div class={classes!("scroll", props.class.clone())} ref={scroller} {onscroll} onkeydown={move_focus}
            role="list" aria-label={props.label.clone()} data-testid={props.testid.clone()}>
            { above }
            { for seen.map(|index| props.row.emit(index)) }
            { below }
        </div>
    }
}

/// The rows drawn when row `first` is the topmost seen. A view is never higher than 100 rows.
fn window(first: usize, len: usize) -> std::ops::Range<usize> {
    let start = first.saturating_sub(MARGIN).min(len);
    start..(first + 100 + MARGIN).min(len)
}

/// Scrolls the list, and nothing around it, so that row `index` is seen with some rows around it.
fn reveal(scroller: &web_sys::Element, index: usize) {
    let (top, height) = (scroller.scroll_top(), scroller.client_height());
    // What stands above the rows, such as a heading that sticks, is part of the scrolled content.
    let row_top = (index * ROW) as i32;
    let room = (ROW as i32 * 2).min(height / 4);
    if row_top < top + room {
        scroller.set_scroll_top((row_top - room).max(0));
    } else if row_top + ROW as i32 + room > top + height {
        scroller.set_scroll_top(row_top + ROW as i32 + room - height);
    }
}

/// Moves the focus from row to row.
fn move_focus(event: KeyboardEvent) {
    use wasm_bindgen::JsCast;
    let Some(target) = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok()) else {
        return;
    };
    let Ok(Some(row)) = target.closest("[role=listitem]") else { return };
    let siblings = |next: fn(&web_sys::Element) -> Option<web_sys::Element>| {
        next(&row).filter(|sibling| sibling.get_attribute("role").as_deref() == Some("listitem"))
    };
    let list = row.parent_element();
    let wanted = match event.key().as_str() {
        "ArrowDown" => siblings(web_sys::Element::next_element_sibling),
        "ArrowUp" => siblings(web_sys::Element::previous_element_sibling),
        "Home" => list.and_then(|list| list.query_selector("[role=listitem]").ok().flatten()),
        "End" => {
            list.and_then(|list| list.query_selector("[role=listitem]:nth-last-child(2)").ok().flatten())
        }
        _ => None,
    };
    // A row has the focus itself, or the button that it is.
    let focusable = wanted.and_then(|row| {
        if row.has_attribute("tabindex") { Some(row) } else { row.query_selector("button").ok()? }
    });
    if let Some(element) = focusable.and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok()) {
        event.prevent_default();
        let _ = element.focus();
    }
}
