//! The number types the engine runs in: f32 for work, f64 for checking gradients.

use std::fmt::Debug;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

use dfdx::losses::cross_entropy_with_logits_loss;
use dfdx::optim::{Momentum, SgdConfig, WeightDecay};
use dfdx::prelude::{AsArray, Cpu, CpuError, Dtype, Gradients, OwnedTape, PutTape, Tensor};
use dfdx::tensor_ops::Backward;

use super::simd::{self, Kernel};

/// A dfdx tensor with one runtime dimension on the CPU: a parameter.
pub type Flat<E> = Tensor<(usize,), E, Cpu>;

/// Parameters of one SGD update.
#[derive(Debug, Clone, Copy)]
pub struct SgdStep {
    pub lr: f64,
    pub momentum: f64,
    pub nesterov: bool,
    pub weight_decay: f64,
}

/// f32 or f64, with what the kernels and dfdx need of them.
pub trait Real:
    Dtype
    + Copy
    + Default
    + Debug
    + PartialOrd
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + 'static
{
    const ZERO: Self;
    /// The nearest value of this type.
    fn of(value: f64) -> Self;
    /// The same value in double precision.
    fn wide(self) -> f64;
    /// self * a + b, rounded once.
    fn fma(self, a: Self, b: Self) -> Self;
    /// e to this power.
    fn exponential(self) -> Self;
    /// The square root, rounded once.
    fn root(self) -> Self;
    /// This to some power.
    fn power(self, exponent: f64) -> Self;
    /// The other where it is larger or not a number, else this.
    fn or_larger(self, other: Self) -> Self;
    /// The same numbers where they are f32.
    fn f32s(values: &[Self]) -> Option<&[f32]>;
    /// As [`f32s`](Self::f32s), to write to.
    fn f32s_mut(values: &mut [Self]) -> Option<&mut [f32]>;
    /// Runs a kernel with the instruction set in use.
    fn run<K: Kernel<Self>>(kernel: K) -> K::Output;
    /// Mean cross entropy of logits against target probabilities, both `(N, classes)`: dfdx's loss on dfdx's tape.
    /// With a tape, also runs it backward.
    fn cross_entropy(
        logits: Tensor<(usize, usize), Self, Cpu>,
        targets: Tensor<(usize, usize), Self, Cpu>,
        tape: Option<OwnedTape<Self, Cpu>>,
    ) -> (f64, Option<Gradients<Self, Cpu>>);
    /// One update of a parameter by dfdx's SGD.
    ///
    /// # Errors
    /// dfdx's, when it cannot allocate.
    fn sgd(
        step: SgdStep,
        param: &mut Flat<Self>,
        velocities: &mut Gradients<Self, Cpu>,
        grads: &mut Gradients<Self, Cpu>,
    ) -> Result<(), CpuError>;
}

macro_rules! real {
    ($t:ty, $run:path, $as_f32:path) => {
        impl Real for $t {
            const ZERO: Self = 0.0;
            #[inline(always)]
            fn of(value: f64) -> Self {
                value as $t
            }
            #[inline(always)]
            fn wide(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn fma(self, a: Self, b: Self) -> Self {
                self.mul_add(a, b)
            }
            #[inline(always)]
            fn exponential(self) -> Self {
                self.exp()
            }
            #[inline(always)]
            fn root(self) -> Self {
                self.sqrt()
            }
            #[inline(always)]
            fn power(self, exponent: f64) -> Self {
                self.powf(exponent as $t)
            }
            #[inline(always)]
            fn or_larger(self, other: Self) -> Self {
                if other > self || other.is_nan() { other } else { self }
            }
            fn f32s(values: &[Self]) -> Option<&[f32]> {
                $as_f32(values)
            }
            fn f32s_mut(values: &mut [Self]) -> Option<&mut [f32]> {
                $as_f32(values)
            }
            fn run<K: Kernel<Self>>(kernel: K) -> K::Output {
                $run(kernel)
            }
            fn cross_entropy(
                logits: Tensor<(usize, usize), Self, Cpu>,
                targets: Tensor<(usize, usize), Self, Cpu>,
                tape: Option<OwnedTape<Self, Cpu>>,
            ) -> (f64, Option<Gradients<Self, Cpu>>) {
                match tape {
                    None => (cross_entropy_with_logits_loss(logits, targets).array().wide(), None),
                    Some(tape) => {
                        let loss = cross_entropy_with_logits_loss(logits.put_tape(tape), targets);
                        let value = loss.array().wide();
                        (value, Some(loss.backward()))
                    }
                }
            }
            fn sgd(
                step: SgdStep,
                param: &mut Flat<Self>,
                velocities: &mut Gradients<Self, Cpu>,
                grads: &mut Gradients<Self, Cpu>,
            ) -> Result<(), CpuError> {
                let momentum = match (step.momentum, step.nesterov) {
                    (0.0, _) => None,
                    (momentum, true) => Some(Momentum::Nesterov(momentum)),
                    (momentum, false) => Some(Momentum::Classic(momentum)),
                };
                let decay = step.weight_decay;
                let weight_decay = (decay != 0.0).then_some(WeightDecay::L2(decay));
                let config = SgdConfig { lr: step.lr, momentum, weight_decay };
                let velocity = velocities.get_or_alloc_mut(param)?;
                let gradient = grads.get_or_alloc_mut(param)?;
                config.try_update(param, velocity, gradient)
            }
        }
    };
}

/// No f32 among f64.
fn nothing<T, U>(_: T) -> Option<U> {
    None
}

real!(f32, simd::run_f32, Some);
real!(f64, simd::run_portable, nothing);
