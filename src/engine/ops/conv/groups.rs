//! Products in groups: columns g * inputs .. of the left side make columns g * outputs .. of the result.
//!
//! Each group is a matrix product of its own, its columns taken from rows that hold all groups'. Groups of few columns
//! would leave the product's vectors empty: these run row by row across all groups, the outputs of a group known when it
//! is compiled.

use crate::engine::ops::matmul::{Epilogue, Mat, Packed, Right, Tally, matmul};
use crate::engine::ops::norm::moments::Moments;
use crate::engine::ops::passes::{self, Rows, RowsMut};
use crate::engine::ops::pointwise::add_bias;
use crate::engine::pool::Buf;
use crate::engine::real::Real;
use crate::engine::simd::vectorized;

/// Groups, and the columns of each on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Groups {
    pub groups: usize,
    pub inputs: usize,
    pub outputs: usize,
}

/// Most columns of either side of a narrow group.
const NARROW: usize = 8;

/// Runs `$body` with `$n`, at most [`NARROW`], a constant of the name `$N`.
macro_rules! with_outputs {
    ($n:expr, $N:ident => $body:expr) => {
        vectorized(
            #[inline(always)]
            || match $n {
                1 => with_outputs!(@ 1, $N => $body),
                2 => with_outputs!(@ 2, $N => $body),
                3 => with_outputs!(@ 3, $N => $body),
                4 => with_outputs!(@ 4, $N => $body),
                5 => with_outputs!(@ 5, $N => $body),
                6 => with_outputs!(@ 6, $N => $body),
                7 => with_outputs!(@ 7, $N => $body),
                _ => with_outputs!(@ 8, $N => $body),
            },
        )
    };
    (@ $n:literal, $N:ident => $body:expr) => {{
        const $N: usize = $n;
        $body
    }};
}

/// Weights `(O, inputs)` laid out for products from the left or back.
pub struct Weights<E: Real> {
    groups: Groups,
    layout: Layout<E>,
}

enum Layout<E: Real> {
    /// A right side for each group.
    Wide(Vec<Packed<E>>),
    /// (inputs, O).
    Narrow(Vec<E>),
}

impl Groups {
    /// Columns of all groups on the left, and of the result.
    pub fn columns(&self) -> (usize, usize) {
        (self.groups * self.inputs, self.groups * self.outputs)
    }

    fn is_narrow(&self) -> bool {
        self.groups > 1 && self.inputs <= NARROW && self.outputs <= NARROW
    }

    /// Values of scratch that `rows` rows need.
    pub fn scratch(&self, rows: usize) -> usize {
        if self.groups == 1 || self.is_narrow() { 0 } else { rows * self.inputs.max(self.outputs) }
    }

    /// dw `(O, inputs)` += d^T * a. Narrow groups have it as `(inputs, O)`: see [`finish`](Self::finish).
    pub fn weight_grad<E: Real>(&self, a: &[E], d: &[E], scratch: &mut [E], dw: &mut [E]) {
        let (Self { groups, inputs, outputs }, (left, right)) = (*self, self.columns());
        let rows = d.len() / right;
        if self.is_narrow() {
            return with_outputs!(outputs, N => weight_grad::<E, N>((inputs, groups), a, d, dw));
        }
        for (g, dw) in dw.chunks_exact_mut(outputs * inputs).enumerate() {
            let mut a = a;
            if groups > 1 {
                let from = Rows { data: &a[g * inputs..], row: left };
                passes::copy((rows, inputs), from, RowsMut { data: scratch, row: inputs });
                a = scratch;
            }
            let d = Mat { data: &d[g * outputs..], row: 1, col: right };
            matmul((outputs, inputs, rows), dw, d, Right::Rows(a), Epilogue::accumulating(true));
        }
    }

    /// What [`weight_grad`](Self::weight_grad) gathered, as `(O, inputs)`.
    pub fn finish<E: Real>(&self, dw: Buf<E>) -> Buf<E> {
        if !self.is_narrow() {
            return dw;
        }
        let mut out = Buf::take(dw.len());
        let all = self.columns().1;
        out.iter_mut().enumerate().for_each(|(at, out)| *out = dw[at % self.inputs * all + at / self.inputs]);
        out
    }
}

impl<E: Real> Weights<E> {
    /// For [`forward`](Self::forward).
    pub fn forwards(groups: Groups, weights: &[E]) -> Self {
        let Groups { inputs, outputs, .. } = groups;
        let pack = |weights: &[E]| Packed::new(inputs, outputs, Mat::transposed(weights, inputs));
        Self::new(groups, weights, pack)
    }

    /// For [`backward`](Self::backward).
    pub fn backwards(groups: Groups, weights: &[E]) -> Self {
        let Groups { inputs, outputs, .. } = groups;
        Self::new(groups, weights, |weights| Packed::new(outputs, inputs, Mat::rows(weights, inputs)))
    }

    fn new(groups: Groups, weights: &[E], pack: impl Fn(&[E]) -> Packed<E>) -> Self {
        let Groups { inputs, outputs, .. } = groups;
        let layout = if groups.is_narrow() {
            let all = groups.columns().1;
            Layout::Narrow((0..weights.len()).map(|at| weights[at % all * inputs + at / all]).collect())
        } else {
            Layout::Wide(weights.chunks_exact(inputs * outputs).map(pack).collect())
        };
        Self { groups, layout }
    }

