//! Cost against accuracy, with the Pareto front.

use std::collections::HashSet;

use super::axis::{Axis, Frame, draw_axes, nothing};
use super::labels::{self, Label, Obstacles};
use super::scene::{Align, Scene};
use super::style::{self, Color, INK, MUTED, PALE, PALETTE, SMALL, text_width};

/// What the plot shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Scatter {
    pub title: String,
    pub subtitle: String,
    pub x_name: String,
    pub y_name: String,
    /// What a point is: `variants` or `candidates`.
    pub noun: String,
    pub points: Vec<Point>,
    pub published: Vec<Reference>,
}

/// One candidate.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    pub name: String,
    pub cost: f64,
    /// Mean accuracy in percent.
    pub accuracy: f64,
    /// Standard deviation over seeds.
    pub sd: Option<f64>,
    pub on_front: bool,
}

/// A published figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    pub name: String,
    pub cost: f64,
    pub accuracy: f64,
}

const WIDTH: f64 = 860.0;
const PLOT_HEIGHT: f64 = 400.0;
const FRONT: Color = PALETTE[0];
const PUBLISHED: Color = PALETTE[1];
/// With so few points all have names; beyond, the front's alone.
const NAME_ALL: usize = 12;
/// Names on a front that a plot has room for; of a longer one as many, evenly spread.
const MOST_NAMES: usize = 40;
/// Points up to which each is drawn; of more only one of those whose dots would lie on each other.
const ALL_DRAWN: usize = 2000;
/// Sides of the squares of which each then has one dot.
const CELL: f64 = 3.0;
/// Names wider than this become numbers, with a key below the plot.
const NAME_WIDTH: f64 = 170.0;

impl Scatter {
    /// Lays the plot out.
    pub fn scene(&self) -> Scene {
        let mut scene = Scene::new(WIDTH, 2000.0);
        let of_many = if self.points.len() > ALL_DRAWN {
            "; dots that would lie on each other are drawn once"
        } else {
            ""
        };
        let top = scene.heading(24.0, &self.title, &format!("{}{of_many}", self.subtitle)) + 26.0;
        self.legend(&mut scene, top);
        let frame =
            Frame { left: 76.0, top: top + 18.0, right: WIDTH - 24.0, bottom: top + 18.0 + PLOT_HEIGHT };
        scene.height = frame.bottom + 54.0;
        if self.points.is_empty() {
            nothing(&mut scene, "no trial has finished yet");
            return scene;
        }
        let (x, y) = self.axes(frame);
        let shown = Self { points: self.shown(&x, &y), ..self.clone() };
        shown.draw(scene, frame, (x, y))
    }

    /// Draws all within the axes.
    fn draw(&self, mut scene: Scene, frame: Frame, (x, y): (Axis, Axis)) -> Scene {
        draw_axes(&mut scene, frame, (&x, &x.ticks(8), &self.x_name), (&y, &y.ticks(7), &self.y_name));
        let front = self.front_line(frame, &x, &y);
        let obstacles = self.obstacles(&front, &x, &y);
        let named = self.named();
        let wanted = self.labels(&named, false, &x, &y);
        let narrow = wanted.iter().all(|l| text_width(&l.text, SMALL, false) <= NAME_WIDTH);
        let count = wanted.len();
        let mut placed = labels::place(wanted, &obstacles, frame);
        let numbered = !narrow || !labels::reads_well(&placed, count);
        if numbered {
            placed = labels::place(self.labels(&named, true, &x, &y), &obstacles, frame);
        }
        scene.line(front, FRONT.alpha(0.55), 1.5);
        labels::clear(&mut scene, &placed);
        self.draw_points(&mut scene, &x, &y);
        labels::draw(&mut scene, &placed);
        if numbered {
            scene.height += 10.0 + KEY_LINE * key_rows(&named) as f64;
            draw_key(&mut scene, &named, frame.bottom + 62.0);
        }
        scene
    }

