//! Where things lie, and the lock that keeps two tasks from writing the same folder.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::failure::{Context as _, Outcome};

/// The root of the project. Compiled in, so that tasks work from any folder of it.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// `path` below the root.
pub(crate) fn path(path: &str) -> PathBuf {
    root().join(path)
}

/// `path` as a reader wants to see it: relative to the root where it is inside it.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// Creates a folder and its parents; makes no difference if it is there.
pub(crate) fn make_folder(folder: &Path) -> Outcome {
    fs::create_dir_all(folder).context(|| format!("cannot create the folder {}", folder.display()))
}

/// Removes a folder with all that is in it; makes no difference if it is not there.
pub(crate) fn remove_folder(folder: &Path) -> Outcome {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).context(|| format!("cannot remove the folder {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Waits until no other `cargo xtask` installs packages or builds the page. Released when dropped, or by the
/// system when the process ends.
pub(crate) fn exclusive() -> Outcome<File> {
    let path = path("target/xtask.lock");
    make_folder(&self::path("target"))?;
    let file = File::create(&path).context(|| format!("cannot create {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            println!("another `cargo xtask` is building the page; waiting for it to end");
            file.lock().context(|| format!("cannot lock {}", path.display()))?;
        }
        Err(TryLockError::Error(error)) => {
            return Err(error).context(|| format!("cannot lock {}", path.display()));
        }
    }
    Ok(file)
}
