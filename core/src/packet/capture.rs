//! Captures: pcap in both byte orders and with either clock, and pcapng, read by the library `pcap-parser`.
//!
//! A damaged file gives the packets before the damage, and says where it starts. A [`Reader`] takes a file piece by piece,
//! for those that do not fit into memory; [`Capture`] is a file that does.

use crate::context::skb::Skb;
use pcap_parser::PcapError;
use pcap_parser::nom::{Err as Stop, IResult, Needed};
use pcap_parser::pcap::{
    LegacyPcapBlock, PcapHeader, parse_pcap_frame, parse_pcap_frame_be, parse_pcap_frame_modified,
    parse_pcap_header,
};
use pcap_parser::pcapng::{
    BOM_MAGIC, EPB_MAGIC, IDB_MAGIC, SHB_MAGIC, SPB_MAGIC, UnknownBlock, parse_unknownblock_be,
    parse_unknownblock_le,
};
use std::fmt;
use std::ops::Range;

/// The longest packet that is read, in bytes: what `tcpdump` and Wireshark allow.
pub const MAX_PACKET: usize = 262_144;
/// The longest record that is believed when there is less of it: a packet with its block around it.
pub const MAX_RECORD: usize = MAX_PACKET + 65_536;

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
    /// Its record in the file, with all that belongs to it.
    in_file: Range<usize>,
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

    /// The same in place of another packet, whose memory it takes.
    pub fn replace(&self, skb: &mut Skb) {
        let mut packet = std::mem::take(&mut skb.packet);
        packet.clear();
        packet.extend_from_slice(self.bytes);
        *skb = Skb::captured(packet, self.wire_len, self.link_type);
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
                "the capture ends in the middle of a packet; {}. Copy the file again, whole",
                read_before(*packets)
            ),
            CaptureError::Damaged { packets, offset } => write!(
                f,
                "the capture is damaged at byte {offset}; {}. Copy or record it again",
                read_before(*packets)
            ),
        }
    }
}

/// How much of a damaged capture there is.
fn read_before(packets: usize) -> String {
    match packets {
        0 => "no packet before that was read".to_owned(),
        1 => "1 packet before that was read".to_owned(),
        _ => format!("{packets} packets before that were read"),
    }
}

impl std::error::Error for CaptureError {}

/// What the library's parsers return.
type Parsed<'a, T> = IResult<&'a [u8], T, PcapError<&'a [u8]>>;

/// How the blocks of a section of pcapng are read, in its byte order. Of the library there is what finds a block's two ends;
/// its parsers of single blocks, of which each exists twice, were most of what captures weighed in the page.
struct Order {
    block: for<'a> fn(&'a [u8]) -> Parsed<'a, UnknownBlock<'a>>,
    number: fn([u8; 4]) -> u32,
    short: fn([u8; 2]) -> u16,
}

const LITTLE: Order =
    Order { block: parse_unknownblock_le, number: u32::from_le_bytes, short: u16::from_le_bytes };
const BIG: Order =
    Order { block: parse_unknownblock_be, number: u32::from_be_bytes, short: u16::from_be_bytes };

impl Order {
    /// That of the section which begins here; `None` where none does.
    fn of(input: &[u8]) -> Option<&'static Self> {
        let magic = *input.strip_prefix(&SHB_MAGIC.to_le_bytes())?.get(4..)?.first_chunk()?;
        [&LITTLE, &BIG].into_iter().find(|order| (order.number)(magic) == BOM_MAGIC)
    }

    /// The number at a place of a block's content.
    fn at(&self, content: &[u8], place: usize) -> Option<u32> {
        Some((self.number)(*content.get(place..)?.first_chunk()?))
    }
}

/// What a section of pcapng says for its blocks.
#[derive(Clone)]
struct Section {
    order: &'static Order,
    /// Link types of the interfaces.
    interfaces: Vec<u32>,
}

/// The parser of the records behind a header of pcap. Timestamps, in which the formats differ too, are not read.
fn frame_parser(header: &PcapHeader) -> FrameParser {
    if header.is_modified_format() {
        parse_pcap_frame_modified
    } else if header.is_bigendian() {
        parse_pcap_frame_be
    } else {
        parse_pcap_frame
    }
}

type FrameParser = for<'a> fn(&'a [u8]) -> Parsed<'a, LegacyPcapBlock<'a>>;

/// What kind of file it is.
#[derive(Clone)]
enum Format {
    Pcap(FrameParser, u32),
    Pcapng(Section),
}

/// Reads a capture record after record, from as much of it as there is.
#[derive(Clone, Default)]
pub struct Reader {
    /// Once it is known.
    format: Option<Format>,
    /// Where in the file the next record begins.
    offset: usize,
    packets: usize,
}

