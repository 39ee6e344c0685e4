//! Learning curves: loss and accuracy, train and validation, epoch by epoch.

use super::axis::{Axis, Frame, draw_axes, nothing};
use super::scene::{Align, Scene};
use super::style::{self, Color, INK, PALETTE, SMALL, text_width};
use crate::analysis::{CurvePoint, LearningCurve};

/// What the plot shows: a few candidates, each in its own colour.
#[derive(Debug, Clone, PartialEq)]
pub struct Curves {
    pub title: String,
    pub subtitle: String,
    pub curves: Vec<LearningCurve>,
    /// What the training line is, such as `train (augmented images)`.
    pub train_name: String,
    /// Whether a band shows lowest and highest over seeds.
    pub band: bool,
}

/// How many candidates one plot can tell apart by colour.
pub const MOST: usize = PALETTE.len();

const WIDTH: f64 = 860.0;
const PLOT_HEIGHT: f64 = 330.0;

type Measure = fn(&LearningCurve) -> (&[CurvePoint], &[CurvePoint]);

impl Curves {
    /// Lays the plot out: loss at the left, accuracy at the right.
    pub fn scene(&self) -> Scene {
        let mut scene = Scene::new(WIDTH, 2000.0);
        let top = scene.heading(24.0, &self.title, &self.subtitle) + 26.0;
        let top = self.legend(&mut scene, top) + 36.0;
        let bottom = top + PLOT_HEIGHT;
        scene.height = bottom + 54.0;
        let last = self
            .curves
            .iter()
            .flat_map(|c| c.train_loss.iter().chain(&c.validation_accuracy))
            .map(|p| p.epoch)
            .max();
        let Some(last) = last else {
            nothing(&mut scene, "no epoch has finished yet");
            return scene;
        };
        let half = WIDTH / 2.0;
        let panels: [(&str, f64, f64, Measure); 2] = [
            ("Loss (cross entropy)", 76.0, half - 12.0, |c| (&c.train_loss, &c.validation_loss)),
            ("Accuracy (%)", half + 66.0, WIDTH - 24.0, |c| (&c.train_accuracy, &c.validation_accuracy)),
        ];
        for (name, left, right, measure) in panels {
            let frame = Frame { left, top, right, bottom };
            self.panel(&mut scene, frame, name, last, measure);
        }
        scene
    }

    fn panel(&self, scene: &mut Scene, frame: Frame, name: &str, last: usize, measure: Measure) {
        let values = self.curves.iter().flat_map(|c| {
            let (train, validation) = measure(c);
            train.iter().chain(validation).flat_map(|p| [p.low, p.high])
        });
        // Epoch 1 sits a little off the axis, so that its points are whole.
        let room = 0.03 * (last as f64).max(2.0);
        let x = Axis::exact(1.0 - room, last as f64 + room).between(frame.left, frame.right);
        let y = Axis::linear(values, 0.1).within(0.0, f64::INFINITY).between(frame.bottom, frame.top);
        draw_axes(scene, frame, (&x, &x.whole_ticks(8), "Epoch"), (&y, &y.ticks(6), ""));
        scene.bold((frame.left, frame.top - 10.0), name, SMALL, INK, Align::Left);
        for (curve, color) in self.curves.iter().zip(PALETTE) {
            let (train, validation) = measure(curve);
            if self.band {
                band(scene, validation, &x, &y, color);
            }
            scene.dashed(&path(train, &x, &y), color.alpha(0.85), 1.15);
            scene.line(path(validation, &x, &y), color, 1.9);
            // A line of one point is invisible.
            if last == 1 {
                let at = |p: &CurvePoint| (x.at(p.epoch as f64), y.at(p.mean));
                train.iter().for_each(|p| scene.ring(at(p), 4.0, color));
                validation.iter().for_each(|p| scene.dot(at(p), 4.0, color));
            }
        }
    }

    /// Names with their colours, then what the two kinds of line are; returns the last row's baseline.
    fn legend(&self, scene: &mut Scene, top: f64) -> f64 {
        let names = self.curves.iter().zip(PALETTE);
        let mut entries: Vec<(String, Color, f64, bool)> =
            names.map(|(c, color)| (style::fit(&c.name, SMALL, WIDTH - 100.0), color, 3.0, false)).collect();
        let validation =
            if self.band { "validation (band: lowest to highest over seeds)" } else { "validation" };
        let kinds = [(validation.to_owned(), INK, 1.9, false), (self.train_name.clone(), INK, 1.4, true)];
        let width = |e: &(String, Color, f64, bool)| 50.0 + text_width(&e.0, SMALL, false);
        let all: f64 = entries.iter().chain(&kinds).map(width).sum();
        // The two kinds stay together, on a row of their own where names and kinds do not fit one.
        let break_at = if all > WIDTH - 54.0 { entries.len() } else { usize::MAX };
        entries.extend(kinds);
        let (mut x, mut y) = (30.0, top);
        for (i, entry) in entries.iter().enumerate() {
            if x > 30.0 && (i == break_at || x + width(entry) > WIDTH) {
                x = 30.0;
                y += 18.0;
            }
            let middle = y - 0.35 * SMALL;
            let line = [(x, middle), (x + 20.0, middle)];
            let (name, color, stroke, dashed) = entry;
            if *dashed {
                scene.dashed(&line, *color, *stroke);
            } else {
                scene.line(line.to_vec(), *color, *stroke);
            }
            scene.text((x + 26.0, y), name, SMALL, INK, Align::Left);
            x += width(entry);
        }
        y
    }
}

fn path(points: &[CurvePoint], x: &Axis, y: &Axis) -> Vec<(f64, f64)> {
    points.iter().map(|p| (x.at(p.epoch as f64), y.at(p.mean))).collect()
}

fn band(scene: &mut Scene, points: &[CurvePoint], x: &Axis, y: &Axis, color: Color) {
    if points.len() < 2 {
        return;
    }
    let upper = points.iter().map(|p| (x.at(p.epoch as f64), y.at(p.high)));
    let lower = points.iter().rev().map(|p| (x.at(p.epoch as f64), y.at(p.low)));
    scene.polygon(upper.chain(lower).collect(), color.alpha(0.16));
}
