//! Blocks joined into stages: as many in one token as it can say.

use super::walk::{Joins, Kind, Unit};
use super::{guard, ratio};
use crate::arch::blocks::cse::Guard;
use crate::space::{Activation, Block, CseForm, Expand, Projection, Shortcut, Stage, Stem};

/// Most blocks of one stage.
const REPEATS: usize = 256;
/// A ratio of so many parts is plain: two decimals.
const PLAIN: usize = 100;
/// Largest expansion as a ratio, and as a width.
const MOST: f64 = 64.0;
const WIDEST: usize = 65_536;

/// A first full convolution is the stem, where something follows it.
pub fn stem(blocks: &[Unit]) -> (Option<Stem>, &[Unit]) {
    match blocks {
        [
            Unit { kind: Kind::Conv, kernel, strides, channels, activation: Some(activation), .. },
            rest @ ..,
        ] if !rest.is_empty() => {
            let stem =
                Stem { kernel: *kernel, stride: strides[0], channels: *channels, activation: *activation };
            (Some(stem), rest)
        }
        _ => (None, blocks),
    }
}

/// The stages of blocks: each as long as one token can say. What a token can say of several blocks it can say of fewer, so
/// there are no fewer stages than these.
pub fn joined(mut blocks: &[Unit]) -> Vec<Stage> {
    let (mut stages, mut before) = (Vec::new(), None);
    while !blocks.is_empty() {
        let (mut length, mut longest) = (0, None);
        while length < blocks.len().min(REPEATS)
            && (length == 0 || alike(&blocks[0], &blocks[length]))
            && let Some(stage) = stage(&blocks[..=length], before)
        {
            (length, longest) = (length + 1, Some(stage));
        }
        let stage = longest.expect("one block alone is a stage");
        if let Block::Cse { cap, reduction, cap_mode, .. } = stage.block {
            before = Some(Guard { cap, reduction, mode: cap_mode });
        }
        stages.push(stage);
        blocks = &blocks[length..];
    }
    stages
}

/// Whether two blocks may be repeats, as far as each shows alone.
fn alike(first: &Unit, next: &Unit) -> bool {
    let same_kind = match (&first.kind, &next.kind) {
        (
            Kind::Residual { expands: a, squeezed: b, nonlinear: c, .. },
            Kind::Residual { expands: d, squeezed: e, nonlinear: f, .. },
        ) => (a, b.is_some(), c) == (d, e.is_some(), f),
        (Kind::Cse { form: a, .. }, Kind::Cse { form: b, .. }) => a == b,
        (a, b) => a == b,
    };
    let parts = |unit: &Unit| (unit.kernel, unit.channels, unit.activation);
    same_kind && parts(first) == parts(next) && next.strides.contains(&1)
}

/// The stage that has these blocks; `None` where no one token says them all.
fn stage(blocks: &[Unit], before: Option<Guard>) -> Option<Stage> {
    let first = &blocks[0];
    let (block, stride) = match &first.kind {
        Kind::Separable => (Block::DepthwiseSeparable, first.strides[0]),
        Kind::Conv => (Block::Conv, first.strides[0]),
        Kind::Cse { form, .. } => (cse(blocks, *form, before)?, first.strides[0]),
        Kind::Residual { .. } => residual(blocks)?,
    };
    // The stand-in's form has no activation, and its stage the default.
    let activation = first.activation.unwrap_or(Activation::Prelu);
    let Unit { kernel, channels, .. } = *first;
    Some(Stage { block, kernel, stride, channels, repeats: blocks.len(), activation })
}

fn cse(blocks: &[Unit], form: CseForm, before: Option<Guard>) -> Option<Block> {
    let squeezes: Vec<guard::Squeeze> = blocks
        .iter()
        .filter_map(|unit| match unit.kind {
            Kind::Cse { pixels, width, .. } => Some((pixels, width)),
            _ => None,
        })
        .collect();
    let Guard { cap, reduction, mode } = guard::of(&squeezes, before)?;
    Some(Block::Cse { cap, reduction, cap_mode: mode, form })
}

/// An inverted residual that says all of the blocks, and its stride.
fn residual(blocks: &[Unit]) -> Option<(Block, usize)> {
    let Kind::Residual { expands, nonlinear, .. } = blocks[0].kind else { return None };
    let (stride, shortcut) = blocks[0].strides.iter().find_map(|stride| {
        let kinds = [Shortcut::Identity, Shortcut::Project, Shortcut::None, Shortcut::Expansion];
        let fits = |shortcut: &Shortcut| {
            let strides = std::iter::once(*stride).chain(std::iter::repeat(1));
            blocks.iter().zip(strides).all(|(unit, stride)| joins(unit, *shortcut, stride))
        };
        Some((*stride, kinds.into_iter().find(fits)?))
    })?;
    let widths = || blocks.iter().filter_map(width);
    let squeezes = blocks.iter().filter_map(|unit| match unit.kind {
        Kind::Residual { hidden, squeezed: Some(squeezed), .. } => Some((hidden, squeezed)),
        _ => None,
    });
    let se = match squeezes.clone().next() {
        Some(_) => Some(ratio::squeeze(squeezes)?),
        None => None,
    };
    let expand = if expands { expansion(widths())? } else { Expand::Ratio(1.0) };
    let keep_expansion = expands && expand == Expand::Ratio(1.0);
    let projection = if nonlinear { Projection::Nonlinear } else { Projection::Linear };
    Some((Block::InvertedResidual { expand, se, shortcut, keep_expansion, projection }, stride))
}

/// Input channels and hidden width of an inverted residual.
fn width(unit: &Unit) -> Option<(usize, usize)> {
    match unit.kind {
        Kind::Residual { hidden, .. } => Some((unit.input.c, hidden)),
        _ => None,
    }
}

/// The width of blocks that expand: a ratio, unless the exact width says all of them and the ratio is no plain number.
fn expansion(widths: impl Iterator<Item = (usize, usize)> + Clone) -> Option<Expand> {
    let (_, hidden) = widths.clone().next()?;
    let is_one_width = hidden <= WIDEST && widths.clone().all(|(_, other)| other == hidden);
    let fits = |ratio: f64| widths.clone().all(|(inputs, hidden)| ratio::hidden(ratio, inputs) == hidden);
    let plain = widths
        .clone()
        .filter(|(inputs, hidden)| (PLAIN * hidden).is_multiple_of(*inputs))
        .map(|(inputs, hidden)| hidden as f64 / inputs as f64)
        .find(|ratio| *ratio <= MOST && fits(*ratio));
    match plain {
        Some(ratio) => Some(Expand::Ratio(ratio)),
        None if is_one_width => Some(Expand::Hidden(hidden)),
        None => ratio::expansion(widths).map(Expand::Ratio),
    }
}

/// Whether a stage with this shortcut builds a block of this stride as it was built.
fn joins(unit: &Unit, shortcut: Shortcut, stride: usize) -> bool {
    let Kind::Residual { joins, could_join, .. } = unit.kind else { return false };
    let keeps = unit.input.c == unit.channels;
    let expected = match shortcut {
        Shortcut::Identity | Shortcut::Project if stride == 1 && keeps => Joins::Input,
        Shortcut::Project if stride == 1 => Joins::Projected,
        Shortcut::Expansion if could_join => Joins::Expanded,
        _ => Joins::Nothing,
    };
    joins == expected
}
