//! A small graph drawn from top to bottom: ranks by longest path, order in a rank by barycentres, then positions
//! (Sugiyama, Tagawa and Toda 1981).

mod order;

use order::ordered;

/// What is laid out: a box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Item {
    pub width: f64,
    pub height: f64,
}

/// From one item to a later one. A `main` edge is kept straight, others make way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Edge {
    pub from: usize,
    pub to: usize,
    pub main: bool,
}

/// Where everything is.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    /// Centre of each item.
    pub centers: Vec<(f64, f64)>,
    /// Points that each edge goes through, at right angles.
    pub routes: Vec<Vec<(f64, f64)>>,
    pub width: f64,
    pub height: f64,
}

/// Between neighbours in a rank.
const ACROSS: f64 = 5.0;
/// Between ranks.
const DOWN: f64 = 8.5;
/// Width of an edge that passes a rank.
const PASSING: f64 = 4.0;

/// An item, or an edge that passes a rank.
struct Vertex {
    rank: usize,
    width: f64,
    main: bool,
    x: f64,
}

/// Lays out items whose edges all go from a lower index to a higher one.
pub fn layout(items: &[Item], edges: &[Edge]) -> Layout {
    let ranks = ranks(items.len(), edges);
    let aside = aside(items.len(), edges);
    let mut vertices: Vec<Vertex> = items
        .iter()
        .enumerate()
        .map(|(i, item)| Vertex { rank: ranks[i], width: item.width, main: !aside[i], x: 0.0 })
        .collect();
    // Each edge as the vertices that it goes through.
    let mut chains = Vec::new();
    for edge in edges {
        let mut chain = vec![edge.from];
        for rank in ranks[edge.from] + 1..ranks[edge.to] {
            chain.push(vertices.len());
            vertices.push(Vertex { rank, width: PASSING, main: edge.main, x: 0.0 });
        }
        chain.push(edge.to);
        chains.push(chain);
    }
    let links: Vec<(usize, usize, bool)> = chains
        .iter()
        .zip(edges)
        .flat_map(|(chain, edge)| chain.windows(2).map(|pair| (pair[0], pair[1], edge.main)))
        .collect();
    let rows = ordered(&vertices, &links);
    place(&mut vertices, &rows, &links, items.len());
    routed(items, &vertices, &rows, &chains)
}

/// Rank of each item: the longest path to it. What nothing leads to stands right above its reader.
fn ranks(count: usize, edges: &[Edge]) -> Vec<usize> {
    let mut ranks = vec![0; count];
    let mut sorted: Vec<&Edge> = edges.iter().collect();
    sorted.sort_by_key(|edge| edge.to);
    for edge in &sorted {
        ranks[edge.to] = ranks[edge.to].max(ranks[edge.from] + 1);
    }
    for item in 1..count {
        if !edges.iter().any(|edge| edge.to == item) {
            let reader: Option<usize> =
                edges.iter().filter(|edge| edge.from == item).map(|edge| ranks[edge.to]).min();
            ranks[item] = reader.unwrap_or(1).saturating_sub(1);
        }
    }
    ranks
}

/// Items on side paths: what they lead to, they lead to by edges that are not main.
fn aside(count: usize, edges: &[Edge]) -> Vec<bool> {
    let mut aside = vec![false; count];
    for item in (0..count).rev() {
        let mut out = edges.iter().filter(|edge| edge.from == item).peekable();
        aside[item] = out.peek().is_some() && out.all(|edge| !edge.main || aside[edge.to]);
    }
    // The way in is nobody's side path.
    if let Some(first) = aside.first_mut() {
        *first = false;
    }
    aside
}

/// Moves vertices towards the mean of their neighbours, rank by rank, without overlaps.
fn place(vertices: &mut [Vertex], rows: &[Vec<usize>], links: &[(usize, usize, bool)], items: usize) {
    let mut near: Vec<Vec<(usize, f64)>> = vec![Vec::new(); vertices.len()];
    for &(from, to, main) in links {
        let passing = from >= items && to >= items;
        let weight = (if main { 1.0 } else { 0.01 }) * (if passing { 4.0 } else { 1.0 });
        near[from].push((to, weight));
        near[to].push((from, weight));
    }
    for sweep in 0..24 {
        for step in 0..rows.len() {
            let row = &rows[if sweep % 2 == 0 { step } else { rows.len() - 1 - step }];
            let wanted: Vec<(f64, f64)> = row
                .iter()
                .map(|&i| {
                    let weight: f64 = near[i].iter().map(|(_, w)| w).sum();
                    let sum: f64 = near[i].iter().map(|&(j, w)| w * vertices[j].x).sum();
                    if weight > 0.0 { (sum / weight, weight) } else { (vertices[i].x, 0.01) }
                })
                .collect();
            let widths: Vec<f64> = row.iter().map(|&i| vertices[i].width).collect();
            for (&i, x) in row.iter().zip(spread(&wanted, &widths)) {
                vertices[i].x = x;
            }
        }
    }
    straighten(vertices, rows, links, items);
    let left = vertices.iter().map(|v| v.x - v.width / 2.0).fold(f64::INFINITY, f64::min);
    for vertex in vertices {
        vertex.x -= left;
    }
}

