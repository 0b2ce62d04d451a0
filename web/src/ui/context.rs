//! The context pane: every field that a program of this type may see, to be set before the run; and its bytes.

use super::header::type_select;
use super::memo::memo;
use super::recorded::recorded;
use super::{Page, memory};
use crate::levels::Levels;
use crate::player::Player;
use crate::state::Action;
use bpf64_core::context::{Access, Field};
use bpf64_core::explain::field;
use bpf64_core::machine::Region;
use bpf64_core::seccomp::syscalls;
use web_sys::HtmlInputElement;
use yew::prelude::*;

/// The list of system calls that the field for their number offers.
const CALLS: &str = "syscall-names";

/// The pane.
pub(super) fn context_pane(page: &Page) -> Html {
    let (Some(levels), Some(player)) = (&page.state.levels, &page.state.player) else {
        return Html::default();
    };
    let description = &levels.program_type.context;
    let inputs =
        || description.fields.iter().filter(|known| known.access != Access::Hidden && field::is_input(known));
    let context = levels.program_type.context_in(&page.state.given.world(levels, page.state.packet.skb()));
    html! {
        <div key="context" class="scroll context-body" tabindex="0" role="group" aria-label="Fields of the context">
            <p class="hint runs-as"><label for="context-type">{ "Runs as" }</label> { type_select(page, "context-type") }</p>
            <p class="hint">{ format!("What the program finds in struct {} when it starts. A field that is set stays so for every packet.", description.name) }</p>
            <dl class="ctx" data-testid="context-form">
                { for inputs().map(|known| html! {
                    <FieldRow page={page.clone()} name={known.name.to_string()} doc={known.doc.to_string()}
                        text={field::text(&levels.program_type, &context, known)} />
                }) }
            </dl>
            if inputs().next().is_none() { <p class="empty">{ "There is nothing to set: all of it is the packet." }</p> }
            if description.name == "seccomp_data" { { memo((), calls) } }
            { recorded(page) }
            { bytes(page, levels, player) }
        </div>
    }
}

/// What the number of a system call may be called.
fn calls((): &()) -> Html {
    html! { <datalist id={CALLS}>{ for syscalls::names().map(|name| html! { <option value={name} /> }) }</datalist> }
}

/// Properties of [`FieldRow`].
#[derive(Properties, PartialEq)]
struct FieldProps {
    page: Page,
    name: String,
    doc: String,
    text: String,
}

#[component]
fn FieldRow(FieldProps { page, name, doc, text }: &FieldProps) -> Html {
    let fault = use_state_eq(String::new);
    let is_set = page.state.given.context.iter().any(|(other, _)| other == name);
    let onchange = {
        let (page, name, fault) = (page.clone(), name.clone(), fault.clone());
        Callback::from(move |event: Event| {
            let typed = event.target_unchecked_into::<HtmlInputElement>().value();
            match read(&page, &name, &typed) {
                Ok(bytes) => {
                    fault.set(String::new());
                    page.dispatch.emit(Action::Context(name.clone(), Some(bytes)));
                }
                Err(why) => fault.set(why),
            }
        })
    };
    let id = format!("context-{name}");
    let list = (name == "nr").then_some(CALLS);
    html! {
        <div class="ctx-row" data-set={super::flag(is_set)}>
            <dt><label class="mono" for={id.clone()}>{ name }</label></dt>
            <dd><input class="mono" type="text" id={id.clone()} data-testid={id.clone()} value={text.clone()} {list} {onchange} autocomplete="off" spellcheck="false"
                    aria-describedby={format!("{id}-doc")} aria-invalid={(!fault.is_empty()).to_string()} />
                if is_set {
                    <button type="button" class="btn small" aria-label={format!("Leave {name} to the run")} title="As the run has it"
                        onclick={page.send(Action::Context(name.clone(), None))}>{ "×" }</button>
                }
                <small class="doc" id={format!("{id}-doc")}>{ doc }</small>
                if !fault.is_empty() { <p class="fault" role="status">{ (*fault).clone() }</p> }</dd>
        </div>
    }
}

/// The bytes of a field for what was typed into it.
fn read(page: &Page, name: &str, typed: &str) -> Result<Vec<u8>, String> {
    let state = &page.state;
    let levels = state.levels.as_ref().ok_or("there is no program")?;
    let environment = &levels.program_type;
    let known: &Field = environment.context.field(name).ok_or("the context has no such field any more")?;
    let context = environment.context_in(&state.given.world(levels, state.packet.skb()));
    field::parse(environment, &context, known, typed)
}

/// The context as memory, up to its last byte that is not 0.
fn bytes(page: &Page, levels: &Levels, player: &Player) -> Html {
    let context = player.region(Region::Context);
    let used = context.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    let description = &levels.program_type.context;
    let rows = (0..used.div_ceil(8)).map(|row| {
        let at = row * 8;
        let name = description.field_at(at).map_or_else(String::new, |known| known.name.to_string());
        (at, format!("{at} {name}"))
    });
    if used == 0 {
        return Html::default();
    }
    html! {
        <>
            <h3 class="sub">{ "At this step, as memory" }{ memory::chooser(page, "context-view") }</h3>
            <div class="hex mono" data-testid="context-bytes">{ memory::rows(page, player, Region::Context, rows) }</div>
        </>
    }
}
