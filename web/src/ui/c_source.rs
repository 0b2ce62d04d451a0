//! The lines of C that the program was compiled from, as far as the object file told of them.

use super::memo::memo_row;
use super::virtual_list::{Basis, VirtualList};
use super::{Page, flag, hue};
use crate::levels::{CRow, Level};
use crate::paint;
use crate::state::{Action, Lit};
use bpf64_core::program::Pc;
use std::rc::Rc;
use yew::prelude::*;

/// The level under its heading.
pub(super) fn c_source(page: &Page) -> Html {
    let state = &page.state;
    let Some(levels) = &state.levels else { return Html::default() };
    let rows = Rc::clone(&levels.c_rows);
    let current = state.current_key().and_then(|key| state.c_of(key));
    let of_lit = match state.lit {
        Some(Lit::Insn(key)) => state.c_of(key),
        Some(Lit::Line(line)) => Some(line),
        None => None,
    };
    let file = current.and_then(|at| rows.get(at as usize)).or(rows.first()).map(|row| row.file.to_string());
    let hits = state.hits_in(Level::Ebpf);
    let focus_row = current.unwrap_or(0);
    let row = {
        let page = page.clone();
        let rows = Rc::clone(&rows);
        Callback::from(move |index: usize| {
            let row = Rc::clone(&rows[index]);
            let at = index as u32;
            // Lines between which others stand that became no instruction, or that are of another file.
            let gap = index > 0 && (rows[index - 1].line + 1 < row.line || rows[index - 1].file != row.file);
            let line = Line {
                index: at,
                gap,
                lit: of_lit == Some(at),
                current: current == Some(at),
                breakpoint: page.state.breakpoints.contains(&row.first),
                hits: hits.as_ref().map(|hits| hits.get(row.first.index()).copied().unwrap_or(0)),
                focusable: focus_row == at,
                dispatch: page.dispatch.clone(),
                row,
            };
            memo_row(index, line, c_line)
        })
    };
    let of = Basis { turn: state.turn, lit: state.lit, at: None, judged: 0 };
    html! {
        <div class="level c">
            <h3 title="The lines that instructions were compiled from, as the object file tells of them">{ "C" }{ file.map(|file| format!(", {file}")) }</h3>
            <VirtualList len={rows.len()} {row} {of} follow={current.map(|at| at as usize)} label="Lines of C" testid="c-listing"
                class={classes!("listing", "mono", state.is_stale().then_some("stale"))} />
        </div>
    }
}

/// What a line is drawn of.
#[derive(PartialEq)]
struct Line {
    index: u32,
    row: Rc<CRow>,
    /// Lines above it are left out.
    gap: bool,
    lit: bool,
    /// Execution stands at an instruction of it.
    current: bool,
    breakpoint: bool,
    /// How often the run executes its first instruction.
    hits: Option<u32>,
    focusable: bool,
    dispatch: Callback<Action>,
}

fn c_line(line: &Line) -> Html {
    let Line { index, row, gap, lit, current, breakpoint, hits, focusable, dispatch } = line;
    let send = |action: Action| {
        let dispatch = dispatch.clone();
        move || dispatch.emit(action.clone())
    };
    let (on, off) = (send(Action::Light(Some(Lit::Line(*index)))), send(Action::Light(None)));
    let (focus_on, focus_off) = (on.clone(), off.clone());
    let first: Pc = row.first;
    let toggle = send(Action::Breakpoint(Level::Ebpf, first));
    let run_to = send(Action::RunTo(Level::Ebpf, first));
    let classes = classes!(
        "insn",
        current.then_some("now"),
        lit.then_some("lit"),
        gap.then_some("gap"),
        breakpoint.then_some("brk"),
        (*hits == Some(0)).then_some("never")
    );
    let count =
        if row.count == 1 { "1 instruction".to_owned() } else { format!("{} instructions", row.count) };
    let title =
        format!("{}:{}: {}\nbecame {count}, the first in slot {}", row.file, row.line, row.text, row.slot);
    html! {
        <div class={classes} role="listitem" tabindex={if *focusable { "0" } else { "-1" }} {title} aria-current={current.then_some("step")}
            data-testid={format!("c-{index}")} data-slot={row.slot.to_string()} data-from={row.line.to_string()}
            data-hue={hue(Some(*index)).map(|hue| hue.to_string())} data-current={flag(*current)} data-lit={flag(*lit)}
            data-breakpoint={flag(*breakpoint)} data-hits={hits.map(|hits| hits.to_string())}
            onmouseenter={move |_| on()} onmouseleave={move |_| off()}
            onfocus={move |_| focus_on()} onblur={move |_| focus_off()} ondblclick={move |_| run_to()}>
            <button class="dot" type="button" tabindex="-1" aria-pressed={breakpoint.to_string()}
                aria-label={format!("Breakpoint at line {} of C", row.line)} onclick={move |_| toggle()}></button>
            <span class="n">{ row.line }</span>
            <span class="text">{ for paint::c_pieces(&row.text).into_iter().map(super::piece) }</span>
            <span class="hits">{ hits.filter(|&hits| hits > 0).map(|hits| format!("{hits}×")) }</span>
        </div>
    }
}
