//! The tensors of a model by name, as PyTorch would name them, and their way in and out of safetensors.

mod file;
mod inherit;

use std::collections::{BTreeMap, BTreeSet};

use safetensors::tensor::{SafeTensors, TensorView};

use file::width;
pub use file::{Numbers, numbers, serialise};
pub use inherit::inherited;

use super::Model;
use super::grad;
use super::real::Real;
use crate::arch::{LayerId, Network, Op};
use crate::error::{Error, Result};

/// A tensor that a network has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    pub layer: LayerId,
    pub part: Part,
    pub shape: Vec<usize>,
}

/// Which tensor of its layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Weight, gamma or slope.
    Weight,
    /// Bias or beta.
    Bias,
    RunningMean,
    RunningVariance,
}

impl Part {
    /// The end of the tensor's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Weight => "weight",
            Self::Bias => "bias",
            Self::RunningMean => "running_mean",
            Self::RunningVariance => "running_var",
        }
    }
}

impl Slot {
    /// The tensor's name: the layer's, and which of its tensors.
    pub fn name(&self, network: &Network) -> String {
        format!("{}.{}", network.layers[self.layer].name, self.part.name())
    }
}

/// All tensors of a network, layer by layer.
pub fn slots(network: &Network) -> Vec<Slot> {
    let mut slots = Vec::new();
    for (layer, of) in network.layers.iter().enumerate() {
        let inputs = of.inputs.first().map_or(0, |&from| network.layers[from].output.c);
        let mut add = |part, shape: Vec<usize>| slots.push(Slot { layer, part, shape });
        match of.op {
            Op::Conv { out_channels, kernel, groups, bias, .. } => {
                add(Part::Weight, vec![out_channels, inputs / groups, kernel, kernel]);
                if bias {
                    add(Part::Bias, vec![out_channels]);
                }
            }
            Op::Linear { out, bias } => {
                add(Part::Weight, vec![out, inputs]);
                if bias {
                    add(Part::Bias, vec![out]);
                }
            }
            Op::BatchNorm(_) => {
                for part in [Part::Weight, Part::Bias, Part::RunningMean, Part::RunningVariance] {
                    add(part, vec![inputs]);
                }
            }
            Op::Prelu => add(Part::Weight, vec![1]),
            _ => {}
        }
    }
    slots
}

/// The name and shape that a tensor has in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub shape: Vec<usize>,
}

/// Every slot under its own name.
pub fn own_entries(network: &Network, slots: &[Slot]) -> Vec<Entry> {
    slots.iter().map(|slot| Entry { name: slot.name(network), shape: slot.shape.clone() }).collect()
}

/// The tensors of a file by their names.
pub type Views<'a> = BTreeMap<String, TensorView<'a>>;

/// All tensors of a file.
pub fn views<'a>(tensors: &SafeTensors<'a>) -> Views<'a> {
    tensors.tensors().into_iter().collect()
}

/// Whether a tensor's numbers are of a kind that is read.
pub fn is_read(view: &TensorView<'_>) -> bool {
    width(view.dtype()).is_some()
}

/// What does not fit, each a clause that names its tensor; no tensor's values are read.
pub fn misfits(views: &Views<'_>, entries: &[Entry], network: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for Entry { name, shape } in entries {
        match views.get(name) {
            None => problems.push(format!("{name} is missing")),
            Some(view) if view.shape() != shape => {
                problems.push(format!("{name} has shape {:?}, not {shape:?}", view.shape()));
            }
            Some(view) if !is_read(view) => problems
                .push(format!("{name} holds {:?}, and only F16, BF16, F32 and F64 are read", view.dtype())),
            Some(_) => {}
        }
    }
    let known: BTreeSet<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    // PyTorch counts batches in every batch norm; nothing is computed with the count.
    let is_extra = |name: &&String| !known.contains(name.as_str()) && !name.ends_with("num_batches_tracked");
    problems.extend(views.keys().filter(is_extra).map(|name| format!("{name} is not part of {network}")));
    problems
}

/// Problems that a message lists before it only counts.
const LISTED: usize = 8;

/// The sentence for weights that do not fit.
pub fn misfit_sentence(problems: &[String]) -> String {
    let listed = problems.iter().take(LISTED).cloned().collect::<Vec<_>>().join("; ");
    match problems.len().saturating_sub(LISTED) {
        0 => format!("the weights do not fit: {listed}"),
        more => format!("the weights do not fit: {listed}; and {more} more"),
    }
}

/// Reads the header of a file.
///
/// # Errors
/// A clause where it is not a whole safetensors file.
pub fn parse(file: &[u8]) -> Result<SafeTensors<'_>> {
    SafeTensors::deserialize(file).map_err(|e| Error::request(format!("not a whole safetensors file: {e}")))
}

