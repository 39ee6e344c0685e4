//! `blocksmith enumerate`: how large a search space is, and what is in it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::numbers::{bytes, exact_json, large, rough};
use super::output;
use super::place::Place;
use super::searched::label;
use crate::analysis::coincide::{Coincidence, Levels, coincidences};
use crate::arch::{Shape, canonical};
use crate::cost::Cost;
use crate::cost::feasible::{Counting, Feasible, Rejection};
use crate::cost::spellings;
use crate::error::{Error, Result};
use crate::report::format::thousands;
use crate::report::table::{self, Table};
use crate::report::unbuildable;
use crate::space::{Choices, Drawn, SearchSpace};

/// Spaces up to this size are listed whole: a second or two.
const LIST: u64 = 200_000;
/// Candidates drawn from a larger one: a share is then known to within 0.7 points.
const SAMPLE: u64 = 20_000;
/// Longest choices that are shown as a column; beyond it the block text says the same.
const LABEL: usize = 32;

/// Size of a search space, how many candidates satisfy its constraints, and some of them
///
/// The size is exact, whatever it is: it is computed, not listed. A candidate counts as satisfying where its network can
/// be built and its exact params, multiply-adds and activation memory are within the constraints. Up to 200,000
/// candidates are judged one by one; of a larger space 20,000 are drawn by chance, and the number is an estimate
/// with its 95 % interval (Wilson's). The output says which, and why
/// candidates cannot be built: how many for each reason, with the key of the space that it is about. Where all were judged it
/// also says how many distinct networks the satisfying candidates are, and which levels lead to one network.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    blocksmith enumerate search-spaces/quickstart.yaml\n  \
    blocksmith enumerate search-spaces/quickstart.yaml --rows 24       all of it\n  \
    blocksmith enumerate search-spaces/mix-cifar10.yaml --seed 7       other candidates\n  \
    blocksmith enumerate search-spaces/mix-cifar10.yaml --set 'constraints.params=[100k, 200k]'\n  \
    blocksmith enumerate search-spaces/mix-cifar10.yaml --json | jq .satisfying\n\n\
    Any row's block text can be given to `blocksmith profile` in quotes.\n\n\
    --json prints `size`, `satisfying` (`count` or `estimate`, `exact`, `low`, `high`, `sampled`), the ranges of `params`,\n  \
    `madds` and `activation_memory`, `networks` and `coincidences` (null where they were not compared), `factors` and\n  `rows`; whole numbers above 2^53 as texts.\n\n\
    Exit code 2 where nothing satisfies the constraints.")]
pub struct Args {
    /// The search space file
    #[arg(value_name = "SPACE.yaml")]
    space: PathBuf,
    /// Candidates to show, of those that satisfy the constraints
    #[arg(long, value_name = "N", default_value_t = 8)]
    rows: usize,
    /// Which candidates are drawn
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Change a key of the search space file, such as `stages[1].kernel=5`; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints what is in the space.
///
/// # Errors
/// What is wrong with the space, or that none of its candidates can be trained.
pub fn execute(args: &Args) -> Result<()> {
    let space = SearchSpace::load_with(&args.space, &args.set)?;
    let feasible = Feasible::count(&space, Counting { list: LIST, sample: SAMPLE, seed: args.seed });
    if feasible.satisfying.is_empty() {
        let place = Place { file: &args.space, what: "search space file", set: &args.set, phase: None };
        return Err(nothing(&feasible, place));
    }
    let rows = rows(&space, &feasible, args);
    let known = feasible.exact.then(|| Distinct::of(&space, &feasible));
    if args.json {
        output::print_json(&as_json(args, &space, &feasible, known.as_ref(), &rows))
    } else {
        output::print(&as_text(&space, &feasible, known.as_ref(), &rows))
    }
}

/// Most coincidences that are told.
const TOLD: usize = 12;

/// The networks that the satisfying candidates are.
struct Distinct {
    networks: u64,
    coincidences: Vec<Coincidence>,
}

impl Distinct {
    fn of(space: &SearchSpace, feasible: &Feasible) -> Self {
        let [c, h, w] = space.input;
        let images = (Shape::new(c, h, w), space.classes);
        let numbers: Vec<u128> = feasible.satisfying.iter().map(|(number, _)| *number).collect();
        let mut networks: BTreeMap<String, Vec<u128>> = BTreeMap::new();
        for (number, hash) in spellings::hashes(space, &numbers, images) {
            networks.entry(hash).or_default().push(number);
        }
        let choices: Vec<Vec<Choices>> = if networks.len() == numbers.len() {
            Vec::new()
        } else {
            let choices = |number: &u128| space.get(*number).map(|drawn| drawn.choices);
            networks.values().map(|numbers| numbers.iter().filter_map(choices).collect()).collect()
        };
        fn levels(choices: &[Choices]) -> Levels<'_> {
            let mut levels = Levels::new();
            for (factor, level) in choices.iter().flatten() {
                levels.entry(factor.as_str()).or_default().insert(level.as_str());
            }
            levels
        }
        let levels: Vec<Levels<'_>> = choices.iter().map(|choices| levels(choices)).collect();
        Self { networks: networks.len() as u64, coincidences: coincidences(&levels) }
    }
}

