//! One level of the program as a list of instructions.

use super::memo::memo_row;
use super::virtual_list::{Basis, VirtualList};
use super::{Page, flag, hue};
use crate::levels::{Level, Row};
use crate::paint;
use crate::player::Player;
use crate::say;
use crate::state::{Action, Heat, Lit};
use bpf64_core::program::Pc;
use std::rc::Rc;
use yew::prelude::*;

/// A listing: rows with origin, breakpoint, number, instruction and hits.
pub(super) fn listing(page: &Page, level: Level) -> Html {
    let state = &page.state;
    let Some(levels) = &state.levels else { return Html::default() };
    // What is known beside the run, and what can be set, is of the program that runs begin with.
    let program = state.shown_program();
    let own = program == 0;
    let rows = Rc::clone(levels.rows_in(level, program));
    let player = state.player.as_ref();
    let partner = |pc: Pc| levels.partner(state.level, pc, level).filter(|_| own);
    let elsewhere = player.and_then(Player::elsewhere).map(|at| at.pc);
    let current = elsewhere.or_else(|| player?.pc().and_then(partner));
    let breakpoints: Vec<Pc> = state.breakpoints.iter().copied().filter_map(partner).collect();
    let hits = if own { state.hits_in(level) } else { player.map(|player| player.hits(program).into()) };
    let heat = state.heat_in(level).filter(|_| own && state.capture_hits);
    let hottest = heat.iter().flat_map(|heat| heat.iter()).map(|heat| heat.executed).max().unwrap_or(0);
    let refused =
        (own && level == Level::Ebpf).then(|| state.refused_at()).flatten().map(|place| Pc(place.pc));
    let looked_at = state.looked_at.filter(|_| own).and_then(|pc| levels.partner(Level::Ebpf, pc, level));
    let readers = state.readers_in(level);
    let focus_row = current.unwrap_or(Pc(0));
    let row = {
        let page = page.clone();
        let (rows, current_key) = (Rc::clone(&rows), state.current_key());
        Callback::from(move |index: usize| {
            let row = Rc::clone(&rows[index]);
            let state = &page.state;
            let lit = state.is_lit(row.key, row.c);
            // What a row did in the run is only told where somebody looks: it takes a search in the recording.
            let player =
                state.player.as_ref().filter(|_| state.level == level && (lit || current == Some(row.pc)));
            let title = match player {
                Some(player) => AttrValue::from(say::row(&row, program, player, state.packet.link_type)),
                None => AttrValue::from(Rc::clone(row.sentence())),
            };
            let shown = InsnRow {
                level,
                own,
                title,
                current: current == Some(row.pc),
                partner: row.key.is_some() && row.key == current_key,
                lit,
                breakpoint: breakpoints.contains(&row.pc),
                refused: refused == Some(row.pc),
                looked_at: looked_at == Some(row.pc),
                reads: own && readers.contains(&row.pc),
                hits: hits.as_ref().map(|hits| hits.get(index).copied().unwrap_or(0)),
                heat: heat.as_ref().and_then(|heat| heat.get(index).copied()).map(|heat| (heat, hottest)),
                focusable: focus_row == row.pc,
                dispatch: page.dispatch.clone(),
                row,
            };
            memo_row(index, shown, insn_row)
        })
    };
    let of = Basis {
        turn: state.turn,
        lit: state.lit,
        at: refused.map(Pc::index),
        judged: if state.capture_hits { state.judged.done } else { 0 },
    };
    let (testid, label) = match level {
        Level::Classic => ("classic-listing", "Classic instructions"),
        Level::Ebpf => ("ebpf-listing", "eBPF instructions"),
    };
    html! {
        <VirtualList len={rows.len()} {row} {of} follow={looked_at.or(current).map(Pc::index)} {label} {testid}
            class={classes!("listing", "mono", state.is_stale().then_some("stale"))} />
    }
}

