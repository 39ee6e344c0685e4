//! Image folders: `train/<class>/*` and `test/<class>/*` (or `val`), as a folder or inside a tar or tar.gz, at the top or
//! under one more folder.
//!
//! PNG, JPEG, WebP and BMP files are told apart by their contents. Classes are sorted by name and the images of a class by
//! path, so neither the file system's order nor the archive's matters.

mod layout;

use std::fs;
use std::io::{BufRead, Cursor, Seek};
use std::path::{Path, PathBuf};

use image::imageops::{self, FilterType};
use image::{ImageReader, RgbImage};
use rayon::prelude::*;

use super::archive;
use super::dataset::{Dataset, Pool, last_name};
use crate::error::{Error, Result};
use layout::{Layout, Place};

/// What to tell somebody who does not have the files.
pub const HOW_TO_GET: &str = "give a folder or tar.gz that holds train/<class>/* and test/<class>/* (or val/<class>/*) with --data DIR or data.path";

/// Images decoded at a time, in parallel: bounds how many encoded files wait in memory.
const CHUNK: usize = 1024;

/// Reads an image folder. Every image is brought to `side` (shorter side scaled to it, then the centre cut out; images
/// that have it already are left as they are). Without `side` all images must have one size, which is kept.
///
/// # Errors
/// No such layout, an image that cannot be decoded, a class in one split only, or sizes that differ with no `side` given.
pub fn open(path: &Path, side: Option<usize>) -> Result<Dataset> {
    let mut reader = Reader::new(path, side);
    let layout = if path.is_dir() {
        let (layout, files) = layout::of_folder(path)?;
        for chunk in files.chunks(CHUNK) {
            reader.decode(
                chunk.iter().map(|(place, file)| (place.clone(), Encoded::File(file.clone()))).collect(),
            )?;
        }
        layout
    } else {
        from_archive(path, &mut reader)?
    };
    reader.into_dataset(layout)
}

fn from_archive(path: &Path, reader: &mut Reader) -> Result<Layout> {
    let mut layout = Layout::new(path);
    let mut waiting = Vec::new();
    archive::walk(path, |entry, bytes, size| {
        if let Some(place) = layout.place(entry)? {
            let bytes = archive::read_entry(path, bytes, size)?;
            waiting.push((place, Encoded::Bytes(bytes)));
            if waiting.len() == CHUNK {
                reader.decode(std::mem::take(&mut waiting))?;
            }
        }
        Ok(())
    })?;
    reader.decode(waiting)?;
    Ok(layout)
}

/// A file before it is decoded.
enum Encoded {
    File(PathBuf),
    Bytes(Vec<u8>),
}

/// Decodes chunks of files and keeps their pixels until all classes are known.
struct Reader<'a> {
    path: &'a Path,
    side: Option<u32>,
    /// Size that all images must have where no side is given: that of the first one.
    size: Option<(u32, u32)>,
    images: Vec<(Place, RgbImage)>,
}

impl<'a> Reader<'a> {
    fn new(path: &'a Path, side: Option<usize>) -> Self {
        Reader { path, side: side.and_then(|side| u32::try_from(side).ok()), size: None, images: Vec::new() }
    }

    fn decode(&mut self, chunk: Vec<(Place, Encoded)>) -> Result<()> {
        let side = self.side;
        // Collected in order before any is judged, so the first bad image is the one reported, whatever the threads do.
        let decoded: Vec<_> = chunk
            .into_par_iter()
            .map(|(place, encoded)| {
                let image = decode(encoded);
                (
                    place,
                    image.map(|image| match side {
                        Some(side) => fit(image, side),
                        None => image,
                    }),
                )
            })
            .collect();
        for (place, image) in decoded {
            let image = image.map_err(|reason| {
                Error::request(format!(
                    "{}: {} cannot be decoded ({reason}): replace it or take it away",
                    self.path.display(),
                    place.name
                ))
            })?;
            let (width, height) = image.dimensions();
            let first = *self.size.get_or_insert((width, height));
            if first != (width, height) {
                return Err(Error::request(format!(
                    "{}: images differ in size ({} is {width}x{height}, others are {}x{}): set data.side to bring them to one",
                    self.path.display(),
                    place.name,
                    first.0,
                    first.1
                )));
            }
            self.images.push((place, image));
        }
        Ok(())
    }

    fn into_dataset(mut self, layout: Layout) -> Result<Dataset> {
        let (test_folder, other) = layout.test_folder();
        self.images.retain(|(place, _)| place.split == layout::TRAIN || place.split == test_folder);
        let classes = layout::classes(self.path, test_folder, self.images.iter().map(|(place, _)| place))?;
        self.images.sort_by(|(a, _), (b, _)| a.cmp(b));
        // At least one image of each class is there, so a size is too.
        let (width, height) = self.size.unwrap_or((1, 1));
        let side = (height as usize, width as usize);
        let count = |split: &str| self.images.iter().filter(|(place, _)| place.split == split).count();
        let mut train = Pool::with_capacity(side, count(layout::TRAIN));
        let mut test = Pool::with_capacity(side, count(test_folder));
        for (place, image) in self.images {
            // `classes` is sorted, holds every class, and has at most 65,536 names.
            let label = classes.binary_search(&place.class).unwrap_or_default() as u16;
            let pool = if place.split == layout::TRAIN { &mut train } else { &mut test };
            pool.push_with(label, |pixels| pixels.copy_from_slice(image.as_raw()));
        }
        let mut description = format!("image folder {}, {height}x{width}", last_name(self.path));
        if let Some(other) = other {
            description.push_str(&format!(
                " (test images from {test_folder}/; its {other}/ is not read, validation is held out of train/)"
            ));
        }
        Ok(Dataset { train, test, classes, side, description })
    }
}

fn decode(encoded: Encoded) -> std::result::Result<RgbImage, String> {
    let bytes = match encoded {
        Encoded::Bytes(bytes) => bytes,
        Encoded::File(path) => fs::read(path).map_err(|error| error.to_string())?,
    };
    picture(ImageReader::new(Cursor::new(bytes)))
}

/// Reads one image, outside any data set, and brings it to `side` (height, width) as the images of a data set are: its
/// pixels `(H, W, 3)`, red first.
///
/// # Errors
/// A clause where the file cannot be read or is no image.
pub fn read_one(path: &Path, side: (usize, usize)) -> std::result::Result<Vec<u8>, String> {
    let (Ok(height), Ok(width)) = (u32::try_from(side.0), u32::try_from(side.1)) else {
        return Err("no image is as large as asked for".into());
    };
    let image = picture(ImageReader::open(path).map_err(|error| error.to_string())?)?;
    let fitted = match height == width {
        _ if image.dimensions() == (width, height) => image,
        true => fit(image, width),
        // Sides that differ: the longer side of what is asked for is filled, and the centre cut out.
        false => centre(fit(image, height.max(width)), width, height),
    };
    Ok(fitted.into_raw())
}

fn picture<R: BufRead + Seek>(reader: ImageReader<R>) -> std::result::Result<RgbImage, String> {
    let reader = reader.with_guessed_format().map_err(|error| error.to_string())?;
    let image = reader.decode().map_err(|error| error.to_string())?.into_rgb8();
    if image.width() == 0 || image.height() == 0 {
        return Err("it has no pixels".to_string());
    }
    Ok(image)
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

#[cfg(test)]
#[path = "images_tests.rs"]
mod tests;
