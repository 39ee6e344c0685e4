//! The order of a layered graph's vertices in their ranks, with few crossings.

use super::Vertex;

/// Vertices of each rank from left to right, with as few crossings as some sweeps find. Side paths begin on the right.
pub(super) fn ordered(vertices: &[Vertex], links: &[(usize, usize, bool)]) -> Vec<Vec<usize>> {
    let count = vertices.iter().map(|v| v.rank + 1).max().unwrap_or(0);
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (i, vertex) in vertices.iter().enumerate() {
        rows[vertex.rank].push(i);
    }
    for row in &mut rows {
        row.sort_by_key(|&i| (!vertices[i].main, i));
    }
    let mut above: Vec<Vec<usize>> = vec![Vec::new(); vertices.len()];
    let mut below = above.clone();
    for &(from, to, _) in links {
        above[to].push(from);
        below[from].push(to);
    }
    let mut position = vec![0; vertices.len()];
    let number = |rows: &[Vec<usize>], position: &mut Vec<usize>| {
        for row in rows {
            for (at, &i) in row.iter().enumerate() {
                position[i] = at;
            }
        }
    };
    number(&rows, &mut position);
    let mut best = rows.clone();
    let mut fewest = crossings(&rows, &below, &position);
    for sweep in 0..8 {
        let down = sweep % 2 == 0;
        for step in 0..count {
            let row = if down { step } else { count - 1 - step };
            let near = if down { &above } else { &below };
            let center = |i: usize| match near[i].as_slice() {
                [] => position[i] as f64,
                all => all.iter().map(|&j| position[j]).sum::<usize>() as f64 / all.len() as f64,
            };
            let mut keyed: Vec<(f64, usize)> = rows[row].iter().map(|&i| (center(i), i)).collect();
            // Stable, so that neighbours of one centre keep their order.
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            rows[row] = keyed.into_iter().map(|(_, i)| i).collect();
            for (at, &i) in rows[row].iter().enumerate() {
                position[i] = at;
            }
        }
        let crossed = crossings(&rows, &below, &position);
        if crossed < fewest {
            (fewest, best) = (crossed, rows.clone());
        }
    }
    best
}

/// Pairs of links between neighbouring ranks that cross.
fn crossings(rows: &[Vec<usize>], below: &[Vec<usize>], position: &[usize]) -> usize {
    let mut count = 0;
    for row in rows {
        let links: Vec<(usize, usize)> = row
            .iter()
            .enumerate()
            .flat_map(|(at, &i)| below[i].iter().map(move |&j| (at, position[j])))
            .collect();
        for (i, a) in links.iter().enumerate() {
            count += links[i + 1..].iter().filter(|b| a.0 < b.0 && a.1 > b.1).count();
        }
    }
    count
}
