//! Sixteen f32 in an AVX-512 register.

use std::arch::x86_64::*;
use std::mem::transmute;

use super::{Kernel, Simd};

/// Who holds one may use AVX-512: only [`run`] makes one. With `PAIRS`, that only [`run_pairs`] makes, AVX512-BF16 too.
#[derive(Clone, Copy)]
pub struct Avx512<const PAIRS: bool>(());

/// Runs a kernel.
///
/// # Safety
/// The machine must have AVX-512 F, VL, BW, DQ and AVX2 with FMA.
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
pub unsafe fn run<K: Kernel<f32>>(kernel: K) -> K::Output {
    kernel.run(Avx512::<false>(()))
}

/// Runs a kernel whose `multiply_add` takes pairs of bf16.
///
/// # Safety
/// As [`run`], and AVX512-BF16.
#[target_feature(enable = "avx512bf16,avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
pub unsafe fn run_pairs<K: Kernel<f32>>(kernel: K) -> K::Output {
    kernel.run(Avx512::<true>(()))
}

/// Runs a plain loop, compiled for AVX-512.
///
/// # Safety
/// As [`run`].
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
pub unsafe fn plain<R>(kernel: impl FnOnce() -> R) -> R {
    kernel()
}

#[inline(always)]
fn first(count: usize) -> __mmask16 {
    ((1u32 << count) - 1) as __mmask16
}

#[inline(always)]
fn widened(a: __m512) -> [__m512d; 2] {
    // SAFETY: only an `Avx512` gets here.
    unsafe {
        let high = _mm512_extractf32x8_ps::<1>(a);
        [_mm512_cvtps_pd(_mm512_castps512_ps256(a)), _mm512_cvtps_pd(high)]
    }
}

// SAFETY of every block below: an `Avx512` proves that the machine has the instructions; memory is the caller's promise.
impl<const PAIRS: bool> Simd<f32> for Avx512<PAIRS> {
    type V = __m512;
    const LANES: usize = 16;
    const REGISTERS: usize = 32;
    type Wide = [__m512d; 2];

    #[inline(always)]
    fn splat(self, value: f32) -> __m512 {
        unsafe { _mm512_set1_ps(value) }
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    fn fma(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn multiply_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        if PAIRS {
            // SAFETY: of the transmutes, that both types are 64 bytes without meaning of their own.
            unsafe { _mm512_dpbf16_ps(c, transmute::<__m512, __m512bh>(a), transmute::<__m512, __m512bh>(b)) }
        } else {
            self.fma(a, b, c)
        }
    }
    // Where one is NaN, max and min give their second operand.
    #[inline(always)]
    fn at_least(self, low: __m512, value: __m512) -> __m512 {
        unsafe { _mm512_max_ps(low, value) }
    }
    #[inline(always)]
    fn at_most(self, high: __m512, value: __m512) -> __m512 {
        unsafe { _mm512_min_ps(high, value) }
    }
    #[inline(always)]
    fn where_positive(self, value: __m512, yes: __m512, no: __m512) -> __m512 {
        unsafe {
            let positive = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(value, _mm512_setzero_ps());
            _mm512_mask_blend_ps(positive, no, yes)
        }
    }
    #[inline(always)]
    fn wide_add(self, sum: [__m512d; 2], a: __m512) -> [__m512d; 2] {
        let a = widened(a);
        unsafe { [_mm512_add_pd(sum[0], a[0]), _mm512_add_pd(sum[1], a[1])] }
    }
    #[inline(always)]
    fn wide_fma(self, a: __m512, b: __m512, sum: [__m512d; 2]) -> [__m512d; 2] {
        let (a, b) = (widened(a), widened(b));
        unsafe { [_mm512_fmadd_pd(a[0], b[0], sum[0]), _mm512_fmadd_pd(a[1], b[1], sum[1])] }
    }
    #[inline(always)]
    unsafe fn wide_load_first(self, from: *const f64, count: usize) -> [__m512d; 2] {
        let mask = first(count);
        unsafe {
            let low = _mm512_maskz_loadu_pd(mask as __mmask8, from);
            [low, _mm512_maskz_loadu_pd((mask >> 8) as __mmask8, from.wrapping_add(8))]
        }
    }
    #[inline(always)]
    unsafe fn wide_store_first(self, to: *mut f64, count: usize, sum: [__m512d; 2]) {
        let mask = first(count);
        unsafe {
            _mm512_mask_storeu_pd(to, mask as __mmask8, sum[0]);
            _mm512_mask_storeu_pd(to.wrapping_add(8), (mask >> 8) as __mmask8, sum[1]);
        }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m512 {
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, value: __m512) {
        unsafe { _mm512_storeu_ps(to, value) }
    }
    #[inline(always)]
    unsafe fn stream(self, to: *mut f32, value: __m512) {
        unsafe { _mm512_stream_ps(to, value) }
    }
    #[inline(always)]
    fn fence(self) {
        unsafe { _mm_sfence() }
    }
    #[inline(always)]
    unsafe fn load_first(self, from: *const f32, count: usize) -> __m512 {
        unsafe { _mm512_maskz_loadu_ps(first(count), from) }
    }
    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, count: usize, value: __m512) {
        unsafe { _mm512_mask_storeu_ps(to, first(count), value) }
    }
}
