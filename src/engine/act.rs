//! Activation functions and their slopes, at kinks as PyTorch has them.
#![allow(unsafe_code)]

use super::Real;
use super::simd::Simd;

/// The activation still to be applied to a stored activation when it is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Act<E> {
    Identity,
    Relu,
    Relu6,
    Hswish,
    Hsigmoid,
    Sigmoid,
    /// PReLU with this slope.
    Prelu(E),
}

/// One activation function, for loops that are compiled for it.
pub trait ActFn<E>: Copy + Send + Sync {
    /// Whether it has a parameter that is learned.
    const LEARNS: bool = false;
    fn value(self, y: E) -> E;
    /// Derivative at `y`.
    fn slope(self, y: E) -> E;
    /// [`value`](Self::value) of a whole vector, the same to the bit.
    fn vector<S: Simd<E>>(self, s: S, y: S::V) -> S::V;
    /// [`slope`](Self::slope) of a whole vector, the same to the bit.
    fn slope_vector<S: Simd<E>>(self, s: S, y: S::V) -> S::V;
}

#[derive(Clone, Copy)]
pub struct Identity;
#[derive(Clone, Copy)]
pub struct Relu;
#[derive(Clone, Copy)]
pub struct Relu6;
#[derive(Clone, Copy)]
pub struct Hswish;
#[derive(Clone, Copy)]
pub struct Hsigmoid;
#[derive(Clone, Copy)]
pub struct Sigmoid;
#[derive(Clone, Copy)]
pub struct Prelu<E>(pub E);

// Comparisons are written so that NaN passes through: a diverged network must not look like zeros.
impl<E: Real> ActFn<E> for Identity {
    #[inline(always)]
    fn value(self, y: E) -> E {
        y
    }
    #[inline(always)]
    fn slope(self, _: E) -> E {
        E::ONE
    }
    #[inline(always)]
    fn vector<S: Simd<E>>(self, _: S, y: S::V) -> S::V {
        y
    }
    #[inline(always)]
    fn slope_vector<S: Simd<E>>(self, s: S, y: S::V) -> S::V {
        let _ = y;
        s.splat(E::ONE)
    }
}

impl<E: Real> ActFn<E> for Relu {
    #[inline(always)]
    fn value(self, y: E) -> E {
        if y < E::ZERO { E::ZERO } else { y }
    }
    #[inline(always)]
    fn slope(self, y: E) -> E {
        if y > E::ZERO { E::ONE } else { E::ZERO }
    }
    #[inline(always)]
    fn vector<S: Simd<E>>(self, s: S, y: S::V) -> S::V {
        s.at_least(s.splat(E::ZERO), y)
    }
    #[inline(always)]
    fn slope_vector<S: Simd<E>>(self, s: S, y: S::V) -> S::V {
        s.where_positive(y, s.splat(E::ONE), s.splat(E::ZERO))
    }
}

impl<E: Real> ActFn<E> for Relu6 {
    #[inline(always)]
    fn value(self, y: E) -> E {
        let y = if y < E::ZERO { E::ZERO } else { y };
        if y > E::of(6.0) { E::of(6.0) } else { y }
    }
    #[inline(always)]
    fn slope(self, y: E) -> E {
        let low = if y > E::ZERO { E::ONE } else { E::ZERO };
        if y < E::of(6.0) { low } else { E::ZERO }
    }
    #[inline(always)]
    fn vector<S: Simd<E>>(self, s: S, y: S::V) -> S::V {
        s.at_most(s.splat(E::of(6.0)), s.at_least(s.splat(E::ZERO), y))
    }
    #[inline(always)]
    fn slope_vector<S: Simd<E>>(self, s: S, y: S::V) -> S::V {
        let low = s.where_positive(y, s.splat(E::ONE), s.splat(E::ZERO));
        s.where_positive(s.sub(s.splat(E::of(6.0)), y), low, s.splat(E::ZERO))
    }
}

