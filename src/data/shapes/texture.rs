//! Textures: two colours, and a pattern that goes from one to the other.

use super::super::dataset::CHANNELS;
use super::{Draw, mix};

/// How two colours alternate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pattern {
    Striped,
    Checked,
    /// From one colour to the other across the image; backgrounds only.
    Sloped,
}

impl Pattern {
    /// The patterns that make classes.
    pub const OF_CLASSES: [Pattern; 2] = [Pattern::Striped, Pattern::Checked];

    pub fn name(self) -> &'static str {
        match self {
            Pattern::Striped => "striped",
            Pattern::Checked => "checked",
            Pattern::Sloped => "sloped",
        }
    }
}

/// A pattern with its colours, direction, period and phase.
#[derive(Debug, Clone)]
pub(super) struct Paint {
    pattern: Pattern,
    colours: [[f32; CHANNELS]; 2],
    /// Cycles a pixel along x and y.
    step: (f32, f32),
    phase: (f32, f32),
}

impl Paint {
    /// A random paint of `pattern`, of periods that fit an image of `side`; its colours have channels from `low` to `high`
    /// and are at least `apart`, as a share of that range.
    pub fn new(draw: &mut Draw, pattern: Pattern, side: f32, (low, high): (f32, f32), apart: f32) -> Paint {
        let period = side
            * match pattern {
                Pattern::Striped | Pattern::Checked => draw.between(0.13, 0.24),
                Pattern::Sloped => draw.between(1.2, 2.4),
            };
        let (x, y) = draw.direction();
        Paint {
            pattern,
            colours: draw.colours(apart).map(|colour| colour.map(|value| low + (high - low) * value)),
            step: (x / period, y / period),
            phase: (draw.unit(), draw.unit()),
        }
    }

    /// A random background, muted: three in four sloped, the rest faintly striped or checked like the shapes.
    pub fn of_background(draw: &mut Draw, side: f32) -> Paint {
        let pattern = match draw.below(8) {
            0 => Pattern::Striped,
            1 => Pattern::Checked,
            _ => Pattern::Sloped,
        };
        let mut paint = Paint::new(draw, pattern, side, (0.05, 0.6), 0.1);
        if pattern != Pattern::Sloped {
            let [first, second] = &mut paint.colours;
            mix(second, *first, 0.5);
        }
        paint
    }

    /// Colour at (x, y) in pixels.
    pub fn colour(&self, x: f32, y: f32) -> [f32; CHANNELS] {
        let (dx, dy) = self.step;
        let along = wave(x * dx + y * dy + self.phase.0);
        let share = match self.pattern {
            Pattern::Sloped => along + 0.5,
            Pattern::Striped => 0.5 + 3.0 * along,
            // The product of two waves, scaled to the same steepness across an edge.
            Pattern::Checked => 0.5 + 9.0 * along * wave(y * dx - x * dy + self.phase.1),
        };
        let [mut colour, second] = self.colours;
        mix(&mut colour, second, share.clamp(0.0, 1.0));
        colour
    }
}

/// Triangle wave of period 1 between -1/2 and 1/2.
fn wave(cycles: f32) -> f32 {
    (2.0 * (cycles - cycles.floor()) - 1.0).abs() - 0.5
}
