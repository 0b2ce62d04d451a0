//! The clock: rounds in which every engine has its turn.

use super::Task;
use super::engines::{Engine, Ran, Runs};
use crate::cli::output::Output;
use crate::cli::progress::Progress;
use serde::Serialize;
use std::fmt;
use std::fs;
use std::time::{Duration, Instant};

/// How long a round takes at least: long beside the clock's own 20 ns or so and the few microseconds of a system call,
/// short beside what interrupts us.
const ROUND: Duration = Duration::from_micros(400);

/// How long a turn may really take in every round.
const PATIENCE: Duration = Duration::from_millis(1);

/// The time of a run in each round, in nanoseconds, the fastest first.
#[derive(Debug)]
pub(super) struct Times(Vec<f64>);

impl Times {
    /// Of at least one round, in any order.
    pub(super) fn new(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        Times(times)
    }

    /// The fastest round's.
    pub(super) fn best(&self) -> f64 {
        self.quantile(0.0)
    }

    /// The middle one's.
    pub(super) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// How far apart the middle half of the rounds is, as a share of the median.
    pub(super) fn spread(&self) -> f64 {
        (self.quantile(0.75) - self.quantile(0.25)) / self.median()
    }

    /// The time that this share of the rounds stays below, between the two rounds next to it.
    fn quantile(&self, share: f64) -> f64 {
        let at = share * (self.0.len() - 1) as f64;
        let (low, high) = (self.0[at.floor() as usize], self.0[at.ceil() as usize]);
        low + (high - low) * at.fract()
    }
}

/// How a program's runs on one engine ended, and how long they took; or why they did not end well.
pub(super) type Outcome = Result<(Ran, Times), String>;

/// Runs every engine in turn in one of so many of `rounds` rounds as stands beside it. An engine whose run fails gets no
/// more turns.
pub(super) fn race<'a>(
    engines: impl Iterator<Item = (&'a mut Runs, usize)>,
    rounds: u32,
    progress: &mut Progress,
) -> Vec<Outcome> {
    let mut runners: Vec<(&mut Runs, Result<Runner, String>)> = engines
        .map(|(engine, every)| {
            let runner = warm(engine).map(|runner| Runner { every: runner.every.max(every), ..runner });
            (engine, runner)
        })
        .collect();
    for round in 0..rounds as usize {
        let count = runners.len();
        for turn in 0..count {
            // Whoever is first in one round is last in the next, so that nobody always follows the same other one.
            let (engine, runner) = &mut runners[(round + turn) % count];
            if let Ok(ready) = runner
                && round % ready.every == 0
            {
                match timed(engine, ready.runs) {
                    Ok(Turn { ran, time, .. }) => {
                        ready.last = ran;
                        ready.times.push(time / ready.runs as f64);
                    }
                    Err(why) => *runner = Err(why),
                }
            }
            progress.advance();
        }
    }
    runners.into_iter().map(|(_, runner)| runner.map(|r| (r.last, Times::new(r.times)))).collect()
}

/// Runs an engine `rounds` times by itself, `runs` in a round; without that, as many as make a good one.
pub(super) fn alone(engine: &mut Runs, runs: Option<u64>, rounds: u32) -> Result<(Ran, Times), String> {
    let Runner { runs, mut last, .. } = match runs {
        // One run shows whether it ends, and warms it.
        Some(runs) => Runner { runs, every: 1, last: timed(engine, 1)?.ran, times: Vec::new() },
        None => warm(engine)?,
    };
    let mut times = Vec::new();
    for _ in 0..rounds {
        let turn = timed(engine, runs)?;
        last = turn.ran;
        times.push(turn.time / runs as f64);
    }
    Ok((last, Times::new(times)))
}

/// An engine between its turns.
struct Runner {
    /// Runs in a round.
    runs: u64,
    /// It has a turn in one of so many rounds: engines that take long to get going have fewer.
    every: usize,
    last: Ran,
    times: Vec<f64>,
}

/// What a turn gave.
struct Turn {
    ran: Ran,
    /// Nanoseconds: by the engine's own clock, if it has one.
    time: f64,
    /// How long it really took.
    elapsed: Duration,
}

