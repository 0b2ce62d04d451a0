//! The tables pane: what each table holds at this step, before the run, where it can be changed, or after the capture.

mod typed;

use super::{Page, memory};
use crate::player::Player;
use crate::state::{Action, Moment};
use crate::work::TableRows;
use bpf64_core::explain::field;
use bpf64_core::isa::Size;
use bpf64_core::link::Entry;
use bpf64_core::machine::{Place, Region};
use bpf64_core::maps::{self, Holds, LPM_TRIE, MapDef, Named, Row, Table};
use std::net::Ipv4Addr;
use wasm_bindgen::JsCast;
use web_sys::{HtmlFormElement, HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;

/// When tables can be shown, and what that is called.
const MOMENTS: [(Moment, &str, &str); 3] = [
    (Moment::Now, "At this step", "now"),
    (Moment::Before, "Before the run", "before"),
    (Moment::AfterCapture, "After the capture", "after"),
];

/// The pane.
pub(super) fn tables_pane(page: &Page) -> Html {
    let state = &page.state;
    let (Some(levels), Some(player)) = (&state.levels, &state.player) else { return Html::default() };
    let maps = levels.ebpf.maps();
    if maps.is_empty() {
        return html! { <p class="empty">{ "This program has no tables. One is declared by " }<code class="mono">{ ".map counts hash key=4 value=8 max=64" }</code>{ "." }</p> };
    }
    let button = |(moment, name, id): &(Moment, &'static str, &'static str)| {
        html! {
            <button type="button" aria-pressed={(state.moment == *moment).to_string()} data-testid={format!("tables-{id}")}
                onclick={page.send(Action::Moment(*moment))}>{ *name }</button>
        }
    };
    let (about, body) = match state.moment {
        Moment::Now => {
            let tables = player.tables();
            let named = Named { tables, programs: &levels.names };
            let all = (0..)
                .zip(tables)
                .map(|(number, table)| now(page, player, (number, table), named))
                .collect::<Html>();
            ("One packet by itself: the run begins with what is set before it.", all)
        }
        Moment::Before => {
            let tables = state.given.tables(levels);
            let named = Named { tables: &tables, programs: &levels.names };
            let all = tables.iter().map(|table| before(page, table, named)).collect::<Html>();
            ("What every run begins with. Changes are kept in the link.", all)
        }
        Moment::AfterCapture => {
            ("Here tables carry on from packet to packet, as they do in a kernel.", after(page))
        }
    };
    html! {
        <div key="tables" class="scroll tables-body" tabindex="0" role="group" aria-label="Tables" data-testid="maps">
            <div class="segments" role="group" aria-label="When">{ for MOMENTS.iter().map(button) }</div>
            <p class="hint">{ about }</p>
            { body }
        </div>
    }
}

/// The name of a table and what it is.
fn heading(def: &MapDef, total: usize) -> Html {
    let count = match (total, def.kind.preset()) {
        (0, false) => "empty".to_owned(),
        (total, true) => format!("{total} of {} not 0", def.max_entries),
        (total, false) => format!("{total} of {}", def.max_entries),
    };
    // Where nothing has a key, the order says everything.
    let order = (def.key_size == 0).then(|| def.kind.doc());
    html! { <h3 class="sub" title={def.kind.doc()}><b class="mono">{ &def.name }</b>{ format!(" {}, {count}", def.kind.name().replace('_', " ")) }if let Some(order) = order { <small>{ order }</small> }</h3> }
}

/// A line with a bar as long as its number among others.
fn line(key: &str, value: Html, amount: Option<u64>, largest: u64) -> Html {
    let share = amount.filter(|_| largest > 0).map(|amount| (amount as f64 * 1000.0 / largest as f64) as u32);
    html! {
        <tr data-testid="map-row"><th scope="row" class="mono">{ key.to_owned() }</th><td class="mono">{ value }</td>
            <td class="bar">{ for share.map(|share| html! {
                <svg height="10" aria-hidden="true"><rect x="0" y="1" width={super::percent(share)} height="8" rx="2" /></svg> }) }</td></tr>
    }
}

fn largest(amounts: impl Iterator<Item = Option<u64>>) -> u64 {
    let all: Vec<u64> = amounts.flatten().collect();
    if all.len() > 1 { all.into_iter().max().unwrap_or(0) } else { 0 }
}

fn listed(def: &MapDef, lines: Html) -> Html {
    html! { <table class="map-rows" aria-label={format!("Entries of {}", def.name)}><tbody>{ lines }</tbody></table> }
}

/// A table as it is now: a value leads to the step that wrote it.
fn now(page: &Page, player: &Player, (number, table): (u16, &Table), named: Named<'_>) -> Html {
    let def = table.def();
    let rows = table.rows(named, |_| None, TableRows::MOST);
    let most = largest(rows.list.iter().map(|row| row.amount));
    let value = |row: &Row| match place(table, number, &row.bytes) {
        Some(place) => html! {
            <button type="button" class="link-like" title="Go to the step that wrote it" onclick={page.send(Action::GoToMaker(place))}>{ &row.value }</button>
        },
        None => html! { { &row.value } },
    };
    let key = |(number, row): (usize, &Row)| {
        if row.bytes.is_empty() { format!("{}.", number + 1) } else { row.key.clone() }
    };
    let lines = rows
        .list
        .iter()
        .enumerate()
        .map(|one| line(&key(one), value(one.1), one.1.amount, most))
        .collect::<Html>();
    let memory = player.region(Region::Values(number));
    let used = memory.iter().rposition(|&byte| byte != 0).map_or(0, |last| last / 8 + 1).min(64);
    html! {
        <section class="map" data-testid={format!("map-{}", def.name)}>
            { heading(def, rows.total) }
            { listed(def, lines) }
            if used > 0 {
                <details><summary>{ "As memory" }</summary>{ memory::chooser(page, "table-view") }
                    <div class="hex mono">{ memory::rows(page, player, Region::Values(number), (0..used).map(|row| (row * 8, format!("+ {}", row * 8)))) }</div>
                </details>
            }
        </section>
    }
}

/// Where the value of a key is.
fn place(table: &Table, number: u16, key: &[u8]) -> Option<Place> {
    let kind = table.def().kind;
    let slot = kind.find(table, key)?;
    Some(Place::Memory { region: Region::Values(number), offset: kind.value(table, slot, 0), size: Size::B })
}

/// A table as runs find it, to be changed.
fn before(page: &Page, table: &Table, named: Named<'_>) -> Html {
    let def = table.def();
    let rows = table.rows(named, |_| None, TableRows::MOST);
    let parts = typed::parts(def, |types| types.value, def.value_size);
    let is_changed = page.state.given.entries.iter().any(|entry| entry.table == def.name);
    let entry = |row: &Row, value| Entry { table: def.name.clone(), key: row.bytes.clone(), value };
    let one = |row: &Row| {
        let (key, size) = (row.bytes.clone(), def.value_size as usize);
        let onchange = put(page, def, key, size);
        let bytes = table.read(&row.bytes).map(|mut bytes| {
            bytes.truncate(size);
            bytes
        });
        let shown = bytes.as_ref().map_or_else(|_| row.value.clone(), |bytes| typed(bytes, &row.value));
        let is_kept = def.kind.preset() || row.bytes.is_empty();
        html! {
            // By its key: what was typed wrong stays with its entry.
            <tr key={row.key.clone()} data-testid="map-row"><th scope="row" class="mono">{ &row.key }</th>
                <td>if row.bytes.is_empty() { <span class="mono">{ &row.value }</span> } else if def.kind.holds() == Holds::Programs {
                    { chooser(page, def, row, named.programs) }
                } else if let (Some(parts), Ok(bytes)) = (&parts, &bytes) {
                    { typed::value(page, def, is_changed, (&row.bytes, &row.key), bytes, parts.clone()) }
                } else {
                    <input class="mono" type="text" value={shown} {onchange} aria-label={format!("Value of {} in {}", row.key, def.name)} autocomplete="off" spellcheck="false" /> }</td>
                <td>if !is_kept { <button type="button" class="btn small" aria-label={format!("Delete {}", row.key)} onclick={page.send(Action::Entry(entry(row, None)))}>{ "×" }</button> }</td></tr>
        }
    };
    html! {
        <section class="map" data-testid={format!("map-{}", def.name)}>
            { heading(def, rows.total) }
            { listed(def, rows.list.iter().map(one).collect::<Html>()) }
            { adder(page, def, named.programs) }
            if is_changed {
                <button type="button" class="btn small" data-testid="tables-reset" onclick={page.send(Action::ForgetEntries(def.name.clone()))}>{ "As the program declares it" }</button>
            }
        </section>
    }
}

/// Chooses the program of an entry by its name.
fn chooser(page: &Page, def: &MapDef, row: &Row, programs: &[String]) -> Html {
    let onchange = {
        let (page, table, key) = (page.clone(), def.name.clone(), row.bytes.clone());
        Callback::from(move |event: Event| {
            let chosen = event.target_unchecked_into::<HtmlSelectElement>().selected_index();
            let value = Some((chosen as u32).to_le_bytes().to_vec());
            page.dispatch.emit(Action::Entry(Entry { table: table.clone(), key: key.clone(), value }));
        })
    };
    let chosen = |name: &String| row.value.strip_prefix("program ") == Some(name);
    html! {
        <select class="mono" {onchange} aria-label={format!("Program at {} in {}", row.key, def.name)}>{ options(programs, chosen) }</select>
    }
}

fn options(programs: &[String], chosen: impl Fn(&String) -> bool) -> Html {
    programs.iter().map(|name| html! { <option selected={chosen(name)}>{ name }</option> }).collect()
}

/// A number as it is typed, or all digits where text could not be read back.
fn typed(bytes: &[u8], text: &str) -> String {
    match read_bytes(bytes.len(), text) {
        Ok(read) if read == bytes => text.to_owned(),
        _ => bytes.iter().fold("0x".to_owned(), |all, byte| format!("{all}{byte:02x}")),
    }
}

/// What is typed becomes the value of a key.
fn put(page: &Page, def: &MapDef, key: Vec<u8>, size: usize) -> Callback<Event> {
    let (page, table) = (page.clone(), def.name.clone());
    Callback::from(move |event: Event| {
        let typed = event.target_unchecked_into::<HtmlInputElement>().value();
        page.dispatch.emit(match read_bytes(size, &typed) {
            Ok(value) => Action::Entry(Entry { table: table.clone(), key: key.clone(), value: Some(value) }),
            Err(why) => Action::Notice(format!("{table}: {why}.")),
        });
    })
}

/// The form for another entry.
fn adder(page: &Page, def: &MapDef, programs: &[String]) -> Html {
    let holds_programs = def.kind.holds() == Holds::Programs;
    if holds_programs && programs.is_empty() {
        return html! { <p class="hint">{ "There is no other program to go on in. One is begun by " }<code class="mono">{ ".program NAME" }</code>{ "." }</p> };
    }
    let is_trie = def.kind.number() == LPM_TRIE.number();
    let key_parts = typed::parts(def, |types| types.key, def.key_size).filter(|_| !is_trie);
    let value_parts = typed::parts(def, |types| types.value, def.value_size).filter(|_| !holds_programs);
    let onsubmit = {
        let (page, table, def) = (page.clone(), def.name.clone(), def.clone());
        let (key_parts, value_parts) = (key_parts.clone(), value_parts.clone());
        let value_size = def.value_size as usize;
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let form = event.target_unchecked_into::<HtmlFormElement>();
            let field = |name: &str| {
                let input = form.query_selector(&format!("[name={name}]")).ok().flatten()?;
                Some(input.unchecked_into::<HtmlInputElement>().value())
            };
            let key = match &key_parts {
                Some(parts) => typed::read(&form, "key", parts, def.key_size as usize),
                None => field("key").map_or(Ok(Vec::new()), |text| read_key(&def, &text)),
            };
            let value = match (form.query_selector("select").ok().flatten(), &value_parts) {
                (_, Some(parts)) => typed::read(&form, "value", parts, value_size),
                (Some(select), None) => Ok((select.unchecked_into::<HtmlSelectElement>().selected_index()
                    as u32)
                    .to_le_bytes()
                    .to_vec()),
                (None, None) => read_bytes(value_size, &field("value").unwrap_or_default()),
            };
            page.dispatch.emit(match (key, value) {
                (Ok(key), Ok(value)) => {
                    form.reset();
                    Action::Entry(Entry { table: table.clone(), key, value: Some(value) })
                }
                (Err(why), _) | (_, Err(why)) => Action::Notice(format!("{table}: {why}.")),
            });
        })
    };
    let field = |name: &'static str, size: u32| {
        let wanted = match (name, is_trie, size) {
            ("key", true, 8) => "192.0.2.0/24".to_owned(),
            ("key", true, 20) => "2001:db8::/32".to_owned(),
            _ => format!("{name}, {size} bytes"),
        };
        html! {
            <input class="mono" type="text" {name} placeholder={wanted} aria-label={format!("{name} for {}", def.name)}
                data-testid={format!("{name}-for-{}", def.name)} autocomplete="off" spellcheck="false" />
        }
    };
    html! {
        <form class="adder" {onsubmit}>
            if let Some(parts) = &key_parts { { typed::adder(def, "key", parts) } } else if def.key_size > 0 { { field("key", def.key_size) } }
            if let Some(parts) = &value_parts { { typed::adder(def, "value", parts) } } else if holds_programs {
                <select class="mono" aria-label={format!("value for {}", def.name)} data-testid={format!("value-for-{}", def.name)}>{ options(programs, |_| false) }</select>
            } else { { field("value", def.value_size) } }
            <button type="submit" class="btn small">{ "Put in" }</button>
        </form>
    }
}

