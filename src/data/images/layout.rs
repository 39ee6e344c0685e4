//! Which file of an image folder is which image: `[top/]train|test|val/<class>/.../<file>`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::HOW_TO_GET;
use crate::error::{Error, Result};

/// Folder of the training images.
pub(super) const TRAIN: &str = "train";
/// Folders of the test images, the preferred one first.
const TESTS: [&str; 2] = ["test", "val"];

/// Endings of the files that are read; others in a class folder (lists, boxes) are not images and are passed over.
const READ: [&str; 5] = ["png", "jpg", "jpeg", "webp", "bmp"];
/// Endings of images that are not read: an error, since passing over them would quietly shrink the data set.
const NOT_READ: [&str; 9] = ["gif", "tif", "tiff", "ppm", "pgm", "avif", "heic", "jxl", "jp2"];

/// Folders below a class folder are searched this deep; deeper is most likely a link that points back up.
const DEEPEST: usize = 8;

/// Where an image belongs. Ordered by split, class and name: the order of the data set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub split: &'static str,
    pub class: String,
    /// Path below the root, for the order and for messages.
    pub name: String,
}

/// What has been seen of a data set's folders.
pub(super) struct Layout {
    path: PathBuf,
    /// The folder above `train`, empty where there is none.
    top: Option<String>,
    splits: BTreeSet<&'static str>,
}

impl Layout {
    pub fn new(path: &Path) -> Self {
        Layout { path: path.to_path_buf(), top: None, splits: BTreeSet::new() }
    }

    /// The place of the file `name` (parts divided by `/`), or `None` where it is no image of the data set.
    pub fn place(&mut self, name: &str) -> Result<Option<Place>> {
        let parts: Vec<&str> = name.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        if parts.iter().any(|part| part.starts_with('.') || *part == "__MACOSX") {
            return Ok(None);
        }
        let split = parts.iter().take(2).enumerate().find_map(|(at, part)| Some((at, split_name(part)?)));
        let (Some((at, split)), Some(file)) = (split, parts.last()) else {
            return Ok(None);
        };
        if parts.len() < at + 3 {
            return Ok(None);
        }
        match is_read(file) {
            Some(true) => {}
            Some(false) => {
                return Err(Error::request(format!(
                    "{}: {name} is in a format that is not read: convert it to PNG, JPEG, WebP or BMP",
                    self.path.display()
                )));
            }
            None => return Ok(None),
        }
        let top = parts[..at].join("/");
        match &self.top {
            Some(known) if *known != top => {
                return Err(Error::request(format!(
                    "{}: holds more than one data set (`{known}/` and `{top}/`): give one of them",
                    self.path.display()
                )));
            }
            _ => self.top = Some(top),
        }
        self.splits.insert(split);
        Ok(Some(Place { split, class: parts[at + 1].to_string(), name: parts.join("/") }))
    }

    /// The folder that serves as test split, and the one that is passed over where both are there.
    pub fn test_folder(&self) -> (&'static str, Option<&'static str>) {
        let has = |split| self.splits.contains(split);
        match TESTS.map(has) {
            [true, other] => (TESTS[0], other.then_some(TESTS[1])),
            [false, _] => (TESTS[1], None),
        }
    }
}

fn split_name(part: &str) -> Option<&'static str> {
    [TRAIN].into_iter().chain(TESTS).find(|name| *name == part)
}

/// Whether a file of this name is an image that is read, one that is not, or (`None`) no image.
fn is_read(file: &str) -> Option<bool> {
    let ending = file.rsplit_once('.')?.1.to_ascii_lowercase();
    if READ.contains(&ending.as_str()) {
        Some(true)
    } else {
        NOT_READ.contains(&ending.as_str()).then_some(false)
    }
}

/// The images of a folder on disk, in order.
pub(super) fn of_folder(root: &Path) -> Result<(Layout, Vec<(Place, PathBuf)>)> {
    let mut tops = vec![root.to_path_buf()];
    if !root.join(TRAIN).is_dir() {
        tops = sorted_entries(root)?.into_iter().filter(|path| path.join(TRAIN).is_dir()).collect();
    }
    let mut layout = Layout::new(root);
    let mut files = Vec::new();
    for split in tops.iter().flat_map(|top| [TRAIN].into_iter().chain(TESTS).map(|name| top.join(name))) {
        if split.is_dir() {
            collect(root, &split, 0, &mut layout, &mut files)?;
        }
    }
    files.sort();
    Ok((layout, files))
}

fn collect(
    root: &Path,
    folder: &Path,
    depth: usize,
    layout: &mut Layout,
    files: &mut Vec<(Place, PathBuf)>,
) -> Result<()> {
    if depth > DEEPEST {
        return Err(Error::request(format!(
            "{}: folders go more than {DEEPEST} deep: is there a link that points back up?",
            folder.display()
        )));
    }
    for path in sorted_entries(folder)? {
        if path.is_dir() {
            collect(root, &path, depth + 1, layout, files)?;
        } else if let Ok(relative) = path.strip_prefix(root) {
            let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
            if let Some(place) = layout.place(&parts.join("/"))? {
                files.push((place, path));
            }
        }
    }
    Ok(())
}

/// Entries of a folder that are not hidden, by name.
fn sorted_entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let cannot =
        |error: std::io::Error| Error::request(format!("{}: cannot be read: {error}", folder.display()));
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            entries.push(entry.path());
        }
    }
    entries.sort();
    Ok(entries)
}

/// Class names, sorted; training and test images must have the same.
pub(super) fn classes<'a>(
    path: &Path,
    test_folder: &str,
    places: impl Iterator<Item = &'a Place>,
) -> Result<Vec<String>> {
    let (mut train, mut test) = (BTreeSet::new(), BTreeSet::new());
    for place in places {
        let set = if place.split == TRAIN { &mut train } else { &mut test };
        set.insert(place.class.as_str());
    }
    let path = path.display();
    for (set, folder) in [(&train, "train/<class>/"), (&test, "test/<class>/ or val/<class>/")] {
        if set.is_empty() {
            return Err(Error::request(format!(
                "{path}: holds no PNG, JPEG, WebP or BMP image in {folder}: {HOW_TO_GET}"
            )));
        }
    }
    for (here, there, set, other) in
        [(TRAIN, test_folder, &train, &test), (test_folder, TRAIN, &test, &train)]
    {
        if let Some(class) = set.difference(other).next() {
            return Err(Error::request(format!(
                "{path}: class `{class}` has images in {here}/ and none in {there}/: both must have the same classes"
            )));
        }
    }
    if train.len() < 2 || train.len() > usize::from(u16::MAX) + 1 {
        return Err(Error::request(format!(
            "{path}: {} class folders in train/, where there must be 2 to 65536",
            train.len()
        )));
    }
    Ok(train.into_iter().map(str::to_string).collect())
}
