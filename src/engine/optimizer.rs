//! SGD with momentum, through dfdx.

use super::Model;
use super::grad::Grads;
use super::model::Param;
use super::real::{Real, SgdStep};
use crate::error::{Error, Result};

/// What does not change from step to step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SgdSettings {
    pub momentum: f64,
    pub nesterov: bool,
    /// L2: added to the gradient.
    pub weight_decay: f64,
    /// Decay batch-norm parameters, PReLU slopes and biases too.
    pub decay_norm_and_bias: bool,
}

/// SGD as PyTorch defines it: v = momentum * v + g; the step is lr * v, with Nesterov lr * (g + momentum * v).
pub struct Sgd<E: Real> {
    settings: SgdSettings,
    velocities: Grads<E>,
}

impl<E: Real> Sgd<E> {
    /// Velocities start at zero.
    pub fn new(settings: SgdSettings) -> Self {
        Self { settings, velocities: Grads::leaky() }
    }

    /// The velocity of a model's parameter, to be read or replaced.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn velocity(&mut self, param: &Param<E>) -> Result<&mut [E]> {
        let velocity = self.velocities.get_or_alloc_mut(&param.tensor);
        velocity.map(|velocity| &mut velocity[..]).map_err(|e| failed(&param.name, &e))
    }

    /// One step of every parameter.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn update(&mut self, model: &mut Model<E>, grads: &mut Grads<E>, lr: f64) -> Result<()> {
        let SgdSettings { momentum, nesterov, weight_decay, decay_norm_and_bias } = self.settings;
        for param in &mut model.params {
            let decays = decay_norm_and_bias || !param.is_norm_or_bias;
            let weight_decay = if decays { weight_decay } else { 0.0 };
            let step = SgdStep { lr, momentum, nesterov, weight_decay };
            E::sgd(step, &mut param.tensor, &mut self.velocities, grads)
                .map_err(|e| failed(&param.name, &e))?;
        }
        Ok(())
    }
}

fn failed(param: &str, e: &dfdx::prelude::CpuError) -> Error {
    Error::run(format!("cannot update {param}: {e:?}"))
}
