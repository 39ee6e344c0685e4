//! Where the time of a step goes, layer by layer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::arch::{LayerId, Network, Op};
use crate::cost;

/// Sums up the time of each layer, forward and backward; clones share the sums.
#[derive(Debug, Clone, Default)]
pub struct Clock(Arc<Mutex<Vec<[Duration; 2]>>>);

/// A direction of a training step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    Forward,
    Backward,
}

impl Clock {
    /// Runs `work` and adds its time to a layer's.
    pub fn time<R>(&self, layer: LayerId, pass: Pass, work: impl FnOnce() -> R) -> R {
        let start = Instant::now();
        let result = work();
        let mut spent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spent.len() <= layer {
            spent.resize(layer + 1, Default::default());
        }
        spent[layer][pass as usize] += start.elapsed();
        result
    }

    /// Forgets what was measured so far.
    pub fn reset(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Seconds of a layer, forward and backward, since the last reset.
    pub fn seconds(&self, layer: LayerId) -> [f64; 2] {
        let spent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        spent.get(layer).copied().unwrap_or_default().map(|time| time.as_secs_f64())
    }
}

/// One layer's share of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerTime {
    pub layer: LayerId,
    /// Seconds of a step, mean over the counted steps.
    pub forward: f64,
    pub backward: f64,
    /// Floating-point operations of a step.
    pub operations: f64,
    /// The least that a step moves: inputs, output and weights once forward; backward, these and their gradients.
    pub bytes: f64,
}

impl LayerTime {
    /// Seconds of a step.
    pub fn seconds(&self) -> f64 {
        self.forward + self.backward
    }

    /// The share of the roofline: the seconds that a machine of this speed (operations a second, bytes a second) needs at
    /// least, of those it took. Above 1 where caches served what was counted as memory traffic.
    pub fn roofline(&self, (operations, bytes): (f64, f64)) -> f64 {
        (self.operations / operations).max(self.bytes / bytes) / self.seconds()
    }
}

/// The layers' times of `steps` steps.
pub fn layer_times(
    network: &Network,
    batch: usize,
    train: bool,
    clock: &Clock,
    steps: usize,
) -> Vec<LayerTime> {
    let of_layer = |layer: LayerId| {
        let [forward, backward] = clock.seconds(layer).map(|seconds| seconds / steps as f64);
        let (operations, bytes) = work(network, layer, batch, train);
        LayerTime { layer, forward, backward, operations, bytes }
    };
    (0..network.layers.len()).map(of_layer).collect()
}

/// Floating-point operations and bytes of a layer in a step.
fn work(network: &Network, id: LayerId, batch: usize, train: bool) -> (f64, f64) {
    let layer = &network.layers[id];
    let has_products = matches!(layer.op, Op::Conv { .. } | Op::Linear { .. });
    let passes = match (train, layer.inputs.contains(&0)) {
        (false, _) => 1.0,
        // Nobody needs the gradient of the images.
        (true, true) => 2.0,
        (true, false) => 3.0,
    };
    let operations =
        if has_products { 2.0 * passes * cost::madds(network, id) as f64 * batch as f64 } else { 0.0 };
    // Norms, activations and gates are applied by whoever reads them: no traffic of their own.
    let is_pending = matches!(
        layer.op,
        Op::Input | Op::BatchNorm(_) | Op::Elementwise(_) | Op::Prelu | Op::ScaleMap | Op::ScaleChannels
    );
    if is_pending {
        return (operations, 0.0);
    }
    let inputs: usize = match layer.op {
        // It reads what it writes.
        Op::Slice { .. } => layer.output.len(),
        // Of nothing that inference knows.
        Op::Dropout { .. } if !train => return (operations, 0.0),
        _ => layer.inputs.iter().map(|&from| network.layers[from].output.len()).sum(),
    };
    let values = ((inputs + layer.output.len()) * batch) as f64 + cost::params(network, id) as f64;
    (operations, 4.0 * values * if train { 3.0 } else { 1.0 })
}
