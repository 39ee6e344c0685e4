//! Mean and variance per channel, gathered tile by tile in f64.

use crate::engine::Real;
use crate::engine::ops::matmul::Tally;
use crate::engine::simd::{for_lanes, load, vectorized};

/// Running sums over rows of some channels.
pub struct Moments {
    rows: usize,
    sum: Vec<f64>,
    squares: Vec<f64>,
}

impl Moments {
    /// Over no rows.
    pub fn new(channels: usize) -> Self {
        Self { rows: 0, sum: vec![0.0; channels], squares: vec![0.0; channels] }
    }

    /// The sums, for whoever adds `rows` rows to them.
    pub fn tally(&mut self, rows: usize) -> Tally<'_> {
        self.rows += rows;
        Tally { sum: &mut self.sum, squares: &mut self.squares }
    }

    /// Counts rows whose sums were added through a [`tally`](Self::tally) of none.
    pub fn count(&mut self, rows: usize) {
        self.rows += rows;
    }

    /// Adds rows to the sums.
    pub fn add<E: Real>(&mut self, tile: &[E]) {
        let channels = self.sum.len();
        let Tally { sum, squares } = self.tally(tile.len() / channels);
        vectorized(
            #[inline(always)]
            || {
                for_lanes!(channels, c0, L => add_lanes::<E, L>(tile, channels, c0, sum, squares));
            },
        );
    }

    /// Mean and (biased) variance per channel over all `parts`, merged in order.
    pub fn merge(parts: &[Self]) -> (Vec<f64>, Vec<f64>) {
        let channels = parts.first().map_or(0, |part| part.sum.len());
        let rows = parts.iter().map(|part| part.rows).sum::<usize>() as f64;
        let total = |of: fn(&Self) -> &[f64]| -> Vec<f64> {
            (0..channels).map(|i| parts.iter().map(|part| of(part)[i]).sum::<f64>() / rows).collect()
        };
        let (mean, squares) = (total(|part| &part.sum), total(|part| &part.squares));
        // Rounding may leave a little less than nothing; NaN stays NaN.
        let variance = |(mean, squares): (&f64, &f64)| {
            let variance = squares - mean * mean;
            if variance < 0.0 { 0.0 } else { variance }
        };
        let variance = mean.iter().zip(&squares).map(variance).collect();
        (mean, variance)
    }
}

#[inline(always)]
fn add_lanes<E: Real, const L: usize>(
    tile: &[E],
    channels: usize,
    c0: usize,
    sum: &mut [f64],
    squares: &mut [f64],
) {
    let (mut s, mut q) = ([0.0f64; L], [0.0f64; L]);
    for row in tile.chunks_exact(channels) {
        let z: [E; L] = load(row, c0);
        for i in 0..L {
            let z = z[i].wide();
            s[i] += z;
            q[i] = z.mul_add(z, q[i]);
        }
    }
    for i in 0..L {
        sum[c0 + i] += s[i];
        squares[c0 + i] += q[i];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1..=6 in two channels and two parts: means and variances by hand; an offset of 1000 changes no variance.
    #[test]
    fn means_and_variances() {
        for offset in [0.0f32, 1000.0] {
            let mut parts = [Moments::new(2), Moments::new(2)];
            parts[0].add(&[1.0 + offset, 10.0, 2.0 + offset, 20.0]);
            parts[1].add(&[6.0 + offset, 60.0]);
            let (mean, variance) = Moments::merge(&parts);
            assert_eq!(mean, [3.0 + f64::from(offset), 30.0]);
            let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
            assert!(close(variance[0], 14.0 / 3.0) && close(variance[1], 1400.0 / 3.0), "{variance:?}");
        }
    }
}
