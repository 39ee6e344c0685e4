//! What changes values where they lie: batch norm with nothing to fold into, activations, sums, gates.

use crate::engine::act::{Act, ActFn, with_act};
use crate::engine::ops::gate::Per;
use crate::engine::real::Real;
use crate::engine::simd::vectorized;
use crate::engine::value::Affine;

/// values = act(scale * values + shift), of whole rows.
pub fn affine<E: Real>(values: &mut [E], affine: Option<&Affine<E>>, act: Act<E>) {
    vectorized(
        #[inline(always)]
        || {
            with_act!(act, f => match affine {
                None => values.iter_mut().for_each(|v| *v = f.value(*v)),
                Some(Affine { scale, shift }) => for row in values.chunks_exact_mut(scale.len()) {
                    for ((v, scale), shift) in row.iter_mut().zip(scale).zip(shift) {
                        *v = f.value(v.fma(*scale, *shift));
                    }
                },
            })
        },
    );
}

/// values = act(values + more).
pub fn add<E: Real>(values: &mut [E], more: &[E], act: Act<E>) {
    vectorized(
        #[inline(always)]
        || with_act!(act, f => values.iter_mut().zip(more).for_each(|(v, m)| *v = f.value(*v + *m))),
    );
}

/// One image's values (pixels of `c` channels) times factors.
pub fn scale<E: Real>(values: &mut [E], c: usize, factors: &[E], per: Per) {
    vectorized(
        #[inline(always)]
        || match per {
            Per::Pixel => {
                for (row, factor) in values.chunks_exact_mut(c).zip(factors) {
                    row.iter_mut().for_each(|v| *v *= *factor);
                }
            }
            Per::Channel => {
                for row in values.chunks_exact_mut(c) {
                    row.iter_mut().zip(factors).for_each(|(v, f)| *v *= *f);
                }
            }
        },
    );
}
