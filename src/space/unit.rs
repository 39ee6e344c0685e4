//! A unit of a network (stem, stage, head, the bias switch): its fields with their levels, and which of them have
//! an effect together.

use super::level::{BlockKind, Field, Level};
use super::{Activation, Block, CapMode, CseForm, Expand, HeadConv, Projection, Shortcut, Stage, Stem};

/// Where a field's levels come from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Source {
    /// The field's own: one level is a plain value, more are a choice.
    Own(Vec<Level>),
    /// A named choice shared with other fields, by number, with what each of its levels means for this field.
    Shared(usize, Vec<Level>),
}

impl Source {
    pub fn levels(&self) -> &[Level] {
        match self {
            Source::Own(levels) | Source::Shared(_, levels) => levels,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UnitKind {
    Stem,
    Stage,
    Head,
    ConvBias,
}

/// A unit, its fields in the order of [`Field`]; a field that the file leaves out is not among them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Unit {
    pub kind: UnitKind,
    /// Name of its factors' place: `stages[3]`.
    pub name: String,
    pub fields: Vec<(Field, Source)>,
}

/// A field within a variant: its levels in groups (by number), one text for each group.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Slot {
    /// Index into the unit's fields.
    pub field: usize,
    pub groups: Vec<Vec<usize>>,
}

/// One way to settle which fields have an effect: within it, every choice of a group for each slot is another network.
pub(super) type Variant = Vec<Slot>;

impl Unit {
    /// Name of a field's factor.
    pub fn factor(&self, field: Field) -> String {
        match (self.kind, field) {
            (UnitKind::ConvBias, _) => "conv_bias".into(),
            (_, Field::Present) => self.name.clone(),
            _ => format!("{}.{}", self.name, field.key()),
        }
    }

    /// Every way to settle which fields have an effect, in the order of the file's levels.
    pub fn variants(&self) -> Vec<Variant> {
        let mut done = Vec::new();
        self.decide(0, &mut Vec::new(), &mut done);
        done
    }

    fn decide(&self, next: usize, slots: &mut Variant, done: &mut Vec<Variant>) {
        let Some((field, source)) = self.fields.get(next) else {
            done.push(slots.clone());
            return;
        };
        let decided = |field| self.decided(slots, field);
        if !has_effect(*field, &decided) {
            return self.decide(next + 1, slots, done);
        }
        // Levels of one class leave the same later fields with an effect.
        let mut classes: Vec<(u8, Vec<Vec<usize>>)> = Vec::new();
        for (i, level) in source.levels().iter().enumerate() {
            let class = effect_class(*field, *level, &decided);
            let at = classes.iter().position(|(c, _)| *c == class).unwrap_or_else(|| {
                classes.push((class, Vec::new()));
                classes.len() - 1
            });
            let groups = &mut classes[at].1;
            let same = |group: &&mut Vec<usize>| same_effect(source.levels()[group[0]], *level, &decided);
            match groups.iter_mut().find(same) {
                Some(group) => group.push(i),
                None => groups.push(vec![i]),
            }
        }
        for (_, groups) in classes {
            slots.push(Slot { field: next, groups });
            self.decide(next + 1, slots, done);
            slots.pop();
        }
    }

