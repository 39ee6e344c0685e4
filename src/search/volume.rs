//! Hypervolume (Zitzler and Thiele 1999).

/// How much of the space up to `reference` some points dominate: with two values in O(n log n), with three in O(n^2), with more
/// in slices along the last.
pub fn hypervolume<P: AsRef<[f64]>>(points: &[P], reference: &[f64]) -> f64 {
    let inside = |point: &&[f64]| point.iter().zip(reference).all(|(value, most)| value < most);
    let points: Vec<&[f64]> = points.iter().map(AsRef::as_ref).filter(inside).collect();
    of_inside(points, reference)
}

/// As [`hypervolume`], of points all of whose values are below the reference's.
fn of_inside(mut points: Vec<&[f64]>, reference: &[f64]) -> f64 {
    let Some((last, others)) = reference.split_last() else { return 0.0 };
    let at = others.len();
    points.sort_by(|a, b| a[at].total_cmp(&b[at]));
    match at {
        0 => points.first().map_or(0.0, |point| last - point[0]),
        1 => of_sorted_pairs(points.iter().map(|point| (point[0], point[1])), (reference[0], *last)),
        2 => of_sorted_triples(&points, [reference[0], reference[1], *last]),
        _ => in_slices(&points, at, *last, |below| {
            of_inside(below.iter().map(|point| &point[..at]).collect(), others)
        }),
    }
}

/// A sum over slices, from each point to the next along the value `at`, of what `of` says about the points so far.
fn in_slices(points: &[&[f64]], at: usize, last: f64, mut of: impl FnMut(&[&[f64]]) -> f64) -> f64 {
    let mut volume = 0.0;
    for (number, point) in points.iter().enumerate() {
        let end = points.get(number + 1).map_or(last, |next| next[at]);
        if end > point[at] {
            volume += (end - point[at]) * of(&points[..=number]);
        }
    }
    volume
}

/// Of pairs by rising second value.
fn of_sorted_pairs(pairs: impl Iterator<Item = (f64, f64)>, reference: (f64, f64)) -> f64 {
    let mut pairs = pairs.peekable();
    let (mut area, mut least) = (0.0, f64::INFINITY);
    while let Some((x, y)) = pairs.next() {
        least = x.min(least);
        let end = pairs.peek().map_or(reference.1, |next| next.1);
        if end > y {
            area += (end - y) * (reference.0 - least);
        }
    }
    area
}

/// Of points by rising third value: the pairs below each slice stay sorted.
fn of_sorted_triples(points: &[&[f64]], reference: [f64; 3]) -> f64 {
    let mut below: Vec<(f64, f64)> = Vec::with_capacity(points.len());
    let mut added = 0;
    in_slices(points, 2, reference[2], |so_far| {
        for point in &so_far[added..] {
            let place = below.partition_point(|other| other.1.total_cmp(&point[1]).is_le());
            below.insert(place, (point[0], point[1]));
        }
        added = so_far.len();
        of_sorted_pairs(below.iter().copied(), (reference[0], reference[1]))
    })
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// A box less a box, and a staircase, by hand.
    #[test]
    fn hypervolume_is_the_volume_dominated() {
        assert_eq!(hypervolume(&[[1.0]], &[4.0]), 3.0);
        assert_eq!(hypervolume::<[f64; 2]>(&[], &[4.0, 4.0]), 0.0);
        assert_eq!(hypervolume(&[[1.0, 3.0], [2.0, 1.0], [3.0, 3.0], [0.0, 5.0]], &[4.0, 4.0]), 7.0);
        // Two boxes of 2 x 2 x 1 and 1 x 1 x 3 that share 1 x 1 x 1.
        assert_eq!(hypervolume(&[[0.0, 0.0, 2.0], [1.0, 1.0, 0.0]], &[2.0, 2.0, 3.0]), 4.0 + 3.0 - 1.0);
    }

    /// The definition in slices along the last value, each from all points anew: what was computed before this was fast.
    fn sliced(points: &[&[f64]], reference: &[f64]) -> f64 {
        let Some((last, others)) = reference.split_last() else { return 0.0 };
        let at = others.len();
        let inside = |point: &&&[f64]| point.iter().zip(reference).all(|(value, most)| value < most);
        let mut points: Vec<&[f64]> = points.iter().filter(inside).copied().collect();
        points.sort_by(|a, b| a[at].total_cmp(&b[at]));
        if others.is_empty() {
            return points.first().map_or(0.0, |point| last - point[at]);
        }
        let mut volume = 0.0;
        for (number, point) in points.iter().enumerate() {
            let end = points.get(number + 1).map_or(*last, |next| next[at]);
            if end > point[at] {
                let below: Vec<&[f64]> = points[..=number].iter().map(|point| &point[..at]).collect();
                volume += (end - point[at]) * sliced(&below, others);
            }
        }
        volume
    }

    /// To the bit, with ties and points beyond the reference.
    #[test]
    fn it_is_what_slices_say() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        for objectives in 1..=4 {
            for round in 0..60 {
                let n = rng.random_range(0..25);
                let mut draw = || match round % 2 {
                    0 => f64::from(rng.random_range(0..6)) / 3.0,
                    _ => rng.random_range(0.0..2.0),
                };
                let points: Vec<Vec<f64>> =
                    (0..n).map(|_| (0..objectives).map(|_| draw()).collect()).collect();
                let reference = vec![1.7; objectives];
                let slices: Vec<&[f64]> = points.iter().map(Vec::as_slice).collect();
                let expected = sliced(&slices, &reference);
                assert_eq!(hypervolume(&points, &reference).to_bits(), expected.to_bits(), "{points:?}");
            }
        }
    }
}
