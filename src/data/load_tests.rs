use std::path::Path;

use super::fixtures::{cifar, config, dataset, entry, picture, write_folder};
use super::*;
use crate::config::DataFormat;

fn refusal(config: &DataConfig, path: Option<&Path>) -> String {
    match load(config, 0, path, None) {
        Err(Error::Request(message)) => message,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn shapes_need_no_path() {
    let mut config = config(DataFormat::Shapes);
    config.limit.train = Some(200);
    config.limit.test = Some(50);
    let data = load(&config, 3, None, None).unwrap();
    let record = &data.record;
    assert_eq!((record.train, record.validation, record.test), (200, 1000, 50));
    assert_eq!((data.train.len(), data.test.len(), data.side), (200, 50, (32, 32)));
    assert_eq!(record.classes, data.classes);
    assert_eq!(record.hash.len(), 64);
}

/// The test images and the held-out ones do not touch the normalisation.
#[test]
fn normalisation_is_of_the_training_split() {
    let set = dataset((4, 4), &[30, 30], &[5, 5]);
    let data = Data::new(set, &config(DataFormat::Images), 1).unwrap();
    let of_train = Normalisation::measure((0..data.train.len()).map(|i| data.train.image(i)));
    assert_eq!(data.normalisation, of_train);
    assert_eq!(data.validation.normalisation(), &of_train);
    assert_eq!(data.test.open_test().normalisation(), &of_train);
}

#[test]
fn the_override_stands_in_for_the_path() {
    let dir = tempfile::tempdir().unwrap();
    write_folder(dir.path(), &cifar(20));
    let mut config = config(DataFormat::Cifar10);
    config.path = Some("nowhere".into());
    let data = load(&config, 0, Some(dir.path()), None).unwrap();
    assert_eq!((data.train.len(), data.validation.len(), data.test.len()), (90, 10, 20));
    assert!(refusal(&config, None).contains("nowhere: no such file or folder"));
}

/// Journals are shared: where the files lay on this disk is not in them.
#[test]
fn the_record_names_no_folder_above_the_data() {
    let dir = tempfile::tempdir().unwrap();
    write_folder(&dir.path().join("cifar-10-batches-bin"), &cifar(20));
    let record = load(&config(DataFormat::Cifar10), 0, Some(dir.path()), None).unwrap().record;
    assert_eq!(record.description, "CIFAR-10 binary batches, cut down, from cifar-10-batches-bin");
}

#[test]
fn missing_data_says_how_to_get_it() {
    let message = refusal(&config(DataFormat::Cifar10), None);
    for part in ["data.path", "--data", "cifar-10-binary.tar.gz", "https://"] {
        assert!(message.contains(part), "{message}");
    }
    let message = refusal(&config(DataFormat::Images), Some(Path::new("no/such")));
    assert!(message.contains("no/such") && message.contains("train/<class>/*"), "{message}");
}

#[test]
fn a_side_is_given_to_any_format() {
    let dir = tempfile::tempdir().unwrap();
    write_folder(dir.path(), &cifar(20));
    let mut config = config(DataFormat::Cifar10);
    config.side = Some(16);
    let data = load(&config, 0, Some(dir.path()), None).unwrap();
    assert_eq!((data.side, data.train.image(0).len()), ((16, 16), 768));
    assert!(data.record.description.contains("32x32 to 16x16"));
    for side in [0, 1025] {
        config.side = Some(side);
        assert!(refusal(&config, Some(dir.path())).contains("data.side"));
    }
}

#[test]
fn a_crop_wider_than_the_image_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let png = picture(8, 8, [1, 2, 3], image::ImageFormat::Png);
    let names =
        ["train/a/1.png", "train/a/2.png", "train/b/1.png", "train/b/2.png", "test/a/1.png", "test/b/1.png"];
    write_folder(dir.path(), &names.map(|name| entry(name, &png)));
    let mut config = config(DataFormat::Images);
    config.validation = 0.5;
    config.augment.pad_crop = 7;
    assert_eq!(load(&config, 0, Some(dir.path()), None).unwrap().train.len(), 2);
    config.augment.pad_crop = 8;
    assert!(refusal(&config, Some(dir.path())).contains("data.augment.pad_crop"));
}
