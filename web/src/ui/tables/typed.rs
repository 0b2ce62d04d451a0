//! Keys and values that have parts, each with an input of its own: numbers, names, texts, as the types of the table say.

use super::super::Page;
use crate::state::Action;
use crate::ui::change::use_change;
use bpf64_core::btf::{Form, Id, Part};
use bpf64_core::link::Entry;
use bpf64_core::maps::{MapDef, Types};
use wasm_bindgen::JsCast;
use web_sys::{HtmlFormElement, HtmlInputElement};
use yew::prelude::*;

/// The parts of a table's keys or values. None where one number is all there is, or where nothing is known.
pub(super) fn parts(def: &MapDef, of: fn(&Types) -> Id, size: u32) -> Option<Vec<Part>> {
    let types = def.types.as_deref()?;
    let parts = types.btf.parts(of(types))?;
    let plain = matches!(&parts[..], [Part { form: Form::Unsigned, name, .. }] if name.is_empty());
    // Types that do not fit say nothing.
    (!plain && parts.iter().all(|part| part.end() <= size as usize)).then_some(parts)
}

/// Inputs for the parts of the value of `key`, which holds these bytes.
pub(super) fn value(
    page: &Page,
    def: &MapDef,
    changed: bool,
    key: (&[u8], &str),
    bytes: &[u8],
    parts: Vec<Part>,
) -> Html {
    let (table, testid) = (&def.name, format!("{}-{}", def.name, key.1));
    let input = |part: Part| {
        let label = format!("{} of {} in {table}", called(&part), key.1);
        html! {
            <PartInput page={page.clone()} table={table.clone()} key_bytes={key.0.to_vec()} bytes={bytes.to_vec()} {changed} {label}
                testid={format!("{testid}-{}", part.name)} {part} />
        }
    };
    html! { <div class="parts">{ for parts.into_iter().map(input) }</div> }
}

/// Inputs for the parts of something that is put in, by the name of the whole.
pub(super) fn adder(def: &MapDef, whole: &str, parts: &[Part]) -> Html {
    let input = |(number, part): (usize, &Part)| {
        let name = called(part);
        html! {
            <label>{ name.clone() }<input class="mono" type="text" name={format!("{whole}-{number}")} placeholder={part.text(&[0; 256])}
                aria-label={format!("{name} of the {whole} for {}", def.name)} data-testid={format!("{whole}-for-{}-{}", def.name, part.name)}
                autocomplete="off" spellcheck="false" /></label>
        }
    };
    html! { <fieldset class="parts"><legend>{ whole.to_owned() }</legend>{ for parts.iter().enumerate().map(input) }</fieldset> }
}

/// The bytes of what was typed into these inputs; zeros where nothing was.
pub(super) fn read(
    form: &HtmlFormElement,
    whole: &str,
    parts: &[Part],
    size: usize,
) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; size];
    for (number, part) in parts.iter().enumerate() {
        let input = form.query_selector(&format!("[name={whole}-{number}]")).ok().flatten();
        let typed =
            input.map_or_else(String::new, |input| input.unchecked_into::<HtmlInputElement>().value());
        if !typed.trim().is_empty() {
            part.put(&mut bytes, &typed).map_err(|why| format!("{} of the {whole}: {why}", called(part)))?;
        }
    }
    Ok(bytes)
}

fn called(part: &Part) -> String {
    if part.name.is_empty() { "all of it".to_owned() } else { part.name.clone() }
}

/// Properties of [`PartInput`].
#[derive(Properties, PartialEq)]
struct PartProps {
    page: Page,
    table: String,
    key_bytes: Vec<u8>,
    /// The value.
    bytes: Vec<u8>,
    part: Part,
    /// Whether anything in the table is other than the program declares it.
    changed: bool,
    label: String,
    testid: String,
}

/// A part of a value. What cannot be read stays as it was typed, and is told.
#[component]
fn PartInput(props: &PartProps) -> Html {
    // What was typed, kept since the page may be drawn anew meanwhile, and why it cannot be read.
    let fault = use_state_eq(|| None::<(String, Option<String>)>);
    let oninput = {
        let fault = fault.clone();
        Callback::from(move |event: InputEvent| {
            fault.set(Some((event.target_unchecked_into::<HtmlInputElement>().value(), None)));
        })
    };
    {
        // Nor does what could not be put in count any more once the table is as declared.
        let fault = fault.clone();
        use_change(props.changed, move |changed| {
            if !changed {
                fault.set(None);
            }
        });
    }
    let onchange = {
        let fault = fault.clone();
        let PartProps { page, table, key_bytes, bytes, part, .. } = props;
        let (page, table, key, bytes, part) =
            (page.clone(), table.clone(), key_bytes.clone(), bytes.clone(), part.clone());
        Callback::from(move |event: Event| {
            let typed = event.target_unchecked_into::<HtmlInputElement>().value();
            let mut value = bytes.clone();
            match part.put(&mut value, &typed) {
                Ok(()) => {
                    fault.set(None);
                    let entry = Entry { table: table.clone(), key: key.clone(), value: Some(value) };
                    page.dispatch.emit(Action::Entry(entry));
                }
                Err(why) => fault.set(Some((typed, Some(why)))),
            }
        })
    };
    let PartProps { part, bytes, label, testid, .. } = props;
    let value = fault.as_ref().map_or_else(|| part.text(bytes), |(typed, _)| typed.clone());
    let why = fault.as_ref().and_then(|(_, why)| why.clone());
    html! {
        <label>{ called(part) }<input class="mono" type="text" {value} {oninput} {onchange} aria-label={label.clone()} data-testid={testid.clone()}
                aria-invalid={why.is_some().to_string()} autocomplete="off" spellcheck="false" />
            if let Some(why) = why { <span class="fault" role="status">{ why }</span> }</label>
    }
}
