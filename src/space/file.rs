//! The search space file as units and shared choices.
//!
//! A field holds a value, a list (a choice of this field alone, the factor `stages[3].cap`), or a reference such as
//! `$cap` to a named list under `choices` (one decision for every field that refers to it, the factor `cap`). There is
//! no other way to tie fields together. A field that the block chosen does not have is no part of the candidate, so
//! such fields may stand in a stage whose block is itself a choice.
//!
//! ```yaml
//! name: example
//! input: 3x32x32
//! classes: 10
//! choices: {cap: [4, 8]}
//! stem: {channels: 16}
//! stages:
//! - {block: [ir, cse], expand: [3, 6], cap: $cap, channels: 24}
//! - {block: cse, cap: $cap, stride: 2, channels: 48}
//! constraints: {params: <= 50k}
//! ```
//!
//! Defaults: kernel 3, stride 1, repeats 1, relu6 (in a CSE block prelu); `ir`: no `se`, identity shortcut, no
//! expansion where it does not widen, linear projection; `cse`: no cap, reduction 16, cap mode min, form paper; head: one group; neither
//! stem nor head, no biases, no constraints.

use super::candidate::MAX_STAGES;
use super::constraints::Constraints;
use super::level::{BlockKind, Field, Level};
use super::shared::{Shared, SharedChoice, empty_list};
use super::unit::{Source, Unit, UnitKind};
use crate::config::yaml::{At, Keys, Read};

/// A file's content, checked.
pub(super) struct Content {
    pub name: String,
    pub description: Option<String>,
    pub input: [usize; 3],
    pub classes: usize,
    pub units: Vec<Unit>,
    pub choices: Vec<SharedChoice>,
    pub constraints: Constraints,
}

const KEYS: [&str; 10] = [
    "name",
    "description",
    "input",
    "classes",
    "choices",
    "stem",
    "stages",
    "head",
    "conv_bias",
    "constraints",
];
const STEM: [Field; 4] = [Field::Kernel, Field::Stride, Field::Channels, Field::Activation];
const HEAD: [Field; 3] = [Field::Channels, Field::Groups, Field::Activation];
/// In the order of [`Field`], which `Unit` needs.
const STAGE: [Field; 16] = [
    Field::Block,
    Field::Form,
    Field::Expand,
    Field::Hidden,
    Field::KeepExpansion,
    Field::Se,
    Field::Cap,
    Field::CapMode,
    Field::Reduction,
    Field::Kernel,
    Field::Stride,
    Field::Channels,
    Field::Repeats,
    Field::Shortcut,
    Field::Projection,
    Field::Activation,
];

/// Reads the whole file.
pub(super) fn read(root: &At<'_>) -> Read<Content> {
    let keys = root.keys("a search space", &KEYS)?;
    let name = keys.required("name", "name: my-space")?;
    let mut shared = Shared::read(&keys)?;
    let stages = keys.required("stages", "stages: [{block: ir, expand: 6, channels: 24}]")?;
    let mut units = vec![optional_unit(&mut shared, &keys, "stem", UnitKind::Stem, &STEM)?];
    let stages = stages.list("a list of stages (lines that start with `- `)")?;
    if stages.is_empty() || stages.len() > MAX_STAGES {
        let place = keys.required("stages", "")?;
        return Err(place.problem(format!("{} stages; a network has 1 to {MAX_STAGES}", stages.len())));
    }
    for stage in &stages {
        units.push(self::stage(&mut shared, stage)?);
    }
    units.push(optional_unit(&mut shared, &keys, "head", UnitKind::Head, &HEAD)?);
    let bias = keys
        .or("conv_bias", Source::Own(vec![Level::Flag(false)]), |at| shared.source(&at, Field::ConvBias))?;
    units.push(Unit {
        kind: UnitKind::ConvBias,
        name: "conv_bias".into(),
        fields: vec![(Field::ConvBias, bias)],
    });
    let content = Content {
        name: text(&name)?,
        description: keys.optional("description").map(|at| text(&at)).transpose()?,
        input: input(&keys.required("input", "input: 3x32x32")?)?,
        classes: keys
            .required("classes", "classes: 10")?
            .count(2..=1_000_000, "a number of classes (a whole number, 2 to 1000000)")?,
        constraints: match keys.optional("constraints") {
            Some(at) => Constraints::read(&at)?,
            None => Constraints::default(),
        },
        choices: shared.finish()?,
        units,
    };
    Ok(content)
}

fn text(at: &At<'_>) -> Read<String> {
    match at.text()?.trim() {
        "" => Err(at.problem("the text is empty")),
        text => Ok(text.to_owned()),
    }
}

