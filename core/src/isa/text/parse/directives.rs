//! `.equ NAME, VALUE`, and the lines that begin with other directives.

use super::super::lexer::{Kind, Token, tokens};
use super::{Cursor, Result2, mnemonics};
use crate::diagnostic::Diagnostic;
use crate::names::Names;

/// Constants by name: sign and magnitude.
pub(super) type Constants<'s> = Names<'s, (bool, u64)>;

/// The constants of a text; they may be used above their definition, but not in another's.
pub(super) fn constants<'s>(text: &'s str, faults: &mut Vec<Diagnostic>) -> Constants<'s> {
    let mut found = Constants::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with(".equ")
            && let Err(fault) = tokens(line.trim_end(), start).and_then(|tokens| define(&tokens, &mut found))
        {
            faults.push(fault);
        }
        start += line.len();
    }
    found
}

fn define<'s>(tokens: &[Token<'s>], found: &mut Constants<'s>) -> Result2<()> {
    let end = tokens.last().map_or(0, |token| token.span.end);
    let mut cursor = Cursor::new(tokens, end, &());
    cursor.at = 1;
    let advice = "for example `.equ ETH_P_IP, 0x800`";
    let name = match tokens.get(1) {
        Some(token) if token.kind == Kind::Word && !is_taken(token.text) => token,
        Some(token) if token.kind == Kind::Word => {
            return Err(Diagnostic::new(
                token.span.clone(),
                format!("`{}` has a meaning already and can be no constant", token.text),
            ));
        }
        _ => return Err(cursor.unexpected("the constant's name").help(advice)),
    };
    cursor.at = 2;
    cursor.expect(",").map_err(|fault| fault.help(advice))?;
    let value = cursor.number().map_err(|fault| fault.help(advice))?;
    if cursor.peek().is_some() {
        return Err(cursor.unexpected("the end of the line"));
    }
    if !found.insert(name.text, value) {
        let message = format!("constant `{}` is defined here for the second time", name.text);
        return Err(Diagnostic::new(name.span.clone(), message));
    }
    Ok(())
}

/// Whether a word is part of the language.
fn is_taken(word: &str) -> bool {
    let token = [Token { kind: Kind::Word, text: word, span: 0..0 }];
    Cursor::new(&token, 0, &()).register().is_some()
        || mnemonics::find(word).is_some()
        || super::STATEMENTS.contains(&word)
        || ["skb", "ll", "pc", "local", "helper", "runtime"].contains(&word)
}

/// Puts the values in where constants stand.
pub(super) fn substitute<'s>(tokens: Vec<Token<'s>>, constants: &Constants<'_>) -> Vec<Token<'s>> {
    if constants.is_empty() {
        return tokens;
    }
    let mut replaced = Vec::with_capacity(tokens.len());
    let mut rest = tokens.into_iter().peekable();
    while let Some(token) = rest.next() {
        let is_label = rest.peek().is_some_and(|next| next.text == ":");
        match constants.get(token.text).filter(|_| token.kind == Kind::Word && !is_label) {
            Some(&(negative, value)) => {
                if negative {
                    replaced.push(Token { kind: Kind::Sign, text: "-", span: token.span.clone() });
                }
                replaced.push(Token { kind: Kind::Number(value), ..token });
            }
            None => replaced.push(token),
        }
    }
    replaced
}

impl Cursor<'_, '_> {
    /// A line that begins with a directive: true if it was one.
    pub(super) fn directive(&mut self) -> Result2<bool> {
        match self.peek() {
            // Read before all other lines.
            Some(".equ" | ".type" | ".license" | ".map" | ".key" | ".value" | ".context") => Ok(true),
            Some(word) if word.starts_with('.') && self.tokens[self.at].kind == Kind::Word => {
                Err(Diagnostic::new(
                    self.tokens[self.at].span.clone(),
                    format!("directive `{word}` is not known here"),
                )
                .help("known are .equ, .type, .license, .map, .key, .value, .context and .program"))
            }
            _ => Ok(false),
        }
    }
}
