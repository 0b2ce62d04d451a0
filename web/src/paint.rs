//! Colours of a listing's text: what is a keyword, a number, memory, a register.

/// A piece of an instruction's text with the class of its colour; empty for plain text.
pub type Piece<'a> = (&'static str, &'a str);

const KEYWORDS: &[&str] = &[
    "if", "goto", "gotol", "may_goto", "exit", "call", "ret", "ja", "jeq", "jgt", "jge", "jset", "ld", "ldh",
    "ldb", "ldx", "ldxb", "st", "stx", "tax", "txa", "add", "sub", "mul", "div", "mod", "and", "or", "xor",
    "lsh", "rsh", "neg", "lock", "be16", "be32", "be64", "le16", "le32", "le64",
];

/// Cuts the text of an instruction into pieces.
#[must_use]
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let in_word = is_word(first);
        let length = rest.find(|c: char| is_word(c) != in_word).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(length);
        found.push((class(piece, first), piece));
        rest = after;
    }
    found
}

/// Cuts the text of a machine instruction into pieces.
#[must_use]
pub fn machine_pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = pieces(text);
    for (index, (class, piece)) in found.iter_mut().enumerate() {
        *class = match *piece {
            _ if index == 0 || *piece == "lock" => "tok-keyword",
            "ptr" | "byte" | "word" | "dword" | "qword" => "tok-memory",
            word if word.starts_with(|c: char| c.is_ascii_digit()) => "tok-number",
            word if word.starts_with(|c: char| c.is_ascii_alphabetic()) => "tok-register",
            _ => "",
        };
    }
    found
}

/// Cuts a line of C into pieces.
#[must_use]
pub fn c_pieces(text: &str) -> Vec<Piece<'_>> {
    const WORDS: &str = " if else for while do return goto switch case default break continue sizeof ";
    const TYPES: &str = " static const struct union enum void int char unsigned signed long short bool ";
    let is = |list: &str, word: &str| list.split(' ').any(|known| known == word);
    let mut found = pieces(text);
    for (class, piece) in &mut found {
        *class = match piece.as_bytes() {
            [b'0'..=b'9', ..] => "tok-number",
            [b'u' | b's', b'1'..=b'9', ..] => "tok-memory",
            [b'a'..=b'z', ..] if is(WORDS, piece) => "tok-keyword",
            [b'a'..=b'z', ..] if is(TYPES, piece) => "tok-memory",
            _ => "",
        };
    }
    found
}

fn class(word: &str, first: char) -> &'static str {
    match word {
        _ if first.is_ascii_digit() => "tok-number",
        "M" | "skb" => "tok-memory",
        _ if KEYWORDS.contains(&word) => "tok-keyword",
        "a" | "x" => "tok-register",
        _ => match word.as_bytes() {
            [b'r' | b'w', b'0'..=b'9'] | [b'r' | b'w', b'1', b'0'] => "tok-register",
            [b'u' | b's', b'1'..=b'9', ..] => "tok-memory",
            _ => "",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_join_to_the_text() {
        let text = "if w0 != 0x86dd goto 30";
        let found = pieces(text);
        assert_eq!(found.iter().map(|piece| piece.1).collect::<String>(), text);
        let classes: Vec<_> = found.iter().filter(|piece| !piece.0.is_empty()).copied().collect();
        assert_eq!(
            classes,
            [
                ("tok-keyword", "if"),
                ("tok-register", "w0"),
                ("tok-number", "0x86dd"),
                ("tok-keyword", "goto"),
                ("tok-number", "30")
            ]
        );
    }

    #[test]
    fn words_of_c_are_no_registers() {
        let found: Vec<_> =
            c_pieces("if (a[x] > 5) return u8;").into_iter().filter(|piece| !piece.0.is_empty()).collect();
        let expected =
            [("tok-keyword", "if"), ("tok-number", "5"), ("tok-keyword", "return"), ("tok-memory", "u8")];
        assert_eq!(found, expected);
    }

    #[test]
    fn machine_instructions_are_an_operation_and_its_operands() {
        let text = "cmp dword ptr [rdx+0x60], 0xe";
        let found: Vec<_> = machine_pieces(text).into_iter().filter(|piece| !piece.0.is_empty()).collect();
        assert_eq!(
            found,
            [
                ("tok-keyword", "cmp"),
                ("tok-memory", "dword"),
                ("tok-memory", "ptr"),
                ("tok-register", "rdx"),
                ("tok-number", "0x60"),
                ("tok-number", "0xe")
            ]
        );
    }
}
