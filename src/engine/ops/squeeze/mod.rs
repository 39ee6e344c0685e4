//! Means of an activation: over channels (the squeeze of CSE) and over the map (global average pooling).

use crate::engine::pool::Buf;
use crate::engine::real::Real;
use crate::engine::simd::vectorized;
use crate::engine::value::{Context, Value};
use crate::engine::workers::{chunks, split};

/// What is averaged away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// `(N, H, W, C)` to `(N, H*W)`.
    Channels,
    /// `(N, H, W, C)` to `(N, C)`.
    Map,
}

/// The mean of `x`.
pub fn forward<E: Real>(context: &mut Context<E>, x: &Value<E>, over: Over) -> Value<E> {
    let (images, pixels, c) = (x.images(), x.pixels(), x.c);
    let width = match over {
        Over::Channels => pixels,
        Over::Map => c,
    };
    let mut data = Buf::take(images * width);
    let parts = chunks(images).into_iter().zip(split(&mut data, images, width)).collect();
    context.workers.map(parts, |(range, out)| {
        let mut scratch = Buf::take(pixels * c);
        for (image, out) in range.zip(out.chunks_mut(width)) {
            let rows = x.rows(image * pixels..(image + 1) * pixels, &mut scratch);
            mean(rows, c, over, out);
        }
    });
    let out = Value::plain(data, images, (1, 1, width), x.needs_grad);
    let (x, mean, workers) = (x.clone(), out.clone(), context.workers.clone());
    context.record(move |_| {
        let Some(d) = mean.take_grad() else { return Ok(()) };
        if !x.needs_grad {
            return Ok(());
        }
        let (mut dx, accumulate) = x.grad_target();
        let parts = chunks(images).into_iter().zip(split(&mut dx, images, pixels * c)).collect();
        workers.map(parts, |(range, dx)| {
            for (image, dx) in range.zip(dx.chunks_mut(pixels * c)) {
                let d = &d[image * width..][..width];
                vectorized(
                    #[inline(always)]
                    || {
                        for (p, row) in dx.chunks_exact_mut(c).enumerate() {
                            let share = match over {
                                Over::Channels => Share::Same(d[p] / E::of(c as f64)),
                                Over::Map => Share::Each(d, E::of(1.0 / pixels as f64)),
                            };
                            spread(row, share, accumulate);
                        }
                    },
                );
            }
        });
        x.grad.put(dx);
        Ok(())
    });
    out
}

/// The mean of one image's rows of `c` channels.
pub fn mean<E: Real>(rows: &[E], c: usize, over: Over, out: &mut [E]) {
    vectorized(
        #[inline(always)]
        || match over {
            Over::Channels => mean_over_channels(rows, c, out),
            Over::Map => mean_over_map(rows, c, out),
        },
    );
}

/// The gradient that one row receives.
enum Share<'a, E> {
    Same(E),
    Each(&'a [E], E),
}

#[inline(always)]
fn spread<E: Real>(row: &mut [E], share: Share<'_, E>, accumulate: bool) {
    if !accumulate {
        row.fill(E::ZERO);
    }
    match share {
        Share::Same(d) => row.iter_mut().for_each(|v| *v += d),
        Share::Each(d, factor) => row.iter_mut().zip(d).for_each(|(v, d)| *v += *d * factor),
    }
}

#[inline(always)]
fn mean_over_channels<E: Real>(rows: &[E], c: usize, out: &mut [E]) {
    let share = E::of(1.0 / c as f64);
    for (row, out) in rows.chunks_exact(c).zip(out) {
        // Sixteen sums side by side, then added in order: the same bits on every instruction set.
        let mut sums = [E::ZERO; 16];
        let mut blocks = row.chunks_exact(16);
        for block in &mut blocks {
            for i in 0..16 {
                sums[i] += block[i];
            }
        }
        for (s, v) in sums.iter_mut().zip(blocks.remainder()) {
            *s += *v;
        }
        *out = sums.iter().fold(E::ZERO, |sum, s| sum + *s) * share;
    }
}

#[inline(always)]
fn mean_over_map<E: Real>(rows: &[E], c: usize, out: &mut [E]) {
    let share = E::of(c as f64 / rows.len() as f64);
    out.fill(E::ZERO);
    for row in rows.chunks_exact(c) {
        out.iter_mut().zip(row).for_each(|(o, v)| *o += *v);
    }
    out.iter_mut().for_each(|o| *o *= share);
}
