//! An activation times a factor per pixel (CSE) or per channel (SE), as a pending part.

use std::sync::Arc;

use crate::engine::grad::Slot;
use crate::engine::pool::Buf;
use crate::engine::real::Real;
use crate::engine::simd::vectorized;
use crate::engine::value::{Context, Gate, Value};
use crate::engine::workers::{chunks, split};

/// Which factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// Factors `(N, H*W)`.
    Pixel,
    /// Factors `(N, C)`.
    Channel,
}

/// `x` times the factors, left pending; `x` must have no gate yet.
pub fn forward<E: Real>(context: &mut Context<E>, x: &Value<E>, factors: &Value<E>, per: Per) -> Value<E> {
    debug_assert!(x.gate.is_none());
    let values = Arc::new(factors.materialised());
    let gate = match per {
        Per::Pixel => Gate::Map(values.clone()),
        Per::Channel => Gate::Channel(values.clone()),
    };
    let needs_grad = x.needs_grad || factors.needs_grad;
    let out = Value { grad: Slot::new(), needs_grad, gate: Some(gate), early: None, ..x.clone() };
    let (x, factors, slot, workers) = (x.clone(), factors.clone(), out.grad.clone(), context.workers.clone());
    let (images, pixels, c) = (x.images(), x.pixels(), x.c);
    context.record(move |_| {
        let Some(mut d) = slot.take() else { return Ok(()) };
        let mut df = Buf::zeros(values.len());
        let width = values.len() / images;
        let parts = chunks(images)
            .into_iter()
            .zip(split(&mut d, images, pixels * c))
            .zip(split(&mut df, images, width))
            .collect();
        workers.map(parts, |((range, d), df)| {
            let mut scratch = Buf::take(pixels * c);
            for ((image, d), df) in range.zip(d.chunks_mut(pixels * c)).zip(df.chunks_mut(width)) {
                let a = x.rows(image * pixels..(image + 1) * pixels, &mut scratch);
                let factors = &values[image * width..][..width];
                vectorized(
                    #[inline(always)]
                    || match per {
                        Per::Pixel => per_pixel(a, factors, c, d, df),
                        Per::Channel => per_channel(a, factors, c, d, df),
                    },
                );
            }
        });
        if factors.needs_grad {
            factors.add_grad(df);
        }
        if x.needs_grad {
            x.add_grad(d);
        }
        Ok(())
    });
    out
}

/// d becomes d * factor; df gathers d * a over the channels.
#[inline(always)]
fn per_pixel<E: Real>(a: &[E], factors: &[E], c: usize, d: &mut [E], df: &mut [E]) {
    for (p, (a, d)) in a.chunks_exact(c).zip(d.chunks_exact_mut(c)).enumerate() {
        let mut sums = [E::ZERO; 16];
        for (a, d) in a.chunks(16).zip(d.chunks_mut(16)) {
            for (i, (a, d)) in a.iter().zip(d).enumerate() {
                sums[i] = a.fma(*d, sums[i]);
                *d *= factors[p];
            }
        }
        df[p] = sums.iter().fold(E::ZERO, |sum, s| sum + *s);
    }
}

/// d becomes d * factor; df gathers d * a over the pixels.
#[inline(always)]
fn per_channel<E: Real>(a: &[E], factors: &[E], c: usize, d: &mut [E], df: &mut [E]) {
    for (a, d) in a.chunks_exact(c).zip(d.chunks_exact_mut(c)) {
        for i in 0..c {
            df[i] = a[i].fma(d[i], df[i]);
            d[i] *= factors[i];
        }
    }
}
