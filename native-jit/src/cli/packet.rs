//! The arguments that say which packet, or which capture, a program meets.

pub(crate) mod stream;

use super::failure::Failure;
use super::input;
use bpf64_core::context::skb::{Skb, link_type};
use bpf64_core::link::Packet;
use bpf64_core::packet::capture::{Capture, CaptureError, MAX_PACKET};
use data_encoding::{Encoding, Specification};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use stream::{Broken, Stream};

/// The longest capture that is read: it is held in memory.
const MAX_CAPTURE: usize = 1 << 30;
/// Enough of a file to see whether it is a capture at all, before the rest of it is read.
const HEAD: usize = 1 << 16;

/// Digits in either case, with the separators that dumps have between them.
static HEX: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification.symbols.push_str("0123456789abcdef");
    specification.translate.from.push_str("ABCDEF");
    specification.translate.to.push_str("abcdef");
    specification.ignore.push_str(" \t\r\n:");
    specification.encoding().expect("sixteen symbols, none of them ignored")
});

/// Which packets.
#[derive(clap::Args)]
pub(crate) struct PacketArguments {
    /// A packet from its Ethernet header on: digits, or @FILE with digits or bytes
    #[arg(long, value_name = "HEX|@FILE", conflicts_with = "pcap")]
    packet: Option<String>,
    /// The packets of a capture, pcap or pcapng; `-` for standard input
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// Only this packet of the capture, counted from 0
    #[arg(long, value_name = "N", requires = "pcap")]
    index: Option<usize>,
}

/// What was given.
pub(crate) enum Packets {
    /// Nothing.
    None,
    /// One packet.
    One(Packet),
    /// A whole capture, and its name.
    All(Capture, String),
}

impl PacketArguments {
    /// The one packet that was given, if any was. `stdin_taken` says that the program already comes from there.
    pub(crate) fn one(&self, stdin_taken: bool) -> Result<Option<Packet>, Failure> {
        match self.read(stdin_taken)? {
            Packets::None => Ok(None),
            Packets::One(packet) => Ok(Some(packet)),
            Packets::All(capture, name) => Err(Failure::not_understood(format!(
                "a run over one packet can be explained, and {name} has {}",
                capture.len()
            ))
            .help("choose it with `--index N`, counted from 0")),
        }
    }

    /// Whether anything was given.
    pub(crate) fn is_given(&self) -> bool {
        self.packet.is_some() || self.pcap.is_some()
    }

    /// The capture that was given, if one was and all of its packets are meant.
    pub(crate) fn stream(&self, stdin_taken: bool) -> Result<Option<Stream>, Failure> {
        match (&self.pcap, self.index) {
            (Some(path), None) => {
                stdin_once(path, stdin_taken)?;
                Stream::open(path).map(Some)
            }
            (Some(_), Some(_)) | (None, _) => Ok(None),
        }
    }

    /// Reads what was given. `stdin_taken` says that the program already comes from there.
    pub(crate) fn read(&self, stdin_taken: bool) -> Result<Packets, Failure> {
        if let Some(packet) = &self.packet {
            let bytes = match packet.strip_prefix('@') {
                Some(file) => from_file(Path::new(file), stdin_taken)?,
                None => digits(packet.as_bytes())
                    .map_err(|why| Failure::not_understood(format!("the packet is not understood: {why}")))?,
            };
            return ethernet(bytes).map(Packets::One);
        }
        let Some(path) = &self.pcap else { return Ok(Packets::None) };
        let Some(index) = self.index else {
            let (name, capture) = read_capture(path, stdin_taken)?;
            return Ok(Packets::All(capture, name));
        };
        stdin_once(path, stdin_taken)?;
        one_of(Stream::open(path)?, index).map(Packets::One)
    }
}

/// Packet `index` of a capture, counted from 0.
fn one_of(mut stream: Stream, index: usize) -> Result<Packet, Failure> {
    let (mut skb, mut before) = (Skb::default(), 0);
    loop {
        match stream.next(&mut skb) {
            Ok(Some(seen)) if before == index => {
                return Ok(Packet { bytes: skb.packet, wire_len: seen.wire_len, link_type: seen.link_type });
            }
            Ok(Some(_)) => before += 1,
            Ok(None) => {
                let last = match before.checked_sub(1) {
                    None => "it has none".to_owned(),
                    Some(last) => format!("the last one is {last}"),
                };
                let name = stream.name();
                return Err(Failure::not_understood(format!("there is no packet {index} in {name}; {last}")));
            }
            Err(Broken::Damaged(damage)) => return Err(in_file(stream.name(), &damage)),
            Err(Broken::Unreadable(failure)) => return Err(failure),
        }
    }
}

