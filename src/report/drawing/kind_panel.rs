//! The drawing of each kind of block: its layers from top to bottom.

use super::blocks::Block;
use super::graph::From;
use super::kinds::Kind;
use super::layered::{self, Edge, Item, Layout};
use super::look::{self, BODY, NOTE};
use super::svg::{Rect, Stroke, Svg};
use super::words::{KindWords, Words};
use crate::arch::{Network, Op};
use crate::report::figure::scene::Align;
use crate::report::figure::style::{INK, MUTED, PAPER};

/// Blocks with more layers are named, not drawn: nobody could read them.
const MOST: usize = 120;
const PAD: f64 = 4.5;
const HEADER: f64 = 13.0;
const DOT: f64 = 9.0;

/// A kind, laid out.
pub struct Panel {
    pub width: f64,
    pub height: f64,
    title: String,
    count: String,
    blocks: String,
    letter: String,
    tone: usize,
    picture: Option<Picture>,
    notes: Vec<String>,
}

struct Picture {
    layout: Layout,
    items: Vec<Drawn>,
    edges: Vec<Style>,
    fill: usize,
}

/// A box, a sign or a plain text.
struct Drawn {
    size: Item,
    words: Words,
    dashed: bool,
    plain: bool,
    name: String,
}

/// How an edge is drawn.
struct Style {
    dashed: bool,
}

impl Panel {
    /// Lays out the `tone`-th kind.
    pub fn new(network: &Network, blocks: &[Block], kind: &Kind, tone: usize, full: bool) -> Self {
        let drawn = &blocks[kind.drawn];
        let picture = (drawn.graph.nodes.len() <= MOST).then(|| picture(network, blocks, kind, tone, full));
        let names: Vec<&str> = kind.blocks.iter().map(|&b| blocks[b].name.as_str()).collect();
        let title = kind.family.title().to_owned();
        let count = match names.as_slice() {
            [only] => look::fit(only, NOTE, 90.0),
            all if full => look::fit(&all.join(", "), NOTE, 90.0),
            all => format!("×{}", all.len()),
        };
        let inner = picture.as_ref().map_or((60.0, 0.0), |p| (p.layout.width, p.layout.height));
        let header = look::badge_width(&kind.letter)
            + 3.0
            + look::width(&title, look::bold(BODY))
            + 4.0
            + look::width(&count, NOTE);
        let width = inner.0.max(header).max(78.0) + 2.0 * PAD;
        let mut notes: Vec<String> = Vec::new();
        if picture.is_none() {
            notes.push(format!("{} layers, too many to draw", drawn.layers.len()));
        }
        if !kind.notes.is_empty() {
            let text = format!("Dashed: {}.", kind.notes.join("; "));
            notes.extend(look::lines(&text, NOTE, width - 2.0 * PAD, 8));
        }
        let height = HEADER + PAD + inner.1 + PAD + notes.len() as f64 * NOTE.size * 1.3;
        let height = if notes.is_empty() { height } else { height + 2.0 };
        Self {
            width,
            height,
            title,
            count,
            blocks: names.join(" "),
            letter: kind.letter.clone(),
            tone,
            picture,
            notes,
        }
    }

    /// Draws it with its top left corner at a point, as wide as `width`.
    pub fn draw(&self, svg: &mut Svg, (x, y): (f64, f64), width: f64) {
        svg.open("kind", &[("data-kind", &self.letter), ("data-blocks", &self.blocks)], &self.title);
        let frame = Rect { x, y, w: width, h: self.height };
        svg.rect("frame", frame, 2.5, PAPER, Some(Stroke::solid(look::HAIR, 0.6)));
        let base = y + HEADER - 3.6;
        let badge = look::badge(svg, (x + PAD, y + HEADER / 2.0 + 0.5), &self.letter, self.tone);
        let left = x + PAD + badge + 3.0;
        svg.text((left, base), &self.title, look::bold(BODY), Align::Left);
        svg.text((x + width - PAD, base), &self.count, NOTE, Align::Right);
        let mut bottom = y + HEADER + PAD;
        if let Some(picture) = &self.picture {
            picture.draw(svg, (x + (width - picture.layout.width) / 2.0, bottom));
            bottom += picture.layout.height;
        }
        bottom += PAD;
        for note in &self.notes {
            bottom += NOTE.size * 1.3;
            svg.text((x + PAD, bottom - 2.0), note, NOTE, Align::Left);
        }
        svg.close();
    }
}