/// All that a row is drawn of, so that it is drawn again only when that changes.
#[derive(PartialEq)]
struct InsnRow {
    level: Level,
    /// Whether it is of the program that runs begin with: only there can they be stopped.
    own: bool,
    row: Rc<Row>,
    /// What is told about it when the pointer rests on it.
    title: AttrValue,
    /// Execution stands here.
    current: bool,
    /// Execution stands at an instruction of the same origin.
    partner: bool,
    /// The pointer or the focus is on an instruction of the same origin.
    lit: bool,
    breakpoint: bool,
    /// The verifier refuses the program for it.
    refused: bool,
    /// Somebody asked to see it.
    looked_at: bool,
    /// It reads what is selected of the packet.
    reads: bool,
    /// How often the run executes it; unknown in the level that is not stepped.
    hits: Option<u32>,
    /// How often it was executed over the capture, and how often the one that was executed most.
    heat: Option<(Heat, u64)>,
    /// Whether the Tab key comes here.
    focusable: bool,
    dispatch: Callback<Action>,
}

fn insn_row(shown: &InsnRow) -> Html {
    let InsnRow {
        level,
        own,
        row,
        title,
        current,
        partner,
        lit,
        breakpoint,
        refused,
        looked_at,
        reads,
        hits,
        heat,
        focusable,
        dispatch,
    } = shown;
    let (level, pc, slot) = (*level, row.pc, row.slot);
    let name = match level {
        Level::Classic => "classic",
        Level::Ebpf => "ebpf",
    };
    let send = |action: Action| {
        let dispatch = dispatch.clone();
        move || dispatch.emit(action.clone())
    };
    let (on, off) = (send(Action::Light(row.key.map(Lit::Insn))), send(Action::Light(None)));
    let (focus_on, focus_off) = (on.clone(), off.clone());
    let toggle = send(Action::Breakpoint(level, pc));
    let run_to = send(if *own { Action::RunTo(level, pc) } else { Action::Light(None) });
    let classes = classes!(
        "insn",
        current.then_some("now"),
        (*lit || *partner).then_some("lit"),
        breakpoint.then_some("brk"),
        refused.then_some("refused"),
        heat.map(|_| "heated"),
        looked_at.then_some("looked-at"),
        reads.then_some("reads"),
        (heat.map_or(*hits == Some(0), |(heat, _)| heat.executed == 0)).then_some("never")
    );
    html! {
        <div class={classes} role="listitem" tabindex={if *focusable { "0" } else { "-1" }}
            title={title.clone()} aria-current={current.then_some("step")}
            data-testid={format!("{name}-{slot}")} data-slot={slot.to_string()} data-from={row.from.map(|from| from.to_string())}
            data-hue={hue(row.hue_key()).map(|hue| hue.to_string())} data-current={flag(*current)} data-lit={flag(*lit)}
            data-breakpoint={flag(*breakpoint)} data-refused={flag(*refused)} data-reads={flag(*reads)} data-hits={hits.map(|hits| hits.to_string())}
            onmouseenter={move |_| on()} onmouseleave={move |_| off()}
            onfocus={move |_| focus_on()} onblur={move |_| focus_off()} ondblclick={move |_| run_to()}>
            if *own {
                <button class="dot" type="button" tabindex="-1" aria-pressed={breakpoint.to_string()}
                    aria-label={format!("Breakpoint at {name} instruction {slot}")} onclick={move |_| toggle()}></button>
            } else { <span></span> }
            <span class="n">{ slot }</span>
            <span class="text">{ for paint::pieces(row.text()).into_iter().map(super::piece) }</span>
            { match heat {
                Some((heat, most)) => heated(*heat, *most),
                None => html! { <span class="hits">{ hits.filter(|&hits| hits > 0).map(|hits| format!("{hits}×")) }</span> },
            } }
        </div>
    }
}

/// How many shades of heat style.css has.
const SHADES: u64 = 8;

/// Which of the shades is `count`'s, where `most` has the darkest.
pub(super) fn shade(count: u64, most: u64) -> u64 {
    if count == 0 { 0 } else { 1 + count.saturating_mul(SHADES - 1) / most.max(1) }
}

/// The count over the capture, shaded; of a branch also the share of the times it jumped.
fn heated(Heat { executed, taken }: Heat, most: u64) -> Html {
    let shade = shade(executed, most);
    let jumped = (taken > 0).then(|| format!("↷{}% ", taken.saturating_mul(100) / executed.max(1)));
    html! { <span class="hits heat" data-heat={shade.to_string()} data-executed={executed.to_string()} data-taken={taken.to_string()}
    title={format!("executed {executed} times over the capture, jumped {taken} times")}><small>{ jumped }</small>{ (executed > 0).then(|| executed.to_string()) }</span> }
}
