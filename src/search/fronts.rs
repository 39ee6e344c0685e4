//! Non-dominated sorting: the number of each point's front, all values the lower the better.

use std::collections::BTreeMap;

use super::dominance::dominates;
use super::pareto::Total;

/// For each point 0 where none dominates it, 1 where only these do, and so on. With up to three values in O(n log^2 n), by a
/// sweep along the first; with more, points are compared with those of some fronts.
pub fn fronts(points: &[&[f64]]) -> Vec<usize> {
    match points.first().map_or(0, |point| point.len()) {
        0..=2 => of_pairs(points),
        3 => of_triples(points),
        _ => of_many(points),
    }
}

/// By a sweep along the first of one or two values (Jensen 2003).
fn of_pairs(points: &[&[f64]]) -> Vec<usize> {
    let pair =
        |i: usize| (points[i].first().copied().unwrap_or(0.0), points[i].get(1).copied().unwrap_or(0.0));
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by_cached_key(|i| (Total::of(pair(*i).0), Total::of(pair(*i).1)));
    let mut front = vec![0; points.len()];
    // The last point of each front has the least second value of it; those of later fronts are higher.
    let mut lasts: Vec<(f64, f64)> = Vec::new();
    for i in order {
        let (x, y) = pair(i);
        front[i] = lasts.partition_point(|last| last.1 < y || (last.1 == y && last.0 < x));
        match lasts.get_mut(front[i]) {
            Some(last) => *last = (x, y),
            None => lasts.push((x, y)),
        }
    }
    front
}

/// By a sweep along the first of three values: of each front so far the second and third values that none of it is below in both.
fn of_triples(points: &[&[f64]]) -> Vec<usize> {
    let key = |i: &usize| [0, 1, 2].map(|at| Total::of(points[*i][at]));
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by_cached_key(key);
    let mut front = vec![0; points.len()];
    let mut stairs: Vec<BTreeMap<Total, f64>> = Vec::new();
    let mut before: Option<usize> = None;
    for i in order {
        // Points come after all that dominate them, and equal ones together.
        if let Some(equal) = before.filter(|before| key(before) == key(&i)) {
            front[i] = front[equal];
            continue;
        }
        before = Some(i);
        let (y, z) = (points[i][1], points[i][2]);
        let is_dominated = |stairs: &BTreeMap<Total, f64>| {
            stairs.range(..=Total::of(y)).next_back().is_some_and(|(_, least)| *least <= z)
        };
        front[i] = stairs.partition_point(is_dominated);
        if front[i] == stairs.len() {
            stairs.push(BTreeMap::new());
        }
        let stairs = &mut stairs[front[i]];
        while let Some((above, _)) = stairs.range(Total::of(y)..).next().filter(|(_, least)| **least >= z) {
            let above = *above;
            stairs.remove(&above);
        }
        stairs.insert(Total::of(y), z);
    }
    front
}

/// One after another in an order in which none dominates an earlier one, with a search among the fronts so far (ENS-BS of
/// Zhang et al. 2015, "An Efficient Approach to Nondominated Sorting").
fn of_many(points: &[&[f64]]) -> Vec<usize> {
    let key = |i: &usize| points[*i].iter().map(|value| Total::of(*value)).collect::<Vec<_>>();
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by_cached_key(key);
    let mut front = vec![0; points.len()];
    let mut members: Vec<Vec<usize>> = Vec::new();
    for i in order {
        let is_dominated =
            |front: &Vec<usize>| front.iter().rev().any(|other| dominates(points[*other], points[i]));
        front[i] = members.partition_point(is_dominated);
        match members.get_mut(front[i]) {
            Some(members) => members.push(i),
            None => members.push(vec![i]),
        }
    }
    front
}
