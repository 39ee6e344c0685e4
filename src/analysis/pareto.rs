//! The Pareto front of two objectives: least cost, most accuracy.

/// Indices of the points no other point dominates, by rising cost.
///
/// A point is `(cost, accuracy)`. It is dominated when another is at least as good in both and better in one;
/// equal points do not dominate each other, so ties are all kept (in their order of arrival).
/// Points with a value that is not finite are never on the front. O(n log n).
pub fn front(points: &[(f64, f64)]) -> Vec<usize> {
    let mut order: Vec<usize> =
        (0..points.len()).filter(|&i| points[i].0.is_finite() && points[i].1.is_finite()).collect();
    order.sort_by(|&a, &b| {
        let (pa, pb) = (points[a], points[b]);
        // Adding zero makes -0.0 and 0.0 the same key, as they are the same value.
        (pa.0 + 0.0).total_cmp(&(pb.0 + 0.0)).then((pb.1 + 0.0).total_cmp(&(pa.1 + 0.0))).then(a.cmp(&b))
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
    }
}