/// What is next in a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found<'a> {
    /// A packet, and how many bytes of the input its record takes.
    Packet(Captured<'a>, usize),
    /// So many bytes of something else.
    Other(usize),
    /// It cannot be said yet: there is less than one record.
    TooLittle,
    /// The file is at its end.
    End,
}

impl Reader {
    /// What `input` begins with: the bytes from behind what was found before, as many as there are, and whether the file
    /// ends with them. [`MAX_RECORD`] bytes are enough.
    ///
    /// # Errors
    /// No capture, or one that is damaged here; nothing is found any more.
    pub fn next<'a>(&mut self, input: &'a [u8], ends: bool) -> Result<Found<'a>, CaptureError> {
        let packets = self.packets;
        let Some(format) = &mut self.format else { return self.begin(input, ends) };
        if input.is_empty() {
            return Ok(if ends { Found::End } else { Found::TooLittle });
        }
        let read = match format {
            Format::Pcap(parse, link_type) => parse(input).map(|(rest, frame)| {
                (rest, captured(Some(link_type), frame.data, frame.caplen, frame.origlen).map(Some))
            }),
            Format::Pcapng(section) => block(input, section),
        };
        let damaged = CaptureError::Damaged { packets, offset: self.offset };
        match read {
            Ok((rest, Some(found))) => {
                let taken = input.len() - rest.len();
                self.offset += taken;
                Ok(match found {
                    Some(packet) => {
                        self.packets += 1;
                        Found::Packet(packet, taken)
                    }
                    None => Found::Other(taken),
                })
            }
            Err(Stop::Incomplete(Needed::Size(missing))) if input.len() + missing.get() < MAX_RECORD => {
                if ends {
                    Err(CaptureError::CutOff { packets })
                } else {
                    Ok(Found::TooLittle)
                }
            }
            Ok((_, None)) | Err(_) => Err(damaged),
        }
    }

    /// Sees which format it is, and takes the header of the file.
    fn begin<'a>(&mut self, input: &'a [u8], ends: bool) -> Result<Found<'a>, CaptureError> {
        let magic = SHB_MAGIC.to_le_bytes();
        if input.starts_with(&magic) || (magic.starts_with(input) && !input.is_empty()) {
            return match Order::of(input).map(|order| (order.block)(input)) {
                Some(Ok(_)) => {
                    self.format = Some(Format::Pcapng(Section { order: &LITTLE, interfaces: Vec::new() }));
                    Ok(Found::Other(0))
                }
                // Of a block that begins a section there can be less than all, too.
                Some(Err(Stop::Incomplete(_))) if input.len() < MAX_RECORD => too_little(ends),
                None if input.len() < 12 => too_little(ends),
                _ => Err(CaptureError::NotACapture),
            };
        }
        match parse_pcap_header(input) {
            Ok((rest, header)) => {
                self.format = Some(Format::Pcap(frame_parser(&header), header.network.0 as u32));
                self.offset = input.len() - rest.len();
                Ok(Found::Other(self.offset))
            }
            Err(Stop::Incomplete(_)) if !ends || !input.is_empty() => too_little(ends),
            Err(_) => Err(CaptureError::NotACapture),
        }
    }
}

/// What there is to say while the file's beginning is not there.
fn too_little<'a>(ends: bool) -> Result<Found<'a>, CaptureError> {
    if ends { Err(CaptureError::CutOff { packets: 0 }) } else { Ok(Found::TooLittle) }
}

/// Reads a block of pcapng: a packet, something else, or `None` when it contradicts itself.
fn block<'a>(input: &'a [u8], section: &mut Section) -> Parsed<'a, Option<Option<Captured<'a>>>> {
    if let Some(order) = Order::of(input) {
        let (rest, _) = (order.block)(input)?;
        *section = Section { order, interfaces: Vec::new() };
        return Ok((rest, Some(None)));
    }
    let Section { order, interfaces } = section;
    let (rest, block) = (order.block)(input)?;
    let content = block.data;
    let found = match (order.number)(block.block_type.to_le_bytes()) {
        // A file in which a section begins in neither byte order.
        SHB_MAGIC => None,
        IDB_MAGIC => content.first_chunk().map(|link_type| {
            interfaces.push((order.short)(*link_type).into());
            None
        }),
        EPB_MAGIC => enhanced(order, interfaces, content).map(Some),
        SPB_MAGIC => simple(order, interfaces, content).map(Some),
        // Names, statistics, secrets: nothing a filter sees.
        _ => Some(None),
    };
    Ok((rest, found))
}

