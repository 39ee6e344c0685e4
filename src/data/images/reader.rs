//! From files to pixels, as many at a time as fit the memory.

use std::path::{Path, PathBuf};

use image::RgbImage;
use rayon::prelude::*;

use super::kind::{FIRST_BYTES, Kind, claims_to_be_read};
use super::layout::{Place, Plan};
use super::picture::Header;
use super::{Options, encoded, fit, fit_bytes, hold_out};
use crate::config::Background;
use crate::data::dataset::{Dataset, LARGEST_SIDE, Pool, last_name};
use crate::data::record::Reading;
use crate::error::{Error, Result};
use crate::{file, text};

/// Encoded bytes that wait to be decoded together, where no budget is known.
const WAITING: u64 = 64 << 20;
/// Files that wait, however small.
const MOST_WAITING: usize = 1024;
/// Bytes that images decoded at the same time may take, where no budget is known.
const TOGETHER: u64 = 1 << 30;
/// Bytes that one image may take, where no budget is known.
pub(super) const ALONE: u64 = 4 << 30;

/// A file before it is decoded.
pub(super) enum Encoded {
    /// A file on disk, and its length.
    File(PathBuf, u64),
    Bytes(Vec<u8>),
}

/// Decodes files and keeps their pixels until all classes are known.
pub(super) struct Reader<'a> {
    path: &'a Path,
    side: Option<u32>,
    background: Background,
    memory: Option<u64>,
    waiting: Vec<(Vec<Place>, Encoded)>,
    waiting_bytes: u64,
    /// Size that all images must have where no side is given: that of the first one.
    size: Option<(u32, u32)>,
    /// Training and test images, in the order in which they came.
    pools: [Pool; 2],
    places: [Vec<Place>; 2],
    transparent: usize,
    turned: usize,
    reading: Reading,
}

/// A value, or a clause for what is wrong.
type Clause<T> = std::result::Result<T, String>;

/// A decoded image, brought to its side.
struct Decoded {
    image: RgbImage,
    is_transparent: bool,
    is_turned: bool,
}

impl<'a> Reader<'a> {
    pub fn new(path: &'a Path, options: &Options) -> Self {
        Reader {
            path,
            side: options.side.and_then(|side| u32::try_from(side).ok()),
            background: options.background.unwrap_or(Background::WHITE),
            memory: options.memory,
            waiting: Vec::new(),
            waiting_bytes: 0,
            size: None,
            pools: Default::default(),
            places: Default::default(),
            transparent: 0,
            turned: 0,
            reading: Reading::default(),
        }
    }

    /// One more file, which is the image at each of `places`.
    pub fn add(&mut self, places: Vec<Place>, encoded: Encoded) -> Result<()> {
        let length = match &encoded {
            Encoded::File(_, length) => *length,
            Encoded::Bytes(bytes) => bytes.len() as u64,
        };
        let most = self.memory.map_or(WAITING, |memory| (memory / 8).min(WAITING));
        let is_full = self.waiting_bytes.saturating_add(length) > most || self.waiting.len() >= MOST_WAITING;
        if is_full && !self.waiting.is_empty() {
            self.read_waiting()?;
        }
        self.waiting_bytes += length;
        self.waiting.push((places, encoded));
        Ok(())
    }

