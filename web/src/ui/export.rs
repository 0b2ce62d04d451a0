//! The export dialog: the program in other forms, to be copied or saved; and the packet as a capture.

use super::change::use_change;
use super::{Page, QuietProps};
use crate::browser;
use crate::export::{Form, capture};
use crate::state::Action;
use std::rc::Rc;
use web_sys::{HtmlDialogElement, HtmlSelectElement};
use yew::platform::spawn_local;
use yew::prelude::*;

/// The dialog. It is there as long as a form is chosen.
#[component]
pub(super) fn Export(QuietProps { page }: &QuietProps) -> Html {
    let dialog = use_node_ref();
    {
        let dialog = dialog.clone();
        use_change(page.state.export.is_some(), move |_| {
            if let Some(dialog) = dialog.cast::<HtmlDialogElement>() {
                // Fails only when it is open already.
                let _ = dialog.show_modal();
            }
        });
    }
    let (Some(form), Some(levels)) = (page.state.export, &page.state.levels) else { return Html::default() };
    let all: Vec<_> = Form::of(levels).collect();
    let choose = {
        let all = all.clone();
        page.on(move |event: Event| {
            let at = event.target_unchecked_into::<HtmlSelectElement>().selected_index();
            Action::Export(usize::try_from(at).ok().and_then(|at| all.get(at)).map(|found| found.0))
        })
    };
    html! {
        <dialog ref={dialog} class="export" aria-labelledby="export-title" data-testid="export-dialog" onclose={page.send(Action::Export(None))}>
            <h2 id="export-title">{ "Take it elsewhere" }</h2>
            <select aria-label="Form" data-testid="export-form" onchange={choose}>
                { for all.iter().map(|(one, name)| html! { <option selected={*one == form}>{ *name }</option> }) }
            </select>
            <textarea class="mono" readonly={true} aria-label="The program in this form" data-testid="export-text" value={form.text(levels)} />
            <Buttons page={page.clone()} />
        </dialog>
    }
}

#[component]
fn Buttons(QuietProps { page }: &QuietProps) -> Html {
    let said = use_state_eq(|| "");
    let form = page.state.export;
    let text = |page: &Page| match (page.state.export, &page.state.levels) {
        (Some(form), Some(levels)) => Some((form, form.text(levels))),
        _ => None,
    };
    {
        let said = said.clone();
        use_change(form, move |_| said.set(""));
    }
    let copy = {
        let (page, said) = (page.clone(), said.clone());
        Callback::from(move |_: MouseEvent| {
            let (said, text) = (said.clone(), text(&page).map(|found| found.1).unwrap_or_default());
            let copied = browser::copy(&text.into());
            spawn_local(async move {
                said.set(if copied.await { "Copied" } else { "Copy it from above" });
            });
        })
    };
    let save = {
        let page = page.clone();
        Callback::from(move |_: MouseEvent| {
            if let Some((form, text)) = text(&page) {
                browser::save(form.file(), text.as_bytes());
            }
        })
    };
    let packet = {
        let state = Rc::clone(&page.state);
        Callback::from(move |_: MouseEvent| browser::save("packet.pcap", &capture(&state.packet)))
    };
    html! {
        <p class="export-buttons">
            <button type="button" class="btn primary" data-testid="export-copy" onclick={copy}>{ "Copy" }</button>
            <button type="button" class="btn" data-testid="export-save" onclick={save}>{ "Save" }</button>
            if !page.state.packet.bytes.is_empty() {
                <button type="button" class="btn" data-testid="export-packet" onclick={packet}>{ "Save the packet (.pcap)" }</button>
            }
            <span class="said" role="status">{ *said }</span>
            <button type="button" class="btn end" onclick={page.send(Action::Export(None))}>{ "Close" }</button>
        </p>
    }
}
