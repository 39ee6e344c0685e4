//! The block notation: candidates as one line of text, after timm's block strings.
//!
//! ```text
//! stem_k3_s1_c32 ir_r2_k3_s1_e6_c24_se0.25 cse_r4_k3_s2_c64_cap8_rr16 head_c1280_g320
//! ```
//!
//! | token | parts | left out when |
//! |---|---|---|
//! | `stem` | `k` kernel, `s` stride, `c` channels, activation | the first stage reads the image |
//! | `ir` | `r` repeats, `k`, `s`, `e` expansion or `h` hidden width, `c`, `se` ratio, activation, `project`, `expansion` or `noskip`, `keep`, `nonlinear` | |
//! | `dsa` | `r`, `k`, `s`, `c`, activation: depthwise and 1x1 convolution, an activation after each | |
//! | `cn` | `r`, `k`, `s`, `c`, activation: full convolution | |
//! | `cse` | `r`, `k`, `s`, `c`, `cap`, `rr` reduction ratio, activation, `max` (cap is a floor), `lite` (the stand-in's form) | |
//! | `head` | `c`, `g` groups, activation | the classifier reads the last stage |
//! | `dropout` | `p` rate, before the classifier | there is none |
//! | `bias` | every convolution has a bias | it has none |
//!
//! `dsa` and `cn` are timm's. Its `ds`, whose 1x1 convolution is linear, is `ir_e1`: without expansion nothing else is left.
//! The shortcut of `ir` is an identity where it can be, with `project` a 1x1 convolution where the channels change, with
//! `expansion` the previous block's expanded tensor, with `noskip` none; `nonlinear` has the activation after the projection too.
//!
//! Activations: `nre` ReLU, `nr6` ReLU6, `nhs` h-swish, `npr` PReLU; the default (ReLU6, in a CSE block PReLU) is not
//! printed, nor is a part that never has an effect next to the others. What has none for images of some size, and other
//! spellings of one network, are told from its layers: [`arch::canonical`](crate::arch::canonical).

use super::candidate::{
    Activation, Block, Candidate, CapMode, CseForm, Expand, Head, HeadConv, Projection, Shortcut, Stage, Stem,
};

/// What a token may begin with.
pub const KINDS: [&str; 8] = ["stem", "ir", "cse", "dsa", "cn", "head", "dropout", "bias"];

/// The text of a candidate, as it stands.
pub fn print(candidate: &Candidate) -> String {
    let mut tokens = Vec::new();
    if let Some(stem) = &candidate.stem {
        tokens.push(format!(
            "stem_k{}_s{}_c{}{}",
            stem.kernel,
            stem.stride,
            stem.channels,
            activation_part(stem.activation, Activation::Relu6)
        ));
    }
    tokens.extend(candidate.stages.iter().map(print_stage));
    if let Some(conv) = &candidate.head.conv {
        let groups = if conv.groups > 1 { format!("_g{}", conv.groups) } else { String::new() };
        let activation = activation_part(conv.activation, Activation::Relu6);
        tokens.push(format!("head_c{}{groups}{activation}", conv.channels));
    }
    if let Some(rate) = candidate.head.dropout {
        tokens.push(format!("dropout_p{rate}"));
    }
    if candidate.conv_bias {
        tokens.push("bias".into());
    }
    tokens.join(" ")
}

