//! A race: what searches have found after so many evaluations, in medians over many runs.

use super::axis::{Axis, Frame, draw_axes, nothing};
use super::scene::{Align, Scene};
use super::style::{self, INK, PALETTE, SMALL, text_width};

/// The lines of one runner.
#[derive(Debug, Clone, PartialEq)]
pub struct Runner {
    pub name: String,
    /// For each panel and budget: median, low and high end of its interval.
    pub lines: Vec<Vec<(f64, f64, f64)>>,
}

/// What the plot shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Race {
    pub title: String,
    pub subtitle: String,
    /// What is along the bottom.
    pub axis: String,
    /// Along the bottom.
    pub budgets: Vec<f64>,
    /// Names of the panels, from left to right.
    pub panels: Vec<String>,
    pub runners: Vec<Runner>,
}

const WIDTH: f64 = 860.0;
const PLOT_HEIGHT: f64 = 330.0;

impl Race {
    /// Lays the plot out, a panel for each measure.
    pub fn scene(&self) -> Scene {
        let mut scene = Scene::new(WIDTH, 2000.0);
        let top = scene.heading(24.0, &self.title, &self.subtitle) + 26.0;
        let top = self.legend(&mut scene, top) + 36.0;
        let bottom = top + PLOT_HEIGHT;
        scene.height = bottom + 54.0;
        if self.budgets.is_empty() || self.runners.is_empty() {
            nothing(&mut scene, "nothing has been compared");
            return scene;
        }
        let width = WIDTH / self.panels.len() as f64;
        for (number, name) in self.panels.iter().enumerate() {
            let left = number as f64 * width;
            let frame = Frame { left: left + 76.0, top, right: left + width - 20.0, bottom };
            self.panel(&mut scene, frame, name, number);
        }
        scene
    }

    fn panel(&self, scene: &mut Scene, frame: Frame, name: &str, number: usize) {
        let values = self.runners.iter().filter_map(|runner| runner.lines.get(number)).flatten();
        let values = values.flat_map(|(_, low, high)| [*low, *high]);
        let x = Axis::linear(self.budgets.iter().copied(), 1.0).between(frame.left, frame.right);
        let y = Axis::linear(values, 1e-6).within(0.0, f64::INFINITY).between(frame.bottom, frame.top);
        draw_axes(scene, frame, (&x, &x.whole_ticks(6), &self.axis), (&y, &y.ticks(6), ""));
        scene.bold((frame.left, frame.top - 10.0), name, SMALL, INK, Align::Left);
        for (runner, color) in self.runners.iter().zip(PALETTE) {
            let Some(line) = runner.lines.get(number) else { continue };
            let points = || self.budgets.iter().zip(line);
            let upper = points().map(|(budget, (_, _, high))| (x.at(*budget), y.at(*high)));
            let lower = points().rev().map(|(budget, (_, low, _))| (x.at(*budget), y.at(*low)));
            scene.polygon(upper.chain(lower).collect(), color.alpha(0.14));
            scene.line(
                points().map(|(budget, (median, ..))| (x.at(*budget), y.at(*median))).collect(),
                color,
                1.9,
            );
        }
    }

    /// Names with their colours; returns the last row's baseline.
    fn legend(&self, scene: &mut Scene, top: f64) -> f64 {
        let (mut x, mut y) = (30.0, top);
        for (runner, color) in self.runners.iter().zip(PALETTE) {
            let name = style::fit(&runner.name, SMALL, WIDTH - 100.0);
            let width = 50.0 + text_width(&name, SMALL, false);
            if x > 30.0 && x + width > WIDTH {
                (x, y) = (30.0, y + 18.0);
            }
            let middle = y - 0.35 * SMALL;
            scene.line(vec![(x, middle), (x + 20.0, middle)], color, 3.0);
            scene.text((x + 26.0, y), &name, SMALL, INK, Align::Left);
            x += width;
        }
        y
    }
}