    /// The points that are drawn: all of a few; of many the first in each small square, those of the front before the others.
    fn shown(&self, x: &Axis, y: &Axis) -> Vec<Point> {
        if self.points.len() <= ALL_DRAWN {
            return self.points.clone();
        }
        let mut taken = HashSet::new();
        let mut shown = Vec::new();
        for on_front in [true, false] {
            for (i, p) in self.points.iter().enumerate().filter(|(_, p)| p.on_front == on_front) {
                let cell = [x.at(p.cost), y.at(p.accuracy)].map(|at| (at / CELL).floor() as i64);
                if taken.insert(cell) {
                    shown.push(i);
                }
            }
        }
        shown.sort_unstable();
        shown.into_iter().map(|i| self.points[i].clone()).collect()
    }

    fn axes(&self, frame: Frame) -> (Axis, Axis) {
        let costs = self.points.iter().map(|p| p.cost);
        let x = Axis::logarithmic(costs.chain(self.published.iter().map(|p| p.cost)));
        let ends = self.points.iter().flat_map(|p| {
            let sd = p.sd.unwrap_or(0.0);
            [p.accuracy - sd, p.accuracy + sd]
        });
        let y = Axis::linear(ends.chain(self.published.iter().map(|p| p.accuracy)), 2.0);
        // Room above 100 lets a point there be seen whole; ticks stop at 100 all the same.
        (x.between(frame.left, frame.right), y.within(0.0, 100.4).between(frame.bottom, frame.top))
    }

    /// The points that have names: the front's first, since they find a place first.
    fn named(&self) -> Vec<&Point> {
        let all = self.points.len() <= NAME_ALL;
        let published = |p: &Point| self.published.iter().any(|r| r.name == p.name);
        let rest = |p: &&Point| !p.on_front && (all || published(p));
        let front: Vec<&Point> = self.points.iter().filter(|p| p.on_front).collect();
        let names = front.len().min(MOST_NAMES);
        let front =
            (0..names).map(|i| front[if names > 1 { i * (front.len() - 1) / (names - 1) } else { 0 }]);
        front.chain(self.points.iter().filter(rest)).collect()
    }

    /// Their labels: the names, or numbers that a key below the plot explains. A published figure has its point's.
    fn labels(&self, named: &[&Point], numbered: bool, x: &Axis, y: &Axis) -> Vec<Label> {
        let text = |i: usize, name: &str| {
            if numbered { (i + 1).to_string() } else { name.to_owned() }
        };
        let ours = named.iter().enumerate().map(|(i, p)| Label {
            text: text(i, &p.name),
            point: (x.at(p.cost), y.at(p.accuracy)),
            color: if p.on_front { INK } else { MUTED },
        });
        let theirs = self.published.iter().filter_map(|r| {
            let i = named.iter().position(|p| p.name == r.name)?;
            Some(Label { text: text(i, &r.name), point: (x.at(r.cost), y.at(r.accuracy)), color: PUBLISHED })
        });
        ours.chain(theirs).collect()
    }

    /// The front as steps: what accuracy is to be had up to each cost.
    fn front_line(&self, frame: Frame, x: &Axis, y: &Axis) -> Vec<(f64, f64)> {
        let mut front: Vec<&Point> = self.points.iter().filter(|p| p.on_front).collect();
        front.sort_by(|a, b| a.cost.total_cmp(&b.cost));
        let mut steps: Vec<(f64, f64)> = Vec::new();
        for p in front {
            let (px, py) = (x.at(p.cost), y.at(p.accuracy));
            if let Some(&(_, last)) = steps.last() {
                steps.push((px, last));
            }
            steps.push((px, py));
        }
        if let Some(&(_, last)) = steps.last() {
            steps.push((frame.right, last));
        }
        steps.dedup();
        steps
    }

    fn obstacles(&self, front: &[(f64, f64)], x: &Axis, y: &Axis) -> Obstacles {
        let ours = self.points.iter().map(|p| (x.at(p.cost), y.at(p.accuracy)));
        let theirs = self.published.iter().map(|r| (x.at(r.cost), y.at(r.accuracy)));
        let mut lines: Vec<_> = front.windows(2).map(|w| (w[0], w[1])).collect();
        for p in &self.points {
            if let Some(sd) = p.sd {
                let px = x.at(p.cost);
                lines.push(((px, y.at(p.accuracy - sd)), (px, y.at(p.accuracy + sd))));
            }
        }
        Obstacles { points: ours.chain(theirs).collect(), lines }
    }

