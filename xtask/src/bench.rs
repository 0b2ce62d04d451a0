//! `cargo xtask bench`: what is measured in a browser. Engines on this machine are `bpf64 bench`.

use std::time::Duration;

use crate::dist;
use crate::failure::{Failure, Outcome};
use crate::options::{Accepted, Options};
use crate::process;
use crate::serve;
use crate::tools::chromium;
use crate::tools::node::Node;
use crate::wasm::Care;

/// The measurements take a minute; this is for a browser that hangs.
const LIMIT: Duration = Duration::from_secs(10 * 60);

pub(crate) fn task(given: &[String]) -> Outcome {
    let accepted = Accepted { flags: &["--page", "--no-build"], values: &[], words: false };
    let options = Options::parse(given, &accepted)?;
    if !options.flag("--page") {
        return Err(Failure::new("there is nothing to measure").mend("cargo xtask bench --page"));
    }
    let folder = dist::default_folder();
    if !options.flag("--no-build") {
        dist::build(&folder, Care::Release)?;
    }
    let chromium = chromium::find()?;
    let serving = serve::start(folder, "/", 0)?;
    let mut script = Node::find()?.command();
    script.arg(crate::workspace::path("tests/browser/speed.mjs"));
    script.env("BPF64_URL", &serving.url).env("BPF64_CHROMIUM", &chromium);
    process::run_within("measuring the page", LIMIT, &mut script)
}