/// A packet with its interface, its time in two words, its length here and on the wire.
fn enhanced<'a>(order: &Order, interfaces: &[u32], content: &'a [u8]) -> Option<Captured<'a>> {
    let number = |place| order.at(content, place);
    captured(interfaces.get(number(0)? as usize), content.get(20..)?, number(12)?, number(16)?)
}

/// A packet of the first interface, with its length on the wire; the block ends with the packet and up to three more bytes.
fn simple<'a>(order: &Order, interfaces: &[u32], content: &'a [u8]) -> Option<Captured<'a>> {
    let (wire_len, data) = (order.at(content, 0)?, content.get(4..)?);
    captured(interfaces.first(), data, wire_len.min(data.len() as u32), wire_len)
}

/// `None` when the record contradicts itself.
fn captured<'a>(link_type: Option<&u32>, data: &'a [u8], caplen: u32, wire_len: u32) -> Option<Captured<'a>> {
    let bytes = data.get(..caplen as usize).filter(|bytes| bytes.len() <= MAX_PACKET)?;
    Some(Captured { bytes, wire_len, link_type: *link_type? })
}

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
        let (mut reader, mut at) = (Reader::default(), 0);
        loop {
            match reader.next(&input[at..], true)? {
                Found::Packet(packet, taken) => {
                    self.push(packet, at..at + taken);
                    at += taken;
                }
                Found::Other(taken) => at += taken,
                Found::TooLittle | Found::End => return Ok(()),
            }
        }
    }

    fn push(&mut self, packet: Captured<'_>, in_file: Range<usize>) {
        let Captured { bytes, wire_len, link_type } = packet;
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.packets.push(Record { bytes: start..self.bytes.len(), in_file, wire_len, link_type });
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
        let Record { bytes, wire_len, link_type, .. } = self.packets.get(index)?;
        Some(Captured { bytes: &self.bytes[bytes.clone()], wire_len: *wire_len, link_type: *link_type })
    }

    /// The file that this was read from, without the packets that `keep` is false for: all else, such as clocks and
    /// interfaces, stays as it is. What could not be read is left out.
    #[must_use]
    pub fn only(&self, file: &[u8], keep: impl Fn(usize) -> bool) -> Vec<u8> {
        let mut kept = Vec::new();
        let mut at = 0;
        for (index, record) in self.packets.iter().enumerate() {
            let Range { start, end } = record.in_file;
            kept.extend_from_slice(file.get(at..if keep(index) { end } else { start }).unwrap_or_default());
            at = end;
        }
        if self.damage.is_none() {
            kept.extend_from_slice(file.get(at..).unwrap_or_default());
        }
        kept
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
        assert_eq!((capture.len(), &capture.damage), (1, &None));
        assert_eq!(capture.only(&file, |_| true), file);
        assert_eq!(capture.only(&file, |_| false), file[..file.len() - 36]);
    }

    #[test]
    fn some_packets_of_a_capture_are_a_capture() {
        let file = legacy();
        let capture = Capture::read(&file).unwrap();
        let second = Capture::read(&capture.only(&file, |index| index == 1)).unwrap();
        assert_eq!((second.len(), second.get(0)), (1, capture.get(1)));
        assert_eq!(capture.only(&file, |_| true), file);
        // Of a damaged file there is what could be read.
        let cut = &file[..file.len() - 1];
        let capture = Capture::read(cut).unwrap();
        assert_eq!(Capture::read(&capture.only(cut, |_| true)).unwrap().len(), 1);
    }

    /// Whatever the pieces are, a reader finds in them what there is in the whole.
    #[test]
    fn a_capture_is_read_piece_by_piece() {
        let file = legacy();
        for (end, piece) in (0..=file.len()).flat_map(|end| [1, 7, 100].map(|piece| (end, piece))) {
            let file = &file[..end];
            let (mut reader, mut at, mut there, mut packets) = (Reader::default(), 0, 0, Vec::new());
            let damage = loop {
                match reader.next(&file[at..there], there == end) {
                    Ok(Found::Packet(packet, taken)) => {
                        packets.push(packet.bytes.to_vec());
                        at += taken;
                    }
                    Ok(Found::Other(taken)) => at += taken,
                    Ok(Found::TooLittle) => there = end.min(there + piece),
                    Ok(Found::End) => break None,
                    Err(error) => break Some(error),
                }
            };
            match Capture::read(file) {
                Ok(whole) => {
                    let wanted: Vec<_> = whole.iter().map(|packet| packet.bytes.to_vec()).collect();
                    assert_eq!((packets, damage), (wanted, whole.damage.clone()), "{end} by {piece}");
                }
                Err(error) => assert_eq!((packets.len(), damage), (0, Some(error)), "{end} by {piece}"),
            }
        }
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
