//! The interpreter in a browser beside the same on this machine: the suite of `bpf64 bench`, in a worker.

use std::fs;

use super::LIMIT;
use crate::failure::{Context as _, Outcome};
use crate::process;
use crate::serve;
use crate::tools::node::Node;
use crate::tools::wasm_rust::WasmRust;
use crate::tools::{cargo, chromium};
use crate::wasm::{self, Care};
use crate::workspace;

/// Builds both and has them timed; the table goes to the terminal.
pub(super) fn measure() -> Outcome {
    let (chromium, node) = (chromium::find()?, Node::find()?);
    println!("compiling bpf64 for this machine");
    process::run(
        "compiling bpf64",
        cargo::same().args(["build", "--release", "--package", "bpf64-jit", "--bin", "bpf64"]),
    )?;
    let module = wasm::build(&WasmRust::find()?, &node, wasm::TIMED, Care::Release)?;
    let folder = workspace::path("target/timed");
    workspace::make_folder(&folder)?;
    let own = ["index.html", "worker.js"].map(|name| workspace::path("tests/timed").join(name));
    for from in own.into_iter().chain([module.wasm, module.glue]) {
        let to = folder.join(from.file_name().unwrap_or_default());
        fs::copy(&from, &to).context(|| format!("cannot copy {}", from.display()))?;
    }
    let serving = serve::start(folder, "/", 0)?;
    let mut script = node.command();
    script.arg(workspace::path("tests/browser/engines.mjs"));
    script.env("BPF64_URL", &serving.url).env("BPF64_CHROMIUM", &chromium);
    script.env("BPF64_BIN", workspace::path("target/release/bpf64"));
    process::run_within("timing the interpreter in a browser", LIMIT, &mut script)
}
