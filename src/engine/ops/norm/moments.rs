//! Mean and variance per channel, gathered tile by tile.
//!
//! Sums are of differences from a sample (the first row seen), in f32 over one tile and in f64 over tiles, so that a
//! mean far from zero costs no accuracy.

use crate::engine::Real;
use crate::engine::simd::{for_lanes, load, vectorized};

/// Running sums over rows of `c` channels.
pub struct Moments<E> {
    rows: usize,
    origin: Vec<E>,
    sum: Vec<f64>,
    squares: Vec<f64>,
}

impl<E: Real> Moments<E> {
    /// Over no rows.
    pub fn new(channels: usize) -> Self {
        Self { rows: 0, origin: Vec::new(), sum: vec![0.0; channels], squares: vec![0.0; channels] }
    }

    /// Adds rows to the sums. Rows a tile: up to some hundreds, so that f32 sums stay accurate.
    pub fn add(&mut self, tile: &[E]) {
        let channels = self.sum.len();
        if self.rows == 0 && tile.len() >= channels {
            self.origin = tile[..channels].to_vec();
        }
        self.rows += tile.len() / channels;
        let (origin, sum, squares) = (&self.origin, &mut self.sum, &mut self.squares);
        vectorized(
            #[inline(always)]
            || {
                for_lanes!(channels, c0, L => add_lanes::<E, L>(tile, channels, c0, origin, sum, squares));
            },
        );
    }

    /// Mean and (biased) variance per channel over all `parts`, merged in order.
    pub fn merge(parts: &[Self]) -> (Vec<f64>, Vec<f64>) {
        let channels = parts.first().map_or(0, |part| part.sum.len());
        let (mut mean, mut m2, mut rows) = (vec![0.0; channels], vec![0.0; channels], 0.0);
        for part in parts.iter().filter(|part| part.rows > 0) {
            let n = part.rows as f64;
            for i in 0..channels {
                let shift = part.sum[i] / n;
                let part_mean = part.origin[i].wide() + shift;
                let part_m2 = part.squares[i] - part.sum[i] * shift;
                let delta = part_mean - mean[i];
                mean[i] += delta * n / (rows + n);
                m2[i] += part_m2 + delta * delta * rows * n / (rows + n);
            }
            rows += n;
        }
        // Rounding may leave a little less than nothing; NaN stays NaN.
        let variance = m2.iter().map(|m2| if *m2 < 0.0 { 0.0 } else { m2 / rows }).collect();
        (mean, variance)
    }
}

#[inline(always)]
fn add_lanes<E: Real, const L: usize>(
    tile: &[E],
    channels: usize,
    c0: usize,
    origin: &[E],
    sum: &mut [f64],
    squares: &mut [f64],
) {
    let origin: [E; L] = load(origin, c0);
    let (mut s, mut q) = ([E::ZERO; L], [E::ZERO; L]);
    for row in tile.chunks_exact(channels) {
        let z: [E; L] = load(row, c0);
        for i in 0..L {
            let d = z[i] - origin[i];
            s[i] += d;
            q[i] = d.fma(d, q[i]);
        }
    }
    for i in 0..L {
        sum[c0 + i] += s[i].wide();
        squares[c0 + i] += q[i].wide();
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
