//! The elementwise passes over tiles: what is pending is applied, and the two halves of batch norm's backward.
//!
//! All work on the channels of some rows; rows lie some distance apart, so that a tile can be a whole batch's rows, a block
//! of channels of an image, or the inside of a padded plane.
#![allow(unsafe_code)]

use crate::engine::act::{Act, ActFn, with_act};
use crate::engine::real::Real;
use crate::engine::simd::{Kernel, Simd};

/// A matrix to be read: its first element is the slice's, its rows lie `row` apart.
#[derive(Clone, Copy)]
pub struct Rows<'a, E> {
    pub data: &'a [E],
    pub row: usize,
}

/// A matrix to be written.
pub struct RowsMut<'a, E> {
    pub data: &'a mut [E],
    pub row: usize,
}

impl<'a, E> Rows<'a, E> {
    /// Rows that begin `row` apart.
    pub fn new(data: &'a [E], row: usize) -> Self {
        Self { data, row }
    }
}

impl<'a, E> RowsMut<'a, E> {
    /// Rows that begin `row` apart.
    pub fn new(data: &'a mut [E], row: usize) -> Self {
        Self { data, row }
    }
}

/// Rows and columns of the matrices of a pass.
pub type Extent = (usize, usize);

fn check<E>(data: &[E], row: usize, (rows, width): Extent) {
    let fits = rows == 0 || (rows - 1).checked_mul(row).is_some_and(|last| data.len() >= last + width);
    assert!(fits && (rows <= 1 || row >= width), "a pass over more than there is");
}

/// A pass that works down some columns at a time.
trait Pass<E: Real> {
    fn extent(&self) -> Extent;

    /// `N` vectors of columns from `col` on, each of `count` values.
    fn block<S: Simd<E>, const N: usize>(&mut self, s: S, col: usize, count: usize);
}

/// Takes a pass over all columns: `WIDE` vectors at a time, then one by one.
struct Blocks<P, const WIDE: usize>(P);

impl<E: Real, P: Pass<E>, const WIDE: usize> Kernel<E> for Blocks<P, WIDE> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd<E>>(mut self, s: S) {
        let (_, width) = self.0.extent();
        let mut col = 0;
        while col + WIDE * S::LANES <= width {
            self.0.block::<S, WIDE>(s, col, S::LANES);
            col += WIDE * S::LANES;
        }
        while col < width {
            self.0.block::<S, 1>(s, col, S::LANES.min(width - col));
            col += S::LANES;
        }
    }
}

/// to = f(scale * z + shift), scale and shift per column.
pub fn apply<E: Real>(
    act: Act<E>,
    (scale, shift): (&[E], &[E]),
    extent: Extent,
    z: Rows<'_, E>,
    to: RowsMut<'_, E>,
) {
    check(z.data, z.row, extent);
    check(to.data, to.row, extent);
    assert!(scale.len() >= extent.1 && shift.len() >= extent.1, "fewer factors than columns");
    with_act!(act, f => E::run(Blocks::<_, 4>(Apply { f, scale, shift, extent, z, to })));
}

struct Apply<'a, E, F> {
    f: F,
    scale: &'a [E],
    shift: &'a [E],
    extent: Extent,
    z: Rows<'a, E>,
    to: RowsMut<'a, E>,
}

impl<E: Real, F: ActFn<E>> Pass<E> for Apply<'_, E, F> {
    fn extent(&self) -> Extent {
        self.extent
    }

    #[inline(always)]
    fn block<S: Simd<E>, const N: usize>(&mut self, s: S, col: usize, count: usize) {
        // SAFETY: extents were checked in `apply`; of a vector only `count` values are touched.
        unsafe {
            let (scale, shift) =
                (params::<E, S, N>(s, self.scale, col, count), params::<E, S, N>(s, self.shift, col, count));
            for r in 0..self.extent.0 {
                let z = self.z.data.as_ptr().add(r * self.z.row + col);
                let to = self.to.data.as_mut_ptr().add(r * self.to.row + col);
                for j in 0..N {
                    let y = s.fma(get(s, z.add(j * S::LANES), count), scale[j], shift[j]);
                    put(s, to.add(j * S::LANES), count, self.f.vector(s, y));
                }
            }
        }
    }
}

