//! Links made and opened without a browser.

use super::{Document, Draft, LinkError, MAX_DOCUMENT, deflated};
use miniz_oxide::inflate::{self, TINFLStatus};

/// Highest effort: links are short, and made once.
const LEVEL: u8 = 10;

/// The fragment for a document, without `#`.
///
/// # Errors
/// A document larger than [`MAX_DOCUMENT`], which nobody could open.
pub fn encode(document: &Document) -> Result<String, LinkError> {
    let mut draft = Draft::new(document);
    loop {
        let deflated = miniz_oxide::deflate::compress_to_vec(&draft.bytes()?, LEVEL);
        if let Some(fragment) = draft.finish(&deflated) {
            return Ok(fragment);
        }
    }
}

/// The document in a link: a whole address, or its fragment with or without `#`.
///
/// # Errors
/// What is no link, damaged, too large, or made by a newer version.
pub fn decode(link: &str) -> Result<Document, LinkError> {
    let bytes = inflate::decompress_to_vec_with_limit(&deflated(link)?, MAX_DOCUMENT);
    Document::read(&bytes.map_err(|error| match error.status {
        TINFLStatus::HasMoreOutput => LinkError::TooLarge,
        _ => LinkError::Damaged,
    })?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::{Entry, Packet};

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
    fn stored_links_open() {
        let links = include_str!("../../../tests/browser/links/v1.txt");
        let sources = links.lines().map(|link| decode(link).unwrap().source.lines().count());
        // The last one was deflated by a browser.
        assert_eq!(sources.collect::<Vec<_>>(), [6, 5, 4, 13]);
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
        let link = format!("1.{}", crate::link::base64::encode(&bomb));
        assert_eq!(decode(&link), Err(LinkError::TooLarge));
        let huge = Document { source: "x".repeat(MAX_DOCUMENT), ..Document::default() };
        assert_eq!(encode(&huge), Err(LinkError::TooLarge));
    }
}
