//! The sum of two activations, stored.

use std::sync::Arc;

use crate::engine::ops::norm::moments::Moments;
use crate::engine::ops::tile_rows;
use crate::engine::pool::Buf;
use crate::engine::real::Real;
use crate::engine::simd::vectorized;
use crate::engine::value::{Context, Value};
use crate::engine::workers::{chunks, split};

/// a + b, both `(N, H, W, C)`; without `b`, a copy of `a` with nothing pending.
/// With `moments`, also each chunk's statistics.
pub fn forward<E: Real>(
    context: &mut Context<E>,
    a: &Value<E>,
    b: Option<&Value<E>>,
    moments: bool,
) -> (Value<E>, Vec<Moments>) {
    let (images, pixels, c) = (a.images(), a.pixels(), a.c);
    let tile = tile_rows(c);
    let mut data = Buf::take(images * pixels * c);
    let parts = chunks(images).into_iter().zip(split(&mut data, images, pixels * c)).collect();
    let statistics = context.workers.map(parts, |(range, out)| {
        let mut scratch = Buf::take(tile * c);
        let mut gathered = Moments::new(c);
        for (t, out) in out.chunks_mut(tile * c).enumerate() {
            let start = range.start * pixels + t * tile;
            let rows = start..start + out.len() / c;
            out.copy_from_slice(a.rows(rows.clone(), &mut scratch));
            if let Some(b) = b {
                let b = b.rows(rows, &mut scratch);
                vectorized(
                    #[inline(always)]
                    || out.iter_mut().zip(b).for_each(|(o, b)| *o += *b),
                );
            }
            if moments {
                gathered.add(out);
            }
        }
        gathered
    });
    let needs_grad = a.needs_grad || b.is_some_and(|b| b.needs_grad);
    let out = Value::plain(data, images, (a.h, a.w, c), needs_grad);
    let (a, b, sum) = (a.clone(), b.cloned(), out.clone());
    context.record(move |_| {
        let Some(d) = sum.take_grad().map(Arc::new) else { return Ok(()) };
        if let Some(b) = b.filter(|b| b.needs_grad) {
            b.add_shared_grad(d.clone());
        }
        if a.needs_grad {
            a.add_shared_grad(d);
        }
        Ok(())
    });
    (out, statistics)
}