fn print_stage(stage: &Stage) -> String {
    let Stage { kernel, stride, channels, repeats, activation, .. } = stage;
    match &stage.block {
        Block::InvertedResidual { expand, se, shortcut, keep_expansion, projection } => {
            let width = match expand {
                Expand::Ratio(t) => format!("e{t}"),
                Expand::Hidden(h) => format!("h{h}"),
            };
            let se = se.map_or(String::new(), |ratio| format!("_se{ratio}"));
            // A shortcut's kind shows only where some block of the stage has stride 1.
            let has_stride_one = *stride == 1 || *repeats > 1;
            let expands = *keep_expansion || *expand != Expand::Ratio(1.0);
            let shortcut = match shortcut {
                Shortcut::Project if *stride == 1 => "_project",
                Shortcut::Expansion if expands => "_expansion",
                Shortcut::None | Shortcut::Expansion if has_stride_one => "_noskip",
                _ => "",
            };
            let keep = if *keep_expansion && *expand == Expand::Ratio(1.0) { "_keep" } else { "" };
            let projection = if *projection == Projection::Nonlinear { "_nonlinear" } else { "" };
            let activation = activation_part(*activation, Activation::Relu6);
            format!(
                "ir_r{repeats}_k{kernel}_s{stride}_{width}_c{channels}{se}{activation}{shortcut}{keep}{projection}"
            )
        }
        Block::DepthwiseSeparable | Block::Conv => {
            let kind = if stage.block == Block::Conv { "cn" } else { "dsa" };
            let activation = activation_part(*activation, Activation::Relu6);
            format!("{kind}_r{repeats}_k{kernel}_s{stride}_c{channels}{activation}")
        }
        Block::Cse { cap, reduction, cap_mode, form } => {
            let guard = cap.map_or(String::new(), |cap| format!("_cap{cap}"));
            let max = if cap.is_some() && *cap_mode == CapMode::Max { "_max" } else { "" };
            let (activation, lite) = match form {
                CseForm::Paper => (activation_part(*activation, Activation::Prelu), ""),
                CseForm::Lite => (String::new(), "_lite"),
            };
            format!(
                "cse_r{repeats}_k{kernel}_s{stride}_c{channels}{guard}_rr{reduction}{activation}{max}{lite}"
            )
        }
    }
}

fn activation_part(activation: Activation, default: Activation) -> String {
    if activation == default {
        return String::new();
    }
    let part = match activation {
        Activation::Relu => "_nre",
        Activation::Relu6 => "_nr6",
        Activation::Hswish => "_nhs",
        Activation::Prelu => "_npr",
    };
    part.into()
}

/// Reads a text in block notation; tokens are separated by white space.
///
/// # Errors
/// A sentence naming the token and part that does not fit.
pub fn parse(text: &str) -> Result<Candidate, String> {
    let mut candidate = Candidate {
        stem: None,
        stages: Vec::new(),
        head: Head { conv: None, dropout: None },
        conv_bias: false,
    };
    for token in text.split_whitespace() {
        let mut parts = Parts::new(token);
        let ended = candidate.head.conv.is_some() || candidate.head.dropout.is_some();
        if ended && !matches!(parts.kind, "dropout" | "bias") {
            return Err(format!("{token}: only `dropout` and `bias` may follow the head"));
        }
        match parts.kind {
            "stem" if candidate.stem.is_none() && candidate.stages.is_empty() => {
                candidate.stem = Some(parts.stem()?);
            }
            "stem" => return Err(format!("{token}: the stem stands first, and once")),
            "ir" => candidate.stages.push(parts.inverted_residual()?),
            "cse" => candidate.stages.push(parts.cse()?),
            "dsa" => candidate.stages.push(parts.stage(Block::DepthwiseSeparable, Activation::Relu6)?),
            "cn" => candidate.stages.push(parts.stage(Block::Conv, Activation::Relu6)?),
            "head" => candidate.head.conv = Some(parts.head()?),
            "dropout" => candidate.head.dropout = Some(parts.required("p", "rate")?),
            "bias" => candidate.conv_bias = true,
            kind => {
                return Err(format!("{token}: `{kind}` is not a block ({})", KINDS.join(", ")));
            }
        }
        parts.finish()?;
    }
    candidate.check()?;
    Ok(candidate)
}

/// The parts of one token, taken one by one; what is left at the end is an error.
struct Parts<'a> {
    token: &'a str,
    kind: &'a str,
    rest: Vec<&'a str>,
}

impl<'a> Parts<'a> {
    fn new(token: &'a str) -> Self {
        let mut parts = token.split('_');
        let kind = parts.next().unwrap_or_default();
        Self { token, kind, rest: parts.collect() }
    }

