//! What not everybody looks at: code that the page's module does without until somebody wants it.
//!
//! `cargo xtask dist` splits the module in two (`xtask/src/wasm/split.rs`): what can be reached from [`fetched`] and from nowhere
//! else lies in the second, which is fetched once, with the first thing that needs it. So what is in [`Later`] must be used
//! through [`there`] alone; a call of a function by its name brings that function back into the first. Natively all of it is
//! there from the beginning.

// The mark is a library's macro, which in wasm becomes the declaration of a function of the other module.
#![allow(unsafe_code)]

use crate::compiler::Job;
use crate::condition::Condition;
use crate::state::{Action, State};
use crate::ui::{Help, LATER, Page};
use bpf64_core::machine::{Change, Read};
use bpf64_core::maps::Table;
use std::cell::RefCell;
use wasm_split_helpers::{SplitLoaderError, wasm_split};
use yew::{Callback, Html};

/// A pane, or what else is drawn of the page.
pub type Draw = fn(&Page) -> Html;

/// Reads a condition.
pub type ReadCondition = fn(&str, &dyn Fn(&str) -> bool) -> Result<Condition, String>;

/// Says of a condition whether a step made it hold.
pub type Holds = fn(&Condition, (&[Read], &[Change]), &[Table], &mut bool) -> bool;

/// What is in the second module.
pub struct Later {
    /// The control-flow graph.
    pub graph: Draw,
    /// Lines of C beside the program.
    pub c_source: Draw,
    /// The x86-64 level.
    pub machine_code: Draw,
    /// Panes below the machine.
    pub proof: Draw,
    /// The context's fields and recorded events.
    pub context: Draw,
    /// What tables hold.
    pub tables: Draw,
    /// The program in other forms.
    pub export: Draw,
    /// The tour's card.
    pub tour: Draw,
    /// What is selected of the packet.
    pub selection: Draw,
    /// The fields of a layer of the packet, by its number.
    pub fields: fn(&Page, usize) -> Html,
    /// What a new packet is made of.
    pub builder: Draw,
    /// What the help holds.
    pub help: fn(&Help) -> Html,
    /// Reads a condition; whether there is a table of that name says the function.
    pub condition: ReadCondition,
    /// Has the compiler do something for the page as it is; its answer is an action.
    pub compile: fn(&Job, &State, &Callback<Action>),
    /// Ends what the compiler does.
    pub give_up: fn(),
    /// Sets a field of the context, by its name, to what was typed, if that is something.
    pub set_field: fn(&mut State, &str, &str),
    /// What is said of a word in a line of the source.
    pub describe: fn(&State, u32, &str) -> String,
    /// What of tables must be known before a step that a condition may come to hold by.
    pub condition_state: fn(&Condition, &[Table]) -> bool,
    /// Whether a condition came to hold by a step; the last is what was known before, and then what is after it.
    pub condition_holds: Holds,
    /// Saves the capture's accepted packets as a file.
    pub save_accepted: fn(&State),
    /// Is called once it is there.
    pub prepare: fn(),
    /// Does to the state what [`Action::wants_later`] says the first module cannot.
    pub apply: fn(&mut State, Action),
}

/// What is said when it is wanted and could not be fetched.
pub const LOST: &str =
    "This part of the page could not be fetched. Check the connection, and do again what you have just done.";

/// How it stands with it.
enum Stand {
    /// Nobody has asked for it.
    Unasked,
    /// It is on its way; these are told when it is there, or that it will not come.
    Coming(Vec<Box<dyn FnOnce(bool)>>),
    There(&'static Later),
    /// The network did not give it.
    Lost,
}

thread_local! {
    static STAND: RefCell<Stand> = const { RefCell::new(if cfg!(target_family = "wasm") { Stand::Unasked } else { Stand::There(&LATER) }) };
}

#[wasm_split(later, fallible)]
fn fetched() -> Result<&'static Later, SplitLoaderError> {
    Ok(&LATER)
}

/// What is in the second module, if that is there.
#[must_use]
pub fn there() -> Option<&'static Later> {
    STAND.with_borrow(|stand| match stand {
        Stand::There(later) => Some(*later),
        Stand::Unasked | Stand::Coming(_) | Stand::Lost => None,
    })
}

/// Whether the last attempt to fetch it has failed.
#[must_use]
pub fn is_lost() -> bool {
    STAND.with_borrow(|stand| matches!(stand, Stand::Lost))
}

/// Calls back once the second module is there, at once if it is, or with `false` when it could not be fetched; then the next
/// call tries again.
pub fn fetch(then: Box<dyn FnOnce(bool)>) {
    let then = STAND.with_borrow_mut(|stand| match stand {
        Stand::There(_) => Some(then),
        Stand::Coming(waiting) => {
            waiting.push(then);
            None
        }
        Stand::Unasked | Stand::Lost => {
            *stand = Stand::Coming(vec![then]);
            yew::platform::spawn_local(arrive());
            None
        }
    });
    if let Some(then) = then {
        then(true);
    }
}

async fn arrive() {
    let there = fetched().await.ok();
    if let Some(later) = there {
        (later.prepare)();
    }
    let before = STAND.replace(there.map_or(Stand::Lost, Stand::There));
    if let Stand::Coming(waiting) = before {
        waiting.into_iter().for_each(|then| then(there.is_some()));
    }
}
