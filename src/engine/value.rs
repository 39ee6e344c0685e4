//! An activation: what is stored, and what is still to be applied when it is read.
//!
//! A convolution stores its output before normalisation. Batch norm, activation and gate are *pending*: the next op
//! applies them to a tile as it reads, so that they cost no pass over memory and no storage of their own.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use dfdx::prelude::{CpuError, OwnedTape, Tape};

use super::act::Act;
use super::grad::{Grads, Slot};
use super::measure::{Clock, Pass};
use super::ops::matmul::bf16::Units;
use super::ops::norm::EarlyPass;
use super::ops::passes::{self, Rows, RowsMut};
use super::ops::pointwise::Recompute;
use super::ops::tile_rows;
use super::pool::Buf;
use super::real::Real;
use super::simd::vectorized;
use super::workers::Workers;
use crate::arch::LayerId;

/// What an op needs beside its inputs.
pub struct Context<E: Real> {
    /// Present in training: ops record their backward pass on it.
    pub tape: Option<OwnedTape<E, dfdx::prelude::Cpu>>,
    pub workers: Arc<Workers>,
    /// Products of 1x1 convolutions are taken in bf16 with these.
    pub bf16: Option<Units>,
    /// Where the time of each layer goes, if somebody wants to know.
    pub clock: Option<Clock>,
    /// The layer at work.
    pub layer: LayerId,
}

impl<E: Real> Context<E> {
    /// Records a backward op; without a tape does nothing.
    pub fn record(&mut self, backward: impl FnOnce(&mut Grads<E>) -> Result<(), CpuError> + 'static) {
        let Some(tape) = &mut self.tape else { return };
        match self.clock.clone() {
            None => tape.add_backward_op(backward),
            Some(clock) => {
                let layer = self.layer;
                tape.add_backward_op(move |grads| clock.time(layer, Pass::Backward, || backward(grads)));
            }
        }
    }
}

/// An activation of shape `(N, H, W, C)`.
#[derive(Clone)]
pub struct Value<E: Real> {
    pub stored: Arc<Stored<E>>,
    /// Of this activation, pending parts applied.
    pub grad: Slot<E>,
    /// False for the images: nobody needs their gradient.
    pub needs_grad: bool,
    pub h: usize,
    pub w: usize,
    pub c: usize,
    pub norm: Option<Arc<Affine<E>>>,
    pub act: Act<E>,
    pub gate: Option<Gate<E>>,
    /// Where its only reader may do the first half of the norm's backward pass, while its gradient is in cache.
    pub early: Option<Arc<EarlyPass<E>>>,
}

/// What is in memory: `images` * h * w rows of c values.
pub struct Stored<E: Real> {
    pub data: Data<E>,
    pub images: usize,
    lazy: Mutex<Option<LazyGrad<E>>>,
}

/// The stored values.
pub enum Data<E: Real> {
    Kept(Buf<E>),
    /// A product, cheaper computed anew than kept.
    Recomputed(Recompute<E>),
    /// The sum of two activations, read together.
    Sum(Box<[Value<E>; 2]>),
}

/// A per-channel scale and shift.
#[derive(Debug, Clone, PartialEq)]
pub struct Affine<E> {
    pub scale: Vec<E>,
    pub shift: Vec<E>,
}

/// A factor per pixel or per channel, already computed.
#[derive(Clone)]
pub enum Gate<E> {
    /// `(N, H*W)`, the same for every channel.
    Map(Arc<Vec<E>>),
    /// `(N, C)`, the same for every pixel.
    Channel(Arc<Vec<E>>),
}

/// Batch norm's backward, put off until the gradient is read: dz = a*dy + b*z + c per channel.
pub struct LazyGrad<E> {
    pub a: Vec<E>,
    pub b: Vec<E>,
    pub c: Vec<E>,
}

impl<E: Real> Value<E> {
    /// A stored activation with nothing pending.
    pub fn plain(data: Buf<E>, images: usize, shape: (usize, usize, usize), needs_grad: bool) -> Self {
        Self::of(Data::Kept(data), images, shape, needs_grad)
    }

