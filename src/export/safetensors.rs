//! A model as a safetensors file.

use super::{About, Naming};
use crate::engine::Model;
use crate::engine::weights::{Entry, Numbers, serialise, slots};
use crate::error::Result;

/// The bytes of the file: all parameters and running statistics under the names asked for, and what `about` says as
/// metadata. The same model gives the same bytes.
///
/// # Errors
/// The names of a library were asked for that has no such network.
pub fn bytes(model: &Model<f32>, about: &About, naming: Naming) -> Result<Vec<u8>> {
    let slots = slots(&model.network);
    let entries = naming.entries(&model.network, &slots)?;
    let mut tensors = Vec::new();
    if naming != Naming::Ours {
        // PyTorch's batch norms have a count of batches, which it asks for when it loads.
        let norms = entries.iter().filter_map(|entry| entry.name.strip_suffix(".running_mean"));
        let count = |norm| Entry { name: format!("{norm}.num_batches_tracked"), shape: Vec::new() };
        tensors.extend(norms.map(|norm| (count(norm), Numbers::Count(0))));
    }
    let values = slots.iter().map(|slot| Numbers::Floats(model.values(slot)));
    tensors.extend(entries.into_iter().zip(values));
    Ok(serialise(&tensors, &about.pairs()))
}
