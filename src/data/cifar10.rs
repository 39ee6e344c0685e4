//! CIFAR-10 in its official binary version (<https://www.cs.toronto.edu/~kriz/cifar.html>): six files of records, each one
//! label byte and 3,072 pixel bytes (1,024 red, then green, then blue, row by row), and a list of class names.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::archive;
use super::dataset::{CHANNELS, Dataset, Pool, last_name};
use crate::error::{Error, Result};

/// What to tell somebody who does not have the files.
pub const HOW_TO_GET: &str = "download cifar-10-binary.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html and give the file, or the folder it unpacks to, with --data or data.path";

const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;
const RECORD: usize = 1 + PLANE * CHANNELS;
const CLASSES: usize = 10;
/// Length of each official file: 10,000 records.
const OFFICIAL_LENGTH: usize = 10_000 * RECORD;

const FOLDER: &str = "cifar-10-batches-bin";
const ARCHIVES: [&str; 2] = ["cifar-10-binary.tar.gz", "cifar-10-binary.tar"];
const NAMES: &str = "batches.meta.txt";
const TEST: &str = "test_batch.bin";
const TRAIN: [&str; 5] =
    ["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"];

/// The seven files by name, as bytes.
type Files = BTreeMap<&'static str, Vec<u8>>;

/// Reads CIFAR-10 from the folder of its batches, a folder that holds that folder or the official archive, or the archive.
///
/// The official files hold 10,000 records each. A cut-down set (for tests) may hold any whole number of records in each
/// file; but where one file has the official length all must, so that a truncated download cannot pass for a cut-down set.
///
/// # Errors
/// A file that is missing, truncated, or not CIFAR-10.
pub fn open(path: &Path) -> Result<Dataset> {
    if path.is_file() {
        return from_archive(path);
    }
    let nested = path.join(FOLDER);
    if official_names().any(|name| path.join(name).exists()) {
        from_folder(path)
    } else if nested.is_dir() {
        from_folder(&nested)
    } else if let Some(file) = ARCHIVES.map(|name| path.join(name)).iter().find(|p| p.is_file()) {
        from_archive(file)
    } else {
        Err(Error::request(format!(
            "{}: {}: {HOW_TO_GET}",
            path.display(),
            what_else(|name| path.join(name).exists() || nested.join(name).exists())
        )))
    }
}

fn official_names() -> impl Iterator<Item = &'static str> {
    TRAIN.into_iter().chain([TEST, NAMES])
}

fn from_folder(folder: &Path) -> Result<Dataset> {
    let mut files = Files::new();
    for name in official_names() {
        let path = folder.join(name);
        let bytes = File::open(&path).and_then(|mut file| read_bounded(&mut file));
        match bytes {
            Ok(bytes) => files.insert(name, bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(missing(folder, name));
            }
            Err(error) => {
                return Err(Error::request(format!("{}: cannot be read: {error}", path.display())));
            }
        };
    }
    parse(files, folder)
}

fn from_archive(path: &Path) -> Result<Dataset> {
    let mut files = Files::new();
    let mut others = Vec::new();
    archive::walk(path, |entry, reader, size| {
        let name = entry.rsplit('/').next().unwrap_or(entry);
        let Some(known) = official_names().find(|known| *known == name) else {
            others.push(name.to_string());
            return Ok(());
        };
        let bytes = read_bounded(reader).map_err(|error| archive::not_whole(path, &error))?;
        if (bytes.len() as u64) < size.min(OFFICIAL_LENGTH as u64) {
            let cut = io::ErrorKind::UnexpectedEof.into();
            return Err(archive::not_whole(path, &cut));
        }
        if files.insert(known, bytes).is_some() {
            return Err(Error::request(format!("{}: holds {known} twice: {HOW_TO_GET}", path.display())));
        }
        Ok(())
    })?;
    if files.is_empty() {
        return Err(Error::request(format!(
            "{}: {}: {HOW_TO_GET}",
            path.display(),
            what_else(|name| others.iter().any(|other| other == name))
        )));
    }
    if let Some(name) = official_names().find(|name| !files.contains_key(name)) {
        return Err(missing(path, name));
    }
    parse(files, path)
}