/// Puts what follows one another without a branch (a path of main links, an edge that passes ranks) on one line, where
/// there is room for it.
fn straighten(vertices: &mut [Vertex], rows: &[Vec<usize>], links: &[(usize, usize, bool)], items: usize) {
    let mut next: Vec<Vec<usize>> = vec![Vec::new(); vertices.len()];
    let mut before = vec![0; vertices.len()];
    for &(from, to, main) in links {
        if main || (from >= items && to >= items) {
            next[from].push(to);
            before[to] += 1;
        }
    }
    let follows = |from: usize| match next[from].as_slice() {
        [to] if before[*to] == 1 => Some(*to),
        _ => None,
    };
    let inner: Vec<usize> = (0..vertices.len()).filter_map(follows).collect();
    let starts = (0..vertices.len()).filter(|i| !inner.contains(i));
    let mut lines: Vec<Vec<usize>> =
        starts.map(|start| std::iter::successors(Some(start), |&i| follows(i)).collect()).collect();
    lines.retain(|line: &Vec<usize>| line.len() > 1);
    // The main path first, then the longest.
    lines.sort_by_key(|line| (!vertices[line[0]].main, std::cmp::Reverse(line.len())));
    // Once more, as a line may make room for another.
    for line in lines.iter().chain(&lines) {
        let mean = line.iter().map(|&i| vertices[i].x).sum::<f64>() / line.len() as f64;
        let mut places: Vec<f64> = line.iter().map(|&i| vertices[i].x).chain([mean]).collect();
        places.sort_by(|a, b| (a - mean).abs().total_cmp(&(b - mean).abs()));
        if let Some(x) = places.into_iter().find(|&x| line.iter().all(|&i| has_room(vertices, rows, i, x))) {
            for &i in line {
                vertices[i].x = x;
            }
        }
    }
}

/// Whether a vertex may stand at `x` without coming too near to its neighbours.
fn has_room(vertices: &[Vertex], rows: &[Vec<usize>], i: usize, x: f64) -> bool {
    let row = &rows[vertices[i].rank];
    let Some(at) = row.iter().position(|&other| other == i) else { return false };
    let apart = |other: usize| (vertices[i].width + vertices[other].width) / 2.0 + ACROSS - 1e-6;
    let left = at.checked_sub(1).is_none_or(|at| x - vertices[row[at]].x >= apart(row[at]));
    left && row.get(at + 1).is_none_or(|&other| vertices[other].x - x >= apart(other))
}

/// Positions in order, apart by their widths, with the least weighted squared distance from where they want to be:
/// isotonic regression by pooling neighbours (Barlow et al. 1972).
fn spread(wanted: &[(f64, f64)], widths: &[f64]) -> Vec<f64> {
    let mut offsets = vec![0.0; widths.len()];
    for i in 1..widths.len() {
        offsets[i] = offsets[i - 1] + (widths[i - 1] + widths[i]) / 2.0 + ACROSS;
    }
    // Mean, weight and length of each pool.
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    for (&(x, weight), offset) in wanted.iter().zip(&offsets) {
        let mut pool = (x - offset, weight, 1);
        while let Some(&(mean, before, n)) = pools.last()
            && mean > pool.0
        {
            pools.pop();
            let all = before + pool.1;
            pool = ((mean * before + pool.0 * pool.1) / all, all, n + pool.2);
        }
        pools.push(pool);
    }
    let means = pools.iter().flat_map(|&(mean, _, n)| std::iter::repeat_n(mean, n));
    means.zip(&offsets).map(|(mean, offset)| mean + offset).collect()
}

