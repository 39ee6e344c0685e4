//! Eight f32 in an AVX register.

use std::arch::x86_64::*;

use super::{Kernel, Portable, Simd};

/// Who holds one may use AVX2 and FMA: only [`run`] makes one.
#[derive(Clone, Copy)]
pub struct Avx2(());

/// Runs a kernel.
///
/// # Safety
/// The machine must have AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
pub unsafe fn run<K: Kernel<f32>>(kernel: K) -> K::Output {
    kernel.run(Avx2(()))
}

/// Runs a plain loop, compiled for AVX2.
///
/// # Safety
/// As [`run`].
#[target_feature(enable = "avx2,fma")]
pub unsafe fn plain<R>(kernel: impl FnOnce() -> R) -> R {
    kernel()
}

/// All bits set in the first `count` lanes.
#[inline(always)]
fn first(count: usize) -> __m256i {
    const ONES_THEN_ZEROS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
    // SAFETY: eight values from place 0 to 8 of sixteen; whoever calls has AVX2.
    unsafe { _mm256_loadu_si256(ONES_THEN_ZEROS[8 - count.min(8)..].as_ptr().cast()) }
}

#[inline(always)]
fn widened(a: __m256) -> [__m256d; 2] {
    // SAFETY: only an `Avx2` gets here.
    unsafe { [_mm256_cvtps_pd(_mm256_castps256_ps128(a)), _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(a))] }
}

// SAFETY of every block below: an `Avx2` proves that the machine has the instructions; memory is the caller's promise.
impl Simd<f32> for Avx2 {
    type V = __m256;
    const LANES: usize = 8;
    const REGISTERS: usize = 16;
    type Wide = [__m256d; 2];

    #[inline(always)]
    fn splat(self, value: f32) -> __m256 {
        unsafe { _mm256_set1_ps(value) }
    }
    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    fn fma(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    // Where one is NaN, max and min give their second operand.
    #[inline(always)]
    fn at_least(self, low: __m256, value: __m256) -> __m256 {
        unsafe { _mm256_max_ps(low, value) }
    }
    #[inline(always)]
    fn at_most(self, high: __m256, value: __m256) -> __m256 {
        unsafe { _mm256_min_ps(high, value) }
    }
    #[inline(always)]
    fn where_positive(self, value: __m256, yes: __m256, no: __m256) -> __m256 {
        unsafe {
            let positive = _mm256_cmp_ps::<_CMP_GT_OQ>(value, _mm256_setzero_ps());
            _mm256_blendv_ps(no, yes, positive)
        }
    }
    #[inline(always)]
    fn wide_add(self, sum: [__m256d; 2], a: __m256) -> [__m256d; 2] {
        let a = widened(a);
        unsafe { [_mm256_add_pd(sum[0], a[0]), _mm256_add_pd(sum[1], a[1])] }
    }
    #[inline(always)]
    fn wide_fma(self, a: __m256, b: __m256, sum: [__m256d; 2]) -> [__m256d; 2] {
        let (a, b) = (widened(a), widened(b));
        unsafe { [_mm256_fmadd_pd(a[0], b[0], sum[0]), _mm256_fmadd_pd(a[1], b[1], sum[1])] }
    }
    #[inline(always)]
    unsafe fn wide_load_first(self, from: *const f64, count: usize) -> [__m256d; 2] {
        unsafe {
            let values: [f64; 8] = Portable.load_first(from, count);
            [_mm256_loadu_pd(values.as_ptr()), _mm256_loadu_pd(values.as_ptr().add(4))]
        }
    }
    #[inline(always)]
    unsafe fn wide_store_first(self, to: *mut f64, count: usize, sum: [__m256d; 2]) {
        let mut values = [0.0; 8];
        unsafe {
            _mm256_storeu_pd(values.as_mut_ptr(), sum[0]);
            _mm256_storeu_pd(values.as_mut_ptr().add(4), sum[1]);
            Portable.store_first(to, count, values);
        }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m256 {
        unsafe { _mm256_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, value: __m256) {
        unsafe { _mm256_storeu_ps(to, value) }
    }
    #[inline(always)]
    unsafe fn stream(self, to: *mut f32, value: __m256) {
        unsafe { _mm256_stream_ps(to, value) }
    }
    #[inline(always)]
    fn fence(self) {
        unsafe { _mm_sfence() }
    }
    #[inline(always)]
    unsafe fn load_first(self, from: *const f32, count: usize) -> __m256 {
        unsafe { _mm256_maskload_ps(from, first(count)) }
    }
    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, count: usize, value: __m256) {
        unsafe { _mm256_maskstore_ps(to, first(count), value) }
    }
}
