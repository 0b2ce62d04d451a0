//! Frames through an Ethernet device: a tap in a network of its own, and a packet socket behind it.
//!
//! What is written to the tap has arrived at its interface when the call returns. The filter sees what it sees in
//! real life: the frame from its Ethernet header on, device, protocol and packet type, and a VLAN tag only as metadata,
//! since the kernel takes it out of the bytes first.
//!
//! The network is a namespace, so that nobody else sends here, and needs root.
//!
//! `unsafe` is here for calls that the standard library does not have: each is given memory that outlives it, and what it
//! opens is owned at once.
#![allow(unsafe_code)]

use super::wire::Wire;
use super::{arrived, attach, set_number};
use crate::engine::{Engine, Outcome, Skip};
use crate::input::Input;
use bpf64_core::classic::encoding::Raw;
use bpf64_core::classic::{Ancillary, Insn, Program, interp};
use bpf64_core::context::skb::{Device, Skb};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::rc::Rc;
use std::thread;

/// The device's own address.
pub const ADDRESS: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// The device's name.
const NAME: &[u8] = b"bpf64";
/// The shortest frame: a header.
const HEADER: usize = 14;
/// The hardware type of Ethernet (`ARPHRD_ETHER`).
const ETHERNET: u16 = 1;

/// The tap, and a packet socket at its interface.
#[derive(Debug)]
pub struct Tap {
    tap: File,
    socket: File,
    ifindex: u32,
}

/// `struct ifreq`: a name, and what is asked or said of it.
#[repr(C)]
struct Request {
    name: [u8; 16],
    value: [u8; 24],
}

impl Request {
    fn new(value: &[u8]) -> Self {
        let mut request = Request { name: [0; 16], value: [0; 24] };
        request.name[..NAME.len()].copy_from_slice(NAME);
        request.value[..value.len()].copy_from_slice(value);
        request
    }
}

impl Tap {
    /// A new tap, if one can be made. [`super::probe`] comes first.
    ///
    /// # Errors
    /// Why not.
    pub fn open() -> Result<Self, String> {
        // A thread of its own, since it stays in the new network.
        let made = thread::spawn(make).join().map_err(|_| "making a tap panicked")?;
        let tap = made.map_err(|(call, error)| format!("{call}: {error}"))?;
        match tap.deliver(&[0; HEADER]) {
            Ok(Some(HEADER)) => Ok(tap),
            other => Err(format!("a frame does not come through the tap: {other:?}")),
        }
    }

    /// The same for the calling thread, which is in the tap's network from then on.
    ///
    /// # Errors
    /// Why not.
    pub fn open_here() -> Result<Self, String> {
        make().map_err(|(call, error)| format!("{call}: {error}"))
    }

    /// The number of its interface.
    #[must_use]
    pub fn ifindex(&self) -> u32 {
        self.ifindex
    }

    /// The next frame that was sent to the interface, if there is one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn transmitted(&self) -> io::Result<Option<Vec<u8>>> {
        let mut frame = vec![0; 1 << 16];
        match (&self.tap).read(&mut frame) {
            Ok(length) => {
                frame.truncate(length);
                Ok(Some(frame))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What a filter on the socket sees of a frame; `None` for what the device does not take.
    /// (`eth_type_trans()` and `skb_vlan_untag()`.)
    #[must_use]
    pub fn sees(&self, frame: &[u8]) -> Option<Skb> {
        let mut frame = frame.to_vec();
        let be16 = |at: usize| Some(u16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?]));
        let vlan = match be16(12)? {
            tpid @ (0x8100 | 0x88a8) => {
                // The tag must be followed by an EtherType and two bytes more, or the frame is thrown away.
                be16(18)?;
                Some((tpid, be16(14)?))
            }
            _ => None,
        };
        if vlan.is_some() {
            frame.drain(12..16);
        }
        let to_us = frame[..6] == ADDRESS;
        let mut skb = Skb::ethernet(frame);
        if skb.pkt_type == 0 && !to_us {
            skb.pkt_type = 3;
        }
        // The first of its queues, which are counted from 1 since 0 says that none is known.
        skb.queue_mapping = 1;
        skb.device = Some(Device { ifindex: self.ifindex, hatype: ETHERNET });
        skb.vlan = vlan;
        Some(skb)
    }
}

