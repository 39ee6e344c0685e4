//! Names that torchvision, timm and others have for networks of the catalogue, and what these are called here.

use std::collections::BTreeMap;

use super::ENTRIES;
use super::entry::Settings;

/// What torchvision's `quantization`, timm's TensorFlow ports and chenyaofo's CIFAR models put before a name.
const PREFIXES: [(&str, Origin); 6] = [
    ("torchvision.models.", Origin::Plain),
    ("timm/", Origin::Plain),
    ("quantized_", Origin::Plain),
    ("tf_", Origin::TensorFlow),
    ("cifar100_", Origin::Cifar),
    ("cifar10_", Origin::Cifar),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Plain,
    /// Padded as TensorFlow does.
    TensorFlow,
    /// Made for 32x32 images.
    Cifar,
}

/// Spellings of a name without `_` and `-`, and what it is here; longer ones before those that they begin with.
const FAMILIES: [(&str, &str); 14] = [
    ("mobilenetv3large", "mobilenet_v3_large"),
    ("mobilenetv3small", "mobilenet_v3_small"),
    ("mobilenetv2", "mobilenet_v2"),
    ("mobilenetv1", "mobilenet_v1"),
    ("shufflenetv2", "shufflenet_v2"),
    ("shufflenetv1", "shufflenet_v1"),
    ("shufflenet", "shufflenet_v1"),
    ("squeezenet", "squeezenet"),
    ("inceptionv1", "googlenet"),
    ("googlenet", "googlenet"),
    ("alexnet", "alexnet"),
    ("vgg16", "vgg16"),
    ("mobilenetv3", "mobilenet_v3"),
    ("mobilenet", "mobilenet_v1"),
];

/// What `name` is here, as a clause for the message that does not know it; `None` where it is no such name.
pub(super) fn hint(name: &str) -> Option<String> {
    let plain = name.to_ascii_lowercase();
    let mut rest = plain.clone();
    let mut origin = Origin::Plain;
    while let Some((prefix, of)) = PREFIXES.iter().find(|(prefix, _)| rest.starts_with(prefix)) {
        rest = rest[prefix.len()..].to_owned();
        origin = if *of == Origin::Plain { origin } else { *of };
    }
    let is_bare = rest == plain;
    let (family, ours, rest) =
        FAMILIES.iter().find_map(|(family, ours)| Some((*family, *ours, after(&rest, family)?)))?;
    // Our own name, spelled otherwise.
    if is_bare && rest.is_empty() && ours.replace('_', "") == family {
        return None;
    }
    if ours == "mobilenet_v3" {
        return Some("; MobileNetV3 is `mobilenet_v3_large` or `mobilenet_v3_small` here".into());
    }
    let mut options: Vec<(&str, String)> = Vec::new();
    let mut remarks: Vec<&str> = Vec::new();
    match (ours, rest.as_str()) {
        (_, "") | ("squeezenet", "1_0" | "1.0") => {}
        ("squeezenet", _) => remarks.push("that is SqueezeNet 1.0; 1.1 is not here"),
        ("vgg16", "bn") => remarks.push("it has no batch norm"),
        ("shufflenet_v1", rest) if rest.starts_with('g') => {
            let groups = rest[1..].split('_').next().unwrap_or_default();
            options.push(("groups", groups.to_owned()));
        }
        (_, rest) => match width(rest) {
            Some(width) => {
                if width != 1.0 {
                    options.push(("width", width.to_string()));
                }
            }
            // Another version, which is not here.
            None if rest.starts_with('v') => return None,
            None => remarks.push("what the rest of the name says it does not have"),
        },
    }
    if ours.starts_with("mobilenet_v3") && options.iter().any(|(option, _)| *option == "width") {
        options.push(("variant", "paper".into()));
        remarks
            .push("timm's and the paper's; without variant=paper it is torchvision's with that width_mult");
    }
    match origin {
        Origin::Cifar => options.push(("stem", "cifar".into())),
        Origin::TensorFlow => remarks.push("timm's tf_ networks pad as TensorFlow does, this one as PyTorch"),
        Origin::Plain => {}
    }
    let text = known(ours, &options)?;
    let remarks = if remarks.is_empty() { String::new() } else { format!(" ({})", remarks.join("; ")) };
    Some(format!("; here it is `{text}`{remarks}"))
}

/// The text with options, where the catalogue takes them.
fn known(ours: &str, options: &[(&str, String)]) -> Option<String> {
    let entry = ENTRIES.iter().find(|entry| entry.name == ours)?;
    let set: BTreeMap<String, String> =
        options.iter().map(|(option, value)| ((*option).to_owned(), value.clone())).collect();
    Settings::read(entry, &set).ok()?;
    let options = options.iter().map(|(option, value)| format!(" {option}={value}"));
    Some(std::iter::once(ours.to_owned()).chain(options).collect())
}

