//! Weights of a narrower network from those of a wider one: along every axis the first channels, as NetAdapt truncates (Howard
//! et al. 2019, "MobileNetV3", Section 4.2).

use std::collections::BTreeMap;

use super::file::{Numbers, numbers, serialise};
use super::{misfit_sentence, misfits, own_entries, parse, slots, views};
use crate::arch::{Network, Op};
use crate::error::{Error, Result};

/// The weights and running statistics of `narrower`, as a safetensors file under its own names, from `file`, those of `wider`
/// under its: the first numbers along every axis. Layers belong together by their order, whatever their names are.
///
/// # Errors
/// Where the file has not the weights of `wider`, or `narrower` has other layers, or one that is wider, or a grouped convolution
/// whose groups take other channels.
pub fn inherited(wider: &Network, file: &[u8], narrower: &Network) -> Result<Vec<u8>> {
    let refused =
        |what: String| Error::request(format!("no weights of {} fit {}: {what}", wider.name, narrower.name));
    let (theirs, ours) = (slots(wider), slots(narrower));
    if theirs.len() != ours.len() {
        return Err(refused(format!("{} tensors, not {}", theirs.len(), ours.len())));
    }
    let tensors = views(&parse(file)?);
    let entries = own_entries(wider, &theirs);
    let problems = misfits(&tensors, &entries, &wider.name);
    if !problems.is_empty() {
        return Err(Error::request(misfit_sentence(&problems)));
    }
    let mut values = Vec::new();
    for ((entry, from), to) in entries.iter().zip(&theirs).zip(&ours) {
        let fits = from.part == to.part
            && from.shape.len() == to.shape.len()
            && from.shape.iter().zip(&to.shape).all(|(from, to)| from >= to);
        if !fits {
            let shapes = format!("{:?} does not hold {:?} of {}", from.shape, to.shape, to.name(narrower));
            return Err(refused(format!("{} of shape {shapes}", entry.name)));
        }
        if regrouped(wider, from.layer) && from.shape != to.shape {
            return Err(refused(format!("the filters of {} would meet other channels", entry.name)));
        }
        let numbers = tensors.get(&entry.name).map(numbers).unwrap_or_default();
        values.push(Numbers::Floats(leading(&numbers, &from.shape, &to.shape)));
    }
    Ok(serialise(&own_entries(narrower, &ours).into_iter().zip(values).collect::<Vec<_>>(), &BTreeMap::new()))
}

/// Whether the filters of a layer each take some of several input channels: then the first filters do not take the first.
fn regrouped(network: &Network, layer: usize) -> bool {
    let layer = &network.layers[layer];
    let inputs = layer.inputs.first().map_or(0, |&from| network.layers[from].output.c);
    matches!(layer.op, Op::Conv { groups, .. } if groups > 1 && groups < inputs)
}

