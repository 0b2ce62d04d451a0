//! Captures: pcap in both byte orders and with either clock, and pcapng, read by the library `pcap-parser`.
//!
//! A damaged file gives the packets before the damage, and says where it starts.

use crate::context::skb::Skb;
use pcap_parser::{Block, PcapBlockOwned, PcapError, create_reader};
use std::fmt;
use std::ops::Range;

/// The longest packet that is read, in bytes: what `tcpdump` and Wireshark allow.
pub const MAX_PACKET: usize = 262_144;
/// What a reader holds at once: a packet of the greatest length with its block around it, or a capture of less.
const BUFFER: usize = MAX_PACKET + 65_536;

/// The packets of a capture.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Capture {
    bytes: Vec<u8>,
    packets: Vec<Record>,
    /// What kept the rest of the file from being read, if something did.
    pub damage: Option<CaptureError>,
}

/// What is kept of a packet's record.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Record {
    bytes: Range<usize>,
    wire_len: u32,
    link_type: u32,
}

/// One captured packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Captured<'a> {
    /// The bytes that were captured.
    pub bytes: &'a [u8],
    /// How long the packet was on the wire.
    pub wire_len: u32,
    /// The link type, a number of <https://www.tcpdump.org/linktypes.html>.
    pub link_type: u32,
}

impl Captured<'_> {
    /// The packet as the kernel would hand it to a filter.
    #[must_use]
    pub fn skb(&self) -> Skb {
        Skb::captured(self.bytes.to_vec(), self.wire_len, self.link_type)
    }
}

/// Why a capture, or its rest, cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaptureError {
    /// The first bytes are those of no capture.
    NotACapture,
    /// The file ends in the middle of a packet.
    CutOff {
        /// Packets before that.
        packets: usize,
    },
    /// A block that makes no sense.
    Damaged {
        /// Packets before that.
        packets: usize,
        /// Where it starts.
        offset: usize,
    },
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CaptureError::NotACapture => {
                f.write_str("this is no capture: it starts like neither pcap nor pcapng; record one with `tcpdump -w FILE`")
            }
            CaptureError::CutOff { packets } => write!(
                f,
                "the capture ends in the middle of a packet; {packets} before it were read. Copy the file again, whole"
            ),
            CaptureError::Damaged { packets, offset } => write!(
                f,
                "the capture is damaged at byte {offset}; {packets} packets before it were read. Copy or record it again"
            ),
        }
    }
}

impl std::error::Error for CaptureError {}

impl Capture {
    /// Reads a capture. Damage behind at least one good packet is reported in [`Capture::damage`].
    ///
    /// # Errors
    /// No capture at all, or damage before the first packet.
    pub fn read(input: &[u8]) -> Result<Self, CaptureError> {
        let mut capture = Capture::default();
        let outcome = capture.fill(input);
        match outcome {
            Err(error) if capture.packets.is_empty() => Err(error),
            Err(error) => Ok(Capture { damage: Some(error), ..capture }),
            Ok(()) => Ok(capture),
        }
    }

