//! The address: the link in it is opened, and follows what is done.
//!
//! The browser deflates and inflates, which takes a moment. A link that was made of what is no longer there is not written,
//! and one that was followed does not come after a later one.

use super::app::show_example;
use super::change::use_change;
use super::{Page, SETTINGS};
use crate::browser;
use crate::examples::EXAMPLES;
use crate::state::{Action, Settings, State, reduce};
use bpf64_core::link::{self, Document, Draft, LinkError};
use gloo_timers::callback::Timeout;
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::JsCast;
use yew::platform::spawn_local;
use yew::prelude::*;

/// How long the state rests before it is written into the address, in milliseconds.
const ADDRESS_DELAY: u32 = 400;

/// Under which name the browser keeps the last link.
const LAST: &str = "bpf64.last";

/// The fragment for a document, without `#`.
///
/// # Errors
/// A sentence about why there is none.
pub(super) async fn encode(document: &Document) -> Result<String, String> {
    let mut draft = Draft::new(document);
    loop {
        let bytes = draft.bytes().map_err(|error| format!("The link would be too long: {error}."))?;
        let deflated = browser::deflate(&bytes).await?;
        if let Some(fragment) = draft.finish(&deflated) {
            return Ok(fragment);
        }
    }
}

async fn decode(fragment: &str) -> Result<Rc<Document>, LinkError> {
    let inflated = browser::inflate(&link::deflated(fragment)?).await?;
    Document::read(&inflated).map(Rc::new)
}

/// What the page shows first: what the link in the address says, or the first example, with the capture if that has come,
/// and the offer of what was kept.
pub(crate) async fn first_state(capture: Option<Rc<[u8]>>) -> State {
    let settings = Settings::read(&browser::kept(SETTINGS).unwrap_or_default());
    let mut state = reduce(&State::default(), Action::Settings(settings));
    if let Some(bytes) = capture {
        state = reduce(&state, Action::ExampleCapture(&EXAMPLES[0], bytes));
    }
    let fragment = browser::fragment();
    if !fragment.is_empty() {
        return reduce(&state, Action::OpenLink(decode(&fragment).await));
    }
    if let Some(kept) = browser::kept(LAST)
        && let Ok(document) = decode(&kept).await
    {
        return reduce(&state, Action::Offer(document));
    }
    state
}

/// Brings what [`first_state`] lacks: the first example's capture.
pub(super) fn complete(page: Page) {
    if browser::fragment().is_empty() {
        if page.state.capture.is_none() {
            show_example(page, &EXAMPLES[0]);
        }
    } else if let Some(said) = page.state.notice.clone() {
        // What the link should have shown is lost; the page still has something to show.
        spawn_local(async move {
            if let Ok(bytes) = browser::fetch_example(EXAMPLES[0].capture.unwrap_or_default()).await {
                page.dispatch.emit(Action::ExampleCapture(&EXAMPLES[0], bytes));
                page.dispatch.emit(Action::Notice(said.to_string()));
            }
        });
    }
}

/// Opens the link that the address of the open page was changed to; without one, the first example. `followed` counts.
pub(super) fn follow(page: Page, event: &web_sys::Event, followed: &Rc<RefCell<u32>>) {
    // Not what the address is now: the page may have written its own since.
    let url = event.dyn_ref().map(web_sys::HashChangeEvent::new_url).unwrap_or_default();
    *followed.borrow_mut() += 1;
    match url.split_once('#') {
        Some((_, fragment)) if !fragment.is_empty() => {
            let (fragment, followed, number) = (fragment.to_owned(), Rc::clone(followed), *followed.borrow());
            spawn_local(async move {
                let document = decode(&fragment).await;
                if *followed.borrow() == number {
                    page.dispatch.emit(Action::OpenLink(document));
                }
            });
        }
        _ => show_example(page, &EXAMPLES[0]),
    }
}

/// Keeps the address up with the page, so that copying it is sharing. A page nobody has touched keeps its short one.
#[hook]
pub(super) fn use_address(page: &Page, newest: &Rc<RefCell<Page>>) {
    let timer = use_mut_ref(|| None::<Timeout>);
    let first = use_mut_ref(|| true);
    let state = &page.state;
    // Neither reports nor light are in it.
    let document = use_memo(state.turn, |_| state.document());
    let pristine =
        state.example == Some(&EXAMPLES[0]) && document.step == 0 && document.breakpoints.is_empty();
    let newest = Rc::clone(newest);
    use_change(Rc::clone(&document), move |_| {
        let untouched = *first.borrow() && pristine;
        if !untouched {
            *first.borrow_mut() = false;
            // Replacing the timer cancels the one before.
            *timer.borrow_mut() =
                Some(Timeout::new(ADDRESS_DELAY, move || spawn_local(write(document, newest))));
        }
    });
}

async fn write(document: Rc<Document>, newest: Rc<RefCell<Page>>) {
    // What cannot be written is told to whoever wants to share it.
    let Ok(fragment) = encode(&document).await else { return };
    // If it is another one by now, that one has a timer of its own.
    if newest.borrow().state.document() == *document {
        browser::keep(LAST, &fragment);
        browser::set_fragment(&fragment);
    }
}
