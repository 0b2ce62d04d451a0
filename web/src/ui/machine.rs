//! The machine pane: what comes next, registers, scratch memory, stack, context.

use super::breaks::Breaks;
use super::{Page, flag, memory};
use crate::levels::Level;
use crate::player::{Player, Register};
use crate::say;
use crate::state::Action;
use bpf64_core::context::{Access, Description};
use bpf64_core::interp::STACK_SIZE;
use bpf64_core::machine::{Place, Region};
use bpf64_core::program::Pc;
use yew::prelude::*;

/// The pane.
pub(super) fn machine_pane(page: &Page) -> Html {
    let state = &page.state;
    let (Some(player), Some(levels)) = (&state.player, &state.levels) else {
        return html! { <section class="pane machine" aria-label="Machine"><h2>{ "Machine" }</h2></section> };
    };
    let slot = state.current_row().map(|row| row.slot);
    let (value, place) = match (slot, levels.name(state.shown_program())) {
        (Some(slot), None) => (slot.to_string(), format!("before instruction {slot}")),
        (Some(slot), Some(name)) => ("elsewhere".to_owned(), format!("in {name}, before instruction {slot}")),
        (None, _) => ("end".to_owned(), "at the end".to_owned()),
    };
    html! {
        <section class="pane machine" aria-label="Machine">
            <h2>{ "Machine" }<small data-testid="pc" data-value={value}>{ place }</small></h2>
            <p class="say" aria-live="polite" data-testid="say">{ say::next(player, state.packet.link_type) }</p>
            <div class={classes!("scroll", state.is_stale().then_some("stale"))} tabindex="0" role="group" aria-label="Registers and memory">
                <div class="regs mono">{ for player.registers(state.packet.link_type).into_iter().map(|known| register(page, known)) }</div>
                { frames(page, player) }
                { scratch(page, player) }
                { stack(page, player) }
                { context(player, &levels.program_type.context) }
                { printed(page, player) }
                <Breaks page={page.clone()} />
            </div>
        </section>
    }
}

fn register(page: &Page, register: Register) -> Html {
    let Register { id, name, value, changed, kind, meaning, place } = register;
    let title = format!("Go to the step that made what {name} holds");
    html! {
        <div class={classes!("reg", changed.then_some("changed"), (value == 0 && !changed).then_some("zero"))}
            data-testid={format!("reg-{id}")} data-value={format!("0x{value:016x}")}
            data-changed={changed.to_string()} data-kind={kind}>
            <b>{ name }</b><button type="button" class="v" tabindex="-1" {title} onclick={page.send(Action::GoToMaker(place))}>{ format!("0x{value:016x}") }<span class="what">{ meaning }</span></button>
        </div>
    }
}

/// The calls that are under way, outermost first; nothing while there is only the main function.
fn frames(page: &Page, player: &Player) -> Html {
    let Some(levels) = &page.state.levels else { return Html::default() };
    let returns = player.returns();
    if returns.is_empty() {
        return Html::default();
    }
    let rows = levels.rows_in(Level::Ebpf, page.state.shown_program());
    let slot = |pc: Pc| rows.get(pc.index()).map_or(0, |row| row.slot);
    html! {
        <>
            <h3 class="sub">{ "Calls" }</h3>
            <ol class="frames mono" data-testid="frames">
                <li>{ "main" }</li>
                { for returns.into_iter().map(|pc| html! {
                    <li><button type="button" class="link-like" onclick={page.send(Action::LookAt(pc))}>{ format!("called, goes back to {}", slot(pc)) }</button></li>
                }) }
            </ol>
        </>
    }
}

/// What the program has printed so far.
fn printed(page: &Page, player: &Player) -> Html {
    let lines = player.printed();
    let rows = page.state.levels.as_ref().map(|levels| levels.rows(player.level()));
    let by = |step: u32| Some(rows?.get(player.pc_of(step as usize)?.index())?.slot);
    if lines.is_empty() {
        return Html::default();
    }
    html! {
        <>
            <h3 class="sub">{ "Printed" }</h3>
            <ol class="printk mono" data-testid="printk">
                { for lines.iter().map(|(step, line)| html! {
                    <li><button type="button" class="link-like" title="Go to the step that printed it" onclick={page.send(Action::Seek(*step as usize))}>{ line }</button>{ for by(*step).map(|slot| html! { <small>{ format!(" by {slot}") }</small> }) }</li>
                }) }
            </ol>
        </>
    }
}

/// The classic machine's sixteen cells.
fn scratch(page: &Page, player: &Player) -> Html {
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
                        <b>{ format!("M[{index}]") }</b><button type="button" class="v" tabindex="-1" title="Go to the step that made it"
                            onclick={page.send(Action::GoToMaker(Place::Scratch(index as u8)))}>{ format!("{value:#x}") }</button>
                    </div>
                }) }
            </div>
        </>
    }
}

/// The frames' bytes that the run has written so far, highest first, as people draw stacks.
fn stack(page: &Page, player: &Player) -> Html {
    if player.level() == Level::Classic {
        return Html::default();
    }
    let bytes = player.region(Region::Stack);
    let lowest = player.stack_used().min(bytes.len());
    let rows = (lowest / 8..bytes.len() / 8).rev().map(|row| (row * 8, frame_offset(row * 8)));
    html! {
        <>
            <h3 class="sub">{ "Stack" }if lowest < bytes.len() { { memory::chooser(page, "memory-view") } }</h3>
            <div class="hex mono" data-testid="stack-bytes">
                if lowest == bytes.len() { <span class="none">{ "not written" }</span> }
                { memory::rows(page, player, Region::Stack, rows) }
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