/// Runs an engine until it is warm, and finds out how many runs make a round. A turn that somebody interrupted says
/// nothing about that, so it is the fastest of a few that counts.
fn warm(engine: &mut Runs) -> Result<Runner, String> {
    const TURNS: usize = 4;
    let mut runs = 1;
    loop {
        let mut turn = timed(engine, runs)?;
        for _ in 1..TURNS {
            if turn.time < ROUND.as_nanos() as f64 {
                break;
            }
            let other = timed(engine, runs)?;
            turn = if other.time < turn.time { other } else { turn };
        }
        if turn.time >= ROUND.as_nanos() as f64 {
            let every = (turn.elapsed.as_micros() / PATIENCE.as_micros()).clamp(1, 16) as usize;
            return Ok(Runner { runs, every, last: turn.ran, times: Vec::new() });
        }
        runs *= 2;
    }
}

fn timed(engine: &mut Runs, runs: u64) -> Result<Turn, String> {
    let started = Instant::now();
    let ran = engine(runs)?;
    let elapsed = started.elapsed();
    Ok(Turn { time: ran.clock.unwrap_or(elapsed.as_nanos() as f64), ran, elapsed })
}

/// A bar for all that is to be done.
pub(super) fn progress(tasks: &[Task], engines: &[&Engine], rounds: u32, out: &Output) -> Progress {
    // Most have two turns: their runs, and runs of nothing.
    let turns = tasks.len() as u64 * engines.len() as u64 * 2 * u64::from(rounds);
    Progress::new(turns, "rounds", !out.json)
}

/// Under what all was measured.
#[derive(Debug, Serialize)]
pub(super) struct Conditions {
    pub(super) rounds: u32,
    /// The CPU that all runs were on, if they could be kept there.
    pub(super) cpu: Option<usize>,
    /// What kind of machine it is, if it says.
    pub(super) machine: Option<String>,
}

impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} round{} of each engine", self.rounds, if self.rounds == 1 { "" } else { "s" })?;
        if let Some(cpu) = self.cpu {
            write!(f, " on CPU {cpu}")?;
        }
        self.machine.iter().try_for_each(|machine| write!(f, ", {machine}"))
    }
}

/// The CPU's and the kernel's names, as Linux tells them.
pub(super) fn machine() -> Option<String> {
    let cpus = fs::read_to_string("/proc/cpuinfo").ok()?;
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name"))?.split_once(':')?.1;
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    Some(format!("{}, Linux {}", model.trim(), release.trim()))
}

/// Keeps this thread on the CPU it is on, and says which: another one's caches and clock are not ours.
#[cfg(target_os = "linux")]
pub(super) fn stay_on_one_cpu() -> Option<usize> {
    use rustix::thread::{CpuSet, sched_getcpu, sched_setaffinity};
    let cpu = sched_getcpu();
    let mut set = CpuSet::new();
    if cpu >= CpuSet::MAX_CPU {
        return None;
    }
    set.set(cpu);
    sched_setaffinity(None, &set).ok().map(|()| cpu)
}

/// Elsewhere there is no common way to ask for it.
#[cfg(not(target_os = "linux"))]
pub(super) fn stay_on_one_cpu() -> Option<usize> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_found_between_rounds() {
        let times = Times::new(vec![40.0, 10.0, 30.0, 20.0]);
        assert_eq!((times.best(), times.median()), (10.0, 25.0));
        assert!((times.spread() - 15.0 / 25.0).abs() < 1e-9);
        let one = Times::new(vec![7.0]);
        assert_eq!((one.best(), one.median(), one.spread()), (7.0, 7.0, 0.0));
    }

    #[test]
    fn an_engine_that_fails_late_loses_its_times() {
        let good = |runs| Ok(Ran::new(runs, Some(1)));
        let mut turns = 0;
        let bad = move |_| {
            std::thread::sleep(ROUND);
            turns += 1;
            if turns < 3 { Ok(Ran::new(0, Some(1))) } else { Err("too late".to_owned()) }
        };
        let slow = move |runs| {
            std::thread::sleep(ROUND);
            good(runs)
        };
        let mut engines: [Runs; 2] = [Box::new(slow), Box::new(bad)];
        let outcomes =
            race(engines.iter_mut().map(|engine| (engine, 1)), 5, &mut Progress::new(10, "rounds", false));
        assert!(
            matches!(&outcomes[0], Ok((Ran { r0: 1, .. }, Times(times))) if times.len() == 5),
            "{outcomes:?}"
        );
        assert!(matches!(&outcomes[1], Err(why) if why == "too late"), "{outcomes:?}");
    }
}
