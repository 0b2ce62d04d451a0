//! Reading what is named on the command line: files, standard input, and text in the arguments.

use super::failure::Failure;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Something that was read, and what to call it in messages.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// The file's name, or `<stdin>`, or `<command line>`.
    pub(crate) name: String,
    /// Its content.
    pub(crate) bytes: Vec<u8>,
}

impl Source {
    /// The content, if it is text.
    pub(crate) fn text(&self) -> Option<&str> {
        str::from_utf8(&self.bytes).ok()
    }
}

/// Whether the path means standard input.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// A stranger's text with its control characters made harmless: it must not drive the terminal.
pub(crate) fn tame(text: &str) -> String {
    let is_plain = |c: char| !c.is_control() || c == '\n' || c == '\t';
    text.chars().map(|c| if is_plain(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

/// Opens a file, or standard input for `-`, with its name.
pub(crate) fn open(path: &Path) -> Result<(String, Box<dyn Read>), Failure> {
    if is_stdin(path) {
        return Ok(("<stdin>".to_owned(), Box::new(io::stdin().lock())));
    }
    let name = tame(&path.display().to_string());
    let file = File::open(path).map_err(|error| cannot_read(&name, &error))?;
    Ok((name, Box::new(file)))
}

/// Reads up to `limit` bytes behind `bytes`; more are refused, since a device never ends.
pub(crate) fn read_to_end(
    name: &str,
    reader: impl Read,
    bytes: &mut Vec<u8>,
    limit: usize,
) -> Result<(), Failure> {
    reader
        .take((limit - bytes.len().min(limit)) as u64 + 1)
        .read_to_end(bytes)
        .map_err(|error| cannot_read(name, &error))?;
    if bytes.len() > limit {
        return Err(Failure::not_understood(format!("{name} has more than {} MiB", limit >> 20)));
    }
    Ok(())
}

/// Reads a file, or standard input for `-`.
pub(crate) fn read(path: &Path, limit: usize) -> Result<Source, Failure> {
    let (name, reader) = open(path)?;
    let mut bytes = Vec::new();
    read_to_end(&name, reader, &mut bytes, limit)?;
    Ok(Source { name, bytes })
}

/// A file that cannot be read, with the reason without the number that the standard library appends.
pub(crate) fn cannot_read(name: &str, error: &io::Error) -> Failure {
    let reason = match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    Failure::not_understood(format!("cannot read {name}: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_text_cannot_drive_the_terminal() {
        assert_eq!(tame("ret #0\n\t\x1b[2J\u{9b}1m"), "ret #0\n\t\u{fffd}[2J\u{fffd}1m");
    }
}
