//! What a filter's result means: `SECCOMP_RET_*` of include/uapi/linux/seccomp.h, as `__seccomp_filter()`
//! (kernel/seccomp.c) acts on them.
//!
//! The upper 16 bits are the action, the lower 16 its data. As signed numbers, lower ones allow less.

use crate::errno::Errno;
use std::fmt;

/// What happens to a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// The process is killed, as if by SIGSYS.
    KillProcess,
    /// The thread is killed; the last one takes the process with it.
    KillThread,
    /// The call is not made and SIGSYS sent, which says the data in `si_errno`.
    Trap(u16),
    /// The call is not made and fails with this error number; with 0, it returns 0.
    Errno(u16),
    /// A process that listens decides; without one, the call fails with ENOSYS.
    UserNotif,
    /// A tracer that is attached is told the data and decides; without one, the call fails with ENOSYS.
    Trace(u16),
    /// The call is made and logged.
    Log,
    /// The call is made.
    Allow,
    /// No action, so Linux kills the process; the upper 16 bits.
    Unknown(u16),
}

/// The largest error number (`MAX_ERRNO`): larger data of [`Action::Errno`] counts as this.
const MAX_ERRNO: u16 = 4095;

/// Actions without data, by the upper 16 bits of their value.
const KILL_PROCESS: u16 = 0x8000;
const KILL_THREAD: u16 = 0x0000;
const TRAP: u16 = 0x0003;
const ERRNO: u16 = 0x0005;
const USER_NOTIF: u16 = 0x7fc0;
const TRACE: u16 = 0x7ff0;
const LOG: u16 = 0x7ffc;
const ALLOW: u16 = 0x7fff;

impl Action {
    /// What a filter's result stands for.
    #[must_use]
    pub fn of(value: u32) -> Self {
        let data = value as u16;
        match (value >> 16) as u16 {
            KILL_PROCESS => Action::KillProcess,
            KILL_THREAD => Action::KillThread,
            TRAP => Action::Trap(data),
            ERRNO => Action::Errno(data.min(MAX_ERRNO)),
            USER_NOTIF => Action::UserNotif,
            TRACE => Action::Trace(data),
            LOG => Action::Log,
            ALLOW => Action::Allow,
            unknown => Action::Unknown(unknown),
        }
    }

    /// The result that stands for it.
    #[must_use]
    pub fn value(self) -> u32 {
        let (upper, data) = match self {
            Action::KillProcess => (KILL_PROCESS, 0),
            Action::KillThread => (KILL_THREAD, 0),
            Action::Trap(data) => (TRAP, data),
            Action::Errno(data) => (ERRNO, data),
            Action::UserNotif => (USER_NOTIF, 0),
            Action::Trace(data) => (TRACE, data),
            Action::Log => (LOG, 0),
            Action::Allow => (ALLOW, 0),
            Action::Unknown(upper) => (upper, 0),
        };
        u32::from(upper) << 16 | u32::from(data)
    }

    /// How little it allows: of several filters' results the lowest counts (`ACTION_ONLY`).
    #[must_use]
    pub fn rank(value: u32) -> i32 {
        (value & 0xffff_0000) as i32
    }

    /// Its name: that of Linux's constant, without `SECCOMP_RET_`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Action::KillProcess => "KILL_PROCESS",
            Action::KillThread => "KILL_THREAD",
            Action::Trap(_) => "TRAP",
            Action::Errno(_) => "ERRNO",
            Action::UserNotif => "USER_NOTIF",
            Action::Trace(_) => "TRACE",
            Action::Log => "LOG",
            Action::Allow => "ALLOW",
            Action::Unknown(_) => "UNKNOWN",
        }
    }

    /// Its data, where there is a use for it.
    #[must_use]
    pub fn data(self) -> Option<u16> {
        match self {
            Action::Trap(data) | Action::Errno(data) | Action::Trace(data) => Some(data),
            Action::KillProcess
            | Action::KillThread
            | Action::UserNotif
            | Action::Log
            | Action::Allow
            | Action::Unknown(_) => None,
        }
    }

    /// The name of its error number: `EPERM`.
    #[must_use]
    pub fn errno(self) -> Option<&'static str> {
        if let Action::Errno(number) = self { Errno(number.into()).any_name() } else { None }
    }

    /// What happens, in a sentence without its full stop: "the call is made".
    #[must_use]
    pub fn effect(self) -> String {
        match self {
            Action::KillProcess => "the process is killed".to_owned(),
            Action::KillThread => "the thread is killed".to_owned(),
            Action::Trap(_) => "the call is not made, and SIGSYS is sent".to_owned(),
            Action::Errno(0) => "the call is not made, and returns 0".to_owned(),
            Action::Errno(number) => match self.errno() {
                Some(name) => format!("the call fails with {name}"),
                None => format!("the call fails with error {number}"),
            },
            Action::UserNotif => "a listener decides; without one, the call fails with ENOSYS".to_owned(),
            Action::Trace(_) => "a tracer decides; without one, the call fails with ENOSYS".to_owned(),
            Action::Log => "the call is made, and logged".to_owned(),
            Action::Allow => "the call is made".to_owned(),
            Action::Unknown(_) => "Linux does not know this action, and kills the process".to_owned(),
        }
    }
}

/// `ALLOW`, `ERRNO(1 EPERM)`, `TRACE(5)`, `UNKNOWN(0x7f000000)`.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match (*self, self.errno()) {
            (Action::Unknown(_), _) => write!(f, "{name}({:#x})", self.value()),
            (Action::Errno(number), Some(errno)) => write!(f, "{name}({number} {errno})"),
            (Action::Trap(0) | Action::Trace(0), _) => f.write_str(name),
            (Action::Errno(data) | Action::Trap(data) | Action::Trace(data), _) => {
                write!(f, "{name}({data})")
            }
            (
                Action::KillProcess | Action::KillThread | Action::UserNotif | Action::Log | Action::Allow,
                _,
            ) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_decoded_and_named() {
        let check = |value, text: &str| assert_eq!(Action::of(value).to_string(), text, "{value:#x}");
        check(0x8000_0000, "KILL_PROCESS");
        check(0x8000_ffff, "KILL_PROCESS");
        check(0, "KILL_THREAD");
        check(0x0003_0000, "TRAP");
        check(0x0003_0007, "TRAP(7)");
        check(0x0005_0000, "ERRNO(0)");
        check(0x0005_0001, "ERRNO(1 EPERM)");
        check(0x0005_0026, "ERRNO(38 ENOSYS)");
        check(0x0005_ffff, "ERRNO(4095)");
        check(0x7fc0_0000, "USER_NOTIF");
        check(0x7ff0_0005, "TRACE(5)");
        check(0x7ffc_0000, "LOG");
        check(0x7fff_0000, "ALLOW");
        check(0x7fff_1234, "ALLOW");
        check(0x0001_0000, "UNKNOWN(0x10000)");
        check(0xffff_ffff, "UNKNOWN(0xffff0000)");
    }

    #[test]
    fn every_action_has_a_value_of_its_own() {
        for upper in 0..=u16::MAX {
            let value = u32::from(upper) << 16;
            assert_eq!(Action::of(value).value(), value);
        }
        let order = [0x8000_0000, 0, 0x3_0000, 0x5_0000, 0x7fc0_0000, 0x7ff0_0000, 0x7ffc_0000, 0x7fff_0000];
        assert!(order.is_sorted_by_key(|&value| Action::rank(value)));
        assert!(Action::rank(0xffff_ffff) < Action::rank(0), "unknown ones can be lower than killing");
    }
}
