//! The Pareto front of two values: of all points at once, and of points that come one by one.

use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Indices of the points that no other dominates, by rising cost.
///
/// A point is `(cost, accuracy)`. It is dominated when another is at least as good in both and better in one;
/// equal points do not dominate each other, so ties are all kept (in their order of arrival).
/// Points with a value that is not finite are never on the front. O(n log n).
pub fn front(points: &[(f64, f64)]) -> Vec<usize> {
    let mut order: Vec<usize> =
        (0..points.len()).filter(|&i| points[i].0.is_finite() && points[i].1.is_finite()).collect();
    order.sort_by(|&a, &b| {
        let (pa, pb) = (points[a], points[b]);
        Total::of(pa.0).cmp(&Total::of(pb.0)).then(Total::of(pb.1).cmp(&Total::of(pa.1))).then(a.cmp(&b))
    });
    let mut kept: Vec<usize> = Vec::new();
    for i in order {
        match kept.last() {
            Some(&last) if points[last] != points[i] && points[i].1 <= points[last].1 => {}
            _ => kept.push(i),
        }
    }
    kept
}

/// A number with an order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Total(f64);

impl Total {
    /// -0.0 and 0.0 are one, as they are one value.
    pub fn of(value: f64) -> Self {
        Self(value + 0.0)
    }
}

impl Eq for Total {}

impl Ord for Total {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Total {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The front of points that come one by one, both values the lower the better. A point costs O(log n), however many came before.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Staircase {
    /// The second value by the first: the second falls as the first rises.
    steps: BTreeMap<Total, f64>,
}

impl Staircase {
    /// Takes a point; false where another is as good in both values, or one of its own is not finite.
    pub fn add(&mut self, (x, y): (f64, f64)) -> bool {
        if !x.is_finite() || !y.is_finite() || self.is_covered((x, y)) {
            return false;
        }
        while let Some((key, _)) = self.steps.range(Total::of(x)..).next().filter(|(_, below)| **below >= y) {
            let key = *key;
            self.steps.remove(&key);
        }
        self.steps.insert(Total::of(x), y);
        true
    }

    /// Whether some point is at least as good in both values.
    pub fn is_covered(&self, (x, y): (f64, f64)) -> bool {
        self.steps.range(..=Total::of(x)).next_back().is_some_and(|(_, least)| *least <= y)
    }

    /// The points, by rising first value.
    pub fn points(&self) -> impl Iterator<Item = (f64, f64)> {
        self.steps.iter().map(|(x, y)| (x.0, *y))
    }

    /// The area that is dominated, up to `reference`: from the points alone, whatever their order was.
    pub fn area(&self, reference: (f64, f64)) -> f64 {
        let mut above = reference.1;
        let mut area = 0.0;
        for (x, y) in self.points().take_while(|(x, _)| *x < reference.0) {
            if y < above {
                area += (reference.0 - x) * (above - y);
                above = y;
            }
        }
        area
    }

    /// How much area a point would add.
    pub fn gain(&self, (x, y): (f64, f64), reference: (f64, f64)) -> f64 {
        let before = self.steps.range(..=Total::of(x)).next_back();
        let mut above = before.map_or(reference.1, |(_, above)| above.min(reference.1));
        let mut left = x;
        let mut gain = 0.0;
        for (right, below) in self.steps.range(Total::of(x)..).map(|(x, y)| (x.0, *y)) {
            if above <= y || left >= reference.0 {
                return gain;
            }
            gain += (right.min(reference.0) - left) * (above - y);
            (left, above) = (right, above.min(below));
        }
        if above > y && left < reference.0 {
            gain += (reference.0 - left) * (above - y);
        }
        gain
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// The definition, spelled out: quadratic.
    fn brute(points: &[(f64, f64)]) -> Vec<usize> {
        let dominates = |a: (f64, f64), b: (f64, f64)| a.0 <= b.0 && a.1 >= b.1 && (a.0 < b.0 || a.1 > b.1);
        (0..points.len()).filter(|&i| !points.iter().any(|&p| dominates(p, points[i]))).collect()
    }

    #[test]
    fn agrees_with_the_definition_on_random_points_with_many_ties() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        for round in 0..400 {
            let n = rng.random_range(0..40);
            // Few distinct values make equal costs, equal accuracies and equal points common.
            let grid = if round % 2 == 0 { 6 } else { 1000 };
            let points: Vec<(f64, f64)> = (0..n)
                .map(|_| (f64::from(rng.random_range(0..grid)), f64::from(rng.random_range(0..grid))))
                .collect();
            let mut found = front(&points);
            assert!(found.windows(2).all(|w| points[w[0]].0 <= points[w[1]].0));
            found.sort_unstable();
            assert_eq!(found, brute(&points), "{points:?}");
        }
    }

    #[test]
    fn values_that_are_not_finite_are_left_out() {
        assert_eq!(front(&[(1.0, f64::NAN), (2.0, 3.0), (f64::NAN, 9.0)]), [1]);
        assert_eq!(front(&[]), Vec::<usize>::new());
        assert!(!Staircase::default().add((f64::NAN, 1.0)));
    }

    /// On integer coordinates the area is a count of unit cells.
    fn cells(points: &[(f64, f64)], reference: (i32, i32)) -> f64 {
        let is_dominated = |x: i32, y: i32| points.iter().any(|p| p.0 <= f64::from(x) && p.1 <= f64::from(y));
        let columns = (-5..reference.0).flat_map(|x| (-5..reference.1).map(move |y| (x, y)));
        columns.filter(|(x, y)| is_dominated(*x, *y)).count() as f64
    }

    /// After each point: the front is that of all so far, its area is counted in cells, and what a point gains is the difference.
    #[test]
    fn a_staircase_that_grows_is_the_front_of_all_so_far() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        for _ in 0..60 {
            let (mut stairs, mut points) = (Staircase::default(), Vec::new());
            for _ in 0..30 {
                let mut draw = || f64::from(rng.random_range(-5..25));
                let point = (draw(), draw());
                let gain = stairs.gain(point, (20.0, 22.0));
                let before = stairs.area((20.0, 22.0));
                stairs.add(point);
                points.push(point);
                assert_eq!(stairs.area((20.0, 22.0)), cells(&points, (20, 22)));
                assert_eq!(gain, stairs.area((20.0, 22.0)) - before, "{point:?}");
                let turned: Vec<(f64, f64)> = points.iter().map(|(x, y)| (*x, -y)).collect();
                let mut expected: Vec<(f64, f64)> = front(&turned).iter().map(|i| points[*i]).collect();
                expected.dedup();
                assert_eq!(stairs.points().collect::<Vec<_>>(), expected);
            }
        }
    }
}
