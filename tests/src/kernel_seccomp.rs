//! The running Linux kernel as judge of seccomp filters.
//!
//! A filter cannot be taken off, and what it does to a process is not meant to be survived. So a program of its own,
//! `seccomp-worker` of this crate, forks a child for each question: the child installs the filters, makes one system
//! call, leaves what came of it in memory that it shares with its parent, and dies by an instruction that is none, as
//! any other way to die would be one more system call.
//!
//! A filter's exact result is asked for by a filter that compares it ([`asking`]).

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod child;
pub mod worker;

use bpf64_core::classic::encoding::Raw;
use bpf64_core::seccomp::{Action, SeccompData};
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// How long the worker may take for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Calls that do no harm whatever their arguments are, since they have none: sched_yield, getpid, getuid, getgid,
/// geteuid, getegid, getppid, gettid; and numbers that are none, one of them with x32's bit.
pub const HARMLESS: [u32; 10] = [24, 39, 102, 104, 107, 108, 110, 186, 1000, 0x4000_0027];
/// The one by the 32-bit convention: getpid.
pub const HARMLESS_32_BIT: u32 = 20;

/// What a child is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The filters, installed in this order.
    pub filters: Vec<Vec<Raw>>,
    /// The call that is then made, if one is. It must be harmless, or the filters must be those of [`asking`], which
    /// never allow it.
    pub call: Option<Call>,
}

impl Call {
    /// Whether it may be made: children are root's when the tests are, and most calls change something.
    #[must_use]
    pub fn is_harmless(&self) -> bool {
        if self.is_32_bit { self.nr == HARMLESS_32_BIT } else { HARMLESS.contains(&self.nr) }
    }
}

/// A call that a child makes, or that its filters keep it from making.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// By the 32-bit convention's instruction, `int 0x80`.
    pub is_32_bit: bool,
    /// Its number.
    pub nr: u32,
    /// Its arguments.
    pub args: [u64; 6],
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// How many filters were installed.
    pub installed: usize,
    /// The error number of the one that was not, or 0.
    pub errno: i32,
    /// What the call returns without filters; 0 for one that is not harmless, which is never made without.
    pub usual: i64,
    /// What came of the call, if it was made.
    pub outcome: Option<Outcome>,
}

/// What came of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It returned.
    Returned(i64),
    /// SIGSYS was sent, with this data.
    Trapped(i32),
    /// The child was killed by this signal.
    Killed(i32),
}

/// SIGSYS.
const SIGSYS: i32 = 31;
/// ENOSYS.
const ENOSYS: i64 = 38;

impl Outcome {
    /// What a call comes to that usually returns `usual` when this is decided, without tracer and listener.
    #[must_use]
    pub fn of(action: Action, usual: i64) -> Self {
        match action {
            Action::KillProcess | Action::KillThread | Action::Unknown(_) => Outcome::Killed(SIGSYS),
            Action::Trap(data) => Outcome::Trapped(data.into()),
            Action::Errno(number) => Outcome::Returned(-i64::from(number)),
            Action::UserNotif | Action::Trace(_) => Outcome::Returned(-ENOSYS),
            Action::Log | Action::Allow => Outcome::Returned(usual),
        }
    }
}

/// Asks whether a result is this number: the call fails with [`YES`] or [`NO`]. Other calls are allowed, since the
/// child makes some while it installs more filters. A division by zero gives 0 by killing.
#[must_use]
pub fn asking(filter: &[Raw], call: &Call, value: u32) -> Vec<Raw> {
    let [yes, no] = [YES, NO].map(|errno| Action::Errno(errno as u16).value());
    let mut asking = guarded(filter, call);
    let before = asking.len() - filter.len();
    for at in before..asking.len() {
        asking[at] = match asking[at] {
            Raw { code: RETURN_K, k, .. } => insn(RETURN_K, if k == value { yes } else { no }),
            Raw { code: RETURN_A, .. } => insn(JUMP, (asking.len() - at - 1) as u32),
            other => other,
        };
    }
    let equal = Raw { jf: 1, ..insn(JUMP_EQUAL, value) };
    asking.extend([equal, insn(RETURN_K, yes), insn(RETURN_K, no)]);
    asking
}

/// The filter for this call only, all others being allowed: a child has to make some before.
#[must_use]
pub fn guarded(filter: &[Raw], call: &Call) -> Vec<Raw> {
    let mine = Raw { jt: 1, ..insn(JUMP_EQUAL, call.nr) };
    let guard = [insn(LOAD, 0), mine, insn(RETURN_K, Action::Allow.value()), insn(LOAD_IMM, 0)];
    [&guard, filter].concat()
}

/// Whether a filter is one of [`asking`], for this call: none of its returns behind the guard but an error.
fn denies(filter: &[Raw], call: &Call) -> bool {
    let errors = [YES, NO].map(|errno| Action::Errno(errno as u16).value());
    let guard = guarded(&[], call);
    filter.strip_prefix(guard.as_slice()).is_some_and(|rest| {
        rest.iter().all(|raw| match raw.code {
            RETURN_K => errors.contains(&raw.k),
            code => code != RETURN_A,
        })
    })
}

/// How many instructions [`asking`] adds.
pub const ASKING_ADDS: usize = 7;
/// The error number of a call whose filter returns what was asked for.
pub const YES: i64 = 1;
/// And of one whose filter does not.
pub const NO: i64 = 2;

