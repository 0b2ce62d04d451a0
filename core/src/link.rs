//! Permalinks: everything a colleague needs, in the fragment of the page's address.
//!
//! `#1.DATA`: the version, a dot, and base64url of the raw-deflated document. A document is a list of
//! [`Section`]s, only those that differ from what a new page shows, encoded by postcard, with its Adler-32 behind
//! it. New kinds of sections are added at the end of the enum; those that exist never change, so that a link
//! made once opens forever.

mod base64;

use miniz_oxide::inflate::{self, TINFLStatus};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The most bytes a document may have, inflated.
pub const MAX_DOCUMENT: usize = 1 << 20;
/// Highest effort: links are short, and made once.
const DEFLATE_LEVEL: u8 = 10;
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

/// The fragment for a document, without `#`.
///
/// # Errors
/// A document larger than [`MAX_DOCUMENT`], which nobody could open.
pub fn encode(document: &Document) -> Result<String, LinkError> {
    // A few paddings always find an ending that is a letter or a digit: 62 of 64 signs are.
    let mut padding = None;
    loop {
        let bytes = to_bytes(document, padding);
        if bytes.len() > MAX_DOCUMENT {
            return Err(LinkError::TooLarge);
        }
        let data = base64::encode(&miniz_oxide::deflate::compress_to_vec(&bytes, DEFLATE_LEVEL));
        if !data.ends_with(['-', '_']) || padding == Some(u8::MAX) {
            return Ok(format!("1.{data}"));
        }
        padding = Some(padding.map_or(0, |padding| padding + 1));
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

/// The document in a link: a whole address, or its fragment with or without `#`.
///
/// # Errors
/// What is no link, damaged, too large, or made by a newer version.
pub fn decode(link: &str) -> Result<Document, LinkError> {
    let fragment = link.rsplit_once('#').map_or(link, |(_, fragment)| fragment).trim();
    let (version, data) = fragment.split_once('.').ok_or(LinkError::NoLink)?;
    if version != "1" {
        let known = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
        return Err(if known { LinkError::Version(version.to_owned()) } else { LinkError::NoLink });
    }
    let deflated = base64::decode(data).ok_or(LinkError::Damaged)?;
    let bytes =
        inflate::decompress_to_vec_with_limit(&deflated, MAX_DOCUMENT).map_err(|error| {
            match error.status {
                TINFLStatus::HasMoreOutput => LinkError::TooLarge,
                _ => LinkError::Damaged,
            }
        })?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Document {
        Document {
            source: "ldh [12]\njeq #0x800, 2, 3\nret #262144\nret #0\n".into(),
            language: "cbpf".into(),
            packet: Some(Packet { bytes: vec![1, 2, 3], wire_len: 60, link_type: 1 }),
            breakpoints: vec![0, 3],
            step: 2,
            classic: true,
            program_type: "xdp".into(),
            context: vec![("mark".into(), vec![7, 0, 0, 0])],
            entries: vec![
                Entry { table: "counts".into(), key: vec![1], value: Some(vec![2]) },
                Entry { table: "counts".into(), key: vec![2], value: None },
            ],
            conditions: vec!["r0 == 5".into()],
        }
    }

    #[test]
    fn links_open_to_what_they_were_made_of() {
        for step in 0..500 {
            let document = Document { step, ..document() };
            let link = encode(&document).unwrap();
            assert!(!link.ends_with(['-', '_']), "{link}");
            assert_eq!(decode(&link), Ok(document.clone()));
            assert_eq!(decode(&format!("https://example.org/bpf/#{link}")), Ok(document));
        }
        assert_eq!(decode(&encode(&Document::default()).unwrap()), Ok(Document::default()));
    }

    #[test]
    fn a_link_cut_anywhere_is_damaged() {
        let link = encode(&document()).unwrap();
        for end in 2..link.len() {
            assert_eq!(decode(&link[..end]), Err(LinkError::Damaged), "cut at {end}");
        }
        assert_eq!(decode(""), Err(LinkError::NoLink));
        assert_eq!(decode("https://example.org/#about"), Err(LinkError::NoLink));
        assert_eq!(decode("#7.AAAA"), Err(LinkError::Version("7".into())));
    }

    #[test]
    fn a_bomb_is_not_inflated() {
        let bomb = miniz_oxide::deflate::compress_to_vec(&vec![0; 64 << 20], 6);
        let link = format!("1.{}", base64::encode(&bomb));
        assert_eq!(decode(&link), Err(LinkError::TooLarge));
        let huge = Document { source: "x".repeat(MAX_DOCUMENT), ..Document::default() };
        assert_eq!(encode(&huge), Err(LinkError::TooLarge));
    }
}
