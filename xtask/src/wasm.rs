//! From the crate `bpf64-web` to the two files the bundle is made of: a small module and its JavaScript glue.

use std::fs;
use std::path::PathBuf;

use wasm_bindgen_cli_support::Bindgen;

use crate::failure::{Context as _, Failure, Outcome};
use crate::process;
use crate::stamp::Stamp;
use crate::tools::node::Node;
use crate::tools::wasm_rust::WasmRust;
use crate::workspace;

/// What browsers have had for years and rustc emits. One by one: "all" would let binaryen use proposals that
/// browsers refuse.
const FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
];

/// Small after brotli: a function that is put into its only caller no longer looks like its sisters, so what is
/// gained is lost again, and 8 kB more. Functions up to this size gain.
const OPTIMISATION: [&str; 2] = ["-Oz", "--one-caller-inline-max-function-size=20"];

/// For whom the module is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Care {
    /// For visitors: as small as can be.
    Release,
    /// For whoever is at work on the page: soon there, three times as large.
    Draft,
}

impl Care {
    /// The profile in `Cargo.toml`, which is also the folder below `target`.
    fn profile(self) -> &'static str {
        match self {
            Care::Release => "web",
            Care::Draft => "web-draft",
        }
    }
}

/// The page's wasm, ready to be bundled.
pub(crate) struct Module {
    /// The optimised module.
    pub(crate) wasm: PathBuf,
    /// The ES module that `wasm-bindgen` made for it.
    pub(crate) glue: PathBuf,
}

/// Compiles, binds and optimises. The last two are skipped when the compiler gave the same bytes again, so that
/// work on the style or the editor does not wait for them.
pub(crate) fn build(rust: &WasmRust, node: &Node, care: Care) -> Outcome<Module> {
    let compiled = compile(rust, care)?;
    let folder = workspace::path("target/page").join(care.profile());
    workspace::make_folder(&folder)?;
    let module = Module { wasm: folder.join("bpf64.wasm"), glue: folder.join("bpf64_web.js") };

    let bytes = fs::read(&compiled).context(|| format!("cannot read {}", compiled.display()))?;
    let lock = fs::read(workspace::path("www/package-lock.json")).unwrap_or_default();
    // The lock file holds binaryen's version; this file's text holds how both tools are called.
    let stamp = Stamp::new(folder.join("bpf64.stamp"), &[&bytes, &lock, include_bytes!("wasm.rs")]);
    if stamp.is_current() && module.wasm.is_file() && module.glue.is_file() {
        return Ok(module);
    }
    println!("binding: wasm-bindgen writes the glue between the module and JavaScript");
    Bindgen::new()
        .input_bytes("bpf64_web", bytes)
        .web(true)
        .and_then(|bindgen| {
            bindgen
                .omit_default_module_path(false)
                .typescript(false)
                .remove_name_section(true)
                .remove_producers_section(true)
                .generate(&folder)
        })
        .map_err(|error| {
            Failure::new(format!("wasm-bindgen cannot bind {}: {error:?}", compiled.display()))
        })?;
    let bound = folder.join("bpf64_web_bg.wasm");
    if care == Care::Draft {
        fs::copy(&bound, &module.wasm).context(|| format!("cannot copy {}", bound.display()))?;
        stamp.write()?;
        return Ok(module);
    }
    println!("optimising: wasm-opt -Oz (some ten seconds)");
    let mut optimise = node.script("www/node_modules/binaryen/bin/wasm-opt");
    optimise.args(OPTIMISATION).args(FEATURES).arg(&bound).arg("-o").arg(&module.wasm);
    process::run("optimising the wasm", &mut optimise)?;
    stamp.write()?;
    Ok(module)
}

/// Its own target folder, because cargo may be another one, and so that its lock keeps nobody waiting.
fn compile(rust: &WasmRust, care: Care) -> Outcome<PathBuf> {
    println!("compiling the page to wasm (minutes the first time, seconds after)");
    let target = workspace::path("target/web");
    let mut cargo = rust.cargo_build();
    let profile = care.profile();
    cargo.args(["--package", "bpf64-web", "--lib", "--profile", profile, "--target-dir"]).arg(&target);
    cargo.arg("--config").arg(format!("target.wasm32-unknown-unknown.rustflags = [{}]", remap_paths()));
    process::run("compiling the page", &mut cargo)?;
    Ok(target.join("wasm32-unknown-unknown").join(profile).join("bpf64_web.wasm"))
}

/// Panics name their source files; these flags cut off where the checkout and cargo's registry lie on this
/// machine, so that the module is smaller and the same wherever it is built.
fn remap_paths() -> String {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let registry = home.and_then(|home| fs::read_dir(home.join("registry/src")).ok());
    let sources = registry.into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let flags = sources.chain([workspace::root().to_owned()]).map(|path| {
        // A TOML string in single quotes takes everything literally.
        format!("'--remap-path-prefix={}='", path.display())
    });
    flags.collect::<Vec<_>>().join(", ")
}
