//! Which entry was used last: a list of all of them, the newest first.
//!
//! Linux keeps an approximation of it (kernel/bpf/bpf_lru_list.c): a bit for each entry that was looked up, lists of
//! active and inactive entries, and batches of free ones for each CPU, so that CPUs seldom wait for each other. Here
//! the order is exact: the entry that goes is the one that was used longest ago. What both keep: a table never has
//! more than `max_entries`, an update of a full table succeeds, and what was just used stays.

use super::super::table::{Access, Table};
use super::chains::{Chains, NEWEST, OLDEST};

/// Which of a slot's cells: behind that of its chain.
const NEWER: u32 = 1;
const OLDER: u32 = 2;

/// Makes an entry that is in the list the newest one.
pub(super) fn touch(chains: &Chains, table: &mut Access<'_>, slot: u32) {
    if table.cell(NEWEST) != slot {
        unlink(chains, table, slot);
        link(chains, table, slot);
    }
}

/// Puts a new entry in.
pub(super) fn link(chains: &Chains, table: &mut Access<'_>, slot: u32) {
    let second = table.cell(NEWEST);
    set(chains, table, slot, NEWER, 0);
    set(chains, table, slot, OLDER, second);
    join(chains, table, slot, second);
    table.set_cell(NEWEST, slot);
}

/// Takes an entry out.
pub(super) fn unlink(chains: &Chains, table: &mut Access<'_>, slot: u32) {
    let [newer, older] = [NEWER, OLDER].map(|cell| table.cell(chains.links(slot) + cell));
    match newer {
        0 => table.set_cell(NEWEST, older),
        newer => set(chains, table, newer, OLDER, older),
    }
    join(chains, table, newer, older);
}

/// Makes `newer` what comes before `older`, which may be none: then it is the oldest.
fn join(chains: &Chains, table: &mut Access<'_>, newer: u32, older: u32) {
    match older {
        0 => table.set_cell(OLDEST, newer),
        older => set(chains, table, older, NEWER, newer),
    }
}

fn set(chains: &Chains, table: &mut Access<'_>, slot: u32, cell: u32, value: u32) {
    table.set_cell(chains.links(slot) + cell, value);
}

/// The slot of the entry that was used longest ago, of a table that is not empty.
pub(super) fn oldest(table: &Table) -> u32 {
    table.cell(OLDEST)
}