    /// An activation with nothing pending.
    pub fn of(data: Data<E>, images: usize, (h, w, c): (usize, usize, usize), needs_grad: bool) -> Self {
        let stored = Stored { data, images, lazy: Mutex::new(None) };
        Self {
            stored: Arc::new(stored),
            grad: Slot::new(),
            needs_grad,
            h,
            w,
            c,
            norm: None,
            act: Act::Identity,
            gate: None,
            early: None,
        }
    }

    /// Images in the batch.
    pub fn images(&self) -> usize {
        self.stored.images
    }

    /// Pixels of one image.
    pub fn pixels(&self) -> usize {
        self.h * self.w
    }

    /// Elements of one image.
    pub fn per_image(&self) -> usize {
        self.pixels() * self.c
    }

    /// Whether what is stored is what is read.
    pub fn is_plain(&self) -> bool {
        self.norm.is_none() && self.act == Act::Identity && self.gate.is_none()
    }

    /// Elements of the whole batch.
    pub fn elements(&self) -> usize {
        self.images() * self.per_image()
    }

    /// Whether its rows can be read straight from memory.
    pub fn is_kept(&self) -> bool {
        self.is_plain() && matches!(self.stored.data, Data::Kept(_))
    }

    /// Rows of what is stored, nothing applied: straight from memory, or written to `scratch`.
    pub fn raw_rows<'a>(&'a self, rows: Range<usize>, scratch: &'a mut [E]) -> &'a [E] {
        match &self.stored.data {
            Data::Kept(data) => &data[rows.start * self.c..rows.end * self.c],
            Data::Recomputed(product) => {
                let out = &mut scratch[..rows.len() * self.c];
                product.rows(rows, out);
                out
            }
            Data::Sum(terms) => {
                let out = &mut scratch[..rows.len() * self.c];
                let [a, b] = &**terms;
                sum_rows(a, b, rows, out);
                out
            }
        }
    }

    /// What [`raw_rows`](Self::raw_rows) will read from memory for some rows, as far as there are such rows.
    pub fn raw_source(&self, rows: Range<usize>) -> &[E] {
        let rows = rows.start.min(self.images() * self.pixels())..rows.end.min(self.images() * self.pixels());
        match &self.stored.data {
            Data::Kept(data) => &data[rows.start * self.c..rows.end * self.c],
            Data::Recomputed(product) => product.source(rows),
            Data::Sum(terms) => terms[0].raw_source(rows),
        }
    }

    /// Elements of scratch that [`raw_rows`](Self::raw_rows) needs for some rows.
    pub fn raw_scratch(&self, rows: usize) -> usize {
        if matches!(self.stored.data, Data::Kept(_)) { 0 } else { rows * self.c }
    }

    /// Rows (pixels of all images in order) as they are read: straight from memory, or written to `scratch`.
    pub fn rows<'a>(&'a self, rows: Range<usize>, scratch: &'a mut [E]) -> &'a [E] {
        if self.is_plain() {
            return self.raw_rows(rows, scratch);
        }
        let mut raw = Buf::take(self.raw_scratch(rows.len()));
        let stored = self.raw_rows(rows.clone(), &mut raw);
        let out = &mut scratch[..stored.len()];
        let to = RowsMut::new(&mut *out, self.c);
        let extent = (rows.len(), self.c);
        self.with_factors(0..self.c, |factors| {
            passes::apply(self.act, factors, extent, Rows::new(stored, self.c), to)
        });
        self.apply_gate(rows, out);
        out
    }

    /// Calls `work` with the norm's scale and shift of some channels, ones and zeros without a norm.
    pub fn with_factors<R>(&self, channels: Range<usize>, work: impl FnOnce((&[E], &[E])) -> R) -> R {
        match self.norm.as_deref() {
            Some(norm) => work((&norm.scale[channels.clone()], &norm.shift[channels])),
            None => work((&vec![E::ONE; channels.len()], &vec![E::ZERO; channels.len()])),
        }
    }

