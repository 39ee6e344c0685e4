//! Hypervolume in two dimensions (Zitzler and Thiele 1999): how much of the plane a set of points dominates.

use crate::search::volume;

/// Area dominated by `points` (`(cost, accuracy)`) and better than `reference`.
///
/// Only the part with cost below `reference.0` and accuracy above `reference.1` counts; points beyond the reference add nothing.
pub fn hypervolume(points: &[(f64, f64)], reference: (f64, f64)) -> f64 {
    let points: Vec<[f64; 2]> = points.iter().map(|(cost, accuracy)| [*cost, -accuracy]).collect();
    volume::hypervolume(&points, &[reference.0, -reference.1])
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// On integer coordinates the area is a count of unit cells.
    fn cells(points: &[(f64, f64)], reference: (i32, i32)) -> f64 {
        let mut count = 0;
        for x in -5..reference.0 {
            for y in reference.1..40 {
                let (left, top) = (f64::from(x), f64::from(y + 1));
                if points.iter().any(|p| p.0 <= left && p.1 >= top) {
                    count += 1;
                }
            }
        }
        f64::from(count)
    }

    #[test]
    fn agrees_with_counted_cells() {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        for _ in 0..200 {
            let n = rng.random_range(0..20);
            let points: Vec<(f64, f64)> = (0..n)
                .map(|_| (f64::from(rng.random_range(-5..30)), f64::from(rng.random_range(-5..40))))
                .collect();
            assert_eq!(hypervolume(&points, (22.0, 3.0)), cells(&points, (22, 3)));
        }
    }
}
