//! The built-in font: widths for layout, and glyphs for PNG.
//!
//! Plotters draws bitmap text without the glyphs' side bearings, which sets `mix` as `mi x`; so PNG text is set here,
//! pixel by pixel on plotters' canvas. SVG text stays text.

use std::sync::OnceLock;

use ab_glyph::{Font, FontRef, PxScale, ScaleFont};

use crate::error::{Error, Result};

/// The two weights.
struct Fonts {
    regular: FontRef<'static>,
    bold: FontRef<'static>,
}

fn fonts() -> Option<&'static Fonts> {
    static FONTS: OnceLock<Option<Fonts>> = OnceLock::new();
    FONTS
        .get_or_init(|| {
            Some(Fonts {
                regular: FontRef::try_from_slice(dejavu::sans::regular()).ok()?,
                bold: FontRef::try_from_slice(dejavu::sans::bold()).ok()?,
            })
        })
        .as_ref()
}

/// ab_glyph scales by the height of a line, not by the em.
fn scale(font: &FontRef<'_>, em: f64) -> PxScale {
    let units = f64::from(font.units_per_em().unwrap_or(2048.0));
    PxScale::from((em * f64::from(font.height_unscaled()) / units) as f32)
}

/// Width of `text` at an em of `size` pixels.
pub fn width(text: &str, size: f64, bold: bool) -> f64 {
    let Some(fonts) = fonts() else {
        // Nothing is drawn without the font; a guess keeps the layout sane.
        return 0.6 * size * text.chars().count() as f64;
    };
    let font = if bold { &fonts.bold } else { &fonts.regular };
    let font = font.as_scaled(scale(font, size));
    let mut width = 0.0;
    let mut previous = None;
    for c in text.chars() {
        let glyph = font.glyph_id(c);
        if let Some(previous) = previous {
            width += font.kern(previous, glyph);
        }
        width += font.h_advance(glyph);
        previous = Some(glyph);
    }
    f64::from(width)
}

/// Calls `pixel(x, y, coverage)` for every pixel of `text`, its baseline starting at (0, 0), y downwards.
///
/// # Errors
/// The font cannot be read, or `pixel` fails.
pub fn rasterize(
    text: &str,
    size: f64,
    bold: bool,
    mut pixel: impl FnMut(i32, i32, f32) -> Result<()>,
) -> Result<()> {
    let fonts = fonts().ok_or_else(|| Error::run("the built-in font cannot be read"))?;
    let font = if bold { &fonts.bold } else { &fonts.regular };
    let scale = scale(font, size);
    let scaled = font.as_scaled(scale);
    let mut x = 0.0;
    let mut previous = None;
    for c in text.chars() {
        let id = font.glyph_id(c);
        if let Some(previous) = previous {
            x += scaled.kern(previous, id);
        }
        previous = Some(id);
        let glyph = id.with_scale_and_position(scale, ab_glyph::point(x, 0.0));
        if let Some(outline) = font.outline_glyph(glyph) {
            let corner = outline.px_bounds().min;
            let mut result = Ok(());
            outline.draw(|dx, dy, coverage| {
                if result.is_ok() && coverage > 0.0 {
                    let at = (corner.x as i32 + dx as i32, corner.y as i32 + dy as i32);
                    result = pixel(at.0, at.1, coverage.min(1.0));
                }
            });
            result?;
        }
        x += scaled.h_advance(id);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// fontTools 4.x on DejaVuSans.ttf: advance widths of m, i, x are 1995, 569 and 1212 of 2048 units; no kerning among them.
    #[test]
    fn widths_are_the_fonts_own() {
        let expected = (1995.0 + 569.0 + 1212.0) / 2048.0 * 100.0;
        assert!((width("mix", 100.0, false) - expected).abs() < 0.05);
        assert!(width("mix", 100.0, true) > expected);
    }
}
