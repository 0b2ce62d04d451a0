//! The help: what the page is, and the keys.

use crate::keys;
use web_sys::HtmlDialogElement;
use yew::prelude::*;

/// Properties of [`Help`].
#[derive(Properties, PartialEq)]
pub(super) struct Props {
    /// The dialog, for whoever opens it.
    pub dialog: NodeRef,
}

/// A dialog; the browser closes it with Escape.
#[component]
pub(super) fn Help(Props { dialog }: &Props) -> Html {
    let close = {
        let dialog = dialog.clone();
        Callback::from(move |_: MouseEvent| {
            if let Some(dialog) = dialog.cast::<HtmlDialogElement>() {
                dialog.close();
            }
        })
    };
    html! {
        <dialog ref={dialog.clone()} aria-labelledby="help-title" data-testid="help-dialog">
            <h2 id="help-title">{ "How this works" }</h2>
            <p>{ "Type or paste a filter: what " }<code>{ "tcpdump -d" }</code>{ ", " }<code>{ "-dd" }</code>{ " or " }<code>{ "-ddd" }</code>
                { " prints, the kernel's " }<code>{ "bpf_asm" }</code>{ " language, or eBPF assembly. It is converted to eBPF as Linux does, \
                and run over the packet at once. Step it forward and back; rows of one colour come from one instruction. \
                Drop a capture anywhere to try other packets. Nothing leaves your browser; a link holds everything." }</p>
            <table><caption class="visually-hidden">{ "Keys" }</caption><tbody>
                { for keys::HELP.iter().map(|(key, what)| html! { <tr><th scope="row"><kbd>{ *key }</kbd></th><td>{ *what }</td></tr> }) }
            </tbody></table>
            <button type="button" class="btn primary" onclick={close}>{ "Close" }</button>
        </dialog>
    }
}
