//! Small data sets written by hand for the tests of this room.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use image::{ImageFormat, RgbImage};

use super::Dataset;
use super::dataset::Pool;
use crate::config::{Augment, DataConfig, DataFormat, Limit};

/// A file of an archive or folder: its path with `/`, and its bytes.
pub type Entry = (String, Vec<u8>);

pub fn entry(name: &str, bytes: &[u8]) -> Entry {
    (name.to_string(), bytes.to_vec())
}

pub fn write_folder(root: &Path, entries: &[Entry]) {
    for (name, bytes) in entries {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

pub fn tar_bytes(entries: &[Entry]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, bytes.as_slice()).unwrap();
    }
    archive.into_inner().unwrap()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The seven files of a cut-down CIFAR-10 with `records` records a batch. Byte `i` of record `r` of file `f` is
/// `i + 7 r + 31 f` modulo 251; labels take turns.
pub fn cifar(records: usize) -> Vec<Entry> {
    let names =
        ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"];
    let mut entries: Vec<Entry> = names
        .iter()
        .enumerate()
        .map(|(file, name)| {
            let bytes = (0..records)
                .flat_map(|record| {
                    let pixels = (0..3072).map(move |i| cifar_byte(file, record, i));
                    std::iter::once((record % 10) as u8).chain(pixels)
                })
                .collect();
            (format!("{name}.bin"), bytes)
        })
        .collect();
    let classes = "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n";
    entries.push(entry("batches.meta.txt", classes.as_bytes()));
    entries
}

pub fn cifar_byte(file: usize, record: usize, i: usize) -> u8 {
    ((i + 7 * record + 31 * file) % 251) as u8
}

/// An image file of one colour.
pub fn picture(width: u32, height: u32, colour: [u8; 3], format: ImageFormat) -> Vec<u8> {
    let image = RgbImage::from_pixel(width, height, image::Rgb(colour));
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A data set whose classes have the given numbers of training and test images, of `side`, pixels all different-ish.
pub fn dataset(side: (usize, usize), train: &[usize], test: &[usize]) -> Dataset {
    let pool = |counts: &[usize]| {
        // Classes interleaved, as they are in real files.
        let mut labels: Vec<(usize, u16)> = counts
            .iter()
            .enumerate()
            .flat_map(|(class, &count)| (0..count).map(move |i| (i, class as u16)))
            .collect();
        labels.sort();
        let labels: Vec<u16> = labels.into_iter().map(|(_, class)| class).collect();
        let bytes = side.0 * side.1 * 3 * labels.len();
        let pixels = (0..bytes).map(|i| ((i * 37 + i / 11) % 256) as u8).collect();
        Pool::from_parts(side, pixels, labels).unwrap()
    };
    Dataset {
        train: pool(train),
        test: pool(test),
        classes: (0..train.len()).map(|class| format!("c{class}")).collect(),
        side,
        description: "made for a test".to_string(),
    }
}

pub fn config(format: DataFormat) -> DataConfig {
    DataConfig {
        format,
        path: None,
        side: None,
        validation: 0.1,
        limit: Limit::default(),
        augment: Augment::OFF,
    }
}
