//! Vectors as arrays, for the compiler to turn into what the target has.

use super::Simd;
use crate::engine::real::Real;

/// Eight numbers in an array.
#[derive(Clone, Copy)]
pub struct Portable;

#[inline(always)]
fn each<E>(f: impl FnMut(usize) -> E) -> [E; 8] {
    std::array::from_fn(f)
}

impl<E: Real> Simd<E> for Portable {
    type V = [E; 8];
    const LANES: usize = 8;
    const REGISTERS: usize = 16;
    type Wide = [f64; 8];

    #[inline(always)]
    fn splat(self, value: E) -> [E; 8] {
        [value; 8]
    }
    #[inline(always)]
    fn add(self, a: [E; 8], b: [E; 8]) -> [E; 8] {
        each(|i| a[i] + b[i])
    }
    #[inline(always)]
    fn sub(self, a: [E; 8], b: [E; 8]) -> [E; 8] {
        each(|i| a[i] - b[i])
    }
    #[inline(always)]
    fn mul(self, a: [E; 8], b: [E; 8]) -> [E; 8] {
        each(|i| a[i] * b[i])
    }
    #[inline(always)]
    fn fma(self, a: [E; 8], b: [E; 8], c: [E; 8]) -> [E; 8] {
        each(|i| a[i].fma(b[i], c[i]))
    }
    #[inline(always)]
    fn at_least(self, low: [E; 8], value: [E; 8]) -> [E; 8] {
        each(|i| if value[i] < low[i] { low[i] } else { value[i] })
    }
    #[inline(always)]
    fn at_most(self, high: [E; 8], value: [E; 8]) -> [E; 8] {
        each(|i| if value[i] > high[i] { high[i] } else { value[i] })
    }
    #[inline(always)]
    fn where_positive(self, value: [E; 8], yes: [E; 8], no: [E; 8]) -> [E; 8] {
        each(|i| if value[i] > E::ZERO { yes[i] } else { no[i] })
    }
    #[inline(always)]
    fn wide_add(self, sum: [f64; 8], a: [E; 8]) -> [f64; 8] {
        each(|i| sum[i] + a[i].wide())
    }
    #[inline(always)]
    fn wide_fma(self, a: [E; 8], b: [E; 8], sum: [f64; 8]) -> [f64; 8] {
        each(|i| a[i].wide().mul_add(b[i].wide(), sum[i]))
    }
    #[inline(always)]
    unsafe fn wide_load_first(self, from: *const f64, count: usize) -> [f64; 8] {
        // SAFETY: as `load_first`.
        unsafe { self.load_first(from, count) }
    }
    #[inline(always)]
    unsafe fn wide_store_first(self, to: *mut f64, count: usize, sum: [f64; 8]) {
        // SAFETY: as `store_first`.
        unsafe { self.store_first(to, count, sum) }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const E) -> [E; 8] {
        // SAFETY: the caller's promise; arrays may lie anywhere when read so.
        unsafe { from.cast::<[E; 8]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut E, value: [E; 8]) {
        // SAFETY: as above.
        unsafe { to.cast::<[E; 8]>().write_unaligned(value) }
    }
    #[inline(always)]
    unsafe fn stream(self, to: *mut E, value: [E; 8]) {
        // SAFETY: the caller's promise.
        unsafe { self.store(to, value) }
    }
    #[inline(always)]
    fn fence(self) {}
    #[inline(always)]
    unsafe fn load_first(self, from: *const E, count: usize) -> [E; 8] {
        // SAFETY: only the first `count` values are read.
        each(|i| if i < count { unsafe { *from.add(i) } } else { E::ZERO })
    }
    #[inline(always)]
    unsafe fn store_first(self, to: *mut E, count: usize, value: [E; 8]) {
        for (i, value) in value.into_iter().enumerate().take(count) {
            // SAFETY: only the first `count` values are written.
            unsafe { *to.add(i) = value }
        }
    }
}
