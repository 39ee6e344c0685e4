use std::path::PathBuf;

use super::*;

fn fixture(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pictures").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What Pillow shows of a file.
struct Shown {
    name: String,
    size: (u32, u32),
    pixels: Vec<u8>,
    background: Option<Background>,
}

fn expected(start: &str) -> Vec<Shown> {
    let text = String::from_utf8(fixture("expected.txt")).unwrap();
    let line = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let byte = |two: &[u8]| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap();
        Shown {
            name: words[0].into(),
            size: (words[1].parse().unwrap(), words[2].parse().unwrap()),
            pixels: words[3].as_bytes().chunks(2).map(byte).collect(),
            background: words.get(4).map(|colour| Background::parse(colour).unwrap()),
        }
    };
    text.lines().map(line).filter(|shown| shown.name.starts_with(start)).collect()
}

fn decoded(bytes: &[u8], background: Background) -> Result<Picture, String> {
    Header::read(bytes)?.decode(background)
}

/// Pillow's ImageOps.exif_transpose, for the eight orientations in each format that carries EXIF.
#[test]
fn exif_orientation_is_applied() {
    let all = expected("turned");
    assert_eq!(all.len(), 25);
    for Shown { name, size: (width, height), pixels, .. } in all {
        let picture = decoded(&fixture(&name), Background::WHITE).unwrap();
        assert_eq!(picture.is_turned, !name.starts_with("turned-1"), "{name}");
        if !name.ends_with("jpg") {
            assert_eq!(picture.pixels.dimensions(), (width, height), "{name}");
            assert_eq!(picture.pixels.into_raw(), pixels, "{name}");
            continue;
        }
        assert_eq!(picture.pixels.dimensions(), (8 * width, 8 * height), "{name}");
        for (at, colour) in pixels.chunks(3).enumerate() {
            let (x, y) = (at as u32 % width, at as u32 / width);
            let found = picture.pixels.get_pixel(8 * x + 4, 8 * y + 4).0;
            let apart = found.iter().zip(colour).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(apart <= Some(6), "{name}: {found:?} {colour:?}");
        }
    }
}

/// Pillow's paste with the alpha channel as mask; 16 bits are brought to 8 before it, which may differ by one.
#[test]
fn transparency_is_composited() {
    let all = expected("alpha");
    assert_eq!(all.len(), 12);
    for Shown { name, size, pixels, background } in all {
        let picture = decoded(&fixture(&name), background.unwrap()).unwrap();
        assert!(picture.is_transparent, "{name}");
        assert_eq!(picture.pixels.dimensions(), size, "{name}");
        let apart = picture.pixels.as_raw().iter().zip(&pixels).map(|(a, b)| a.abs_diff(*b)).max();
        let allowed = u8::from(name.contains("16"));
        assert!(
            apart <= Some(allowed),
            "{name} on {background:?}: {:?}\n{pixels:?}",
            picture.pixels.as_raw()
        );
    }
}

/// An alpha channel that hides nothing is no transparency.
#[test]
fn opaque_images_are_not_counted() {
    let opaque = image::RgbaImage::from_pixel(3, 3, image::Rgba([9, 8, 7, 255]));
    let mut bytes = Cursor::new(Vec::new());
    opaque.write_to(&mut bytes, ImageFormat::Png).unwrap();
    let picture = decoded(bytes.get_ref(), Background::WHITE).unwrap();
    assert!(!picture.is_transparent && !picture.is_turned);
    assert_eq!(picture.pixels.get_pixel(1, 1).0, [9, 8, 7]);
}

const JPEGS: [&str; 9] = [
    "baseline-420",
    "baseline-444",
    "baseline-422-restart",
    "grey",
    "progressive",
    "progressive-444-restart",
    "progressive-grey",
    "cmyk",
    "flat",
];

/// Cut after any byte before the end marker, with an end marker put behind the cut or zeros or not, a JPEG file lacks some
/// of its image; without the end marker, or with more after it, it does not.
#[test]
fn a_jpeg_that_is_cut_off_is_refused() {
    for name in JPEGS {
        let whole = fixture(&format!("{name}.jpg"));
        let end = whole.len() - 2;
        assert_eq!(whole[end..], [0xff, 0xd9], "{name}");
        let all = decoded(&whole, Background::WHITE).unwrap().pixels;
        for length in 3..end {
            let cut = &whole[..length];
            assert!(decoded(cut, Background::WHITE).is_err(), "{name} cut to {length} of {end}");
            // Ended between two scans a progressive image is a coarser one, which a file may mean to be.
            // A cut behind the first byte of the next marker is one too: 0xff may stand before it twice.
            let length = if whole[length - 1] == 0xff { length - 1 } else { length };
            let is_between = name.starts_with("progressive")
                && whole[length] == 0xff
                && [0xc4, 0xda].contains(&whole[length + 1]);
            let ended = [cut, &[0xff, 0xd9]].concat();
            assert!(
                is_between || decoded(&ended, Background::WHITE).is_err(),
                "{name} ended at {length} of {end}"
            );
        }
        let with = |rest: &[u8]| decoded(&[&whole[..], rest].concat(), Background::WHITE);
        assert_eq!(with(b"trailing \xff\xd8 bytes").unwrap().pixels, all, "{name}");
        assert_eq!(with(&whole).unwrap().pixels, all, "{name}: a second image after the first");
        for length in [end, end + 1] {
            assert_eq!(decoded(&whole[..length], Background::WHITE).unwrap().pixels, all, "{name}: {length}");
        }
    }
    let said = decoded(&fixture("baseline-444.jpg")[..1100], Background::WHITE).unwrap_err();
    assert!(said.starts_with("it is cut off after ") && said.ends_with(" % of its image"), "{said}");
}

/// Other formats, cut in the middle of their pixels.
#[test]
fn other_images_that_are_cut_off_are_refused() {
    for name in ["lossy.webp", "lossless.webp", "plain.bmp", "alpha-rgba.png", "turned-3.png"] {
        let whole = fixture(name);
        assert!(decoded(&whole, Background::WHITE).is_ok(), "{name}");
        // The last 16 bytes of a PNG file hold no pixels.
        let rest = if name.ends_with("png") { 17 } else { 2 };
        for length in (8..whole.len() - rest).rev().step_by(1 + whole.len() / 200) {
            assert!(decoded(&whole[..length], Background::WHITE).is_err(), "{name} cut to {length}");
        }
        let more = [&whole[..], b"trailing bytes"].concat();
        assert!(decoded(&more, Background::WHITE).is_ok(), "{name} with more");
    }
}

/// Any byte changed: an image, or a clause, and never a panic.
#[test]
fn damaged_files_are_refused_or_read() {
    for name in ["baseline-420.jpg", "progressive.jpg", "lossy.webp", "turned-6.png", "turned-6.jpg"] {
        let whole = fixture(name);
        for at in (0..whole.len()).step_by(3) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x55;
            // Sides that a changed byte makes huge are the reader's to refuse.
            if let Ok(header) = Header::read(&bytes)
                && header.need < 1 << 24
            {
                let _ = header.decode(Background::WHITE);
            }
        }
    }
}
