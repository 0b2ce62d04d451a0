//! Linux's error numbers, as functions and tables of programs give them.

use std::fmt;

/// Declares the error numbers with their names and meanings.
macro_rules! errors {
    ($($name:ident = $number:literal $text:literal,)*) => {
        /// Every known number with its name and what it means.
        const TABLE: &[(i32, &str, &str)] = &[$(($number, stringify!($name), $text),)*];

        impl Errno {
            $(#[doc = $text] pub const $name: Errno = Errno($number);)*
        }
    };
}

/// An error number (include/uapi/asm-generic/errno*.h; `ENOTSUPP` of include/linux/errno.h). Programs see it negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(pub i32);

errors! {
    EPERM = 1 "not permitted",
    ENOENT = 2 "no such entry",
    ESRCH = 3 "no such process",
    EINTR = 4 "interrupted",
    EIO = 5 "input or output failed",
    ENXIO = 6 "no such device or address",
    E2BIG = 7 "too big",
    EBADF = 9 "bad file descriptor",
    EAGAIN = 11 "try again",
    ENOMEM = 12 "out of memory",
    EACCES = 13 "access denied",
    EFAULT = 14 "bad address",
    EBUSY = 16 "busy",
    EEXIST = 17 "exists already",
    ENODEV = 19 "no such device",
    EINVAL = 22 "invalid argument",
    ENOSPC = 28 "no space left",
    ERANGE = 34 "out of range",
    ENOSYS = 38 "no such function",
    ELOOP = 40 "too many levels",
    EPROTO = 71 "protocol error",
    EMSGSIZE = 90 "message too long",
    EOPNOTSUPP = 95 "operation not supported",
    ENETDOWN = 100 "the network is down",
    ENOTSUPP = 524 "operation not supported by the kernel",
}

impl Errno {
    /// Its name, `EINVAL`, if it is known.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        TABLE.iter().find(|row| row.0 == self.0).map(|row| row.1)
    }

    /// What a function of a program returns for it: the negative number, in 64 bits.
    #[must_use]
    pub const fn result(self) -> u64 {
        -(self.0 as i64) as u64
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match TABLE.iter().find(|row| row.0 == self.0) {
            Some((_, name, text)) => write!(f, "{name}, {text}"),
            None => write!(f, "error {}", self.0),
        }
    }
}

impl std::error::Error for Errno {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_see_the_negative_number() {
        assert_eq!(Errno::ENOENT.result() as i64, -2);
        assert_eq!(Errno::EINVAL.to_string(), "EINVAL, invalid argument");
        assert_eq!(Errno(4711).to_string(), "error 4711");
    }
}
