//! The packet pane: bytes, layers, and the field to edit them in.

use super::{PageProps, flag};
use crate::state::{Action, State};
use bpf64_core::machine::{Place, Region};
use bpf64_core::packet::layers::Kind;
use web_sys::HtmlTextAreaElement;
use yew::prelude::*;

/// Bytes in a line of the hex view.
const LINE: usize = 8;
/// The most bytes that are shown; a jumbo frame is 9,000.
const SHOWN: usize = 4096;

/// The pane.
#[component]
pub(super) fn PacketPane(PageProps { page }: &PageProps) -> Html {
    html! {
        <div class="packet-parts">
            <Bytes page={page.clone()} />
            <div class="packet-rest"><Layers page={page.clone()} /><Input page={page.clone()} /></div>
        </div>
    }
}

/// The hex view. Bytes are tinted by layer; those the last step read are solid, those the next will read framed.
#[component]
fn Bytes(PageProps { page }: &PageProps) -> Html {
    let state = &page.state;
    let bytes = state.player.as_ref().map_or(state.packet.bytes.as_slice(), |player| player.packet());
    let shown = &bytes[..bytes.len().min(SHOWN)];
    html! {
        <div class="scroll bytes" tabindex="0" role="group" aria-label="Packet bytes">
            <div class="hex mono" data-testid="packet-bytes">
                { for shown.chunks(LINE).enumerate().map(|(line, chunk)| html! {
                    <>
                        <span class="o">{ format!("{:04x}", line * LINE) }</span>
                        <span>{ for chunk.iter().enumerate().map(|(column, &value)| byte(state, line * LINE + column, value)) }</span>
                        <span class="a" aria-hidden="true">{ chunk.iter().map(|&byte| if byte.is_ascii_graphic() { byte as char } else { '·' }).collect::<String>() }</span>
                    </>
                }) }
                if bytes.is_empty() { <span class="none">{ "The packet is empty: type bytes below, or open a capture." }</span> }
            </div>
            if bytes.len() > SHOWN { <p class="empty">{ format!("{} more bytes are not shown", bytes.len() - SHOWN) }</p> }
        </div>
    }
}

fn byte(state: &State, offset: usize, value: u8) -> Html {
    let kind = state
        .packet
        .layers
        .iter()
        .find(|layer| layer.bytes.contains(&offset))
        .map(|layer| kind_class(layer.kind));
    let (just_read, next) = state.player.as_ref().map_or((false, false), |player| {
        let covers = |reads: &[bpf64_core::machine::Read]| {
            reads.iter().any(|read| match read.place {
                Place::Memory { region: Region::Packet, offset: start, size } => {
                    (start as usize..start as usize + size.bytes()).contains(&offset)
                }
                _ => false,
            })
        };
        (covers(player.last().0), covers(player.reads(player.position())))
    });
    html! {
        <i class={classes!(kind, just_read.then_some("read"), next.then_some("next"))}
            data-testid={format!("byte-{offset}")} data-accessed={flag(just_read)} data-next={flag(next)}>{ format!("{value:02x}") }</i>
    }
}

fn kind_class(kind: Kind) -> &'static str {
    match kind {
        Kind::Link => "link",
        Kind::Tag => "tag",
        Kind::Network => "net",
        Kind::Transport => "transport",
        Kind::Payload => "payload",
    }
}

/// The legend of the tints, with what each layer says.
#[component]
fn Layers(PageProps { page }: &PageProps) -> Html {
    html! {
        <div class="layers" tabindex="0" role="group" aria-label="Layers of the packet">
            { for page.state.packet.layers.iter().map(|layer| html! {
                <span title={format!("bytes {} to {}", layer.bytes.start, layer.bytes.end - 1)}>
                    <em class={kind_class(layer.kind)}></em><b>{ layer.name }</b>{ " " }{ &layer.summary }</span>
            }) }
        </div>
    }
}

/// The packet as text.
#[component]
fn Input(PageProps { page }: &PageProps) -> Html {
    let packet = &page.state.packet;
    let oninput = page.on(|event: InputEvent| {
        Action::PacketText(event.target_unchecked_into::<HtmlTextAreaElement>().value())
    });
    html! {
        <div class="packet-text">
            <label for="packet-input">{ "Edit as hexadecimal, or paste a dump" }</label>
            <textarea id="packet-input" class="mono" rows="2" spellcheck="false" autocomplete="off" data-testid="packet-input"
                value={packet.text.clone()} {oninput} aria-invalid={packet.fault.is_some().to_string()} aria-describedby="packet-fault" />
            <p id="packet-fault" class="fault" role="status">{ packet.fault.clone().unwrap_or_default() }</p>
        </div>
    }
}
