//! A drawing as pixels, by resvg with the built-in font.

use std::sync::Arc;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::fontdb::Database;
use resvg::usvg::{Options, Tree};

use super::Drawing;
use crate::error::{Error, Result};

/// Pixels per point: 300 dots an inch, as journals ask for.
const SCALE: f64 = 300.0 / 72.0;
/// Most pixels, each 4 bytes while it is drawn: a network of hundreds of blocks is drawn coarser.
const MOST: f64 = 40e6;

impl Drawing {
    /// The drawing as a PNG file.
    ///
    /// # Errors
    /// Only where the renderer or the encoder fails, which they should not.
    pub fn png(&self) -> Result<Vec<u8>> {
        let tree = Tree::from_str(&self.svg, &options()).map_err(failed)?;
        let [width, height] = pixels(self.width, self.height);
        let mut canvas =
            Pixmap::new(width, height).ok_or_else(|| failed(format!("{width}x{height} pixels")))?;
        let size = tree.size();
        let transform = Transform::from_scale(width as f32 / size.width(), height as f32 / size.height());
        resvg::render(&tree, transform, &mut canvas.as_mut());
        // The paper is opaque, so no colour has to be divided by its opacity.
        let colors = canvas.data().as_chunks::<4>().0;
        let rgb: Vec<u8> = colors.iter().flat_map(|[r, g, b, _]| [*r, *g, *b]).collect();
        let mut file = Vec::new();
        PngEncoder::new_with_quality(&mut file, CompressionType::Best, FilterType::Adaptive)
            .write_image(&rgb, width, height, ExtendedColorType::Rgb8)
            .map_err(failed)?;
        Ok(file)
    }
}

/// Width and height of a drawing of so many points.
fn pixels(width: f64, height: f64) -> [u32; 2] {
    let scale = SCALE.min((MOST / (width * height).max(1.0)).sqrt());
    [width, height].map(|side| (side * scale).round().max(1.0) as u32)
}

/// No font of the system: the same network gives the same file on every machine.
fn options() -> Options<'static> {
    let mut fonts = Database::new();
    fonts.load_font_data(dejavu::sans::regular().to_vec());
    fonts.load_font_data(dejavu::sans::bold().to_vec());
    Options { fontdb: Arc::new(fonts), font_family: "DejaVu Sans".into(), ..Options::default() }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::run(format!("the drawing could not be made into pixels: {error}"))
}

#[cfg(test)]
mod tests {
    use super::super::{Detail, Width, draw};
    use super::pixels;
    use crate::arch::zoo;

    #[test]
    fn a_column_has_300_dots_an_inch_and_the_longest_drawing_an_end() {
        // 252 points are 3.5 inches: 1050 dots.
        assert_eq!(pixels(252.0, 504.0), [1050, 2100]);
        let [width, height] = pixels(252.0, 50_000.0);
        assert!(u64::from(width) * u64::from(height) <= 40_100_000, "{width}x{height}");
    }

    /// The paper is white, the strokes and texts are not, and the same network is the same picture.
    #[test]
    fn the_picture_has_ink_on_white() {
        let network = zoo::network("mix", &zoo::Options::default()).unwrap();
        let drawing = draw(&network, "mix", Detail::Stages, Width::Column);
        let png = drawing.png().unwrap();
        assert_eq!(png, drawing.png().unwrap());
        let picture = image::load_from_memory(&png).unwrap().into_rgb8();
        assert_eq!([picture.width(), picture.height()], pixels(drawing.width, drawing.height));
        assert_eq!(picture.get_pixel(0, 0).0, [255, 255, 255]);
        // The caption under the picture is text: its rows have dark pixels.
        let bottom = (picture.height() * 9 / 10..picture.height()).flat_map(|y| {
            let picture = &picture;
            (0..picture.width()).map(move |x| picture.get_pixel(x, y).0)
        });
        assert!(bottom.filter(|rgb| rgb.iter().all(|v| *v < 100)).count() > 500);
    }
}
