//! What functions tell a program of its surroundings: time, CPU, process, random numbers. All of it is said beforehand,
//! so that a run repeats exactly.

use bpf64_core::environment::{Process, Random, World};
use bpf64_core::maps::MAX_CPUS;
use serde::Deserialize;

/// The flags, and the same in a request.
#[derive(Debug, Default, clap::Args, Deserialize)]
#[serde(default)]
#[command(next_help_heading = "What the program may ask")]
pub(super) struct Surroundings {
    /// Nanoseconds since the machine started; the time stands still
    #[arg(long, value_name = "NS", default_value_t = 0)]
    time: u64,
    /// The CPU, 0 to 15; there are as many as that takes
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..i64::from(MAX_CPUS)))]
    cpu: u32,
    /// The thread's number
    #[arg(long, value_name = "N", default_value_t = 0)]
    pid: u32,
    /// The process's number, if it is not the thread's
    #[arg(long, value_name = "N")]
    tgid: Option<u32>,
    /// The user
    #[arg(long, value_name = "N", default_value_t = 0)]
    uid: u32,
    /// The group
    #[arg(long, value_name = "N", default_value_t = 0)]
    gid: u32,
    /// The thread's name, 15 bytes at most
    #[arg(long, value_name = "NAME", value_parser = comm)]
    comm: Option<String>,
    /// Which random numbers there are
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

/// Bytes of a thread's name, with the 0 behind it (`TASK_COMM_LEN`).
const COMM: usize = 16;

fn comm(name: &str) -> Result<String, String> {
    match name.len() {
        0..COMM => Ok(name.to_owned()),
        length => Err(format!("the name has {length} bytes, and a thread's has {} at most", COMM - 1)),
    }
}

impl Surroundings {
    /// Whether anything else is said than what is so anyway.
    pub(super) fn is_given(&self) -> bool {
        let Surroundings { time, cpu, pid, tgid, uid, gid, comm, seed } = self;
        (*time, *seed) != (0, 0) || [*cpu, *pid, *uid, *gid] != [0; 4] || tgid.is_some() || comm.is_some()
    }

    /// How many CPUs there are.
    pub(super) fn cpus(&self) -> u32 {
        self.cpu + 1
    }

    /// Puts it into the world.
    ///
    /// # Errors
    /// What cannot be, in a sentence.
    pub(super) fn put(&self, world: &mut World) -> Result<(), String> {
        if self.cpu >= MAX_CPUS {
            return Err(format!("`cpu` is 0 to {}", MAX_CPUS - 1));
        }
        let name = comm(self.comm.as_deref().unwrap_or_default()).map_err(|why| format!("`comm`: {why}"))?;
        let mut bytes = [0; COMM];
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        (world.time, world.random) = (self.time, Random(self.seed));
        (world.cpu, world.cpus) = (self.cpu, self.cpus());
        world.process = Process {
            pid: self.pid,
            tgid: self.tgid.unwrap_or(self.pid),
            uid: self.uid,
            gid: self.gid,
            comm: bytes,
        };
        Ok(())
    }
}