    fn fill(&mut self, input: &[u8]) -> Result<(), CaptureError> {
        let mut reader = create_reader(BUFFER, input).map_err(|error| match error {
            PcapError::Incomplete(_) | PcapError::UnexpectedEof => CaptureError::CutOff { packets: 0 },
            _ => CaptureError::NotACapture,
        })?;
        // Link types of pcapng's interfaces; a legacy capture has one, of its header.
        let mut interfaces: Vec<u32> = Vec::new();
        let mut offset = 0;
        loop {
            let packets = self.packets.len();
            let (length, block) = match reader.next() {
                Ok(found) => found,
                Err(PcapError::Eof) => return Ok(()),
                Err(PcapError::Incomplete(_)) => {
                    // A block may be waiting for the rest of the input, or for bytes that are not there.
                    if reader.reader_exhausted() || reader.refill().is_err() {
                        return Err(CaptureError::CutOff { packets });
                    }
                    continue;
                }
                Err(PcapError::UnexpectedEof) => return Err(CaptureError::CutOff { packets }),
                Err(_) => return Err(CaptureError::Damaged { packets, offset }),
            };
            let good = match block {
                PcapBlockOwned::LegacyHeader(header) => {
                    interfaces = vec![header.network.0 as u32];
                    true
                }
                PcapBlockOwned::Legacy(block) => {
                    self.push(interfaces.first(), block.data, block.caplen, block.origlen)
                }
                PcapBlockOwned::NG(Block::SectionHeader(_)) => {
                    interfaces.clear();
                    true
                }
                PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
                    interfaces.push(interface.linktype.0 as u32);
                    true
                }
                PcapBlockOwned::NG(Block::EnhancedPacket(block)) => {
                    self.push(interfaces.get(block.if_id as usize), block.data, block.caplen, block.origlen)
                }
                PcapBlockOwned::NG(Block::SimplePacket(block)) => {
                    let caplen = block.origlen.min(block.data.len() as u32);
                    self.push(interfaces.first(), block.data, caplen, block.origlen)
                }
                // Names, statistics, secrets: nothing a filter sees.
                PcapBlockOwned::NG(_) => true,
            };
            if !good {
                return Err(CaptureError::Damaged { packets, offset });
            }
            offset += length;
            reader.consume(length);
        }
    }

    /// False when the record contradicts itself.
    fn push(&mut self, link_type: Option<&u32>, data: &[u8], caplen: u32, wire_len: u32) -> bool {
        let (Some(&link_type), Some(data)) = (link_type, data.get(..caplen as usize)) else { return false };
        if data.len() > MAX_PACKET {
            return false;
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(data);
        self.packets.push(Record { bytes: start..self.bytes.len(), wire_len, link_type });
        true
    }

    /// How many packets there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Whether there is none: a capture in which nothing happened.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Packet `index`, counted from 0.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Captured<'_>> {
        let Record { bytes, wire_len, link_type } = self.packets.get(index)?;
        Some(Captured { bytes: &self.bytes[bytes.clone()], wire_len: *wire_len, link_type: *link_type })
    }

    /// All packets in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Captured<'_>> {
        (0..self.len()).map(|index| self.get(index).expect("the index is below the length"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two packets of 3 and 5 bytes, the second cut by the snap length from 9.
    fn legacy() -> Vec<u8> {
        let mut file =
            vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0];
        for (data, wire) in [(&[1u8, 2, 3][..], 3u32), (&[4, 5, 6, 7, 8], 9)] {
            file.extend([0; 8]);
            file.extend((data.len() as u32).to_le_bytes());
            file.extend(wire.to_le_bytes());
            file.extend(data);
        }
        file
    }

    #[test]
    fn a_legacy_capture_is_read() {
        let capture = Capture::read(&legacy()).unwrap();
        assert_eq!((capture.len(), &capture.damage), (2, &None));
        assert_eq!(capture.get(1), Some(Captured { bytes: &[4, 5, 6, 7, 8], wire_len: 9, link_type: 1 }));
        assert_eq!(capture.get(1).unwrap().skb().len, 9);
        assert_eq!(capture.get(2), None);
    }

    #[test]
    fn a_pcapng_capture_is_read() {
        let mut file = Vec::new();
        let mut block = |kind: u32, body: &[u8]| {
            let length = (body.len() as u32 + 12).to_le_bytes();
            file.extend(kind.to_le_bytes());
            file.extend(length);
            file.extend(body);
            file.extend(length);
        };
        block(
            0x0a0d_0d0a,
            &[0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        );
        block(1, &[101, 0, 0, 0, 0, 0, 4, 0]);
        block(6, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 7, 0, 0, 0, 0x45, 0, 0, 0]);
        let capture = Capture::read(&file).unwrap();
        assert_eq!(capture.get(0), Some(Captured { bytes: &[0x45, 0], wire_len: 7, link_type: 101 }));
        assert_eq!((capture.len(), capture.damage), (1, None));
    }

    #[test]
    fn damage_is_reported_and_never_panics() {
        let file = legacy();
        assert_eq!(Capture::read(b"hello, this is no capture"), Err(CaptureError::NotACapture));
        for end in 0..file.len() {
            match Capture::read(&file[..end]) {
                Ok(capture) => {
                    let packets = usize::from(end >= 43);
                    assert_eq!(
                        (capture.len(), capture.damage.is_some()),
                        (packets, end > 43),
                        "cut at {end}"
                    );
                }
                Err(_) => assert!(end < 43, "cut at {end}"),
            }
        }
        let mut wild = file;
        wild[32..36].fill(0xff);
        assert!(matches!(
            Capture::read(&wild),
            Err(CaptureError::CutOff { .. } | CaptureError::Damaged { .. })
        ));
    }
}
