//! The engine's own ops on dfdx's tape, one folder each.
//!
//! | op | reads | stores |
//! |---|---|---|
//! | `pointwise` | an activation, pending parts applied tile by tile | 1x1 convolution or linear layer, before normalisation |
//! | `depthwise` | the same, image by image | depthwise convolution |
//! | `conv` | the same | any other convolution |
//! | `norm` | | nothing: batch norm and activation become pending |
//! | `gate` | a small tensor of factors | nothing: the gate becomes pending |
//! | `squeeze` | an activation | its mean over channels or over the map |
//! | `add` | two activations | their sum |
//! | `channels` | one or more activations | their channels side by side, some of them, or in another order |
//! | `pool2d` | an activation | maxima or means of windows |
//! | `response_norm` | the same | each value beside its neighbouring channels' |
//! | `dropout` | the same | what is not dropped |

pub mod add;
pub mod channels;
pub mod conv;
pub mod depthwise;
pub mod dropout;
pub mod gate;
pub mod image;
pub mod matmul;
pub mod norm;
pub mod passes;
pub mod pointwise;
pub mod pool2d;
pub mod response_norm;
pub mod squeeze;

use dfdx::prelude::CpuError;

use super::grad::{self, Grads};
use super::pool::Buf;
use super::real::{Flat, Real};
use super::simd::vectorized;
use super::workers::{chunks, split};

/// Rows of a tile, so that the tile's widest side stays in the second-level cache.
pub(crate) fn tile_rows(widest: usize) -> usize {
    (32768 / widest.max(1)).clamp(32, 512)
}

/// The chunks of an input's gradient buffer; as many nothings where nobody needs that gradient.
pub(crate) fn input_grad_parts<E>(
    dx: &mut [E],
    needs_grad: bool,
    images: usize,
    per_image: usize,
) -> Vec<Option<&mut [E]>> {
    if needs_grad {
        split(dx, images, per_image).into_iter().map(Some).collect()
    } else {
        chunks(images).iter().map(|_| None).collect()
    }
}

/// One chunk's share of a weighted op's backward pass.
pub(crate) struct Share<E: Real> {
    /// Of the weight, in the weight's own layout.
    pub dw: Buf<E>,
    pub db: Vec<f64>,
    /// Sums of the input's norm, where its first pass was done on the way.
    pub sums: Option<norm::Sums>,
}

/// Adds every chunk's share to the gradients of a weight and a bias, in chunk order, and leaves the sums to the input's norm.
pub(crate) fn put_shares<E: Real>(
    grads: &mut Grads<E>,
    (weight, bias): (&Flat<E>, Option<&Flat<E>>),
    early: Option<&norm::EarlyPass<E>>,
    shares: Vec<Share<E>>,
) -> Result<(), CpuError> {
    let gradient = grads.get_or_alloc_mut(weight)?;
    vectorized(
        #[inline(always)]
        || {
            // A stretch of the gradient stays in cache while every chunk's share of it is added.
            for (at, gradient) in (0..).step_by(STRETCH).zip(gradient.chunks_mut(STRETCH)) {
                for share in &shares {
                    let share = &share.dw[at..at + gradient.len()];
                    gradient.iter_mut().zip(share).for_each(|(sum, more)| *sum += *more);
                }
            }
        },
    );
    let mut sums = Vec::new();
    for share in shares {
        if let Some(bias) = bias {
            grad::add_param(grads, bias, share.db.into_iter().map(E::of))?;
        }
        sums.extend(share.sums);
    }
    if let Some(early) = early {
        early.put(sums);
    }
    Ok(())
}

/// Values of a weight's gradient that are added up together.
const STRETCH: usize = 2048;
