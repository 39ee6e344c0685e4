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

pub mod add;
pub mod conv;
pub mod depthwise;
pub mod gate;
pub mod matmul;
pub mod norm;
pub mod pointwise;
pub mod squeeze;

/// Rows of a tile, so that the tile's widest side stays in the second-level cache.
pub(crate) fn tile_rows(widest: usize) -> usize {
    (32768 / widest.max(1)).clamp(32, 512)
}