    /// Takes the part made of `key` and a number.
    fn number<T: std::str::FromStr>(&mut self, key: &str) -> Result<Option<T>, String> {
        let is_mine =
            |part: &&str| part.strip_prefix(key).is_some_and(|v| v.starts_with(|c: char| c.is_ascii_digit()));
        let Some(at) = self.rest.iter().position(is_mine) else { return Ok(None) };
        let part = self.rest.remove(at);
        part[key.len()..]
            .parse()
            .map(Some)
            .map_err(|_| format!("{}: `{part}` is not `{key}` and a number", self.token))
    }

    fn required<T: std::str::FromStr>(&mut self, key: &str, what: &str) -> Result<T, String> {
        self.number(key)?.ok_or_else(|| format!("{}: needs `{key}N`, the {what}", self.token))
    }

    fn or<T: std::str::FromStr>(&mut self, key: &str, default: T) -> Result<T, String> {
        Ok(self.number(key)?.unwrap_or(default))
    }

    fn flag(&mut self, name: &str) -> bool {
        let found = self.rest.iter().position(|part| *part == name);
        found.map(|at| self.rest.remove(at)).is_some()
    }

    fn activation(&mut self, default: Activation) -> Activation {
        let names = [
            ("nre", Activation::Relu),
            ("nr6", Activation::Relu6),
            ("nhs", Activation::Hswish),
            ("npr", Activation::Prelu),
        ];
        names.into_iter().find(|(name, _)| self.flag(name)).map_or(default, |(_, a)| a)
    }

    fn stem(&mut self) -> Result<Stem, String> {
        Ok(Stem {
            kernel: self.or("k", 3)?,
            stride: self.or("s", 1)?,
            channels: self.required("c", "channels")?,
            activation: self.activation(Activation::Relu6),
        })
    }

    fn head(&mut self) -> Result<HeadConv, String> {
        Ok(HeadConv {
            channels: self.required("c", "channels")?,
            groups: self.or("g", 1)?,
            activation: self.activation(Activation::Relu6),
        })
    }

    fn inverted_residual(&mut self) -> Result<Stage, String> {
        let se = self.number("se")?;
        let expand = match (self.number("e")?, self.number("h")?) {
            (Some(ratio), None) => Expand::Ratio(ratio),
            (None, Some(hidden)) => Expand::Hidden(hidden),
            (None, None) => return Err(format!("{}: needs `eT` or `hN`, the width", self.token)),
            (Some(_), Some(_)) => {
                return Err(format!("{}: has both `e` and `h`; give one", self.token));
            }
        };
        let shortcut = if self.flag("project") {
            Shortcut::Project
        } else if self.flag("expansion") {
            Shortcut::Expansion
        } else if self.flag("noskip") {
            Shortcut::None
        } else {
            Shortcut::Identity
        };
        let keep_expansion = self.flag("keep");
        let projection = if self.flag("nonlinear") { Projection::Nonlinear } else { Projection::Linear };
        let block = Block::InvertedResidual { expand, se, shortcut, keep_expansion, projection };
        self.stage(block, Activation::Relu6)
    }

    fn cse(&mut self) -> Result<Stage, String> {
        let cap = self.number("cap")?;
        let reduction = self.or("rr", 16)?;
        let cap_mode = if self.flag("max") { CapMode::Max } else { CapMode::Min };
        let form = if self.flag("lite") { CseForm::Lite } else { CseForm::Paper };
        self.stage(Block::Cse { cap, reduction, cap_mode, form }, Activation::Prelu)
    }

    fn stage(&mut self, block: Block, default: Activation) -> Result<Stage, String> {
        Ok(Stage {
            block,
            kernel: self.or("k", 3)?,
            stride: self.or("s", 1)?,
            channels: self.required("c", "channels")?,
            repeats: self.or("r", 1)?,
            activation: self.activation(default),
        })
    }

