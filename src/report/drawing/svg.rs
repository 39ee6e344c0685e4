//! Writing SVG: shapes, texts and named groups.
//!
//! The report's figures are drawn as SVG and PNG through plotters, which knows neither groups nor curves; a drawing of a
//! network is SVG alone, and its groups name the stages, so that an author can move them.

use std::fmt::Write as _;

use crate::report::figure::scene::Align;
use crate::report::figure::style::{Color, FAMILY};
use crate::text::line;

/// The body of a document, as it grows.
#[derive(Debug, Default)]
pub struct Svg {
    body: String,
}

/// A rectangle: left, top, width, height, in points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rect {
    pub x: f64,
    pub y: f64,
    pub w: f64,
    pub h: f64,
}

/// How an outline is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stroke {
    pub color: Color,
    pub width: f64,
    pub dashed: bool,
}

impl Stroke {
    /// A line without dashes.
    pub const fn solid(color: Color, width: f64) -> Self {
        Self { color, width, dashed: false }
    }
}

impl Svg {
    /// Opens a group with attributes and a title that viewers show at the pointer.
    pub fn open(&mut self, class: &str, attributes: &[(&str, &str)], title: &str) {
        let _ = write!(self.body, "<g class=\"{class}\"");
        for (name, value) in attributes {
            let _ = write!(self.body, " {name}=\"{}\"", escape(value));
        }
        self.body.push_str(">\n");
        if !title.is_empty() {
            let _ = writeln!(self.body, "<title>{}</title>", escape(title));
        }
    }

    /// Closes the group opened last.
    pub fn close(&mut self) {
        self.body.push_str("</g>\n");
    }

    /// A rectangle with round corners.
    pub fn rect(&mut self, class: &str, rect: Rect, radius: f64, fill: Color, stroke: Option<Stroke>) {
        let Rect { x, y, w, h } = rect;
        let (x, y, w, h, r) = (n(x), n(y), n(w), n(h), n(radius));
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        let _ = writeln!(
            self.body,
            "<rect{class} x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"{r}\" fill=\"{}\"{}/>",
            color(fill),
            stroke.map_or(String::new(), outline)
        );
    }

    /// A circle.
    pub fn circle(&mut self, (x, y): (f64, f64), radius: f64, fill: Color, stroke: Option<Stroke>) {
        let _ = writeln!(
            self.body,
            "<circle cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"{}\"{}/>",
            n(x),
            n(y),
            n(radius),
            color(fill),
            stroke.map_or(String::new(), outline)
        );
    }

