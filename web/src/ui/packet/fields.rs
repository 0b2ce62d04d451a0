//! The layers of the packet, outermost first; the one that is looked at shows its fields, to be edited, which the second module
//! draws.

use super::kind_class;
use super::selection::typed;
use crate::state::{Action, PacketAction, Spot};
use crate::ui::{Page, later_for};
use bpf64_core::packet::{Field, Layer, edit};
use std::ops::Range;
use yew::prelude::*;

/// The list. A layer is open if what is selected lies in it.
pub(super) fn layers_view(page: &Page) -> Html {
    html! {
        <div class="layers" data-testid="packet-layers">
            { for page.state.packet.layers.iter().enumerate().map(|(number, layer)| one(page, number, layer)) }
        </div>
    }
}

fn one(page: &Page, number: usize, layer: &Layer) -> Html {
    let selected = page.state.touch.selected.as_ref();
    let open = selected.is_some_and(|bytes| layer.bytes.contains(&bytes.start));
    let action = if open { PacketAction::Unselect } else { PacketAction::Select(layer.bytes.clone()) };
    let wrong = page.state.packet.faults.iter().any(|mend| layer.bytes.contains(&mend.bytes.start));
    html! {
        <>
            <button type="button" class="layer-head" aria-expanded={open.to_string()} data-testid={format!("layer-{number}")}
                title={format!("bytes {} to {}", layer.bytes.start, layer.bytes.end - 1)} onclick={page.send(Action::Packet(action))}>
                <em class={kind_class(layer.kind)}></em><b>{ layer.name }</b><span>{ &layer.summary }</span>
                if wrong { <span class="wrong">{ "to mend" }</span> }
            </button>
            if open { { later_for(page).map_or_else(|meanwhile| meanwhile, |later| (later.fields)(page, number)) } }
        </>
    }
}

/// The fields of a layer.
pub(in crate::ui) fn fields(page: &Page, number: usize) -> Html {
    let Some(layer) = page.state.packet.layers.get(number) else { return Html::default() };
    html! {
        <div class="fields" role="group" aria-label={format!("Fields of {}", layer.name)}>
            { for layer.fields.iter().map(|field| row(page, layer, field)) }
        </div>
    }
}

fn row(page: &Page, layer: &Layer, field: &Field) -> Html {
    let packet = &page.state.packet;
    let start = field.bytes.start;
    let noun = field.meaning.noun(field.label);
    let value = edit::text(field, &packet.bytes).unwrap_or_default();
    let selected = page.state.touch.selected.as_ref().is_some_and(|bytes| inside(bytes, &field.bytes));
    let draft = page.state.touch.draft.as_ref().filter(|draft| draft.spot == Spot::Field(start));
    let fault = draft.and_then(|draft| draft.fault.clone());
    let mend = packet.faults.iter().find(|mend| mend.bytes == field.bytes);
    let remark = match (fault, mend) {
        (Some(fault), _) => html! { <small class="wrong" role="status">{ fault }</small> },
        (None, Some(mend)) => {
            let right = field.meaning.typed(2, mend.value.into());
            html! { <small class="wrong">{ format!("should be {right}") }</small> }
        }
        (None, None) => {
            let remark = edit::remark(field, &packet.bytes).unwrap_or_default();
            html! { <small title={remark.clone()}>{ remark }</small> }
        }
    };
    html! {
        <div class={classes!("field-row", selected.then_some("selected"))} data-field={field.label}
            onfocusin={page.send(Action::Packet(PacketAction::Select(field.bytes.clone())))}>
            <span>{ &noun }</span>
            { typed(page, Spot::Field(start), value, &format!("{} {noun}", layer.name), &format!("field-{start}")) }
            { remark }
        </div>
    }
}

/// Whether a selection is of this field: it begins in it, and is not of more.
fn inside(selected: &Range<usize>, field: &Range<usize>) -> bool {
    field.start <= selected.start && selected.end <= field.end
}
