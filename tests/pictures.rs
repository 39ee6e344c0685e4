//! Folders and archives of images as people have them: every file is read as a viewer shows it, or accounted for.

mod support;

use std::io::{Cursor, Write};
use std::path::Path;

use image::{ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use support::{Folder, json, output, refusal, stdout};

const EXPERIMENT: &str = "name: e
seeds: 1
data: {format: images, validation: 4, augment: off}
train: {epochs: 1, batch: 8, lr: 0.05, schedule: constant}
variants:
  - {name: a, network: stem_k3_s2_c8 ir_r1_k3_s2_e2_c8}
";

fn png(image: &RgbImage) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// A picture that is none like another.
fn picture(seed: u32) -> RgbImage {
    RgbImage::from_fn(16, 16, |x, y| {
        let byte = |k: u32| (x * (3 + k) + y * (7 + seed % 5) + seed * 31 + k * 50) as u8;
        Rgb([byte(0), byte(1), byte(2)])
    })
}

fn put(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// `train/` and `test/` of ants and bees, 12 and 6 of each.
fn insects(folder: &Path, splits: [&str; 2]) {
    for (split, count, from) in [(splits[0], 12, 0), (splits[1], 6, 100)] {
        for (at, class) in ["ant", "bee"].into_iter().enumerate() {
            for number in 0..count {
                let name = format!("{split}/{class}/{number:03}.png");
                put(folder, &name, &png(&picture(from + 50 * at as u32 + number)));
            }
        }
    }
}

/// What a run said, the data of its journal, and its report.
fn run(data: &Path, more: &[&str]) -> (String, serde_json::Value, String) {
    let folder = Folder::new();
    let (file, out) = (folder.write("e.yaml", EXPERIMENT), folder.at("study"));
    let args = [&["run", &file, "--data", data.to_str().unwrap(), "--out", &out], more].concat();
    let run = output(&args);
    let said = String::from_utf8_lossy(&run.stderr).into_owned() + &String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{said}");
    let journal = std::fs::read_to_string(folder.join("study/journal.jsonl")).unwrap();
    let began =
        journal.lines().find(|line| line.contains("\"hash\"") && line.contains("\"classes\"")).unwrap();
    let began: serde_json::Value = serde_json::from_str(began).unwrap();
    let data = find(&began, "data").unwrap().clone();
    (said, data, std::fs::read_to_string(folder.join("study/report.md")).unwrap())
}

/// The value of a key that holds a `hash`, wherever it is.
fn find<'a>(value: &'a serde_json::Value, key: &str) -> Option<&'a serde_json::Value> {
    let map = value.as_object()?;
    map.get(key).filter(|of| of.get("hash").is_some()).or_else(|| map.values().find_map(|of| find(of, key)))
}

/// A file with weights of a small network for 16x16 images in 3 classes.
fn weights(folder: &Folder) -> String {
    let (network, weights) = ("stem_k3_s2_c8 ir_r1_k3_s2_e2_c8", folder.at("w.safetensors"));
    stdout(&["export", network, "--input", "3x16x16", "--classes", "3", "--out", &weights]);
    weights
}

fn refused(data: &Path, more: &[&str]) -> String {
    let folder = Folder::new();
    let (file, out) = (folder.write("e.yaml", EXPERIMENT), folder.at("study"));
    let args = [&["run", &file, "--data", data.to_str().unwrap(), "--out", &out], more].concat();
    refusal(&args)
}

