//! A network whose batch norms are gone, folded into the convolutions and linear layers before them.

use std::sync::Arc;

use crate::arch::{Layer, LayerId, Network, Op};
use crate::engine::infer::fold;
use crate::engine::weights::{Part, slots};
use crate::engine::{Model, Workers};
use crate::error::Result;

/// A folded network, and for each of its layers the layer it was and the norm that it took in.
struct Folded {
    network: Network,
    from: Vec<(LayerId, Option<LayerId>)>,
}

/// The layers without the batch norms that can be folded: those that alone read a convolution or a linear layer.
pub fn structure(network: &Network) -> Network {
    folded(network).network
}

fn folded(network: &Network) -> Folded {
    let mut readers = vec![0; network.layers.len()];
    network.layers.iter().flat_map(|layer| &layer.inputs).for_each(|&from| readers[from] += 1);
    let mut place = vec![0; network.layers.len()];
    let mut layers: Vec<Layer> = Vec::new();
    let mut from: Vec<(LayerId, Option<LayerId>)> = Vec::new();
    for (id, layer) in network.layers.iter().enumerate() {
        if let (Op::BatchNorm(_), [input]) = (&layer.op, &layer.inputs[..])
            && readers[*input] == 1
            && let Op::Conv { bias, .. } | Op::Linear { bias, .. } = &mut layers[place[*input]].op
            && from[place[*input]].1.is_none()
        {
            *bias = true;
            place[id] = place[*input];
            from[place[id]].1 = Some(id);
            continue;
        }
        place[id] = layers.len();
        let inputs = layer.inputs.iter().map(|&from| place[from]).collect();
        layers.push(Layer { inputs, ..layer.clone() });
        from.push((id, None));
    }
    Folded { network: Network { layers, ..network.clone() }, from }
}

/// The folded network with its weights: computed in f64, rounded once.
///
/// # Errors
/// None where the model is whole.
pub fn model(model: &Model<f32>) -> Result<Model<f32>> {
    let Folded { network, from } = folded(&model.network);
    let old = slots(&model.network);
    let mut out = Model::new(network, [0; 32], Arc::new(Workers::new(1)?));
    for slot in slots(&out.network) {
        let (layer, norm) = from[slot.layer];
        let values = match (norm, slot.part) {
            (Some(_), Part::Weight) => fold::weights(model, layer, norm).0,
            (Some(_), _) => fold::weights(model, layer, norm).1,
            (None, part) => {
                let same = old.iter().find(|slot| slot.layer == layer && slot.part == part);
                same.map(|slot| model.values(slot)).unwrap_or_default()
            }
        };
        out.set_values(&slot, values)?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::zoo;

    /// Evaluation folds too, so the logits of both are the same bits.
    #[test]
    fn a_folded_network_computes_the_same() {
        let text = "stem_c8_s2_npr ir_s2_e2_c12_se0.25_nhs cse_s2_c16_cap4_rr4 head_c32";
        let network = zoo::network(text, &zoo::Options::default()).unwrap();
        let mut whole = Model::<f32>::new(network, [3; 32], Arc::new(Workers::new(1).unwrap()));
        for slot in slots(&whole.network) {
            let scale = if slot.part == Part::RunningVariance { 0.5 } else { 0.1 };
            let some = |i: usize| scale * (1.0 + (i % 7) as f32);
            if matches!(slot.part, Part::RunningMean | Part::RunningVariance) {
                whole.set_values(&slot, (0..slot.shape[0]).map(some).collect()).unwrap();
            }
        }
        let folded = model(&whole).unwrap();
        assert!(!folded.network.layers.iter().any(|layer| matches!(layer.op, Op::BatchNorm(_))));
        assert_eq!(folded.network, structure(&whole.network));
        let images: Vec<f32> = (0..2 * 3 * 32 * 32).map(|i| (i % 29) as f32 / 14.0 - 1.0).collect();
        assert_eq!(folded.logits(&images), whole.logits(&images));
    }
}
