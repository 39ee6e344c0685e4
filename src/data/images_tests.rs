use image::ImageFormat::{Bmp, Jpeg, Png, WebP};
use tempfile::TempDir;

use super::super::fixtures::{Entry, entry, gzip, picture, tar_bytes, write_folder};
use super::*;

const RED: [u8; 3] = [200, 10, 20];
const BLUE: [u8; 3] = [0, 30, 220];

/// Two classes in lossless formats, with files that are no images and hidden ones among them.
fn pets() -> Vec<Entry> {
    vec![
        entry("train/dog/2.png", &picture(8, 8, BLUE, Png)),
        entry("train/dog/1.bmp", &picture(8, 8, RED, Bmp)),
        entry("train/cat/a.webp", &picture(8, 8, BLUE, WebP)),
        entry("train/cat/deep/b.PNG", &picture(8, 8, RED, Png)),
        entry("test/cat/x.png", &picture(8, 8, RED, Png)),
        // Named wrongly: contents decide.
        entry("test/dog/y.jpg", &picture(8, 8, BLUE, Png)),
        entry("train/dog/._2.png", b"AppleDouble"),
        entry("train/.DS_Store", b"x"),
        entry("train/dog/boxes.txt", b"1 2 3 4"),
        entry("README.md", b"pets"),
        entry("__MACOSX/train/dog/z.png", b"x"),
    ]
}

fn on_disk(entries: &[Entry]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    write_folder(dir.path(), entries);
    dir
}

fn refusal(entries: &[Entry], side: Option<usize>) -> String {
    let dir = on_disk(entries);
    let packed = on_disk(&[entry("x.tar.gz", &gzip(&tar_bytes(entries)))]);
    let message = |path: &Path| match open(path, &sized(side)) {
        Err(Error::Request(message)) => message.replace(&path.display().to_string(), "DATA"),
        other => panic!("not refused: {other:?}"),
    };
    let (folder, archive) = (message(dir.path()), message(&packed.path().join("x.tar.gz")));
    assert_eq!(folder, archive, "folder and archive should be refused in the same words");
    folder
}

fn sized(side: Option<usize>) -> Options {
    Options { side, ..Options::default() }
}

fn under(top: &str, entries: &[Entry]) -> Vec<Entry> {
    entries.iter().map(|(name, bytes)| (format!("{top}/{name}"), bytes.clone())).collect()
}

#[test]
fn reads_classes_and_images_by_name() {
    let dir = on_disk(&pets());
    let data = open(dir.path(), &sized(None)).unwrap();
    assert_eq!(data.classes, ["cat", "dog"]);
    assert_eq!(data.side, (8, 8));
    assert_eq!(data.train.labels(), [0, 0, 1, 1]);
    assert_eq!(data.test.labels(), [0, 1]);
    let colours: Vec<&[u8]> = (0..4).map(|row| &data.train.image(row)[..3]).collect();
    assert_eq!(colours, [BLUE, RED, RED, BLUE]);
    assert_eq!(&data.test.image(1)[189..], BLUE);
}

#[test]
fn folder_top_folder_tar_and_tar_gz_are_the_same_data() {
    let hash = open(on_disk(&pets()).path(), &sized(None)).unwrap().hash();
    let mut backwards = under("pets", &pets());
    backwards.reverse();
    let dir = on_disk(&[
        entry("a.tar", &tar_bytes(&pets())),
        entry("b.tar.gz", &gzip(&tar_bytes(&backwards))),
        entry("c.tgz", &gzip(&tar_bytes(&under("./pets", &pets())))),
    ]);
    for name in ["a.tar", "b.tar.gz", "c.tgz"] {
        assert_eq!(open(&dir.path().join(name), &sized(None)).unwrap().hash(), hash, "{name}");
    }
    let nested = on_disk(&under("pets", &pets()));
    assert_eq!(open(nested.path(), &sized(None)).unwrap().hash(), hash);
    assert_eq!(open(&nested.path().join("pets"), &sized(None)).unwrap().hash(), hash);
}

