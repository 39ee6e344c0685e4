//! All that a trial needs to go on to the same bits: weights, running statistics, velocities, and how far it is.
//!
//! A line of JSON, then the weights as a safetensors file, then the velocities of all parameters, f32, little-endian.

use serde::{Deserialize, Serialize};

use super::trainer::Sum;
use crate::engine::{Model, Sgd};
use crate::error::{Error, Result};

/// How far a trial is. Everything random follows from the place in the epoch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The epoch under way, counted from 1.
    pub epoch: usize,
    /// Steps of it that are done.
    pub done: usize,
    /// Over the epoch's batches so far.
    pub sum: Sum,
    /// Learning rate of the last step.
    pub lr: f64,
    /// Seconds spent on the epoch so far.
    pub seconds: f64,
}

#[derive(Serialize, Deserialize)]
struct Head {
    progress: Progress,
    /// Bytes of the weights.
    weights: usize,
}

/// A checkpoint's bytes.
///
/// # Errors
/// When memory runs out.
pub fn write(progress: &Progress, model: &Model<f32>, sgd: &mut Sgd<f32>) -> Result<Vec<u8>> {
    let weights = model.to_safetensors()?;
    let head = Head { progress: progress.clone(), weights: weights.len() };
    let mut bytes = serde_json::to_vec(&head).map_err(|e| Error::run(format!("a checkpoint: {e}")))?;
    bytes.push(b'\n');
    bytes.extend(weights);
    for param in &model.params {
        bytes.extend(sgd.velocity(param)?.iter().flat_map(|v| v.to_le_bytes()));
    }
    Ok(bytes)
}

/// The head of a checkpoint, its weights as a safetensors file, and its velocities.
fn parts(bytes: &[u8]) -> Result<(Head, &[u8], &[u8])> {
    let broken = || Error::request("not a checkpoint of this network");
    let line = bytes.iter().position(|byte| *byte == b'\n').ok_or_else(broken)?;
    let head: Head = serde_json::from_slice(&bytes[..line]).map_err(|_| broken())?;
    let (weights, rest) = bytes[line + 1..].split_at_checked(head.weights).ok_or_else(broken)?;
    Ok((head, weights, rest))
}

/// A checkpoint's weights alone, as a safetensors file.
///
/// # Errors
/// Where the bytes are no checkpoint.
pub fn weights(bytes: &[u8]) -> Result<&[u8]> {
    parts(bytes).map(|(_, weights, _)| weights)
}

/// Puts a checkpoint's weights and velocities in place.
///
/// # Errors
/// Where the bytes are no checkpoint of this network.
pub fn read(bytes: &[u8], model: &mut Model<f32>, sgd: &mut Sgd<f32>) -> Result<Progress> {
    let broken = || Error::request("not a checkpoint of this network");
    let (head, weights, mut rest) = parts(bytes)?;
    model.load_safetensors(weights)?;
    for param in &model.params {
        let velocity = sgd.velocity(param)?;
        let (values, after) = rest.split_at_checked(4 * velocity.len()).ok_or_else(broken)?;
        velocity.iter_mut().zip(values.as_chunks::<4>().0).for_each(|(v, b)| *v = f32::from_le_bytes(*b));
        rest = after;
    }
    if rest.is_empty() { Ok(head.progress) } else { Err(broken()) }
}
