//! The machine pane: what comes next, registers, scratch memory, stack, context.

use super::{PageProps, flag};
use crate::levels::Level;
use crate::player::{Player, Register};
use crate::say;
use bpf64_core::context::{Access, Description};
use bpf64_core::interp::STACK_SIZE;
use bpf64_core::machine::{Change, Place, Region};
use yew::prelude::*;

/// The pane.
#[component]
pub fn Machine(PageProps { page }: &PageProps) -> Html {
    let state = &page.state;
    let (Some(player), Some(levels)) = (&state.player, &state.levels) else {
        return html! { <section class="pane machine" aria-label="Machine"><h2>{ "Machine" }</h2></section> };
    };
    let slot =
        player.pc().and_then(|pc| levels.rows(state.level).get(pc.index())).map(|row| row.slot.to_string());
    let place =
        slot.as_ref().map_or_else(|| "at the end".to_owned(), |slot| format!("before instruction {slot}"));
    html! {
        <section class="pane machine" aria-label="Machine">
            <h2>{ "Machine" }<small data-testid="pc" data-value={slot.unwrap_or_else(|| "end".to_owned())}>{ place }</small></h2>
            <p class="say" aria-live="polite" data-testid="say">{ say::next(player, state.packet.link_type) }</p>
            <div class={classes!("scroll", state.is_stale().then_some("stale"))} tabindex="0" role="group" aria-label="Registers and memory">
                <div class="regs mono">{ for player.registers().into_iter().map(register) }</div>
                { scratch(player) }
                { stack(player) }
                { context(player, &levels.program_type.context) }
            </div>
        </section>
    }
}

fn register(register: Register) -> Html {
    let Register { id, name, value, changed, kind, meaning } = register;
    html! {
        <div class={classes!("reg", changed.then_some("changed"), (value == 0 && !changed).then_some("zero"))}
            data-testid={format!("reg-{id}")} data-value={format!("0x{value:016x}")}
            data-changed={changed.to_string()} data-kind={kind}>
            <b>{ name }</b><span class="v">{ format!("0x{value:016x}") }<span class="what">{ meaning }</span></span>
        </div>
    }
}

/// The classic machine's sixteen cells.
fn scratch(player: &Player) -> Html {
    let cells = player.scratch();
    if cells.is_empty() {
        return Html::default();
    }
    html! {
        <>
            <h3 class="sub">{ "Scratch memory" }</h3>
            <div class="cells mono">
                { for cells.into_iter().enumerate().map(|(index, (value, changed))| html! {
                    <div class={classes!("cell", changed.then_some("changed"), (value == 0 && !changed).then_some("zero"))}
                        data-testid={format!("mem-{index}")} data-value={format!("0x{value:016x}")} data-changed={changed.to_string()}>
                        <b>{ format!("M[{index}]") }</b><span>{ format!("{value:#x}") }</span>
                    </div>
                }) }
            </div>
        </>
    }
}

/// Whether the last step wrote byte `offset` of `region`.
fn written(changes: &[Change], region: Region, offset: usize) -> bool {
    changes.iter().any(|change| match change.place {
        Place::Memory { region: of, offset: start, size } => {
            of == region && (start as usize..start as usize + size.bytes()).contains(&offset)
        }
        _ => false,
    })
}

/// The frames' bytes that the run has written so far, highest first, as people draw stacks.
fn stack(player: &Player) -> Html {
    if player.level() == Level::Classic {
        return Html::default();
    }
    let bytes = player.region(Region::Stack);
    let (_, changes) = player.last();
    let mut lowest = bytes.len();
    for step in 0..player.position() {
        for change in player.changes(step) {
            if let Place::Memory { region: Region::Stack, offset, .. } = change.place {
                lowest = lowest.min(offset as usize);
            }
        }
    }
    let rows = (lowest / 8..bytes.len() / 8).rev();
    html! {
        <>
            <h3 class="sub">{ "Stack" }</h3>
            <div class="hex mono" data-testid="stack-bytes">
                if lowest == bytes.len() { <span class="none">{ "not written" }</span> }
                { for rows.map(|row| html! {
                    <>
                        <span class="o">{ frame_offset(row * 8) }</span>
                        <span>{ for (row * 8..row * 8 + 8).map(|at| html! {
                            <i class={written(changes, Region::Stack, at).then_some("changed")}>{ format!("{:02x}", bytes[at]) }</i>
                        }) }</span>
                        <span class="a">{ number(&bytes[row * 8..row * 8 + 8]) }</span>
                    </>
                }) }
            </div>
        </>
    }
}

/// A stack offset as programs write it: from the frame pointer of its frame.
fn frame_offset(offset: usize) -> String {
    let (frame, within) = (offset / STACK_SIZE, offset % STACK_SIZE);
    let prefix = if frame == 0 { String::new() } else { format!("frame {frame}, ") };
    format!("{prefix}r10 - {}", STACK_SIZE - within)
}

fn number(bytes: &[u8]) -> String {
    format!("{:#x}", little_endian(bytes))
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte))
}

/// The same, in decimal too where that says more.
fn with_decimal(bytes: &[u8]) -> String {
    let value = little_endian(bytes);
    if value < 10 { format!("{value:#x}") } else { format!("{value:#x} = {value}") }
}

/// The context's fields that are not zero, and those just read.
fn context(player: &Player, description: &Description) -> Html {
    let bytes = player.region(Region::Context);
    let (reads, _) = player.last();
    let read = |offset: usize, size: usize| {
        reads.iter().any(|read| match read.place {
            Place::Memory { region: Region::Context, offset: at, .. } => {
                (offset..offset + size).contains(&(at as usize))
            }
            _ => false,
        })
    };
    let fields =
        description.fields.iter().filter(|field| field.access != Access::Hidden).filter_map(|field| {
            let value = bytes.get(field.offset..field.offset + field.size)?;
            let just_read = read(field.offset, field.size);
            (just_read || value.iter().any(|&byte| byte != 0)).then_some((field, value, just_read))
        });
    if bytes.is_empty() {
        return Html::default();
    }
    html! {
        <>
            <h3 class="sub">{ "Context: " }<span class="mono">{ &*description.name }</span>{ ", what is not zero" }</h3>
            <dl class="kv mono" data-testid="context-fields">
                { for fields.map(|(field, value, just_read)| html! {
                    <div title={field.doc.to_string()} data-accessed={flag(just_read)}>
                        <dt>{ &*field.name }</dt>
                        <dd>{ if value.len() <= 8 { with_decimal(value) } else { format!("{} bytes", value.len()) } }</dd>
                    </div>
                }) }
            </dl>
        </>
    }
}
