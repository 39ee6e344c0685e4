//! The network from top to bottom: a box for each stage, the map that leaves it, and its share of the costs.

use super::kinds::Kind;
use super::look::{self, BODY, NOTE};
use super::outline::Outline;
use super::stages::Stage;
use super::svg::{Rect, Stroke, Svg};
use super::words;
use crate::arch::Shape;
use crate::report::figure::scene::Align;
use crate::report::figure::style::{Color, INK, MUTED, PAPER};

/// Width of a column of stages: a paper's column with its margins.
pub const WIDTH: f64 = 244.0;
/// Stages in a column before another begins.
const ROWS: usize = 36;
const GUTTER: f64 = 14.0;
/// Between boxes, for the arrow and its shape.
const GAP: f64 = 10.5;
const HEADER: f64 = 12.0;
const LINE: f64 = 8.4;

// From left to right: the map, the box, a lane for shortcuts, params, multiply-adds.
const MAP: f64 = 16.0;
const BOX: f64 = 34.0;
const BOX_WIDTH: f64 = 114.0;
const LANE: f64 = BOX + BOX_WIDTH + 4.0;
const BARS: [f64; 2] = [156.0, 202.0];
const BAR: f64 = 21.0;

/// The stages, laid out.
pub struct Panel<'a> {
    pub width: f64,
    pub height: f64,
    outline: &'a Outline,
    rows: Vec<Row<'a>>,
    /// The largest share of each cost, which fills a bar.
    largest: [f64; 2],
    scale: Scale,
}

/// What the largest solid stands for.
#[derive(Clone, Copy)]
struct Scale {
    side: usize,
    channels: usize,
}

struct Row<'a> {
    stage: &'a Stage,
    /// Kinds in it, by their number.
    badges: Vec<(usize, &'a str)>,
    lines: Vec<String>,
    column: usize,
    y: f64,
    height: f64,
    shares: [f64; 2],
}

impl<'a> Panel<'a> {
    /// Lays out `outline.stages`; `kinds` give the badges.
    pub fn new(outline: &'a Outline, kinds: &'a [Kind]) -> Self {
        let count = outline.stages.len();
        let columns = count.div_ceil(ROWS).max(1);
        let each = count.div_ceil(columns).max(1);
        let totals = [outline.params, outline.madds];
        let mut rows: Vec<Row> = Vec::new();
        let mut height: f64 = 0.0;
        let mut y = 0.0;
        for (i, stage) in outline.stages.iter().enumerate() {
            if i % each == 0 {
                y = HEADER + LINE + GAP;
            }
            let badges = badges(stage, kinds);
            let left: f64 = badges.iter().map(|(_, letter)| look::badge_width(letter) + 2.0).sum();
            let lines = look::lines(&stage.label.join(", "), BODY, BOX_WIDTH - left - 7.0, 4);
            let tall = lines.len().max(1) as f64 * LINE + 5.0;
            let share = |cost: u64, total: u64| if total == 0 { 0.0 } else { cost as f64 / total as f64 };
            let shares = [share(stage.params, totals[0]), share(stage.madds, totals[1])];
            rows.push(Row { stage, badges, lines, column: i / each, y, height: tall, shares });
            y += tall + GAP;
            height = height.max(y);
        }
        let most = |cost: usize| rows.iter().map(|row| row.shares[cost]).fold(0.0, f64::max);
        let largest = [most(0), most(1)];
        let width = columns as f64 * WIDTH + (columns - 1) as f64 * GUTTER;
        let shapes = || rows.iter().map(|row| row.stage.output).chain([outline.input]);
        let scale = Scale {
            side: shapes().map(|shape| shape.h.max(shape.w)).max().unwrap_or(1),
            channels: shapes().map(|shape| shape.c).max().unwrap_or(1),
        };
        Self { width, height, outline, rows, largest, scale }
    }

    /// Draws it with its top left corner at a point.
    pub fn draw(&self, svg: &mut Svg, (x, y): (f64, f64)) {
        let mut column = None;
        for (i, row) in self.rows.iter().enumerate() {
            let left = x + row.column as f64 * (WIDTH + GUTTER);
            let middle = left + BOX + BOX_WIDTH / 2.0;
            if column != Some(row.column) {
                column = Some(row.column);
                let base = y + HEADER - 4.0;
                svg.text((left + MAP, base), "map", NOTE, Align::Center);
                for (at, name) in BARS.iter().zip(["params", "mult-adds"]) {
                    svg.text((left + at, base), name, NOTE, Align::Left);
                }
                let start = if i == 0 { "input".to_owned() } else { "…".to_owned() };
                svg.text((middle, y + HEADER + LINE - 2.5), &start, BODY, Align::Center);
                let shape = if i == 0 { self.outline.input } else { self.rows[i - 1].stage.output };
                if self.outline.follows(i) {
                    out(svg, (left, y + row.y - GAP), shape, middle, self.scale);
                }
            }
            row.draw(svg, (left, y), self.largest);
            let below = self.rows.get(i + 1);
            if below.is_none()
                || below.is_some_and(|next| next.column == row.column && self.outline.follows(i + 1))
            {
                let end = y + row.y + row.height;
                out(svg, (left, end), row.stage.output, middle, self.scale);
            }
        }
        self.shortcuts(svg, (x, y));
    }

