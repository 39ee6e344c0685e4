//! Axes: from values to pixels, and ticks that read well.

use super::scene::{Align, Scene};
use super::style::{GRID, INK, MUTED, NAME, SMALL};

/// An axis over a range of values, linear or logarithmic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    low: f64,
    high: f64,
    log: bool,
    /// Pixels of `low` and `high`.
    from: f64,
    to: f64,
}

/// The rectangle a plot is drawn in, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Axis {
    /// A linear axis that shows all `values`, with some room around them, and reaches at least `least` from end to end.
    pub fn linear(values: impl Iterator<Item = f64>, least: f64) -> Self {
        let (low, high) = range(values).unwrap_or((0.0, 1.0));
        let missing = (least - (high - low)).max(0.0) / 2.0;
        let room = 0.06 * (high - low).max(least);
        Self::new(low - missing - room, high + missing + room, false)
    }

    /// A logarithmic axis that shows all positive `values` with some room, over a factor of 2.5 at least.
    pub fn logarithmic(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = range(values.filter(|v| *v > 0.0)).unwrap_or((1.0, 10.0));
        let (low, high) = (low.ln(), high.ln());
        let missing = (2.5f64.ln() - (high - low)).max(0.0) / 2.0;
        let room = 0.07 * (high - low).max(2.5f64.ln());
        Self::new((low - missing - room).exp(), (high + missing + room).exp(), true)
    }

    /// A linear axis over exactly this range.
    pub fn exact(low: f64, high: f64) -> Self {
        Self::new(low, if high > low { high } else { low + 1.0 }, false)
    }

    fn new(low: f64, high: f64, log: bool) -> Self {
        Self { low, high, log, from: 0.0, to: 1.0 }
    }

    /// Keeps the range within bounds, such as 0 to 100 %.
    pub fn within(mut self, low: f64, high: f64) -> Self {
        self.low = self.low.max(low);
        self.high = self.high.min(high);
        if self.low < self.high { self } else { Self::new(low, high, self.log) }
    }

    /// Puts the axis between two pixels.
    pub fn between(mut self, from: f64, to: f64) -> Self {
        self.from = from;
        self.to = to;
        self
    }

    /// Pixel of a value, held to the axis' ends.
    pub fn at(&self, value: f64) -> f64 {
        let share = if self.log {
            (value.max(f64::MIN_POSITIVE).ln() - self.low.ln()) / (self.high.ln() - self.low.ln())
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }

    /// About `count` round values on the axis, with their texts.
    pub fn ticks(&self, count: usize) -> Vec<(f64, String)> {
        if self.log {
            return self.log_ticks(count);
        }
        let (step, decimals) = linear_step((self.high - self.low) / count.max(1) as f64);
        let first = (self.low / step - 1e-9).ceil() as i64;
        (first..)
            .map(|i| i as f64 * step)
            .take_while(|v| *v <= self.high + 1e-9 * step)
            .take(100)
            .map(|v| (v, signed(v, decimals)))
            .collect()
    }

    /// Whole numbers only, as for epochs.
    pub fn whole_ticks(&self, count: usize) -> Vec<(f64, String)> {
        let step = linear_step(((self.high - self.low) / count.max(1) as f64).max(0.7)).0.max(1.0);
        let first = (self.low / step - 1e-9).ceil() as i64;
        (first..)
            .map(|i| i as f64 * step)
            .take_while(|v| *v <= self.high + 1e-9)
            .take(100)
            .map(|v| (v, format!("{v:.0}")))
            .collect()
    }

    fn log_ticks(&self, count: usize) -> Vec<(f64, String)> {
        // The densest of these sets that stays within the count; the last resort is linear steps.
        const SETS: [&[f64]; 5] = [
            &[1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0],
            &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0],
            &[1.0, 2.0, 3.0, 5.0],
            &[1.0, 2.0, 5.0],
            &[1.0],
        ];
        let decades = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
        let values = |set: &[f64]| -> Vec<f64> {
            decades
                .clone()
                .flat_map(|d| set.iter().map(move |m| m * 10f64.powi(d)))
                .filter(|v| *v >= self.low * 0.999_999 && *v <= self.high * 1.000_001)
                .collect()
        };
        let mut best = values(SETS[4]);
        for set in SETS {
            let found = values(set);
            if found.len() <= count + 1 {
                best = found;
                break;
            }
        }
        best.into_iter().map(|v| (v, short(v))).collect()
    }
}

/// A number with a minus sign as wide as a plus, and never on a zero.
fn signed(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    if value < 0.0 && text.bytes().any(|b| (b'1'..=b'9').contains(&b)) {
        format!("\u{2212}{text}")
    } else {
        text
    }
}