    /// out = a * weights^T (+ bias), group by group, with the statistics of every column where wanted.
    pub fn forward(
        &self,
        a: &[E],
        bias: Option<&[E]>,
        scratch: &mut [E],
        out: &mut [E],
        moments: Option<&mut Moments>,
    ) {
        let (Groups { groups, inputs, outputs }, (left, right)) = (self.groups, self.groups.columns());
        let rows = out.len() / right;
        let packed = match &self.layout {
            Layout::Wide(packed) => packed,
            Layout::Narrow(weights) => {
                with_outputs!(outputs, N => forward::<E, N>(inputs, a, weights, out));
                if let Some(bias) = bias {
                    add_bias(out, bias);
                }
                if let Some(moments) = moments {
                    moments.add(out);
                }
                return;
            }
        };
        let mut sums = moments.map(|moments| moments.tally(rows));
        for (g, packed) in packed.iter().enumerate() {
            let columns = g * outputs..(g + 1) * outputs;
            let tally = sums.as_mut().map(|Tally { sum, squares }| Tally {
                sum: &mut sum[columns.clone()],
                squares: &mut squares[columns.clone()],
            });
            let bias = bias.map(|bias| &bias[columns.clone()]);
            let epilogue = Epilogue { bias, tally, ..Epilogue::plain() };
            let a = Mat { data: &a[g * inputs..], row: left, col: 1 };
            let to: &mut [E] = if groups == 1 { &mut *out } else { &mut *scratch };
            matmul((rows, outputs, inputs), to, a, Right::Packed(packed), epilogue);
            if groups > 1 {
                let to = RowsMut { data: &mut out[columns.start..], row: right };
                passes::copy((rows, outputs), Rows { data: scratch, row: outputs }, to);
            }
        }
    }

    /// da = d * weights, group by group.
    pub fn backward(&self, d: &[E], scratch: &mut [E], da: &mut [E]) {
        let (Groups { groups, inputs, outputs }, (left, right)) = (self.groups, self.groups.columns());
        let rows = d.len() / right;
        let packed = match &self.layout {
            Layout::Wide(packed) => packed,
            Layout::Narrow(weights) => {
                return with_outputs!(outputs, N => backward::<E, N>(inputs, d, weights, da));
            }
        };
        for (g, packed) in packed.iter().enumerate() {
            let d = Mat { data: &d[g * outputs..], row: right, col: 1 };
            let to: &mut [E] = if groups == 1 { &mut *da } else { &mut *scratch };
            matmul((rows, inputs, outputs), to, d, Right::Packed(packed), Epilogue::plain());
            if groups > 1 {
                let to = RowsMut { data: &mut da[g * inputs..], row: left };
                passes::copy((rows, inputs), Rows { data: scratch, row: inputs }, to);
            }
        }
    }
}

/// `N` outputs a group, weights (inputs, O).
#[inline(always)]
fn forward<E: Real, const N: usize>(inputs: usize, a: &[E], weights: &[E], out: &mut [E]) {
    let all = weights.len() / inputs;
    for (a, out) in a.chunks_exact(all / N * inputs).zip(out.chunks_exact_mut(all)) {
        for (i, weights) in weights.chunks_exact(all).enumerate() {
            let groups = out.chunks_exact_mut(N).zip(weights.chunks_exact(N));
            for ((out, weights), a) in groups.zip(a.chunks_exact(inputs)) {
                for j in 0..N {
                    let sum = if i == 0 { E::ZERO } else { out[j] };
                    out[j] = a[i].fma(weights[j], sum);
                }
            }
        }
    }
}

/// dw (inputs, O) += a^T * d.
#[inline(always)]
fn weight_grad<E: Real, const N: usize>((inputs, groups): (usize, usize), a: &[E], d: &[E], dw: &mut [E]) {
    let all = groups * N;
    for (a, d) in a.chunks_exact(groups * inputs).zip(d.chunks_exact(all)) {
        for (i, dw) in dw.chunks_exact_mut(all).enumerate() {
            for ((dw, d), a) in dw.chunks_exact_mut(N).zip(d.chunks_exact(N)).zip(a.chunks_exact(inputs)) {
                for j in 0..N {
                    dw[j] = a[i].fma(d[j], dw[j]);
                }
            }
        }
    }
}

/// da = d * weights, (inputs, O).
#[inline(always)]
fn backward<E: Real, const N: usize>(inputs: usize, d: &[E], weights: &[E], da: &mut [E]) {
    let all = weights.len() / inputs;
    for (d, da) in d.chunks_exact(all).zip(da.chunks_exact_mut(all / N * inputs)) {
        for (i, weights) in weights.chunks_exact(all).enumerate() {
            let groups = d.chunks_exact(N).zip(weights.chunks_exact(N));
            for ((d, weights), da) in groups.zip(da.chunks_exact_mut(inputs)) {
                let mut sum = E::ZERO;
                for j in 0..N {
                    sum = d[j].fma(weights[j], sum);
                }
                da[i] = sum;
            }
        }
    }
}
