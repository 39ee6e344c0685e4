//! Effects of the factors of a search: a small panel per factor, the mean accuracy of each level with its spread.

use super::axis::{Axis, Frame, draw_axes, nothing};
use super::scene::{Align, Scene};
use super::style::{self, INK, MUTED, PALETTE, SMALL, text_width};
use crate::analysis::Effect;

const WIDTH: f64 = 860.0;
const PANEL_HEIGHT: f64 = 150.0;
const COLUMNS: usize = 3;
/// Panels beyond this say little: their ranges are the smallest.
const MOST: usize = 12;

/// Lays the panels out, largest effect first, all on one accuracy axis.
pub fn scene(effects: &[Effect], title: &str, subtitle: &str, accuracy: &str) -> Scene {
    let mut scene = Scene::new(WIDTH, 2000.0);
    let shown = &effects[..effects.len().min(MOST)];
    let subtitle = if effects.len() > MOST {
        format!("{subtitle}; the {MOST} largest of {} effects", effects.len())
    } else {
        subtitle.to_owned()
    };
    let top = scene.heading(24.0, title, &subtitle);
    let note = "dot: mean over candidates (n of them); bar: standard deviation over candidates";
    scene.text((24.0, top + 18.0), note, SMALL, MUTED, Align::Left);
    let top = top + 50.0;
    let columns = shown.len().clamp(1, COLUMNS);
    let rows = shown.len().div_ceil(columns).max(1);
    let pitch = PANEL_HEIGHT + 84.0;
    scene.height = top + pitch * rows as f64 - 12.0;
    if shown.is_empty() {
        nothing(&mut scene, "no factor has two levels with finished trials yet");
        return scene;
    }
    let ends = shown.iter().flat_map(|e| &e.levels).flat_map(|l| {
        let sd = l.accuracy.sd.unwrap_or(0.0);
        [l.accuracy.mean - sd, l.accuracy.mean + sd]
    });
    let y = Axis::linear(ends, 1.0).within(0.0, 100.4);
    let width = (WIDTH - 76.0 - 24.0) / columns as f64;
    for (i, effect) in shown.iter().enumerate() {
        let left = 76.0 + width * (i % columns) as f64;
        let top = top + pitch * (i / columns) as f64;
        let frame = Frame { left, top, right: left + width - 22.0, bottom: top + PANEL_HEIGHT };
        let y = y.between(frame.bottom, frame.top);
        let first = i % columns == 0;
        panel(&mut scene, effect, frame, &y, if first { accuracy } else { "" }, first);
    }
    scene
}

fn panel(scene: &mut Scene, effect: &Effect, frame: Frame, y: &Axis, y_name: &str, first: bool) {
    let count = effect.levels.len() as f64;
    let x = Axis::exact(-0.5, count - 0.5).between(frame.left, frame.right);
    let pitch = (frame.right - frame.left) / count;
    // Inner panels share the axis of the first: grid lines without numbers.
    let ticks: Vec<(f64, String)> =
        y.ticks(5).into_iter().map(|(v, text)| (v, if first { text } else { String::new() })).collect();
    draw_axes(scene, frame, (&x, &[], ""), (y, &ticks, y_name));
    let range = format!("{:.1} points", effect.range);
    let room = frame.right - frame.left - text_width(&range, SMALL, false) - 9.0;
    let name = style::fit(&effect.factor, SMALL * 1.12, room);
    scene.bold((frame.left, frame.top - 9.0), &name, SMALL, INK, Align::Left);
    let after = frame.left + text_width(&name, SMALL, true) + 9.0;
    scene.text((after, frame.top - 9.0), &range, SMALL, MUTED, Align::Left);
    let mut path = Vec::new();
    // Crowded level names take turns on two rows.
    let widest = effect.levels.iter().map(|l| text_width(&l.level, SMALL, false)).fold(0.0, f64::max);
    let two_rows = widest > pitch - 6.0;
    let room = if two_rows { 2.0 * pitch - 8.0 } else { pitch };
    for (i, level) in effect.levels.iter().enumerate() {
        let px = x.at(i as f64);
        let text = style::fit(&level.level, SMALL, room);
        let drop = if two_rows && i % 2 == 1 { 30.0 } else { 16.0 };
        scene.text((px, frame.bottom + drop), &text, SMALL, INK, Align::Center);
        let n = format!("n={}", level.accuracy.n);
        let below = if two_rows { 46.0 } else { 30.0 };
        scene.text((px, frame.bottom + below), &n, SMALL - 2.0, MUTED, Align::Center);
        if let Some(sd) = level.accuracy.sd {
            let (low, high) = (level.accuracy.mean - sd, level.accuracy.mean + sd);
            scene.line(vec![(px, y.at(low)), (px, y.at(high))], PALETTE[0].alpha(0.5), 1.5);
        }
        path.push((px, y.at(level.accuracy.mean)));
    }
    // A line says that there is something between two levels: so only where they are numbers.
    if effect.levels.iter().all(|l| l.level.parse::<f64>().is_ok()) {
        scene.line(path.clone(), PALETTE[0].alpha(0.5), 1.25);
    }
    for p in path {
        scene.dot(p, 4.0, PALETTE[0]);
    }
}