fn picture(network: &Network, blocks: &[Block], kind: &Kind, tone: usize, full: bool) -> Picture {
    let block = &blocks[kind.drawn];
    let words = KindWords::new(network, blocks, kind, full);
    let sources = block.graph.sources.len();
    let names = super::kinds::local_names(network, block);
    let mut items: Vec<Drawn> = Vec::new();
    for source in 0..sources {
        let text = if source == 0 { words.input() } else { words.source(source) };
        items.push(plain(text));
    }
    for (node, name) in names.into_iter().enumerate() {
        let words = words.node(node);
        let size = size(&words);
        items.push(Drawn { size, words, dashed: kind.optional[node], plain: false, name });
    }
    let mut edges = Vec::new();
    let mut styles = Vec::new();
    for edge in &block.graph.edges {
        let (from, optional) = match edge.from {
            From::Source(source) => (source, false),
            From::Node(node) => (sources + node, kind.optional[node]),
        };
        let main = !is_aside(network, block, edge.to, edge.slot);
        edges.push(Edge { from, to: sources + edge.to, main });
        styles.push(Style {
            dashed: kind.optional[edge.to] && (optional || !main || branches(block, edge.from)),
        });
    }
    // Where the outputs go.
    let out = items.len();
    items.push(plain(words.output()));
    for (node, _) in block.graph.nodes.iter().enumerate().filter(|(_, node)| node.is_output) {
        let last = node + 1 == block.graph.nodes.len();
        // A layer before the last that others read too: its way out is not the block's.
        if last || block.graph.edges.iter().all(|edge| edge.from != From::Node(node)) {
            edges.push(Edge { from: sources + node, to: out, main: true });
            styles.push(Style { dashed: false });
        }
    }
    let sizes: Vec<Item> = items.iter().map(|item| item.size).collect();
    Picture { layout: layered::layout(&sizes, &edges), items, edges: styles, fill: tone }
}

/// Whether an edge is beside the main path: a sum's shorter way, a product's factor.
fn is_aside(network: &Network, block: &Block, to: usize, slot: usize) -> bool {
    match network.layers[block.graph.nodes[to].base()].op {
        Op::ScaleMap | Op::ScaleChannels => slot == 1,
        Op::Add => {
            let ways: Vec<(usize, usize)> = block
                .graph
                .edges
                .iter()
                .filter(|edge| edge.to == to)
                .map(|edge| (depth(block, edge.from), edge.slot))
                .collect();
            // The deepest way in is the body; of two alike the first.
            let body = ways.iter().max_by_key(|(depth, slot)| (*depth, std::cmp::Reverse(*slot)));
            body.is_some_and(|(_, body)| *body != slot)
        }
        _ => false,
    }
}

fn depth(block: &Block, from: From) -> usize {
    let mut depths = vec![1; block.graph.nodes.len()];
    for edge in &block.graph.edges {
        if let From::Node(node) = edge.from {
            depths[edge.to] = depths[edge.to].max(depths[node] + 1);
        }
    }
    match from {
        From::Source(_) => 0,
        From::Node(node) => depths[node],
    }
}

fn branches(block: &Block, from: From) -> bool {
    matches!(from, From::Node(_)) && block.graph.edges.iter().filter(|edge| edge.from == from).count() > 1
}

fn plain(text: String) -> Drawn {
    let size = Item { width: look::width(&text, NOTE) + 2.0, height: NOTE.size + 2.0 };
    Drawn { size, words: Words::Lines(vec![text]), dashed: false, plain: true, name: String::new() }
}

fn size(words: &Words) -> Item {
    match words {
        Words::Sign(_) => Item { width: DOT, height: DOT },
        Words::Lines(lines) => {
            let width = |(i, line): (usize, &String)| look::width(line, if i == 0 { BODY } else { NOTE });
            let widest = lines.iter().enumerate().map(width).fold(0.0, f64::max);
            let more = lines.len().saturating_sub(1) as f64;
            Item { width: widest + 8.0, height: 11.5 + more * (NOTE.size + 1.3) }
        }
    }
}

impl Picture {
    fn draw(&self, svg: &mut Svg, (x, y): (f64, f64)) {
        for (route, style) in self.layout.routes.iter().zip(&self.edges) {
            let route: Vec<(f64, f64)> = route.iter().map(|p| (p.0 + x, p.1 + y)).collect();
            svg.arrow(&route, Stroke { color: MUTED, width: 0.7, dashed: style.dashed });
        }
        for (item, center) in self.items.iter().zip(&self.layout.centers) {
            item.draw(svg, (center.0 + x, center.1 + y), self.fill);
        }
    }
}

impl Drawn {
    fn draw(&self, svg: &mut Svg, (x, y): (f64, f64), tone: usize) {
        let stroke = Some(Stroke { color: INK, width: 0.6, dashed: self.dashed });
        match &self.words {
            Words::Sign(sign) => {
                svg.open("layer", &[("data-layer", &self.name)], "");
                svg.circle((x, y), DOT / 2.0, PAPER, stroke);
                svg.text((x, y + 2.6), sign, BODY, Align::Center);
                svg.close();
            }
            Words::Lines(lines) if self.plain => {
                svg.text((x, y + NOTE.size * 0.36), &lines.join(" "), NOTE, Align::Center);
            }
            Words::Lines(lines) => {
                svg.open("layer", &[("data-layer", &self.name)], "");
                let Item { width, height } = self.size;
                let rect = Rect { x: x - width / 2.0, y: y - height / 2.0, w: width, h: height };
                svg.rect("box", rect, 1.5, look::tone(tone), stroke);
                let mut base = rect.y + 8.2;
                for (i, line) in lines.iter().enumerate() {
                    svg.text((x, base), line, if i == 0 { BODY } else { NOTE }, Align::Center);
                    base += NOTE.size + 1.3;
                }
                svg.close();
            }
        }
    }
}
