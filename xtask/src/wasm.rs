//! From the crates that become wasm to the files that the bundle takes of each: a small module and its JavaScript glue; of
//! the page's own, a second module besides.

mod order;
mod split;

use std::fs;
use std::path::{Path, PathBuf};

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
/// gained is lost again, and 8 kB more. Functions up to this size gain. The lowest kilobyte is the far end of the stack: to
/// know that no pointer leads there lets places be written as offsets. How far an access is aligned is a hint that engines do
/// not look at, and compresses best where it is always the same.
const SMALL: [&str; 7] = [
    "-Oz",
    "--converge",
    "--one-caller-inline-max-function-size=20",
    "--low-memory-unused",
    "--dealign",
    "--reorder-locals",
    "--strip-debug",
];

/// The alphabet of their names is the functions' order; then the names go.
const ORDERING: [&str; 2] = ["--reorder-functions-by-name", "--strip-debug"];

const FAST: [&str; 2] = ["-O3", "--strip-debug"];

/// A panic stops the module at once, without words: the page says that it stands still, and a draft says where. The words
/// of all panics, and what formats them, are a tenth of the module, and where they are is all the same then. Only with a standard library of our own making.
const SILENT_PANICS: [&str; 3] = ["-Zunstable-options", "-Cpanic=immediate-abort", "-Zlocation-detail=none"];

/// For whom the module is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Care {
    /// For visitors: as small as can be.
    Release,
    /// For whoever is at work on the page: soon there, three times as large.
    Draft,
}

impl Care {
    /// The folder below `target/page` in which modules of this care lie.
    fn folder(self) -> &'static str {
        match self {
            Care::Release => "web",
            Care::Draft => "web-draft",
        }
    }
}

/// What a module for visitors is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    /// Every visitor waits for it.
    Small,
    /// It runs programs, and who waits for it waits for these.
    Fast,
}

/// A crate that becomes a module.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    /// The crate.
    package: &'static str,
    /// What cargo and wasm-bindgen call it.
    stem: &'static str,
    /// What the module is called in the page.
    wasm: &'static str,
    /// What is split off is called, if something is.
    later: Option<&'static str>,
    goal: Goal,
}

impl Part {
    /// The profile in `Cargo.toml`, which is also the folder below `target/web`.
    fn profile(self, care: Care) -> &'static str {
        match (care, self.goal) {
            (Care::Release, Goal::Small) => "web",
            (Care::Release, Goal::Fast) => "web-fast",
            (Care::Draft, _) => "web-draft",
        }
    }

    /// What wasm-opt is told to make of it.
    fn optimisation(self) -> &'static [&'static str] {
        match self.goal {
            Goal::Small => &SMALL,
            Goal::Fast => &FAST,
        }
    }
}

/// The page and its worker.
pub(crate) const PAGE: Part = Part {
    package: "bpf64-web",
    stem: "bpf64_web",
    wasm: "bpf64.wasm",
    later: Some("later.wasm"),
    goal: Goal::Small,
};
/// What is fetched when it is wanted: the x86-64 level, the reader of object files, the interpreter's running form.
pub(crate) const X86: Part =
    Part { package: "bpf64-x86", stem: "bpf64_x86", wasm: "x86.wasm", later: None, goal: Goal::Fast };
/// The interpreter alone, compiled as in the module before, to be timed.
pub(crate) const TIMED: Part =
    Part { package: "bpf64-timed", stem: "bpf64_timed", wasm: "timed.wasm", later: None, goal: Goal::Fast };

/// A module, ready to be bundled.
pub(crate) struct Module {
    /// The optimised module.
    pub(crate) wasm: PathBuf,
    /// The ES module that `wasm-bindgen` made for it.
    pub(crate) glue: PathBuf,
    /// What was split off.
    pub(crate) later: Option<PathBuf>,
}

/// Compiles, binds and optimises. The last two are skipped when the compiler gave the same bytes again, so that
/// work on the style or the editor does not wait for them.
pub(crate) fn build(rust: &WasmRust, node: &Node, part: Part, care: Care) -> Outcome<Module> {
    let Part { stem, wasm, later, .. } = part;
    let compiled = compile(rust, part, care)?;
    let folder = workspace::path("target/page").join(care.folder());
    workspace::make_folder(&folder)?;
    let later = later.map(|name| folder.join(name));
    let module = Module { wasm: folder.join(wasm), glue: folder.join(format!("{stem}.js")), later };

    let bytes = fs::read(&compiled).context(|| format!("cannot read {}", compiled.display()))?;
    let lock = fs::read(workspace::path("www/package-lock.json")).unwrap_or_default();
    // The lock file holds binaryen's version; these files' texts hold how the tools are called.
    let texts: [&[u8]; 3] =
        [include_bytes!("wasm.rs"), include_bytes!("wasm/order.rs"), include_bytes!("wasm/split.rs")];
    let stamp =
        Stamp::new(folder.join(format!("{stem}.stamp")), &[&bytes, &lock, texts[0], texts[1], texts[2]]);
    let all = [Some(&module.wasm), Some(&module.glue), module.later.as_ref()];
    if stamp.is_current() && all.into_iter().flatten().all(|file| file.is_file()) {
        return Ok(module);
    }
    let (bytes, second) = match module.later {
        Some(_) => {
            println!("splitting: what few need goes into a second module");
            let parts = split::split(&bytes, &format!("{stem}.js"), &folder)?;
            (parts.first, Some(parts.second))
        }
        None => (bytes, None),
    };
    println!("binding: wasm-bindgen writes the glue between the module and JavaScript");
    bind(stem, bytes, &folder, care)
        .map_err(|error| Failure::new(format!("wasm-bindgen cannot bind {}: {error}", compiled.display())))?;
    let bound = folder.join(format!("{stem}_bg.wasm"));
    if care == Care::Release {
        println!("optimising: wasm-opt (half a minute)");
    }
    finish(node, part, care, &bound, &module.wasm)?;
    if let (Some(second), Some(later)) = (&second, &module.later) {
        finish(node, part, care, second, later)?;
    }
    stamp.write()?;
    Ok(module)
}