/// The bytes of a key: of a trie, a prefix.
fn read_key(def: &MapDef, text: &str) -> Result<Vec<u8>, String> {
    let is_trie = def.kind.number() == LPM_TRIE.number();
    if is_trie && text.contains('/') { def.prefix(text) } else { read_bytes(def.key_size as usize, text) }
}

/// The bytes of a number, an IPv4 address, or digits.
fn read_bytes(size: usize, text: &str) -> Result<Vec<u8>, String> {
    let text = text.trim();
    if let (4, Ok(address)) = (size, text.parse::<Ipv4Addr>()) {
        return Ok(address.octets().to_vec());
    }
    if matches!(size, 1 | 2 | 4 | 8) {
        return field::plain(size, text).map(|number| number.to_le_bytes()[..size].to_vec());
    }
    let bytes = maps::digits(text)?;
    if bytes.len() == size {
        Ok(bytes)
    } else {
        Err(format!("{size} bytes are wanted, and {} are given", bytes.len()))
    }
}

/// Tables after the capture.
fn after(page: &Page) -> Html {
    let state = &page.state;
    let (judged, Some(levels)) = (&state.judged, &state.levels) else { return Html::default() };
    if state.capture.is_none() || judged.tables.is_empty() {
        return html! { <p class="empty">{ if state.capture.is_none() { "No capture is open." } else { "The capture is still under way." } }</p> };
    }
    let table = |(def, kept): (&std::rc::Rc<MapDef>, &TableRows)| {
        let most = largest(kept.rows.iter().map(|row| row.2));
        let lines = kept
            .rows
            .iter()
            .map(|(key, value, amount)| line(key, html! { { value } }, *amount, most))
            .collect::<Html>();
        html! { <section class="map" data-testid={format!("map-{}", def.name)}>{ heading(def, kept.total as usize) }{ listed(def, lines) }</section> }
    };
    levels.ebpf.maps().iter().zip(judged.tables.iter()).map(table).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_typed_as_numbers_addresses_or_digits() {
        assert_eq!(read_bytes(4, "-1"), Ok(vec![0xff; 4]));
        assert_eq!(read_bytes(4, "192.0.2.1"), Ok(vec![192, 0, 2, 1]));
        assert_eq!(read_bytes(8, " 0x0100 "), Ok(vec![0, 1, 0, 0, 0, 0, 0, 0]));
        assert_eq!(read_bytes(3, "0a0b0c"), Ok(vec![10, 11, 12]));
        assert!(read_bytes(3, "0a").is_err() && read_bytes(1, "256").is_err() && read_bytes(4, "").is_err());
        assert_eq!((typed(&[7, 0], "7"), typed(&[1, 2, 3], "one")), ("7".to_owned(), "0x010203".to_owned()));
    }
}
