//! Batch norm folded into the layer before it: computed in f64, rounded once.

use crate::arch::LayerId;
use crate::engine::grad;
use crate::engine::model::Model;
use crate::engine::real::Real;

/// y = scale * x + shift per channel.
pub struct ScaleShift {
    pub scale: Vec<f64>,
    pub shift: Vec<f64>,
}

/// What a batch norm computes with its running statistics.
pub fn scale_shift<E: Real>(model: &Model<E>, norm: LayerId) -> ScaleShift {
    let channels = model.network.layers[norm].output.c;
    let (gamma, beta) = model.weight_and_bias(norm);
    let values = |param: Option<&_>, otherwise: f64| match param {
        Some(param) => wide(&grad::values(param)),
        None => vec![otherwise; channels],
    };
    let (gamma, beta) = (values(gamma, 1.0), values(beta, 0.0));
    let (mean, variance, eps) = match &model.running[norm] {
        Some(running) => (wide(&running.mean), wide(&running.variance), running.norm.eps),
        None => (vec![0.0; channels], vec![1.0; channels], 0.0),
    };
    let scale: Vec<f64> = gamma.iter().zip(&variance).map(|(g, v)| g / (v + eps).sqrt()).collect();
    let shift = beta.iter().zip(&mean).zip(&scale).map(|((b, m), s)| b - m * s).collect();
    ScaleShift { scale, shift }
}

/// Weight (rows of one output channel each) and bias of a convolution or linear layer, a following batch norm folded in.
pub fn weights<E: Real>(model: &Model<E>, layer: LayerId, norm: Option<LayerId>) -> (Vec<E>, Vec<E>) {
    let channels = model.network.layers[layer].output.c;
    let (weight, bias) = model.weight_and_bias(layer);
    let mut weight = weight.map(|weight| wide(&grad::values(weight))).unwrap_or_default();
    let mut bias = bias.map_or(vec![0.0; channels], |bias| wide(&grad::values(bias)));
    if let Some(norm) = norm {
        let ScaleShift { scale, shift } = scale_shift(model, norm);
        let each = weight.len() / channels;
        for (row, scale) in weight.chunks_exact_mut(each).zip(&scale) {
            row.iter_mut().for_each(|w| *w *= scale);
        }
        for ((bias, scale), shift) in bias.iter_mut().zip(&scale).zip(&shift) {
            *bias = bias.mul_add(*scale, *shift);
        }
    }
    (narrow(&weight), narrow(&bias))
}

fn wide<E: Real>(values: &[E]) -> Vec<f64> {
    values.iter().map(|v| v.wide()).collect()
}

/// The nearest values of the number type.
pub fn narrow<E: Real>(values: &[f64]) -> Vec<E> {
    values.iter().map(|v| E::of(*v)).collect()
}