/// to = from.
pub fn copy<E: Real>(extent: Extent, from: Rows<'_, E>, to: RowsMut<'_, E>) {
    check(from.data, from.row, extent);
    check(to.data, to.row, extent);
    for r in 0..extent.0 {
        to.data[r * to.row..][..extent.1].copy_from_slice(&from.data[r * from.row..][..extent.1]);
    }
}

/// to = a * dy + b * z + c, a, b and c per column: batch norm's second pass.
pub fn finish<E: Real>(
    [a, b, c]: [&[E]; 3],
    extent: Extent,
    dy: Rows<'_, E>,
    z: Rows<'_, E>,
    to: RowsMut<'_, E>,
) {
    check(dy.data, dy.row, extent);
    check(z.data, z.row, extent);
    check(to.data, to.row, extent);
    assert!([a, b, c].iter().all(|factors| factors.len() >= extent.1), "fewer factors than columns");
    E::run(Blocks::<_, 4>(Finish { factors: [a, b, c], extent, dy, z, to }));
}

struct Finish<'a, E> {
    factors: [&'a [E]; 3],
    extent: Extent,
    dy: Rows<'a, E>,
    z: Rows<'a, E>,
    to: RowsMut<'a, E>,
}

impl<E: Real> Pass<E> for Finish<'_, E> {
    fn extent(&self) -> Extent {
        self.extent
    }

    #[inline(always)]
    fn block<S: Simd<E>, const N: usize>(&mut self, s: S, col: usize, count: usize) {
        // SAFETY: extents were checked in `finish`; of a vector only `count` values are touched.
        unsafe {
            let [a, b, c] = self.factors.map(
                #[inline(always)]
                |factors| params::<E, S, N>(s, factors, col, count),
            );
            for r in 0..self.extent.0 {
                let dy = self.dy.data.as_ptr().add(r * self.dy.row + col);
                let z = self.z.data.as_ptr().add(r * self.z.row + col);
                let to = self.to.data.as_mut_ptr().add(r * self.to.row + col);
                for j in 0..N {
                    let rest = s.fma(get(s, z.add(j * S::LANES), count), b[j], c[j]);
                    let dz = s.fma(get(s, dy.add(j * S::LANES), count), a[j], rest);
                    put(s, to.add(j * S::LANES), count, dz);
                }
            }
        }
    }
}

/// What batch norm's first backward pass reads besides da and z, per column.
pub struct Normed<'a, E> {
    pub act: Act<E>,
    pub scale: &'a [E],
    pub shift: &'a [E],
    pub mean: &'a [E],
}

/// Where the first pass adds up, per column.
pub struct SumsMut<'a> {
    /// Of dy.
    pub dy: &'a mut [f64],
    /// Of dy * (z - mean).
    pub centred: &'a mut [f64],
    /// Of da * min(y, 0), over all columns: PReLU's slope.
    pub slope: &'a mut f64,
}

/// dy = da * f'(scale * z + shift), and its sums: batch norm's first pass.
pub fn begin<E: Real>(
    normed: Normed<'_, E>,
    extent: Extent,
    da: Rows<'_, E>,
    z: Rows<'_, E>,
    dy: RowsMut<'_, E>,
    sums: SumsMut<'_>,
) {
    check(da.data, da.row, extent);
    check(z.data, z.row, extent);
    check(dy.data, dy.row, extent);
    let Normed { act, scale, shift, mean } = normed;
    let shortest =
        [scale.len(), shift.len(), mean.len(), sums.dy.len(), sums.centred.len()].into_iter().min();
    assert!(shortest >= Some(extent.1), "fewer factors or sums than columns");
    with_act!(act, f => E::run(Blocks::<_, 2>(Begin { f, factors: [scale, shift, mean], extent, da, z, dy, sums })));
}