/// `reference/inputs/endings`: 25 images, among them JPEG files called `.jfif` and PNG files without an ending; and what is
/// no image of the data set is counted by kind, in log, journal and report.
#[test]
fn every_file_is_read_or_counted() {
    let data = Folder::new();
    insects(data.path(), ["train", "test"]);
    let train = data.join("train");
    for at in 0..6 {
        std::fs::rename(train.join(format!("bee/{at:03}.png")), train.join(format!("bee/{at:03}"))).unwrap();
        let mut jpeg = Cursor::new(Vec::new());
        picture(at).write_to(&mut jpeg, ImageFormat::Jpeg).unwrap();
        std::fs::remove_file(train.join(format!("ant/{at:03}.png"))).unwrap();
        put(&train, &format!("ant/{at:03}.jfif"), jpeg.get_ref());
    }
    put(&train, "ant/extra.jpe", &png(&picture(77)));
    put(&train, "ant/moving.gif", b"GIF89a\x01\0\x01\0");
    put(&train, "ant/called.png", b"II*\0\x08\0\0\0");
    put(&train, "bee/nothing.jpg", b"");
    put(&train, "bee/boxes.txt", b"1 2 3 4");
    put(&train, "bee/labels.csv", b"a,b");
    put(&train, "bee/.hidden", b"x");
    put(&train, "bee/Thumbs.db", b"x");
    put(&train, "list.txt", b"x");
    let (said, record, report) = run(data.path(), &[]);
    let train = record["train"].as_u64().unwrap() + record["validation"].as_u64().unwrap();
    assert_eq!((train, record["test"].as_u64().unwrap()), (25, 12));
    let expected = serde_json::json!({
        "GIF image": 1, "TIFF image": 1, "empty file": 1, "file that is no image": 2, "file outside the class folders": 1,
    });
    assert_eq!(record["reading"]["passed_over"], expected);
    let sentence = "6 files are not read: 1 GIF image, 1 TIFF image, 1 empty file, 1 file outside the class folders, 2 files \
                    that are no images";
    assert!(said.contains(sentence), "{said}");
    assert!(report.contains(sentence), "{report}");
    let folder = Folder::new();
    let (file, data_path) = (folder.write("e.yaml", EXPERIMENT), data.path().to_str().unwrap());
    let dry = stdout(&["run", &file, "--data", data_path, "--dry-run", "--out", &folder.at("study")]);
    assert!(
        dry.contains(sentence) && dry.contains("21 for training, 4 for validation, 12 for the test"),
        "{dry}"
    );
    // What names itself an image and holds none is a mistake.
    put(data.path(), "train/ant/page.png", b"<html>");
    assert!(
        refused(data.path(), &[])
            .contains("train/ant/page.png cannot be decoded (it is named as an image and holds none)")
    );
}

/// RGBA pictures whose shape is in the alpha channel are those on white, and the same on another background are others.
#[test]
fn transparency_is_shown_on_the_background() {
    let (clear, white, folders) =
        (Folder::new(), Folder::new(), ["train/disc", "train/square", "test/disc", "test/square"]);
    for (at, folder) in folders.into_iter().enumerate() {
        for number in 0..6 {
            let alpha =
                |x: u32, y: u32| if at % 2 == 0 { (x * 16 + number) as u8 } else { (y * 16 + number) as u8 };
            let shape = RgbaImage::from_fn(16, 16, |x, y| Rgba([0, 0, 0, alpha(x, y)]));
            let mut bytes = Cursor::new(Vec::new());
            shape.write_to(&mut bytes, ImageFormat::Png).unwrap();
            put(clear.path(), &format!("{folder}/{number}.png"), bytes.get_ref());
            // Black at an opacity on white.
            let shown = RgbImage::from_fn(16, 16, |x, y| Rgb([255 - alpha(x, y); 3]));
            put(white.path(), &format!("{folder}/{number}.png"), &png(&shown));
        }
    }
    let (said, on_white, report) = run(clear.path(), &[]);
    let sentence = "24 images with transparency, composited on white";
    assert!(said.contains(sentence) && report.contains(sentence), "{said}\n{report}");
    assert_eq!(on_white["hash"], run(white.path(), &[]).1["hash"]);
    let (said, on_red, _) = run(clear.path(), &["--set", "data.background='#f00'"]);
    assert!(said.contains("composited on red"), "{said}");
    assert_ne!(on_white["hash"], on_red["hash"]);
    assert!(
        refused(clear.path(), &["--set", "data.background=pinkish"])
            .contains("data.background: `pinkish` is not a colour")
    );
}

