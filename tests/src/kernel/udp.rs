//! Datagrams over the loopback interface: a filter on a UDP socket.
//!
//! It sees the UDP header and the payload; the IPv4 header and the Ethernet header of the loopback interface lie
//! before them and are reached through the windows. The header is never cut off: a filter that returns 1 leaves an
//! empty payload.

use super::wire::Wire;
use super::{SOL_SOCKET, arrived, attach, set_number};
use bpf64_core::classic::encoding::Raw;
use std::io;
use std::net::UdpSocket;
use std::time::Duration;

/// Bytes of a UDP header.
pub const HEADER: usize = 8;

/// How long a datagram may take. It has nearly always arrived when sending returns, but on a busy machine the kernel may
/// leave that to a thread of its own.
const PATIENCE: Duration = Duration::from_millis(20);

/// Two sockets of the loopback interface, connected to each other.
#[derive(Debug)]
pub struct Udp {
    sender: UdpSocket,
    receiver: UdpSocket,
}

impl Udp {
    /// The sockets, if there is a loopback interface.
    ///
    /// # Errors
    /// Why not.
    pub fn open() -> io::Result<Self> {
        let (sender, receiver) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
        sender.connect(receiver.local_addr()?)?;
        receiver.connect(sender.local_addr()?)?;
        receiver.set_read_timeout(Some(PATIENCE))?;
        Ok(Udp { sender, receiver })
    }

    /// The ports of sender and receiver.
    ///
    /// # Errors
    /// The sockets are gone.
    pub fn ports(&self) -> io::Result<[u16; 2]> {
        Ok([self.sender.local_addr()?.port(), self.receiver.local_addr()?.port()])
    }

    /// Gives all that is sent from now on this mark.
    ///
    /// # Errors
    /// It needs root.
    pub fn mark(&self, mark: u32) -> io::Result<()> {
        const SO_MARK: i32 = 36;
        set_number(&self.sender, SOL_SOCKET, SO_MARK, mark)
    }
}

impl Wire for Udp {
    fn attach(&self, program: &[Raw]) -> io::Result<()> {
        attach(&self.receiver, program)
    }

    fn deliver(&self, packet: &[u8]) -> io::Result<Option<usize>> {
        self.sender.send(packet)?;
        let payload = arrived(self.receiver.recv(&mut vec![0; packet.len() + 1]))?;
        Ok(payload.map(|length| length + HEADER))
    }

    fn has_device(&self) -> bool {
        true
    }

    fn seen(&self, packet: &[u8]) -> usize {
        packet.len() + HEADER
    }

    fn at_least(&self) -> usize {
        HEADER
    }
}
