//! What the verifier knows at an instruction: each register as an interval and as bits, the real value on them.

use super::Page;
use crate::work::{Known, KnownHere, Span};
use bpf64_core::isa::Reg;
use yew::prelude::*;

/// The registers of which something is known, before the instruction that is looked at.
pub(super) fn registers(page: &Page, here: &KnownHere) -> Html {
    let state = &page.state;
    let Some(registers) = here.registers(state.visit) else {
        let refused = state.refused_at().is_some();
        let why = match (here.visits.is_empty(), refused) {
            (true, true) => "The verifier had not come here when it refused the program.",
            (true, false) => "No path comes here: the instruction is dead.",
            (false, _) => "Too many paths came by for one answer: choose a visit.",
        };
        return html! { <p class="empty">{ why }</p> };
    };
    let rows = Reg::ALL.iter().zip(registers).filter(|(_, known)| **known != Known::Nothing);
    html! {
        <dl class="known" data-testid="known">
            { for rows.map(|(reg, known)| row(&reg.to_string(), known, state.real_value(here.pc, *reg))) }
        </dl>
    }
}

fn row(name: &str, known: &Known, real: Option<u64>) -> Html {
    let (text, span, real) = match known {
        Known::Nothing => return Html::default(),
        Known::Number(span) => (span.bounds(), Some(span), real),
        // What a real address is counted from, the machine knows: it is shown there.
        Known::Pointer { to, offset } => (pointer(to, offset), None, None),
    };
    let drawn = span.filter(|span| span.only().is_none() && !span.is_any());
    html! {
        <div class="known-row" data-testid={format!("known-{name}")} data-bounds={text.clone()}>
            <dt class="mono">{ name }</dt>
            <dd><span class="mono">{ text }</span>{ for real.map(|real| html! { <small>{ format!("now {real}") }</small> }) }
                { for drawn.map(|span| html! { <>{ interval(span, real) }{ bits(span, real) }</> }) }</dd>
        </div>
    }
}

fn pointer(to: &str, offset: &Span) -> String {
    match offset.only() {
        Some(0) => to.to_owned(),
        Some(only) if (only as i64) < 0 => format!("{to} - {}", (only as i64).unsigned_abs()),
        Some(only) => format!("{to} + {only}"),
        None => format!("{to} + ({})", offset.bounds()),
    }
}

/// The interval on a ruler of all 64-bit numbers, each bit of length as wide as the next; negative ones to the left.
fn interval(span: &Span, real: Option<u64>) -> Html {
    let with_sign = span.signed.0 < 0;
    let place =
        |number: u64| if with_sign { signed_place(number as i64) } else { length(number) * 100.0 / 64.0 };
    let (from, to) = if with_sign { (span.signed.0 as u64, span.signed.1 as u64) } else { span.unsigned };
    let (from, to) = (place(from), place(to));
    let percent = |place: f64| super::percent((place * 10.0) as u32);
    html! {
        <svg class="interval" height="12" role="img" aria-label={format!("between {}", span.bounds())}>
            <rect class="ruler" x="0" y="4" width="100%" height="4" rx="2" />
            if with_sign { <rect class="zero-mark" x="50%" y="2" width="1" height="8" /> }
            <rect class="range" x={percent(from)} y="2" width={percent((to - from).max(0.8))} height="8" rx="3" />
            { for real.map(|real| html! { <rect class="real" x={percent(place(real))} y="0" width="3" height="12" rx="1.5" /> }) }
        </svg>
    }
}

/// How many bits a number is long, with a fraction.
fn length(number: u64) -> f64 {
    (number as f64 + 1.0).log2()
}

fn signed_place(number: i64) -> f64 {
    let half = length(number.unsigned_abs()) * 50.0 / 63.0;
    (if number < 0 { 50.0 - half } else { 50.0 + half }).clamp(0.0, 100.0)
}

/// The bits from the highest that is not known to be 0: known ones as they are, unknown ones open, with the real bit.
fn bits(span: &Span, real: Option<u64>) -> Html {
    let top = (span.bits | span.unknown).max(1).ilog2() / 8 * 8 + 8;
    let bit = |at: u32| {
        let is_set = |number: u64| if number >> at & 1 == 1 { "1" } else { "0" };
        let gap = (at % 4 == 3 && at + 1 != top).then_some("gap");
        match (span.unknown >> at & 1 == 1, real) {
            (false, _) => html! { <b class={classes!(gap)}>{ is_set(span.bits) }</b> },
            (true, Some(real)) => html! { <i class={classes!(gap)}>{ is_set(real) }</i> },
            (true, None) => html! { <i class={classes!(gap)}>{ "·" }</i> },
        }
    };
    let unknown = span.unknown.count_ones();
    html! {
        <span class="bits mono" role="img" aria-label={format!("{unknown} bits are unknown")}>{ for (0..top).rev().map(bit) }</span>
    }
}