impl Model<f32> {
    /// All parameters and running statistics under their own names, as the bytes of a safetensors file without metadata.
    ///
    /// # Errors
    /// None so far: a `Result` for what checkpoints may come to ask.
    pub fn to_safetensors(&self) -> Result<Vec<u8>> {
        let slots = slots(&self.network);
        let entries = own_entries(&self.network, &slots);
        let values = slots.iter().map(|slot| Numbers::Floats(self.values(slot)));
        Ok(serialise(&entries.into_iter().zip(values).collect::<Vec<_>>(), &BTreeMap::new()))
    }

    /// Takes every parameter and running statistic from the bytes of a safetensors file, under their own names.
    ///
    /// # Errors
    /// Names each tensor that is missing, misshaped, of no kind that is read, or not of this network.
    pub fn load_safetensors(&mut self, file: &[u8]) -> Result<()> {
        let slots = slots(&self.network);
        let entries = own_entries(&self.network, &slots);
        self.load(&views(&parse(file)?), &slots, &entries)
    }

    /// Takes the numbers of each of these slots from the tensor of its entry.
    ///
    /// # Errors
    /// As [`load_safetensors`](Self::load_safetensors); the model is then as it was.
    pub fn load(&mut self, tensors: &Views<'_>, slots: &[Slot], entries: &[Entry]) -> Result<()> {
        let problems = misfits(tensors, entries, &self.network.name);
        if !problems.is_empty() {
            return Err(Error::request(misfit_sentence(&problems)));
        }
        for (slot, entry) in slots.iter().zip(entries) {
            if let Some(view) = tensors.get(&entry.name) {
                self.set_values(slot, numbers(view))?;
            }
        }
        Ok(())
    }
}

impl<E: Real> Model<E> {
    /// The numbers of a tensor.
    pub fn values(&self, slot: &Slot) -> Vec<E> {
        let (weight, bias) = self.weight_and_bias(slot.layer);
        let running = self.running.get(slot.layer).and_then(Option::as_ref);
        match slot.part {
            Part::Weight => weight.map(grad::values),
            Part::Bias => bias.map(grad::values),
            Part::RunningMean => running.map(|running| running.mean.clone()),
            Part::RunningVariance => running.map(|running| running.variance.clone()),
        }
        .unwrap_or_default()
    }

    /// Replaces the numbers of a tensor.
    ///
    /// # Errors
    /// When their count is another.
    pub fn set_values(&mut self, slot: &Slot, values: Vec<E>) -> Result<()> {
        let name = slot.name(&self.network);
        if let Some(at) = self.params.iter().position(|param| param.name == name) {
            return self.set_param(at, &values);
        }
        let running = self.running.get_mut(slot.layer).and_then(Option::as_mut);
        match (running, slot.part) {
            (Some(running), Part::RunningMean) if running.mean.len() == values.len() => {
                running.mean = values;
                Ok(())
            }
            (Some(running), Part::RunningVariance) if running.variance.len() == values.len() => {
                running.variance = values;
                Ok(())
            }
            _ => Err(Error::request(format!("{name}: {} values do not fill it", values.len()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::zoo;
    use crate::engine::Workers;

    fn model(text: &str, seed: u8) -> Model<f32> {
        let network = zoo::network(text, &zoo::Options::default()).unwrap();
        Model::new(network, [seed; 32], std::sync::Arc::new(Workers::new(1).unwrap()))
    }

    const TEXT: &str = "stem_c8_s2 ir_s2_e2_c12_se0.25 cse_s2_c16_cap4_rr4_npr";

    #[test]
    fn slots_are_the_models_tensors() {
        for text in [TEXT, "mix", "cse_only", "ir_s1_e3_c8 bias"] {
            let model = model(text, 1);
            let numbers: usize =
                slots(&model.network).iter().map(|slot| slot.shape.iter().product::<usize>()).sum();
            assert_eq!(crate::cost::of(&model.network).size, 4 * numbers as u64, "{text}");
            let slots = slots(&model.network);
            let named = |slot: &&Slot| matches!(slot.part, Part::Weight | Part::Bias);
            let ours: Vec<_> =
                slots.iter().filter(named).map(|s| (s.name(&model.network), s.shape.clone())).collect();
            let theirs: Vec<_> = model.params.iter().map(|p| (p.name.clone(), p.shape.clone())).collect();
            assert_eq!(ours, theirs, "{text}");
            let norms = model.running.iter().flatten().count();
            assert_eq!(slots.len(), ours.len() + 2 * norms, "{text}");
            assert!(slots.iter().all(|s| model.values(s).len() == s.shape.iter().product::<usize>()));
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let (from, mut to) = (model(TEXT, 1), model(TEXT, 2));
        let file = from.to_safetensors().unwrap();
        assert_ne!(file, to.to_safetensors().unwrap());
        to.load_safetensors(&file).unwrap();
        assert_eq!(file, to.to_safetensors().unwrap());
    }
}