/// The first numbers along every axis of a tensor of shape `from`, row by row: a tensor of shape `to`, nowhere larger.
fn leading(values: &[f32], from: &[usize], to: &[usize]) -> Vec<f32> {
    let (Some((_, inner_from)), Some((count, inner_to))) = (from.split_first(), to.split_first()) else {
        return values.to_vec();
    };
    if inner_from == inner_to {
        let size: usize = to.iter().product();
        return values.iter().take(size).copied().collect();
    }
    let size: usize = inner_from.iter().product();
    values.chunks(size.max(1)).take(*count).flat_map(|part| leading(part, inner_from, inner_to)).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::arch::{Shape, build};
    use crate::engine::{Batch, Model, Workers};
    use crate::space::notation;

    fn network(text: &str) -> Network {
        build::network(&notation::parse(text).unwrap(), Shape::new(3, 16, 16), 5).unwrap()
    }

    fn model(text: &str, seed: u8) -> Model<f32> {
        Model::new(network(text), [seed; 32], Arc::new(Workers::new(1).unwrap()))
    }

    /// Mean cross entropy of some images, in evaluation mode.
    fn loss(model: &Model<f32>) -> f64 {
        let images: Vec<f32> = (0..4 * 3 * 16 * 16).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0).collect();
        model.inference().evaluate(Batch { images: &images, labels: &[0, 1, 2, 3] }).loss
    }

    #[test]
    fn the_leading_box_of_a_tensor() {
        let values: Vec<f32> = (0..24).map(|v| v as f32).collect();
        assert_eq!(leading(&values, &[4, 3, 2], &[4, 3, 2]), values);
        assert_eq!(leading(&values, &[4, 3, 2], &[2, 3, 2]), values[..12]);
        assert_eq!(leading(&values, &[4, 3, 2], &[2, 1, 2]), [0.0, 1.0, 6.0, 7.0]);
        assert_eq!(leading(&values, &[4, 3, 2], &[3, 2, 1]), [0.0, 2.0, 6.0, 8.0, 12.0, 14.0]);
        assert_eq!(leading(&values, &[24], &[5]), values[..5]);
    }

    /// Sets all numbers of a tensor that `which`, from the indices along the axes, picks out.
    fn put(model: &mut Model<f32>, name: &str, value: f32, which: impl Fn(&[usize]) -> bool) {
        let slot = slots(&model.network).into_iter().find(|slot| slot.name(&model.network) == name).unwrap();
        let mut values = model.values(&slot);
        for (place, number) in values.iter_mut().enumerate() {
            let (mut rest, mut indices) = (place, Vec::new());
            for axis in slot.shape.iter().rev() {
                indices.insert(0, rest % axis);
                rest /= axis;
            }
            if which(&indices) {
                *number = value;
            }
        }
        model.set_values(&slot, values).unwrap();
    }

    /// Where nothing reads the channels that are dropped, the narrower network computes what the wider one does. Wide enough
    /// for squeeze-and-excitation (8 units at either width), with names that differ, since a stage of two becomes two.
    #[test]
    fn channels_that_nothing_reads_are_not_missed() {
        let wide =
            "stem_k3_s2_c8 ir_r2_k3_s1_h16_c8_se0.25 cse_r1_k3_s2_c12_cap4_rr4 ir_r1_k3_s1_e2_c12 head_c16";
        let narrow = "stem_k3_s2_c8 ir_r1_k3_s1_h16_c8_se0.25 ir_r1_k3_s1_h12_c8_se0.25 \
                      cse_r1_k3_s2_c12_cap4_rr4 ir_r1_k3_s1_h24_c12 head_c16";
        let mut from = model(wide, 1);
        put(&mut from, "stages.0.1.se.reduce.weight", 0.0, |at| at[1] >= 12);
        put(&mut from, "stages.0.1.project.weight", 0.0, |at| at[1] >= 12);
        let mut to = model(narrow, 2);
        let before = loss(&to);
        to.load_safetensors(&inherited(&from.network, &from.to_safetensors().unwrap(), &to.network).unwrap())
            .unwrap();
        let expected = loss(&from);
        assert!((loss(&to) - expected).abs() < 1e-6, "{} is not {expected}", loss(&to));
        assert!((before - expected).abs() > 1e-3, "{before}");
    }

    /// The channels between blocks, with stem and shortcuts: silent where gamma and beta of the last norms are 0.
    #[test]
    fn shared_channels_go_from_every_layer_that_meets_them() {
        let wide = "stem_k3_s2_c8 ir_r1_k3_s1_h16_c8 dsa_r1_k3_s1_c8_nhs ir_r1_k3_s2_e1_c8 head_c16_nre";
        let narrow = "stem_k3_s2_c6 ir_r1_k3_s1_h16_c6 dsa_r1_k3_s1_c6_nhs ir_r1_k3_s2_e1_c6 head_c16_nre";
        let mut from = model(wide, 1);
        for norm in
            ["stem_norm", "stages.0.0.project_norm", "stages.1.0.pointwise_norm", "stages.2.0.project_norm"]
        {
            put(&mut from, &format!("{norm}.weight"), 0.0, |at| at[0] >= 6);
            put(&mut from, &format!("{norm}.bias"), 0.0, |at| at[0] >= 6);
        }
        // The activations of 0 are 0, so are depthwise convolutions of it up to their norms' betas, which are 0 at first.
        let mut to = model(narrow, 2);
        to.load_safetensors(&inherited(&from.network, &from.to_safetensors().unwrap(), &to.network).unwrap())
            .unwrap();
        let expected = loss(&from);
        assert!((loss(&to) - expected).abs() < 1e-6, "{} is not {expected}", loss(&to));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let from = model("stem_k3_s2_c8 ir_r1_k3_s1_h16_c8", 1);
        let file = from.to_safetensors().unwrap();
        let refused = |text: &str| inherited(&from.network, &file, &network(text)).unwrap_err().to_string();
        assert!(
            refused("stem_k3_s2_c8 ir_r1_k3_s1_h24_c8").contains("[16, 8, 1, 1] does not hold [24, 8, 1, 1]")
        );
        assert!(refused("stem_k3_s2_c8 ir_r1_k3_s1_e1_c8").contains("tensors, not"));
        let other = model("stem_k3_s2_c8 ir_r1_k3_s1_h24_c8", 1);
        let file = other.to_safetensors().unwrap();
        let error = inherited(&from.network, &file, &from.network).unwrap_err().to_string();
        assert!(error.starts_with("the weights do not fit: stages.0.0.expand.weight has shape"), "{error}");
        let grouped = model("ir_r1_k3_s1_h16_c8 head_c16_g4", 1);
        let narrower = network("ir_r1_k3_s1_h16_c4 head_c16_g4");
        let error = inherited(&grouped.network, &grouped.to_safetensors().unwrap(), &narrower).unwrap_err();
        assert!(error.to_string().contains("head.weight"), "{error}");
    }
}
