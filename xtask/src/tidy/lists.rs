//! Lists that people read and that must be complete: why each dependency is taken, where each example comes from.

use std::fs;
use std::path::Path;

use super::Problems;
use crate::failure::{Context as _, Outcome};

const REASONS: &str = "ARCHITECTURE.md";
const EXAMPLES: &str = "www/examples";

pub(super) fn check(root: &Path, problems: &mut Problems) -> Outcome {
    let manifest = root.join("Cargo.toml");
    let manifest = fs::read_to_string(&manifest).context(|| format!("cannot read {}", manifest.display()))?;
    complete(root, REASONS, "the reason for the dependency", &dependencies(&manifest), problems);

    let folder = root.join(EXAMPLES);
    let entries = fs::read_dir(&folder).context(|| format!("cannot list {}", folder.display()))?;
    let mut files: Vec<String> = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name != "README.md" && !name.starts_with('.'))
        .collect();
    files.sort();
    complete(root, &format!("{EXAMPLES}/README.md"), "the origin of", &files, problems);
    Ok(())
}

/// Adds a problem for each name that the list at `path` does not mention.
fn complete(root: &Path, path: &str, what: &str, names: &[String], problems: &mut Problems) {
    let Ok(text) = fs::read_to_string(root.join(path)) else {
        problems.push(format!("{path}:1: missing; it must tell {what} {}", names.join(", ")));
        return;
    };
    for name in names.iter().filter(|name| !mentions(&text, name)) {
        problems.push(format!("{path}:1: does not tell {what} `{name}`"));
    }
}

/// The names in the workspace's version table. Our own crates, given by a path, need no reason.
fn dependencies(manifest: &str) -> Vec<String> {
    manifest
        .lines()
        .skip_while(|line| *line != "[workspace.dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.starts_with('#') && !line.contains("path ="))
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name.trim().to_owned())
        .collect()
}

/// Whether `text` contains `name` as a word: `serde` is not mentioned by `serde_json`.
fn mentions(text: &str, name: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || "-_".contains(c);
    text.match_indices(name).any(|(start, _)| {
        let before = text[..start].chars().next_back();
        let after = text[start + name.len()..].chars().next();
        !before.is_some_and(part_of_word) && !after.is_some_and(part_of_word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_version_table_only() {
        let manifest = "[workspace]\na = 1\n[workspace.dependencies]\n# why\nown = { path = \"own\" }\nserde = \"1\"\n\
                        web-sys = { version = \"1\" }\n\n[profile.dev]\nb = 2\n";
        assert_eq!(dependencies(manifest), ["serde", "web-sys"]);
    }

    #[test]
    fn a_mention_is_a_whole_word() {
        assert!(mentions("takes `serde`, and", "serde"));
        assert!(!mentions("serde_json and my-serde", "serde"));
        assert!(mentions("x icmp.txt", "icmp.txt"));
        assert!(!mentions("x-icmp.txt", "icmp.txt"));
    }
}