    /// Reads and decodes all that wait.
    fn read_waiting(&mut self) -> Result<()> {
        self.waiting_bytes = 0;
        let memory = self.memory;
        let waiting = std::mem::take(&mut self.waiting);
        let read: Vec<(Vec<Place>, Clause<Vec<u8>>)> = waiting
            .into_par_iter()
            .map(|(places, encoded)| {
                let bytes = match encoded {
                    Encoded::Bytes(bytes) => Ok(bytes),
                    Encoded::File(path, length) => bytes_of(&path, length, memory),
                };
                (places, bytes)
            })
            .collect();
        // Judged in order, so the first bad image is the one reported, whatever the threads do.
        let most = self.memory.map_or(TOGETHER, |memory| (memory / 4).min(TOGETHER));
        let (mut group, mut together): (Vec<(&[Place], Header<'_>)>, u64) = (Vec::new(), 0);
        for (places, bytes) in &read {
            let Some(name) = places.first().map(|place| place.name.as_str()) else { continue };
            let bytes = match bytes {
                Ok(bytes) => bytes,
                Err(reason) => {
                    self.decode(&mut group)?;
                    return Err(self.cannot(name, reason));
                }
            };
            match Kind::of(&bytes[..bytes.len().min(FIRST_BYTES)]) {
                Kind::Read(_) => {}
                Kind::NoImage if claims_to_be_read(name) => {
                    self.decode(&mut group)?;
                    return Err(self.cannot(name, "it is named as an image and holds none"));
                }
                kind => {
                    places.iter().for_each(|_| self.reading.pass_over(not_read(kind)));
                    continue;
                }
            }
            let header = Header::read(bytes).and_then(|header| Ok((self.need(&header)?, header)));
            let (need, header) = match header {
                Ok(header) => header,
                Err(reason) => {
                    self.decode(&mut group)?;
                    return Err(self.cannot(name, &reason));
                }
            };
            if together.saturating_add(need) > most {
                self.decode(&mut group)?;
                together = 0;
            }
            together += need;
            group.push((places, header));
        }
        self.decode(&mut group)
    }

    /// Bytes that an image takes until it is kept.
    fn need(&self, header: &Header<'_>) -> Clause<u64> {
        let (width, height) = header.size;
        let need = header.need + self.side.map_or(0, |side| fit_bytes(header.size, side));
        let kept: u64 = self.pools.iter().map(|pool| pool.pixels().len() as u64).sum();
        let left = self.memory.map_or(ALONE, |memory| memory.saturating_sub(kept));
        if need > left {
            return Err(beyond(header.size, need, left));
        }
        let largest = (LARGEST_SIDE * LARGEST_SIDE) as u64;
        if self.side.is_none() && u64::from(width) * u64::from(height) > largest {
            return Err(format!(
                "it has {width}x{height} pixels, more than {LARGEST_SIDE}x{LARGEST_SIDE}: set data.side to bring all images to one size"
            ));
        }
        Ok(need)
    }

    /// Decodes a group at once, and keeps its images in order.
    fn decode(&mut self, group: &mut Vec<(&[Place], Header<'_>)>) -> Result<()> {
        let (side, background) = (self.side, self.background);
        let decoded: Vec<(&[Place], Clause<Decoded>)> = std::mem::take(group)
            .into_par_iter()
            .map(|(places, header)| {
                let decoded = header.decode(background).map(|picture| Decoded {
                    image: match side {
                        Some(side) => fit(picture.pixels, side),
                        None => picture.pixels,
                    },
                    is_transparent: picture.is_transparent,
                    is_turned: picture.is_turned,
                });
                (places, decoded)
            })
            .collect();
        for (places, decoded) in decoded {
            for place in places {
                let decoded = decoded.as_ref().map_err(|reason| self.cannot(&place.name, reason))?;
                self.keep(place, decoded)?;
            }
        }
        Ok(())
    }

    fn keep(&mut self, place: &Place, decoded: &Decoded) -> Result<()> {
        let (width, height) = decoded.image.dimensions();
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
        let kept: u64 = self.pools.iter().map(|pool| pool.pixels().len() as u64).sum();
        let bytes = decoded.image.as_raw().len();
        if let Some(memory) = self.memory.filter(|&memory| kept + bytes as u64 > memory) {
            let smaller = if self.side.is_some() { "lower" } else { "set" };
            return Err(Error::request(format!(
                "{}: its images of {width}x{height} pixels do not fit the memory budget of {}: {smaller} data.side, or give a \
                 larger --memory",
                self.path.display(),
                text::bytes(memory)
            )));
        }
        self.transparent += usize::from(decoded.is_transparent);
        self.turned += usize::from(decoded.is_turned);
        let split = usize::from(place.is_test);
        let pool = &mut self.pools[split];
        if pool.is_empty() {
            *pool = Pool::with_capacity((height as usize, width as usize), 0);
        }
        pool.push_with(0, |pixels| pixels.copy_from_slice(decoded.image.as_raw()));
        self.places[split].push(place.clone());
        Ok(())
    }

    fn cannot(&self, name: &str, reason: &str) -> Error {
        let remedy = if reason.contains(": ") { "" } else { ": replace it or take it away" };
        Error::request(format!("{}: {name} cannot be decoded ({reason}){remedy}", self.path.display()))
    }

    /// Puts all in order.
    pub fn into_dataset(mut self, mut plan: Plan, options: &Options) -> Result<Dataset> {
        self.read_waiting()?;
        let passed = std::mem::take(&mut self.reading.passed_over);
        for (kind, count) in passed {
            *plan.reading.passed_over.entry(kind).or_default() += count;
        }
        let all: Vec<Place> = self.places.iter().flatten().cloned().collect();
        let classes = plan.class_names(self.path, &all)?;
        // `class_names` has made sure that there are images.
        let (width, height) = self.size.unwrap_or((1, 1));
        let [mut train, mut test] = self.pools;
        for (pool, places) in [&mut train, &mut test].into_iter().zip(&self.places) {
            let mut order: Vec<usize> = (0..places.len()).collect();
            order.sort_by(|&a, &b| places[a].cmp(&places[b]));
            // `classes` is sorted, holds every class, and has at most 65,536 names.
            let label = |place: &Place| classes.binary_search(&place.class).unwrap_or_default() as u16;
            pool.set_labels(places.iter().map(label).collect());
            pool.reorder(order);
        }
        let mut notes = Vec::new();
        if let Some(share) = options.test {
            test = hold_out(self.path, &mut train, &classes, share)?;
            notes.push(format!(
                "{} held out as the test split, from each class in proportion, chosen by the images themselves (SHA-256), \
                 so whatever the study's seed they are the same",
                text::counted(test.len(), "image")
            ));
        }
        if self.transparent > 0 {
            let with = format!("{} with transparency", text::counted(self.transparent, "image"));
            notes.push(format!("{with}, composited on {}", self.background));
        }
        if self.turned > 0 {
            notes.push(format!("{} turned as EXIF orientation says", text::counted(self.turned, "image")));
        }
        plan.reading.notes.extend(notes);
        Ok(Dataset {
            train,
            test,
            classes,
            side: (height as usize, width as usize),
            description: format!("image folder {}, {height}x{width}", last_name(self.path)),
            reading: plan.reading,
        })
    }
}

/// The bytes of a file; of one that begins as no image that is read the beginning alone.
fn bytes_of(path: &Path, length: u64, memory: Option<u64>) -> Clause<Vec<u8>> {
    let open = || file::open(path).map_err(|error| error.to_string());
    let first = encoded(open()?, length.min(FIRST_BYTES as u64), None)?;
    match Kind::of(&first) {
        Kind::Read(_) => encoded(open()?, length, memory),
        _ => Ok(first),
    }
}

fn not_read(kind: Kind) -> String {
    match kind {
        Kind::Other(name) => format!("{name} image"),
        Kind::Empty => "empty file".into(),
        Kind::Read(_) | Kind::NoImage => "file that is no image".into(),
    }
}

/// That an image needs more memory than there is.
pub(super) fn beyond((width, height): (u32, u32), need: u64, left: u64) -> String {
    format!(
        "its {width}x{height} pixels need {} to be decoded, and {} of memory are left: make it smaller, or give a larger --memory",
        text::bytes(need),
        text::bytes(left)
    )
}
