//! Image folders: `train/<class>/*` and `test/<class>/*` (or `val`), or `<class>/*` alone, as a folder or inside an archive,
//! at the top or under one more folder.
//!
//! PNG, JPEG, WebP and BMP files are told apart by their contents, and read as viewers show them. Classes are sorted by name
//! and the images of a class by path, so neither the file system's order nor the archive's matters. Files that are not read
//! are counted by kind.

mod folder;
mod jpeg;
mod kind;
mod layout;
mod picture;
mod reader;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use image::RgbImage;
use image::imageops::{self, FilterType};
use sha2::{Digest, Sha256};

use super::archive::{self, Archive};
use super::dataset::{Dataset, Pool};
use super::split;
use crate::config::Background;
use crate::error::{Error, Result};
use crate::file;
use crate::text;
use kind::Kind;
use layout::Place;
use picture::Header;
use reader::{Encoded, Reader};

/// What to tell somebody who does not have the files.
pub const HOW_TO_GET: &str = "give a folder, tar or zip that holds train/<class>/* and test/<class>/* (or val/<class>/*) with --data DIR or data.path";

/// How an image folder is to be read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Every image is brought to this side: the shorter side scaled to it, then the centre cut out. Without it all images must
    /// have one size, which is kept.
    pub side: Option<usize>,
    /// What transparent images are shown on; white where nothing is said.
    pub background: Option<Background>,
    /// How many images are held out as the test split, where the folders have none: a fraction of each class, or a number.
    pub test: Option<f64>,
    /// Bytes that reading may take.
    pub memory: Option<u64>,
}

/// Reads an image folder.
///
/// # Errors
/// No such layout, an image that cannot be decoded, a class in one split only, sizes that differ where no side is given, or
/// images that do not fit the memory.
pub fn open(path: &Path, options: &Options) -> Result<Dataset> {
    let whole = options.test.is_some();
    let mut reader = Reader::new(path, options);
    let plan = if path.is_dir() {
        let (members, paths) = folder::list(path, whole)?;
        let plan = layout::plan(path, &members, whole)?;
        for (place, at) in &plan.pictures {
            let archive::What::File(length) = members[*at].what else { continue };
            reader.add(vec![place.clone()], Encoded::File(paths[*at].clone(), length))?;
        }
        plan
    } else {
        let archive = Archive::open(path, options.memory)?;
        let mut plan = layout::plan(path, archive.members(), whole)?;
        if archive.doubled > 0 {
            plan.reading.notes.push(format!(
                "the archive has {} more than once; the last one counts, as in unpacking",
                text::counted(archive.doubled, "file")
            ));
        }
        let mut places: BTreeMap<usize, Vec<Place>> = BTreeMap::new();
        for (place, at) in &plan.pictures {
            places.entry(*at).or_default().push(place.clone());
        }
        let memory = options.memory;
        archive.read(&places.keys().copied().collect(), memory, |at, bytes, size| {
            let mut first = Vec::new();
            // An error here comes again with the rest.
            let _ = bytes.take(kind::FIRST_BYTES as u64).read_to_end(&mut first);
            let first = match Kind::of(&first) {
                Kind::Read(_) => archive.rest(at, first, bytes, size, memory)?,
                _ => first,
            };
            reader.add(places.remove(&at).unwrap_or_default(), Encoded::Bytes(first))
        })?;
        plan
    };
    reader.into_dataset(plan, options)
}

/// Reads one image, outside any data set, and brings it to `side` (height, width) as the images of a data set are, in at
/// most `memory` bytes: its pixels `(H, W, 3)`, red first.
///
/// # Errors
/// A clause where the file cannot be read, is no image or does not fit.
pub fn read_one(
    path: &Path,
    side: (usize, usize),
    background: Background,
    memory: Option<u64>,
) -> std::result::Result<Vec<u8>, String> {
    let (Ok(height), Ok(width)) = (u32::try_from(side.0), u32::try_from(side.1)) else {
        return Err("no image is as large as asked for".into());
    };
    let opened = file::open(path).map_err(|error| error.to_string())?;
    let length = opened.metadata().map_err(|error| error.to_string())?.len();
    let bytes = encoded(opened, length, memory)?;
    let header = Header::read(&bytes)?;
    let need = header.need + fit_bytes(header.size, height.max(width));
    if need > memory.unwrap_or(reader::ALONE) {
        return Err(reader::beyond(header.size, need, memory.unwrap_or(reader::ALONE)));
    }
    let image = header.decode(background)?.pixels;
    let fitted = match height == width {
        _ if image.dimensions() == (width, height) => image,
        true => fit(image, width),
        // Sides that differ: the longer side of what is asked for is filled, and the centre cut out.
        false => centre(fit(image, height.max(width)), width, height),
    };
    Ok(fitted.into_raw())
}

