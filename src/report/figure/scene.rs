//! A picture as a list of shapes with positions in pixels, so that layout is computed once and can be tested.

use super::style::{self, Color};
use crate::text::{cut, line};

/// Where a text's position lies along its baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    Center,
    Right,
}

/// Most characters of a text in a picture: more is beyond any edge.
const LONGEST: usize = 600;

/// One shape.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    Line {
        points: Vec<(f64, f64)>,
        color: Color,
        width: f64,
    },
    Polygon {
        points: Vec<(f64, f64)>,
        color: Color,
    },
    Circle {
        center: (f64, f64),
        radius: f64,
        color: Color,
    },
    /// `at` is on the baseline. Turned text reads upwards.
    Text {
        at: (f64, f64),
        text: String,
        size: f64,
        color: Color,
        bold: bool,
        align: Align,
        turned: bool,
    },
}

/// A picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    pub width: f64,
    pub height: f64,
    pub shapes: Vec<Shape>,
}

impl Scene {
    /// An empty picture.
    pub fn new(width: f64, height: f64) -> Self {
        Self { width, height, shapes: Vec::new() }
    }

    /// A line through points.
    pub fn line(&mut self, points: Vec<(f64, f64)>, color: Color, width: f64) {
        if points.len() > 1 {
            self.shapes.push(Shape::Line { points, color, width });
        }
    }

    /// A dashed line through points.
    pub fn dashed(&mut self, points: &[(f64, f64)], color: Color, width: f64) {
        const ON: f64 = 5.0;
        const OFF: f64 = 3.5;
        // Distance walked since the current dash began.
        let mut phase = 0.0;
        for pair in points.windows(2) {
            let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
            let length = (x1 - x0).hypot(y1 - y0);
            let at = |d: f64| (x0 + (x1 - x0) * d / length, y0 + (y1 - y0) * d / length);
            let mut walked = 0.0;
            while walked < length {
                let (on, left) = if phase < ON { (true, ON - phase) } else { (false, ON + OFF - phase) };
                let step = left.min(length - walked);
                if on {
                    self.line(vec![at(walked), at(walked + step)], color, width);
                }
                walked += step;
                phase = if phase + step >= ON + OFF - 1e-9 { 0.0 } else { phase + step };
            }
        }
    }

    /// A filled polygon.
    pub fn polygon(&mut self, points: Vec<(f64, f64)>, color: Color) {
        self.shapes.push(Shape::Polygon { points, color });
    }

    /// A filled rectangle.
    pub fn rect(&mut self, (x0, y0): (f64, f64), (x1, y1): (f64, f64), color: Color) {
        self.polygon(vec![(x0, y0), (x1, y0), (x1, y1), (x0, y1)], color);
    }

    /// A filled circle with a paper-coloured rim, so that neighbours stay apart.
    pub fn dot(&mut self, center: (f64, f64), radius: f64, color: Color) {
        self.circle(center, radius + 1.0, style::PAPER.alpha(0.85 * color.3));
        self.circle(center, radius, color);
    }

    /// A circle drawn as a line.
    pub fn ring(&mut self, center: (f64, f64), radius: f64, color: Color) {
        self.circle(center, radius + 0.75, color);
        self.circle(center, radius - 0.75, style::PAPER);
    }

    fn circle(&mut self, center: (f64, f64), radius: f64, color: Color) {
        self.shapes.push(Shape::Circle { center, radius, color });
    }

    /// Text on its baseline.
    pub fn text(&mut self, at: (f64, f64), text: &str, size: f64, color: Color, align: Align) {
        self.push_text(at, text, size, color, align, false, false);
    }

    /// Bold text on its baseline.
    pub fn bold(&mut self, at: (f64, f64), text: &str, size: f64, color: Color, align: Align) {
        self.push_text(at, text, size, color, align, true, false);
    }

    /// Text that reads upwards.
    pub fn turned(&mut self, at: (f64, f64), text: &str, size: f64, color: Color, align: Align) {
        self.push_text(at, text, size, color, align, false, true);
    }

    #[allow(clippy::too_many_arguments)]
    fn push_text(
        &mut self,
        at: (f64, f64),
        text: &str,
        size: f64,
        color: Color,
        align: Align,
        bold: bool,
        turned: bool,
    ) {
        // XML knows no control characters, not even escaped.
        let text = line(&cut(text, LONGEST)).into_owned();
        self.shapes.push(Shape::Text { at, text, size, color, bold, align, turned });
    }

    /// Title and subtitle at the top left; returns the height they take.
    pub fn heading(&mut self, left: f64, title: &str, subtitle: &str) -> f64 {
        let width = self.width - left - 16.0;
        let mut y = 12.0;
        let (title, subtitle) = (&cut(title, LONGEST), &cut(subtitle, LONGEST));
        for line in style::wrap(title, style::TITLE * 1.08, width) {
            y += style::TITLE * 1.3;
            self.bold((left, y), &line, style::TITLE, style::INK, Align::Left);
        }
        for line in style::wrap(subtitle, style::SMALL, width) {
            y += style::SMALL * 1.55;
            self.text((left, y), &line, style::SMALL, style::MUTED, Align::Left);
        }
        y
    }
}
