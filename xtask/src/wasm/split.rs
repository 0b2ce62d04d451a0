//! One module in two: what every visitor needs, and what is fetched when somebody first wants it.
//!
//! The code marks where the second begins (`web/src/later.rs`); what can be reached from there alone goes into it. To know
//! that, tables of functions and what constants point to must be known as well, so the linker is told to leave its notes
//! (`--emit-relocs`). Both parts share memory, stack and table of functions.

use std::fs;
use std::path::{Path, PathBuf};

use wasm_split_cli_support::Options;

use crate::failure::{Context as _, Failure, Outcome};

/// What the linker must be told for [`split`].
pub(super) const LINK: &str = "-Clink-arg=--emit-relocs";

/// The script that fetches the second part: the module's glue imports it, and it takes from the glue what both share.
pub(super) const SCRIPT: &str = "./later.js";

/// The module in its parts.
pub(super) struct Parts {
    /// The first, not bound yet.
    pub(super) first: Vec<u8>,
    /// Where the second lies. It has nothing to do with JavaScript but for what the script hands it.
    pub(super) second: PathBuf,
}

/// Splits what the compiler made; `glue` is what the module's own script will be called. The second part and [`SCRIPT`] go to
/// `folder`.
pub(super) fn split(compiled: &[u8], glue: &str, folder: &Path) -> Outcome<Parts> {
    let first = folder.join("first.wasm");
    let glue = format!("./{glue}");
    let mut options = Options::new(compiled);
    options.output_dir = folder;
    options.main_out_path = &first;
    options.main_module = &glue;
    options.link_name = SCRIPT;
    let made = wasm_split_cli_support::transform(options)
        .map_err(|error| Failure::new(format!("the module cannot be split: {error:?}")))?;
    let [second] = &made.split_modules[..] else {
        let many = made.split_modules.len();
        return Err(Failure::new(format!("the module is to have one part beside the first, and has {many}"))
            .mend("give all of web/src/later.rs to one module, and have the page use it"));
    };
    name_by_import(&folder.join(SCRIPT), second)?;
    let first = fs::read(&first).context(|| format!("cannot read {}", first.display()))?;
    Ok(Parts { first, second: second.clone() })
}

/// The script names the second part by its place; here its name has a hash, which the bundler knows.
fn name_by_import(script: &Path, second: &Path) -> Outcome {
    let text = fs::read_to_string(script).context(|| format!("cannot read {}", script.display()))?;
    let name = second.file_name().unwrap_or_default().to_string_lossy();
    let place = format!("\"./{name}\"");
    if text.matches(&place).count() != 1 {
        return Err(Failure::new(format!("{} does not name {place} once", script.display())));
    }
    let text = format!("import laterFile from \"later-wasm\";\n{}", text.replace(&place, "laterFile"));
    fs::write(script, text).context(|| format!("cannot write {}", script.display()))
}

/// The glue imports the script as a whole, for which the bundler makes a file of its own; by their names, it makes none.
pub(super) fn import_by_name(glue: &str, names: &[String]) -> Result<String, String> {
    let whole = format!("import * as import1 from \"{SCRIPT}\"");
    if glue.matches(&whole).count() != 1 {
        return Err(format!("the glue does not import {SCRIPT} once"));
    }
    let names = names.join(", ");
    let named = format!("import {{ {names} }} from \"{SCRIPT}\";\nconst import1 = {{ {names} }};");
    Ok(glue.replace(&whole, &named))
}
