//! Base64url without padding (RFC 4648, section 5): four signs for three bytes.

const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The signs for bytes.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0, |bits, &byte| bits << 8 | u32::from(byte)) << (24 - 8 * chunk.len());
        // One sign more than there are bytes; what is behind would say nothing.
        text.extend((0..=chunk.len()).map(|sign| SIGNS[(bits >> (18 - 6 * sign) & 63) as usize] as char));
    }
    text
}

/// The bytes that signs stand for; `None` for what [`encode`] does not write.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for chunk in text.as_bytes().chunks(4) {
        let mut bits = 0;
        for &sign in chunk {
            bits = bits << 6 | u32::from(value(sign)?);
        }
        bits <<= 24 - 6 * chunk.len();
        let whole = chunk.len() - 1;
        // One sign alone is no byte, and bits behind the last one are 0.
        if whole == 0 || bits & 0xff_ffff >> (8 * whole) != 0 {
            return None;
        }
        bytes.extend(&bits.to_be_bytes()[1..=whole]);
    }
    Some(bytes)
}

fn value(sign: u8) -> Option<u8> {
    Some(match sign {
        b'A'..=b'Z' => sign - b'A',
        b'a'..=b'z' => sign - b'a' + 26,
        b'0'..=b'9' => sign - b'0' + 52,
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn bytes_are_written_as_the_standard_says() {
        // RFC 4648, section 10, and the two signs that are other ones in plain base64.
        let known =
            [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE")];
        for (bytes, text) in known {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()));
        }
        assert_eq!(encode(&[0xfb, 0xff, 0xbf]), "-_-_");
        let all: Vec<u8> = (0..=255).collect();
        for start in 0..8 {
            assert_eq!(decode(&encode(&all[start..])).as_deref(), Some(&all[start..]));
        }
    }

    #[test]
    fn nothing_else_is_read() {
        // A sign too many, padding, other alphabets, bits behind the last byte.
        for text in ["Z", "Zm9vY", "Zg==", "Zm9+", "Zm9/", "Zm 9", "Zm9\n", "Zh", "Zm9", "Zmß"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