impl<E: Real> ActFn<E> for Hsigmoid {
    #[inline(always)]
    fn value(self, y: E) -> E {
        Relu6.value(y + E::of(3.0)) * E::of(1.0 / 6.0)
    }
    #[inline(always)]
    fn slope(self, y: E) -> E {
        Relu6.slope(y + E::of(3.0)) * E::of(1.0 / 6.0)
    }
    #[inline(always)]
    fn vector<S: Simd<E>>(self, s: S, y: S::V) -> S::V {
        s.mul(Relu6.vector(s, s.add(y, s.splat(E::of(3.0)))), s.splat(E::of(1.0 / 6.0)))
    }
    #[inline(always)]
    fn slope_vector<S: Simd<E>>(self, s: S, y: S::V) -> S::V {
        s.mul(Relu6.slope_vector(s, s.add(y, s.splat(E::of(3.0)))), s.splat(E::of(1.0 / 6.0)))
    }
}

impl<E: Real> ActFn<E> for Hswish {
    #[inline(always)]
    fn value(self, y: E) -> E {
        y * Hsigmoid.value(y)
    }
    #[inline(always)]
    fn slope(self, y: E) -> E {
        y.fma(Hsigmoid.slope(y), Hsigmoid.value(y))
    }
    #[inline(always)]
    fn vector<S: Simd<E>>(self, s: S, y: S::V) -> S::V {
        s.mul(y, Hsigmoid.vector(s, y))
    }
    #[inline(always)]
    fn slope_vector<S: Simd<E>>(self, s: S, y: S::V) -> S::V {
        s.fma(y, Hsigmoid.slope_vector(s, y), Hsigmoid.vector(s, y))
    }
}

impl<E: Real> ActFn<E> for Sigmoid {
    #[inline(always)]
    fn value(self, y: E) -> E {
        E::ONE / (E::ONE + (-y).exponential())
    }
    #[inline(always)]
    fn slope(self, y: E) -> E {
        let s = self.value(y);
        s * (E::ONE - s)
    }
    #[inline(always)]
    fn vector<S: Simd<E>>(self, s: S, y: S::V) -> S::V {
        each(
            s,
            y,
            #[inline(always)]
            |y| self.value(y),
        )
    }
    #[inline(always)]
    fn slope_vector<S: Simd<E>>(self, s: S, y: S::V) -> S::V {
        each(
            s,
            y,
            #[inline(always)]
            |y| self.slope(y),
        )
    }
}

impl<E: Real> ActFn<E> for Prelu<E> {
    const LEARNS: bool = true;

    #[inline(always)]
    fn value(self, y: E) -> E {
        if y > E::ZERO { y } else { y * self.0 }
    }
    #[inline(always)]
    fn slope(self, y: E) -> E {
        if y > E::ZERO { E::ONE } else { self.0 }
    }
    #[inline(always)]
    fn vector<S: Simd<E>>(self, s: S, y: S::V) -> S::V {
        s.where_positive(y, y, s.mul(y, s.splat(self.0)))
    }
    #[inline(always)]
    fn slope_vector<S: Simd<E>>(self, s: S, y: S::V) -> S::V {
        s.where_positive(y, s.splat(E::ONE), s.splat(self.0))
    }
}

/// A function of each value of a vector.
#[inline(always)]
fn each<E: Real, S: Simd<E>>(s: S, y: S::V, f: impl Fn(E) -> E) -> S::V {
    let mut values = [E::ZERO; 16];
    // SAFETY: no vector is longer than sixteen.
    unsafe { s.store(values.as_mut_ptr(), y) };
    values.iter_mut().for_each(|y| *y = f(*y));
    // SAFETY: as above.
    unsafe { s.load(values.as_ptr()) }
}

/// Compiles `$body` for each activation, `$f` standing for it.
macro_rules! with_act {
    ($act:expr, $f:ident => $body:expr) => {
        match $act {
            $crate::engine::act::Act::Identity => {
                let $f = $crate::engine::act::Identity;
                $body
            }
            $crate::engine::act::Act::Relu => {
                let $f = $crate::engine::act::Relu;
                $body
            }
            $crate::engine::act::Act::Relu6 => {
                let $f = $crate::engine::act::Relu6;
                $body
            }
            $crate::engine::act::Act::Hswish => {
                let $f = $crate::engine::act::Hswish;
                $body
            }
            $crate::engine::act::Act::Hsigmoid => {
                let $f = $crate::engine::act::Hsigmoid;
                $body
            }
            $crate::engine::act::Act::Sigmoid => {
                let $f = $crate::engine::act::Sigmoid;
                $body
            }
            $crate::engine::act::Act::Prelu(slope) => {
                let $f = $crate::engine::act::Prelu(slope);
                $body
            }
        }
    };
}
pub(crate) use with_act;