    /// A level that stands for all those a variant leaves to an earlier field.
    fn decided(&self, slots: &Variant, field: Field) -> Option<Level> {
        slots
            .iter()
            .find(|slot| self.fields[slot.field].0 == field)
            .map(|slot| self.fields[slot.field].1.levels()[slot.groups[0][0]])
    }
}

type Decided<'a> = &'a dyn Fn(Field) -> Option<Level>;

/// Whether a field is part of the network's text, given the fields before it.
fn has_effect(field: Field, decided: Decided) -> bool {
    let present = decided(Field::Present) != Some(Level::Off);
    let block = decided(Field::Block);
    let is_ir = block == Some(Level::Block(BlockKind::Ir));
    let is_cse = block == Some(Level::Block(BlockKind::Cse));
    match field {
        Field::Present | Field::Block | Field::ConvBias => true,
        Field::Expand | Field::Hidden | Field::Se | Field::Shortcut | Field::Projection => is_ir,
        Field::KeepExpansion => is_ir && decided(Field::Expand) == Some(Level::Real(1.0)),
        Field::Form | Field::Cap | Field::Reduction => is_cse,
        Field::CapMode => is_cse && !matches!(decided(Field::Cap), None | Some(Level::Off)),
        Field::Activation => present && decided(Field::Form) != Some(Level::Form(CseForm::Lite)),
        Field::Kernel | Field::Stride | Field::Channels | Field::Groups | Field::Repeats => present,
    }
}

fn stride_is_one(decided: Decided) -> bool {
    matches!(decided(Field::Stride), None | Some(Level::Whole(1)))
}

fn repeats(decided: Decided) -> usize {
    match decided(Field::Repeats) {
        Some(Level::Whole(n)) => n,
        _ => 1,
    }
}

/// Levels of one class are alike for every later field's effect; see [`has_effect`] and [`same_effect`].
fn effect_class(field: Field, level: Level, decided: Decided) -> u8 {
    let is_ir = decided(Field::Block) == Some(Level::Block(BlockKind::Ir));
    match (field, level) {
        (Field::Present | Field::Cap, level) => (level == Level::Off).into(),
        (Field::Block, Level::Block(kind)) => match kind {
            BlockKind::Ir => 0,
            BlockKind::Cse => 1,
            BlockKind::Dsa | BlockKind::Cn => 2,
        },
        (Field::KeepExpansion, level) => (level == Level::Flag(true)).into(),
        (Field::Form, Level::Form(form)) => (form == CseForm::Lite).into(),
        (Field::Expand, level) => (level == Level::Real(1.0)).into(),
        (Field::Stride, level) if is_ir => (level == Level::Whole(1)).into(),
        (Field::Repeats, level) if is_ir && !stride_is_one(decided) => (level == Level::Whole(1)).into(),
        _ => 0,
    }
}

/// Whether two levels of a field make the same text.
fn same_effect(a: Level, b: Level, decided: Decided) -> bool {
    match (a, b) {
        (Level::Shortcut(a), Level::Shortcut(b)) => shortcut(a, decided) == shortcut(b, decided),
        _ => a == b,
    }
}

/// The shortcut that a stage really has: only a first block of stride 1 can project, only blocks of stride 1 can leave
/// an identity out, and only blocks that expand have an expanded tensor.
fn shortcut(asked: Shortcut, decided: Decided) -> Shortcut {
    let expands = decided(Field::KeepExpansion) == Some(Level::Flag(true))
        || decided(Field::Expand) != Some(Level::Real(1.0));
    let has_stride_one = stride_is_one(decided) || repeats(decided) > 1;
    match asked {
        Shortcut::Project if !stride_is_one(decided) => Shortcut::Identity,
        Shortcut::Expansion if expands => Shortcut::Expansion,
        Shortcut::None | Shortcut::Expansion if has_stride_one => Shortcut::None,
        Shortcut::None | Shortcut::Expansion => Shortcut::Identity,
        other => other,
    }
}

/// The value of every field that has an effect.
pub(super) type Values = Vec<(Field, Level)>;

fn find(values: &Values, field: Field) -> Option<Level> {
    values.iter().find(|(f, _)| *f == field).map(|(_, level)| *level)
}

fn whole(values: &Values, field: Field, default: usize) -> usize {
    match find(values, field) {
        Some(Level::Whole(n)) => n,
        _ => default,
    }
}

fn activation(values: &Values, default: Activation) -> Activation {
    match find(values, Field::Activation) {
        Some(Level::Activation(activation)) => activation,
        _ => default,
    }
}

/// Values of a unit as the candidate has them. Fields without effect get their defaults.
pub(super) fn stem(values: &Values) -> Option<Stem> {
    (find(values, Field::Present) != Some(Level::Off)).then(|| Stem {
        kernel: whole(values, Field::Kernel, 3),
        stride: whole(values, Field::Stride, 1),
        channels: whole(values, Field::Channels, 1),
        activation: activation(values, Activation::Relu6),
    })
}

pub(super) fn head(values: &Values) -> Option<HeadConv> {
    (find(values, Field::Present) != Some(Level::Off)).then(|| HeadConv {
        channels: whole(values, Field::Channels, 1),
        groups: whole(values, Field::Groups, 1),
        activation: activation(values, Activation::Relu6),
    })
}

pub(super) fn conv_bias(values: &Values) -> bool {
    find(values, Field::ConvBias) == Some(Level::Flag(true))
}

pub(super) fn stage(values: &Values) -> Stage {
    let (block, default) = match find(values, Field::Block) {
        Some(Level::Block(BlockKind::Cse)) => (cse(values), Activation::Prelu),
        Some(Level::Block(BlockKind::Dsa)) => (Block::DepthwiseSeparable, Activation::Relu6),
        Some(Level::Block(BlockKind::Cn)) => (Block::Conv, Activation::Relu6),
        _ => (inverted_residual(values), Activation::Relu6),
    };
    Stage {
        block,
        kernel: whole(values, Field::Kernel, 3),
        stride: whole(values, Field::Stride, 1),
        channels: whole(values, Field::Channels, 1),
        repeats: whole(values, Field::Repeats, 1),
        activation: activation(values, default),
    }
}

fn inverted_residual(values: &Values) -> Block {
    Block::InvertedResidual {
        expand: match (find(values, Field::Expand), find(values, Field::Hidden)) {
            (Some(Level::Real(ratio)), _) => Expand::Ratio(ratio),
            (Some(Level::Hidden(h)), _) | (None, Some(Level::Hidden(h))) => Expand::Hidden(h),
            _ => Expand::Ratio(1.0),
        },
        se: match find(values, Field::Se) {
            Some(Level::Real(ratio)) => Some(ratio),
            _ => None,
        },
        shortcut: match find(values, Field::Shortcut) {
            Some(Level::Shortcut(asked)) => shortcut(asked, &|field| find(values, field)),
            _ => Shortcut::Identity,
        },
        keep_expansion: find(values, Field::KeepExpansion) == Some(Level::Flag(true)),
        projection: match find(values, Field::Projection) {
            Some(Level::Projection(projection)) => projection,
            _ => Projection::Linear,
        },
    }
}

fn cse(values: &Values) -> Block {
    Block::Cse {
        cap: match find(values, Field::Cap) {
            Some(Level::Whole(cap)) => Some(cap),
            _ => None,
        },
        reduction: whole(values, Field::Reduction, 16),
        cap_mode: match find(values, Field::CapMode) {
            Some(Level::CapMode(mode)) => mode,
            _ => CapMode::Min,
        },
        form: match find(values, Field::Form) {
            Some(Level::Form(form)) => form,
            _ => CseForm::Paper,
        },
    }
}
