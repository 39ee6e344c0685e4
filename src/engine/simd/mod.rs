//! Running loops with the widest vectors the machine has.
//!
//! Two ways, both compiled once per instruction set, one of which is picked when it runs: `vectorized` takes a plain loop
//! and leaves the vectors to the compiler; a [`Kernel`] is written with the operations of [`Simd`]. The same arithmetic in
//! the same order everywhere: multiply-adds are fused and every sum has one order, so that results do not depend on the
//! instruction set.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use std::sync::atomic::{AtomicU8, Ordering};

use super::real::Real;
pub use portable::Portable;

/// An instruction set that kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    /// What the target always has: on aarch64, NEON.
    Portable,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512 F, VL, BW and DQ.
    Avx512,
}

impl Isa {
    const ALL: [Self; 3] = [Self::Portable, Self::Avx2, Self::Avx512];

    /// Those that this machine runs, the best last.
    pub fn available() -> Vec<Self> {
        Self::ALL.into_iter().filter(|isa| isa.runs_here()).collect()
    }

    /// The one in use: the best, unless another was chosen.
    pub fn current() -> Self {
        match IN_USE.load(Ordering::Relaxed) {
            0 => {
                let best = Self::available().pop().unwrap_or(Self::Portable);
                best.select();
                best
            }
            chosen => Self::ALL[chosen as usize - 1],
        }
    }

    /// Uses this one from now on, in the whole process. Results stay the same to the bit.
    ///
    /// # Panics
    /// When the machine does not have it.
    pub fn select(self) {
        assert!(self.runs_here(), "{self:?} is not of this machine");
        IN_USE.store(self as u8 + 1, Ordering::Relaxed);
    }

    #[cfg(target_arch = "x86_64")]
    fn runs_here(self) -> bool {
        match self {
            Self::Portable => true,
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            Self::Avx512 => {
                Self::Avx2.runs_here()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
            }
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn runs_here(self) -> bool {
        self == Self::Portable
    }
}

/// The instruction set in use: its place in `Isa::ALL` plus one, 0 before anyone asked.
static IN_USE: AtomicU8 = AtomicU8::new(0);

/// Vectors of one instruction set. Who holds a value of such a type may use that instruction set.
pub trait Simd<E>: Copy {
    type V: Copy;
    /// Numbers in a vector: 8 or 16.
    const LANES: usize;
    /// Vector registers.
    const REGISTERS: usize;
    /// As many f64 as there are numbers in a vector.
    type Wide: Copy;

    fn splat(self, value: E) -> Self::V;
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// a * b + c, rounded once.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// What a matrix product adds up: `fma`, or where vectors hold pairs of bf16 the sum of both products and c.
    #[inline(always)]
    fn multiply_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        self.fma(a, b, c)
    }
    /// Each value but not less than `low`; NaN stays NaN.
    fn at_least(self, low: Self::V, value: Self::V) -> Self::V;
    /// Each value but not more than `high`; NaN stays NaN.
    fn at_most(self, high: Self::V, value: Self::V) -> Self::V;
    /// Where `value` is above zero `yes`, else (NaN too) `no`.
    fn where_positive(self, value: Self::V, yes: Self::V, no: Self::V) -> Self::V;

    /// sum + a, in f64.
    fn wide_add(self, sum: Self::Wide, a: Self::V) -> Self::Wide;
    /// sum + a * b, in f64.
    fn wide_fma(self, a: Self::V, b: Self::V, sum: Self::Wide) -> Self::Wide;
    /// # Safety
    /// As [`load_first`](Self::load_first).
    unsafe fn wide_load_first(self, from: *const f64, count: usize) -> Self::Wide;
    /// # Safety
    /// As [`store_first`](Self::store_first).
    unsafe fn wide_store_first(self, to: *mut f64, count: usize, sum: Self::Wide);

    /// # Safety
    /// `from` must be valid for reads of a vector.
    unsafe fn load(self, from: *const E) -> Self::V;
    /// # Safety
    /// `to` must be valid for writes of a vector.
    unsafe fn store(self, to: *mut E, value: Self::V);
    /// Stores past the caches; [`fence`](Self::fence) must follow before anyone reads.
    /// # Safety
    /// `to` must be valid for writes of a vector, and a multiple of 64 bytes.
    unsafe fn stream(self, to: *mut E, value: Self::V);
    /// Makes what was [streamed](Self::stream) visible.
    fn fence(self);
    /// The first `count` values, zeros after them.
    /// # Safety
    /// `from` must be valid for reads of `count` values, at most a vector.
    unsafe fn load_first(self, from: *const E, count: usize) -> Self::V;
    /// # Safety
    /// `to` must be valid for writes of `count` values, at most a vector.
    unsafe fn store_first(self, to: *mut E, count: usize, value: Self::V);
}

/// Work that is written with vectors, for any instruction set.
pub trait Kernel<E> {
    type Output;
    /// Does the work; must be `#[inline(always)]`, as everything it calls.
    fn run<S: Simd<E>>(self, simd: S) -> Self::Output;
}

/// Runs a kernel on f32 with the instruction set in use.
pub fn run_f32<K: Kernel<f32>>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    match Isa::current() {
        // SAFETY: `Isa::select` lets only those through that the machine has.
        Isa::Avx512 => return unsafe { avx512::run(kernel) },
        // SAFETY: as above.
        Isa::Avx2 => return unsafe { avx2::run(kernel) },
        Isa::Portable => {}
    }
    kernel.run(Portable)
}

