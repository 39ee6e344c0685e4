//! Colours, sizes and the font of every figure.

/// Font family: DejaVu Sans is what PNG draws; SVG viewers without it fall back to faces of the same or a smaller width.
pub const FAMILY: &str = "DejaVu Sans, Verdana, Arial, sans-serif";

/// A colour with its opacity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Color(pub u8, pub u8, pub u8, pub f64);

impl Color {
    /// The same colour at another opacity.
    pub fn alpha(self, alpha: f64) -> Self {
        Self(self.0, self.1, self.2, alpha)
    }
}

/// Text and axes.
pub const INK: Color = Color(38, 38, 38, 1.0);
/// Secondary text.
pub const MUTED: Color = Color(110, 110, 110, 1.0);
/// Grid lines.
pub const GRID: Color = Color(228, 228, 228, 1.0);
/// Dominated points.
pub const PALE: Color = Color(160, 168, 176, 1.0);
/// The background.
pub const PAPER: Color = Color(255, 255, 255, 1.0);

/// Okabe and Ito's colour-blind safe palette (2008), without yellow and black, which are hard to see or mean text.
pub const PALETTE: [Color; 8] = [
    Color(0, 114, 178, 1.0),
    Color(213, 94, 0, 1.0),
    Color(0, 158, 115, 1.0),
    Color(204, 121, 167, 1.0),
    Color(230, 159, 0, 1.0),
    Color(86, 180, 233, 1.0),
    Color(120, 94, 60, 1.0),
    Color(90, 90, 90, 1.0),
];

/// Title of a figure, in pixels of an em.
pub const TITLE: f64 = 17.0;
/// Names of axes and panels.
pub const NAME: f64 = 13.0;
/// Ticks, labels, legends.
pub const SMALL: f64 = 11.5;

/// Width of `text` at an em of `size` pixels.
pub fn text_width(text: &str, size: f64, bold: bool) -> f64 {
    super::font::width(text, size, bold)
}

/// `text`, or as much of it as fits `width` with an ellipsis in its middle, where names differ least.
pub fn fit(text: &str, size: f64, width: f64) -> String {
    if text_width(text, size, false) <= width {
        return text.to_owned();
    }
    let chars: Vec<char> = text.chars().collect();
    let mut keep = chars.len().saturating_sub(1);
    while keep > 2 {
        let head = keep.div_ceil(2);
        let short: String =
            chars[..head].iter().chain(['…'].iter()).chain(&chars[chars.len() - (keep - head)..]).collect();
        if text_width(&short, size, false) <= width {
            return short;
        }
        keep -= 1;
    }
    "…".to_owned()
}

/// `text` broken at spaces into lines no wider than `width`; a longer word stays whole.
pub fn wrap(text: &str, size: f64, width: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if text_width(&format!("{line} {word}"), size, false) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
