//! `cargo xtask dist`: the page as one folder of static files that works from any sub-path of any host.
//!
//! Every file but `index.html` carries a hash of its content in its name, so it may be cached for ever; every
//! file that gains by it lies there compressed as well; and the whole is weighed against a budget.

mod sizes;
mod template;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Context as _, Failure, Outcome};
use crate::options::{Accepted, Options};
use crate::process;
use crate::stamp;
use crate::tools::node::Node;
use crate::tools::wasm_rust::WasmRust;
use crate::wasm::{self, Care, Module};
use crate::workspace;

/// What marks a folder as one of ours, which may be replaced as a whole.
const MARK: &str = r#"<meta name="generator" content="bpf64">"#;

/// The capture that the page opens with; its name is known here to fetch it before the wasm asks for it.
const DEFAULT_CAPTURE: &str = "ssh.pcap";

pub(crate) fn task(given: &[String]) -> Outcome {
    let options = Options::parse(given, &Accepted { flags: &["--draft"], values: &["--out"], words: false })?;
    let care = if options.flag("--draft") { Care::Draft } else { Care::Release };
    // Relative to where the command was given, as every program takes it.
    let out = options.value("--out").map_or_else(|| folder_of(care), PathBuf::from);
    build(&out, care)
}

/// Where a page of this care is built if nothing else is said.
pub(crate) fn folder_of(care: Care) -> PathBuf {
    match care {
        Care::Release => default_folder(),
        Care::Draft => workspace::path("target/draft"),
    }
}

/// Where the page that visitors get is built.
pub(crate) fn default_folder() -> PathBuf {
    workspace::path("target/dist")
}

/// Builds the page into `out`, prints what it weighs, and fails if that is too much, where all of the page is compiled
/// alike. A draft is neither compressed nor weighed.
pub(crate) fn build(out: &Path, care: Care) -> Outcome {
    check_replaceable(out)?;
    let _lock = workspace::exclusive()?;
    let node = Node::find()?;
    let rust = WasmRust::find()?;
    let page = wasm::build(&rust, &node, wasm::PAGE, care)?;
    let x86 = wasm::build(&rust, &node, wasm::X86, care)?;

    // Made beside and moved at the end: a server or a reader of `out` never sees half a page.
    let fresh = workspace::path("target/page/site");
    workspace::remove_folder(&fresh)?;
    let bundle = bundle(&node, care, (&page, &x86), &fresh)?;
    write_named(&bundle, &fresh)?;
    if care == Care::Draft {
        replace(out, &fresh)?;
        println!("a draft of the page is in {}\n", workspace::shown(out));
        return Ok(());
    }
    let sizes = sizes::compress(&fresh, &bundle.later)?;
    replace(out, &fresh)?;

    print!("\n{sizes}");
    println!("the page is in {}\n", workspace::shown(out));
    if !rust.builds_std() {
        println!(
            "skipped: the budget, which is for a standard library that is compiled small along with the page\n"
        );
        return Ok(());
    }
    sizes.check_budget()
}

/// What `www/bundle.mjs` says of its work.
#[derive(serde::Deserialize)]
struct Bundle {
    /// The name in the folder for each name in `www`.
    names: BTreeMap<String, String>,
    /// Files that the script imports: without a hint in the page they would be fetched only after it.
    parts: Vec<String>,
    /// Scripts that it imports by itself as soon as it is there: the editor.
    soon: Vec<String>,
    /// Scripts and modules that are fetched when they are needed.
    later: Vec<String>,
}

/// The scripts of workers, which the page starts by itself.
const WORKERS: [&str; 2] = ["worker.js", "x86.js"];

/// The icons of the installed app, small and large.
const ICONS: [&str; 2] = ["icons/bpf64-192.png", "icons/bpf64-512.png"];

/// Bundles script, style, wasm, icon and captures.
fn bundle(node: &Node, care: Care, (page, x86): (&Module, &Module), folder: &Path) -> Outcome<Bundle> {
    println!("bundling: esbuild");
    let mut esbuild = node.script("www/bundle.mjs");
    esbuild
        .arg(if care == Care::Draft { "draft" } else { "release" })
        .arg(folder)
        .args([&x86.glue, &x86.wasm, &page.glue, &page.wasm])
        .args(&page.later);
    let text = process::output("bundling the page", &mut esbuild)?;
    serde_json::from_str(&text).context(|| format!("www/bundle.mjs did not print a list of files: {text}"))
}

