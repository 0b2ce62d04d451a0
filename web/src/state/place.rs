//! Where execution stands: its row, in whichever program, and what stands for it in the eBPF level.

use super::State;
use crate::levels::{Key, Level, Row};
use crate::player::Player;
use bpf64_core::program::Pc;
use std::rc::Rc;

impl State {
    /// The row of the instruction that comes next, in whichever program that is.
    #[must_use]
    pub fn current_row(&self) -> Option<&Rc<Row>> {
        let player = self.player.as_ref()?;
        let at = player.at(player.position())?;
        self.levels.as_ref()?.rows_in(self.level, at.program).get(at.pc.index())
    }

    /// The origin of the instruction that comes next.
    #[must_use]
    pub fn current_key(&self) -> Option<Key> {
        self.current_row()?.key
    }

    /// The program that the eBPF listing shows: the one where execution stands.
    #[must_use]
    pub fn shown_program(&self) -> u32 {
        self.player.as_ref().and_then(Player::elsewhere).map_or(0, |at| at.program)
    }

    /// The eBPF instruction where execution stands; of a classic one, the first that it became.
    #[must_use]
    pub fn current_ebpf(&self) -> Option<Pc> {
        let pc = self.player.as_ref()?.pc()?;
        self.levels.as_ref()?.partner(self.level, pc, Level::Ebpf)
    }
}