#[test]
fn predict_shows_transparency_as_training_did() {
    let folder = Folder::new();
    let shape = RgbaImage::from_fn(16, 16, |x, y| Rgba([200, 0, 0, (x * y) as u8]));
    shape.save(folder.join("clear.png")).unwrap();
    let on = |background: [u8; 3], name: &str| {
        let blend = |colour: u32, behind: u8, alpha: u32| {
            ((colour * alpha + u32::from(behind) * (255 - alpha) + 127) / 255) as u8
        };
        let shown = RgbImage::from_fn(16, 16, |x, y| {
            let alpha = (x * y) % 256;
            Rgb([
                blend(200, background[0], alpha),
                blend(0, background[1], alpha),
                blend(0, background[2], alpha),
            ])
        });
        shown.save(folder.join(name)).unwrap();
    };
    on([255; 3], "white.png");
    on([0, 0, 255], "blue.png");
    let weights = weights(&folder);
    let names = ["clear.png", "white.png", "blue.png"].map(|name| folder.at(name));
    let mut args =
        vec!["predict", "--weights", &weights, "--mean", "0.5,0.5,0.5", "--std", "0.2,0.2,0.2", "--json"];
    args.extend(names.iter().map(String::as_str));
    let predicted = |more: &[&str]| -> Vec<String> {
        let all = json(&[&args[..], more].concat());
        all.as_array().unwrap().iter().map(|image| image["predictions"].to_string()).collect()
    };
    let white = predicted(&[]);
    assert_eq!(white[0], white[1]);
    assert_ne!(white[0], white[2]);
    let blue = predicted(&["--background", "blue"]);
    assert_eq!(blue[0], blue[2]);
}

/// Two members that stand twice count once each, the last one of each, as in unpacking.
#[test]
fn an_archive_is_read_as_it_unpacks() {
    let (first, last, both) = (Folder::new(), Folder::new(), Folder::new());
    insects(last.path(), ["train", "test"]);
    insects(first.path(), ["train", "test"]);
    put(first.path(), "train/ant/000.png", &png(&picture(1000)));
    let mut builder = tar::Builder::new(Vec::new());
    for name in ["train", "test"] {
        builder.append_dir_all(name, first.join(name)).unwrap();
    }
    builder.append_path_with_name(last.join("train/ant/000.png"), "./train/ant/000.png").unwrap();
    builder.append_path_with_name(last.join("train/ant/001.png"), "train//ant/001.png").unwrap();
    put(both.path(), "dup.tar", &builder.into_inner().unwrap());
    let (said, record, _) = run(&both.join("dup.tar"), &[]);
    assert_eq!(record["train"].as_u64().unwrap() + record["validation"].as_u64().unwrap(), 24);
    assert_eq!(record["hash"], run(last.path(), &[]).1["hash"]);
    assert!(said.contains("the archive has 2 files more than once; the last one counts"), "{said}");
}

#[test]
fn a_class_without_images_is_named() {
    let data = Folder::new();
    insects(data.path(), ["train", "test"]);
    for split in ["train", "test"] {
        std::fs::create_dir(data.join(split).join("wasp")).unwrap();
    }
    let message = refused(data.path(), &[]);
    assert!(
        message.contains(
            "class folder `train/wasp/` has no image that is read: put images there, or take the folder away"
        ),
        "{message}"
    );
    put(data.path(), "train/wasp/note.txt", b"to come");
    let message = refused(data.path(), &[]);
    assert!(message.contains("`train/wasp/`") && message.contains("1 file that is no image"), "{message}");
}

#[test]
fn splits_are_known_by_many_names() {
    let plain = Folder::new();
    insects(plain.path(), ["train", "test"]);
    let hash = run(plain.path(), &[]).1["hash"].clone();
    for names in [["Train", "Valid"], ["training", "validation"], ["TRAIN", "Testing"]] {
        let data = Folder::new();
        insects(data.path(), names);
        assert_eq!(run(data.path(), &[]).1["hash"], hash, "{names:?}");
    }
    for (names, parts) in [
        (
            ["train", "eval"],
            ["its folders: `eval/`, `train/`", "rename the folder of the test images to test/"],
        ),
        (
            ["train_images", "test_images"],
            ["`test_images/`, `train_images/`", "name the folders train/ and test/"],
        ),
    ] {
        let data = Folder::new();
        insects(data.path(), names);
        let message = refused(data.path(), &[]);
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    }
    let data = Folder::new();
    insects(data.path(), ["train", "test"]);
    insects(data.path(), ["Training", "other"]);
    assert!(refused(data.path(), &[]).contains("holds both `Training/` and `train/`"));
}