/// What a place without the batches seems to hold instead, by which names `has` finds there.
fn what_else(has: impl Fn(&str) -> bool) -> &'static str {
    if has("data_batch_1") || has("cifar-10-batches-py") || has("cifar-10-python.tar.gz") {
        "holds the Python version of CIFAR-10, and blocksmith reads the binary version"
    } else if has("fine_label_names.txt") || has("cifar-100-binary") {
        "holds CIFAR-100, not CIFAR-10"
    } else {
        "holds no CIFAR-10 binary batches (data_batch_1.bin to data_batch_5.bin, test_batch.bin, batches.meta.txt)"
    }
}

fn missing(place: &Path, name: &str) -> Error {
    Error::request(format!(
        "{}: {name} is missing, so this is not all of CIFAR-10: {HOW_TO_GET}",
        place.display()
    ))
}

/// Reads at most one byte more than a batch may have: enough to see that it is too long, whatever it is.
fn read_bounded(reader: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(OFFICIAL_LENGTH as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn parse(mut files: Files, place: &Path) -> Result<Dataset> {
    let wrong = |name: &str, what: String| {
        Error::request(format!("{}: {what}: {HOW_TO_GET}", place.join(name).display()))
    };
    let official =
        TRAIN.iter().chain([&TEST]).any(|name| files.get(name).is_some_and(|f| f.len() == OFFICIAL_LENGTH));
    let mut pool = |names: &[&'static str]| -> Result<Pool> {
        let mut pool = Pool::with_capacity((SIDE, SIDE), 0);
        for name in names {
            let bytes = files.remove(name).unwrap_or_default();
            let length = bytes.len();
            if length > OFFICIAL_LENGTH {
                return Err(wrong(
                    name,
                    format!("longer than the {OFFICIAL_LENGTH} bytes of a CIFAR-10 batch, so it is not one"),
                ));
            }
            if official && length != OFFICIAL_LENGTH {
                return Err(wrong(
                    name,
                    format!("truncated: {length} bytes where a CIFAR-10 batch has {OFFICIAL_LENGTH}"),
                ));
            }
            let (records, rest) = bytes.as_chunks::<RECORD>();
            if records.is_empty() || !rest.is_empty() {
                return Err(wrong(
                    name,
                    format!(
                        "{length} bytes are not a whole number of {RECORD}-byte records, so it is truncated or not a CIFAR-10 batch"
                    ),
                ));
            }
            for (index, record) in records.iter().enumerate() {
                let label = record[0];
                if usize::from(label) >= CLASSES {
                    return Err(wrong(
                        name,
                        format!(
                            "record {index} has label {label}, and CIFAR-10 has labels 0 to 9, so this is another data set or damaged"
                        ),
                    ));
                }
                pool.push_with(u16::from(label), |image| interleave(&record[1..], image));
            }
        }
        Ok(pool)
    };
    let (train, test) = (pool(&TRAIN)?, pool(&[TEST])?);
    let names = files.remove(NAMES).unwrap_or_default();
    let classes = class_names(&names)
        .ok_or_else(|| wrong(NAMES, format!("does not list the {CLASSES} class names, one a line")))?;
    Ok(Dataset {
        description: format!(
            "CIFAR-10 binary batches{} from {}",
            if official { "" } else { ", cut down," },
            last_name(place)
        ),
        train,
        test,
        classes,
        side: (SIDE, SIDE),
    })
}

/// Three planes of one channel each, to three bytes a pixel.
fn interleave(planes: &[u8], image: &mut [u8]) {
    for (channel, plane) in planes.chunks_exact(PLANE).enumerate() {
        for (pixel, &value) in image.as_chunks_mut::<CHANNELS>().0.iter_mut().zip(plane) {
            pixel[channel] = value;
        }
    }
}

fn class_names(bytes: &[u8]) -> Option<Vec<String>> {
    let names: Vec<String> = crate::file::str(bytes)
        .ok()?
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(str::to_string)
        .collect();
    (names.len() == CLASSES).then_some(names)
}

#[cfg(test)]
#[path = "cifar10_tests.rs"]
mod tests;
