//! The search space file as units and shared choices.

use super::constraints::Constraints;
use super::level::{BlockKind, Field, Level};
use super::unit::{Source, Unit, UnitKind};
use crate::config::yaml::{At, Keys, Node, Problem, Read, nearest};

/// Most stages of a space; far above every published network.
const MAX_STAGES: usize = 128;
/// Most levels of a shared choice: one bit for each.
const MAX_SHARED_LEVELS: usize = 64;

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

/// A decision made once for every field that refers to it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SharedChoice {
    pub name: String,
    pub levels: Vec<String>,
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
const STAGE: [Field; 15] = [
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
    Field::Activation,
];

/// Reads the whole file.
pub(super) fn read(root: &At<'_>) -> Read<Content> {
    let keys = root.keys("a search space", &KEYS)?;
    let name = keys.required("name", "name: my-space")?;
    let mut shared = Shared::read(&keys)?;
    let stages = keys.required("stages", "stages: [{block: ir, expand: 6, channels: 24}]")?;
    let mut units = vec![shared.optional_unit(&keys, "stem", UnitKind::Stem, &STEM)?];
    let stages = stages.list("a list of stages (lines that start with `- `)")?;
    if stages.is_empty() || stages.len() > MAX_STAGES {
        let place = keys.required("stages", "")?;
        return Err(place.problem(format!("{} stages; a network has 1 to {MAX_STAGES}", stages.len())));
    }
    for stage in &stages {
        units.push(shared.stage(stage)?);
    }
    units.push(shared.optional_unit(&keys, "head", UnitKind::Head, &HEAD)?);
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

/// The `choices` section, and which of its names fields refer to.
struct Shared<'a> {
    choices: Vec<(String, At<'a>, Vec<At<'a>>)>,
    used: Vec<bool>,
}

impl<'a> Shared<'a> {
    fn read(keys: &Keys<'a>) -> Read<Self> {
        let mut choices = Vec::new();
        if let Some(section) = keys.optional("choices") {
            for (name, at) in section.any_keys("choices")?.iter() {
                let mut levels: Vec<At<'a>> = Vec::new();
                for level in at.list("a list of levels, such as [4, 8, 16]")? {
                    if !levels.iter().any(|known| same_scalar(known.node, level.node)) {
                        levels.push(level);
                    }
                }
                if levels.is_empty() {
                    return Err(empty_list(&at));
                }
                if levels.len() > MAX_SHARED_LEVELS {
                    return Err(at.problem(format!("a choice has at most {MAX_SHARED_LEVELS} levels")));
                }
                choices.push((name.to_owned(), at, levels));
            }
        }
        let used = vec![false; choices.len()];
        Ok(Self { choices, used })
    }

    /// The choices, if each is used.
    fn finish(self) -> Read<Vec<SharedChoice>> {
        for ((name, at, _), used) in self.choices.iter().zip(&self.used) {
            if !used {
                return Err(Problem {
                    path: at.path.clone(),
                    at_key: true,
                    message: format!(
                        "no field refers to this choice; write ${name} in a field, or remove it"
                    ),
                });
            }
        }
        let label = |level: &At<'_>| match level.node {
            Node::Text(text) => text.clone(),
            Node::Null => "none".into(),
            other => other.describe(),
        };
        Ok(self
            .choices
            .iter()
            .map(|(name, _, levels)| SharedChoice {
                name: name.clone(),
                levels: levels.iter().map(label).collect(),
            })
            .collect())
    }

    /// A field's levels: one value, a list, or a reference such as `$cap`.
    fn source(&mut self, at: &At<'a>, field: Field) -> Read<Source> {
        if let Some(name) = reference(at) {
            return self.reference(at, field, name);
        }
        let Some(items) = at.items() else {
            return Ok(Source::Own(vec![field.read(at)?]));
        };
        let mut levels = Vec::new();
        for item in &items {
            if reference(item).is_some() {
                return Err(item.problem(
                    "a reference stands alone, not inside a list; list its levels under `choices`",
                ));
            }
            let level = field.read(item)?;
            if !levels.contains(&level) {
                levels.push(level);
            }
        }
        if levels.is_empty() {
            return Err(empty_list(at));
        }
        Ok(Source::Own(levels))
    }

    fn reference(&mut self, at: &At<'a>, field: Field, name: &str) -> Read<Source> {
        let Some(number) = self.choices.iter().position(|(known, ..)| known == name) else {
            let known: Vec<_> = self.choices.iter().map(|(known, ..)| known.as_str()).collect();
            let remedy = match (nearest(name, known.iter().copied()), known.is_empty()) {
                (Some(near), _) => format!("did you mean ${near}?"),
                (None, true) => format!("add it: `choices: {{{name}: [...]}}`"),
                (None, false) => format!("known choices: {}", known.join(", ")),
            };
            return Err(at.problem(format!("there is no choice `{name}`; {remedy}")));
        };
        self.used[number] = true;
        let mut levels = Vec::new();
        for level in &self.choices[number].2 {
            let value = field.read(level).map_err(|problem| Problem {
                message: format!("{}; {} refers to it", problem.message, at.path),
                ..problem
            })?;
            if levels.contains(&value) {
                return Err(level.problem(format!(
                    "for {}, {} is the same as an earlier level; remove one",
                    at.path,
                    level.node.describe()
                )));
            }
            levels.push(value);
        }
        Ok(Source::Shared(number, levels))
    }

    /// The stem or the head: `none`, a mapping, or a list of both.
    fn optional_unit(
        &mut self,
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
                    fields = self.fields(&item, name, known)?;
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

    fn stage(&mut self, at: &At<'a>) -> Read<Unit> {
        let fields = self.fields(at, "a stage", &STAGE)?;
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
                return Err(at.problem("an ir block needs the key `expand`, such as `expand: 6`, or `hidden`, such as `hidden: 88`"));
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

    fn fields(&mut self, at: &At<'a>, what: &str, known: &[Field]) -> Read<Vec<(Field, Source)>> {
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
                Some(at) => fields.push((*field, self.source(&at, *field)?)),
                None => {}
            }
        }
        Ok(fields)
    }
}

fn keys_of(fields: &[Field]) -> Vec<&'static str> {
    fields.iter().map(|field| field.key()).collect()
}

fn empty_list(at: &At<'_>) -> Problem {
    at.problem("an empty list leaves nothing to choose from; give at least one level")
}

/// The name in `$name`.
fn reference<'a>(at: &At<'a>) -> Option<&'a str> {
    match at.node {
        Node::Text(text) => text.strip_prefix('$'),
        _ => None,
    }
}

fn same_scalar(a: &Node, b: &Node) -> bool {
    match (a, b) {
        (Node::Int(int), Node::Float(float)) | (Node::Float(float), Node::Int(int)) => *int as f64 == *float,
        _ => a == b,
    }
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
