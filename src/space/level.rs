//! Fields of a unit (stem, stage, head) and the levels they can take, read from YAML and checked on the way.

use std::fmt;

use super::{Activation, CapMode, CseForm, Projection, Shortcut};
use crate::config::yaml::{At, Read};

/// What may vary in a unit. The order is that of decisions: whether a field has an effect depends on earlier ones only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// Whether the stem, or the head's convolution, is there at all.
    Present,
    Block,
    Form,
    Expand,
    Hidden,
    KeepExpansion,
    Se,
    Cap,
    CapMode,
    Reduction,
    Kernel,
    Stride,
    Channels,
    Groups,
    Repeats,
    Shortcut,
    Projection,
    Activation,
    ConvBias,
}

/// The value of a field. Two levels of one field are equal exactly when they make the same network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Level {
    Off,
    /// The stem, or the head's convolution, is there.
    Conv,
    Flag(bool),
    Whole(usize),
    Real(f64),
    /// An exact hidden width, given in place of an expansion: `h88`.
    Hidden(usize),
    Block(BlockKind),
    Form(CseForm),
    CapMode(CapMode),
    Shortcut(Shortcut),
    Projection(Projection),
    Activation(Activation),
}

/// The kind of a stage's blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BlockKind {
    Ir,
    Cse,
    /// Depthwise separable.
    Dsa,
    /// Full convolution.
    Cn,
}

const BLOCKS: [(&str, BlockKind); 4] =
    [("ir", BlockKind::Ir), ("cse", BlockKind::Cse), ("dsa", BlockKind::Dsa), ("cn", BlockKind::Cn)];
const FORMS: [(&str, CseForm); 2] = [("paper", CseForm::Paper), ("lite", CseForm::Lite)];
const CAP_MODES: [(&str, CapMode); 2] = [("min", CapMode::Min), ("max", CapMode::Max)];
const SHORTCUTS: [(&str, Shortcut); 4] = [
    ("identity", Shortcut::Identity),
    ("project", Shortcut::Project),
    ("expansion", Shortcut::Expansion),
    ("none", Shortcut::None),
];
const PROJECTIONS: [(&str, Projection); 2] =
    [("linear", Projection::Linear), ("nonlinear", Projection::Nonlinear)];
const ACTIVATIONS: [(&str, Activation); 4] = [
    ("relu", Activation::Relu),
    ("relu6", Activation::Relu6),
    ("hswish", Activation::Hswish),
    ("prelu", Activation::Prelu),
];

/// Largest number of channels, as `Candidate::check` has it.
const CHANNELS: std::ops::RangeInclusive<u64> = 1..=65_536;

impl Field {
    /// The field's key in the file.
    pub fn key(self) -> &'static str {
        match self {
            Field::Present => "",
            Field::Block => "block",
            Field::Form => "form",
            Field::Expand => "expand",
            Field::Hidden => "hidden",
            Field::KeepExpansion => "keep_expansion",
            Field::Se => "se",
            Field::Cap => "cap",
            Field::CapMode => "cap_mode",
            Field::Reduction => "reduction",
            Field::Kernel => "kernel",
            Field::Stride => "stride",
            Field::Channels => "channels",
            Field::Groups => "groups",
            Field::Repeats => "repeats",
            Field::Shortcut => "shortcut",
            Field::Projection => "projection",
            Field::Activation => "activation",
            Field::ConvBias => "conv_bias",
        }
    }

    /// Reads one level.
    pub fn read(self, at: &At<'_>) -> Read<Level> {
        let off =
            at.is_text("off") || at.is_text("none") || *at.node == crate::config::yaml::Node::Bool(false);
        match self {
            Field::Present => at.one_of("a choice here", &[("none", Level::Off)]),
            Field::Block => Ok(Level::Block(at.one_of("a block", &BLOCKS)?)),
            Field::Form => Ok(Level::Form(at.one_of("a form of the CSE block", &FORMS)?)),
            Field::CapMode => Ok(Level::CapMode(at.one_of("a cap mode", &CAP_MODES)?)),
            Field::Shortcut => Ok(Level::Shortcut(at.one_of("a shortcut", &SHORTCUTS)?)),
            Field::Projection => Ok(Level::Projection(at.one_of("a projection", &PROJECTIONS)?)),
            Field::Activation => Ok(Level::Activation(at.one_of("an activation", &ACTIVATIONS)?)),
            Field::KeepExpansion | Field::ConvBias => Ok(Level::Flag(at.bool()?)),
            Field::Expand => {
                let what = "an expansion (a number above 0, up to 64, or an exact hidden width such as h88)";
                if let Ok(text) = at.text() {
                    let hidden = text.strip_prefix('h').and_then(|h| h.parse::<usize>().ok());
                    return hidden
                        .filter(|h| CHANNELS.contains(&(*h as u64)))
                        .map(Level::Hidden)
                        .ok_or_else(|| at.is_not(what));
                }
                Ok(Level::Real(at.number(f64::MIN_POSITIVE..=64.0, what)?))
            }
            Field::Hidden => {
                Ok(Level::Hidden(at.count(CHANNELS, "a hidden width (a whole number, 1 to 65536)")?))
            }
            Field::Se if off => Ok(Level::Off),
            Field::Se => Ok(Level::Real(at.share(
                f64::MIN_POSITIVE..=1.0,
                "a squeeze-and-excitation ratio (off, or a number above 0, up to 1, such as 0.25)",
            )?)),
            Field::Cap if off => Ok(Level::Off),
            Field::Cap => whole(at, CHANNELS, "a cap (none, or a whole number, 1 to 65536)"),
            Field::Reduction => whole(at, CHANNELS, "a reduction (a whole number, 1 to 65536)"),
            Field::Kernel => match at.whole(3..=7, "a kernel size (3, 5, 7)")? {
                size if size % 2 == 1 => Ok(Level::Whole(size as usize)),
                _ => Err(at.is_not("a kernel size (3, 5, 7)")),
            },
            Field::Stride => whole(at, 1..=4, "a stride (1 to 4)"),
            Field::Channels => whole(at, CHANNELS, "a number of channels (1 to 65536)"),
            Field::Groups => whole(at, CHANNELS, "a number of groups (1 to 65536)"),
            Field::Repeats => whole(at, 1..=256, "a number of repeats (1 to 256)"),
        }
    }
}

fn whole(at: &At<'_>, range: std::ops::RangeInclusive<u64>, what: &str) -> Read<Level> {
    Ok(Level::Whole(at.count(range, what)?))
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fn name<T: PartialEq>(names: &[(&'static str, T)], value: &T) -> &'static str {
            names.iter().find(|(_, v)| v == value).map_or("", |(name, _)| name)
        }
        match self {
            Level::Off => f.write_str("none"),
            Level::Conv => f.write_str("conv"),
            Level::Flag(value) => write!(f, "{value}"),
            Level::Whole(value) => write!(f, "{value}"),
            Level::Real(value) => write!(f, "{value}"),
            Level::Hidden(value) => write!(f, "h{value}"),
            Level::Block(value) => f.write_str(name(&BLOCKS, value)),
            Level::Form(value) => f.write_str(name(&FORMS, value)),
            Level::CapMode(value) => f.write_str(name(&CAP_MODES, value)),
            Level::Shortcut(value) => f.write_str(name(&SHORTCUTS, value)),
            Level::Projection(value) => f.write_str(name(&PROJECTIONS, value)),
            Level::Activation(value) => f.write_str(name(&ACTIVATIONS, value)),
        }
    }
}
