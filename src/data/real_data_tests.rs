//! Tests on real images, in the folder that `BLOCKSMITH_DATA` names or `../shared/data`; each says when it skips.

use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::fixtures::config;
use super::*;
use crate::config::{DataFormat, Limit};
use crate::text::hex;

/// The path of `name` in the data folder, or a loud word that the test is skipped.
fn real(name: &str) -> Option<PathBuf> {
    let folder = match std::env::var_os("BLOCKSMITH_DATA") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
    };
    let path = folder.join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: {} is not there (set BLOCKSMITH_DATA to the folder that holds it)", path.display());
    None
}

#[test]
fn cifar10_mini_loads_from_its_archive() {
    let Some(path) = real("cifar10-mini-png.tar.gz") else {
        return;
    };
    let mut config = config(DataFormat::Images);
    config.limit = Limit { train: Some(500), validation: None, test: Some(100) };
    let data = load(&config, 1, Some(&path), None).unwrap();
    assert_eq!(data.side, (32, 32));
    assert_eq!(data.classes[..3], ["airplane", "automobile", "bird"]);
    let record = &data.record;
    assert_eq!((record.train, record.validation, record.test), (500, 100, 100));
    let test = data.test.open_test();
    for class in 0..10 {
        let count = |split: &Split| (0..split.len()).filter(|&i| split.label(i) == class).count();
        let counts = (count(&data.train), count(&data.validation), count(test));
        assert_eq!(counts, (50, 10, 10));
    }
    let (mut x, mut y) = (Vec::new(), Vec::new());
    let mut batches = Batcher::eval(&data.train, 500);
    assert!(batches.next_batch(&mut x, &mut y));
    for channel in 0..3 {
        let values = || x.iter().skip(channel).step_by(3).map(|&v| f64::from(v));
        let n = (x.len() / 3) as f64;
        let mean = values().sum::<f64>() / n;
        let variance = values().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
        assert!(mean.abs() < 1e-4 && (variance - 1.0).abs() < 1e-4, "{mean} {variance}");
    }
}

/// The pixels' SHA-256 and the channel statistics are those of the data folder's README; the statistics are also those
/// that PyTorch recipes for CIFAR-10 write down.
#[test]
fn cifar10_binary_is_read_to_the_byte() {
    let Some(path) = real("cifar-10-batches-bin") else {
        return;
    };
    let data = cifar10::open(&path, None).unwrap();
    assert_eq!((data.train.len(), data.test.len()), (50_000, 10_000));
    assert_eq!(
        hex(&Sha256::digest(data.train.pixels())),
        "ff7f60d2696c4304c0d820eb732bc21fbd38c69122372c42aeb4ef8569a4dd60"
    );
    for class in 0..10 {
        let count = |pool: &Pool| pool.labels().iter().filter(|&&label| label == class).count();
        assert_eq!((count(&data.train), count(&data.test)), (5000, 1000));
    }
    let measured = Normalisation::measure((0..50_000).map(|row| data.train.image(row)));
    let close = |a: [f64; 3], b: [f64; 3]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 6e-5);
    assert!(close(measured.mean, [0.4914, 0.4822, 0.4465]), "{measured:?}");
    assert!(close(measured.std, [0.2470, 0.2435, 0.2616]), "{measured:?}");
}

/// Counts of the Imagenette page: 9,469 training and 3,925 validation images of 10 classes.
#[test]
fn imagenette_loads_from_its_archive() {
    let Some(path) = real("imagenette2-64px-q90.tar.gz") else {
        return;
    };
    let data = images::open(&path, &images::Options { side: Some(32), ..Default::default() }).unwrap();
    assert_eq!((data.train.len(), data.test.len()), (9469, 3925));
    assert_eq!((data.classes.len(), data.side), (10, (32, 32)));
    assert_eq!(data.classes[0], "n01440764");
}
