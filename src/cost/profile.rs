//! What each layer, and each block, of a network costs.

use super::{layer, memory};
use crate::arch::{Elementwise, LayerId, Network, Op, Shape, Window};

/// A network's costs, layer by layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    pub layers: Vec<LayerCost>,
    pub params: u64,
    /// Multiply-adds of one image.
    pub madds: u64,
    /// Peak bytes of live f32 activations for one image in inference.
    pub activation_memory: u64,
}

/// One layer with its cost; [`Profile::blocks`] gives a whole block the same form.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerCost {
    /// As in the network, such as `stages.2.0.expand`; of a block `stages.2.0`.
    pub name: String,
    /// What it computes, as people write it: `conv 3x3 s2`, `depthwise 5x5`.
    pub op: String,
    /// Names of the layers read.
    pub inputs: Vec<String>,
    /// Shape of the output for one image.
    pub output: Shape,
    pub params: u64,
    pub madds: u64,
}

impl Profile {
    /// The costs of `network`.
    pub fn of(network: &Network) -> Self {
        let layers: Vec<LayerCost> = (0..network.layers.len()).map(|id| layer_cost(network, id)).collect();
        Self {
            params: layer::total(layers.iter().map(|l| l.params)),
            madds: layer::total(layers.iter().map(|l| l.madds)),
            activation_memory: memory::activation_memory(network),
            layers,
        }
    }

    /// The layers of a block as one: stem, each block of each stage, head, pooling and classifier. Their costs add up
    /// to the network's.
    pub fn blocks(&self) -> Vec<LayerCost> {
        let mut blocks: Vec<LayerCost> = Vec::new();
        for layer in &self.layers {
            let name = block_of(&layer.name);
            match blocks.last_mut() {
                Some(block) if block.name == name => {
                    block.output = layer.output;
                    block.params = block.params.saturating_add(layer.params);
                    block.madds = block.madds.saturating_add(layer.madds);
                    let outside = |input: &&String| block_of(input) != name;
                    for input in layer.inputs.iter().filter(outside).map(|input| block_of(input)) {
                        if block.inputs.iter().all(|known| known != input) {
                            block.inputs.push(input.to_owned());
                        }
                    }
                }
                _ => blocks.push(LayerCost {
                    name: name.to_owned(),
                    op: String::new(),
                    inputs: layer.inputs.iter().map(|input| block_of(input).to_owned()).collect(),
                    ..layer.clone()
                }),
            }
        }
        for block in &mut blocks {
            block.op = self.kind(&block.name);
        }
        blocks
    }

    /// What a block is, by layers that its kind has.
    fn kind(&self, block: &str) -> String {
        let inside: Vec<&LayerCost> = self.layers.iter().filter(|l| block_of(&l.name) == block).collect();
        let has = |part: &str| inside.iter().any(|l| l.name.strip_prefix(block) == Some(part));
        match inside.as_slice() {
            [only] => only.op.clone(),
            [first, ..] if !block.starts_with("stages.") => first.op.clone(),
            _ if has(".squeeze") && has(".scale") && has(".gate") && has(".restore") => "cse".into(),
            _ if has(".shuffle") || has(".add_act") || has(".concat_act") => "shuffle unit".into(),
            _ if has(".squeeze") => "fire".into(),
            _ if has(".branch4.pool") => "inception".into(),
            _ if has(".pointwise") => "depthwise separable".into(),
            [first, ..] if !has(".depthwise") => first.op.clone(),
            _ => "inverted residual".into(),
        }
    }
}

/// `stages.2.0` of `stages.2.0.expand_norm`, `stem` of `stem_act`.
fn block_of(name: &str) -> &str {
    if name.starts_with("stages.") {
        let end = name.match_indices('.').nth(2).map_or(name.len(), |(at, _)| at);
        return &name[..end];
    }
    // The classifier's hidden layers have the one name with an underscore of its own.
    let own = if name.starts_with("pre_") { "pre_".len() } else { 0 };
    name[own..].find('_').map_or(name, |at| &name[..own + at])
}

fn layer_cost(network: &Network, id: LayerId) -> LayerCost {
    let layer = &network.layers[id];
    LayerCost {
        name: layer.name.clone(),
        op: op_text(network, id),
        inputs: layer.inputs.iter().map(|&from| network.layers[from].name.clone()).collect(),
        output: layer.output,
        params: layer::params(network, id),
        madds: layer::madds(network, id),
    }
}

