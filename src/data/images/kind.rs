//! What a file is by its first bytes; names lie, contents do not.

use image::ImageFormat;

/// Bytes that are enough to tell.
pub(super) const FIRST_BYTES: usize = 256;

/// What the bytes of a file begin as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Read(ImageFormat),
    /// An image of a format that is not read, by name.
    Other(&'static str),
    Empty,
    NoImage,
}

/// Endings of the formats that are read: a file of such a name claims to be an image.
const ENDINGS: [&str; 8] = ["png", "jpg", "jpeg", "jpe", "jfif", "webp", "bmp", "dib"];

/// Beginnings of formats that are not read.
const OTHERS: [(&[u8], &str); 17] = [
    (b"GIF8", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL \r\n", "JPEG XL"),
    (b"\0\0\0\x0cjP  \r\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"8BPS", "Photoshop"),
    (b"qoif", "QOI"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"DDS ", "DDS"),
    (b"\0\0\x01\0", "ICO"),
    (b"<svg", "SVG"),
    (b"farbfeld", "farbfeld"),
];

/// Brands of ISO base media files that hold images.
const BRANDS: [(&[u8], &str); 8] = [
    (b"avif", "AVIF"),
    (b"avis", "AVIF"),
    (b"heic", "HEIC"),
    (b"heix", "HEIC"),
    (b"hevc", "HEIC"),
    (b"heim", "HEIC"),
    (b"mif1", "HEIF"),
    (b"msf1", "HEIF"),
];

impl Kind {
    /// Of the first [`FIRST_BYTES`] of a file, or all that there are.
    pub fn of(bytes: &[u8]) -> Kind {
        if bytes.is_empty() {
            return Kind::Empty;
        }
        if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            return Kind::Read(ImageFormat::Png);
        }
        if bytes.starts_with(b"\xff\xd8\xff") {
            return Kind::Read(ImageFormat::Jpeg);
        }
        if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
            return Kind::Read(ImageFormat::WebP);
        }
        if is_bmp(bytes) {
            return Kind::Read(ImageFormat::Bmp);
        }
        if let Some((_, name)) = OTHERS.iter().find(|(start, _)| bytes.starts_with(start)) {
            return Kind::Other(name);
        }
        if bytes.get(4..8) == Some(b"ftyp") {
            let brand = |at: usize| BRANDS.iter().find(|(brand, _)| bytes.get(at..at + 4) == Some(*brand));
            if let Some((_, name)) = brand(8).or_else(|| brand(16)) {
                return Kind::Other(name);
            }
        }
        // P1 to P7, then white space: text such as `P1.` is none.
        if let [b'P', b'1'..=b'7', b' ' | b'\n' | b'\r' | b'\t', ..] = bytes {
            return Kind::Other("PNM");
        }
        if bytes.starts_with(b"<?xml") && bytes.windows(4).any(|four| four == b"<svg") {
            return Kind::Other("SVG");
        }
        Kind::NoImage
    }
}

/// `BM` alone may begin a text: the length of the second header, of which there are few, must be there too.
fn is_bmp(bytes: &[u8]) -> bool {
    let header = bytes.get(14..18).and_then(|four| four.try_into().ok()).map(u32::from_le_bytes);
    bytes.starts_with(b"BM") && header.is_some_and(|n| [12, 16, 40, 52, 56, 64, 108, 124].contains(&n))
}

/// Whether a file of this name says that it is an image of a format that is read.
pub(super) fn claims_to_be_read(name: &str) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(_, ending)| ENDINGS.iter().any(|known| known.eq_ignore_ascii_case(ending)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Beginnings from the formats' specifications.
    #[test]
    fn formats_are_known_by_their_contents() {
        for (bytes, kind) in [
            (&b""[..], Kind::Empty),
            (b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", Kind::Read(ImageFormat::Png)),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", Kind::Read(ImageFormat::Jpeg)),
            (b"RIFF\x10\0\0\0WEBPVP8L", Kind::Read(ImageFormat::WebP)),
            (b"RIFF\x10\0\0\0WAVEfmt ", Kind::NoImage),
            (b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", Kind::Read(ImageFormat::Bmp)),
            (b"BMW and Audi are makers of cars", Kind::NoImage),
            (b"GIF89a\x01\0", Kind::Other("GIF")),
            (b"II*\0\x08\0\0\0", Kind::Other("TIFF")),
            (b"\0\0\0\x1cftypavif\0\0\0\0", Kind::Other("AVIF")),
            (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", Kind::Other("HEIF")),
            (b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2", Kind::NoImage),
            (b"\xff\x0a\xfa\x1f", Kind::Other("JPEG XL")),
            (b"P6\n2 2\n255\n", Kind::Other("PNM")),
            (b"<?xml version=\"1.0\"?>\n<svg width=\"1\">", Kind::Other("SVG")),
            (b"<?xml version=\"1.0\"?>\n<annotation>", Kind::NoImage),
            (b"<html>", Kind::NoImage),
        ] {
            assert_eq!(Kind::of(bytes), kind, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn names_claim_to_be_images() {
        for (name, claims) in [
            ("a.PNG", true),
            ("b.jfif", true),
            ("c.jpe", true),
            ("d", false),
            ("e.txt", false),
            ("png", false),
        ] {
            assert_eq!(claims_to_be_read(name), claims, "{name}");
        }
    }
}
