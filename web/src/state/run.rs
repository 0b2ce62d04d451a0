//! The recorded run: made anew when something changes, and moved in.

use super::State;
use crate::levels::Level;
use crate::player::Player;
use crate::work::Ran;
use bpf64_core::debugger::End;
use bpf64_core::machine::Ending;
use bpf64_core::program::Pc;
use std::rc::Rc;

/// What a person waits for while the run is still being recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chase {
    Nothing,
    /// Its end.
    End,
    /// The next breakpoint.
    Breakpoint,
}

/// A run that is longer than what is recorded of it, as the worker runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LongRun {
    /// Its number among all of the page's.
    pub number: u32,
    /// Instructions executed so far.
    pub executed: u64,
    /// How it ended.
    pub end: Option<Ran>,
}

/// What the run over the packet comes to, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It ends with this value, for this reason.
    Value(u64, Ending),
    /// It ends with a trap.
    Trap(String),
    /// It goes on after so many instructions.
    Running(u64),
    /// It was stopped after so many instructions.
    Stopped(u64),
}

impl State {
    /// How the run ends, or where it is.
    #[must_use]
    pub fn end(&self) -> Option<Outcome> {
        let player = self.player.as_ref()?;
        Some(match player.end() {
            End::Value(value, ending) => Outcome::Value(value, ending),
            End::Trap(trap) => Outcome::Trap(trap.to_string()),
            End::Limit(steps) => match &self.long_run {
                Some(LongRun { end: Some(Ran::Value(value)), .. }) => {
                    Outcome::Value(*value, Ending::Returned)
                }
                Some(LongRun { end: Some(Ran::Trap(trap)), .. }) => Outcome::Trap(trap.clone()),
                Some(LongRun { end: Some(Ran::Stopped), executed, .. }) => Outcome::Stopped(*executed),
                Some(LongRun { end: None, executed, .. }) => Outcome::Running(*executed),
                None if player.goes_on() => Outcome::Running(steps as u64),
                None => Outcome::Stopped(steps as u64),
            },
        })
    }

    /// The value the run ends with.
    #[must_use]
    pub fn result(&self) -> Option<u64> {
        match self.end()? {
            Outcome::Value(value, _) => Some(value),
            Outcome::Trap(_) | Outcome::Running(_) | Outcome::Stopped(_) => None,
        }
    }

    /// How often the run executes each instruction of a level, as far as that can be told: a classic instruction
    /// as often as the first one it became, but not the other way round, for not all it became may be executed.
    #[must_use]
    pub fn hits_in(&self, level: Level) -> Option<Rc<[u32]>> {
        if level == self.level {
            return Some(Rc::clone(&self.hits));
        }
        let levels = self.levels.as_ref().filter(|_| level == Level::Classic)?;
        let mut hits = vec![0; levels.classic_rows.len()];
        for (index, row) in levels.ebpf_rows.iter().enumerate().rev() {
            if let Some(key) = row.key {
                hits[key as usize] = self.hits.get(index).copied().unwrap_or(0);
            }
        }
        Some(hits.into())
    }

    /// Records the run of the program over the packet, and stands where it stood: at the same step, or at the
    /// end if it was there.
    pub(super) fn record(&mut self) {
        let Some(levels) = &self.levels else { return };
        let before = self.player.as_ref().map(|player| (player.position(), player.steps()));
        let mut player = Player::new(levels, self.level, self.given.world(levels, self.packet.skb()));
        self.long_run = None;
        let rows = levels.rows(self.level).len();
        self.breakpoints.retain(|pc| pc.index() < rows);
        player.set_breakpoints(&self.breakpoints);
        self.hits = player.hits(0).into();
        let at_end = before.is_some_and(|(position, steps)| position > 0 && position == steps);
        if let Some((position, _)) = before {
            player.seek(if at_end { usize::MAX } else { position });
        }
        self.chase = if at_end { Chase::End } else { Chase::Nothing };
        self.player = Some(player);
        self.find_readers();
    }

