//! Where to put the names of points: near them, and over nothing else.

use super::axis::Frame;
use super::scene::{Align, Scene};
use super::style::{Color, MUTED, PAPER, SMALL, text_width};

/// A name to place.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    pub text: String,
    pub point: (f64, f64),
    pub color: Color,
}

/// A rectangle: left, top, right, bottom.
type Rect = (f64, f64, f64, f64);
type Segment = ((f64, f64), (f64, f64));

/// What labels keep clear of.
#[derive(Debug, Clone, Default)]
pub struct Obstacles {
    pub points: Vec<(f64, f64)>,
    pub lines: Vec<Segment>,
}

impl Obstacles {
    /// Those that a label of this size at some place near `point`, or its leader, can touch.
    fn near(&self, (x, y): (f64, f64), (width, height): (f64, f64)) -> Self {
        let (dx, dy) = (FARTHEST + width + 2.0 * CLEAR_OF_OTHERS, FARTHEST + height + 2.0 * CLEAR_OF_OTHERS);
        let is_near = |(px, py): &&(f64, f64)| (px - x).abs() <= dx && (py - y).abs() <= dy;
        let comes_near = |((ax, ay), (bx, by)): &&Segment| {
            ax.min(*bx) <= x + dx && ax.max(*bx) >= x - dx && ay.min(*by) <= y + dy && ay.max(*by) >= y - dy
        };
        Self {
            points: self.points.iter().filter(is_near).copied().collect(),
            lines: self.lines.iter().filter(comes_near).copied().collect(),
        }
    }
}

/// A label with its place: the box of its text, and a line to its point where it is not beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    pub label: Label,
    pub area: Rect,
    pub leader: Option<Segment>,
}

const HEIGHT: f64 = SMALL * 1.15;
/// Room kept free round a point's marker.
const CLEAR: f64 = 6.0;
/// Nearer than so to another point a name would be read as that point's.
const CLEAR_OF_OTHERS: f64 = 14.0;
/// How far from its point a name may be.
const FARTHEST: f64 = 115.0;

/// Places labels one after the other, each where it covers least, then looks again at each with the others in place.
/// A label with no place free of other labels is left out.
pub fn place(labels: Vec<Label>, obstacles: &Obstacles, frame: Frame) -> Vec<Placed> {
    let mut places: Vec<Option<Placed>> = vec![None; labels.len()];
    for _ in 0..3 {
        for (i, label) in labels.iter().enumerate() {
            let others: Vec<&Placed> =
                places.iter().enumerate().filter(|(j, _)| *j != i).filter_map(|(_, p)| p.as_ref()).collect();
            places[i] = best_place(label, &others, obstacles, frame);
        }
    }
    places.into_iter().flatten().collect()
}

fn best_place(label: &Label, others: &[&Placed], obstacles: &Obstacles, frame: Frame) -> Option<Placed> {
    let width = text_width(&label.text, SMALL, false) + 2.0;
    let obstacles = &obstacles.near(label.point, (width, HEIGHT));
    positions(label.point, width)
        .into_iter()
        .filter(|(area, _)| inside(*area, frame))
        .filter_map(|(area, distance)| {
            let leader = leader(label.point, area);
            let cost = cost(area, leader, distance, label, others, obstacles)?;
            Some((cost, area, leader))
        })
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, area, leader)| Placed { label: label.clone(), area, leader })
}

/// Whether the names sit well: all placed, and most beside their points.
pub fn reads_well(placed: &[Placed], wanted: usize) -> bool {
    let far = placed.iter().filter(|p| p.leader.is_some()).count();
    placed.len() == wanted && 4 * far <= wanted
}

/// Lightens what lies under the labels; to be drawn over lines and under points.
pub fn clear(scene: &mut Scene, placed: &[Placed]) {
    for p in placed {
        let (left, top, right, bottom) = p.area;
        scene.rect((left, top), (right, bottom), PAPER.alpha(0.8));
    }
}

/// Draws placed labels and their leaders.
pub fn draw(scene: &mut Scene, placed: &[Placed]) {
    for p in placed {
        if let Some((from, to)) = p.leader {
            scene.line(vec![from, to], MUTED.alpha(0.7), 0.75);
        }
        let baseline = (p.area.0 + 1.0, p.area.3 - 0.22 * HEIGHT);
        scene.text(baseline, &p.label.text, SMALL, p.label.color, Align::Left);
    }
}

/// Boxes round a point, near ones first, with their distance from it.
fn positions((x, y): (f64, f64), width: f64) -> Vec<(Rect, f64)> {
    let mut found = Vec::new();
    for distance in [7.0, 11.0, 18.0, 28.0, 42.0, 60.0, 85.0, FARTHEST] {
        for step in 0..16 {
            let angle = f64::from(step) * std::f64::consts::PI / 8.0;
            let (dx, dy) = (angle.cos(), angle.sin());
            let (cx, cy) = (x + distance * dx, y + distance * dy);
            // The text grows away from the point: beside it where the direction is sideways, centred above and below.
            let left = cx - width * (0.5 - 0.5 * (1.6 * dx).clamp(-1.0, 1.0));
            let top = cy - HEIGHT * (0.5 - 0.5 * (1.6 * dy).clamp(-1.0, 1.0));
            found.push(((left, top, left + width, top + HEIGHT), distance));
        }
        // Above and below, slid along.
        for share in [0.15, 0.3, 0.7, 0.85] {
            let left = x - share * width;
            for top in [y - distance - HEIGHT, y + distance] {
                found.push(((left, top, left + width, top + HEIGHT), distance + 1.0));
            }
        }
    }
    found
}