/// What belongs to a part of the page that not everybody looks at: not kept for later unless asked for.
const SELDOM: &str = "x86";

/// Writes the files that have a name of their own, each with the names of the others filled in.
fn write_named(bundle: &Bundle, folder: &Path) -> Outcome {
    let Bundle { names, parts, soon, later } = bundle;
    let name = |key: &str| {
        names.get(key).map(String::as_str).ok_or_else(|| {
            Failure::new(format!("the bundle has no {key}"))
                .mend("add the file, or its import in www/main.js")
        })
    };
    let icons = [("icon", name("icon.svg")?), ("icon-192", name(ICONS[0])?), ("icon-512", name(ICONS[1])?)];

    let mut files: BTreeMap<&str, &str> = names
        .iter()
        .filter_map(|(key, name)| Some((key.strip_prefix("examples/")?, name.as_str())))
        .collect();
    for worker in WORKERS {
        files.insert(worker, name(worker)?);
    }
    // Inside a script element, where only this sign could end it.
    let files = json(&files)?.replace('<', "\\u003c");
    let preloads: Vec<String> =
        parts.iter().map(|name| format!(r#"<link rel="modulepreload" href="{name}">"#)).collect();
    let index = [
        ("script", name("main.js")?),
        ("script-parts", &preloads.join("\n")),
        ("style", name("style.css")?),
        icons[0],
        icons[1],
        ("wasm", name("bpf64.wasm")?),
        ("default-capture", name(&format!("examples/{DEFAULT_CAPTURE}"))?),
        ("files", &files),
    ];
    write_filled("index.html", &index, folder)?;
    write_filled("manifest.webmanifest", &icons, folder)?;

    let all: BTreeSet<&str> =
        names.values().chain(parts).chain(soon).chain(later).map(String::as_str).collect();
    let (more, first): (Vec<&str>, Vec<&str>) = all.into_iter().partition(|name| name.starts_with(SELDOM));
    let (first, more) = (json(&first)?, json(&more)?);
    let text =
        fs::read(folder.join("index.html")).context(|| "cannot read the page just written".to_owned())?;
    let version = stamp::hash(&[&text, first.as_bytes(), more.as_bytes()]);
    write_filled("sw.js", &[("first-files", &first), ("more-files", &more), ("version", &version)], folder)
}

fn json(value: &impl serde::Serialize) -> Outcome<String> {
    serde_json::to_string(value).context(|| "cannot list the files".to_owned())
}

/// Fills in a file of `www` and puts it into `folder`.
fn write_filled(file: &str, values: &[(&str, &str)], folder: &Path) -> Outcome {
    let source = workspace::path("www").join(file);
    let text = fs::read_to_string(&source).context(|| format!("cannot read {}", source.display()))?;
    if file == "index.html" && !text.contains(MARK) {
        return Err(Failure::new(format!("{} lacks the line {MARK}", workspace::shown(&source))));
    }
    let filled = template::fill(&text, values)
        .map_err(|problem| Failure::new(format!("{}: {problem}", workspace::shown(&source))))?;
    let target = folder.join(file);
    fs::write(&target, filled).context(|| format!("cannot write {}", target.display()))
}

/// Refuses to replace a folder that holds anything but an older page: `--out` may be mistyped.
fn check_replaceable(out: &Path) -> Outcome {
    let empty = fs::read_dir(out).map_or(!out.exists(), |mut files| files.next().is_none());
    let ours = || fs::read_to_string(out.join("index.html")).is_ok_and(|text| text.contains(MARK));
    if empty || ours() {
        return Ok(());
    }
    Err(Failure::new(format!("{} exists and is no page of bpf64, so it is not replaced", out.display()))
        .mend("choose another folder with --out, or remove this one"))
}

fn replace(out: &Path, fresh: &Path) -> Outcome {
    workspace::remove_folder(out)?;
    if let Some(parent) = out.parent() {
        workspace::make_folder(parent)?;
    }
    // Another file system than target's cannot be moved to.
    fs::rename(fresh, out)
        .or_else(|_| copy(fresh, out))
        .context(|| format!("cannot put the page into {}", out.display()))
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
