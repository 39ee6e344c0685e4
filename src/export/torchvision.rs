//! torchvision's names for the networks that both have, by rule from the layers.
//!
//! torchvision names modules by their place: `features.0.0` is the stem's convolution and `features.0.1` its norm, block k
//! is `features.k`, and within it the layers count on. The rules here are those of torchvision's `mobilenetv2.py`,
//! `mobilenetv3.py` and `shufflenetv2.py`.

use crate::arch::{Network, Op};
use crate::engine::weights::{Entry, Slot};

/// Networks that torchvision has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    MobileNetV2,
    MobileNetV3,
    ShuffleNetV2,
}

/// Name and shape of every slot's tensor as torchvision has them.
///
/// # Errors
/// A clause that names the layer that no network of torchvision's has.
pub fn entries(network: &Network, slots: &[Slot]) -> Result<Vec<Entry>, String> {
    let has = |name: &str| network.layers.iter().any(|layer| layer.name == name);
    let family = match network.layers.iter().any(|layer| layer.name.contains(".branch2.")) {
        true => Family::ShuffleNetV2,
        false if has("pre_classifier") => Family::MobileNetV3,
        false => Family::MobileNetV2,
    };
    if !has("stem") || !has("head") || !has("classifier") {
        return Err("it has no stem, head and classifier".into());
    }
    let mut walk = Walk { family, block: None, blocks: 0, units: 0 };
    let mut modules: Vec<Option<String>> = vec![None; network.layers.len()];
    for (id, layer) in network.layers.iter().enumerate() {
        match layer.op {
            Op::Conv { bias: true, .. } => return Err(format!("{} has a bias", layer.name)),
            Op::Linear { bias: false, .. } => return Err(format!("{} has no bias", layer.name)),
            _ => {}
        }
        if slots.iter().any(|slot| slot.layer == id) {
            modules[id] = Some(walk.module(&layer.name).ok_or_else(|| format!("none has {}", layer.name))?);
        }
    }
    let entry = |slot: &Slot| {
        let module = modules[slot.layer].as_deref().unwrap_or_default();
        let mut shape = slot.shape.clone();
        // The linear layers of squeeze-and-excitation are 1x1 convolutions there: the same numbers in the same order.
        if shape.len() == 2 && (module.ends_with(".fc1") || module.ends_with(".fc2")) {
            shape.extend([1, 1]);
        }
        Entry { name: format!("{module}.{}", slot.part.name()), shape }
    };
    Ok(slots.iter().map(entry).collect())
}

/// Counts modules as torchvision does.
struct Walk {
    family: Family,
    /// Stage and number in it of the block under way.
    block: Option<(String, String)>,
    /// Blocks begun; the stem is 0.
    blocks: usize,
    /// Units of the block that have ended.
    units: usize,
}

impl Walk {
    fn module(&mut self, layer: &str) -> Option<String> {
        let v3 = self.family == Family::MobileNetV3;
        let shuffle = self.family == Family::ShuffleNetV2;
        let (base, place) = match layer.strip_suffix("_norm") {
            Some(base) => (base, 1),
            None => (layer, 0),
        };
        match base {
            "stem" if shuffle => return Some(format!("conv1.{place}")),
            "head" if shuffle => return Some(format!("conv5.{place}")),
            "classifier" if shuffle => return Some("fc".into()),
            "stem" => return Some(format!("features.0.{place}")),
            "head" => return Some(format!("features.{}.{place}", self.blocks + 1)),
            "pre_classifier" => return Some("classifier.0".into()),
            "classifier" => return Some(format!("classifier.{}", if v3 { 3 } else { 1 })),
            _ => {}
        }
        let mut parts = base.splitn(4, '.');
        let ("stages", stage, number, part) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?)
        else {
            return None;
        };
        if shuffle {
            return shuffle_unit(stage.parse().ok()?, number, part, place);
        }
        let block = (stage.to_owned(), number.to_owned());
        if self.block.as_ref() != Some(&block) {
            (self.block, self.units) = (Some(block), 0);
            self.blocks += 1;
        }
        let unit = self.units;
        let within = match (part, v3) {
            ("expand" | "depthwise", false) => format!("conv.{unit}.{place}"),
            ("project", false) => format!("conv.{}", unit + place),
            ("expand" | "depthwise" | "project", true) => format!("block.{unit}.{place}"),
            ("se.reduce", true) => format!("block.{unit}.fc1"),
            ("se.restore", true) => format!("block.{unit}.fc2"),
            _ => return None,
        };
        if place == 1 || part == "se.restore" {
            self.units += 1;
        }
        Some(format!("features.{}.{within}", self.blocks))
    }
}

/// A layer of a ShuffleNetV2 unit: its branches are sequences in which activations count too.
fn shuffle_unit(stage: usize, number: &str, part: &str, place: usize) -> Option<String> {
    let (branch, first) = match part {
        "branch1.depthwise" => ("branch1", 0),
        "branch1.project" => ("branch1", 2),
        "branch2.reduce" => ("branch2", 0),
        "branch2.depthwise" => ("branch2", 3),
        "branch2.project" => ("branch2", 5),
        _ => return None,
    };
    Some(format!("stage{}.{number}.{branch}.{}", stage + 2, first + place))
}
