//! Ablation chart: each variant's difference from the baseline with its interval.

use super::axis::{Axis, Frame, draw_axes, nothing, short};
use super::scene::{Align, Scene};
use super::style::{self, INK, MUTED, PALETTE, SMALL, text_width};
use crate::analysis::{Ablation, AblationRow};

const WIDTH: f64 = 860.0;
const ROW: f64 = 40.0;
/// A picture of more rows is no picture; the table has them all.
const MOST: usize = 60;

/// Lays the chart out, a row per variant.
pub fn scene(ablation: &Ablation, title: &str, subtitle: &str) -> Scene {
    let mut scene = Scene::new(WIDTH, 2000.0);
    let top = scene.heading(24.0, title, subtitle) + 18.0;
    let note = "dot: mean over seeds; bar: 95 % t interval (an arrow where it goes on); at the right: difference, and params with their share of the baseline's";
    scene.text((24.0, top), note, SMALL, MUTED, Align::Left);
    let top = top + 38.0;
    let rows = ablation.rows.iter().filter(|r| !r.is_baseline);
    let rows: Vec<&AblationRow> = rows.take(MOST).collect();
    let names: Vec<Vec<String>> = rows.iter().map(|r| name_lines(&r.name)).collect();
    let widest = names.iter().flatten().map(|n| text_width(n, SMALL, false)).fold(90.0, f64::max);
    let frame = Frame {
        left: 24.0 + widest + 14.0,
        top,
        right: WIDTH - 150.0,
        bottom: top + ROW * rows.len().max(2) as f64 + 8.0,
    };
    scene.height = frame.bottom + 54.0;
    let reach: Vec<f64> = rows.iter().flat_map(|r| shown(r)).collect();
    if reach.is_empty() {
        nothing(&mut scene, "no variant and baseline have finished yet");
        return scene;
    }
    let x = Axis::linear(reach.into_iter().chain([0.0]), 1.0).between(frame.left, frame.right);
    let name = format!("Difference in {} accuracy from the baseline (points)", ablation.split.name());
    let y = Axis::exact(0.0, 1.0).between(frame.bottom, frame.top);
    let ticks = x.ticks(7);
    draw_axes(&mut scene, frame, (&x, &ticks, &name), (&y, &[], ""));
    scene.line(vec![(x.at(0.0), frame.top), (x.at(0.0), frame.bottom)], INK, 1.25);
    if let Some(baseline) = ablation.baseline() {
        let accuracy = baseline.accuracy.map_or(String::new(), |a| format!(", {:.2} %", a.mean));
        let text = format!("{}{accuracy}", style::fit(&baseline.name, SMALL, 320.0));
        let half = text_width(&text, SMALL, false) / 2.0;
        let middle = x.at(0.0).clamp(24.0 + half, (WIDTH - 24.0 - half).max(24.0 + half));
        scene.text((middle, frame.top - 7.0), &text, SMALL, INK, Align::Center);
    }
    for (i, (row, name)) in rows.iter().zip(&names).enumerate() {
        let middle = frame.top + ROW * (i as f64 + 0.5) + 4.0;
        draw_row(&mut scene, row, name, &x, frame, middle);
    }
    scene
}

fn draw_row(scene: &mut Scene, row: &AblationRow, name: &[String], x: &Axis, frame: Frame, middle: f64) {
    let lines = name.len() as f64;
    for (i, line) in name.iter().enumerate() {
        let y = middle + 0.35 * SMALL + 14.0 * (i as f64 - (lines - 1.0) / 2.0);
        scene.text((frame.left - 12.0, y), line, SMALL, INK, Align::Right);
    }
    let params = match row.params_percent {
        Some(percent) => format!("{} params, {percent:.0} %", short(row.params as f64)),
        None => format!("{} params", short(row.params as f64)),
    };
    scene.text((frame.right + 10.0, middle + 13.0), &params, SMALL - 1.5, MUTED, Align::Left);
    let Some(difference) = row.difference else {
        scene.text((frame.right + 10.0, middle - 1.0), "not finished", SMALL, MUTED, Align::Left);
        return;
    };
    let color = PALETTE[if difference.points < 0.0 { 1 } else { 0 }];
    if let Some(interval) = difference.interval {
        let (low, high) = (clip(interval.low, difference.points), clip(interval.high, difference.points));
        scene.line(vec![(x.at(low), middle), (x.at(high), middle)], color, 1.75);
        for (end, cut) in [(low, low > interval.low), (high, high < interval.high)] {
            let px = x.at(end);
            if cut {
                // An arrow head: the interval goes on beyond the plot.
                let back = if end < difference.points { 7.0 } else { -7.0 };
                scene
                    .polygon(vec![(px, middle), (px + back, middle - 4.5), (px + back, middle + 4.5)], color);
            } else {
                scene.line(vec![(px, middle - 5.0), (px, middle + 5.0)], color, 1.75);
            }
        }
    }
    scene.dot((x.at(difference.points), middle), 5.0, color);
    let text = super::super::format::points(difference.points).replace('-', "\u{2212}");
    scene.bold((frame.right + 10.0, middle - 1.0), &text, SMALL, INK, Align::Left);
}

/// A name in two lines at most.
fn name_lines(name: &str) -> Vec<String> {
    const WIDEST: f64 = 260.0;
    let mut lines = style::wrap(name, SMALL, WIDEST);
    if lines.len() > 2 {
        let rest = lines.split_off(1).join(" ");
        lines.push(rest);
    }
    lines.iter().map(|l| style::fit(l, SMALL, WIDEST)).collect()
}

/// With two seeds a t interval may span tens of points and flatten all else: beyond this far it is cut, with an arrow.
const FARTHEST: f64 = 15.0;

fn clip(end: f64, center: f64) -> f64 {
    end.clamp(center - FARTHEST, center + FARTHEST)
}

fn shown(row: &AblationRow) -> Vec<f64> {
    let Some(d) = row.difference else {
        return Vec::new();
    };
    let ends = d.interval.map(|i| [clip(i.low, d.points), clip(i.high, d.points)]);
    [d.points].into_iter().chain(ends.into_iter().flatten()).collect()
}