    /// What later stages than the next read, as lines beside the boxes.
    fn shortcuts(&self, svg: &mut Svg, (x, y): (f64, f64)) {
        let stroke = Stroke::solid(MUTED, 0.7);
        for &(from, to) in &self.outline.skips {
            let (Some(start), Some(end)) = (self.rows.get(from), self.rows.get(to)) else { continue };
            let left = x + end.column as f64 * (WIDTH + GUTTER);
            let (edge, lane) = (left + BOX + BOX_WIDTH, left + LANE);
            let into = y + end.y + end.height * 0.3;
            if start.column == end.column {
                let leaves = y + start.y + start.height * 0.7;
                svg.arrow(&[(edge, leaves), (lane, leaves), (lane, into), (edge, into)], stroke);
            } else {
                svg.arrow(&[(lane, y + HEADER), (lane, into), (edge, into)], stroke);
            }
        }
    }
}

/// The kinds of a stage's blocks, each once, in the order of their first block.
fn badges<'a>(stage: &Stage, kinds: &'a [Kind]) -> Vec<(usize, &'a str)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (number, kind) in kinds.iter().enumerate() {
        if let Some(first) = kind.blocks.iter().find(|block| stage.blocks.contains(block)) {
            found.push((*first, number));
        }
    }
    found.sort_unstable();
    // More than a few say nothing.
    found.iter().take(4).map(|&(_, number)| (number, kinds[number].letter.as_str())).collect()
}

/// The arrow out of a box with the shape on it, and the map at the left.
fn out(svg: &mut Svg, (left, y): (f64, f64), shape: Shape, middle: f64, scale: Scale) {
    svg.arrow(&[(middle, y), (middle, y + GAP)], Stroke::solid(INK, 0.8));
    svg.text((middle + 4.0, y + GAP / 2.0 + 2.1), &words::shape(shape), NOTE, Align::Left);
    cuboid(svg, (left + MAP, y + GAP / 2.0), shape, scale);
}

/// A map as a solid: its front the height and width beside the input's, its depth the channels beside the most that
/// the network has, all by their square roots, so that halved sides show.
fn cuboid(svg: &mut Svg, (x, y): (f64, f64), shape: Shape, scale: Scale) {
    let part = |n: usize, all: usize| (n as f64 / all.max(1) as f64).sqrt().min(1.0);
    let (w, h) = ((11.0 * part(shape.w, scale.side)).max(1.2), (11.0 * part(shape.h, scale.side)).max(1.2));
    let depth = (15.0 * part(shape.c, scale.channels)).max(1.2);
    let (dx, dy) = (depth * 0.9, -depth * 0.42);
    let (left, top) = (x - (w + dx) / 2.0, y - (h + dy) / 2.0);
    let stroke = Some(Stroke::solid(MUTED, 0.45));
    let (front, upper, side) =
        (Color(250, 250, 250, 1.0), Color(228, 228, 228, 1.0), Color(196, 196, 196, 1.0));
    let at = |dx: f64, dy: f64| (left + dx, top + dy);
    svg.polygon(&[at(0.0, 0.0), at(dx, dy), at(w + dx, dy), at(w, 0.0)], upper, stroke);
    svg.polygon(&[at(w, 0.0), at(w + dx, dy), at(w + dx, h + dy), at(w, h)], side, stroke);
    svg.polygon(&[at(0.0, 0.0), at(w, 0.0), at(w, h), at(0.0, h)], front, stroke);
}

impl Row<'_> {
    fn draw(&self, svg: &mut Svg, (left, top): (f64, f64), largest: [f64; 2]) {
        let Stage { name, blocks, output, params, madds, .. } = self.stage;
        let (params, madds) = (params.to_string(), madds.to_string());
        let label = self.stage.label.join(", ");
        let attributes = [
            ("data-name", name.as_str()),
            ("data-blocks", &blocks.len().to_string()),
            ("data-output", &output.to_string()),
            ("data-params", &params),
            ("data-madds", &madds),
        ];
        let title = format!("{name}: {label}; {params} params, {madds} multiply-adds");
        svg.open("stage", &attributes, &title);
        let (x, y) = (left + BOX, top + self.y);
        let fill = self.badges.first().map_or(PAPER, |&(number, _)| look::tone(number));
        let rect = Rect { x, y, w: BOX_WIDTH, h: self.height };
        svg.rect("box", rect, 2.0, fill, Some(Stroke::solid(INK, 0.6)));
        let mut text = x + 3.0;
        for &(number, letter) in &self.badges {
            text += look::badge(svg, (text, y + self.height / 2.0), letter, number) + 2.0;
        }
        let mut base = y + 8.2 + 0.8;
        for line in &self.lines {
            svg.text((text + 1.0, base), line, BODY, Align::Left);
            base += LINE;
        }
        for cost in 0..2 {
            let (bar, middle) = (left + BARS[cost], y + self.height / 2.0);
            let share = self.shares[cost];
            let room = |w: f64| Rect { x: bar, y: middle - 2.75, w, h: 5.5 };
            svg.rect("", room(BAR), 0.0, look::TROUGH, None);
            if share > 0.0 {
                let fill = [Color(70, 70, 70, 1.0), Color(140, 140, 140, 1.0)][cost];
                svg.rect("bar", room((BAR * share / largest[cost]).max(0.3)), 0.0, fill, None);
            }
            svg.text((bar + BAR + 2.0, middle + 2.1), &percent(share), NOTE, Align::Left);
        }
        svg.close();
    }
}

/// `12.3%`, `-` for nothing.
fn percent(share: f64) -> String {
    match 100.0 * share {
        0.0 => "–".to_owned(),
        p if p < 0.1 => "<0.1%".to_owned(),
        p if p > 99.95 => "100%".to_owned(),
        p => format!("{p:.1}%"),
    }
}