    /// Records some more of a long run. Behind what is recorded, the worker runs on.
    pub(super) fn record_more(&mut self) {
        let chase = self.chase;
        let Some(player) = &mut self.player else { return };
        let at_end = player.position() == player.steps();
        player.record();
        match chase {
            Chase::End => player.seek(usize::MAX),
            Chase::Breakpoint if at_end => {
                if player.resume(&self.conditions) {
                    self.chase = Chase::Nothing;
                }
            }
            Chase::Nothing | Chase::Breakpoint => {}
        }
        let done = !player.goes_on();
        if done {
            self.chase = Chase::Nothing;
            if matches!(player.end(), End::Limit(_)) && !self.halted {
                self.long_runs += 1;
                let executed = player.steps() as u64;
                self.long_run = Some(LongRun { number: self.long_runs, executed, end: None });
            }
        }
        self.hits = player.hits(0).into();
        if done {
            self.find_readers();
        }
    }

    pub(super) fn play(&mut self, action: fn(&mut Player)) {
        self.looked_at = None;
        self.chase = Chase::Nothing;
        self.player.as_mut().map(action);
    }

    /// On to the next breakpoint or condition, also where it is not recorded yet.
    pub(super) fn resume(&mut self) {
        self.looked_at = None;
        let Some(player) = &mut self.player else { return };
        let stopped = player.resume(&self.conditions);
        self.chase = if !stopped && player.goes_on() { Chase::Breakpoint } else { Chase::Nothing };
    }

    pub(super) fn seek(&mut self, position: usize) {
        self.looked_at = None;
        self.chase = if position == usize::MAX { Chase::End } else { Chase::Nothing };
        if let Some(player) = &mut self.player {
            player.seek(position);
        }
    }

    pub(super) fn run_to(&mut self, level: Level, pc: Pc) {
        let Some((player, pc)) = self
            .player
            .as_mut()
            .zip(self.levels.as_ref().and_then(|levels| levels.partner(level, pc, self.level)))
        else {
            return;
        };
        let here = player.position();
        let mut later = (here + 1..player.steps()).chain(0..here.min(player.steps()));
        if let Some(position) = later.find(|&step| player.pc_of(step) == Some(pc)) {
            player.seek(position);
        }
    }

    /// Steps the other level: from the instruction that stands for the one where it was.
    pub(super) fn set_level(&mut self, level: Level) {
        let Some(levels) = self.levels.clone() else { return };
        if level == self.level || levels.rows(level).is_empty() {
            return;
        }
        let from = self.level;
        let key_of = |level, pc: Pc| levels.rows(level).get(pc.index()).and_then(|row| row.key);
        // How often the origin of the next instruction had been reached: the same visit in the other level.
        let place = self.player.as_ref().map(|player| {
            let pc = player.pc();
            (pc.is_none(), pc.and_then(|pc| key_of(from, pc)))
        });
        self.breakpoints =
            self.breakpoints.iter().filter_map(|&pc| levels.partner(from, pc, level)).collect();
        self.level = level;
        self.player = None;
        self.record();
        let Some(player) = &mut self.player else { return };
        match place {
            Some((true, _)) => player.seek(usize::MAX),
            Some((false, Some(key))) => {
                let found = (0..player.steps())
                    .find(|&step| player.pc_of(step).is_some_and(|pc| key_of(level, pc) == Some(key)));
                player.seek(found.unwrap_or(0));
            }
            _ => {}
        }
    }

    pub(super) fn toggle_breakpoint(&mut self, level: Level, pc: Pc) {
        let Some(pc) = self.levels.as_ref().and_then(|levels| levels.partner(level, pc, self.level)) else {
            return;
        };
        match self.breakpoints.iter().position(|&set| set == pc) {
            Some(index) => {
                self.breakpoints.swap_remove(index);
            }
            None => self.breakpoints.push(pc),
        }
        if let Some(player) = &mut self.player {
            player.set_breakpoints(&self.breakpoints);
        }
    }
}
