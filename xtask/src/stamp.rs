//! Remembers what a result was made from, so that it is made again only when that changed.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;

use crate::failure::{Context as _, Outcome};

/// A fingerprint of some contents, in hexadecimal.
pub(crate) fn hash(contents: &[&[u8]]) -> String {
    let mut hasher = DefaultHasher::new();
    contents.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// A small file beside a result holding the fingerprint of what it was made from.
pub(crate) struct Stamp {
    file: PathBuf,
    fingerprint: String,
}

impl Stamp {
    /// `inputs` must be all that the result depends on. The hash is the standard library's, which may differ
    /// between Rust releases: the worst that brings is one needless rebuild.
    pub(crate) fn new(file: PathBuf, inputs: &[&[u8]]) -> Self {
        Self { file, fingerprint: format!("{}\n", hash(inputs)) }
    }

    pub(crate) fn is_current(&self) -> bool {
        fs::read_to_string(&self.file).is_ok_and(|found| found == self.fingerprint)
    }

    /// To be called once the result is complete: an interrupted run then starts again.
    pub(crate) fn write(&self) -> Outcome {
        fs::write(&self.file, &self.fingerprint).context(|| format!("cannot write {}", self.file.display()))
    }
}