/// What a layer computes, as people write it: `conv 3x3 s2`, `depthwise 5x5`.
pub fn op_text(network: &Network, id: LayerId) -> String {
    let layer = &network.layers[id];
    let channels = layer.inputs.first().map_or(0, |&from| network.layers[from].output.c);
    match layer.op {
        Op::Conv { out_channels, kernel, stride, groups, bias, .. } => {
            let depthwise = groups > 1 && groups == channels && out_channels == channels;
            let kind = if depthwise { "depthwise" } else { "conv" };
            let mut text = format!("{kind} {kernel}x{kernel}");
            if stride > 1 {
                text += &format!(" s{stride}");
            }
            if groups > 1 && !depthwise {
                text += &format!(" g{groups}");
            }
            if bias { text + " bias" } else { text }
        }
        Op::Linear { bias, .. } => if bias { "linear bias" } else { "linear" }.into(),
        Op::Elementwise(function) => match function {
            Elementwise::Relu => "relu",
            Elementwise::Relu6 => "relu6",
            Elementwise::Hswish => "hswish",
            Elementwise::Hsigmoid => "hsigmoid",
            Elementwise::Sigmoid => "sigmoid",
        }
        .into(),
        Op::Input => "input".into(),
        Op::BatchNorm(_) => "batch norm".into(),
        Op::Prelu => "prelu".into(),
        Op::Add => "add".into(),
        Op::ChannelMean => "channel mean".into(),
        Op::Concat => "concat".into(),
        Op::Slice { .. } => "slice".into(),
        Op::Shuffle { groups } => format!("shuffle g{groups}"),
        Op::MaxPool(window) => format!("max pool {}", window_text(window)),
        Op::AvgPool(window) => format!("average pool {}", window_text(window)),
        Op::LocalResponseNorm { size, .. } => format!("local response norm {size}"),
        Op::Dropout { rate } => format!("dropout {rate}"),
        Op::Flatten => "flatten".into(),
        Op::GlobalAvgPool => "average pool".into(),
        Op::ScaleMap => "scale map".into(),
        Op::ScaleChannels => "scale channels".into(),
    }
}

fn window_text(window: Window) -> String {
    let Window { kernel, stride, .. } = window;
    let stride = if stride > 1 { format!(" s{stride}") } else { String::new() };
    format!("{kernel}x{kernel}{stride}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::zoo;

    #[test]
    fn blocks_add_up_to_the_network() {
        let profile = Profile::of(&zoo::network("mix", &zoo::Options::default()).unwrap());
        let blocks = profile.blocks();
        // Counted from the original definition of the CSE paper's Mix model.
        assert_eq!((profile.params, profile.madds), (362_992, 81_434_112));
        assert_eq!(blocks.iter().map(|b| b.params).sum::<u64>(), 362_992);
        assert_eq!(blocks.iter().map(|b| b.madds).sum::<u64>(), 81_434_112);
        // input, stem, 1 + 2 + 3 bottlenecks, 4 + 3 + 3 + 1 CSE blocks, head, pool, classifier
        assert_eq!(blocks.len(), 2 + 6 + 11 + 3);
        let names: Vec<_> = blocks.iter().map(|b| (b.name.as_str(), b.op.as_str())).collect();
        assert_eq!(names[1], ("stem", "conv 3x3"));
        assert_eq!(names[2], ("stages.0.0", "inverted residual"));
        assert_eq!(names[8], ("stages.3.0", "cse"));
        assert_eq!(names[19], ("head", "conv 1x1 g320"));
        assert_eq!(blocks[8].inputs, ["stages.2.2"]);
    }

    #[test]
    fn blocks_are_called_by_their_kind() {
        for (network, block, kind) in [
            ("mobilenet_v1", "stages.3.5", "depthwise separable"),
            ("mobilenet_v1 variant=full", "stages.0.0", "conv 3x3"),
            ("mobilenet_v2 shortcut=expansion", "stages.2.1", "inverted residual"),
            ("mobilenet_v3_small variant=book", "stages.0.0", "inverted residual"),
            ("mobilenet_v3_small", "pre_classifier", "linear bias"),
            ("shufflenet_v1 groups=1", "stages.0.0", "shuffle unit"),
            ("shufflenet_v1 groups=1", "stages.0.1", "shuffle unit"),
            ("shufflenet_v2", "stages.2.3", "shuffle unit"),
            ("googlenet", "stages.2.4", "inception"),
            ("squeezenet", "stages.1.2", "fire"),
            ("vgg16", "stages.4.pool", "max pool 2x2 s2"),
            ("alexnet", "pre_classifier.1", "linear bias"),
        ] {
            let profile = Profile::of(&zoo::network(network, &zoo::Options::default()).unwrap());
            let blocks = profile.blocks();
            let found = blocks.iter().find(|b| b.name == block).map(|b| b.op.as_str());
            assert_eq!(found, Some(kind), "{network} {block}");
        }
    }

    #[test]
    fn ops_read_as_people_write_them() {
        let network = zoo::network("stem_s2_c8 ir_k5_s2_e2_c16_se0.25 bias", &zoo::Options::default());
        let profile = Profile::of(&network.unwrap());
        let op = |name: &str| profile.layers.iter().find(|l| l.name == name).map(|l| l.op.as_str());
        assert_eq!(op("stem"), Some("conv 3x3 s2 bias"));
        assert_eq!(op("stages.0.0.depthwise"), Some("depthwise 5x5 s2 bias"));
        assert_eq!(op("classifier"), Some("linear bias"));
    }
}
