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
    EOVERFLOW = 75 "value too large",
    ENOTSOCK = 88 "not a socket",
    EMSGSIZE = 90 "message too long",
    EOPNOTSUPP = 95 "operation not supported",
    ENETDOWN = 100 "the network is down",
    ENOTSUPP = 524 "operation not supported by the kernel",
}

/// Every name of include/uapi/asm-generic/errno*.h, from 1 up; `-` is a number without one.
const NAMES: &str = "\
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK EBUSY \
    EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK \
    EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP - ENOMSG EIDRM ECHRNG EL2NSYNC \
    EL3HLT EL3RST ELNRNG EUNATCH ENOCSI EL2HLT EBADE EBADR EXFULL ENOANO EBADRQC EBADSLT - EBFONT ENOSTR \
    ENODATA ETIME ENOSR ENONET ENOPKG EREMOTE ENOLINK EADV ESRMNT ECOMM EPROTO EMULTIHOP EDOTDOT EBADMSG \
    EOVERFLOW ENOTUNIQ EBADFD EREMCHG ELIBACC ELIBBAD ELIBSCN ELIBMAX ELIBEXEC EILSEQ ERESTART ESTRPIPE \
    EUSERS ENOTSOCK EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP \
    EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL ENETDOWN ENETUNREACH ENETRESET ECONNABORTED \
    ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN ETOOMANYREFS ETIMEDOUT ECONNREFUSED EHOSTDOWN EHOSTUNREACH \
    EALREADY EINPROGRESS ESTALE EUCLEAN ENOTNAM ENAVAIL EISNAM EREMOTEIO EDQUOT ENOMEDIUM EMEDIUMTYPE \
    ECANCELED ENOKEY EKEYEXPIRED EKEYREVOKED EKEYREJECTED EOWNERDEAD ENOTRECOVERABLE ERFKILL EHWPOISON \
    EFTYPE";

impl Errno {
    /// Its name, `EINVAL`, if it is known.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        TABLE.iter().find(|row| row.0 == self.0).map(|row| row.1)
    }

    /// The same, of all numbers that system calls fail with.
    #[must_use]
    pub fn any_name(self) -> Option<&'static str> {
        let before = usize::try_from(self.0).ok()?.checked_sub(1)?;
        NAMES.split(' ').nth(before).filter(|&name| name != "-")
    }

    /// The number with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let before = NAMES.split(' ').position(|known| known == name && known != "-")?;
        i32::try_from(before + 1).ok().map(Errno)
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

    #[test]
    fn names_stand_at_their_numbers() {
        let known = [(133, "EHWPOISON"), (110, "ETIMEDOUT"), (59, "EBFONT"), (42, "ENOMSG"), (1, "EPERM")];
        for (number, name) in known {
            assert_eq!(Errno(number).any_name(), Some(name));
            assert_eq!(Errno::named(name), Some(Errno(number)));
        }
        for (number, name, _) in TABLE.iter().filter(|row| row.0 < 200) {
            assert_eq!(Errno(*number).any_name(), Some(*name));
        }
        assert_eq!([0, -1, 41, 58, 4095].map(|number| Errno(number).any_name()), [None; 5]);
    }
}
