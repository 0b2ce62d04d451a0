//! Compressed copies of the page's files, and what a visitor has to download.

use std::fmt::{self, Display};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::failure::{Context as _, Failure, Outcome};

/// The most that the page may weigh, in bytes after brotli: all files that an ordinary visit fetches, the editor's script
/// with them, but the captures, of which it fetches one of a few kB. What few need belongs to the module that is split off
/// the page's (`web/src/later.rs`), or to the one for what runs long (`x86`).
const BUDGET: u64 = 450_000;

/// What only few of are fetched, by the first part of their name: captures, and the icons of an installed app.
const SELDOM: [&str; 2] = ["examples/", "icons/"];

struct Size {
    name: String,
    /// Whether every visitor downloads it.
    counted: bool,
    raw: u64,
    gzip: u64,
    brotli: u64,
}

/// The size of every file, in three forms.
pub(super) struct Sizes(Vec<Size>);

/// Puts `.gz` and `.br` copies beside all files of `folder`, where they are smaller than the file. `later` names those
/// that the page does without until they are needed.
pub(super) fn compress(folder: &Path, later: &[String]) -> Outcome<Sizes> {
    println!("compressing: gzip and brotli");
    let mut files = Vec::new();
    list(folder, &mut files).context(|| format!("cannot list {}", folder.display()))?;
    files.sort();
    let mut sizes = Vec::new();
    for file in files {
        let raw = fs::read(&file).context(|| format!("cannot read {}", file.display()))?;
        let name = file.strip_prefix(folder).unwrap_or(&file).to_string_lossy().replace('\\', "/");
        let gzip = gzip(&raw).context(|| format!("cannot compress {name}"))?;
        let brotli = brotli(&raw).context(|| format!("cannot compress {name}"))?;
        sizes.push(Size {
            raw: raw.len() as u64,
            gzip: keep(&file, ".gz", &raw, &gzip)?,
            brotli: keep(&file, ".br", &raw, &brotli)?,
            counted: !SELDOM.iter().any(|part| name.starts_with(part)) && !later.contains(&name),
            name,
        });
    }
    Ok(Sizes(sizes))
}

impl Sizes {
    fn counted(&self) -> impl Iterator<Item = &Size> {
        self.0.iter().filter(|size| size.counted)
    }

    pub(super) fn check_budget(&self) -> Outcome {
        let total: u64 = self.counted().map(|size| size.brotli).sum();
        if total <= BUDGET {
            return Ok(());
        }
        let over = total - BUDGET;
        Err(Failure::new(format!("the page weighs {total} bytes after brotli, {over} more than its budget of {BUDGET}"))
            .mend("find what grew in the table above, and load it later or drop it; the budget is in xtask/src/dist/sizes.rs"))
    }
}

impl Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|size| size.name.len()).max().unwrap_or(0).max(24);
        let row = |f: &mut fmt::Formatter<'_>, name: &str, sizes: &[&Size]| {
            let sum = |of: fn(&Size) -> u64| kilobytes(sizes.iter().map(|size| of(size)).sum());
            let (raw, gzip, brotli) = (sum(|size| size.raw), sum(|size| size.gzip), sum(|size| size.brotli));
            writeln!(f, "{name:width$} {raw:>9} {gzip:>9} {brotli:>9}")
        };
        writeln!(f, "{:width$} {:>9} {:>9} {:>9}", "size in kB", "raw", "gzip", "brotli")?;
        for size in self.counted() {
            row(f, &size.name, &[size])?;
        }
        let counted: Vec<&Size> = self.counted().collect();
        row(f, &format!("the page (budget {})", BUDGET / 1000), &counted)?;
        writeln!(f, "\nloaded when needed")?;
        for size in self.0.iter().filter(|size| !size.counted) {
            row(f, &size.name, &[size])?;
        }
        Ok(())
    }
}

fn kilobytes(bytes: u64) -> String {
    format!("{}.{}", bytes / 1000, bytes % 1000 / 100)
}

fn list(folder: &Path, into: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            list(&entry.path(), into)?;
        } else {
            into.push(entry.path());
        }
    }
    Ok(())
}

/// Writes a compressed copy if it is worth it; returns how much a visitor then downloads.
fn keep(file: &Path, suffix: &str, raw: &[u8], compressed: &[u8]) -> Outcome<u64> {
    if compressed.len() >= raw.len() {
        return Ok(raw.len() as u64);
    }
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    fs::write(&name, compressed).context(|| format!("cannot write {}", Path::new(&name).display()))?;
    Ok(compressed.len() as u64)
}

fn gzip(raw: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(raw)?;
    encoder.finish()
}

fn brotli(raw: &[u8]) -> std::io::Result<Vec<u8>> {
    let params = brotli::enc::BrotliEncoderParams { size_hint: raw.len(), ..Default::default() };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut &raw[..], &mut compressed, &params)?;
    Ok(compressed)
}