const LOAD: u16 = 0x20;
const LOAD_IMM: u16 = 0x00;
const JUMP: u16 = 0x05;
const JUMP_EQUAL: u16 = 0x15;
const RETURN_K: u16 = 0x06;
const RETURN_A: u16 = 0x16;

const fn insn(code: u16, k: u32) -> Raw {
    Raw { code, jt: 0, jf: 0, k }
}

/// The worker, running.
#[derive(Debug)]
pub struct Worker {
    process: Child,
    input: ChildStdin,
    answers: Receiver<String>,
    /// The addresses behind the two instructions that make its calls, for 64 and for 32 bits.
    addresses: [u64; 2],
    /// Whether it can make calls of the 32-bit convention.
    pub has_32_bit: bool,
}

impl Worker {
    /// Starts it. `program` is `seccomp-worker` of this crate.
    ///
    /// # Errors
    /// Why filters cannot be installed here.
    pub fn start(program: &str) -> Result<Self, String> {
        let mut process = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{program}: {error}"))?;
        let (input, output) = process.stdin.take().zip(process.stdout.take()).ok_or("no pipes")?;
        let (send, answers) = channel();
        // A thread, so that a worker that does not come back is noticed.
        thread::spawn(move || {
            BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| send.send(line))
        });
        let mut worker = Worker { process, input, answers, addresses: [0; 2], has_32_bit: false };
        let hello = worker.line().map_err(|error| error.to_string())?;
        let numbers: Vec<u64> = hello.split(' ').filter_map(|word| word.parse().ok()).collect();
        let [wide, narrow] = numbers[..] else { return Err(hello) };
        worker.addresses = [wide, narrow];
        let allow = vec![insn(RETURN_K, Action::Allow.value())];
        let mut call = Call { is_32_bit: false, nr: 39, args: [0; 6] };
        let mut ask = |call| worker.ask(&Question { filters: vec![allow.clone()], call: Some(call) });
        match ask(call) {
            Ok(Answer { installed: 1, outcome: Some(Outcome::Returned(1..)), .. }) => {}
            Ok(answer) => return Err(format!("filters cannot be installed here: {answer:?}")),
            Err(error) => return Err(error.to_string()),
        }
        (call.is_32_bit, call.nr) = (true, HARMLESS_32_BIT);
        let has_32_bit = ask(call).is_ok_and(|answer| matches!(answer.outcome, Some(Outcome::Returned(1..))));
        worker.has_32_bit = has_32_bit;
        Ok(worker)
    }

    /// The record that filters see of a call.
    #[must_use]
    pub fn record(&self, call: &Call) -> SeccompData {
        let Call { is_32_bit, nr, args } = *call;
        let (arch, low) =
            if is_32_bit { (0x4000_0003, u64::from(u32::MAX)) } else { (0xc000_003e, u64::MAX) };
        let instruction_pointer = self.addresses[usize::from(is_32_bit)];
        SeccompData { nr, arch, instruction_pointer, args: args.map(|argument| argument & low) }
    }

    /// Has a child do it.
    ///
    /// # Errors
    /// The worker does not answer.
    pub fn ask(&mut self, question: &Question) -> io::Result<Answer> {
        let is_safe =
            |call: &Call| call.is_harmless() || question.filters.iter().any(|filter| denies(filter, call));
        if !question.call.as_ref().is_none_or(is_safe) {
            return Err(io::Error::other("this call could be made, and is not known to be harmless"));
        }
        writeln!(self.input, "{}", worker::write(question))?;
        self.input.flush()?;
        let line = self.line()?;
        worker::answer(&line).ok_or_else(|| io::Error::other(format!("the worker says `{line}`")))
    }

    fn line(&self) -> io::Result<String> {
        self.answers.recv_timeout(PATIENCE).map_err(|_| io::Error::other("the worker does not answer"))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::Generator;
    use bpf64_core::classic::Program;
    use bpf64_core::seccomp::Filter;
    use std::rc::Rc;

    fn run(raw: &[Raw], data: &SeccompData) -> u32 {
        let program = Program::from_raw(raw).and_then(Program::for_seccomp).expect("it is a filter, too");
        Filter::new(Rc::new(program)).expect("it was checked").run(data)
    }

    #[test]
    fn questions_about_a_result_are_answered() {
        for seed in 0..2000 {
            let mut make = Generator::new(seed);
            let (program, data) = (make.seccomp_program(20), make.system_call());
            let call = Call { is_32_bit: false, nr: data.nr, args: data.args };
            let raw = program.raw();
            let value = run(&raw, &data);
            let answer = Action::of(run(&asking(&raw, &call, value), &data));
            let killed = value == 0 && answer == Action::KillThread;
            assert!(killed || answer == Action::Errno(YES as u16), "{seed}: {answer}");
            let answer = Action::of(run(&asking(&raw, &call, value ^ 1), &data));
            assert!(answer != Action::Errno(YES as u16), "{seed}: {answer}");
            assert_eq!(run(&guarded(&raw, &call), &data), value, "{seed}");
            let other = SeccompData { nr: data.nr ^ 1, ..data };
            assert_eq!(Action::of(run(&guarded(&raw, &call), &other)), Action::Allow, "{seed}");
            assert_eq!(asking(&raw, &call, value).len(), raw.len() + ASKING_ADDS);
            assert!(denies(&asking(&raw, &call, value), &call), "{seed}");
            // What is taken for a filter that denies does so, whatever it was made for.
            if denies(&guarded(&raw, &call), &call) {
                assert!(matches!(Action::of(value), Action::Errno(1 | 2) | Action::KillThread), "{seed}");
            }
        }
    }
}
