//! The help: what the page is, and the keys. What the dialog holds is in the second module.

use super::tour::resumed;
use crate::later;
use crate::state::{Action, Settings, Theme};
use gloo_timers::callback::Timeout;
use web_sys::{HtmlDialogElement, HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;

/// Every key with what it does, for the help: key, where it works, what it does.
const KEYS: &[(&str, &str)] = &[
    ("s, F10", "step"),
    ("b, S, Shift+F10", "step back"),
    ("c, F8", "continue to the next breakpoint"),
    ("r, Ctrl+Enter", "run to the end; Ctrl+Enter in the editor"),
    ("0", "restart"),
    (".", "breakpoint on the focused or current row"),
    ("Ctrl+I", "in the editor: what the word at the cursor means"),
    ("↑ ↓ Home End", "move in a listing"),
    ("Enter", "run to the row that has the focus"),
    ("g", "graph or listings"),
    ("↑ ↓ ← →", "move along the lines of the graph, or in the packet's bytes"),
    ("?", "this help"),
];

/// How often, and how many milliseconds apart, is looked whether it is drawn.
const PATIENCE: u32 = 100;
const WAIT: u32 = 10;

/// What the help is drawn of.
#[derive(PartialEq)]
pub struct Help {
    /// How the page is wanted.
    pub settings: Settings,
    /// Where actions go.
    pub dispatch: Callback<Action>,
    /// The dialog, for whoever opens it.
    pub dialog: NodeRef,
    /// Whether the second module is there.
    pub there: bool,
}

/// A dialog; the browser closes it with Escape.
pub(super) fn help(help: &Help) -> Html {
    html! {
        <dialog ref={help.dialog.clone()} aria-labelledby="help-title" data-testid="help-dialog">
            if let Some(later) = later::there() { { (later.help)(help) } }
        </dialog>
    }
}

/// Opens it, once what it holds is there.
pub(super) fn open(dialog: &NodeRef, dispatch: &Callback<Action>) {
    if later::there().is_some() {
        return show(dialog);
    }
    let (dialog, dispatch) = (dialog.clone(), dispatch.clone());
    later::fetch(Box::new(move |there| {
        if there {
            dispatch.emit(Action::Arrived);
            show_drawn(dialog, PATIENCE);
        } else {
            dispatch.emit(Action::Notice(later::LOST.to_owned()));
        }
    }));
}

/// Opens it once what it holds is drawn, since the focus goes to the first thing in it; after so many tries as it is.
fn show_drawn(dialog: NodeRef, tries: u32) {
    let drawn =
        dialog.cast::<HtmlDialogElement>().is_some_and(|dialog| dialog.first_element_child().is_some());
    if drawn || tries == 0 {
        return show(&dialog);
    }
    Timeout::new(WAIT, move || show_drawn(dialog, tries - 1)).forget();
}

fn show(dialog: &NodeRef) {
    if let Some(dialog) = dialog.cast::<HtmlDialogElement>() {
        // Fails only when it is open already.
        let _ = dialog.show_modal();
    }
}

/// What it holds.
pub(super) fn inside(Help { settings, dispatch, dialog, .. }: &Help) -> Html {
    let close = {
        let dialog = dialog.clone();
        Callback::from(move |_: MouseEvent| {
            if let Some(dialog) = dialog.cast::<HtmlDialogElement>() {
                dialog.close();
            }
        })
    };
    let tour = {
        let (dispatch, close) = (dispatch.clone(), close.clone());
        Callback::from(move |event: MouseEvent| {
            close.emit(event);
            dispatch.emit(Action::Tour(Some(resumed())));
        })
    };
    html! {
        <>
            <h2 id="help-title">{ "How this works" }</h2>
            <p>{ "Type or paste a filter: what " }<code>{ "tcpdump -d" }</code>{ ", " }<code>{ "-dd" }</code>{ " or " }<code>{ "-ddd" }</code>
                { " prints, the kernel's " }<code>{ "bpf_asm" }</code>{ " language, or eBPF assembly. It is converted to eBPF as Linux does, \
                and run over the packet at once. Step it forward and back; rows of one colour come from one instruction. \
                Drop a capture anywhere to try other packets. Nothing leaves your browser; a link holds everything." }</p>
            { choices(*settings, dispatch) }
            <table><caption class="visually-hidden">{ "Keys" }</caption><tbody>
                { for KEYS.iter().map(|(key, what)| html! { <tr><th scope="row"><kbd>{ *key }</kbd></th><td>{ *what }</td></tr> }) }
            </tbody></table>
            <button type="button" class="btn primary" onclick={close}>{ "Close" }</button>
            { " " }<button type="button" class="btn" data-testid="help-tour" onclick={tour}>{ "Take the tour" }</button>
        </>
    }
}

/// The settings.
fn choices(settings: Settings, dispatch: &Callback<Action>) -> Html {
    let theme = dispatch.reform(move |event: Event| {
        let name = event.target_unchecked_into::<HtmlSelectElement>().value();
        let theme = Theme::ALL.into_iter().find(|theme| theme.name() == name).unwrap_or_default();
        Action::Settings(Settings { theme, ..settings })
    });
    let plain = dispatch.reform(move |event: Event| {
        let plain = event.target_unchecked_into::<HtmlInputElement>().checked();
        Action::Settings(Settings { plain, ..settings })
    });
    let name = |theme| match theme {
        Theme::System => "as the system has them",
        Theme::Light => "light",
        Theme::Dark => "dark",
        Theme::Contrast => "high contrast",
    };
    html! {
        <div class="choices">
            <label>{ "Colours " }<select data-testid="theme-select" onchange={theme}>
                { for Theme::ALL.into_iter().map(|theme| html! {
                    <option value={theme.name()} selected={settings.theme == theme}>{ name(theme) }</option>
                }) }
            </select></label>
            <label><input type="checkbox" data-testid="plain-editor" checked={settings.plain} onchange={plain} />
                { " A plain text area instead of the editor" }</label>
        </div>
    }
}
