//! Draws a scene through plotters: as SVG text and as PNG bytes.

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::Color as _;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::font;
use super::scene::{Align, Scene, Shape};
use super::style::{Color, FAMILY};
use crate::error::{Error, Result};

/// Plotters places everything on whole pixels; scenes are drawn this many times larger to place it finely.
const FINE: f64 = 4.0;
/// Pixels of the PNG per pixel of the scene, for print.
const PNG_SCALE: usize = 2;

/// How a text is put on a canvas.
#[derive(Clone, Copy, PartialEq)]
enum TextAs {
    /// A text element, for the viewer to set.
    Text,
    /// Pixels of the built-in font.
    Pixels,
}

/// The scene as an SVG document.
///
/// # Errors
/// Only where plotters fails, which it should not.
pub fn svg(scene: &Scene) -> Result<String> {
    let (w, h) = pixels(scene);
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (w, h)).into_drawing_area();
        draw(scene, &area, TextAs::Text)?;
        area.present().map_err(failed)?;
    }
    // Shown at the scene's own size; the view box keeps the fine coordinates.
    let fine = format!("width=\"{w}\" height=\"{h}\"");
    let shown = format!("width=\"{}\" height=\"{}\"", scene.width, scene.height);
    Ok(text.replacen(&fine, &shown, 1))
}

/// The scene as a PNG file.
///
/// # Errors
/// Only where plotters or the encoder fails, which they should not.
pub fn png(scene: &Scene) -> Result<Vec<u8>> {
    let (w, h) = pixels(scene);
    let mut fine = vec![255u8; 3 * w as usize * h as usize];
    {
        let area = BitMapBackend::with_buffer(&mut fine, (w, h)).into_drawing_area();
        draw(scene, &area, TextAs::Pixels)?;
        area.present().map_err(failed)?;
    }
    let shrink = FINE as usize / PNG_SCALE;
    let small = average(&fine, w as usize, h as usize, shrink);
    let mut file = Vec::new();
    PngEncoder::new_with_quality(&mut file, CompressionType::Best, FilterType::Adaptive)
        .write_image(&small, w / shrink as u32, h / shrink as u32, ExtendedColorType::Rgb8)
        .map_err(failed)?;
    Ok(file)
}

fn pixels(scene: &Scene) -> (u32, u32) {
    let fine = |v: f64| (v.clamp(1.0, 10_000.0) * FINE).round() as u32;
    (fine(scene.width), fine(scene.height))
}

/// Mean of each square of `side` pixels: smooth edges for everything alike.
fn average(pixels: &[u8], w: usize, h: usize, side: usize) -> Vec<u8> {
    let (ow, oh) = (w / side, h / side);
    let mut out = Vec::with_capacity(3 * ow * oh);
    for y in 0..oh {
        for x in 0..ow {
            for channel in 0..3 {
                let sum: u32 = (0..side * side)
                    .map(|i| (y * side + i / side) * w + x * side + i % side)
                    .map(|at| u32::from(pixels[3 * at + channel]))
                    .sum();
                let n = (side * side) as u32;
                out.push(((sum + n / 2) / n) as u8);
            }
        }
    }
    out
}

fn draw<B: DrawingBackend>(scene: &Scene, area: &DrawingArea<B, Shift>, text: TextAs) -> Result<()> {
    area.fill(&WHITE).map_err(failed)?;
    for shape in &scene.shapes {
        draw_shape(shape, area, text)?;
    }
    Ok(())
}

fn draw_shape<B: DrawingBackend>(shape: &Shape, area: &DrawingArea<B, Shift>, text_as: TextAs) -> Result<()> {
    match shape {
        Shape::Line { points, color, width } => {
            let stroke = (width * FINE).round().max(1.0) as u32;
            let points: Vec<(i32, i32)> = points.iter().map(|p| at(*p)).collect();
            area.draw(&PathElement::new(points, rgba(*color).stroke_width(stroke)))
        }
        Shape::Polygon { points, color } => {
            let points: Vec<(i32, i32)> = points.iter().map(|p| at(*p)).collect();
            area.draw(&Polygon::new(points, rgba(*color).filled()))
        }
        Shape::Circle { center, radius, color } => {
            let radius = (radius * FINE).round().max(1.0) as i32;
            area.draw(&Circle::new(at(*center), radius, rgba(*color).filled()))
        }
        Shape::Text { .. } if text_as == TextAs::Pixels => return set_pixels(shape, area),
        Shape::Text { at: (x, y), text, size, color, bold, align, turned } => {
            // plotters-svg writes `font-size = size / 1.24` and drops a top-anchored text by 0.76 em.
            let weight = if *bold { FontStyle::Bold } else { FontStyle::Normal };
            let font = FontDesc::new(FontFamily::Name(FAMILY), size * 1.24 * FINE, weight);
            let drop = 0.76 * size;
            let (font, position) = if *turned {
                (font.transform(FontTransform::Rotate270), at((x - drop, *y)))
            } else {
                (font, at((*x, y - drop)))
            };
            let anchor = match align {
                Align::Left => HPos::Left,
                Align::Center => HPos::Center,
                Align::Right => HPos::Right,
            };
            let color = rgba(*color);
            let style = TextStyle::from(font).color(&color).pos(Pos::new(anchor, VPos::Top));
            area.draw(&Text::new(text.as_str(), position, style))
        }
    }
    .map_err(failed)
}

/// Sets a text in the built-in font; other shapes are left alone.
fn set_pixels<B: DrawingBackend>(shape: &Shape, area: &DrawingArea<B, Shift>) -> Result<()> {
    let Shape::Text { at: position, text, size, color, bold, align, turned } = shape else {
        return Ok(());
    };
    let size = size * FINE;
    let share = match align {
        Align::Left => 0.0,
        Align::Center => 0.5,
        Align::Right => 1.0,
    };
    let start = (share * font::width(text, size, *bold)).round() as i32;
    let (x, y) = at(*position);
    let (width, height) = area.dim_in_pixel();
    font::rasterize(text, size, *bold, |dx, dy, coverage| {
        let dx = dx - start;
        let (px, py) = if *turned { (x + dy, y - dx) } else { (x + dx, y + dy) };
        if (0..width as i32).contains(&px) && (0..height as i32).contains(&py) {
            let color = rgba(color.alpha(color.3 * f64::from(coverage)));
            area.draw_pixel((px, py), &color).map_err(failed)?;
        }
        Ok(())
    })
}

fn at((x, y): (f64, f64)) -> (i32, i32) {
    ((x * FINE).round() as i32, (y * FINE).round() as i32)
}

fn rgba(Color(r, g, b, alpha): Color) -> RGBAColor {
    RGBAColor(r, g, b, alpha)
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::run(format!("a figure could not be drawn: {error}"))
}
