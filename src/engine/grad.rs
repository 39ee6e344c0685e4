//! Gradients of activations: buffers kept in dfdx's `Gradients` under an activation's token.

use dfdx::prelude::{Cpu, CpuError, Gradients, ZerosTensor};

use super::Real;
use super::pool::Buf;
use super::real::Flat;

/// dfdx's gradients on the CPU.
pub type Grads<E> = Gradients<E, Cpu>;

/// What stands for an activation on the tape: an empty tensor with an identity of its own.
pub type Token<E> = Flat<E>;

/// A new token.
pub fn token<E: Real>() -> Token<E> {
    let device = Cpu::default();
    device.zeros_like(&(0,))
}

/// Takes the gradient gathered so far for `token`, if any.
pub fn take<E: Real>(grads: &mut Grads<E>, token: &Token<E>) -> Result<Option<Buf<E>>, CpuError> {
    let gathered = std::mem::take(&mut **grads.get_or_alloc_mut(token)?);
    Ok((!gathered.is_empty()).then(|| Buf::from_vec(gathered)))
}

/// Puts the gradient of `token`.
pub fn put<E: Real>(grads: &mut Grads<E>, token: &Token<E>, gradient: Buf<E>) -> Result<(), CpuError> {
    **grads.get_or_alloc_mut(token)? = gradient.into_vec();
    Ok(())
}

/// Adds to the gradient of `token`.
pub fn add<E: Real>(grads: &mut Grads<E>, token: &Token<E>, more: Buf<E>) -> Result<(), CpuError> {
    let sum = match take(grads, token)? {
        None => more,
        Some(mut sum) => {
            sum.iter_mut().zip(more.iter()).for_each(|(s, m)| *s += *m);
            sum
        }
    };
    put(grads, token, sum)
}

/// Adds to the gradient of a parameter.
pub fn add_param<E: Real>(
    grads: &mut Grads<E>,
    param: &Flat<E>,
    more: impl IntoIterator<Item = E>,
) -> Result<(), CpuError> {
    let gradient = grads.get_or_alloc_mut(param)?;
    gradient.iter_mut().zip(more).for_each(|(g, m)| *g += m);
    Ok(())
}

/// The values of a parameter.
pub fn values<E: Real>(param: &Flat<E>) -> Vec<E> {
    let mut out = vec![E::ZERO; dfdx::shapes::HasShape::shape(param).0];
    param.copy_into(&mut out);
    out
}
