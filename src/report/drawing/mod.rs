//! A network as an SVG for a paper: its stages with shapes and costs, and each kind of block with its layers.
//!
//! Everything is read off the network's layers, their names and what they read, so that networks of the block notation
//! and networks built layer by layer are drawn by the same code. The same network gives the same file to the byte.

mod blocks;
mod family;
mod graph;
mod kind_panel;
mod kinds;
mod layered;
mod look;
mod outline;
mod raster;
mod stage_panel;
mod stages;
mod svg;
mod words;

#[cfg(test)]
mod tests;

use kinds::{Equal, Kind};
use look::{BODY, NOTE};
pub use outline::Outline;
use svg::Svg;

use crate::arch::Network;
use crate::report::figure::scene::Align;
use crate::text::thousands;

/// How much is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// The stages alone.
    Stages,
    /// Stages, and each kind of block once with its layers.
    Blocks,
    /// Every block, and each that differs in any number with the shapes and params of its layers.
    Layers,
}

/// Where kinds of block stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// Under the stages: as wide as a column of a paper.
    Column,
    /// Beside the stages: as wide as a page.
    Page,
}

/// A finished drawing.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawing {
    /// The whole document.
    pub svg: String,
    pub outline: Outline,
    /// Size in points.
    pub width: f64,
    pub height: f64,
}

const MARGIN: f64 = 4.0;
/// Between kinds, and between them and the stages.
const GAP: f64 = 8.0;
/// Kinds beside the stages take as much again.
const BESIDE: f64 = 256.0;

/// Draws `network` under a name.
pub fn draw(network: &Network, name: &str, detail: Detail, width: Width) -> Drawing {
    let outline = Outline::of(network, detail);
    let equal = if detail == Detail::Layers { Equal::Numbers } else { Equal::Ops };
    let kinds: Vec<Kind> = match detail {
        Detail::Stages => Vec::new(),
        Detail::Blocks | Detail::Layers => kinds::kinds(network, &outline.blocks, equal),
    };
    let mut svg = Svg::default();
    let stages = stage_panel::Panel::new(&outline, &kinds);
    stages.draw(&mut svg, (MARGIN, MARGIN));
    let panels: Vec<kind_panel::Panel> = kinds
        .iter()
        .enumerate()
        .map(|(tone, kind)| {
            kind_panel::Panel::new(network, &outline.blocks, kind, tone, detail == Detail::Layers)
        })
        .collect();
    let (corner, room) = match width {
        Width::Column => ((MARGIN, MARGIN + stages.height + GAP), stages.width),
        Width::Page => ((MARGIN + stages.width + 2.0 * GAP, MARGIN), BESIDE),
    };
    // A page of many kinds grows to the right rather than far below the stages.
    let high = |times: usize| shelves(&mut Svg::default(), &panels, corner, times as f64 * room).1;
    let times = match width {
        Width::Column => 1,
        Width::Page => (1..4).find(|&times| high(times) <= MARGIN + 1.4 * stages.height).unwrap_or(4),
    };
    let (right, bottom) = shelves(&mut svg, &panels, corner, times as f64 * room);
    let full = (MARGIN + stages.width).max(right) + MARGIN;
    let mut y = (MARGIN + stages.height).max(bottom) + GAP;
    for (text, font) in caption(network, name, &outline, full - 2.0 * MARGIN) {
        y += font.size * 1.3;
        svg.text((MARGIN, y), &text, font, Align::Left);
    }
    let height = y + MARGIN + 1.0;
    let title = format!("Architecture of {name}");
    let description = format!(
        "{} params, {} multiply-adds, input {}, {} classes; drawn by blocksmith {}",
        thousands(outline.params),
        thousands(outline.madds),
        outline.input,
        network.classes,
        env!("CARGO_PKG_VERSION")
    );
    let svg = svg.document(full, height, &title, &description);
    Drawing { svg, outline, width: full, height }
}

/// Draws panels in rows, each row as high as its highest; returns the right and bottom end.
fn shelves(svg: &mut Svg, panels: &[kind_panel::Panel], (left, top): (f64, f64), room: f64) -> (f64, f64) {
    let (mut right, mut y) = (left, top);
    let mut rest = panels;
    while !rest.is_empty() {
        let mut width = 0.0;
        let fits = |panel: &&kind_panel::Panel| {
            width += panel.width + if width > 0.0 { GAP } else { 0.0 };
            width <= room
        };
        let count = rest.iter().take_while(fits).count().max(1);
        let (row, after) = rest.split_at(count);
        // What a row leaves free is shared, so that rows end alike.
        let gaps = GAP * (count - 1) as f64;
        let free = (room - gaps - row.iter().map(|panel| panel.width).sum::<f64>()).max(0.0);
        let share = if count > 1 || panels.len() > 1 { free / count as f64 } else { 0.0 };
        let mut x = left;
        for panel in row {
            panel.draw(svg, (x, y), panel.width + share);
            x += panel.width + share + GAP;
        }
        right = right.max(x - GAP);
        y += row.iter().map(|panel| panel.height).fold(0.0, f64::max) + GAP;
        rest = after;
    }
    (right, if panels.is_empty() { top } else { y - GAP })
}

/// Name, totals, and how to read it.
fn caption(network: &Network, name: &str, outline: &Outline, room: f64) -> Vec<(String, svg::Font)> {
    let totals = format!(
        "{} params, {} multiply-adds; input {}, {} classes",
        thousands(outline.params),
        thousands(outline.madds),
        words::shape(outline.input),
        thousands(network.classes as u64)
    );
    let legend = "Bars: share of the network's params and multiply-adds. Solids: the map after each box, its front \
                  height and width, its depth channels (as square roots).";
    let mut lines = Vec::new();
    for (text, font, most) in [(name, look::bold(BODY), 3), (&totals, BODY, 3), (legend, NOTE, 4)] {
        lines.extend(look::lines(text, font, room, most).into_iter().map(|line| (line, font)));
    }
    lines
}