/// Makes of a module what visitors get; a draft stays what it is.
fn finish(node: &Node, part: Part, care: Care, from: &Path, to: &Path) -> Outcome {
    if care == Care::Draft {
        fs::copy(from, to).context(|| format!("cannot copy {}", from.display()))?;
        return Ok(());
    }
    optimise(node, part.optimisation(), from, to)?;
    if part.goal == Goal::Small {
        let optimised = fs::read(to).context(|| format!("cannot read {}", to.display()))?;
        let named =
            order::named(&optimised).context(|| format!("wasm-opt wrote {} wrongly", to.display()))?;
        fs::write(from, named).context(|| format!("cannot write {}", from.display()))?;
        optimise(node, &ORDERING, from, to)?;
    }
    Ok(())
}

/// Runs wasm-opt.
fn optimise(node: &Node, passes: &[&str], from: &Path, to: &Path) -> Outcome {
    let mut wasm_opt = node.script("www/node_modules/binaryen/bin/wasm-opt");
    wasm_opt.args(passes).args(FEATURES).arg(from).arg("-o").arg(to);
    process::run("optimising the wasm", &mut wasm_opt)
}

/// Writes the glue and the bound module. For visitors, what the module imports of the glue is numbered: wasm-bindgen's names
/// end in hashes that no compression makes smaller, and stand in both files. What it imports of the script that fetches the
/// second part keeps its name.
fn bind(stem: &str, bytes: Vec<u8>, folder: &Path, care: Care) -> Result<(), String> {
    let mut bindgen = Bindgen::new();
    let bindgen = bindgen.input_bytes(stem, bytes).web(true).map_err(|error| format!("{error:?}"))?;
    let bindgen = bindgen.omit_default_module_path(false).typescript(false);
    let bindgen = bindgen.remove_name_section(true).remove_producers_section(true);
    // The table of functions is shared with what was split off.
    let bindgen = bindgen.keep_lld_exports(true);
    let mut output = bindgen.generate_output().map_err(|error| format!("{error:?}"))?;
    if care == Care::Draft {
        return output.emit(folder).map_err(|error| format!("{error:?}"));
    }
    let fetchers: Vec<String> = output
        .wasm_mut()
        .imports
        .iter()
        .filter(|import| import.module == split::SCRIPT)
        .map(|import| import.name.clone())
        .collect();
    let imports = output.wasm_mut().imports.iter_mut();
    let imports = imports.filter(|import| import.module != split::SCRIPT).enumerate();
    let renamed: Vec<(String, String)> = imports
        .map(|(number, import)| {
            (std::mem::replace(&mut import.name, number.to_string()), import.name.clone())
        })
        .collect();
    output.emit(folder).map_err(|error| format!("{error:?}"))?;
    let glue = folder.join(format!("{stem}.js"));
    let mut text = fs::read_to_string(&glue).map_err(|error| error.to_string())?;
    for (name, number) in renamed {
        let (name, number) = (format!(" {name}: function"), format!(" {number}: function"));
        if text.matches(&name).count() != 1 {
            return Err(format!("the glue does not have`{name}` once"));
        }
        text = text.replace(&name, &number);
    }
    if !fetchers.is_empty() {
        text = split::import_by_name(&text, &fetchers)?;
    }
    fs::write(&glue, text).map_err(|error| error.to_string())
}

/// Its own target folder, because cargo may be another one, and so that its lock keeps nobody waiting.
fn compile(rust: &WasmRust, part: Part, care: Care) -> Outcome<PathBuf> {
    let Part { package, stem, .. } = part;
    println!("compiling {package} to wasm (minutes the first time, seconds after)");
    let target = workspace::path("target/web");
    let mut cargo = rust.cargo_build();
    let profile = part.profile(care);
    cargo.args(["--package", package, "--lib", "--profile", profile, "--target-dir"]).arg(&target);
    let mut flags = remap_paths();
    let silent = care == Care::Release && rust.builds_std();
    if package == PAGE.package && !silent {
        cargo.args(["--features", "words"]);
    }
    if silent {
        flags.extend(SILENT_PANICS.map(|flag| format!("'{flag}'")));
    }
    // Drafts share a folder: with other flags, each would have the library compiled anew.
    if part.later.is_some() || care == Care::Draft {
        flags.push(format!("'{}'", split::LINK));
    }
    cargo.arg("--config").arg(format!("target.wasm32-unknown-unknown.rustflags = [{}]", flags.join(", ")));
    process::run("compiling the page", &mut cargo)?;
    Ok(target.join("wasm32-unknown-unknown").join(profile).join(format!("{stem}.wasm")))
}

/// Panics name their source files; these flags cut off where the checkout and cargo's registry lie on this
/// machine, so that the module is smaller and the same wherever it is built.
fn remap_paths() -> Vec<String> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let registry = home.and_then(|home| fs::read_dir(home.join("registry/src")).ok());
    let sources = registry.into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let flags = sources.chain([workspace::root().to_owned()]).map(|path| {
        // A TOML string in single quotes takes everything literally.
        format!("'--remap-path-prefix={}='", path.display())
    });
    flags.collect()
}
