//! The tensors of a model by name, as PyTorch would name them, and their way in and out of safetensors.

use std::collections::{BTreeMap, BTreeSet};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

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

/// What does not fit, each a clause that names its tensor; no tensor's values are read.
pub fn misfits(tensors: &SafeTensors<'_>, entries: &[Entry], network: &str) -> Vec<String> {
    let views: BTreeMap<String, TensorView<'_>> = tensors.tensors().into_iter().collect();
    let mut problems = Vec::new();
    for Entry { name, shape } in entries {
        match views.get(name) {
            None => problems.push(format!("{name} is missing")),
            Some(view) if view.shape() != shape => {
                problems.push(format!("{name} has shape {:?}, not {shape:?}", view.shape()));
            }
            Some(view) if width(view.dtype()).is_none() => problems
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

/// Bytes of one number, where it is of a kind that is read.
fn width(dtype: Dtype) -> Option<usize> {
    match dtype {
        Dtype::F16 | Dtype::BF16 => Some(2),
        Dtype::F32 => Some(4),
        Dtype::F64 => Some(8),
        _ => None,
    }
}

/// A tensor's numbers, each the nearest f32.
fn numbers(view: &TensorView<'_>) -> Vec<f32> {
    let bytes = view.data();
    let halves = || bytes.as_chunks::<2>().0.iter().map(|b| u16::from_le_bytes(*b));
    match view.dtype() {
        Dtype::F16 => halves().map(of_f16).collect(),
        Dtype::BF16 => halves().map(|bits| f32::from_bits(u32::from(bits) << 16)).collect(),
        Dtype::F64 => bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
        _ => bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
    }
}

/// A number of IEEE 754's binary16: sign, 5 bits of exponent, 10 of fraction.
fn of_f16(bits: u16) -> f32 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 0x3ff));
    let size = match exponent {
        0 => fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1024.0 + fraction) * 2f32.powi(exponent - 25),
    };
    if bits >> 15 == 1 { -size } else { size }
}

/// Bytes of a safetensors file: a length, a JSON header, the numbers. Metadata and tensors lie in the order given, so the
/// same model gives the same bytes (the safetensors crate writes metadata in an order of chance).
pub fn serialise(tensors: &[(Entry, Numbers)], metadata: &BTreeMap<String, String>) -> Vec<u8> {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut lines = Vec::with_capacity(tensors.len() + 1);
    if !metadata.is_empty() {
        let pairs: Vec<_> = metadata.iter().map(|(k, v)| format!("{}:{}", quoted(k), quoted(v))).collect();
        lines.push(format!("\"__metadata__\":{{{}}}", pairs.join(",")));
    }
    let mut at = 0;
    for (Entry { name, shape }, numbers) in tensors {
        let end = at + numbers.bytes();
        let (name, kind) = (quoted(name), numbers.kind());
        lines.push(format!(
            "{name}:{{\"dtype\":\"{kind}\",\"shape\":{shape:?},\"data_offsets\":[{at},{end}]}}"
        ));
        at = end;
    }
    let mut header = format!("{{{}}}", lines.join(","));
    // The numbers begin at a multiple of 8 bytes.
    header.extend(std::iter::repeat_n(' ', header.len().next_multiple_of(8) - header.len()));
    let mut file = Vec::with_capacity(8 + header.len() + at);
    file.extend((header.len() as u64).to_le_bytes());
    file.extend(header.as_bytes());
    for (_, numbers) in tensors {
        match numbers {
            Numbers::Floats(values) => values.iter().for_each(|v| file.extend(v.to_le_bytes())),
            Numbers::Count(count) => file.extend(count.to_le_bytes()),
        }
    }
    file
}

/// The numbers of a tensor to write.
pub enum Numbers {
    Floats(Vec<f32>),
    /// One whole number.
    Count(i64),
}

impl Numbers {
    fn bytes(&self) -> usize {
        match self {
            Self::Floats(values) => values.len() * 4,
            Self::Count(_) => 8,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Floats(_) => "F32",
            Self::Count(_) => "I64",
        }
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
        self.load(&parse(file)?, &slots, &entries)
    }

    /// Takes every slot's numbers from the tensor of its entry.
    ///
    /// # Errors
    /// As [`load_safetensors`](Self::load_safetensors); the model is then as it was.
    pub fn load(&mut self, tensors: &SafeTensors<'_>, slots: &[Slot], entries: &[Entry]) -> Result<()> {
        let problems = misfits(tensors, entries, &self.network.name);
        if !problems.is_empty() {
            return Err(Error::request(misfit_sentence(&problems)));
        }
        for (slot, entry) in slots.iter().zip(entries) {
            if let Ok(view) = tensors.tensor(&entry.name) {
                self.set_values(slot, numbers(&view))?;
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

    /// Bit patterns and values from IEEE 754's table of binary16.
    #[test]
    fn halves_are_read() {
        for (bits, value) in [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333_251_95),
            (0x7bff, 65504.0),
            (0x0400, 6.103_515_6e-5),
            (0x0001, 5.960_464_5e-8),
            (0x7c00, f32::INFINITY),
        ] {
            assert_eq!(of_f16(bits), value, "{bits:#x}");
        }
        assert!(of_f16(0x7e00).is_nan());
    }
}
