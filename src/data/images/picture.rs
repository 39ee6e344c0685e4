//! One image file to the pixels that a viewer shows: turned as its EXIF orientation says, on a background where it is
//! transparent, refused where it is cut off or too large for the memory.

use std::borrow::Cow;
use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};

use super::jpeg;
use super::kind::Kind;
use crate::config::Background;
use crate::text;

/// An image as it is shown.
#[derive(Debug)]
pub(super) struct Picture {
    pub pixels: RgbImage,
    /// Some of it is transparent.
    pub is_transparent: bool,
    /// Its EXIF orientation turned or mirrored it.
    pub is_turned: bool,
}

/// A file whose header has been read: what decoding it takes is known.
pub(super) struct Header<'a> {
    bytes: &'a [u8],
    format: ImageFormat,
    /// Width and height as they are stored.
    pub size: (u32, u32),
    /// Bytes that decoding takes at most: the file's pixels, its decoder's own, and the copies that turn and convert them.
    pub need: u64,
}

/// Bytes a pixel that a decoder keeps besides its result: coefficients of a progressive JPEG, planes and the canvas of WebP.
fn overhead(format: ImageFormat) -> u64 {
    match format {
        ImageFormat::Jpeg => 7,
        ImageFormat::WebP => 10,
        _ => 1,
    }
}

impl<'a> Header<'a> {
    /// Reads the header of a whole file.
    ///
    /// # Errors
    /// A clause: it is no image of a format that is read, or its header does not read.
    pub fn read(bytes: &'a [u8]) -> Result<Self, String> {
        let format = match Kind::of(bytes) {
            Kind::Read(format) => format,
            Kind::Other(name) => return Err(format!("it is a {name} image, which is not read")),
            Kind::Empty => return Err("the file is empty".into()),
            Kind::NoImage => return Err("it is no image".into()),
        };
        // A header may have to be unpacked, but none has megabytes.
        let decoder = decoder(bytes, format, 64 << 20)?;
        let size = decoder.dimensions();
        if size.0 == 0 || size.1 == 0 {
            return Err("it has no pixels".into());
        }
        let pixels = u64::from(size.0) * u64::from(size.1);
        let stored = u64::from(decoder.color_type().bytes_per_pixel());
        let need = pixels.saturating_mul(stored + overhead(format) + 6) + 2 * bytes.len() as u64;
        Ok(Header { bytes, format, size, need })
    }

    /// Decodes it.
    ///
    /// # Errors
    /// A clause: it is damaged, or cut off.
    pub fn decode(&self, background: Background) -> Result<Picture, String> {
        if let Some(fault) = fault(self.bytes, self.format) {
            return Err(fault);
        }
        let bytes = ended(self.bytes, self.format);
        let mut decoder = decoder(&bytes, self.format, self.need)?;
        let orientation = orientation(self.bytes, self.format, &mut decoder);
        let image =
            DynamicImage::from_decoder(decoder).map_err(|error| text::one_line(&error.to_string()))?;
        let (pixels, is_transparent) = on(image, background);
        let is_turned = orientation != Orientation::NoTransforms;
        let mut image = DynamicImage::ImageRgb8(pixels);
        image.apply_orientation(orientation);
        Ok(Picture { pixels: image.into_rgb8(), is_transparent, is_turned })
    }
}

/// The file with an end marker, where it lacks one alone: the decoder would leave the last blocks grey.
fn ended(bytes: &[u8], format: ImageFormat) -> Cow<'_, [u8]> {
    const END: [u8; 2] = [0xff, 0xd9];
    match format {
        ImageFormat::Jpeg if !bytes.ends_with(&END) => Cow::Owned([bytes, &END].concat()),
        _ => Cow::Borrowed(bytes),
    }
}

fn decoder(bytes: &[u8], format: ImageFormat, most: u64) -> Result<impl ImageDecoder + '_, String> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(most);
    reader.limits(limits);
    reader.into_decoder().map_err(|error| text::one_line(&error.to_string()))
}

/// What is wrong with a file of which a decoder would fill in what is missing.
fn fault(bytes: &[u8], format: ImageFormat) -> Option<String> {
    match format {
        ImageFormat::Jpeg => jpeg::fault(bytes),
        ImageFormat::WebP => {
            // The container says how long it is after these eight bytes; the last one may be padding.
            let told = 7 + u64::from(u32::from_le_bytes(*bytes.get(4..)?.first_chunk()?));
            let there = bytes.len() as u64;
            (there < told).then(|| format!("it is cut off: {there} of {} bytes are there", told + 1))
        }
        _ => None,
    }
}

/// How the file says that it is to be turned; what does not read turns nothing, as in viewers.
fn orientation(bytes: &[u8], format: ImageFormat, decoder: &mut impl ImageDecoder) -> Orientation {
    let exif = match format {
        // The chunk may follow the pixels, which the decoder has not read yet.
        ImageFormat::Png => png_exif(bytes).map(<[u8]>::to_vec),
        _ => decoder.exif_metadata().ok().flatten(),
    };
    let exif = exif.as_deref().unwrap_or_default();
    // Some writers put the beginning of a JPEG segment before it.
    let exif = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    Orientation::from_exif_chunk(exif).unwrap_or(Orientation::NoTransforms)
}

/// The EXIF chunk of a PNG file.
fn png_exif(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes.get(8..)?;
    loop {
        let length = u32::from_be_bytes(*rest.first_chunk()?) as usize;
        let body = rest.get(8..)?.get(..length);
        match &rest[4..8] {
            b"eXIf" => return body,
            b"IEND" => return None,
            _ => rest = rest.get(8 + length + 4..)?,
        }
    }
}

/// An image on a background, and whether any of it shows through.
fn on(image: DynamicImage, Background(background): Background) -> (RgbImage, bool) {
    if !image.color().has_alpha() {
        return (image.into_rgb8(), false);
    }
    let image = image.into_rgba8();
    let mut is_transparent = false;
    let mut shown = RgbImage::new(image.width(), image.height());
    for (shown, pixel) in shown.pixels_mut().zip(image.pixels()) {
        let [colour @ .., alpha] = pixel.0;
        is_transparent |= alpha < 255;
        let alpha = u32::from(alpha);
        for ((shown, colour), behind) in shown.0.iter_mut().zip(colour).zip(background) {
            // At most 255 * 255, so the rounded quotient is a byte.
            *shown = ((u32::from(colour) * alpha + u32::from(behind) * (255 - alpha) + 127) / 255) as u8;
        }
    }
    (shown, is_transparent)
}

#[cfg(test)]
#[path = "picture_tests.rs"]
mod tests;