/// The bytes of a file that was `length` long when it was listed.
fn encoded(file: File, length: u64, memory: Option<u64>) -> std::result::Result<Vec<u8>, String> {
    if length > archive::largest_file(memory) {
        return Err(archive::too_large(length, memory));
    }
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// Bytes that bringing an image of a size to `side` takes at most: one of the two passes keeps its numbers as f32.
fn fit_bytes((width, height): (u32, u32), side: u32) -> u64 {
    let longest = u64::from(width.max(height)).min(4 * u64::from(width.min(height)));
    (longest + 4 * u64::from(side)) * u64::from(side) * 12
}

/// Brings an image to `side` by `side`: its shorter side is scaled to `side` (Lanczos, three lobes), then the centre is cut
/// out. An image of that size is returned untouched.
pub(super) fn fit(image: RgbImage, side: u32) -> RgbImage {
    let (width, height) = image.dimensions();
    let shorter = width.min(height).max(1);
    let scaled = |length: u32| {
        let exact = f64::from(length) * f64::from(side) / f64::from(shorter);
        (exact.round() as u32).max(side)
    };
    let resized = if shorter == side {
        image
    } else {
        // Of a panorama only the middle can end up in the centre cut: cutting first keeps a 1x65000 image from growing
        // without bound when it is scaled up.
        let keep = |length: u32| length.min(shorter.saturating_mul(4));
        let image = centre(image, keep(width), keep(height));
        let (width, height) = image.dimensions();
        imageops::resize(&image, scaled(width), scaled(height), FilterType::Lanczos3)
    };
    centre(resized, side, side)
}

fn centre(image: RgbImage, width: u32, height: u32) -> RgbImage {
    if image.dimensions() == (width, height) {
        return image;
    }
    let (left, top) = ((image.width() - width) / 2, (image.height() - height) / 2);
    imageops::crop_imm(&image, left, top, width, height).to_image()
}

/// Holds test images out of the training images, `test` of them (a fraction, or a number), from each class in proportion.
/// Which ones depends on the images alone: in each class those whose SHA-256 is smallest, of equal images the first.
fn hold_out(path: &Path, train: &mut Pool, classes: &[String], test: f64) -> Result<Pool> {
    let mut groups: Vec<Vec<([u8; 32], usize)>> = vec![Vec::new(); classes.len()];
    for row in 0..train.len() {
        let hash =
            Sha256::new().chain_update(b"blocksmith test split\0").chain_update(train.image(row)).finalize();
        groups[usize::from(train.labels()[row])].push((hash.into(), row));
    }
    let sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
    let count = split::count("data.test", test, train.len())?;
    let shares = split::shares(&sizes, count);
    let mut held = BTreeSet::new();
    for ((group, share), class) in groups.iter_mut().zip(shares).zip(classes) {
        if share == 0 || share == group.len() {
            return Err(Error::request(format!(
                "{}: class `{class}` has {}, of which data.test: {test} leaves none for {}: give another number, or more images",
                path.display(),
                text::counted(group.len(), "image"),
                if share == 0 { "the test split" } else { "training" }
            )));
        }
        group.sort_unstable();
        held.extend(group[..share].iter().map(|(_, row)| *row));
    }
    let test = train.some(&held.iter().copied().collect::<Vec<_>>());
    train.reorder((0..train.len()).filter(|row| !held.contains(row)).collect());
    Ok(test)
}

#[cfg(test)]
#[path = "images_tests.rs"]
mod tests;