/// Heights of ranks, and the way of each edge.
fn routed(items: &[Item], vertices: &[Vertex], rows: &[Vec<usize>], chains: &[Vec<usize>]) -> Layout {
    let height_of = |i: usize| items.get(i).map_or(0.0, |item| item.height);
    let mut tops = Vec::new();
    let mut y = 0.0;
    for row in rows {
        let height = row.iter().map(|&i| height_of(i)).fold(0.0, f64::max);
        tops.push((y, y + height));
        y += height + DOWN;
    }
    let center = |i: usize| {
        let (top, bottom) = tops[vertices[i].rank];
        (vertices[i].x, (top + bottom) / 2.0)
    };
    let mut routes = Vec::new();
    for chain in chains {
        let (x, middle) = center(chain[0]);
        let mut route = vec![(x, middle + height_of(chain[0]) / 2.0)];
        for pair in chain.windows(2) {
            let (from, to) = (center(pair[0]), center(pair[1]));
            let (top, _) = tops[vertices[pair[1]].rank];
            let sideways = pair[1] < items.len() && is_dot(items[pair[1]]) && clear(vertices, rows, pair);
            if sideways && (from.0 - to.0).abs() > items[pair[1]].width {
                let half = items[pair[1]].width / 2.0;
                route.push((from.0, to.1));
                route.push((if from.0 > to.0 { to.0 + half } else { to.0 - half }, to.1));
            } else {
                if (from.0 - to.0).abs() > 0.05 {
                    route.extend([(from.0, top - DOWN / 2.0), (to.0, top - DOWN / 2.0)]);
                }
                let end = if pair[1] < items.len() { to.1 - height_of(pair[1]) / 2.0 } else { to.1 };
                route.push((to.0, end));
            }
        }
        routes.push(simple(route));
    }
    let width = vertices.iter().map(|v| v.x + v.width / 2.0).fold(0.0, f64::max);
    let centers = (0..items.len()).map(center).collect();
    Layout { centers, routes, width, height: (y - DOWN).max(0.0) }
}

/// Whether an item is drawn as a small circle, which edges may enter from its sides.
fn is_dot(item: Item) -> bool {
    item.width == item.height
}

/// Whether nothing stands between the end of a link and the point beside it.
fn clear(vertices: &[Vertex], rows: &[Vec<usize>], pair: &[usize]) -> bool {
    let (from, to) = (vertices[pair[0]].x, vertices[pair[1]].x);
    let (low, high) = (from.min(to), from.max(to));
    rows[vertices[pair[1]].rank].iter().filter(|&&i| i != pair[1]).all(|&i| {
        let Vertex { x, width, .. } = vertices[i];
        x + width / 2.0 < low || x - width / 2.0 > high
    })
}

/// A route without points that lie on the line between their neighbours.
fn simple(route: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let mut out: Vec<(f64, f64)> = Vec::new();
    for point in route {
        if let [.., a, b] = out.as_slice()
            && ((a.0 == b.0 && b.0 == point.0) || (a.1 == b.1 && b.1 == point.1))
        {
            out.pop();
        }
        if out.last() != Some(&point) {
            out.push(point);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Least squares by hand: two that both want 0 and need 10 + 5 between them end at -7.5 and 7.5.
    #[test]
    fn neighbours_share_the_way() {
        assert_eq!(spread(&[(0.0, 1.0), (0.0, 1.0)], &[10.0, 10.0]), [-7.5, 7.5]);
        assert_eq!(spread(&[(0.0, 1.0), (40.0, 1.0)], &[10.0, 10.0]), [0.0, 40.0]);
    }

    #[test]
    fn the_main_path_is_straight_and_boxes_keep_apart() {
        let items = [Item { width: 30.0, height: 10.0 }; 6];
        // 0 -> 1 -> 2 -> 5 with a side path 0 -> 3 -> 4 -> 5 and a shortcut 0 -> 5.
        let edge = |from, to, main| Edge { from, to, main };
        let edges = [
            edge(0, 1, true),
            edge(1, 2, true),
            edge(2, 5, true),
            edge(0, 3, true),
            edge(3, 4, true),
            edge(4, 5, false),
            edge(0, 5, false),
        ];
        let layout = layout(&items, &edges);
        let x = |i: usize| layout.centers[i].0;
        assert!((x(1) - x(2)).abs() < 1.0 && (x(2) - x(5)).abs() < 2.0, "{:?}", layout.centers);
        for (i, a) in layout.centers.iter().enumerate() {
            for b in &layout.centers[i + 1..] {
                assert!((a.0 - b.0).abs() >= 30.0 || (a.1 - b.1).abs() >= 10.0, "{a:?} {b:?}");
            }
        }
        for (route, edge) in layout.routes.iter().zip(&edges) {
            let horizontal_or_vertical = |p: &[(f64, f64)]| p[0].0 == p[1].0 || p[0].1 == p[1].1;
            assert!(route.windows(2).all(horizontal_or_vertical), "{edge:?}: {route:?}");
        }
    }
}
