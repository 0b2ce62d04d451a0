//! The running Linux kernel as an engine: a classic filter on a Unix datagram socket.
//!
//! Such a socket hands the filter the bytes that were sent and nothing else, and delivers them at once: 0 drops
//! the packet, any other number cuts it to so many bytes. Everybody may attach a filter to a socket of their own.
//!
//! The two calls that the standard library does not have are `setsockopt` and `membarrier`; all `unsafe` of asking in
//! this way is here.
//!
//! Filters are attached slowly on purpose. Linux 6.18 frees each one it replaces later, in a work queue of 1,024
//! places, and can wait there for ever for a piece of work that finds no place: thousands of filters in a few
//! milliseconds stopped a machine from attaching any more until it was restarted. So no more than [`BATCH`] are ever
//! left for it to free, and a program of its own asks first whether filters can be attached at all ([`Kernel::open`]).
#![allow(unsafe_code)]

use crate::engine::{Engine, Outcome, Skip};
use crate::input::{self, Input};
use bpf64_core::classic::encoding::{self, Raw};
use bpf64_core::classic::{Ancillary, Insn, Program, interp};
use std::cell::Cell;
use std::io;
use std::process::{Command, Stdio};
use std::rc::Rc;
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
    /// Filters attached since the kernel was last given time.
    attached: Cell<usize>,
}

/// Prints that tests are left out, so that it shows in the log of a run that passes.
pub fn skipped(what: &str, why: &str) {
    use std::io::Write;
    // Not by `eprintln!`, which the test harness keeps to itself when a test passes.
    let _ = writeln!(io::stderr(), "skipped: {what}: {why}");
}

impl Kernel {
    /// The kernel, if it can be asked. `probe` is the program `probe-kernel` of this crate: a call that does not come
    /// back cannot be ended, nor can the process that made it.
    ///
    /// # Errors
    /// Why not.
    pub fn open(probe: &str) -> Result<Self, String> {
        let mut child = Command::new(probe)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{probe}: {error}"))?;
        let asked = Instant::now();
        while child.try_wait().map_err(|error| error.to_string())?.is_none() {
            if asked.elapsed() > PATIENCE {
                return Err("attaching a filter does not come back; the machine needs a restart".to_owned());
            }
            thread::sleep(Duration::from_millis(5));
        }
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
        Ok(Kernel { sockets: [sender, receiver], attached: Cell::new(0) })
    }

    #[cfg(not(target_os = "linux"))]
    fn sockets() -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "this is not Linux"))
    }

    /// Makes the kernel check the program and filter by it from now on.
    ///
    /// # Errors
    /// The kernel's refusal.
    #[cfg(target_os = "linux")]
    pub fn attach(&self, program: &[Raw]) -> io::Result<()> {
        use std::os::fd::AsRawFd;

        // As in asm-generic/socket.h, which all architectures have that Rust's standard library is made for.
        const SOL_SOCKET: i32 = 1;
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

        unsafe extern "C" {
            fn setsockopt(fd: i32, level: i32, name: i32, value: *const SockFprog, length: u32) -> i32;
        }

        let filters: Vec<SockFilter> =
            program.iter().map(|&Raw { code, jt, jf, k }| SockFilter { code, jt, jf, k }).collect();
        let len = u16::try_from(filters.len())
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "the length field has 16 bits"))?;
        let program = SockFprog { len, filter: filters.as_ptr() };
        // SAFETY: the descriptor is open as long as `self`; the kernel reads one `sock_fprog`, whose pointer is that
        // of `len` filters in a vector that outlives the call, and keeps neither pointer.
        let result = unsafe {
            setsockopt(
                self.sockets[1].as_raw_fd(),
                SOL_SOCKET,
                SO_ATTACH_FILTER,
                &program,
                size_of::<SockFprog>() as u32,
            )
        };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        self.attached.set(self.attached.get() + 1);
        if self.attached.get() >= BATCH {
            self.attached.set(0);
            give_time();
        }
        Ok(())
    }

    /// There is no filter to attach elsewhere.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(target_os = "linux"))]
    pub fn attach(&self, _: &[Raw]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Sends a packet through the filter: how many bytes arrive, or `None` when it is dropped.
    ///
    /// # Errors
    /// When the sockets fail.
    #[cfg(target_os = "linux")]
    pub fn deliver(&self, packet: &[u8]) -> io::Result<Option<usize>> {
        let [sender, receiver] = &self.sockets;
        sender.send(packet)?;
        match receiver.recv(&mut vec![0; packet.len() + 1]) {
            Ok(length) => Ok(Some(length)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Nothing is delivered elsewhere.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(target_os = "linux"))]
    pub fn deliver(&self, _: &[u8]) -> io::Result<Option<usize>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// All 32 bits of what a program returns for a packet. The length delivered tells a number below the packet's
    /// own length; otherwise a program that compares the result with `guess` is asked, and when the guess was wrong,
    /// each bit by a program that returns only that bit.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn value(&self, program: &[Raw], packet: &[u8], guess: u32) -> io::Result<u32> {
        self.attach(program)?;
        match self.deliver(packet)? {
            None => return Ok(0),
            Some(length) if length < packet.len() => return Ok(length as u32),
            Some(_) => {}
        }
        self.attach(&returning(program, Question::Is(guess)))?;
        if self.deliver(packet)?.is_some() {
            return Ok(guess);
        }
        let mut value = 0;
        for bit in 0..32 {
            self.attach(&returning(program, Question::Bit(bit)))?;
            value |= u32::from(self.deliver(packet)?.is_some()) << bit;
        }
        Ok(value)
    }
}