/// `3x32x32`: channels, height, width.
fn input(at: &At<'_>) -> Read<[usize; 3]> {
    let what = "an input shape: channels x height x width, such as 3x32x32 (sides up to 4096)";
    let sides: Option<Vec<usize>> =
        at.text().map_err(|_| at.is_not(what))?.split('x').map(|side| side.trim().parse().ok()).collect();
    match sides.as_deref() {
        Some([c, h, w]) if (1..=4096).contains(c) && (1..=4096).contains(h) && (1..=4096).contains(w) => {
            Ok([*c, *h, *w])
        }
        _ => Err(at.is_not(what)),
    }
}

/// The stem or the head: `none`, a mapping, or a list of both.
fn optional_unit<'a>(
    shared: &mut Shared<'a>,
    keys: &Keys<'a>,
    name: &'static str,
    kind: UnitKind,
    known: &[Field],
) -> Read<Unit> {
    let mut present = Vec::new();
    let mut fields = Vec::new();
    if let Some(at) = keys.optional(name) {
        let items = at.items();
        if items.as_ref().is_some_and(Vec::is_empty) {
            return Err(empty_list(&at));
        }
        for item in items.unwrap_or_else(|| vec![at.clone()]) {
            let level = if item.is_text("none") { Level::Off } else { Level::Conv };
            if present.contains(&level) {
                return Err(item.problem(format!(
                    "a second {} in this list; make the fields inside one mapping lists instead",
                    if level == Level::Off { "`none`" } else { "mapping" }
                )));
            }
            present.push(level);
            if level != Level::Off {
                fields = read_fields(shared, &item, name, known)?;
                if kind == UnitKind::Head {
                    divisible(&item, &fields)?;
                }
            }
        }
    } else {
        present.push(Level::Off);
    }
    fields.insert(0, (Field::Present, Source::Own(present)));
    Ok(Unit { kind, name: name.into(), fields })
}

fn stage<'a>(shared: &mut Shared<'a>, at: &At<'a>) -> Read<Unit> {
    let fields = read_fields(shared, at, "a stage", &STAGE)?;
    let has = |field| fields.iter().find(|(f, _)| *f == field).map(|(_, source)| source);
    let blocks = has(Field::Block).map_or(&[][..], Source::levels);
    let may_be = |kind| blocks.contains(&Level::Block(kind));
    match (has(Field::Expand), has(Field::Hidden)) {
        (Some(_), Some(_)) => {
            return Err(at.problem(
                "expand and hidden both say how wide the block is; keep one (a list of expansions may hold exact widths: [6, h88])",
            ));
        }
        (None, None) if may_be(BlockKind::Ir) => {
            return Err(at.problem(
                "an ir block needs the key `expand`, such as `expand: 6`, or `hidden`, such as `hidden: 88`",
            ));
        }
        _ => {}
    }
    let too_far = |level: &Level| matches!(level, Level::Whole(stride) if *stride > 2);
    if may_be(BlockKind::Cse) && has(Field::Stride).is_some_and(|s| s.levels().iter().any(too_far)) {
        let place = at.keys("a stage", &keys_of(&STAGE))?.required("stride", "")?;
        return Err(
            place.problem("a cse block has stride 1 or 2; for a larger stride keep `block: ir` alone")
        );
    }
    Ok(Unit { kind: UnitKind::Stage, name: at.path.to_string(), fields })
}

fn read_fields<'a>(
    shared: &mut Shared<'a>,
    at: &At<'a>,
    what: &str,
    known: &[Field],
) -> Read<Vec<(Field, Source)>> {
    let keys = at.keys(what, &keys_of(known))?;
    keys.required("channels", "channels: 32")?;
    if known.contains(&Field::Block) {
        keys.required("block", "block: ir")?;
    }
    let mut fields = Vec::new();
    for field in known {
        match keys.get(field.key()) {
            Some(at) if at.is_null() => {
                return Err(at.problem("no value is given; give one, or remove the key for its default"));
            }
            Some(at) => fields.push((*field, shared.source(&at, *field)?)),
            None => {}
        }
    }
    Ok(fields)
}

fn keys_of(fields: &[Field]) -> Vec<&'static str> {
    fields.iter().map(|field| field.key()).collect()
}

/// A head whose groups divide no width of its own can never be built.
fn divisible(at: &At<'_>, fields: &[(Field, Source)]) -> Read<()> {
    let levels =
        |field| fields.iter().find(|(f, _)| *f == field).map_or(&[][..], |(_, source)| source.levels());
    let (channels, groups) = (levels(Field::Channels), levels(Field::Groups));
    let fits = |c: &Level, g: &Level| matches!((c, g), (Level::Whole(c), Level::Whole(g)) if c % g == 0);
    if groups.is_empty() || channels.iter().any(|c| groups.iter().any(|g| fits(c, g))) {
        return Ok(());
    }
    let place = at.keys("head", &keys_of(&HEAD))?.required("groups", "")?;
    let list = |levels: &[Level]| levels.iter().map(Level::to_string).collect::<Vec<_>>().join(", ");
    Err(place.problem(format!("{} groups do not divide {} channels", list(groups), list(channels))))
}
