//! What is lit: an instruction, its partners in the other levels, and the bytes that it reads.

use super::State;
use super::packet::reads;
use crate::levels::Key;
use std::ops::Range;
use std::rc::Rc;

/// What the pointer or the focus is on: its partners in all levels light up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lit {
    /// Instructions of this origin, and their line of C.
    Insn(Key),
    /// This line of C, and all instructions that were compiled from it.
    Line(u32),
}

impl State {
    /// Instructions are lit, and the bytes that they read with them.
    pub(super) fn light(&mut self, lit: Option<Lit>) {
        self.lit = lit;
        let rows = self.levels.as_ref().map(|levels| Rc::clone(levels.rows(self.level)));
        let (Some(player), Some(rows), true) = (&self.player, rows, lit.is_some()) else {
            self.touch.lit = Rc::from([]);
            return;
        };
        let is_lit = |step: &usize| {
            player
                .pc_of(*step)
                .and_then(|pc| rows.get(pc.index()))
                .is_some_and(|row| self.is_lit(row.key, row.c))
        };
        let cut = self.cut();
        let mut found: Vec<Range<usize>> = Vec::new();
        for read in (0..player.steps()).filter(is_lit).flat_map(|step| reads(player, step, cut)) {
            if !found.contains(&read) {
                found.push(read);
            }
        }
        self.touch.lit = found.into();
    }

    /// Whether an instruction of this origin, compiled from this line of C, is lit.
    #[must_use]
    pub fn is_lit(&self, key: Option<Key>, c: Option<u32>) -> bool {
        match self.lit {
            Some(Lit::Insn(lit)) => key == Some(lit),
            Some(Lit::Line(lit)) => c == Some(lit),
            None => false,
        }
    }

    /// The line of C that an instruction of this origin was compiled from.
    #[must_use]
    pub fn c_of(&self, key: Key) -> Option<u32> {
        let levels = self.levels.as_ref()?;
        levels.rows(levels.source_level()).get(key as usize)?.c
    }
}