/// What is wrong with a capture, with its name.
pub(crate) fn in_file(name: &str, error: &CaptureError) -> Failure {
    Failure::not_understood(format!("{name}: {error}"))
}

/// Memory in place of a packet, from its digits.
pub(crate) fn memory(text: &str) -> Result<Packet, Failure> {
    let bytes = digits(text.as_bytes())
        .map_err(|why| Failure::not_understood(format!("the memory is not understood: {why}")))?;
    ethernet(bytes)
}

fn ethernet(bytes: Vec<u8>) -> Result<Packet, Failure> {
    if bytes.len() > MAX_PACKET {
        return Err(Failure::not_understood(format!(
            "the packet has {} bytes; a packet has at most {MAX_PACKET}",
            bytes.len()
        )));
    }
    let wire_len = bytes.len() as u32;
    Ok(Packet { bytes, wire_len, link_type: link_type::ETHERNET })
}

/// Digits, as `xxd -p` writes them, or else the packet's bytes.
fn from_file(path: &Path, stdin_taken: bool) -> Result<Vec<u8>, Failure> {
    stdin_once(path, stdin_taken)?;
    // Two digits and a separator for each byte, and a little more so that an overlong packet is told its length.
    let source = input::read(path, 4 * MAX_PACKET)?;
    if !matches!(
        Capture::read(&source.bytes),
        Err(CaptureError::NotACapture | CaptureError::CutOff { packets: 0 })
    ) && !source.bytes.is_empty()
    {
        return Err(Failure::not_understood(format!("{} is a capture, not one packet", source.name))
            .help(format!("use `--pcap {}`, with `--index N` for one of its packets", source.name)));
    }
    Ok(digits(&source.bytes).unwrap_or(source.bytes))
}

/// Bytes in digits, with or without white space and colons between them.
pub(crate) fn digits(text: &[u8]) -> Result<Vec<u8>, String> {
    HEX.decode(text).map_err(|error| {
        let found = text.get(error.position).map(|&byte| char::from(byte));
        match (error.kind, found) {
            (data_encoding::DecodeKind::Symbol, Some(found)) => {
                format!("`{found}` (character {}) is no hexadecimal digit", error.position + 1)
            }
            _ => "a digit is missing: a byte is two of them".to_owned(),
        }
    })
}

fn read_capture(path: &Path, stdin_taken: bool) -> Result<(String, Capture), Failure> {
    stdin_once(path, stdin_taken)?;
    let (name, mut reader) = input::open(path)?;
    let mut bytes = Vec::new();
    let head = reader.by_ref().take(HEAD as u64).read_to_end(&mut bytes);
    head.map_err(|error| input::cannot_read(&name, &error))?;
    if bytes.is_empty() {
        return Err(Failure::not_understood(format!("{name} is empty: there is no capture in it")));
    }
    if let Err(error @ CaptureError::NotACapture) = Capture::read(&bytes) {
        return Err(in_file(&name, &error));
    }
    input::read_to_end(&name, reader, &mut bytes, MAX_CAPTURE)?;
    let capture = Capture::read(&bytes).map_err(|error| in_file(&name, &error))?;
    Ok((name, capture))
}

fn stdin_once(path: &Path, taken: bool) -> Result<(), Failure> {
    if taken && input::is_stdin(path) {
        return Err(Failure::not_understood("program and packets cannot both come from standard input"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_may_have_separators() {
        assert_eq!(digits(b"0a:0B 0c\n0d"), Ok(vec![10, 11, 12, 13]));
        assert_eq!(digits(b""), Ok(vec![]));
        assert_eq!(digits(b"0a0x").unwrap_err(), "`x` (character 4) is no hexadecimal digit");
        assert_eq!(digits(b"0a0").unwrap_err(), "a digit is missing: a byte is two of them");
    }
}