#[test]
fn val_serves_as_test_and_is_named_where_it_is_passed_over() {
    let renamed: Vec<Entry> =
        pets().into_iter().map(|(name, bytes)| (name.replace("test/", "val/"), bytes)).collect();
    let val = open(on_disk(&renamed).path(), &sized(None)).unwrap();
    assert_eq!(val.test.len(), 2);
    let mut both = pets();
    both.extend(renamed);
    let data = open(on_disk(&both).path(), &sized(None)).unwrap();
    assert_eq!(data.test.len(), 2);
    assert!(data.reading.notes[0].contains("val/ is not read"), "{:?}", data.reading);
}

#[test]
fn sizes_are_brought_to_the_side() {
    let mut entries = pets();
    entries.push(entry("train/dog/wide.png", &picture(40, 20, RED, Png)));
    entries.push(entry("train/dog/tall.jpg", &picture(3, 9000, BLUE, Jpeg)));
    let data = open(on_disk(&entries).path(), &sized(Some(8))).unwrap();
    assert_eq!((data.side, data.train.len()), ((8, 8), 6));
    // One colour stays that colour, whatever the filter.
    assert_eq!(data.train.image(5), RED.repeat(64));
    entries.pop();
    let differ = refusal(&entries, None);
    assert!(differ.contains("differ in size") && differ.contains("data.side"), "{differ}");
}

/// Halving 64x32 to side 16 keeps the middle: columns 16 to 48 of the original.
#[test]
fn fit_scales_the_shorter_side_and_cuts_the_centre() {
    let image = RgbImage::from_fn(64, 32, |x, _| image::Rgb([if x < 32 { 0 } else { 255 }, x as u8, 9]));
    let fitted = fit(image, 16);
    assert_eq!(fitted.dimensions(), (16, 16));
    let row: Vec<u8> = (0..16).map(|x| fitted.get_pixel(x, 8)[1]).collect();
    for (x, value) in row.iter().enumerate() {
        let expected = 16.5 + 2.0 * x as f64;
        assert!((f64::from(*value) - expected).abs() <= 1.0, "{row:?}");
    }
    assert_eq!((fitted.get_pixel(2, 8)[0], fitted.get_pixel(13, 8)[0]), (0, 255));
    let odd = RgbImage::from_fn(16, 21, |x, y| image::Rgb([x as u8, y as u8, 0]));
    assert_eq!(*fit(odd, 16).get_pixel(3, 0), image::Rgb([3, 2, 0]), "cut, not scaled");
}

#[test]
fn bad_images_are_named() {
    let mut entries = pets();
    let png = picture(8, 8, RED, Png);
    entries.push(entry("train/cat/cut.png", &png[..png.len() / 2]));
    let cut = refusal(&entries, None);
    assert!(cut.starts_with("DATA: train/cat/cut.png cannot be decoded"), "{cut}");
    entries.pop();
    entries.push(entry("train/cat/page.png", b"<html>"));
    assert!(refusal(&entries, None).contains("train/cat/page.png cannot be decoded"));
    entries.pop();
    entries.push(entry("train/cat/empty.webp", b""));
    let data = open(on_disk(&entries).path(), &sized(None)).unwrap();
    assert_eq!(data.reading.passed_over["empty file"], 1);
}

#[test]
fn splits_must_have_the_same_classes() {
    let mut entries = pets();
    entries.push(entry("test/fox/1.png", &picture(8, 8, RED, Png)));
    let message = refusal(&entries, None);
    assert!(message.contains("class `fox` has images in test/ and none in train/"), "{message}");
    let mut entries = pets();
    entries.push(entry("train/ant/1.png", &picture(8, 8, RED, Png)));
    let message = refusal(&entries, None);
    assert!(message.contains("class `ant` has images in train/ and none in test/"), "{message}");
}

#[test]
fn other_layouts_are_refused() {
    let nothing = refusal(&[entry("cats/1.png", b"x")], None);
    assert!(nothing.contains("no PNG, JPEG, WebP or BMP image in train/<class>/"), "{nothing}");
    let mut entries = pets();
    entries.retain(|(name, _)| !name.starts_with("test/"));
    assert!(refusal(&entries, None).contains("in test/<class>/ or val/<class>/"));
    let mut two = under("a", &pets());
    two.extend(under("b", &pets()));
    assert!(refusal(&two, None).contains("more than one data set"));
    let one: Vec<Entry> = pets().into_iter().filter(|(name, _)| !name.contains("dog")).collect();
    assert!(refusal(&one, None).contains("1 class folders"));
}
