//! `cargo xtask bench`: what is measured in a browser. Engines on this machine are `bpf64 bench`.

mod engines;

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
    let accepted = Accepted { flags: &["--page", "--browser", "--no-build"], values: &[], words: false };
    let options = Options::parse(given, &accepted)?;
    let builds = !options.flag("--no-build");
    match (options.flag("--page"), options.flag("--browser")) {
        (true, false) => page(builds),
        (false, true) => engines::measure(),
        _ => Err(Failure::new("say what is to be measured")
            .mend("cargo xtask bench --page\ncargo xtask bench --browser")),
    }
}

/// How quick the page is.
fn page(builds: bool) -> Outcome {
    let folder = dist::default_folder();
    if builds {
        dist::build(&folder, Care::Release)?;
    }
    let chromium = chromium::find()?;
    let serving = serve::start(folder, "/", 0)?;
    let mut script = Node::find()?.command();
    script.arg(crate::workspace::path("tests/browser/speed.mjs"));
    script.env("BPF64_URL", &serving.url).env("BPF64_CHROMIUM", &chromium);
    process::run_within("measuring the page", LIMIT, &mut script)
}
