//! The packet as a person types it: hexadecimal digits, and what pastes of hex dumps bring along.

/// The bytes that `text` spells.
///
/// Read are digits with white space, commas or colons between bytes, `0x` in front of them, and dumps as tcpdump
/// and hexdump print them: an offset in front of each line, characters behind.
///
/// # Errors
/// What is no digit and where, counted in lines from 1; a digit without its partner.
pub fn parse(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = without_offset(line);
        // Two spaces end the digits of a dump's line; what follows are the characters they stand for.
        let digits = line.trim_start().split("  ").next().unwrap_or_default();
        for word in digits.split([' ', '\t', ',', ':']).filter(|word| !word.is_empty()) {
            let word = word.strip_prefix("0x").unwrap_or(word);
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

/// `0x0010:  4500 …` and `00000010  45 00 …` without their offsets.
fn without_offset(line: &str) -> &str {
    let Some((offset, rest)) = line.trim_start().split_once([' ', '\t']) else { return line };
    let digits = offset.trim_end_matches(':').trim_start_matches("0x");
    let is_number = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_hexdigit());
    let is_offset = is_number && (offset.ends_with(':') || (digits.len() >= 7 && rest.starts_with(' ')));
    if is_offset { rest } else { line }
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
        ] {
            assert_eq!(parse(text), wanted, "{text}");
        }
        assert_eq!(parse(""), Ok(vec![]));
        assert_eq!(parse(&print(&[7; 40])), Ok(vec![7; 40]));
        assert!(parse("45\n0z").unwrap_err().starts_with("line 2: `z`"));
        assert!(parse("450").unwrap_err().contains("a digit is missing"));
    }
}
