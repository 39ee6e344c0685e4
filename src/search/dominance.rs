//! Who is better than whom, with several objectives: fronts and crowding (Deb et al. 2002), constraints first.

use std::cmp::Ordering;

use super::fronts;

/// What is compared: values to be minimised, and by how much constraints are broken (0 where none is). A candidate that
/// failed breaks them infinitely.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    pub values: Vec<f64>,
    pub violation: f64,
}

impl Point {
    /// Whether all its values are numbers that can be compared.
    fn is_sound(&self) -> bool {
        self.violation.is_finite() && self.values.iter().all(|value| value.is_finite())
    }

    /// Constraint-domination (Deb et al. 2002, Definition 1): what keeps to the constraints is before what does not, of two that
    /// do not the one that breaks them less, of two that do the one that dominates. What has no values is behind all.
    pub fn dominates(&self, other: &Self) -> bool {
        match (self.is_sound(), other.is_sound()) {
            (false, _) => false,
            (true, false) => true,
            (true, true) if self.violation != other.violation => self.violation < other.violation,
            (true, true) => dominates(&self.values, &other.values),
        }
    }
}

/// For each point the number of its front: 0 for those that none dominates, 1 for those that only these dominate, and so on.
pub fn fronts(points: &[Point]) -> Vec<usize> {
    let mut front = vec![0; points.len()];
    // Who breaks constraints less is before who breaks them more, whatever the values.
    let mut order: Vec<usize> = (0..points.len()).filter(|i| points[*i].is_sound()).collect();
    order.sort_by(|a, b| points[*a].violation.total_cmp(&points[*b].violation));
    let mut first = 0;
    for group in order.chunk_by(|a, b| points[*a].violation == points[*b].violation) {
        let values: Vec<&[f64]> = group.iter().map(|i| points[*i].values.as_slice()).collect();
        let numbers = fronts::fronts(&values);
        for (i, number) in group.iter().zip(&numbers) {
            front[*i] = first + number;
        }
        first += numbers.iter().max().map_or(0, |last| last + 1);
    }
    for (number, _) in front.iter_mut().zip(points).filter(|(_, point)| !point.is_sound()) {
        *number = first;
    }
    front
}

/// Whether no value is higher and one is lower.
pub fn dominates(a: &[f64], b: &[f64]) -> bool {
    let pairs = || a.iter().zip(b);
    pairs().all(|(a, b)| a <= b) && pairs().any(|(a, b)| a < b)
}

/// Crowding distance of each point among those of its front: how far its neighbours are, summed over the objectives, each
/// scaled by its range on the front; infinite at the ends.
pub fn crowding(points: &[Point], fronts: &[usize]) -> Vec<f64> {
    let mut distance = vec![0.0; points.len()];
    let objectives = points.first().map_or(0, |point| point.values.len());
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); fronts.iter().max().map_or(0, |last| last + 1)];
    fronts.iter().enumerate().for_each(|(i, front)| members[*front].push(i));
    for mut members in members {
        for objective in 0..objectives {
            let value = |i: usize| points[i].values.get(objective).copied().unwrap_or(f64::NAN);
            members.sort_by(|a, b| value(*a).total_cmp(&value(*b)).then(a.cmp(b)));
            let (Some(first), Some(last)) = (members.first(), members.last()) else { break };
            let range = value(*last) - value(*first);
            (distance[*first], distance[*last]) = (f64::INFINITY, f64::INFINITY);
            if range > 0.0 {
                for three in members.windows(3) {
                    distance[three[1]] += (value(three[2]) - value(three[0])) / range;
                }
            }
        }
    }
    distance
}

/// Indices from best to worst: by front, then the less crowded, then in the order given.
pub fn ranking(points: &[Point]) -> Vec<usize> {
    let fronts = fronts(points);
    let crowding = crowding(points, &fronts);
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|a, b| compare((fronts[*a], crowding[*a]), (fronts[*b], crowding[*b])).then(a.cmp(b)));
    order
}

/// Of two (front, crowding distance) the better first.
pub fn compare(a: (usize, f64), b: (usize, f64)) -> Ordering {
    a.0.cmp(&b.0).then(b.1.total_cmp(&a.1))
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn point(values: &[f64], violation: f64) -> Point {
        Point { values: values.to_vec(), violation }
    }

    /// The definition: take away the front, look again.
    fn peeled(points: &[Point]) -> Vec<usize> {
        let mut front = vec![usize::MAX; points.len()];
        for number in 0.. {
            let left: Vec<usize> = (0..points.len()).filter(|i| front[*i] == usize::MAX).collect();
            if left.is_empty() {
                break;
            }
            for i in &left {
                if !left.iter().any(|j| points[*j].dominates(&points[*i])) {
                    front[*i] = number;
                }
            }
        }
        front
    }

    #[test]
    fn fronts_agree_with_their_definition() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for objectives in 1..=4 {
            for _ in 0..100 {
                let mut draw = || f64::from(rng.random_range(0..6));
                let points: Vec<Point> = (0..30)
                    .map(|_| {
                        let values: Vec<f64> = (0..objectives).map(|_| draw()).collect();
                        point(&values, (draw() - 3.0).max(0.0))
                    })
                    .collect();
                assert_eq!(fronts(&points), peeled(&points));
            }
        }
    }

    #[test]
    fn constraints_come_before_objectives_and_failures_last() {
        let good = point(&[9.0, 9.0], 0.0);
        let breaks = point(&[1.0, 1.0], 0.5);
        let breaks_more = point(&[0.0, 0.0], 0.6);
        let failed = point(&[f64::NAN, 1.0], f64::INFINITY);
        assert_eq!(fronts(&[failed.clone(), breaks_more, breaks, good]), [3, 2, 1, 0]);
        assert!(!failed.dominates(&failed));
    }

    /// By hand: on a front of five, each inner point's neighbours.
    #[test]
    fn crowding_is_the_distance_of_the_neighbours() {
        let points: Vec<Point> = [(0.0, 10.0), (1.0, 6.0), (4.0, 5.0), (9.0, 1.0), (10.0, 0.0)]
            .map(|(a, b)| point(&[a, b], 0.0))
            .into();
        let front = fronts(&points);
        let distance = crowding(&points, &front);
        let expected = [f64::INFINITY, 0.4 + 0.5, 0.8 + 0.5, 0.6 + 0.5, f64::INFINITY];
        for (found, expected) in distance.iter().zip(expected) {
            assert!(*found == expected || (found - expected).abs() < 1e-12, "{distance:?}");
        }
        assert_eq!(ranking(&points), [0, 4, 2, 3, 1]);
        // One objective: simply the order.
        let line: Vec<Point> = [3.0, 1.0, 2.0].map(|value| point(&[value], 0.0)).into();
        assert_eq!(ranking(&line), [1, 2, 0]);
    }
}