    fn apply_gate(&self, rows: Range<usize>, out: &mut [E]) {
        let Some(gate) = &self.gate else { return };
        vectorized(
            #[inline(always)]
            || {
                for (row, pixel) in out.chunks_exact_mut(self.c).zip(rows) {
                    match gate {
                        Gate::Map(map) => row.iter_mut().for_each(|v| *v *= map[pixel]),
                        Gate::Channel(factors) => {
                            let image = pixel / self.pixels();
                            let factors = &factors[image * self.c..][..self.c];
                            row.iter_mut().zip(factors).for_each(|(v, f)| *v *= *f);
                        }
                    }
                }
            },
        );
    }

    /// All of it as it is read, in a buffer of its own.
    pub fn materialised(&self) -> Vec<E> {
        let rows = self.images() * self.pixels();
        let mut scratch = Buf::take(if self.is_kept() { 0 } else { rows * self.c });
        self.rows(0..rows, &mut scratch).to_vec()
    }

    /// Takes the gradient gathered for this activation, as plain numbers.
    pub fn take_grad(&self) -> Option<Buf<E>> {
        let mut gathered = self.grad.take()?;
        if self.is_plain()
            && let Some(lazy) = self.stored.take_lazy()
        {
            lazy.apply_all(&mut gathered, self);
        }
        Some(gathered)
    }

    /// Puts a gradient for this activation, added to what others have put.
    pub fn add_grad(&self, more: Buf<E>) {
        self.add_shared_grad(Arc::new(more));
    }

    /// Puts a gradient that others may read too, added to what others have put.
    pub fn add_shared_grad(&self, more: Arc<Buf<E>>) {
        match self.take_grad() {
            None => self.grad.put_shared(more),
            Some(mut sum) => {
                vectorized(
                    #[inline(always)]
                    || sum.iter_mut().zip(more.iter()).for_each(|(s, m)| *s += *m),
                );
                self.grad.put(sum);
            }
        }
    }

    /// The buffer to add this activation's gradient into, and whether it holds a sum already.
    pub fn grad_target(&self) -> (Buf<E>, bool) {
        match self.take_grad() {
            Some(sum) => (sum, true),
            None => (Buf::take(self.elements()), false),
        }
    }
}

/// Rows of a + b.
pub fn sum_rows<E: Real>(a: &Value<E>, b: &Value<E>, rows: Range<usize>, out: &mut [E]) {
    let mut scratch = Buf::take(out.len());
    if a.is_kept() {
        out.copy_from_slice(a.rows(rows.clone(), &mut scratch));
    } else {
        a.rows(rows.clone(), out);
    }
    let b = b.rows(rows, &mut scratch);
    vectorized(
        #[inline(always)]
        || out.iter_mut().zip(b).for_each(|(o, b)| *o += *b),
    );
}

impl<E: Real> Stored<E> {
    /// Leaves batch norm's backward to whoever takes the gradient next.
    pub fn put_lazy(&self, lazy: LazyGrad<E>) {
        *self.lazy.lock().unwrap_or_else(PoisonError::into_inner) = Some(lazy);
    }

    /// What [`put_lazy`](Self::put_lazy) left.
    pub fn take_lazy(&self) -> Option<LazyGrad<E>> {
        self.lazy.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<E: Real> LazyGrad<E> {
    /// dz of some rows, written to `to`.
    pub fn read(&self, dy: &[E], z: &[E], to: &mut [E]) {
        let c = self.a.len();
        passes::finish(
            [&self.a, &self.b, &self.c],
            (dy.len() / c, c),
            Rows::new(dy, c),
            Rows::new(z, c),
            RowsMut::new(to, c),
        );
    }

    /// dy of the whole batch becomes dz, in place; `x` is what the norm read.
    pub fn apply_all(&self, dy: &mut [E], x: &Value<E>) {
        let tile = tile_rows(x.c);
        let mut raw = Buf::take(x.raw_scratch(tile));
        let mut copy = Buf::take(tile * x.c);
        for (t, dy) in dy.chunks_mut(tile * x.c).enumerate() {
            let copy = &mut copy[..dy.len()];
            copy.copy_from_slice(dy);
            self.read(copy, x.raw_rows(t * tile..t * tile + dy.len() / x.c, &mut raw), dy);
        }
    }
}
