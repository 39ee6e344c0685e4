//! timm's names for the networks that both have, by rule from the layers.
//!
//! timm numbers stages and the blocks in each, as the layers here do: `blocks.2.0` is the first block of the third stage. Within a
//! block it names what a layer does: `conv_pw` expands, `conv_dw` is depthwise, `conv_pwl` projects, and norms are counted. The
//! rules are those of timm's `efficientnet.py` (MobileNetV2), `mobilenetv3.py` and `_efficientnet_blocks.py`, version 1.0.

use crate::arch::{Network, Op};
use crate::engine::weights::{Entry, Slot};

/// Name and shape of every slot's tensor as timm has them.
///
/// # Errors
/// A clause that names the layer that no network of timm's has.
pub fn entries(network: &Network, slots: &[Slot]) -> Result<Vec<Entry>, String> {
    let has = |name: &str| network.layers.iter().any(|layer| layer.name == name);
    if !has("stem") || !has("head") || !has("classifier") {
        return Err("it has no stem, head and classifier".into());
    }
    for layer in &network.layers {
        match layer.op {
            Op::Conv { bias: true, .. } => return Err(format!("{} has a bias", layer.name)),
            Op::Linear { bias: false, .. } => return Err(format!("{} has no bias", layer.name)),
            _ => {}
        }
    }
    let stage_of =
        |name: &str| -> Option<usize> { name.strip_prefix("stages.")?.split('.').next()?.parse().ok() };
    let stages =
        network.layers.iter().filter_map(|layer| stage_of(&layer.name)).max().map_or(0, |last| last + 1);
    let v3 = has("pre_classifier");
    let module = |name: &str| -> Option<String> {
        let (base, is_norm) = match name.strip_suffix("_norm") {
            Some(base) => (base, true),
            None => (name, false),
        };
        let of = |conv: &str, norm: &str| Some(if is_norm { norm.to_owned() } else { conv.to_owned() });
        match base {
            "stem" => return of("conv_stem", "bn1"),
            // The 1x1 convolution before pooling is a stage of its own, the one after it the head.
            "head" if v3 => return of(&format!("blocks.{stages}.0.conv"), &format!("blocks.{stages}.0.bn1")),
            "head" => return of("conv_head", "bn2"),
            "pre_classifier" => return Some("conv_head".into()),
            "classifier" => return Some("classifier".into()),
            _ => {}
        }
        let mut parts = base.splitn(4, '.');
        let ("stages", stage, number, part) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?)
        else {
            return None;
        };
        let expands = has(&format!("stages.{stage}.{number}.expand"));
        let (conv, norm) = match (part, expands) {
            ("expand", _) => ("conv_pw", "bn1"),
            ("depthwise", true) => ("conv_dw", "bn2"),
            ("depthwise", false) => ("conv_dw", "bn1"),
            ("project", true) => ("conv_pwl", "bn3"),
            ("project" | "pointwise", false) => ("conv_pw", "bn2"),
            ("conv", false) => ("conv", "bn1"),
            ("se.reduce", _) => ("se.conv_reduce", ""),
            ("se.restore", _) => ("se.conv_expand", ""),
            _ => return None,
        };
        of(&format!("blocks.{stage}.{number}.{conv}"), &format!("blocks.{stage}.{number}.{norm}"))
    };
    let entry = |slot: &Slot| {
        let layer = &network.layers[slot.layer].name;
        let module = module(layer).ok_or_else(|| format!("none has {layer}"))?;
        let mut shape = slot.shape.clone();
        // What is linear here is a 1x1 convolution there, but for the classifier: the same numbers in the same order.
        if shape.len() == 2 && module != "classifier" {
            shape.extend([1, 1]);
        }
        Ok(Entry { name: format!("{module}.{}", slot.part.name()), shape })
    };
    slots.iter().map(entry).collect()
}
