//! Dropout: each value is dropped by the toss of a coin that is computed anew wherever it is asked for.

use crate::arch::LayerId;
use crate::engine::ops::image::{Backward, Gradient, ImageOp};
use crate::engine::real::Real;
use crate::engine::simd::vectorized;

/// Which values a layer drops in one step: by its key and a value's place in the batch alone, so that threads do not
/// matter and nothing is stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    pub rate: f64,
    /// Of the step and the layer.
    pub key: u64,
}

/// The coins of a model: which values its dropout layers drop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coins {
    /// Of the model.
    pub seed: u64,
    /// The training step: the same step drops the same values.
    pub step: u64,
}

impl Coins {
    /// A layer's key in this step.
    pub fn of_layer(&self, layer: LayerId) -> u64 {
        mixed(mixed(self.seed.wrapping_add(mixed(self.step))).wrapping_add(layer as u64))
    }
}

/// The output function of splitmix64 (Steele, Lea and Flood 2014).
#[inline(always)]
fn mixed(at: u64) -> u64 {
    let z = at.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Dropout {
    /// Calls `put(value to write, value read and grown, or 0)` for each value of an image.
    fn each<E: Real>(&self, image: usize, from: &[E], to: &mut [E], put: impl Fn(&mut E, E)) {
        let first = self.key.wrapping_add((image as u64).wrapping_mul(from.len() as u64));
        // Of all 2^64 outcomes the lowest are drops.
        let drops = (self.rate * 2f64.powi(64)) as u64;
        let grow = if self.rate < 1.0 { E::of(1.0 / (1.0 - self.rate)) } else { E::ZERO };
        vectorized(
            #[inline(always)]
            || {
                for (i, (to, from)) in to.iter_mut().zip(from).enumerate() {
                    let is_kept = mixed(first.wrapping_add(i as u64)) >= drops;
                    put(to, if is_kept { *from * grow } else { E::ZERO });
                }
            },
        );
    }
}

impl<E: Real> ImageOp<E> for Dropout {
    fn forward(&self, image: usize, x: &[E], out: &mut [E]) {
        self.each(
            image,
            x,
            out,
            #[inline(always)]
            |to, from| *to = from,
        );
    }

    fn reads(&self) -> bool {
        false
    }

    fn backward(&self, image: usize, Backward { d, .. }: Backward<'_, E>, to: Gradient<'_, E>) {
        match to.accumulate {
            true => self.each(
                image,
                d,
                to.data,
                #[inline(always)]
                |to, from| *to += from,
            ),
            false => self.each(
                image,
                d,
                to.data,
                #[inline(always)]
                |to, from| *to = from,
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u64, step: u64, layer: LayerId) -> u64 {
        Coins { seed, step }.of_layer(layer)
    }

    fn kept(rate: f64, key: u64) -> Vec<f64> {
        let mut out = vec![0.0; 20_000];
        (0..2).for_each(|image| {
            Dropout { rate, key }.forward(image, &[1.0; 10_000], &mut out[image * 10_000..][..10_000]);
        });
        out
    }

    /// A share `rate` is zero and the others 1 / (1 - rate), so that the mean stays; the deviation of the share of
    /// 20,000 tosses is 0.0035 at most.
    #[test]
    fn the_mean_stays() {
        for rate in [0.0, 0.2, 0.5, 0.9] {
            let out = kept(rate, key(7, 3, 2));
            let dropped = out.iter().filter(|v| **v == 0.0).count() as f64 / out.len() as f64;
            assert!((dropped - rate).abs() < 0.015, "{rate}: {dropped}");
            assert!(out.iter().all(|v| *v == 0.0 || (*v - 1.0 / (1.0 - rate)).abs() < 1e-12), "{rate}");
        }
        assert!(kept(1.0, 5).iter().all(|v| *v == 0.0));
    }

    /// Steps, layers, seeds and images toss coins of their own: two of them agree in half of the values.
    #[test]
    fn tosses_are_independent() {
        let one = kept(0.5, key(7, 3, 2));
        let agree =
            |other: &[f64]| one.iter().zip(other).filter(|(a, b)| a == b).count() as f64 / other.len() as f64;
        for other in [key(7, 3, 3), key(7, 4, 2), key(8, 3, 2), key(7, 2, 3)] {
            assert!((agree(&kept(0.5, other)) - 0.5).abs() < 0.015);
        }
        assert!((agree(&one[10_000..]) - 0.5).abs() < 0.02);
        assert_eq!(one, kept(0.5, key(7, 3, 2)));
    }
}
