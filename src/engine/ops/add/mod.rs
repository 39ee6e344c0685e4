//! The sum of two activations.

use std::sync::Arc;

use crate::engine::ops::norm::moments::Moments;
use crate::engine::ops::tile_rows;
use crate::engine::pool::Buf;
use crate::engine::real::Real;
use crate::engine::value::{Context, Data, Value, sum_rows};
use crate::engine::workers::{chunks, split};

/// What becomes of the sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    Kept,
    /// Readers add the two operands anew.
    Recomputed,
}

/// a + b, both `(N, H, W, C)`; without `b`, a copy of `a` with nothing pending.
/// With `moments`, also each chunk's statistics; the sum is kept then.
pub fn forward<E: Real>(
    context: &mut Context<E>,
    a: &Value<E>,
    b: Option<&Value<E>>,
    output: Output,
    moments: bool,
) -> (Value<E>, Vec<Moments>) {
    let (data, statistics) = match (b, output) {
        (Some(b), Output::Recomputed) if !moments => {
            (Data::Sum(Box::new([a.clone(), b.clone()])), Vec::new())
        }
        _ => {
            let (data, statistics) = kept(context, a, b, moments);
            (Data::Kept(data), statistics)
        }
    };
    let needs_grad = a.needs_grad || b.is_some_and(|b| b.needs_grad);
    let out = Value::of(data, a.images(), (a.h, a.w, a.c), needs_grad);
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

/// The sum in memory.
fn kept<E: Real>(
    context: &Context<E>,
    a: &Value<E>,
    b: Option<&Value<E>>,
    moments: bool,
) -> (Buf<E>, Vec<Moments>) {
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
            match b {
                Some(b) => sum_rows(a, b, rows, out),
                None => out.copy_from_slice(a.rows(rows, &mut scratch)),
            }
            if moments {
                gathered.add(out);
            }
        }
        gathered
    });
    (data, statistics)
}