/// What follows `family` in `name`, whatever `_`, `-` and blanks stand between its letters; without those before it.
fn after(name: &str, family: &str) -> Option<String> {
    let is_gap = |c: char| matches!(c, '_' | '-');
    let mut left = name.chars();
    for letter in family.chars() {
        if left.by_ref().find(|c| !is_gap(*c)) != Some(letter) {
            return None;
        }
    }
    let rest = left.as_str();
    // `mobilenet_v23` is not MobileNetV2 3, and `vgg160` no VGG-16; `squeezenet1_0` and `shufflenetv2x1` are.
    let glued =
        rest.starts_with(|c: char| c.is_ascii_digit()) && family.ends_with(|c: char| c.is_ascii_digit());
    // timm's tag of the training: `mobilenetv3_small_075.lamb_in1k`.
    let tagged = |rest: &str| match rest.split_once('.') {
        Some((before, tag)) if tag.starts_with(|c: char| c.is_ascii_alphabetic()) => before.to_owned(),
        _ => rest.to_owned(),
    };
    (!glued).then(|| tagged(rest.trim_matches(is_gap)))
}

/// The width multiplier of `x1_5`, `x1.5`, `w0.5`, `0.75`, `075`, `100` or `width_0.5`.
fn width(text: &str) -> Option<f64> {
    let number = ["width", "alpha", "x", "w"].iter().find_map(|word| text.strip_prefix(word)).unwrap_or(text);
    let number = number.trim_start_matches(['_', '-', '=']).trim_end_matches('x');
    let is_percent = number.len() == 3 && number.chars().all(|c| c.is_ascii_digit());
    let value = number.replace('_', ".").parse::<f64>().ok()?;
    let width = if is_percent { value / 100.0 } else { value };
    (width.is_finite() && width > 0.0).then_some(width)
}

#[cfg(test)]
mod tests {
    use super::super::{Options, resolve};
    use super::*;
    use crate::cost;

    /// Names of torchvision 0.29, timm 1.0.31 and chenyaofo/pytorch-cifar-models, with the params that these state; the last
    /// two columns are empty where no network here is exactly theirs.
    #[test]
    fn names_of_others_lead_to_ours() {
        for (name, text, params) in [
            ("shufflenet_v2_x0_5", "shufflenet_v2 width=0.5", 1_366_792),
            ("shufflenet_v2_x1_0", "shufflenet_v2", 2_278_604),
            ("shufflenet_v2_x1_5", "shufflenet_v2 width=1.5", 3_503_624),
            ("shufflenet_v2_x1.5", "shufflenet_v2 width=1.5", 3_503_624),
            ("shufflenetv2_x2.0", "shufflenet_v2 width=2", 7_393_996),
            ("ShuffleNetV2-1.5x", "shufflenet_v2 width=1.5", 3_503_624),
            ("mobilenet_v2_w0.5", "mobilenet_v2 width=0.5", 0),
            ("mobilenetv2_100", "mobilenet_v2", 3_504_872),
            ("mobilenetv2_140.ra_in1k", "mobilenet_v2 width=1.4", 6_108_776),
            ("timm/mobilenetv1_100", "mobilenet_v1", 4_231_976),
            ("mobilenet_1.0", "mobilenet_v1", 4_231_976),
            ("mobilenetv3_small_075", "mobilenet_v3_small width=0.75 variant=paper", 2_041_872),
            ("mobilenetv3_small_050", "mobilenet_v3_small width=0.5 variant=paper", 1_593_224),
            ("mobilenet_v3_large_0.75", "mobilenet_v3_large width=0.75 variant=paper", 3_993_528),
            ("mobilenetv3_large_100.ra_in1k", "mobilenet_v3_large", 5_483_032),
            ("tf_mobilenetv3_large_100", "mobilenet_v3_large", 5_483_032),
            ("squeezenet1_0", "squeezenet", 1_248_424),
            ("torchvision.models.vgg16", "vgg16", 138_357_544),
            ("inception_v1", "googlenet", 0),
            ("cifar10_mobilenetv2_x0_5", "mobilenet_v2 width=0.5 stem=cifar", 0),
            ("shufflenet_g8", "shufflenet_v1 groups=8", 0),
        ] {
            let hint = hint(name).unwrap_or_else(|| panic!("{name}"));
            assert!(hint.starts_with(&format!("; here it is `{text}`")), "{name}: {hint}");
            let network = resolve(text, &Options::default()).unwrap().network;
            assert!(params == 0 || cost::of(&network).params == params, "{name}");
        }
    }

    #[test]
    fn what_differs_is_said() {
        for (name, remark) in [
            ("tf_mobilenetv3_large_100", "pad as TensorFlow does"),
            ("mobilenetv3_small_075", "without variant=paper it is torchvision's"),
            ("vgg16_bn", "it has no batch norm"),
            ("squeezenet1_1", "1.1 is not here"),
            ("mobilenetv2_120d", "it does not have"),
            ("tf_mobilenetv3_large_minimal_100", "it does not have"),
            ("mobilenetv3", "`mobilenet_v3_large` or `mobilenet_v3_small`"),
        ] {
            let hint = hint(name).unwrap_or_else(|| panic!("{name}"));
            assert!(hint.contains(remark), "{name}: {hint}");
        }
        // No such widths and groups, and other networks.
        for name in [
            "shufflenet_v2_x0_75",
            "shufflenet_g7",
            "mobilenet_v23",
            "resnet18",
            "efficientnet_b0",
            "",
            "vgg160",
        ] {
            assert_eq!(hint(name), None, "{name}");
        }
    }
}
