//! `cargo xtask dist`: the page as one folder of static files that works from any sub-path of any host.
//!
//! Every file but `index.html` carries a hash of its content in its name, so it may be cached for ever; every
//! file that gains by it lies there compressed as well; and the whole is weighed against a budget.

mod sizes;
mod template;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Context as _, Failure, Outcome};
use crate::options::{Accepted, Options};
use crate::process;
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

/// Builds the page into `out`, prints what it weighs, and fails if that is too much. A draft is neither compressed nor
/// weighed.
pub(crate) fn build(out: &Path, care: Care) -> Outcome {
    check_replaceable(out)?;
    let _lock = workspace::exclusive()?;
    let node = Node::find()?;
    let rust = WasmRust::find()?;
    let module = wasm::build(&rust, &node, care)?;

    // Made beside and moved at the end: a server or a reader of `out` never sees half a page.
    let fresh = workspace::path("target/page/site");
    workspace::remove_folder(&fresh)?;
    let bundle = bundle(&node, &module, &fresh)?;
    write_index(&bundle, &fresh)?;
    if care == Care::Draft {
        replace(out, &fresh)?;
        println!("a draft of the page is in {}\n", workspace::shown(out));
        return Ok(());
    }
    let sizes = sizes::compress(&fresh, &bundle.later)?;
    replace(out, &fresh)?;

    print!("\n{sizes}");
    println!("the page is in {}\n", workspace::shown(out));
    sizes.check_budget()
}

/// What `www/bundle.mjs` says of its work.
#[derive(serde::Deserialize)]
struct Bundle {
    /// The name in the folder for each name in `www`.
    names: BTreeMap<String, String>,
    /// Files that the script imports: without a hint in the page they would be fetched only after it.
    parts: Vec<String>,
    /// Scripts that are imported when they are needed.
    later: Vec<String>,
}

/// The script of the worker, which the page starts by itself.
const WORKER: &str = "worker.js";

/// Bundles script, style, wasm, icon and captures.
fn bundle(node: &Node, module: &Module, folder: &Path) -> Outcome<Bundle> {
    println!("bundling: esbuild");
    let mut esbuild = node.script("www/bundle.mjs");
    esbuild.arg(folder).arg(&module.glue).arg(&module.wasm);
    let text = process::output("bundling the page", &mut esbuild)?;
    serde_json::from_str(&text).context(|| format!("www/bundle.mjs did not print a list of files: {text}"))
}

fn write_index(Bundle { names, parts, .. }: &Bundle, folder: &Path) -> Outcome {
    let source = workspace::path("www/index.html");
    let text = fs::read_to_string(&source).context(|| format!("cannot read {}", source.display()))?;
    if !text.contains(MARK) {
        return Err(Failure::new(format!("{} lacks the line {MARK}", workspace::shown(&source))));
    }
    let name = |key: &str| {
        names.get(key).map(String::as_str).ok_or_else(|| {
            Failure::new(format!("the bundle has no {key}"))
                .mend("add the file, or its import in www/main.js")
        })
    };
    let mut files: BTreeMap<&str, &str> = names
        .iter()
        .filter_map(|(key, name)| Some((key.strip_prefix("examples/")?, name.as_str())))
        .collect();
    files.insert(WORKER, name(WORKER)?);
    let files = serde_json::to_string(&files).context(|| "cannot list the files".to_owned())?;
    let parts: Vec<String> =
        parts.iter().map(|name| format!(r#"<link rel="modulepreload" href="{name}">"#)).collect();
    let page = template::fill(
        &text,
        &[
            ("script", name("main.js")?),
            ("script-parts", &parts.join("\n")),
            ("style", name("style.css")?),
            ("icon", name("icon.svg")?),
            ("wasm", name("bpf64.wasm")?),
            ("default-capture", name(&format!("examples/{DEFAULT_CAPTURE}"))?),
            // Inside a script element, where only this sign could end it.
            ("files", &files.replace('<', "\\u003c")),
        ],
    )
    .map_err(|problem| Failure::new(format!("{}: {problem}", workspace::shown(&source))))?;
    let index = folder.join("index.html");
    fs::write(&index, page).context(|| format!("cannot write {}", index.display()))
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