/// Class folders without a split: a fifth of each class is held out, the same whatever the files are called and the seed is.
#[test]
fn folders_without_a_split_hold_test_images_out() {
    let (data, renamed) = (Folder::new(), Folder::new());
    for (at, class) in ["ant", "bee"].into_iter().enumerate() {
        for number in 0..20 {
            let image = png(&picture(50 * at as u32 + number));
            put(data.path(), &format!("{class}/{number:03}.png"), &image);
            put(renamed.path(), &format!("insects/{class}/{:03}.png", 20 - number), &image);
        }
    }
    let message = refused(data.path(), &[]);
    assert!(
        message.contains("(`ant/`, `bee/`): set data.test: 0.2 to hold a fifth of each class out"),
        "{message}"
    );
    let share = ["--set", "data.test=0.2"];
    let (said, record, report) = run(data.path(), &share);
    assert_eq!(
        (record["train"].as_u64(), record["validation"].as_u64(), record["test"].as_u64()),
        (Some(28), Some(4), Some(8))
    );
    let sentence = "8 images held out as the test split, from each class in proportion";
    assert!(said.contains(sentence) && report.contains(sentence), "{said}");
    let other = run(data.path(), &[&share[..], &["--set", "seed=9"]].concat()).1;
    assert_eq!(other["hash"], record["hash"], "another study seed");
    let other = run(renamed.path(), &share).1;
    assert_eq!((&other["train"], &other["test"]), (&record["train"], &record["test"]));
    insects(data.path(), ["train", "test"]);
    assert!(refused(data.path(), &share).contains("here is `test/`: leave data.test out"));
}

#[test]
fn images_that_show_nothing_are_warned_of() {
    let (equal, constant) = (Folder::new(), Folder::new());
    for (split, class, number) in
        [("train", "ant", 8), ("train", "bee", 8), ("test", "ant", 2), ("test", "bee", 2)]
    {
        for at in 0..number {
            put(equal.path(), &format!("{split}/{class}/{at}.png"), &png(&picture(1)));
            let mut image = picture(at + class.len() as u32);
            image.pixels_mut().for_each(|pixel| pixel.0[2] = 7);
            put(constant.path(), &format!("{split}/{class}/{at}.png"), &png(&image));
        }
    }
    let (said, _, report) = run(equal.path(), &[]);
    let sentence = "all 12 training images are equal, so there is nothing to learn";
    assert!(said.contains(&format!("warning: {sentence}")), "{said}");
    let listed = report.split_once("**Warnings**").expect("the report has a list of warnings").1;
    assert!(listed.contains(sentence), "{report}");
    let (said, ..) = run(constant.path(), &[]);
    assert!(said.contains("warning: the blue channel of all training images is 7 everywhere"), "{said}");
}

/// Links to devices, pipes and sockets in a class folder are counted and never opened; given themselves they are refused.
#[cfg(unix)]
#[test]
fn what_is_no_file_is_never_waited_for() {
    let data = Folder::new();
    insects(data.path(), ["train", "test"]);
    std::os::unix::fs::symlink("/dev/zero", data.join("train/ant/endless.png")).unwrap();
    std::os::unix::fs::symlink("nowhere", data.join("train/ant/broken.png")).unwrap();
    let fifo = data.join("train/bee/pipe.png");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(data.join("train/bee/socket.png")).unwrap();
    let (said, ..) = run(data.path(), &[]);
    assert!(
        said.contains("4 files are not read: 1 device, 1 link to nothing, 1 named pipe, 1 socket"),
        "{said}"
    );
    let weights = weights(&data);
    for path in [Path::new("/dev/zero"), &fifo] {
        assert!(refused(path, &[]).contains("not a file"));
        let predicted = refusal(&[
            "predict",
            "--weights",
            &weights,
            "--mean",
            "0,0,0",
            "--std",
            "1,1,1",
            path.to_str().unwrap(),
        ]);
        assert!(predicted.contains("not a file"), "{predicted}");
    }
}

/// Peak memory of a command in bytes, and what it said on its standard error.
#[cfg(target_os = "linux")]
fn peak(args: &[&str]) -> (u64, String) {
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut child = support::blocksmith(args).stderr(log.reopen().unwrap()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib: u64 = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0);
        most = most.max(kib << 10);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    (most, std::fs::read_to_string(log.path()).unwrap())
}

