//! Gradients: those of activations in a place of their own each, those of parameters in dfdx's `Gradients`.

use std::sync::{Arc, Mutex, PoisonError};

use dfdx::prelude::{Cpu, CpuError, Gradients};

use super::Real;
use super::pool::Buf;
use super::real::Flat;

/// dfdx's gradients on the CPU.
pub type Grads<E> = Gradients<E, Cpu>;

/// Where the gradient of one activation is gathered while the tape runs backward. Two activations may share one buffer,
/// as the operands of a sum do.
pub struct Slot<E: Real>(Arc<Mutex<Option<Arc<Buf<E>>>>>);

impl<E: Real> Slot<E> {
    /// An empty one.
    pub fn new() -> Self {
        Self(Arc::default())
    }

    /// Takes the gradient gathered so far, if any, to be written to.
    pub fn take(&self) -> Option<Buf<E>> {
        self.take_shared().map(owned)
    }

    /// Takes the gradient gathered so far, if any, to be read.
    pub fn take_shared(&self) -> Option<Arc<Buf<E>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Puts a gradient.
    pub fn put(&self, gradient: Buf<E>) {
        self.put_shared(Arc::new(gradient));
    }

    /// Puts a gradient that others may read too.
    pub fn put_shared(&self, gradient: Arc<Buf<E>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(gradient);
    }
}

/// A gradient to be written to: itself, or a copy where others still read it.
pub fn owned<E: Real>(gradient: Arc<Buf<E>>) -> Buf<E> {
    Arc::try_unwrap(gradient).unwrap_or_else(|shared| Buf::copy_of(&shared))
}

impl<E: Real> Clone for Slot<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E: Real> Default for Slot<E> {
    fn default() -> Self {
        Self::new()
    }
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