/// Which call failed, and how.
type Failed = (&'static str, io::Error);

fn make() -> Result<Tap, Failed> {
    const CLONE_NEWNET: i32 = 0x4000_0000;
    const TUNSETIFF: u64 = 0x4004_54ca;
    const SIOCSIFFLAGS: u64 = 0x8914;
    const SIOCSIFHWADDR: u64 = 0x8924;
    const SIOCGIFINDEX: u64 = 0x8933;
    const IFF_UP: u16 = 1;
    const IFF_TAP: u16 = 2;
    const IFF_NO_PI: u16 = 0x1000;
    const O_NONBLOCK: i32 = 0o4000;

    unsafe extern "C" {
        fn unshare(flags: i32) -> i32;
    }

    // SAFETY: takes a number; only this thread changes its network.
    if unsafe { unshare(CLONE_NEWNET) } != 0 {
        return Err(("a network namespace", io::Error::last_os_error()));
    }
    // Otherwise the host would announce itself. Where there is no IPv6, there is nothing to switch off.
    let _ = fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
    let tap = File::options().read(true).write(true).custom_flags(O_NONBLOCK).open("/dev/net/tun");
    let tap = tap.map_err(|error| ("/dev/net/tun", error))?;
    control(&tap, TUNSETIFF, &(IFF_TAP | IFF_NO_PI).to_ne_bytes()).map_err(|error| ("TUNSETIFF", error))?;
    // Any socket of this network will do for the questions that follow.
    let any = UdpSocket::bind("0.0.0.0:0").map_err(|error| ("a UDP socket", error))?;
    let address = [&ETHERNET.to_ne_bytes(), ADDRESS.as_slice()].concat();
    control(&any, SIOCSIFHWADDR, &address).map_err(|error| ("SIOCSIFHWADDR", error))?;
    control(&any, SIOCSIFFLAGS, &IFF_UP.to_ne_bytes()).map_err(|error| ("SIOCSIFFLAGS", error))?;
    let found = control(&any, SIOCGIFINDEX, &[]).map_err(|error| ("SIOCGIFINDEX", error))?;
    let ifindex = u32::from_ne_bytes([found[0], found[1], found[2], found[3]]);
    let socket = packet_socket(ifindex).map_err(|error| ("a packet socket", error))?;
    Ok(Tap { tap, socket, ifindex })
}

/// `ioctl()` with a `struct ifreq`; gives what the kernel put into it.
fn control(file: &impl AsRawFd, number: u64, value: &[u8]) -> io::Result<[u8; 24]> {
    unsafe extern "C" {
        fn ioctl(fd: i32, number: u64, request: *mut Request) -> i32;
    }

    let mut request = Request::new(value);
    // SAFETY: every number this is called with takes an `ifreq`, which is 40 bytes, and keeps no pointer to it.
    match unsafe { ioctl(file.as_raw_fd(), number, &mut request) } {
        0 => Ok(request.value),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A packet socket that receives all that comes in at the interface, and waits for nothing.
fn packet_socket(ifindex: u32) -> io::Result<File> {
    const AF_PACKET: u16 = 17;
    const SOCK_RAW_NONBLOCK: i32 = 3 | 0o4000;
    const SOL_PACKET: i32 = 263;
    const PACKET_IGNORE_OUTGOING: i32 = 23;
    /// `ETH_P_ALL`
    const ALL: u16 = 3u16.to_be();

    /// `struct sockaddr_ll`
    #[repr(C)]
    struct Address {
        family: u16,
        protocol: u16,
        ifindex: u32,
        hatype: u16,
        pkt_type: u8,
        length: u8,
        address: [u8; 8],
    }

    unsafe extern "C" {
        fn socket(family: i32, kind: i32, protocol: i32) -> i32;
        fn bind(fd: i32, address: *const Address, length: u32) -> i32;
    }

    // SAFETY: takes numbers.
    let fd = unsafe { socket(AF_PACKET.into(), SOCK_RAW_NONBLOCK, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new, and nobody else has it. A file reads from a socket as `recv` does.
    let made = File::from(unsafe { OwnedFd::from_raw_fd(fd) });
    set_number(&made, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)?;
    let address = Address {
        family: AF_PACKET,
        protocol: ALL,
        ifindex,
        hatype: 0,
        pkt_type: 0,
        length: 0,
        address: [0; 8],
    };
    // SAFETY: the kernel reads one `sockaddr_ll`.
    match unsafe { bind(fd, &address, size_of::<Address>() as u32) } {
        0 => Ok(made),
        _ => Err(io::Error::last_os_error()),
    }
}

impl Wire for Tap {
    fn attach(&self, program: &[Raw]) -> io::Result<()> {
        attach(&self.socket, program)
    }

    fn deliver(&self, packet: &[u8]) -> io::Result<Option<usize>> {
        (&self.tap).write_all(packet)?;
        arrived((&self.socket).read(&mut vec![0; packet.len() + 1]))
    }

    fn has_device(&self) -> bool {
        true
    }

    fn seen(&self, packet: &[u8]) -> usize {
        self.sees(packet).map_or(0, |skb| skb.packet.len())
    }
}

impl Engine<Program> for Tap {
    fn name(&self) -> &'static str {
        "Linux, through a tap"
    }

    /// Asks what the device can show: a captured frame, but for what the program does not look at.
    fn run(&self, program: &Rc<Program>, input: &Input) -> Result<Outcome, Skip> {
        let skb = &input.world.skb;
        let loads = |wanted: Ancillary| {
            let loads = |insn: &Insn| matches!(insn, Insn::LoadAncillary { what, .. } if *what == wanted);
            program.insns().iter().any(loads)
        };
        if loads(Ancillary::Cpu) || loads(Ancillary::Random) {
            return Err(Skip("the CPU and random numbers are the kernel's own"));
        }
        let mut frame = skb.packet.clone();
        if let Some((tpid, tci)) = skb.vlan {
            let tag = [tpid.to_be_bytes(), tci.to_be_bytes()].concat();
            frame.splice(12.min(frame.len())..12.min(frame.len()), tag);
        }
        let Some(mut sees) = self.sees(&frame) else { return Err(Skip("this is no Ethernet frame")) };
        if !loads(Ancillary::Ifindex) {
            sees.device =
                sees.device.map(|device| Device { ifindex: skb.device.map_or(0, |d| d.ifindex), ..device });
        }
        if !loads(Ancillary::PacketType) {
            sees.pkt_type = skb.pkt_type;
        }
        if !loads(Ancillary::Queue) {
            sees.queue_mapping = skb.queue_mapping;
        }
        if sees != *skb {
            return Err(Skip("no frame through a tap has these surroundings"));
        }
        let guess = interp::run(program, input.world.clone()).0;
        match super::wire::value(self, &program.raw(), &frame, guess) {
            Ok(value) => Ok(Outcome::Value(value.into())),
            Err(error) => Ok(Outcome::Trap(format!("refused: {error}"))),
        }
    }
}