/// Files that claim or unpack to far more than there is memory for: refused with a sentence, in a small part of what they
/// would take (3.1 GB and 4.6 GB before there were limits).
#[cfg(target_os = "linux")]
#[test]
fn memory_is_bounded_whatever_files_claim() {
    const MIB: u64 = 1 << 20;
    let folder = Folder::new();
    let file = folder.write("e.yaml", EXPERIMENT);
    let run = |data: &str, more: &[&str]| {
        let out = folder.at("study");
        let (most, said) = peak(&[&["run", &file, "--data", data, "--out", &out], more].concat());
        assert!(said.starts_with("error: ") && said.lines().count() == 1, "{said}");
        println!("{data}: {} MiB: {said}", most / MIB);
        (most / MIB, said)
    };
    // A member of 3 GiB of zeros, called an image, in 3 MiB; and a long name of as much.
    for (kind, part) in
        [(tar::EntryType::Regular, "cannot be decoded"), (tar::EntryType::GNULongName, "a name or header of")]
    {
        let mut header = tar::Header::new_gnu();
        header.set_path("train/ant/x.png").unwrap();
        header.set_entry_type(kind);
        header.set_size(3 << 30);
        header.set_cksum();
        let gzip = |bytes: &[u8]| {
            let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packed.write_all(bytes).unwrap();
            packed.finish().unwrap()
        };
        // Of several parts, as gzip allows.
        let bomb = [gzip(header.as_bytes()), gzip(&vec![0; 64 << 20]).repeat(48)].concat();
        let (most, said) = run(&folder.write("bomb.tar.gz", bomb), &[]);
        assert!(most < 100, "{most} MiB: {said}");
        assert!(said.contains(part) || said.contains("200 times its size"), "{said}");
    }
    // 24 small files of 8000x8000 pixels, 192 MB each.
    let big = png(&RgbImage::new(8000, 8000));
    let fill = |name: &str, train: usize| {
        for class in ["ant", "bee"] {
            (0..train).for_each(|at| put(folder.path(), &format!("{name}/train/{class}/{at}.png"), &big));
            put(folder.path(), &format!("{name}/test/{class}/0.png"), &big);
        }
    };
    fill("big", 12);
    let (most, said) = run(&folder.at("big"), &[]);
    assert!(most < 100 && said.contains("set data.side"), "{most} MiB: {said}");
    let (most, said) = run(&folder.at("big"), &["--memory", "256MiB", "--set", "data.side=32"]);
    assert!(most < 100 && said.contains("its 8000x8000 pixels need"), "{most} MiB: {said}");
    // With room for one at a time they are read one at a time.
    fill("few", 3);
    let (data, out) = (folder.at("few"), folder.at("few-study"));
    let more = ["--memory", "1GiB", "--set", "data.side=32"];
    let (most, said) = peak(&[&["run", &file, "--data", &data, "--out", &out], &more[..]].concat());
    println!("few, --memory 1GiB: {} MiB", most / MIB);
    assert!(most < 700 * MIB, "{} MiB: {said}", most / MIB);
    assert!(said.contains("all 2 training images are equal"), "{said}");
    // An endless device in a class folder is not opened.
    insects(&folder.join("endless"), ["train", "test"]);
    std::os::unix::fs::symlink("/dev/zero", folder.join("endless/train/ant/endless.png")).unwrap();
    let (most, said) = peak(&["run", &file, "--data", &folder.at("endless"), "--out", &folder.at("small")]);
    println!("endless: {} MiB", most / MIB);
    assert!(most < 100 * MIB && said.contains("1 file is not read: 1 device"), "{} MiB: {said}", most / MIB);
    // A header that claims 65535x65535 pixels.
    let mut claims = png(&RgbImage::new(8, 8));
    claims[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
    let mut crc = flate2::Crc::new();
    crc.update(&claims[12..29]);
    claims[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    put(folder.path(), "claim/train/ant/0.png", &claims);
    put(folder.path(), "claim/test/ant/0.png", &claims);
    let (most, said) = run(&folder.at("claim"), &["--set", "data.side=32"]);
    assert!(most < 100 && said.contains("65535x65535"), "{most} MiB: {said}");
}