struct Begin<'a, E, F> {
    f: F,
    factors: [&'a [E]; 3],
    extent: Extent,
    da: Rows<'a, E>,
    z: Rows<'a, E>,
    dy: RowsMut<'a, E>,
    sums: SumsMut<'a>,
}

impl<E: Real, F: ActFn<E>> Pass<E> for Begin<'_, E, F> {
    fn extent(&self) -> Extent {
        self.extent
    }

    #[inline(always)]
    fn block<S: Simd<E>, const N: usize>(&mut self, s: S, col: usize, count: usize) {
        // SAFETY: extents were checked in `begin`; of a vector only `count` values are touched.
        unsafe {
            let [scale, shift, mean] = self.factors.map(
                #[inline(always)]
                |factors| params::<E, S, N>(s, factors, col, count),
            );
            let (to_sum, to_centred) =
                (self.sums.dy[col..].as_mut_ptr(), self.sums.centred[col..].as_mut_ptr());
            let mut slopes = [s.splat(E::ZERO); N];
            let mut sum = [s.wide_load_first(to_sum, count); N];
            let mut centred = [s.wide_load_first(to_centred, count); N];
            for j in 1..N {
                sum[j] = s.wide_load_first(to_sum.add(j * S::LANES), count);
                centred[j] = s.wide_load_first(to_centred.add(j * S::LANES), count);
            }
            for r in 0..self.extent.0 {
                let da = self.da.data.as_ptr().add(r * self.da.row + col);
                let z = self.z.data.as_ptr().add(r * self.z.row + col);
                let dy = self.dy.data.as_mut_ptr().add(r * self.dy.row + col);
                for j in 0..N {
                    let (z, g) = (get(s, z.add(j * S::LANES), count), get(s, da.add(j * S::LANES), count));
                    let y = s.fma(z, scale[j], shift[j]);
                    let value = s.mul(g, self.f.slope_vector(s, y));
                    sum[j] = s.wide_add(sum[j], value);
                    centred[j] = s.wide_fma(value, s.sub(z, mean[j]), centred[j]);
                    if F::LEARNS {
                        slopes[j] = s.fma(g, s.at_most(s.splat(E::ZERO), y), slopes[j]);
                    }
                    put(s, dy.add(j * S::LANES), count, value);
                }
            }
            for j in 0..N {
                s.wide_store_first(to_sum.add(j * S::LANES), count, sum[j]);
                s.wide_store_first(to_centred.add(j * S::LANES), count, centred[j]);
                if F::LEARNS {
                    let mut values = [E::ZERO; 16];
                    s.store_first(values.as_mut_ptr(), count, slopes[j]);
                    values.iter().take(count).for_each(|value| *self.sums.slope += value.wide());
                }
            }
        }
    }
}

/// `N` vectors of factors from column `col` on.
///
/// # Safety
/// The slice must hold `count` values in each of the vectors.
#[inline(always)]
unsafe fn params<E: Real, S: Simd<E>, const N: usize>(
    s: S,
    from: &[E],
    col: usize,
    count: usize,
) -> [S::V; N] {
    std::array::from_fn(
        #[inline(always)]
        // SAFETY: the caller's promise.
        |j| unsafe { get(s, from.as_ptr().add(col + j * S::LANES), count) },
    )
}

/// # Safety
/// As [`Simd::load_first`].
#[inline(always)]
unsafe fn get<E, S: Simd<E>>(s: S, from: *const E, count: usize) -> S::V {
    // SAFETY: the caller's promise.
    unsafe { if count == S::LANES { s.load(from) } else { s.load_first(from, count) } }
}

/// # Safety
/// As [`Simd::store_first`].
#[inline(always)]
unsafe fn put<E, S: Simd<E>>(s: S, to: *mut E, count: usize, value: S::V) {
    // SAFETY: the caller's promise.
    unsafe { if count == S::LANES { s.store(to, value) } else { s.store_first(to, count, value) } }
}
