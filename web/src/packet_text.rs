//! The packet as a person types it: hexadecimal digits, and what pastes of hex dumps bring along.

/// The bytes that `text` spells.
///
/// Read are digits with white space, commas or colons between bytes, `0x` in front of them, and dumps as tcpdump,
/// hexdump, xxd and Wireshark print them: an offset in front of each line, characters behind.
///
/// # Errors
/// What is no digit and where, counted in lines from 1; a digit without its partner.
pub fn parse(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        for word in digits(line, bytes.len()).flat_map(words) {
            if let Some(wrong) = word.chars().find(|c| !c.is_ascii_hexdigit()) {
                return Err(format!(
                    "line {number}: `{wrong}` is no hexadecimal digit; a packet is written 45 00 00 54 …"
                ));
            }
            if word.len() % 2 == 1 {
                return Err(format!("line {number}: a digit is missing in `{word}`; a byte is two of them"));
            }
            bytes.extend(
                (0..word.len()).step_by(2).filter_map(|at| u8::from_str_radix(&word[at..at + 2], 16).ok()),
            );
        }
        if bytes.len() > MAX_BYTES {
            return Err(format!("a packet has at most {MAX_BYTES} bytes"));
        }
    }
    Ok(bytes)
}

/// The longest packet: what captures hold.
pub const MAX_BYTES: usize = bpf64_core::packet::capture::MAX_PACKET;

/// The parts of a line that are digits; `read` bytes stand in the lines before it.
fn digits(line: &str, read: usize) -> impl Iterator<Item = &str> {
    let (line, is_dump) = without_offset(line, read);
    let line = line.split('|').next().unwrap_or_default().trim();
    let mut parts = line.split("  ");
    let first = parts.next().unwrap_or_default();
    // Two spaces end the digits of a dump's line, and what follows are the characters they stand for; but
    // hexdump puts two spaces between the halves of a line, and people put them anywhere.
    let halves = words(first).map(str::len).eq([2; 8]);
    let goes_on = move |part: &&str| {
        let spells =
            words(part).all(|word| word.len() % 2 == 0 && word.bytes().all(|b| b.is_ascii_hexdigit()));
        spells && (!is_dump || (halves && words(part).all(|word| word.len() == 2)))
    };
    std::iter::once(first).chain(parts.take_while(goes_on).take(if is_dump { 1 } else { usize::MAX }))
}

fn words(digits: &str) -> impl Iterator<Item = &str> {
    let words = digits.split([' ', '\t', ',', ':']).filter(|word| !word.is_empty());
    words.map(|word| word.strip_prefix("0x").unwrap_or(word))
}

/// `0x0010:  4500 …` and `00000010  45 00 …` without their offsets, and whether there was one.
fn without_offset(line: &str, read: usize) -> (&str, bool) {
    let Some((offset, rest)) = line.trim_start().split_once([' ', '\t']) else { return (line, false) };
    let digits = offset.trim_end_matches(':');
    let digits = digits.strip_prefix("0x").unwrap_or(digits);
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
    let stands_apart = rest.starts_with(' ')
        && (digits.len() >= 7 || digits.len() >= 4 && usize::from_str_radix(digits, 16) == Ok(read));
    if is_number && (offset.ends_with(':') || stands_apart) { (rest, true) } else { (line, false) }
}

/// Bytes as the packet field shows them: pairs of digits, 16 to a line.
#[must_use]
pub fn print(bytes: &[u8]) -> String {
    let lines = bytes
        .chunks(16)
        .map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pastes_are_understood() {
        let wanted = Ok(vec![0x45, 0, 0, 0x54]);
        for text in [
            "45000054",
            "45 00\n00 54",
            "0x45, 0x00, 0x00, 0x54",
            "45:00:00:54",
            "\t0x0000:  4500 0054  E..T",
            "00000000  45 00 00 54  |E..T|",
            "00000000: 4500 0054                                E..T",
            "0000   45 00 00 54                                       E..T",
            "45 00  00 54",
            "45 00 00 54  no digits",
            "4500  0054 ",
        ] {
            assert_eq!(parse(text), wanted, "{text}");
        }
        let two_lines = "00000000  45 00 00 00 00 00 00 00  00 00 00 00 00 00 00 54  |E......... ab cd|\n\
                         00000010  61 62 20 63 64 20 65 66                          |ab cd ef|";
        assert_eq!(parse(two_lines).map(|bytes| (bytes.len(), bytes[15], bytes[23])), Ok((24, 0x54, 0x66)));
        let characters = "\t0x0000:  6162 6364 6566 6768  ab cd ef\n\t0x0008:  0102";
        assert_eq!(parse(characters).map(|bytes| bytes.len()), Ok(10));
        assert_eq!(parse("00\n0001   02\n0002   03"), Ok(vec![0, 2, 3]));
        assert_eq!(parse(""), Ok(vec![]));
        assert_eq!(parse(&print(&[7; 40])), Ok(vec![7; 40]));
        assert!(parse("45\n0z").unwrap_err().starts_with("line 2: `z`"));
        assert!(parse("450").unwrap_err().contains("a digit is missing"));
    }
}
