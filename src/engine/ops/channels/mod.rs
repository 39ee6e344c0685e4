//! Concatenation and slices: every channel of the output is one of an input's, runs of them copied together.

mod transpose;

use crate::engine::ops::passes::{self, Extent, Rows, RowsMut};
use crate::engine::ops::tile_rows;
use crate::engine::pool::Buf;
use crate::engine::real::Real;
use crate::engine::simd::vectorized;
use crate::engine::value::{Context, Value};
use crate::engine::workers::{chunks, split};
pub use transpose::Transpose;

/// Neighbouring channels of an input and where they go in the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    pub from: usize,
    pub to: usize,
    pub len: usize,
}

impl Run {
    /// Copies the run, of rows of `from_row` channels into rows of `to_row`.
    pub fn copy<E: Real>(&self, from: &[E], from_row: usize, to: &mut [E], to_row: usize) {
        let extent = (to.len() / to_row, self.len);
        let from = Rows { data: &from[self.from..], row: from_row };
        passes::copy(extent, from, RowsMut { data: &mut to[self.to..], row: to_row });
    }
}

/// Each input's run side by side: `(N, H, W, c)`. Together the runs fill the output.
pub fn forward<E: Real>(context: &mut Context<E>, inputs: &[(Value<E>, Run)], c: usize) -> Value<E> {
    let Some((first, _)) = inputs.first() else { return Value::plain(Buf::take(0), 0, (1, 1, 1), false) };
    let (images, pixels, shape) = (first.images(), first.pixels(), (first.h, first.w, c));
    let widest = inputs.iter().map(|(x, _)| x.c).max().unwrap_or(0);
    let tile = tile_rows(c.max(widest));
    let mut data = Buf::take(images * pixels * c);
    let parts = chunks(images).into_iter().zip(split(&mut data, images, pixels * c)).collect();
    context.workers.map(parts, |(range, out)| {
        let mut scratch = Buf::take(tile * widest);
        for (t, out) in out.chunks_mut(tile * c).enumerate() {
            let start = range.start * pixels + t * tile;
            for (x, run) in inputs {
                let rows = x.rows(start..start + out.len() / c, &mut scratch);
                run.copy(rows, x.c, out, c);
            }
        }
    });
    let out = Value::plain(data, images, shape, inputs.iter().any(|(x, _)| x.needs_grad));
    let (inputs, joined, workers) = (inputs.to_vec(), out.clone(), context.workers.clone());
    context.record(move |_| {
        let Some(d) = joined.take_grad() else { return Ok(()) };
        for (x, run) in inputs.iter().filter(|(x, _)| x.needs_grad) {
            let (mut dx, accumulate) = x.grad_target();
            let parts = chunks(images).into_iter().zip(split(&mut dx, images, x.per_image())).collect();
            workers.map(parts, |(range, dx)| {
                let d = &d[range.start * pixels * c..range.end * pixels * c];
                let back = Run { from: run.to, to: run.from, len: run.len };
                if accumulate {
                    let extent = (dx.len() / x.c, run.len);
                    let to = RowsMut { data: &mut dx[back.to..], row: x.c };
                    return add(extent, Rows { data: &d[back.from..], row: c }, to);
                }
                if run.len < x.c {
                    dx.fill(E::ZERO);
                }
                back.copy(d, c, dx, x.c);
            });
            x.grad.put(dx);
        }
        Ok(())
    });
    out
}

/// to += from.
fn add<E: Real>((rows, width): Extent, from: Rows<'_, E>, to: RowsMut<'_, E>) {
    vectorized(
        #[inline(always)]
        || {
            for r in 0..rows {
                let from = &from.data[r * from.row..][..width];
                let to = &mut to.data[r * to.row..][..width];
                to.iter_mut().zip(from).for_each(|(to, from)| *to += *from);
            }
        },
    );
}