/// A count in few characters: 950, 12k, 1.5M, 81.4M, 2.1G.
pub fn short(value: f64) -> String {
    let (scaled, unit) = match value.abs() {
        v if v >= 999_500_000.0 => (value / 1e9, "G"),
        v if v >= 999_500.0 => (value / 1e6, "M"),
        v if v >= 999.5 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let decimals = match scaled.abs() {
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        _ => 2,
    };
    let text = format!("{scaled:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{unit}")
}

/// The round step (1, 2, 2.5 or 5 times a power of ten) nearest to `rough` or above, and the decimals it needs.
fn linear_step(rough: f64) -> (f64, usize) {
    let rough = if rough.is_finite() && rough > 0.0 { rough } else { 1.0 };
    let power = 10f64.powi(rough.log10().floor() as i32);
    let factor = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().find(|f| f * power >= rough * 0.8).unwrap_or(10.0);
    let step = factor * power;
    let digits = -(step.log10().floor() as i32) + i32::from(factor == 2.5);
    (step, digits.clamp(0, 9) as usize)
}

fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|v| v.is_finite()).fold(None, |range, v| match range {
        None => Some((v, v)),
        Some((low, high)) => Some((low.min(v), high.max(v))),
    })
}

/// Grid, ticks and names of a plot: `x` below, `y` at the left.
pub fn draw_axes(
    scene: &mut Scene,
    frame: Frame,
    (x, x_ticks, x_name): (&Axis, &[(f64, String)], &str),
    (y, y_ticks, y_name): (&Axis, &[(f64, String)], &str),
) {
    let Frame { left, top, right, bottom } = frame;
    for (value, text) in x_ticks {
        let px = x.at(*value);
        scene.line(vec![(px, top), (px, bottom)], GRID, 0.75);
        scene.line(vec![(px, bottom), (px, bottom + 4.0)], INK, 1.0);
        scene.text((px, bottom + 17.0), text, SMALL, INK, Align::Center);
    }
    let mut widest = 0.0f64;
    for (value, text) in y_ticks {
        let py = y.at(*value);
        scene.line(vec![(left, py), (right, py)], GRID, 0.75);
        scene.line(vec![(left - 4.0, py), (left, py)], INK, 1.0);
        scene.text((left - 8.0, py + 0.36 * SMALL), text, SMALL, INK, Align::Right);
        widest = widest.max(super::style::text_width(text, SMALL, false));
    }
    scene.line(vec![(left, top), (left, bottom), (right, bottom)], INK, 1.0);
    if !x_name.is_empty() {
        let middle = (left + right) / 2.0;
        scene.text((middle, bottom + 38.0), x_name, NAME, INK, Align::Center);
    }
    if !y_name.is_empty() {
        let middle = (top + bottom) / 2.0;
        scene.turned((left - widest - 18.0, middle), y_name, NAME, INK, Align::Center);
    }
}

/// A sentence in the middle of a plot that has nothing to show.
pub fn nothing(scene: &mut Scene, sentence: &str) {
    let middle = (scene.width / 2.0, scene.height / 2.0);
    scene.text(middle, sentence, NAME, MUTED, Align::Center);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_short() {
        let cases = [
            (0.0, "0"),
            (950.0, "950"),
            (999.9, "1k"),
            (12_000.0, "12k"),
            (362_992.0, "363k"),
            (999_900.0, "1M"),
            (2_253_738.0, "2.25M"),
            (81_434_112.0, "81.4M"),
            (2_000_000_000.0, "2G"),
        ];
        for (value, text) in cases {
            assert_eq!(short(value), text);
        }
    }

    #[test]
    fn ticks_are_round_and_few() {
        let texts = |a: Axis| a.ticks(6).into_iter().map(|t| t.1).collect::<Vec<_>>();
        assert_eq!(
            texts(Axis::logarithmic([10_000.0, 1_000_000.0].into_iter())),
            ["10k", "20k", "50k", "100k", "200k", "500k", "1M"]
        );
        assert_eq!(texts(Axis::exact(80.0, 92.0)), ["80", "82", "84", "86", "88", "90", "92"]);
        assert_eq!(texts(Axis::exact(-0.1, 0.1)).len(), 5);
        // One network alone still has an axis around it.
        assert!(texts(Axis::logarithmic([362_992.0].into_iter())).len() >= 2);
        assert!(texts(Axis::linear([90.0].into_iter(), 2.0)).len() >= 3);
    }

    #[test]
    fn whole_ticks_never_repeat() {
        for last in [1.0, 2.0, 3.0, 10.0, 200.0] {
            let ticks = Axis::exact(0.0, last).whole_ticks(6);
            assert!(ticks.windows(2).all(|w| w[0].1 != w[1].1), "{ticks:?}");
        }
    }
}