/// How many networks the candidates are that satisfy, where they were listed.
fn networks(size: u128, known: Option<&Distinct>) -> String {
    match known {
        Some(known) => format!(
            "{} distinct (exact: candidates that build the same layers are one network, and are trained once)",
            thousands(known.networks)
        ),
        None => format!("not counted: {} candidates are too many to compare one by one", large(size)),
    }
}

/// Why there is nothing to train.
fn nothing(feasible: &Feasible, place: Place) -> Error {
    let judged = thousands(feasible.judged);
    let of = if feasible.exact {
        format!("none of the {judged} candidates")
    } else {
        format!("none of {judged} candidates drawn from {}", large(feasible.size))
    };
    let Some((_, rejection)) = &feasible.rejected else {
        return place.key("stages", "there are no candidates; give every list at least one level");
    };
    let reason = rejection.reason();
    place.rejection(rejection, &match (rejection, feasible.violating, feasible.unbuildable.count) {
        (Rejection::Shape(_), 0, _) => format!("{of} can be built (the first: {reason})"),
        (_, _, 0) => format!(
            "{of} satisfies the constraints (the first: {reason}); loosen the constraints or widen the choices"
        ),
        (_, violating, unbuildable) => format!(
            "{of} can be trained: {} break the constraints, {} cannot be built (the first: {reason}); loosen the \
             constraints or widen the choices",
            thousands(violating),
            thousands(unbuildable)
        ),
    })
}

/// A candidate that satisfies the constraints.
struct Row {
    drawn: Drawn,
    /// The one text of its network, and what it is known by.
    text: String,
    hash: String,
    cost: Cost,
}

/// As many distinct satisfying candidates as were asked for, by chance, in the order of the space.
fn rows(space: &SearchSpace, feasible: &Feasible, args: &Args) -> Vec<Row> {
    let mut satisfying = feasible.satisfying.clone();
    satisfying.sort_by_key(|(index, _)| *index);
    satisfying.dedup_by_key(|(index, _)| *index);
    let count = args.rows.min(satisfying.len());
    let mut rng = ChaCha8Rng::seed_from_u64(args.seed);
    let mut chosen = index::sample(&mut rng, satisfying.len(), count).into_vec();
    chosen.sort_unstable();
    let row = |at: usize| {
        let (index, cost) = satisfying[at];
        let drawn = space.get(index)?;
        let [c, h, w] = space.input;
        let (candidate, network) =
            canonical::network(&drawn.candidate, Shape::new(c, h, w), space.classes).ok()?;
        Some(Row { drawn, text: candidate.text(), hash: network.hash(), cost })
    };
    chosen.into_iter().filter_map(row).collect()
}

fn as_text(space: &SearchSpace, feasible: &Feasible, known: Option<&Distinct>, rows: &[Row]) -> String {
    let [c, h, w] = space.input;
    let mut text = format!("space {}: {c}x{h}x{w} images in {} classes\n", space.name, space.classes);
    if let Some(description) = &space.description {
        text += &format!("{description}\n");
    }
    text += &format!("\nsize        {}\n", large(feasible.size));
    text += &format!("satisfying  {}\n", satisfying(feasible));
    text += &format!("networks    {}\n", networks(feasible.size, known));
    if let Some(sentence) = unbuildable::sentence(&feasible.unbuildable) {
        text += &format!("not built   {sentence}\n");
    }
    let ranges = [
        ("params", feasible.range(|c| c.params), thousands as fn(u64) -> String),
        ("madds", feasible.range(|c| c.madds), thousands),
        ("memory", feasible.range(|c| c.activation_memory), bytes),
    ];
    for (name, range, show) in ranges {
        if let Some((low, high)) = range {
            let seen = if feasible.exact { "" } else { " (of those drawn)" };
            text += &format!("{name:<11} {} to {}{seen}\n", show(low), show(high));
        }
    }
    let factors = space.factors();
    if !factors.is_empty() {
        let mut table = Table::new(vec![table::text("factor"), table::text("levels")]);
        for factor in factors {
            table.push(vec![factor.name, factor.levels.join(", ")]);
        }
        text += &format!("\n{}\n", table.terminal());
    }
    if let Some(known) = known.filter(|known| !known.coincidences.is_empty()) {
        text += "\nlevels that coincide\n";
        for coincidence in known.coincidences.iter().take(TOLD) {
            text += &format!("  {coincidence}\n");
        }
        if let Some(more) = known.coincidences.len().checked_sub(TOLD).filter(|more| *more > 0) {
            text += &format!("  and {more} more\n");
        }
    }
    if !rows.is_empty() {
        text += &format!("\n{}\n", rows_text(rows));
    }
    text.trim_end().to_owned()
}

