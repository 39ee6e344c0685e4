//! What one core of this machine can do at best.

use std::hint::black_box;
use std::time::Instant;

use crate::engine::pool::Buf;
use crate::engine::simd::{self, Kernel, Simd, vectorized};

/// Operations and bytes a second of one core: fused multiply-adds on registers, and reading memory in order.
pub fn peaks() -> (f64, f64) {
    (operations(), bytes())
}

/// The best of some tries.
fn best(tries: usize, mut rate: impl FnMut() -> f64) -> f64 {
    (0..tries).map(|_| rate()).fold(0.0, f64::max)
}

fn operations() -> f64 {
    best(5, || {
        let start = Instant::now();
        let done = simd::run_f32(Multiply(black_box(200_000)));
        done / start.elapsed().as_secs_f64()
    })
}

/// So many rounds of multiply-adds on a dozen vectors; gives the operations done.
struct Multiply(usize);

impl Kernel<f32> for Multiply {
    type Output = f64;
    #[inline(always)]
    fn run<S: Simd<f32>>(self, s: S) -> f64 {
        let (factor, more) = (s.splat(black_box(0.5)), s.splat(black_box(0.25)));
        let mut sums = [more; 12];
        for _ in 0..self.0 {
            for sum in &mut sums {
                *sum = s.fma(*sum, factor, more);
            }
        }
        black_box(sums);
        (2 * sums.len() * S::LANES * self.0) as f64
    }
}

fn bytes() -> f64 {
    const LEN: usize = 64 << 20;
    let mut buffer = Buf::<f32>::take(LEN);
    buffer.fill(1.0);
    best(5, || {
        let start = Instant::now();
        let sum = vectorized(
            #[inline(always)]
            || {
                let mut sums = [0.0f32; 128];
                for values in buffer.chunks_exact(128) {
                    for (sum, value) in sums.iter_mut().zip(values) {
                        *sum += *value;
                    }
                }
                sums
            },
        );
        black_box(sum);
        (4 * LEN) as f64 / start.elapsed().as_secs_f64()
    })
}
