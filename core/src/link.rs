//! Permalinks: everything a colleague needs, in the fragment of the page's address.
//!
//! `#1.DATA`: the version, a dot, and base64url of the raw-deflated document. A document is a list of
//! [`Section`]s, only those that differ from what a new page shows, encoded by postcard, with its Adler-32 behind
//! it. New kinds of sections are added at the end of the enum; those that exist never change, so that a link
//! made once opens forever.
//!
//! Who deflates is no part of the format. The page has the browser do it, between [`Draft::bytes`] and
//! [`Draft::finish`], and between [`deflated`] and [`Document::read`]; with the feature `deflate`, `encode` and
//! `decode` do all of it at once.

mod base64;
#[cfg(feature = "deflate")]
mod deflate;

#[cfg(feature = "deflate")]
pub use deflate::{decode, encode};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The most bytes a document may have, inflated.
pub const MAX_DOCUMENT: usize = 1 << 20;
const CHECKSUM: usize = 4;

/// What a link says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Document {
    /// The program's text.
    pub source: String,
    /// The language chosen, by name; empty when it is recognised from the text.
    pub language: String,
    /// The packet.
    pub packet: Option<Packet>,
    /// Breakpoints, by slot, in the level that is stepped.
    pub breakpoints: Vec<u32>,
    /// How many steps have been made.
    pub step: u32,
    /// Whether the classic program is stepped, not the eBPF one.
    pub classic: bool,
    /// The program type chosen, by name; empty when it is taken from the text.
    pub program_type: String,
    /// Fields of the context that were set, by name.
    pub context: Vec<(String, Vec<u8>)>,
    /// What was put into tables before the run, or taken out of them.
    pub entries: Vec<Entry>,
    /// At what else the run stops, as it is typed.
    pub conditions: Vec<String>,
}

/// An entry of a table as it is before the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The table's name.
    pub table: String,
    /// The key.
    pub key: Vec<u8>,
    /// The value; `None` for an entry of the program's own that is taken out.
    pub value: Option<Vec<u8>>,
}

/// A packet in a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packet {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its length on the wire.
    pub wire_len: u32,
    /// Its link type.
    pub link_type: u32,
}

/// The parts of a document, as they are written. The order is part of the format.
#[derive(Serialize, Deserialize)]
enum Section {
    Source(String),
    Language(String),
    Packet(Packet),
    Breakpoints(Vec<u32>),
    Step(u32),
    Classic,
    /// Means nothing: it is there so that the link does not end in a sign that chat programs cut off.
    Padding(u8),
    ProgramType(String),
    Context(Vec<(String, Vec<u8>)>),
    Entries(Vec<Entry>),
    Conditions(Vec<String>),
}

/// Why a link cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkError {
    /// There is no `#1.` in it.
    NoLink,
    /// A version this program does not know.
    Version(String),
    /// The data is not base64url, does not inflate, or its checksum is wrong.
    Damaged,
    /// It inflates to more than [`MAX_DOCUMENT`].
    TooLarge,
    /// The document is whole, but has sections this program does not know.
    Newer,
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinkError::NoLink => {
                f.write_str("this is no link of the playground: it has no `#1.` with data behind it")
            }
            LinkError::Version(version) => {
                write!(
                    f,
                    "the link is of version `{version}`, which this program does not know; open it in a newer one"
                )
            }
            LinkError::Damaged => f.write_str("the link is damaged or cut off; copy it again, whole"),
            LinkError::TooLarge => write!(f, "the link holds more than {} MiB", MAX_DOCUMENT >> 20),
            LinkError::Newer => f.write_str("the link was made by a newer version; open it there"),
        }
    }
}

impl std::error::Error for LinkError {}

/// A link in the making: what is to be deflated for it, and deflated again as long as it does not end well.
#[derive(Debug)]
pub struct Draft<'a> {
    document: &'a Document,
    /// A few of them always find an ending that is a letter or a digit: 62 of 64 signs are.
    padding: Option<u8>,
}

impl<'a> Draft<'a> {
    /// Begins a link.
    #[must_use]
    pub fn new(document: &'a Document) -> Self {
        Draft { document, padding: None }
    }