/// Lets the kernel free what was replaced: waits for the end of what still uses it, then for those who free it.
#[cfg(target_os = "linux")]
pub(crate) fn give_time() {
    const MEMBARRIER: i64 = if cfg!(target_arch = "x86_64") { 324 } else { 283 };
    const GLOBAL: i32 = 1;

    unsafe extern "C" {
        fn syscall(number: i64, ...) -> i64;
    }

    // SAFETY: the call takes two numbers more, no pointers, and changes nothing of this process. If it is refused,
    // the sleep has to do.
    unsafe { syscall(MEMBARRIER, GLOBAL, 0, 0) };
    thread::sleep(Duration::from_millis(3));
}

/// What is asked of a result.
#[derive(Clone, Copy)]
enum Question {
    /// Whether it is this.
    Is(u32),
    /// Whether this bit is set.
    Bit(u32),
}

/// The program with every result replaced by the answer to a question about it, 1 or 0. A question for the device,
/// which these packets have none of, returns A as it is; that this is so is seen by the program as it was, for an A
/// below the packet's length.
fn returning(program: &[Raw], question: Question) -> Vec<Raw> {
    const RETURN_K: u16 = 0x06;
    const RETURN_A: u16 = 0x16;
    let insn = |code, k| Raw { code, jt: 0, jf: 0, k };
    let mut changed = program.to_vec();
    for (at, raw) in changed.iter_mut().enumerate() {
        let asks_device = encoding::decode(*raw).is_ok_and(|insn| {
            matches!(insn, Insn::LoadAncillary { what: Ancillary::Ifindex | Ancillary::HardwareType, .. })
        });
        match raw.code {
            RETURN_K => {
                raw.k = match question {
                    Question::Is(value) => (raw.k == value).into(),
                    Question::Bit(bit) => raw.k >> bit & 1,
                };
            }
            code if code == RETURN_A || asks_device => *raw = insn(0x05, (program.len() - at - 1) as u32),
            _ => {}
        }
    }
    // Where the jumps that were `ret a` go: does A equal the value, or has it the bit?
    let test = match question {
        Question::Is(value) => Raw { jf: 1, ..insn(0x15, value) },
        Question::Bit(bit) => Raw { jf: 1, ..insn(0x45, 1 << bit) },
    };
    changed.extend([test, insn(RETURN_K, 1), insn(RETURN_K, 0)]);
    changed
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
        match self.value(&raw, &input.world.skb.packet, guess) {
            Ok(value) => Ok(Outcome::Value(value.into())),
            Err(error) => Ok(Outcome::Trap(format!("refused: {error}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::Generator;

    #[test]
    fn questions_about_a_result_are_answered() {
        for seed in 0..2000 {
            let mut make = Generator::new(seed);
            let (program, world) = (make.classic_program(20), make.bare_world());
            let run = |raw: &[Raw]| {
                let program = Rc::new(Program::from_raw(raw).expect("the changed program is one, too"));
                interp::run(&program, world.clone()).0
            };
            let value = run(&program.raw());
            let ask = |question| run(&returning(&program.raw(), question));
            assert_eq!(
                ask(Question::Is(value)),
                u32::from(value != 0 || !ends_early(&program, &world)),
                "{seed}"
            );
            assert_eq!(ask(Question::Is(value ^ 1 << (seed % 32))), 0, "{seed}");
            let bits = (0..32).map(|bit| ask(Question::Bit(bit)) << bit).sum::<u32>();
            assert_eq!(bits, value, "{seed}");
        }
    }

    /// With 0, in the middle of an instruction: to which nothing can be added.
    fn ends_early(program: &Program, world: &bpf64_core::environment::World) -> bool {
        use bpf64_core::machine::Ending;
        let (_, ending) = interp::run(&Rc::new(program.clone()), world.clone());
        matches!(ending, Ending::OutsidePacket | Ending::DivisionByZero)
    }
}
