//! The running Linux kernel as an engine: a classic filter on a Unix datagram socket.
//!
//! Such a socket hands the filter the bytes that were sent and nothing else, and delivers them at once: 0 drops
//! the packet, any other number cuts it to so many bytes. Everybody may attach a filter to a socket of their own.
//!
//! The one call that the standard library does not have is `setsockopt`, and all `unsafe` of this crate is here.
#![allow(unsafe_code)]

use crate::engine::{Engine, Outcome, Skip};
use crate::input::{self, Input};
use bpf64_core::classic::encoding::{self, Raw};
use bpf64_core::classic::{Ancillary, Insn, Program};
use std::io;
use std::rc::Rc;

/// Two sockets, the second of which filters what the first sends.
#[derive(Debug)]
pub struct Kernel {
    #[cfg(target_os = "linux")]
    sockets: [std::os::unix::net::UnixDatagram; 2],
}

/// Prints that tests are left out, so that it shows in the log of a run that passes.
pub fn skipped(what: &str, why: &str) {
    println!("skipped: {what}: {why}");
}

impl Kernel {
    /// The kernel, if it can be asked.
    ///
    /// # Errors
    /// Why not.
    pub fn open() -> Result<Self, String> {
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
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
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
    /// own length; otherwise each bit is asked for by a program that returns only that bit.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn value(&self, program: &[Raw], packet: &[u8]) -> io::Result<u32> {
        self.attach(program)?;
        match self.deliver(packet)? {
            None => return Ok(0),
            Some(length) if length < packet.len() => return Ok(length as u32),
            Some(_) => {}
        }
        let mut value = 0;
        for bit in 0..32 {
            self.attach(&returning_bit(program, bit))?;
            value |= u32::from(self.deliver(packet)?.is_some()) << bit;
        }
        Ok(value)
    }
}

/// The program with every result cut down to one bit of it. A question for the device, which these packets have
/// none of, returns A as it is; that this is so is seen by the program as it was, for an A below the packet's length.
fn returning_bit(program: &[Raw], bit: u32) -> Vec<Raw> {
    const RETURN_K: u16 = 0x06;
    const RETURN_A: u16 = 0x16;
    let insn = |code, k| Raw { code, jt: 0, jf: 0, k };
    let mut changed = program.to_vec();
    for (at, raw) in changed.iter_mut().enumerate() {
        let asks_device = encoding::decode(*raw).is_ok_and(|insn| {
            matches!(insn, Insn::LoadAncillary { what: Ancillary::Ifindex | Ancillary::HardwareType, .. })
        });
        match raw.code {
            RETURN_K => raw.k = raw.k >> bit & 1,
            code if code == RETURN_A || asks_device => *raw = insn(0x05, (program.len() - at - 1) as u32),
            _ => {}
        }
    }
    // Where the jumps that were `ret a` go: A >>= bit, A &= 1, ret a.
    changed.extend([insn(0x74, bit), insn(0x54, 1), insn(RETURN_A, 0)]);
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
        match self.value(&raw, &input.world.skb.packet) {
            Ok(value) => Ok(Outcome::Value(value.into())),
            Err(error) => Ok(Outcome::Trap(format!("refused: {error}"))),
        }
    }
}
