//! Which folder a run may write into: a new one, an empty one, or one of a study of ours.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::file;
use crate::study::folder;

/// What a study's folder holds besides its journal.
const OURS: [&str; 7] = ["checkpoints", "logs", "lock", "random", "report.md", "trials.csv", "table.csv"];
/// What a disk has on its own.
const OF_SYSTEMS: [&str; 2] = ["lost+found", "System Volume Information"];

/// Looks at the folder `dir` before anything is read or written. `others` are folders in it that may be there: those of
/// phases. `data` is where images come from; `is_given` says that the user has named the folder.
///
/// # Errors
/// A sentence where it is the root, the home folder, the data folder, or has other contents, with what to name instead.
pub fn check(dir: &Path, others: &[&str], data: Option<&Path>, is_given: bool) -> Result<()> {
    let shown = dir.display();
    let wrong = |what: String| {
        let option = if is_given { "--out " } else { "" };
        Error::request(format!(
            "{option}{shown}: {what}; name a new folder with --out, such as reports/my-study"
        ))
    };
    let place = real(dir);
    if place.parent().is_none() {
        return Err(wrong("this is the root of the file system".into()));
    }
    if std::env::home_dir().is_some_and(|home| !home.as_os_str().is_empty() && real(&home) == place) {
        return Err(wrong("this is your home folder".into()));
    }
    let journal = folder::journal(dir);
    if let Err(e) = file::own(&journal) {
        return Err(Error::request(format!(
            "{}: {e}, and a journal is a file of its own; name the folder where it is, or another with --out",
            journal.display()
        )));
    }
    if journal.exists() {
        return Ok(());
    }
    if let Some(data) = data.filter(|data| data.is_dir()).map(real)
        && (place == data || is_given && place.starts_with(&data))
    {
        return Err(wrong(format!("this is in the folder of the images, {}", data.display())));
    }
    if dir.exists() && !dir.is_dir() {
        return Err(wrong("this is not a folder".into()));
    }
    let Ok(entries) = fs::read_dir(dir) else { return Ok(()) };
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    let is_ours = |name: &str| {
        let is_picture = name.ends_with(".svg") || name.ends_with(".png");
        let is_left = name.ends_with(".tmp") || name.starts_with("journal.");
        OURS.contains(&name)
            || others.contains(&name)
            || (is_picture && names.iter().any(|n| n == "report.md"))
            || is_left
    };
    let other = names
        .iter()
        .find(|name| !name.starts_with('.') && !OF_SYSTEMS.contains(&name.as_str()) && !is_ours(name));
    match other {
        Some(name) => Err(wrong(format!("this folder has other contents (`{name}`) and no study"))),
        None => Ok(()),
    }
}

/// The path without links, as far as it is there.
fn real(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for there in whole.ancestors() {
        if let (Ok(real), Ok(rest)) = (fs::canonicalize(there), whole.strip_prefix(there)) {
            return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        }
    }
    whole
}
