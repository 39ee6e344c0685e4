//! Cost against accuracy, with the Pareto front.

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
/// Names wider than this become numbers, with a key below the plot.
const NAME_WIDTH: f64 = 170.0;

impl Scatter {
    /// Lays the plot out.
    pub fn scene(&self) -> Scene {
        let names = self.names();
        let numbered = names
            .iter()
            .any(|(name, _)| text_width(name, SMALL, false) > NAME_WIDTH);
        let key_rows = if numbered { key_rows(&names) } else { 0 };
        let mut scene = Scene::new(WIDTH, 2000.0);
        let top = scene.heading(24.0, &self.title, &self.subtitle) + 26.0;
        self.legend(&mut scene, top);
        let frame = Frame {
            left: 76.0,
            top: top + 18.0,
            right: WIDTH - 24.0,
            bottom: top + 18.0 + PLOT_HEIGHT,
        };
        scene.height = frame.bottom + 54.0 + KEY_LINE * key_rows as f64;
        if key_rows > 0 {
            scene.height += 10.0;
        }
        if self.points.is_empty() {
            nothing(&mut scene, "no trial has finished yet");
            return scene;
        }
        let (x, y) = self.axes(frame);
        draw_axes(
            &mut scene,
            frame,
            (&x, &x.ticks(8), &self.x_name),
            (&y, &y.ticks(7), &self.y_name),
        );
        let obstacles = self.draw_points(&mut scene, frame, &x, &y);
        let wanted: Vec<Label> = names
            .iter()
            .enumerate()
            .map(|(i, (name, place))| Label {
                text: if numbered {
                    (i + 1).to_string()
                } else {
                    name.clone()
                },
                point: (x.at(place.cost), y.at(place.accuracy)),
                color: place.color,
            })
            .collect();
        let placed = labels::place(wanted, &obstacles, frame);
        labels::draw(&mut scene, &placed);
        if numbered {
            draw_key(&mut scene, &names, frame.bottom + 62.0);
        }
        scene
    }

    fn axes(&self, frame: Frame) -> (Axis, Axis) {
        let costs = self.points.iter().map(|p| p.cost);
        let x = Axis::logarithmic(costs.chain(self.published.iter().map(|p| p.cost)));
        let ends = self.points.iter().flat_map(|p| {
            let sd = p.sd.unwrap_or(0.0);
            [p.accuracy - sd, p.accuracy + sd]
        });
        let y = Axis::linear(ends.chain(self.published.iter().map(|p| p.accuracy)), 1.0);
        // Room above 100 lets a point there be seen whole; ticks stop at 100 all the same.
        (
            x.between(frame.left, frame.right),
            y.within(0.0, 100.4).between(frame.bottom, frame.top),
        )
    }

    /// The names to show with where they belong: the front's first, since they find a place first.
    fn names(&self) -> Vec<(String, Place)> {
        let all = self.points.len() <= NAME_ALL;
        let mut names = Vec::new();
        for front in [true, false] {
            for p in self.points.iter().filter(|p| p.on_front == front) {
                if front || all {
                    let color = if front { INK } else { MUTED };
                    names.push((p.name.clone(), Place::new(p.cost, p.accuracy, color)));
                }
            }
        }
        for p in &self.published {
            let place = Place::new(p.cost, p.accuracy, PUBLISHED);
            names.push((format!("{}, published", p.name), place));
        }
        names
    }