    fn draw_points(&self, scene: &mut Scene, x: &Axis, y: &Axis) {
        for r in &self.published {
            scene.ring((x.at(r.cost), y.at(r.accuracy)), 4.5, PUBLISHED);
        }
        // Dominated points first, so that the front lies on top.
        for front in [false, true] {
            for p in self.points.iter().filter(|p| p.on_front == front) {
                let color = if front { FRONT } else { PALE };
                let (px, py) = (x.at(p.cost), y.at(p.accuracy));
                if let Some(sd) = p.sd.filter(|sd| *sd > 0.0) {
                    error_bar(scene, px, y.at(p.accuracy - sd), y.at(p.accuracy + sd), color);
                }
                scene.dot((px, py), if front { 4.5 } else { 3.5 }, color);
            }
        }
    }

    fn legend(&self, scene: &mut Scene, y: f64) {
        let mut x = 30.0;
        let middle = y - 0.35 * SMALL;
        let mut entry = |scene: &mut Scene, text: &str, draw: &dyn Fn(&mut Scene, f64)| {
            draw(scene, x);
            scene.text((x + 20.0, y), text, SMALL, INK, Align::Left);
            x += 20.0 + text_width(text, SMALL, false) + 26.0;
        };
        entry(scene, "Pareto front", &|s, x| {
            s.line(vec![(x - 6.0, middle), (x + 14.0, middle)], FRONT.alpha(0.55), 1.5);
            s.dot((x + 4.0, middle), 4.5, FRONT);
        });
        if self.points.iter().any(|p| !p.on_front) {
            let text = format!("dominated {}", self.noun);
            entry(scene, &text, &|s, x| s.dot((x + 4.0, middle), 3.5, PALE));
        }
        if self.points.iter().any(|p| p.sd.is_some()) {
            entry(scene, "mean ± standard deviation over seeds", &|s, x| {
                error_bar(s, x + 4.0, middle - 6.0, middle + 6.0, FRONT);
            });
        }
        if !self.published.is_empty() {
            entry(scene, "published", &|s, x| s.ring((x + 4.0, middle), 4.5, PUBLISHED));
        }
    }
}

/// A vertical bar with caps.
fn error_bar(scene: &mut Scene, x: f64, from: f64, to: f64, color: Color) {
    scene.line(vec![(x, from), (x, to)], color, 1.25);
    for end in [from, to] {
        scene.line(vec![(x - 3.5, end), (x + 3.5, end)], color, 1.25);
    }
}

const KEY_LINE: f64 = 17.0;
const KEY_WIDTH: f64 = WIDTH - 60.0;

/// Columns of the key that leave every name whole, if possible.
fn key_columns(named: &[&Point]) -> usize {
    let widest = named.iter().map(|p| text_width(&p.name, SMALL, false) + 46.0).fold(1.0, f64::max);
    ((KEY_WIDTH / widest) as usize).clamp(1, 4)
}

fn key_rows(named: &[&Point]) -> usize {
    named.len().div_ceil(key_columns(named)).max(1)
}

fn draw_key(scene: &mut Scene, named: &[&Point], top: f64) {
    let rows = key_rows(named);
    let width = KEY_WIDTH / key_columns(named) as f64;
    for (i, p) in named.iter().enumerate() {
        let x = 30.0 + width * (i / rows) as f64;
        let y = top + KEY_LINE * (i % rows) as f64;
        let color = if p.on_front { INK } else { MUTED };
        scene.text((x + 18.0, y), &(i + 1).to_string(), SMALL, color, Align::Right);
        let name = style::fit(&p.name, SMALL, width - 40.0);
        scene.text((x + 26.0, y), &name, SMALL, color, Align::Left);
    }
}