    /// What is to be deflated next.
    ///
    /// # Errors
    /// A document larger than [`MAX_DOCUMENT`], which nobody could open.
    pub fn bytes(&self) -> Result<Vec<u8>, LinkError> {
        let bytes = to_bytes(self.document, self.padding);
        if bytes.len() > MAX_DOCUMENT { Err(LinkError::TooLarge) } else { Ok(bytes) }
    }

    /// The fragment, without `#`, of what [`Draft::bytes`] gave and somebody deflated; `None` when chat programs
    /// would cut its last sign off, and there are other bytes to deflate.
    pub fn finish(&mut self, deflated: &[u8]) -> Option<String> {
        let data = base64::encode(deflated);
        if !data.ends_with(['-', '_']) || self.padding == Some(u8::MAX) {
            return Some(format!("1.{data}"));
        }
        self.padding = Some(self.padding.map_or(0, |padding| padding + 1));
        None
    }
}

fn to_bytes(document: &Document, padding: Option<u8>) -> Vec<u8> {
    let Document { source, language, packet, breakpoints, step, classic, .. } = document;
    let Document { program_type, context, entries, conditions, .. } = document;
    let sections: Vec<Section> = [
        (!source.is_empty()).then(|| Section::Source(source.clone())),
        (!language.is_empty()).then(|| Section::Language(language.clone())),
        packet.clone().map(Section::Packet),
        (!breakpoints.is_empty()).then(|| Section::Breakpoints(breakpoints.clone())),
        (*step != 0).then_some(Section::Step(*step)),
        classic.then_some(Section::Classic),
        (!program_type.is_empty()).then(|| Section::ProgramType(program_type.clone())),
        (!context.is_empty()).then(|| Section::Context(context.clone())),
        (!entries.is_empty()).then(|| Section::Entries(entries.clone())),
        (!conditions.is_empty()).then(|| Section::Conditions(conditions.clone())),
        padding.map(Section::Padding),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut bytes =
        postcard::to_allocvec(&sections).expect("strings, numbers and lists can always be written");
    bytes.extend(adler2::adler32_slice(&bytes).to_le_bytes());
    bytes
}

/// What was deflated for a link: a whole address, or its fragment with or without `#`.
///
/// # Errors
/// What is no link, or of a version that is not known, or no base64url.
pub fn deflated(link: &str) -> Result<Vec<u8>, LinkError> {
    let fragment = link.rsplit_once('#').map_or(link, |(_, fragment)| fragment).trim();
    let (version, data) = fragment.split_once('.').ok_or(LinkError::NoLink)?;
    if version != "1" {
        let known = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
        return Err(if known { LinkError::Version(version.to_owned()) } else { LinkError::NoLink });
    }
    base64::decode(data).ok_or(LinkError::Damaged)
}

impl Document {
    /// The document in what a link inflates to, which whoever inflates it keeps within [`MAX_DOCUMENT`].
    ///
    /// # Errors
    /// A checksum that is wrong, and what was made by a newer version.
    pub fn read(bytes: &[u8]) -> Result<Document, LinkError> {
        let (body, checksum) = bytes.split_last_chunk::<CHECKSUM>().ok_or(LinkError::Damaged)?;
        if adler2::adler32_slice(body) != u32::from_le_bytes(*checksum) {
            return Err(LinkError::Damaged);
        }
        let sections: Vec<Section> = postcard::from_bytes(body).map_err(|_| LinkError::Newer)?;
        let mut document = Document::default();
        for section in sections {
            match section {
                Section::Source(source) => document.source = source,
                Section::Language(language) => document.language = language,
                Section::Packet(packet) => document.packet = Some(packet),
                Section::Breakpoints(breakpoints) => document.breakpoints = breakpoints,
                Section::Step(step) => document.step = step,
                Section::Classic => document.classic = true,
                Section::Padding(_) => {}
                Section::ProgramType(name) => document.program_type = name,
                Section::Context(fields) => document.context = fields,
                Section::Entries(entries) => document.entries = entries,
                Section::Conditions(conditions) => document.conditions = conditions,
            }
        }
        Ok(document)
    }
}
