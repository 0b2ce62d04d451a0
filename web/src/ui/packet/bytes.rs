//! The packet's bytes, eight to a line: tinted by layer, marked by who reads them, selected by pointer and keys.

use super::kind_class;
use crate::browser;
use crate::state::{Action, LINE, PacketAction, State, View};
use crate::ui::{Page, QuietProps, flag, memory};
use bpf64_core::machine::{Place, Read, Region};
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
    use_follow(state.touch.selected.as_ref().map(|bytes| bytes.start));
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
                { for shown.chunks(LINE).enumerate().map(|(line, chunk)| html! {
                    <>
                        <span class="o">{ format!("{:04x}", line * LINE) }</span>
                        <span>{ for chunk.iter().enumerate().map(|(column, &value)| byte(state, &marks, line * LINE + column, value)) }</span>
                        <span class="a" aria-hidden="true">{ chunk.iter().map(|&byte| if byte.is_ascii_graphic() { byte as char } else { '·' }).collect::<String>() }</span>
                    </>
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

fn byte(state: &State, marks: &Marks, offset: usize, value: u8) -> Html {
    let within = |ranges: &[Range<usize>]| ranges.iter().any(|range| range.contains(&offset));
    let layer = state.packet.layers.iter().find(|layer| layer.bytes.contains(&offset));
    let (read, next, lit) = (within(&marks.read), within(&marks.next), within(&state.touch.lit));
    let selected = state.touch.selected.as_ref().is_some_and(|bytes| bytes.contains(&offset));
    let classes = classes!(
        layer.map(|layer| kind_class(layer.kind)),
        read.then_some("read"),
        next.then_some("next"),
        lit.then_some("lit"),
        selected.then_some("selected")
    );
    html! {
        <i class={classes} data-testid={format!("byte-{offset}")} data-accessed={flag(read)} data-next={flag(next)}
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
fn use_follow(start: Option<usize>) {
    use_effect_with(start, |start| {
        if let Some(start) = start {
            browser::reveal(&format!("[data-testid=byte-{start}]"));
            browser::reveal(".field-row.selected");
        }
    });
}
