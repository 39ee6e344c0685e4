//! Weights and running statistics as safetensors, names as PyTorch would give them.

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::Model;
use super::grad;
use crate::error::{Error, Result};

/// A named tensor to write.
struct Named {
    name: String,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Model<f32> {
    /// All parameters and running statistics as the bytes of a safetensors file.
    ///
    /// # Errors
    /// When they cannot be serialised.
    pub fn to_safetensors(&self) -> Result<Vec<u8>> {
        let bytes = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let mut named: Vec<Named> = self
            .params
            .iter()
            .map(|param| Named {
                name: param.name.clone(),
                shape: param.shape.clone(),
                bytes: bytes(&grad::values(&param.tensor)),
            })
            .collect();
        for (layer, running) in self.network.layers.iter().zip(&self.running) {
            let Some(running) = running else { continue };
            for (part, values) in [("running_mean", &running.mean), ("running_var", &running.variance)] {
                let (name, shape) = (format!("{}.{part}", layer.name), vec![values.len()]);
                named.push(Named { name, shape, bytes: bytes(values) });
            }
        }
        let broken = |e| Error::run(format!("the weights cannot be serialised: {e}"));
        let views = named
            .iter()
            .map(|n| Ok((&n.name, TensorView::new(Dtype::F32, n.shape.clone(), &n.bytes)?)))
            .collect::<std::result::Result<Vec<_>, _>>()
            .map_err(broken)?;
        safetensors::serialize(views, None).map_err(broken)
    }

    /// Takes every parameter and running statistic from the bytes of a safetensors file.
    ///
    /// # Errors
    /// Names each tensor that is missing, misshaped, not f32 or not of this network.
    pub fn load_safetensors(&mut self, file: &[u8]) -> Result<()> {
        let tensors = SafeTensors::deserialize(file)
            .map_err(|e| Error::request(format!("not a whole safetensors file: {e}")))?;
        let mut problems = Vec::new();
        let mut known = std::collections::BTreeSet::new();
        let mut read = |name: String, shape: &[usize]| -> Option<Vec<f32>> {
            let values = match tensors.tensor(&name) {
                Err(_) => Err(format!("{name} is missing")),
                Ok(view) if view.dtype() != Dtype::F32 => {
                    Err(format!("{name} is {:?}, not F32", view.dtype()))
                }
                Ok(view) if view.shape() != shape => {
                    Err(format!("{name} has shape {:?}, not {shape:?}", view.shape()))
                }
                Ok(view) => {
                    let word = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
                    Ok(view.data().chunks_exact(4).map(word).collect())
                }
            };
            known.insert(name);
            values.map_err(|problem| problems.push(problem)).ok()
        };
        let params: Vec<_> = self.params.iter().map(|p| read(p.name.clone(), &p.shape)).collect();
        let mut statistics = Vec::new();
        for (id, running) in self.running.iter().enumerate() {
            let Some(running) = running else { continue };
            let (name, shape) = (&self.network.layers[id].name, [running.mean.len()]);
            let mean = read(format!("{name}.running_mean"), &shape);
            let variance = read(format!("{name}.running_var"), &shape);
            statistics.push((id, mean, variance));
        }
        for name in tensors.names() {
            if !known.contains(name) && !name.ends_with("num_batches_tracked") {
                problems.push(format!("{name} is not part of {}", self.network.name));
            }
        }
        if !problems.is_empty() {
            return Err(Error::request(format!("the weights do not fit: {}", problems.join("; "))));
        }
        for (at, values) in params.into_iter().enumerate() {
            self.set_param(at, &values.unwrap_or_default())?;
        }
        for (id, mean, variance) in statistics {
            if let (Some(running), Some(mean), Some(variance)) = (&mut self.running[id], mean, variance) {
                running.mean = mean;
                running.variance = variance;
            }
        }
        Ok(())
    }
}
