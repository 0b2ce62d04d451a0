//! A capture as a stream: of any length, in memory that does not grow.

use crate::cli::failure::Failure;
use crate::cli::input;
use bpf64_core::context::skb::Skb;
use bpf64_core::packet::capture::{CaptureError, Found, MAX_RECORD, Reader};
use std::io::Read;
use std::path::Path;

/// Bytes that are held: several of the longest records, so that what is left of the last piece is little beside what is
/// read.
const BUFFER: usize = 4 * MAX_RECORD;

/// A capture that is being read.
pub(crate) struct Stream {
    name: String,
    file: Box<dyn Read>,
    /// What has been read; from `start` to `end` it is still to be taken.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Whether the file ends at `end`.
    ends: bool,
    reader: Reader,
    taken: u64,
    length: Option<u64>,
}

/// What is known of a packet besides what its program sees.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// Its length on the wire.
    pub(crate) wire_len: u32,
    /// The link type.
    pub(crate) link_type: u32,
}

/// Why no more packets come.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The file cannot be read.
    Unreadable(Failure),
    /// The capture is damaged.
    Damaged(CaptureError),
}

impl Stream {
    /// Opens a capture, and sees that it is one.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let length = match input::is_stdin(path) {
            true => None,
            // Of what is no plain file the length says nothing.
            false => std::fs::metadata(path).ok().filter(|file| file.is_file()).map(|file| file.len()),
        };
        let (name, file) = input::open(path)?;
        let (reader, buffer) = (Reader::default(), vec![0; BUFFER]);
        let mut stream =
            Stream { name, file, buffer, start: 0, end: 0, ends: false, reader, taken: 0, length };
        stream.fill()?;
        if stream.end == 0 {
            let name = &stream.name;
            return Err(Failure::not_understood(format!("{name} is empty: there is no capture in it")));
        }
        Ok(stream)
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// How many bytes it has in all, if that is known.
    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }

    /// How many of them have been taken.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// Puts the next packet in the place of `skb`'s. `None` at the end.
    ///
    /// # Errors
    /// The rest cannot be read; then nothing comes any more.
    pub(crate) fn next(&mut self, skb: &mut Skb) -> Result<Option<Seen>, Broken> {
        loop {
            let there = &self.buffer[self.start..self.end];
            let (seen, taken) = match self.reader.next(there, self.ends).map_err(Broken::Damaged)? {
                Found::Packet(packet, taken) => {
                    packet.replace(skb);
                    (Some(Seen { wire_len: packet.wire_len, link_type: packet.link_type }), taken)
                }
                Found::Other(taken) => (None, taken),
                Found::TooLittle => {
                    self.fill().map_err(Broken::Unreadable)?;
                    continue;
                }
                Found::End => return Ok(None),
            };
            self.start += taken;
            self.taken += taken as u64;
            if seen.is_some() {
                return Ok(seen);
            }
        }
    }

    /// Reads what there is room for, or as much of it as comes at once: who listens to a pipe wants to know what is in it.
    fn fill(&mut self) -> Result<(), Failure> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        loop {
            match self.file.read(&mut self.buffer[self.end..]) {
                Ok(count) => {
                    self.end += count;
                    self.ends = count == 0;
                    return Ok(());
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(input::cannot_read(&self.name, &error)),
            }
        }
    }
}
