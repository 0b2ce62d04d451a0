//! What a table holds from the start: `data=0x68656c6c6f` and `entry=0x3500:0x646e73` of a `.map` line.

use super::Result2;
use super::declarations::Content;
use crate::diagnostic::Diagnostic;

/// Takes the contents out of a line, which starts at byte `start` of the text; spaces stay in their place, since numbers
/// of any length are no tokens.
pub(super) fn take(line: &mut String, start: usize) -> Result2<Vec<Content>> {
    let comment = [line.find(';'), line.find("//"), line.find('#')].into_iter().flatten().min();
    let end = comment.unwrap_or(line.len());
    let (mut found, mut fault, mut at) = (Vec::new(), None, 0);
    while at < end {
        let word = line[at..end].split(char::is_whitespace).next().unwrap_or_default();
        let place = at..at + word.len();
        at = place.end + line[place.end..].chars().next().map_or(0, char::len_utf8);
        let span = start + place.start..start + place.end;
        let content = if let Some(value) = word.strip_prefix("data=") {
            bytes(value).map(|value| Content { key: None, value, span: span.clone() })
        } else if let Some(entry) = word.strip_prefix("entry=") {
            entry.split_once(':').and_then(|(key, value)| {
                Some(Content { key: Some(bytes(key)?), value: bytes(value)?, span: span.clone() })
            })
        } else {
            continue;
        };
        let wrong = || {
            Diagnostic::new(span.clone(), "these are no bytes in hexadecimal digits, two for each")
                .help("for example `data=0x68656c6c6f`, or `entry=0x0100:0x05` with the key first")
        };
        match content {
            Some(content) => found.push(content),
            None => fault = fault.or_else(|| Some(wrong())),
        }
        line.replace_range(place.clone(), &" ".repeat(place.len()));
    }
    fault.map_or(Ok(found), Err)
}

/// Bytes in the order of memory.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x")?.as_bytes();
    let (pairs, rest) = digits.as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let byte = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
    if !rest.is_empty() { None } else { pairs.iter().map(byte).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_leave_the_rest_of_the_line() {
        let mut line = ".map a array data=0x6869 max=1 entry=0x01:0x ; data=0x".to_owned();
        let found = take(&mut line, 100).unwrap();
        assert_eq!(line, ".map a array             max=1               ; data=0x");
        assert_eq!(found[0], Content { key: None, value: b"hi".to_vec(), span: 113..124 });
        assert_eq!((found[1].key.as_deref(), &found[1].value[..]), (Some(&[1][..]), &[][..]));
        for wrong in ["data=12", "data=0x1", "data=0xgg", "entry=0x01", "data=0xä"] {
            assert_eq!(take(&mut wrong.to_owned(), 0).unwrap_err().span, 0..wrong.len());
        }
    }
}
