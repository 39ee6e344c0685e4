use std::path::PathBuf;

use tempfile::TempDir;

use super::super::fixtures::{Entry, cifar, cifar_byte, entry, gzip, tar_bytes, write_folder};
use super::*;

fn folder(entries: &[Entry]) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    write_folder(dir.path(), entries);
    let path = dir.path().to_path_buf();
    (dir, path)
}

fn nested(entries: &[Entry]) -> Vec<Entry> {
    entries.iter().map(|(name, bytes)| (format!("{FOLDER}/{name}"), bytes.clone())).collect()
}

/// The message of opening `path`, which must be a request error that names `part` of it.
fn refusal(path: &Path) -> String {
    match open(path, None) {
        Err(Error::Request(message)) => message,
        other => panic!("not refused: {other:?}"),
    }
}

/// A cut-down set with one file changed by `change`.
fn changed(name: &str, change: impl Fn(&mut Vec<u8>)) -> String {
    let mut entries = cifar(4);
    let file = entries.iter_mut().find(|(n, _)| n == name).unwrap();
    change(&mut file.1);
    let (_dir, path) = folder(&entries);
    let message = refusal(&path);
    assert!(message.contains(&path.join(name).display().to_string()), "{message}");
    assert!(message.contains("--data"), "{message}");
    message
}

/// Layout by the format's own page: a label byte, then the red, green and blue planes, row by row.
#[test]
fn reads_records_as_the_format_says() {
    let (_dir, path) = folder(&cifar(12));
    let data = open(&path, None).unwrap();
    assert_eq!((data.train.len(), data.test.len(), data.side), (60, 12, (32, 32)));
    assert_eq!(data.classes[0], "airplane");
    assert_eq!(data.classes[9], "truck");
    // Record 3 of the second batch, pixel at row 5, column 6.
    let image = data.train.image(12 + 3);
    assert_eq!(data.train.labels()[12 + 3], 3);
    for channel in 0..3 {
        let expected = cifar_byte(1, 3, channel * 1024 + 5 * 32 + 6);
        assert_eq!(image[(5 * 32 + 6) * 3 + channel], expected);
    }
    assert_eq!(data.test.image(0)[0], cifar_byte(5, 0, 0));
    assert_eq!(data.test.labels(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
}

#[test]
fn folder_parent_tar_and_tar_gz_are_the_same_data() {
    let files = cifar(3);
    let (_a, plain) = folder(&files);
    let (_b, parent) = folder(&nested(&files));
    let archive = tar_bytes(&nested(&files));
    let (_c, holder) = folder(&[entry("cifar-10-binary.tar.gz", &gzip(&archive))]);
    let (_d, bare) = folder(&[entry("some.tar", &archive)]);
    let hash = open(&plain, None).unwrap().hash();
    for path in [
        parent.clone(),
        parent.join(FOLDER),
        holder.clone(),
        holder.join("cifar-10-binary.tar.gz"),
        bare.join("some.tar"),
    ] {
        assert_eq!(open(&path, None).unwrap().hash(), hash, "{}", path.display());
    }
}

#[test]
fn files_that_are_not_whole_batches_are_refused() {
    let cut = changed("data_batch_3.bin", |bytes| bytes.truncate(3073 * 2 + 100));
    assert!(cut.contains("6246 bytes are not a whole number of 3073-byte records"), "{cut}");
    let empty = changed("test_batch.bin", Vec::clear);
    assert!(empty.contains("0 bytes"), "{empty}");
    let long = changed("data_batch_1.bin", |bytes| bytes.resize(OFFICIAL_LENGTH + RECORD, 0));
    assert!(long.contains("longer than the 30730000 bytes"), "{long}");
    let label = changed("data_batch_5.bin", |bytes| bytes[3073] = 10);
    assert!(label.contains("record 1 has label 10"), "{label}");
    let names = changed("batches.meta.txt", |bytes| bytes.truncate(20));
    assert!(names.contains("10 class names"), "{names}");
}

/// Cut at a record's end a file still has whole records; beside files of official length it is refused all the same.
#[test]
fn official_length_in_one_file_asks_for_it_in_all() {
    let mut entries = cifar(4);
    entries[1].1.resize(OFFICIAL_LENGTH, 0);
    let (_dir, path) = folder(&entries);
    let message = refusal(&path);
    assert!(message.contains("data_batch_1.bin: truncated: 12292 bytes"), "{message}");
}

#[test]
fn a_missing_file_is_named() {
    let mut entries = cifar(2);
    entries.retain(|(name, _)| name != "data_batch_4.bin");
    let (_a, path) = folder(&entries);
    assert!(refusal(&path).contains("data_batch_4.bin is missing"));
    let (_b, path) = folder(&[entry("x.tar.gz", &gzip(&tar_bytes(&nested(&entries))))]);
    assert!(refusal(&path.join("x.tar.gz")).contains("data_batch_4.bin is missing"));
}

#[test]
fn other_data_sets_are_told_by_name() {
    for (file, says) in [
        ("data_batch_1", "Python version"),
        ("cifar-10-batches-py/data_batch_1", "Python version"),
        ("fine_label_names.txt", "holds CIFAR-100"),
        ("holiday.jpg", "holds no CIFAR-10 binary batches"),
    ] {
        let entries = [entry(file, b"x")];
        let (_a, path) = folder(&entries);
        let message = refusal(&path);
        assert!(message.contains(says) && message.contains("cifar-10-binary.tar.gz"), "{message}");
        let (_b, path) = folder(&[entry("x.tar", &tar_bytes(&entries))]);
        assert!(refusal(&path.join("x.tar")).contains(says));
    }
}

#[test]
fn damaged_archives_are_refused() {
    let whole = tar_bytes(&nested(&cifar(5)));
    let zipped = gzip(&whole);
    for (name, bytes) in [
        ("cut.tar", &whole[..whole.len() / 2]),
        ("cut.tar.gz", &zipped[..zipped.len() / 2]),
        ("text.tar.gz", b"<html>404 not found</html>".as_slice()),
        ("empty.tar.gz", b"".as_slice()),
        ("noise.tar", [7u8; 2048].as_slice()),
    ] {
        let (_dir, path) = folder(&[entry(name, bytes)]);
        let message = refusal(&path.join(name));
        assert!(message.contains(name), "{message}");
        let remedy = message.contains("get it again") || message.contains("download");
        assert!(remedy, "{message}");
    }
}