fn satisfying(feasible: &Feasible) -> String {
    let bounds = feasible.bounds();
    let rejected = match (feasible.violating, feasible.unbuildable.count) {
        (0, 0) => String::new(),
        (violating, 0) => format!("; {} break the constraints", thousands(violating)),
        (0, unbuildable) => format!("; {} cannot be built", thousands(unbuildable)),
        (violating, unbuildable) => {
            format!(
                "; {} break the constraints, {} cannot be built",
                thousands(violating),
                thousands(unbuildable)
            )
        }
    };
    if feasible.exact {
        return format!("{} (exact: every candidate was judged{rejected})", large(bounds.count));
    }
    format!(
        "about {}, {} to {} (estimate, 95 % interval: {} of {} candidates drawn by chance satisfy{rejected})",
        rough(bounds.count),
        rough(bounds.low),
        rough(bounds.high),
        thousands(feasible.satisfying.len() as u64),
        thousands(feasible.judged)
    )
}

/// A line for each row.
fn rows_text(rows: &[Row]) -> String {
    let labels: Vec<String> = rows.iter().map(|row| label(&row.drawn.choices, &row.hash)).collect();
    let mut columns = vec![table::text("choices"), table::number("params"), table::number("madds")];
    columns.push(table::number("memory"));
    let mut table = Table::new(columns);
    for (row, label) in rows.iter().zip(&labels) {
        table.push(vec![
            label.clone(),
            thousands(row.cost.params),
            thousands(row.cost.madds),
            bytes(row.cost.activation_memory),
        ]);
    }
    let short = labels.iter().all(|label| label.chars().count() <= LABEL);
    let table = if short { table } else { table.without(&["choices"]) };
    output::with_candidates(&table, rows.iter().map(|row| row.text.clone()))
}

fn as_json(
    args: &Args,
    space: &SearchSpace,
    feasible: &Feasible,
    known: Option<&Distinct>,
    rows: &[Row],
) -> Value {
    let range = |range: Option<(u64, u64)>| range.map(|(min, max)| json!({"min": min, "max": max}));
    let bounds = feasible.bounds();
    let mut satisfying = json!({
        "exact": feasible.exact,
        "low": exact_json(bounds.low),
        "high": exact_json(bounds.high),
        "sampled": if feasible.exact { 0 } else { feasible.judged },
        "judged": feasible.judged,
        "satisfied": feasible.satisfying.len(),
        "violating": feasible.violating,
        "unbuildable": feasible.unbuildable.count,
        "unbuildable_reasons": feasible.unbuildable.reasons,
    });
    satisfying[if feasible.exact { "count" } else { "estimate" }] = exact_json(bounds.count);
    let factors: Vec<Value> =
        space.factors().into_iter().map(|f| json!({"name": f.name, "levels": f.levels})).collect();
    let rows: Vec<Value> = rows.iter().map(row_json).collect();
    json!({
           "space": space.name,
           "file": args.space.display().to_string(),
           "input": space.input,
           "classes": space.classes,
           "size": exact_json(feasible.size),
    "satisfying": satisfying,
           "networks": known.map(|known| known.networks),
           "coincidences": known.map(|known| known.coincidences.iter().map(coincidence_json).collect::<Vec<_>>()),
           "params": range(feasible.range(|c| c.params)),
           "madds": range(feasible.range(|c| c.madds)),
           "activation_memory": range(feasible.range(|c| c.activation_memory)),
           "factors": factors,
           "rows": rows,
       })
}

fn coincidence_json(coincidence: &Coincidence) -> Value {
    let Coincidence { factor, levels, networks, only_with } = coincidence;
    let with = only_with.as_ref().map(|with| {
        with.iter().map(|(factor, levels)| json!({"factor": factor, "levels": levels})).collect::<Vec<_>>()
    });
    json!({"factor": factor, "levels": levels, "networks": networks, "where": with})
}

fn row_json(row: &Row) -> Value {
    let Drawn { index, choices, .. } = &row.drawn;
    let choices: Vec<Value> =
        choices.iter().map(|(factor, level)| json!({"factor": factor, "level": level})).collect();
    json!({
        "index": exact_json(*index),
        "label": label(&row.drawn.choices, &row.hash),
        "choices": choices,
        "params": row.cost.params,
        "madds": row.cost.madds,
        "activation_memory": row.cost.activation_memory,
        "text": row.text,
        "hash": row.hash,
    })
}