/// Runs a kernel whose `multiply_add` takes pairs of bf16, on a machine that [`has_bf16`].
///
/// # Safety
/// The machine must have them.
#[cfg(target_arch = "x86_64")]
pub unsafe fn run_pairs<K: Kernel<f32>>(kernel: K) -> K::Output {
    // SAFETY: the caller's promise.
    unsafe { avx512::run_pairs(kernel) }
}

/// Whether the machine has AVX512-BF16.
#[cfg(target_arch = "x86_64")]
pub fn has_bf16() -> bool {
    Isa::Avx512.runs_here() && is_x86_feature_detected!("avx512bf16")
}

/// Runs a plain loop compiled for the instruction set in use. `kernel` must be `#[inline(always)]`.
#[inline]
pub fn vectorized<R>(kernel: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    match Isa::current() {
        // SAFETY: `Isa::select` lets only those through that the machine has.
        Isa::Avx512 => return unsafe { avx512::plain(kernel) },
        // SAFETY: as above.
        Isa::Avx2 => return unsafe { avx2::plain(kernel) },
        Isa::Portable => {}
    }
    kernel()
}

/// Asks for the cache line at `at`, which will be read soon. Any address is allowed.
#[inline(always)]
pub fn prefetch<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which reads nothing; every x86-64 has it.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T1 }>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// Calls `$kernel::<_, .., L>(c0, args..)` for channel blocks of L = 16, then 8, then 1, until `$channels` are done.
macro_rules! for_lanes {
    ($channels:expr, $c0:ident, $lanes:ident => $body:expr) => {{
        let mut $c0 = 0;
        while $c0 + 16 <= $channels {
            const $lanes: usize = 16;
            $body;
            $c0 += 16;
        }
        while $c0 + 8 <= $channels {
            const $lanes: usize = 8;
            $body;
            $c0 += 8;
        }
        while $c0 < $channels {
            const $lanes: usize = 1;
            $body;
            $c0 += 1;
        }
    }};
}
pub(crate) use for_lanes;

/// `L` neighbouring values, kept in registers.
#[inline(always)]
pub fn load<E: Copy, const L: usize>(from: &[E], at: usize) -> [E; L] {
    let slice = &from[at..at + L];
    std::array::from_fn(|i| slice[i])
}

/// Runs a kernel on any number type by the portable vectors, compiled for the instruction set in use.
pub fn run_portable<E: Real, K: Kernel<E>>(kernel: K) -> K::Output {
    vectorized(
        #[inline(always)]
        || kernel.run(Portable),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every operation on values with kinks, signs and NaN among them, against the scalar definition.
    struct Operations;

    impl Kernel<f32> for Operations {
        type Output = Vec<Vec<u32>>;
        #[inline(always)]
        fn run<S: Simd<f32>>(self, s: S) -> Self::Output {
            let x: Vec<f32> = (0..S::LANES).map(|i| if i == 3 { f32::NAN } else { i as f32 - 5.5 }).collect();
            let mut out = Vec::new();
            for count in 0..=S::LANES {
                let mut to = vec![7.0f32; S::LANES];
                // SAFETY: both hold a vector.
                unsafe {
                    let a = s.load_first(x.as_ptr(), count);
                    let b = s.fma(a, s.splat(3.0), s.splat(0.1));
                    let c = s.at_most(s.splat(6.0), s.at_least(s.splat(0.0), b));
                    let d = s.where_positive(s.sub(a, s.splat(1.0)), s.add(c, a), s.mul(c, s.splat(0.25)));
                    s.store_first(to.as_mut_ptr(), count, d);
                }
                out.push(to.iter().map(|v| v.to_bits()).collect());
            }
            out
        }
    }

    fn by_hand(lanes: usize) -> Vec<Vec<u32>> {
        let x = |i: usize| if i == 3 { f32::NAN } else { i as f32 - 5.5 };
        let value = |i: usize| {
            let b = x(i).mul_add(3.0, 0.1);
            let c = if b.is_nan() { b } else { b.clamp(0.0, 6.0) };
            if x(i) - 1.0 > 0.0 { c + x(i) } else { c * 0.25 }
        };
        let row =
            |count: usize| (0..lanes).map(|i| if i < count { value(i) } else { 7.0 }.to_bits()).collect();
        (0..=lanes).map(row).collect()
    }

    #[test]
    fn every_instruction_set_does_the_same() {
        assert_eq!(Operations.run(Portable), by_hand(8));
        #[cfg(target_arch = "x86_64")]
        for isa in Isa::available() {
            // SAFETY: it is available.
            match isa {
                Isa::Avx512 => assert_eq!(unsafe { avx512::run(Operations) }, by_hand(16)),
                Isa::Avx2 => assert_eq!(unsafe { avx2::run(Operations) }, by_hand(8)),
                Isa::Portable => {}
            }
        }
    }
}
