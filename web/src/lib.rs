//! The bpf64 playground: a Yew page around `bpf64_core`.
//!
//! Data flows one way: edit → [`state::reduce`] → [`ui`]; what takes long goes through the [`worker`] and comes back as
//! an action like any other. Everything up to the components is pure and tested natively; what touches the browser is
//! in [`browser`], [`editor`] and [`worker`].

pub mod browser;
pub mod compiler;
pub mod condition;
pub mod editor;
mod employee;
pub mod examples;
pub mod export;
pub mod flow;
pub mod hover;
pub mod keys;
pub mod later;
pub mod levels;
pub mod packet_text;
pub mod paint;
pub mod player;
pub mod say;
pub mod state;
pub mod tour;
pub mod ui;
pub mod worker;

pub use bpf64_work::{self as work, given};
use std::rc::Rc;
use wasm_bindgen::prelude::wasm_bindgen;

/// Called by the page's boot script once the module is there, with the first example's capture if that has come.
#[wasm_bindgen]
pub fn start_page(capture: Option<Vec<u8>>) {
    #[cfg(feature = "words")]
    console_error_panic_hook::set_once();
    // Nothing is drawn before it is known what is to be seen.
    yew::platform::spawn_local(async move {
        let first = Rc::new(ui::first_state(capture.map(Into::into)).await);
        let root = browser::element("app");
        yew::Renderer::<ui::App>::with_root_and_props(root, ui::AppProps { first }).render();
    });
}

/// Called by the worker's script, in the worker.
#[wasm_bindgen]
pub fn start_worker() {
    #[cfg(feature = "words")]
    console_error_panic_hook::set_once();
    work::serve::serve::<work::Stepping>();
}
