//! The running Linux kernel as an engine: classic filters on sockets.
//!
//! The first choice is a Unix datagram socket ([`Kernel`]): it hands the filter the bytes that were sent and nothing
//! else, delivers them at once, and everybody may attach a filter to one of their own. What needs a device, headers
//! or a tag is asked on others: [`tap`] and [`udp`]. What they have in common is a [`Wire`].
//!
//! The calls that the standard library does not have are `setsockopt`, `membarrier` and `sched_setaffinity` here, and
//! those of [`tap`] there.
//!
//! Filters are attached slowly on purpose. Linux 6.18 frees each one it replaces, or refuses, later, in a work queue of
//! 1,024 places, and can wait there for ever for a piece of work that finds no place: thousands of filters in a few
//! milliseconds stopped a machine from attaching any more until it was restarted. So no more than [`BATCH`] are ever
//! left for it to free, and a program of its own asks first whether filters can be attached at all ([`probe`]).
#![allow(unsafe_code)]

#[cfg(target_os = "linux")]
pub mod tap;
#[cfg(target_os = "linux")]
pub mod udp;
pub mod wire;

pub use wire::Wire;

use crate::engine::{Engine, Outcome, Skip};
use crate::input::{self, Input};
use bpf64_core::classic::encoding::{self, Raw};
use bpf64_core::classic::{Ancillary, Insn, Program, interp};
use std::io;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Filters attached before the kernel is given time to free them.
const BATCH: usize = 64;
/// How long a kernel that answers at all may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Two sockets, the second of which filters what the first sends.
#[derive(Debug)]
pub struct Kernel {
    #[cfg(target_os = "linux")]
    sockets: [std::os::unix::net::UnixDatagram; 2],
}

/// How many CPUs the kernel has room for, which is 1 where nobody says: so many values has an entry of a table of which
/// each CPU has its own, and the verifier knows that no CPU has a higher number.
#[must_use]
pub fn possible_cpus() -> u32 {
    let possible = std::fs::read_to_string("/sys/devices/system/cpu/possible").unwrap_or_default();
    let last = possible.trim().rsplit(['-', ',']).next().and_then(|last| last.parse::<u32>().ok());
    last.map_or(1, |last| last + 1)
}

/// Prints that tests are left out, so that it shows in the log of a run that passes.
pub fn skipped(what: &str, why: &str) {
    use std::io::Write;
    // Not by `eprintln!`, which the test harness keeps to itself when a test passes.
    let _ = writeln!(io::stderr(), "skipped: {what}: {why}");
}

/// Finds out whether filters can be attached here. `program` is `probe-kernel` of this crate: a call that does not come
/// back cannot be ended, nor can the process that made it.
///
/// # Errors
/// Why not.
pub fn probe(program: &str) -> Result<(), String> {
    let mut child = Command::new(program)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{program}: {error}"))?;
    let asked = Instant::now();
    while child.try_wait().map_err(|error| error.to_string())?.is_none() {
        if asked.elapsed() > PATIENCE {
            return Err("attaching a filter does not come back; the machine needs a restart".to_owned());
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

impl Kernel {
    /// The kernel, if it can be asked ([`probe`] says what `program` is).
    ///
    /// # Errors
    /// Why not.
    pub fn open(program: &str) -> Result<Self, String> {
        probe(program)?;
        Kernel::open_unasked()
    }

    /// The same, without asking first.
    ///
    /// # Errors
    /// Why not.
    pub fn open_unasked() -> Result<Self, String> {
        let kernel = Self::sockets().map_err(|error| format!("no Unix sockets here: {error}"))?;
        let accept = Raw { code: 0x06, jt: 0, jf: 0, k: 1 };
        match kernel.attach(&[accept]) {
            Ok(()) if kernel.deliver(&[7, 8]).is_ok_and(|length| length == Some(1)) => Ok(kernel),
            Ok(()) => Err("filters on Unix sockets do not cut packets here".to_owned()),
            Err(error) => Err(format!("filters may not be attached here (root may): {error}")),
        }
    }

    #[cfg(target_os = "linux")]
    fn sockets() -> io::Result<Self> {
        let (sender, receiver) = std::os::unix::net::UnixDatagram::pair()?;
        receiver.set_nonblocking(true)?;
        Ok(Kernel { sockets: [sender, receiver] })
    }

    #[cfg(not(target_os = "linux"))]
    fn sockets() -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "this is not Linux"))
    }
}

#[cfg(target_os = "linux")]
impl Wire for Kernel {
    fn attach(&self, program: &[Raw]) -> io::Result<()> {
        attach(&self.sockets[1], program)
    }

    fn deliver(&self, packet: &[u8]) -> io::Result<Option<usize>> {
        let [sender, receiver] = &self.sockets;
        sender.send(packet)?;
        arrived(receiver.recv(&mut vec![0; packet.len() + 1]))
    }

    fn has_device(&self) -> bool {
        false
    }
}

