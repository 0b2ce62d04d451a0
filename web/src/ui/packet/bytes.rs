//! The packet's bytes, eight to a line: tinted by layer, marked by who reads them, selected by pointer and keys.

use super::kind_class;
use crate::browser;
use crate::later;
use crate::state::{Action, LINE, PacketAction, State, View};
use crate::ui::change::use_change;
use crate::ui::memo::memo;
use crate::ui::{Page, QuietProps, flag, memory};
use bpf64_core::machine::{Place, Read, Region};
use bpf64_core::packet::layers::Kind;
use std::ops::Range;
use wasm_bindgen::JsCast;
use web_sys::Element;
use yew::prelude::*;

/// The most bytes that are shown; a jumbo frame is 9,000.
const SHOWN: usize = 4096;

/// The hex view. Those the last step read are solid, those the next will read framed, those selected outlined.
#[component]
pub(super) fn Bytes(QuietProps { page }: &QuietProps) -> Html {
    let state = &page.state;
    // What programs do not see, and then what the run has made of the rest.
    let cut = state.cut();
    let bytes = match &state.player {
        Some(player) => [&state.packet.bytes[..cut], player.packet()].concat(),
        None => state.packet.bytes.clone(),
    };
    let shown = &bytes[..bytes.len().min(SHOWN)];
    let marks = Marks::of(state);
    let onclick = {
        let dispatch = page.dispatch.clone();
        Callback::from(move |event: MouseEvent| {
            let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
            if let Some(at) = target.and_then(|target| place_of(&target)) {
                dispatch.emit(Action::Packet(PacketAction::Select(at..at + 1)));
            }
        })
    };
    // Fields are only drawn once the second module is there.
    use_follow(state.touch.selected.as_ref().map(|bytes| (bytes.start, later::there().is_some())));
    if let (Some(player), true) = (&state.player, state.view != View::Bytes && !bytes.is_empty()) {
        let rows = (0..player.packet().len().min(SHOWN).div_ceil(LINE))
            .map(|line| (line * LINE, format!("{:04x}", cut + line * LINE)));
        return html! {
            <div class="scroll bytes" tabindex="0" role="group" aria-label="Packet as words">
                <div class="hex mono" data-testid="packet-words">{ memory::rows(page, player, Region::Packet, rows) }</div>
            </div>
        };
    }
    html! {
        <div class="scroll bytes" tabindex="0" role="group" {onclick} onkeydown={keys(page)}
            aria-label="Packet bytes" aria-description="Arrow keys select, Enter edits">
            <div class="hex mono" data-testid="packet-bytes">
                { for shown.chunks(LINE).enumerate().map(|(number, chunk)| {
                    let start = number * LINE;
                    let bytes = (start..).zip(chunk).map(|(at, &value)| Byte::of(state, &marks, at, value)).collect();
                    memo(Line { start, bytes }, line)
                }) }
                if bytes.is_empty() { <span class="none">{ "The packet is empty: type bytes below, make a packet, or open a capture." }</span> }
            </div>
            if bytes.len() > SHOWN { <p class="empty">{ format!("{} more bytes are not shown", bytes.len() - SHOWN) }</p> }
        </div>
    }
}

/// What bytes are marked for, looked up once for all of them.
struct Marks {
    read: Vec<Range<usize>>,
    next: Vec<Range<usize>>,
}

impl Marks {
    fn of(state: &State) -> Self {
        let in_packet = |reads: &[Read]| {
            let ranges = reads.iter().filter_map(|read| match read.place {
                Place::Memory { region: Region::Packet, offset, size } => {
                    let start = state.cut() + offset as usize;
                    Some(start..start + size.bytes())
                }
                _ => None,
            });
            ranges.collect()
        };
        match &state.player {
            Some(player) => {
                Marks { read: in_packet(player.last().0), next: in_packet(player.reads(player.position())) }
            }
            None => Marks { read: Vec::new(), next: Vec::new() },
        }
    }
}

/// A line of the view: all that it is drawn of, since a step changes few of them.
#[derive(PartialEq)]
struct Line {
    start: usize,
    bytes: Vec<Byte>,
}

#[derive(PartialEq)]
struct Byte {
    value: u8,
    layer: Option<Kind>,
    read: bool,
    next: bool,
    lit: bool,
    selected: bool,
}

impl Byte {
    fn of(state: &State, marks: &Marks, at: usize, value: u8) -> Self {
        let within = |ranges: &[Range<usize>]| ranges.iter().any(|range| range.contains(&at));
        Byte {
            value,
            layer: state.packet.layers.iter().find(|layer| layer.bytes.contains(&at)).map(|layer| layer.kind),
            read: within(&marks.read),
            next: within(&marks.next),
            lit: within(&state.touch.lit),
            selected: state.touch.selected.as_ref().is_some_and(|bytes| bytes.contains(&at)),
        }
    }
}

fn line(Line { start, bytes }: &Line) -> Html {
    let sign = |byte: &Byte| if byte.value.is_ascii_graphic() { byte.value as char } else { '·' };
    html! {
        <>
            <span class="o">{ format!("{start:04x}") }</span>
            <span>{ for (*start..).zip(bytes).map(|(at, shown)| byte(at, shown)) }</span>
            <span class="a" aria-hidden="true">{ bytes.iter().map(sign).collect::<String>() }</span>
        </>
    }
}

fn byte(at: usize, byte: &Byte) -> Html {
    let Byte { value, layer, read, next, lit, selected } = *byte;
    let classes = classes!(
        layer.map(kind_class),
        read.then_some("read"),
        next.then_some("next"),
        lit.then_some("lit"),
        selected.then_some("selected")
    );
    html! {
        <i class={classes} data-testid={format!("byte-{at}")} data-accessed={flag(read)} data-next={flag(next)}
            data-lit={flag(lit)} data-selected={flag(selected)}>{ format!("{value:02x}") }</i>
    }
}

/// Which byte an element shows.
fn place_of(element: &Element) -> Option<usize> {
    element.get_attribute("data-testid")?.strip_prefix("byte-")?.parse().ok()
}

/// Arrow keys move the selection, Enter goes to where the byte is typed, Escape selects nothing.
fn keys(page: &Page) -> Callback<KeyboardEvent> {
    let page = page.clone();
    Callback::from(move |event: KeyboardEvent| {
        let touch = |action| page.dispatch.emit(Action::Packet(action));
        match event.key().as_str() {
            "ArrowRight" => touch(PacketAction::Move(1)),
            "ArrowLeft" => touch(PacketAction::Move(-1)),
            "ArrowDown" => touch(PacketAction::Move(LINE as isize)),
            "ArrowUp" => touch(PacketAction::Move(-(LINE as isize))),
            "Enter" => browser::edit("[data-testid=byte-input]"),
            "Escape" if page.state.touch.selected.is_some() => touch(PacketAction::Unselect),
            _ => return,
        }
        event.prevent_default();
    })
}

/// Keeps the first selected byte and its field in view.
#[hook]
fn use_follow(start: Option<(usize, bool)>) {
    use_change(start, |start| {
        if let Some((start, _)) = start {
            browser::reveal(&format!("[data-testid=byte-{start}]"));
            browser::reveal(".field-row.selected");
        }
    });
}