    fn finish(self) -> Result<(), String> {
        match self.rest.first() {
            None => Ok(()),
            Some(part) => Err(format!("{}: `{part}` is not a part of `{}`", self.token, self.kind)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIX: &str = "stem_k3_s1_c32 ir_r1_k3_s1_e1_c16_project_keep ir_r2_k3_s1_e6_c24_project \
        ir_r3_k3_s1_e6_c32_project cse_r4_k3_s2_c64_cap8_rr16 cse_r3_k3_s2_c96_cap8_rr16 \
        cse_r3_k3_s1_c160_cap8_rr16 cse_r1_k3_s2_c320_cap8_rr16 head_c1280_g320";

    #[test]
    fn every_part_prints_and_parses_back() {
        for text in [
            MIX,
            "ir_r1_k5_s2_e4.5_c40_se0.25_nhs",
            "ir_r2_k7_s2_h88_c24_noskip bias",
            "cn_r1_k5_s2_c16_nre dsa_r2_k3_s1_c24 ir_r1_k3_s2_e6_c24_expansion_nonlinear dropout_p0.2",
            "ir_r1_k3_s1_e1_c24_expansion_keep head_c64 dropout_p0.5 bias",
            "stem_k5_s2_c16_nhs cse_r2_k3_s1_c24_rr8_nre_lite_x",
        ] {
            match parse(text) {
                Ok(candidate) => assert_eq!(candidate.text(), text),
                Err(message) => {
                    assert_eq!(message, "cse_r2_k3_s1_c24_rr8_nre_lite_x: `x` is not a part of `cse`")
                }
            }
        }
    }

    #[test]
    fn parts_without_effect_are_not_printed() {
        for (spelled, canonical) in [
            ("ir_e6_c24_keep_nr6", "ir_r1_k3_s1_e6_c24"),
            ("ir_s2_e6_c24_project", "ir_r1_k3_s2_e6_c24"),
            ("ir_s2_e6_c24_noskip", "ir_r1_k3_s2_e6_c24"),
            ("ir_e1_c24_expansion", "ir_r1_k3_s1_e1_c24_noskip"),
            ("cse_c24_max", "cse_r1_k3_s1_c24_rr16"),
            ("cse_c24_cap8_nre_lite", "cse_r1_k3_s1_c24_cap8_rr16_lite"),
            ("ir_c8_e1.0 head_c64_g1", "ir_r1_k3_s1_e1_c8 head_c64"),
        ] {
            let candidate = parse(spelled).unwrap_or_else(|message| panic!("{spelled}: {message}"));
            assert_eq!(candidate.text(), canonical);
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, message) in [
            ("", "a candidate needs at least one stage"),
            ("ir_c24", "ir_c24: needs `eT` or `hN`, the width"),
            ("ir_e6_k4_c24", "stages[0]: 4 is not a kernel size (3, 5, 7)"),
            ("mb_c24", "mb_c24: `mb` is not a block (stem, ir, cse, dsa, cn, head, dropout, bias)"),
            ("ir_e6_c24 dropout_p1", "dropout: the rate is 1; it must be above 0, below 1"),
            ("ir_e6_c24 dropout", "dropout: needs `pN`, the rate"),
            ("dsa_s5_c24", "stages[0]: stride is 5; it must be between 1 and 4"),
            ("cn_e6_c24", "cn_e6_c24: `e6` is not a part of `cn`"),
            ("cse_c0", "stages[0]: channels is 0; it must be between 1 and 65536"),
            (&"ir_e1_c8 ".repeat(129), "129 stages; a network has 1 to 128"),
            ("cse_s3_c8", "stages[0]: stride is 3; it must be between 1 and 2"),
            ("ir_e6_c24 stem_c8", "stem_c8: the stem stands first, and once"),
            ("head_c8 ir_e6_c24", "ir_e6_c24: only `dropout` and `bias` may follow the head"),
            (
                "ir_e6_c99999999999999999999",
                "ir_e6_c99999999999999999999: `c99999999999999999999` is not `c` and a number",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err(), message, "{text}");
        }
    }

    #[test]
    fn journals_of_before_knew_networks_by_their_texts() {
        // printf '%s' 'ir_r1_k3_s1_e6_c24' | sha256sum
        assert_eq!(super::super::text_hash(&parse("ir_e6_c24").unwrap().text()), "416f71c195ba1afd");
    }
}
