//! Sizes, tones and texts of a drawing.

use super::svg::{Font, Stroke, Svg};
use crate::report::figure::scene::Align;
use crate::report::figure::style::{self, Color, INK, MUTED, PALETTE};

/// Labels.
pub const BODY: Font = Font { size: 7.0, bold: false, color: INK };
/// What stands beside them.
pub const NOTE: Font = Font { size: 6.0, bold: false, color: MUTED };
/// Frames.
pub const HAIR: Color = Color(170, 170, 170, 1.0);
/// The background of bars.
pub const TROUGH: Color = Color(232, 232, 232, 1.0);

/// The bold weight of a font.
pub fn bold(font: Font) -> Font {
    Font { bold: true, ..font }
}

/// The fill of a kind: neighbours differ in lightness too, for print without colours.
pub fn tone(number: usize) -> Color {
    const DEPTH: [f64; 6] = [0.20, 0.48, 0.42, 0.24, 0.62, 0.50];
    PALETTE[number % PALETTE.len()].alpha(DEPTH[number % DEPTH.len()])
}

/// Width of a text.
pub fn width(text: &str, font: Font) -> f64 {
    style::text_width(text, font.size, font.bold)
}

/// As much of a text as fits.
pub fn fit(text: &str, font: Font, room: f64) -> String {
    // Measured in the wider weight, so that it fits in both.
    if style::text_width(text, font.size, font.bold) <= room {
        return text.to_owned();
    }
    let wider = if font.bold { 1.15 } else { 1.0 };
    // A text of any length is cut to what could fit before it is measured again and again.
    let most = (room / font.size * 4.0) as usize + 8;
    let count = text.chars().count();
    let text: String = if count > 2 * most {
        let (head, tail) = (text.chars().take(most), text.chars().skip(count - most));
        head.chain(tail).collect()
    } else {
        text.to_owned()
    };
    // Something was left out in any case.
    let fitted = style::fit(&text, font.size * wider, room);
    if fitted == text { "…".to_owned() } else { fitted }
}

/// A text in lines no wider than `room`, at most `most` of them; the last tells that there is more.
pub fn lines(text: &str, font: Font, room: f64, most: usize) -> Vec<String> {
    let size = if font.bold { font.size * 1.15 } else { font.size };
    let mut lines = style::wrap(text, size, room);
    if lines.len() > most {
        let rest = lines.split_off(most.saturating_sub(1)).join(" ");
        lines.push(rest);
    }
    lines.iter().map(|line| fit(line, font, room)).collect()
}

/// Width of a badge.
pub fn badge_width(letter: &str) -> f64 {
    (width(letter, bold(BODY)) + 4.0).max(9.0)
}

/// A kind's letter on its tone, left and middle at a point; returns its width.
pub fn badge(svg: &mut Svg, (x, y): (f64, f64), letter: &str, number: usize) -> f64 {
    let w = badge_width(letter);
    let rect = super::svg::Rect { x, y: y - 4.5, w, h: 9.0 };
    svg.rect("", rect, 4.5, tone(number), Some(Stroke::solid(INK, 0.5)));
    svg.text((x + w / 2.0, y + 2.55), letter, bold(BODY), Align::Center);
    w
}