    fn draw_points(&self, scene: &mut Scene, frame: Frame, x: &Axis, y: &Axis) -> Obstacles {
        let mut obstacles = Obstacles::default();
        let at = |p: &Point| (x.at(p.cost), y.at(p.accuracy));
        let mut front: Vec<&Point> = self.points.iter().filter(|p| p.on_front).collect();
        front.sort_by(|a, b| a.cost.total_cmp(&b.cost));
        let mut steps: Vec<(f64, f64)> = Vec::new();
        for p in front {
            let (px, py) = at(p);
            if let Some(&(_, last)) = steps.last() {
                steps.push((px, last));
            }
            steps.push((px, py));
        }
        if let Some(&(_, last)) = steps.last() {
            steps.push((frame.right, last));
        }
        steps.dedup();
        obstacles
            .lines
            .extend(steps.windows(2).map(|w| (w[0], w[1])));
        scene.line(steps, FRONT.alpha(0.55), 1.5);
        for r in &self.published {
            let center = (x.at(r.cost), y.at(r.accuracy));
            scene.ring(center, 4.5, PUBLISHED);
            obstacles.points.push(center);
        }
        // Dominated points first, so that the front lies on top.
        for front in [false, true] {
            for p in self.points.iter().filter(|p| p.on_front == front) {
                let color = if front { FRONT } else { PALE };
                let (px, py) = at(p);
                if let Some(sd) = p.sd.filter(|sd| *sd > 0.0) {
                    let (low, high) = (y.at(p.accuracy - sd), y.at(p.accuracy + sd));
                    scene.line(vec![(px, low), (px, high)], color, 1.25);
                    for end in [low, high] {
                        scene.line(vec![(px - 3.5, end), (px + 3.5, end)], color, 1.25);
                    }
                    obstacles.lines.push(((px, low), (px, high)));
                }
                let radius = if front { 4.5 } else { 3.5 };
                scene.dot((px, py), radius, color);
                obstacles.points.push((px, py));
            }
        }
        obstacles
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
            s.line(
                vec![(x - 6.0, middle), (x + 14.0, middle)],
                FRONT.alpha(0.55),
                1.5,
            );
            s.dot((x + 4.0, middle), 4.5, FRONT);
        });
        if self.points.iter().any(|p| !p.on_front) {
            let text = format!("dominated {}", self.noun);
            entry(scene, &text, &|s, x| s.dot((x + 4.0, middle), 3.5, PALE));
        }
        if self.points.iter().any(|p| p.sd.is_some()) {
            entry(scene, "mean ± standard deviation over seeds", &|s, x| {
                let (top, bottom) = (middle - 6.0, middle + 6.0);
                s.line(vec![(x + 4.0, top), (x + 4.0, bottom)], FRONT, 1.25);
                for end in [top, bottom] {
                    s.line(vec![(x + 0.5, end), (x + 7.5, end)], FRONT, 1.25);
                }
            });
        }
        if !self.published.is_empty() {
            entry(scene, "published", &|s, x| {
                s.ring((x + 4.0, middle), 4.5, PUBLISHED)
            });
        }
    }
}

/// Where a name belongs.
struct Place {
    cost: f64,
    accuracy: f64,
    color: Color,
}

impl Place {
    fn new(cost: f64, accuracy: f64, color: Color) -> Self {
        Self {
            cost,
            accuracy,
            color,
        }
    }
}

const KEY_LINE: f64 = 17.0;
const KEY_WIDTH: f64 = WIDTH - 60.0;

/// Columns of the key that leave every name whole, if possible.
fn key_columns(names: &[(String, Place)]) -> usize {
    let widest = names
        .iter()
        .map(|(name, _)| text_width(name, SMALL, false) + 46.0)
        .fold(1.0, f64::max);
    ((KEY_WIDTH / widest) as usize).clamp(1, 4)
}

fn key_rows(names: &[(String, Place)]) -> usize {
    names.len().div_ceil(key_columns(names))
}

fn draw_key(scene: &mut Scene, names: &[(String, Place)], top: f64) {
    let (columns, rows) = (key_columns(names), key_rows(names).max(1));
    let width = KEY_WIDTH / columns as f64;
    for (i, (name, place)) in names.iter().enumerate() {
        let x = 30.0 + width * (i / rows) as f64;
        let y = top + KEY_LINE * (i % rows) as f64;
        let number = (i + 1).to_string();
        scene.text((x + 18.0, y), &number, SMALL, place.color, Align::Right);
        let text = style::fit(name, SMALL, width - 40.0);
        scene.text((x + 26.0, y), &text, SMALL, INK, Align::Left);
    }
}
