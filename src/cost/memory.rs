//! Peak activation memory of inference.

use crate::arch::{Network, Op};

/// Peak bytes of live f32 activations for one image, layers run in order.
///
/// An activation lives from the layer that writes it to the last that reads it; batch norm, elementwise functions
/// and scalings write over their first input where nothing later reads it.
pub fn activation_memory(network: &Network) -> u64 {
    let layers = &network.layers;
    let mut last_read = vec![0; layers.len()];
    for (id, layer) in layers.iter().enumerate() {
        for &from in &layer.inputs {
            last_read[from] = id;
        }
    }
    let (mut live, mut peak) = (0, 0);
    for (id, layer) in layers.iter().enumerate() {
        let in_place = matches!(
            layer.op,
            Op::BatchNorm(_)
                | Op::Elementwise(_)
                | Op::Prelu
                | Op::ScaleMap
                | Op::ScaleChannels
                | Op::Add
                | Op::Dropout { .. }
                | Op::Flatten
        ) && last_read[layer.inputs[0]] == id;
        let output = layer.output.len();
        if !in_place {
            live += output;
        }
        peak = peak.max(live);
        for (at, &from) in layer.inputs.iter().enumerate() {
            let taken_over = in_place && at == 0;
            let counted = layer.inputs[..at].contains(&from);
            if last_read[from] == id && !taken_over && !counted {
                live -= layers[from].output.len();
            }
        }
    }
    4 * peak as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::zoo;

    /// By hand: the widest moment of an inverted residual without shortcut is its depthwise convolution.
    #[test]
    fn peak_is_the_widest_moment() {
        let network = zoo::network("stem_c8 ir_e2_c8_noskip", &zoo::Options::default()).unwrap();
        // depthwise: 16 channels in and 16 out at 32x32
        assert_eq!(activation_memory(&network), 4 * (16 + 16) * 32 * 32);
        let network = zoo::network("stem_c8 ir_e2_c8", &zoo::Options::default()).unwrap();
        // the same, with the shortcut's 8 channels kept
        assert_eq!(activation_memory(&network), 4 * (8 + 16 + 16) * 32 * 32);
    }
}