/// Never made elsewhere, so never asked.
#[cfg(not(target_os = "linux"))]
impl Wire for Kernel {
    fn attach(&self, _: &[Raw]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn deliver(&self, _: &[u8]) -> io::Result<Option<usize>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn has_device(&self) -> bool {
        false
    }
}

/// What arrived at a socket that does not wait, or not long: nothing when the filter dropped it.
#[cfg(target_os = "linux")]
fn arrived(received: io::Result<usize>) -> io::Result<Option<usize>> {
    match received {
        Ok(length) => Ok(Some(length)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

// As in asm-generic/socket.h, which all architectures have that Rust's standard library is made for.
#[cfg(target_os = "linux")]
const SOL_SOCKET: i32 = 1;

/// Makes the kernel check the program and filter by it what arrives at the socket from now on.
///
/// # Errors
/// The kernel's refusal.
#[cfg(target_os = "linux")]
fn attach(socket: &impl std::os::fd::AsFd, program: &[Raw]) -> io::Result<()> {
    const SO_ATTACH_FILTER: i32 = 26;

    /// `struct sock_filter`
    #[repr(C)]
    struct SockFilter {
        code: u16,
        jt: u8,
        jf: u8,
        k: u32,
    }

    /// `struct sock_fprog`
    #[repr(C)]
    struct SockFprog {
        len: u16,
        filter: *const SockFilter,
    }

    let filters: Vec<SockFilter> =
        program.iter().map(|&Raw { code, jt, jf, k }| SockFilter { code, jt, jf, k }).collect();
    let len = u16::try_from(filters.len())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "the length field has 16 bits"))?;
    // SAFETY: the kernel reads one `sock_fprog`, whose pointer is that of `len` filters in a vector that outlives the
    // call, and keeps neither pointer.
    let result = unsafe {
        set_option(socket, SOL_SOCKET, SO_ATTACH_FILTER, &SockFprog { len, filter: filters.as_ptr() })
    };
    // All tests of a process share one count, as they share the kernel's work queue.
    static ATTACHED: AtomicUsize = AtomicUsize::new(0);
    if ATTACHED.fetch_add(1, Ordering::Relaxed) % BATCH == BATCH - 1 {
        bpf64_jit::kernel::bpf::give_time();
    }
    result
}

/// `setsockopt()` for the options that are a number.
#[cfg(target_os = "linux")]
fn set_number(socket: &impl std::os::fd::AsFd, level: i32, name: i32, value: u32) -> io::Result<()> {
    // SAFETY: four bytes without a pointer in them; an option that wants more of them says so.
    unsafe { set_option(socket, level, name, &value) }
}

/// `setsockopt()`.
///
/// # Safety
/// `value` must be what the option takes; pointers in it must be as the option wants them.
#[cfg(target_os = "linux")]
unsafe fn set_option<T>(socket: &impl std::os::fd::AsFd, level: i32, name: i32, value: &T) -> io::Result<()> {
    use std::os::fd::AsRawFd;

    unsafe extern "C" {
        fn setsockopt(fd: i32, level: i32, name: i32, value: *const u8, length: u32) -> i32;
    }

    let (fd, value) = (socket.as_fd().as_raw_fd(), std::ptr::from_ref(value).cast());
    // SAFETY: the descriptor is borrowed, so open; the kernel reads as many bytes as the value has. The rest is the
    // caller's promise.
    match unsafe { setsockopt(fd, level, name, value, size_of::<T>() as u32) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Lets the calling thread run on this CPU only, counted from 0, below 64.
///
/// # Errors
/// There is no such CPU, or it is not for us.
#[cfg(target_os = "linux")]
pub fn run_on(cpu: u32) -> io::Result<()> {
    unsafe extern "C" {
        fn sched_setaffinity(thread: i32, length: usize, mask: *const u64) -> i32;
    }

    let mask = 1u64.checked_shl(cpu).ok_or(io::ErrorKind::InvalidInput)?;
    // SAFETY: the kernel reads the 8 bytes of the mask; 0 is the calling thread.
    match unsafe { sched_setaffinity(0, size_of::<u64>(), &mask) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

impl Engine<Program> for Kernel {
    fn name(&self) -> &'static str {
        "Linux"
    }

    fn run(&self, program: &Rc<Program>, input: &Input) -> Result<Outcome, Skip> {
        let changing = |insn: &Insn| {
            matches!(insn, Insn::LoadAncillary { what: Ancillary::Cpu | Ancillary::Random, .. })
        };
        if program.insns().iter().any(changing) {
            return Err(Skip("the CPU and random numbers are the kernel's own"));
        }
        if input.world.skb != input::bare(input.world.skb.packet.clone()).skb {
            return Err(Skip("packets of Unix sockets have no surroundings"));
        }
        let raw: Vec<Raw> = program.insns().iter().map(encoding::encode).collect();
        let guess = interp::run(program, input.world.clone()).0;
        match wire::value(self, &raw, &input.world.skb.packet, guess) {
            Ok(value) => Ok(Outcome::Value(value.into())),
            Err(error) => Ok(Outcome::Trap(format!("refused: {error}"))),
        }
    }
}
