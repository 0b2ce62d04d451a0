//! The bar on top: examples, program type, run controls, sharing, help.

use super::address;
use super::change::use_change;
use super::controls::controls;
use super::memo::{memo, part};
use super::{Page, QuietProps};
use crate::browser;
use crate::examples::{EXAMPLES, Example};
use crate::state::Action;
use bpf64_core::environment::{ALL, Environment};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::future_to_promise;
use web_sys::{HtmlInputElement, HtmlSelectElement};
use yew::platform::spawn_local;
use yew::prelude::*;

/// The bar. `show` shows an example and fetches its capture, `help` shows the help.
pub(super) fn header(page: &Page, show: &Callback<&'static Example>, help: &Callback<()>) -> Html {
    let help = help.clone();
    html! {
        <header>
            <h1 class="brand"><svg viewBox="0 0 24 24" aria-hidden="true"><path d="M3 5h18l-7 8v6l-4 2v-8z" /></svg>{ "bpf64" }</h1>
            { memo(Gallery { shown: page.state.example, show: show.clone() }, gallery) }
            { part(page, run) }
            <span class="spacer"></span>
            <Share page={page.clone()} />
            <button type="button" class="btn" aria-label="Help and keys" title="Help and keys (?)" data-testid="help"
                onclick={move |_| help.emit(())}>{ "?" }</button>
        </header>
    }
}

/// How the program is run.
fn run(page: &Page) -> Html {
    html! {
        <>
            <span class="field"><label for="type">{ "Runs as" }</label>{ type_select(page, "type") }</span>
            { controls(page) }
        </>
    }
}

/// What kind of program it is: as the text says, or as is chosen. The control has this id, which its label names.
pub(super) fn type_select(page: &Page, id: &'static str) -> Html {
    let state = &page.state;
    let of_text = || state.levels.as_ref().map(|levels| levels.program_type.name.to_string());
    let chosen = state.program_type.map(|known| known.name.to_string());
    let shown = chosen.or_else(of_text).unwrap_or_else(|| ALL[0].name.to_string());
    // A record that the text describes has a name of its own.
    let own = Environment::named(&shown).is_none().then(|| shown.clone());
    let names = ALL.iter().map(|known| known.name.to_string()).chain(own);
    let onchange = page.on(|event: Event| {
        let name = event.target_unchecked_into::<HtmlSelectElement>().value();
        Action::ProgramType(Environment::named(&name))
    });
    html! {
        <select {id} data-testid={format!("{id}-select")} {onchange}>
            { for names.map(|name| html! {
                <option value={name.clone()} selected={name == shown}>{ name.replace('_', " ") }</option>
            }) }
        </select>
    }
}

/// What the choice of examples is drawn of.
#[derive(PartialEq)]
struct Gallery {
    /// The example that is shown; otherwise it is a text of somebody's own.
    shown: Option<&'static Example>,
    show: Callback<&'static Example>,
}

fn gallery(Gallery { shown, show }: &Gallery) -> Html {
    let onchange = {
        let show = show.clone();
        Callback::from(move |event: Event| {
            let id = event.target_unchecked_into::<HtmlSelectElement>().value();
            if let Some(example) = crate::examples::find(&id) {
                show.emit(example);
            }
        })
    };
    let option = |example: &&'static Example| {
        html! { <option value={example.id()} selected={*shown == Some(*example)}>{ example.title }</option> }
    };
    let mut groups: Vec<(&str, Vec<&'static Example>)> = Vec::new();
    for example in EXAMPLES {
        match groups.last_mut() {
            Some((group, examples)) if *group == example.group => examples.push(example),
            _ => groups.push((example.group, vec![example])),
        }
    }
    html! {
        <span class="field"><label for="example">{ "Example" }</label>
            <select id="example" data-testid="example-select" {onchange}>
                if shown.is_none() { <option value="" selected={true}>{ "your own" }</option> }
                { for groups.iter().map(|(group, examples)| html! {
                    <optgroup label={*group}>{ for examples.iter().map(option) }</optgroup>
                }) }
            </select></span>
    }
}

/// The share button, and once pressed the link.
#[component]
fn Share(QuietProps { page }: &QuietProps) -> Html {
    let link = use_state_eq(|| None::<String>);
    let said = use_state_eq(|| "");
    let field = use_node_ref();
    let newest = use_mut_ref(|| page.clone());
    *newest.borrow_mut() = page.clone();
    // A link is of one state: when that changes, the field goes.
    {
        let (link, said) = (link.clone(), said.clone());
        let state = &page.state;
        let position = state.player.as_ref().map(|player| player.position());
        let program = (Rc::clone(&state.source), state.language, state.level, state.breakpoints.clone());
        let of = (program, Rc::clone(&state.packet), position);
        use_change(of, move |_| {
            link.set(None);
            said.set("");
        });
    }
    {
        let field = field.clone();
        use_change(link.is_some(), move |_| {
            if let Some(input) = field.cast::<HtmlInputElement>() {
                input.select();
            }
        });
    }
    let onclick = {
        let (newest, link, said) = (Rc::clone(&newest), link.clone(), said.clone());
        Callback::from(move |_: MouseEvent| {
            said.set("");
            let making = future_to_promise(make(Rc::clone(&newest), link.clone()));
            let (said, copied) = (said.clone(), browser::copy(&making));
            spawn_local(async move {
                said.set(if copied.await { "Copied" } else { "Copy it from here" });
            });
        })
    };
    html! {
        <span class="share">
            if let Some(link) = &*link {
                <span class="link-out">
                    <input class="mono" type="text" readonly={true} ref={field} aria-label="Permalink" data-testid="permalink" value={link.clone()} />
                    <span class="said" role="status">{ *said }</span>
                </span>
            }
            <button type="button" class="btn" data-testid="share" {onclick}>
                <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M10 14a4 4 0 005.7 0l3-3a4 4 0 00-5.7-5.7l-1 1M14 10a4 4 0 00-5.7 0l-3 3a4 4 0 005.7 5.7l1-1" /></svg>
                { "Share" }</button>
        </span>
    }
}

/// Makes the link of the state as it is now, for the clipboard, and shows it, unless the state is another one by then.
async fn make(newest: Rc<RefCell<Page>>, link: UseStateHandle<Option<String>>) -> Result<JsValue, JsValue> {
    let Page { state, dispatch } = newest.borrow().clone();
    let document = state.document();
    match address::encode(&document).await {
        Ok(fragment) => {
            let address = browser::address(&fragment);
            if newest.borrow().state.document() == document {
                browser::set_fragment(&fragment);
                link.set(Some(address.clone()));
            }
            Ok(address.into())
        }
        Err(said) => {
            dispatch.emit(Action::Notice(said));
            Err(JsValue::NULL)
        }
    }
}
