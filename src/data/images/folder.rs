//! The files of a folder on disk, as far as a data set may lie in them.

use std::fs;
use std::path::{Path, PathBuf};

use super::layout::{Split, is_hidden, split_name};
use crate::data::archive::{Member, What};
use crate::error::{Error, Result};
use crate::file;

/// Folders below a class folder are searched this deep; deeper is most likely a link that points back up.
const DEEPEST: usize = 8;

/// The members of a folder, by name, and where each lies.
pub(super) type Listed = (Vec<Member>, Vec<PathBuf>);

/// Lists `root`: all of the folders of its splits, and of all folders where it has none and `whole` asks for that. Links are
/// followed; nothing is opened.
pub(super) fn list(root: &Path, whole: bool) -> Result<Listed> {
    let mut listed = (Vec::new(), Vec::new());
    let top = entries(root)?;
    let is_train = |path: &PathBuf| name(path).as_deref().and_then(split_name) == Some(Split::Train);
    if top.iter().any(|(path, what)| *what == What::Folder && is_train(path)) {
        splits(root, top, &mut listed)?;
        return Ok(listed);
    }
    let mut has_splits = false;
    let mut folders = Vec::new();
    for (path, what) in top {
        let below = if what == What::Folder { entries(&path)? } else { Vec::new() };
        let of_splits = below.iter().any(|(path, what)| *what == What::Folder && is_train(path));
        has_splits |= of_splits;
        folders.push((path, what, below, of_splits));
    }
    for (path, what, below, of_splits) in folders {
        add(root, path, what, &mut listed);
        if of_splits {
            splits(root, below, &mut listed)?;
        } else if !has_splits {
            for (path, what) in below {
                walk(root, path, what, 1, whole, &mut listed)?;
            }
        }
    }
    Ok(listed)
}

/// The entries of a folder that has splits: those of the splits with all that is in them.
fn splits(root: &Path, entries: Vec<(PathBuf, What)>, listed: &mut Listed) -> Result<()> {
    for (path, what) in entries {
        let is_split = name(&path).as_deref().and_then(split_name).is_some();
        walk(root, path, what, 0, is_split, listed)?;
    }
    Ok(())
}

fn walk(
    root: &Path,
    path: PathBuf,
    what: What,
    depth: usize,
    whole: bool,
    listed: &mut Listed,
) -> Result<()> {
    if depth > DEEPEST + 1 {
        return Err(Error::request(format!(
            "{}: folders go more than {DEEPEST} deep: is there a link that points back up?",
            path.display()
        )));
    }
    if what == What::Folder && whole {
        for (path, what) in entries(&path)? {
            walk(root, path, what, depth + 1, whole, listed)?;
        }
    }
    add(root, path, what, listed);
    Ok(())
}

fn add(root: &Path, path: PathBuf, what: What, (members, paths): &mut Listed) {
    let Ok(relative) = path.strip_prefix(root) else { return };
    let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
    members.push(Member { name: parts.join("/"), what });
    paths.push(path);
}

fn name(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_string_lossy().into_owned())
}

/// Entries of a folder that are not hidden, by name, and what they are.
fn entries(folder: &Path) -> Result<Vec<(PathBuf, What)>> {
    let cannot =
        |error: std::io::Error| Error::request(format!("{}: cannot be read: {error}", folder.display()));
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        if is_hidden(&entry.file_name().to_string_lossy()) {
            continue;
        }
        let path = entry.path();
        let what = match fs::metadata(&path) {
            Ok(meta) if meta.is_dir() => What::Folder,
            Ok(meta) => match file::kind(meta.file_type()) {
                None => What::File(meta.len()),
                Some(kind) => What::Special(kind.strip_prefix("a ").unwrap_or(kind)),
            },
            Err(_) => What::Special("link to nothing"),
        };
        entries.push((path, what));
    }
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(entries)
}
