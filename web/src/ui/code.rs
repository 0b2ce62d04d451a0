//! The x86-64 level: machine instructions in their order, and between them why they are as they are.

use super::memo::memo_row;
use super::virtual_list::{Basis, VirtualList};
use super::{Page, flag, hue};
use crate::levels::Level;
use crate::paint;
use crate::state::{Action, CodeRow, Lit};
use bpf64_x86::Line;
use std::rc::Rc;
use yew::prelude::*;

/// The level under its heading.
pub(super) fn machine_code(page: &Page) -> Html {
    let state = &page.state;
    let code = state.code.as_ref();
    let stale = state.is_stale() || code.is_none_or(|code| code.order != state.order);
    let rows = code.map(|code| &code.rows);
    let length = rows.and_then(|rows| rows.as_ref().ok()).map(|rows| bytes(rows));
    html! {
        <div class="level x86">
            <h3 title="As compiled for every x86-64 CPU with BMI2 and MOVBE">{ "x86-64" }{ length.map(|length| format!(", {length} bytes")) }</h3>
            { match rows {
                None => html! { <p class="empty" role="status">{ "The compiler is on its way…" }</p> },
                Some(Err(why)) => html! { <p class="empty" role="status" data-testid="x86-fault">{ why.as_ref() }</p> },
                Some(Ok(rows)) => listing(page, rows, stale),
            } }
        </div>
    }
}

/// How long the code is.
fn bytes(rows: &[Rc<CodeRow>]) -> usize {
    let length = |row: &Rc<CodeRow>| match &row.line {
        Line::Insn { bytes, .. } => bytes.len(),
        Line::Note(_) => 0,
    };
    rows.iter().map(length).sum()
}

/// The rows, which may be of an earlier text.
fn listing(page: &Page, rows: &Rc<[Rc<CodeRow>]>, stale: bool) -> Html {
    let state = &page.state;
    let fresh = !stale;
    let (pc, key) = (state.current_ebpf().filter(|_| fresh), state.current_key().filter(|_| fresh));
    let current = pc.and_then(|pc| rows.iter().position(|row| row.pc == Some(pc)));
    let focus_row = current.unwrap_or(0);
    let row = {
        let (rows, page) = (Rc::clone(rows), page.clone());
        Callback::from(move |index: usize| {
            let row = Rc::clone(&rows[index]);
            let lit = fresh && page.state.is_lit(row.key, row.c);
            let line = CodeLine {
                index,
                current: current == Some(index),
                now: pc.is_some() && row.pc == pc,
                partner: row.key.is_some() && row.key == key,
                lit,
                focusable: focus_row == index,
                dispatch: page.dispatch.clone(),
                row,
            };
            memo_row(index, line, code_line)
        })
    };
    let of = Basis { turn: state.turn, lit: state.lit, at: None, judged: 0 };
    html! {
        <VirtualList len={rows.len()} {row} {of} follow={current} label="x86-64 instructions" testid="x86-listing"
            class={classes!("listing", "mono", "machine-code", stale.then_some("stale"))} />
    }
}

/// What a line is drawn of.
#[derive(PartialEq)]
struct CodeLine {
    index: usize,
    row: Rc<CodeRow>,
    /// It is the first of the eBPF instruction where execution stands.
    current: bool,
    /// It is of the eBPF instruction where execution stands.
    now: bool,
    /// Execution stands at an instruction of the same origin.
    partner: bool,
    /// The pointer or the focus is on an instruction of the same origin.
    lit: bool,
    focusable: bool,
    dispatch: Callback<Action>,
}

fn code_line(line: &CodeLine) -> Html {
    let CodeLine { index, row, current, now, partner, lit, focusable, dispatch } = line;
    let send = |action: Option<Action>| {
        let dispatch = dispatch.clone();
        move || action.iter().cloned().for_each(|action| dispatch.emit(action))
    };
    let (on, off) = (send(Some(Action::Light(row.key.map(Lit::Insn)))), send(Some(Action::Light(None))));
    let (focus_on, focus_off) = (on.clone(), off.clone());
    let run_to = send(row.pc.map(|pc| Action::RunTo(Level::Ebpf, pc)));
    let (class, address, text) = match &row.line {
        Line::Insn { address, text, .. } => ("", format!("{address:x}"), paint::machine_pieces(text)),
        Line::Note(note) => ("note", String::new(), vec![("", note.as_str())]),
    };
    let classes = classes!("insn", class, now.then_some("now"), (*lit || *partner).then_some("lit"));
    html! {
        <div class={classes} role="listitem" tabindex={if *focusable { "0" } else { "-1" }} title={row.title.clone()}
            aria-current={current.then_some("step")} data-testid={format!("x86-{index}")} data-slot={index.to_string()}
            data-from={row.from.map(|from| from.to_string())} data-hue={hue(row.c.or(row.key)).map(|hue| hue.to_string())}
            data-current={flag(*current)} data-lit={flag(*lit)}
            onmouseenter={move |_| on()} onmouseleave={move |_| off()}
            onfocus={move |_| focus_on()} onblur={move |_| focus_off()} ondblclick={move |_| run_to()}>
            <span class="n">{ address }</span>
            <span class="text">{ for text.into_iter().map(super::piece) }</span>
        </div>
    }
}
