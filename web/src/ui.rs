//! The components: small functions from the state to what is seen. None keeps anything that the state knows.

mod address;
mod app;
mod breaks;
mod c_source;
mod capture;
mod change;
mod code;
mod context;
mod controls;
mod dispatch;
mod dock;
mod export;
mod footer;
mod graph;
mod header;
mod help;
mod known;
mod listing;
mod machine;
mod memo;
mod memory;
mod packet;
mod program;
mod proof;
mod recorded;
mod source;
mod split;
mod stop;
mod tables;
mod tour;
mod value;
mod virtual_list;
mod workers;

pub(crate) use address::first_state;
pub use app::{App, AppProps};
pub use help::Help;

use crate::compiler;
use crate::condition::Condition;
use crate::hover;
use crate::later::{self, Draw, Later};
use crate::levels::Key;
use crate::paint;
use crate::state::{Action, State};
use bpf64_core::seccomp::syscalls;
use std::rc::Rc;
use yew::prelude::*;

/// Under which name the browser keeps the settings.
const SETTINGS: &str = "bpf64.settings";

/// What most components are given: the state, and where actions go.
#[derive(Properties, Clone, PartialEq)]
pub struct PageProps {
    /// The state as it is now.
    pub page: Page,
}

/// The state and its dispatcher. Equal when the state is the same one, so that nothing is drawn twice.
#[derive(Clone)]
pub struct Page {
    /// The state.
    pub state: Rc<State>,
    /// Where actions go.
    pub dispatch: Callback<Action>,
}

impl PartialEq for Page {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.state, &other.state)
    }
}

/// What components are given that show nothing of what the worker reports: a report does not draw them again.
#[derive(Properties, Clone)]
pub struct QuietProps {
    /// The state as it was when something else was changed.
    pub page: Page,
}

impl PartialEq for QuietProps {
    fn eq(&self, other: &Self) -> bool {
        let (now, before) = (&self.page.state, &other.page.state);
        now.turn == before.turn && now.lit == before.lit
    }
}

impl Page {
    /// A callback that dispatches what `action` makes of the event.
    pub fn on<E: 'static>(&self, action: impl Fn(E) -> Action + 'static) -> Callback<E> {
        let dispatch = self.dispatch.clone();
        Callback::from(move |event| dispatch.emit(action(event)))
    }

    /// A callback that always dispatches the same action.
    pub fn send<E: 'static>(&self, action: Action) -> Callback<E> {
        self.on(move |_| action.clone())
    }
}

/// How many hues origins are told apart by; style.css has a rule for each.
const HUES: u32 = 24;

/// The hue of an origin: neighbours are far apart, and 24 pass before one comes again.
#[must_use]
pub fn hue(key: Option<Key>) -> Option<u32> {
    key.map(|key| key * 7 % HUES)
}

/// Parts of a thousand as the style writes them. What formats floating-point numbers is not in the page.
fn percent(thousandths: u32) -> String {
    format!("{}.{}%", thousandths / 10, thousandths % 10)
}

/// "true" or nothing: for attributes that are there or not.
fn flag(value: bool) -> Option<&'static str> {
    value.then_some("true")
}

/// A piece of an instruction's text in its colour.
fn piece((class, text): paint::Piece<'_>) -> Html {
    if class.is_empty() {
        html! { { text } }
    } else {
        html! { <span {class}>{ text }</span> }
    }
}

/// What is drawn by the second module.
pub static LATER: Later = Later {
    graph: |page| html! { <graph::Graph page={page.clone()} /> },
    c_source: c_source::c_source,
    machine_code: code::machine_code,
    proof: proof::proof_pane,
    context: context::context_pane,
    tables: tables::tables_pane,
    export: |page| html! { <export::Export page={page.clone()} /> },
    tour: |page| html! { <tour::Tour page={page.clone()} /> },
    selection: packet::selection,
    fields: packet::fields,
    builder: packet::builder,
    help: help::inside,
    condition: Condition::parse,
    compile: compiler::ask,
    give_up: compiler::give_up,
    describe: |state, line, word| hover::describe(state, line, word).join("\n"),
    condition_state: Condition::state,
    condition_holds: Condition::holds,
    save_accepted: capture::save_accepted,
    prepare: || syscalls::know(syscalls::find),
    apply: crate::state::apply_later,
    set_field: State::set_field,
};

/// Draws what the second module draws; until it has come, a word for it.
fn draw_later(page: &Page, what: fn(&Later) -> Draw) -> Html {
    match later_for(page) {
        Ok(later) => what(later)(page),
        Err(meanwhile) => meanwhile,
    }
}

/// The second module. Until it has come it is fetched, and there is a word to be shown instead.
fn later_for(page: &Page) -> Result<&'static Later, Html> {
    if let Some(later) = later::there() {
        return Ok(later);
    }
    let fetch = {
        let dispatch = page.dispatch.clone();
        move || {
            let dispatch = dispatch.clone();
            later::fetch(Box::new(move |_| dispatch.emit(Action::Arrived)));
        }
    };
    if later::is_lost() {
        return Err(html! {
            <p class="empty" role="alert">{ "This part of the page could not be fetched. " }
                <button type="button" class="btn small" data-testid="fetch-again" onclick={move |_: MouseEvent| fetch()}>{ "Try again" }</button></p>
        });
    }
    fetch();
    Err(html! { <p class="empty" role="status">{ "…" }</p> })
}
