//! Ops that turn each image into another, by themselves: what walks the batch for them, forward and back.

use crate::engine::pool::Buf;
use crate::engine::real::Real;
use crate::engine::value::{Context, Data, Value};
use crate::engine::workers::{chunks, split};

/// An op without parameters on one image, (H, W, C); training and inference run the same code.
pub trait ImageOp<E: Real>: Send + Sync {
    /// The output of the image of that number in the batch.
    fn forward(&self, image: usize, x: &[E], out: &mut [E]);

    /// Whether [`backward`](Self::backward) reads input and output.
    fn reads(&self) -> bool;

    /// The gradient of the input, written to `to` or added to it.
    fn backward(&self, image: usize, pass: Backward<'_, E>, to: Gradient<'_, E>);
}

/// What one image's backward pass reads.
pub struct Backward<'a, E> {
    /// Input and output; both empty where the op does not read them.
    pub x: &'a [E],
    pub y: &'a [E],
    /// The gradient of the output.
    pub d: &'a [E],
}

/// Where one image's gradient goes.
pub struct Gradient<'a, E> {
    pub data: &'a mut [E],
    /// Whether it holds what other readers of the input have put.
    pub accumulate: bool,
}

impl<'a, E: Real> Gradient<'a, E> {
    /// As a sum to add to: zeros, where there was nothing.
    pub fn into_sum(self) -> &'a mut [E] {
        if !self.accumulate {
            self.data.fill(E::ZERO);
        }
        self.data
    }
}

/// The op on `x`; the output's shape is (height, width, channels).
pub fn apply<E: Real>(
    context: &mut Context<E>,
    x: &Value<E>,
    op: impl ImageOp<E> + 'static,
    shape: (usize, usize, usize),
) -> Value<E> {
    let (images, pixels) = (x.images(), x.pixels());
    let per_image = shape.0 * shape.1 * shape.2;
    let mut data = Buf::take(images * per_image);
    let parts = chunks(images).into_iter().zip(split(&mut data, images, per_image)).collect();
    context.workers.map(parts, |(range, out)| {
        let mut scratch = Buf::take(if x.is_kept() { 0 } else { x.per_image() });
        for (image, out) in range.zip(out.chunks_mut(per_image)) {
            op.forward(image, x.rows(image * pixels..(image + 1) * pixels, &mut scratch), out);
        }
    });
    let out = Value::plain(data, images, shape, x.needs_grad);
    let (x, y, workers) = (x.clone(), out.clone(), context.workers.clone());
    context.record(move |_| {
        let Some(d) = y.take_grad() else { return Ok(()) };
        if !x.needs_grad {
            return Ok(());
        }
        let (mut dx, accumulate) = x.grad_target();
        let parts = chunks(images).into_iter().zip(split(&mut dx, images, x.per_image())).collect();
        workers.map(parts, |(range, dx)| {
            let mut scratch = Buf::take(if x.is_kept() || !op.reads() { 0 } else { x.per_image() });
            for (image, dx) in range.zip(dx.chunks_mut(x.per_image())) {
                let of_image = image * per_image..(image + 1) * per_image;
                let d = &d[of_image.clone()];
                let (mut before, mut after): (&[E], &[E]) = (&[], &[]);
                if let (true, Data::Kept(y)) = (op.reads(), &y.stored.data) {
                    before = x.rows(image * pixels..(image + 1) * pixels, &mut scratch);
                    after = &y[of_image];
                }
                let pass = Backward { x: before, y: after, d };
                op.backward(image, pass, Gradient { data: dx, accumulate });
            }
        });
        x.grad.put(dx);
        Ok(())
    });
    out
}