    /// A polygon.
    pub fn polygon(&mut self, points: &[(f64, f64)], fill: Color, stroke: Option<Stroke>) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{},{}", n(*x), n(*y))).collect();
        let _ = writeln!(
            self.body,
            "<polygon points=\"{}\" fill=\"{}\"{}/>",
            points.join(" "),
            color(fill),
            stroke.map_or(String::new(), |s| outline(s) + " stroke-linejoin=\"round\"")
        );
    }

    /// A line through points, its corners rounded.
    pub fn line(&mut self, points: &[(f64, f64)], stroke: Stroke) {
        const RADIUS: f64 = 3.0;
        let [first, inner @ .., last] = points else { return };
        let mut path = format!("M{} {}", n(first.0), n(first.1));
        let mut before = *first;
        for (i, corner) in inner.iter().enumerate() {
            let after = inner.get(i + 1).unwrap_or(last);
            let toward = |to: (f64, f64)| {
                let length = (to.0 - corner.0).hypot(to.1 - corner.1);
                let share = if length > 0.0 { (RADIUS / length).min(0.5) } else { 0.0 };
                (corner.0 + (to.0 - corner.0) * share, corner.1 + (to.1 - corner.1) * share)
            };
            let (a, b) = (toward(before), toward(*after));
            let _ =
                write!(path, "L{} {}Q{} {} {} {}", n(a.0), n(a.1), n(corner.0), n(corner.1), n(b.0), n(b.1));
            before = *corner;
        }
        let _ = write!(path, "L{} {}", n(last.0), n(last.1));
        let _ = writeln!(self.body, "<path d=\"{path}\" fill=\"none\"{}/>", outline(stroke));
    }

    /// A line through points with an arrowhead at its end.
    pub fn arrow(&mut self, points: &[(f64, f64)], stroke: Stroke) {
        const LENGTH: f64 = 3.6;
        let [.., before, tip] = points else { return };
        let (dx, dy) = (tip.0 - before.0, tip.1 - before.1);
        let length = dx.hypot(dy);
        if length < 1e-6 {
            return;
        }
        let (ux, uy) = (dx / length, dy / length);
        let back = (tip.0 - ux * LENGTH, tip.1 - uy * LENGTH);
        let mut shaft = points.to_vec();
        if let Some(end) = shaft.last_mut() {
            *end = (tip.0 - ux * LENGTH.min(length) * 0.7, tip.1 - uy * LENGTH.min(length) * 0.7);
        }
        self.line(&shaft, stroke);
        let half = LENGTH * 0.42;
        let head = [*tip, (back.0 - uy * half, back.1 + ux * half), (back.0 + uy * half, back.1 - ux * half)];
        self.polygon(&head, stroke.color, None);
    }

    /// A text on its baseline.
    pub fn text(&mut self, (x, y): (f64, f64), text: &str, font: Font, align: Align) {
        if text.is_empty() {
            return;
        }
        let anchor = match align {
            Align::Left => "",
            Align::Center => " text-anchor=\"middle\"",
            Align::Right => " text-anchor=\"end\"",
        };
        let weight = if font.bold { " font-weight=\"bold\"" } else { "" };
        let _ = writeln!(
            self.body,
            "<text x=\"{}\" y=\"{}\" font-size=\"{}\" fill=\"{}\"{anchor}{weight}>{}</text>",
            n(x),
            n(y),
            n(font.size),
            color(font.color),
            escape(text)
        );
    }

    /// The whole document, `width` by `height` points.
    pub fn document(self, width: f64, height: f64, title: &str, description: &str) -> String {
        let (w, h) = (n(width), n(height));
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}pt\" height=\"{h}pt\" viewBox=\"0 0 {w} {h}\" \
             role=\"img\" font-family=\"{FAMILY}\">\n<title>{}</title>\n<desc>{}</desc>\n\
             <rect width=\"{w}\" height=\"{h}\" fill=\"#ffffff\"/>\n{}</svg>\n",
            escape(title),
            escape(description),
            self.body
        )
    }
}

/// Size, weight and colour of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Font {
    /// Em in points.
    pub size: f64,
    pub bold: bool,
    pub color: Color,
}

/// A text as XML may hold it: markup escaped, and characters that XML does not know, or no one sees, written out.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in line(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

/// A number with at most two decimals.
fn n(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// A colour with its opacity laid over paper, so that no renderer has to know opacity.
fn color(Color(r, g, b, alpha): Color) -> String {
    let over = |v: u8| (f64::from(v) * alpha + 255.0 * (1.0 - alpha)).round() as u8;
    format!("#{:02x}{:02x}{:02x}", over(r), over(g), over(b))
}

fn outline(stroke: Stroke) -> String {
    let dashes = if stroke.dashed { " stroke-dasharray=\"2 1.4\"" } else { "" };
    format!(" stroke=\"{}\" stroke-width=\"{}\"{dashes}", color(stroke.color), n(stroke.width))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// XML 1.0, sections 2.2 (characters) and 2.4 (markup).
    #[test]
    fn texts_are_escaped() {
        assert_eq!(escape("a<b> & \"c\"\u{1}\u{ffff}"), "a&lt;b&gt; &amp; &quot;c&quot;\\u{1}\\u{ffff}");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([n(1.0), n(-0.001), n(2.345678), n(10.5)], ["1", "0", "2.35", "10.5"]);
    }
}
