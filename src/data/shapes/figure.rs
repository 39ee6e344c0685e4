//! Outlines, and where they lie.

use super::Draw;

/// An outline, given by its signed distance: below 0 inside, in units of the figure's radius.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Figure {
    Disc,
    Square,
    Triangle,
    Star,
    Cross,
}

impl Figure {
    pub const ALL: [Figure; 5] =
        [Figure::Disc, Figure::Square, Figure::Triangle, Figure::Star, Figure::Cross];

    pub fn name(self) -> &'static str {
        match self {
            Figure::Disc => "disc",
            Figure::Square => "square",
            Figure::Triangle => "triangle",
            Figure::Star => "star",
            Figure::Cross => "cross",
        }
    }

    /// Signed distance of (x, y), or near the edge something as steep. The sizes give all figures about the same area
    /// (2.1 to 2.4), so that area does not tell them apart.
    fn distance(self, x: f32, y: f32) -> f32 {
        match self {
            Figure::Disc => (x * x + y * y).sqrt() - 0.85,
            Figure::Square => x.abs().max(y.abs()) - 0.75,
            // Three half-planes, 120 degrees apart: cosine 1/2, sine 0.866.
            Figure::Triangle => y.max((x.abs() * 0.866_025_4) - 0.5 * y) - 0.64,
            Figure::Star => star(x, y),
            Figure::Cross => {
                let (x, y) = (x.abs(), y.abs());
                (x - 1.0).max(y - 0.36).min((x - 0.36).max(y - 1.0))
            }
        }
    }
}

/// Five-pointed star of outer radius 1.2 and inner radius 0.52 of that: the plane is folded onto one half of one
/// point by mirrors at multiples of 36 degrees, and there the edge is a segment
/// (the construction of `sdStar5`, <https://iquilezles.org/articles/distfunctions2d/>).
fn star(x: f32, y: f32) -> f32 {
    const COS36: f32 = 0.809_017;
    const SIN36: f32 = 0.587_785_25;
    const OUTER: f32 = 1.2;
    const INNER: f32 = 0.52;
    let (mut x, mut y) = (x.abs(), y);
    for normal in [(COS36, -SIN36), (-COS36, -SIN36)] {
        let outside = 2.0 * (normal.0 * x + normal.1 * y).max(0.0);
        x -= outside * normal.0;
        y -= outside * normal.1;
    }
    x = x.abs();
    y -= OUTER;
    let edge = (INNER * SIN36, INNER * COS36 - 1.0);
    let along = ((x * edge.0 + y * edge.1) / (edge.0 * edge.0 + edge.1 * edge.1)).clamp(0.0, OUTER);
    let (dx, dy) = (x - edge.0 * along, y - edge.1 * along);
    (dx * dx + dy * dy).sqrt() * (y * edge.0 - x * edge.1).signum()
}

/// Where a figure lies: centre, radius, rotation and stretch, in pixels.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    centre: (f32, f32),
    radius: f32,
    direction: (f32, f32),
    /// Longer along the direction than across it by this factor squared.
    stretch: f32,
}

impl Frame {
    /// A random frame in a square of `side`, its centre at least `inset` radii from the border.
    pub fn draw(draw: &mut Draw, side: f32, radius: f32, inset: f32) -> Frame {
        let margin = radius * inset;
        Frame {
            centre: (draw.between(margin, side - margin), draw.between(margin, side - margin)),
            radius,
            direction: draw.direction(),
            stretch: draw.between(0.9, 1.1),
        }
    }

    /// How much of the pixel at (x, y) the figure covers, 0 to 1, with edges smoothed over a pixel.
    pub fn cover(&self, figure: Figure, x: f32, y: f32) -> f32 {
        let (x, y) = (x - self.centre.0, y - self.centre.1);
        if x * x + y * y > 2.0 * self.radius * self.radius + 4.0 {
            return 0.0;
        }
        let (cos, sin) = self.direction;
        let u = (x * cos + y * sin) / (self.radius * self.stretch);
        let v = (y * cos - x * sin) / self.radius * self.stretch;
        (0.5 - figure.distance(u, v) * self.radius).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Areas in closed form: disc pi r^2, square (2a)^2, triangle 3 sqrt(3) r^2 (r of the inscribed circle), star
    /// 5 R r sin(36 degrees), cross two bars less their overlap.
    #[test]
    fn figures_have_their_areas() {
        let expected = [2.270, 2.250, 2.128, 2.200, 2.362];
        const STEPS: usize = 600;
        let at = |i: usize| (i as f32 + 0.5) / STEPS as f32 * 3.0 - 1.5;
        for (figure, area) in Figure::ALL.into_iter().zip(expected) {
            let inside =
                (0..STEPS * STEPS).filter(|i| figure.distance(at(i / STEPS), at(i % STEPS)) < 0.0).count();
            let measured = inside as f64 * (3.0 / STEPS as f64).powi(2);
            assert!((measured - area).abs() < 0.01, "{}: {measured}", figure.name());
        }
    }
}