/// A line from the marker's edge to the nearest point of the text, where these are apart.
fn leader((x, y): (f64, f64), area: Rect) -> Option<Segment> {
    let (tx, ty) = (x.clamp(area.0, area.2), y.clamp(area.1 + 2.0, area.3 - 2.0));
    let length = (tx - x).hypot(ty - y);
    if length < 15.0 {
        return None;
    }
    let share = CLEAR / length;
    let end = 1.0 - 2.0 / length;
    let at = |s: f64| (x + (tx - x) * s, y + (ty - y) * s);
    Some((at(share), at(end)))
}

/// How bad a place is; `None` where it cannot be taken.
fn cost(
    area: Rect,
    leader: Option<Segment>,
    distance: f64,
    label: &Label,
    placed: &[&Placed],
    obstacles: &Obstacles,
) -> Option<f64> {
    let grown = grow(area, 2.0);
    for other in placed {
        let crosses = |line: Option<Segment>, area: Rect| line.is_some_and(|l| hits(l, area));
        if overlap(grown, other.area) || crosses(leader, other.area) || crosses(other.leader, grown) {
            return None;
        }
    }
    let mut cost = 1.3 * distance + if leader.is_some() { 15.0 } else { 0.0 };
    for p in &obstacles.points {
        if *p != label.point && overlap(area, around(*p, CLEAR)) {
            cost += 120.0;
        }
        if *p != label.point && overlap(area, around(*p, CLEAR_OF_OTHERS)) {
            cost += 20.0;
        }
        if *p != label.point && leader.is_some_and(|l| hits(l, around(*p, 3.0))) {
            cost += 60.0;
        }
    }
    for line in &obstacles.lines {
        if hits(*line, grow(area, 2.5)) {
            cost += 45.0;
        }
    }
    for other in placed {
        if let (Some(a), Some(b)) = (leader, other.leader)
            && cross(a, b)
        {
            cost += 60.0;
        }
    }
    // Rightwards and upwards reads best where all else is equal.
    let (cx, cy) = ((area.0 + area.2) / 2.0, (area.1 + area.3) / 2.0);
    let left = if cx < label.point.0 { 2.0 } else { 0.0 };
    let below = if cy > label.point.1 { 1.0 } else { 0.0 };
    Some(cost + left + below)
}

fn around((x, y): (f64, f64), r: f64) -> Rect {
    (x - r, y - r, x + r, y + r)
}

fn grow(a: Rect, by: f64) -> Rect {
    (a.0 - by, a.1 - by, a.2 + by, a.3 + by)
}

fn inside(a: Rect, f: Frame) -> bool {
    a.0 >= f.left + 3.0 && a.1 >= f.top + 1.0 && a.2 <= f.right - 2.0 && a.3 <= f.bottom - 2.0
}

fn overlap(a: Rect, b: Rect) -> bool {
    a.0 < b.2 && b.0 < a.2 && a.1 < b.3 && b.1 < a.3
}

/// Whether a segment passes through a rectangle (Liang and Barsky 1984).
fn hits(((x0, y0), (x1, y1)): Segment, r: Rect) -> bool {
    let (dx, dy) = (x1 - x0, y1 - y0);
    let (mut enter, mut leave) = (0.0f64, 1.0f64);
    for (p, q) in [(-dx, x0 - r.0), (dx, r.2 - x0), (-dy, y0 - r.1), (dy, r.3 - y0)] {
        if p == 0.0 {
            if q < 0.0 {
                return false;
            }
        } else if p < 0.0 {
            enter = enter.max(q / p);
        } else {
            leave = leave.min(q / p);
        }
    }
    enter <= leave
}

fn cross((a, b): Segment, (c, d): Segment) -> bool {
    let side =
        |p: (f64, f64), q: (f64, f64), r: (f64, f64)| (q.0 - p.0) * (r.1 - p.1) - (q.1 - p.1) * (r.0 - p.0);
    side(a, b, c) * side(a, b, d) < 0.0 && side(c, d, a) * side(c, d, b) < 0.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::figure::style::INK;

    #[test]
    fn labels_never_overlap_nor_leave_the_frame() {
        let frame = Frame { left: 60.0, top: 40.0, right: 800.0, bottom: 460.0 };
        // A crowd, and points in the corners.
        let mut points: Vec<(f64, f64)> =
            (0..14).map(|i| (300.0 + 9.0 * f64::from(i % 4), 200.0 + 7.0 * f64::from(i / 4))).collect();
        points.extend([(61.0, 41.0), (799.0, 41.0), (61.0, 459.0), (799.0, 459.0)]);
        let labels: Vec<Label> = points
            .iter()
            .enumerate()
            .map(|(i, p)| Label { text: format!("candidate number {i}"), point: *p, color: INK })
            .collect();
        let obstacles = Obstacles { points: points.clone(), lines: Vec::new() };
        let placed = place(labels, &obstacles, frame);
        assert!(placed.len() >= 10, "{} of 18 placed", placed.len());
        for (i, a) in placed.iter().enumerate() {
            assert!(inside(a.area, frame));
            assert!(placed[..i].iter().all(|b| !overlap(a.area, b.area)));
        }
    }
}
