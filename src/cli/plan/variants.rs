//! The variants of an experiment as candidates.

use super::Planned;
use crate::arch::Shape;
use crate::arch::zoo::Named;
use crate::cli::place::Place;
use crate::cli::profiled;
use crate::cli::recorded::Recorded;
use crate::config::yaml::Step;
use crate::config::{Experiment, Variant};
use crate::cost;
use crate::error::Result;
use crate::space::text_hash;
use crate::study::event::CandidateRecord;

/// The variants of an experiment as candidates, for images of shape `input` in `classes` classes; `place` is its file, and
/// `recorded` what its study has of before: what that trained as two networks it keeps as two.
///
/// # Errors
/// A sentence where a variant is no network, or none for such images, or the network of another variant: its trials
/// would be the other's to the bit, so a difference between the two could only mislead.
pub fn variants(
    experiment: &Experiment,
    place: Place,
    (input, classes): (Shape, usize),
    recorded: &Recorded,
) -> Result<Vec<Planned>> {
    let mut variants: Vec<Planned> = Vec::new();
    for (number, variant) in experiment.variants.iter().enumerate() {
        let planned = self::variant(variant, number, place, (input, classes), recorded)?;
        if let Some(other) = variants.iter().position(|(other, _)| other.hash == planned.0.hash) {
            let steps = [Step::Key("variants".into()), Step::Item(number), Step::Key("network".into())];
            let message = same(variant, &experiment.variants[other], &planned.0.text);
            return Err(place.error(&steps, &message));
        }
        variants.push(planned);
    }
    Ok(variants)
}

/// Why two variants are refused: they are one network, and which, where they are written otherwise.
fn same(variant: &Variant, other: &Variant, text: &str) -> String {
    let (name, before) = (&variant.name, &other.name);
    let is_written_alike = (&variant.network, &variant.set) == (&other.network, &other.set);
    let why = if is_written_alike {
        String::new()
    } else {
        format!(" (`{}` and `{}` build the same layers, `{text}`)", variant.network, other.network)
    };
    format!(
        "variant {name} is the same network as variant {before}{why}, so it can tell nothing new; change it or take it away"
    )
}

/// A variant as a candidate, its name the label.
fn variant(
    variant: &Variant,
    number: usize,
    place: Place,
    (input, classes): (Shape, usize),
    recorded: &Recorded,
) -> Result<Planned> {
    let Named { mut network, mut text, written } = profiled::variant(variant, number, place, input, classes)?;
    let mut hash = network.hash();
    if let Some((known, named)) = recorded.variant(&variant.name, &written, &network) {
        (hash, text, network) = (text_hash(&known), known, named);
    }
    network.name = variant.network.clone();
    let cost = cost::of(&network);
    let record = CandidateRecord {
        label: variant.name.clone(),
        is_variant: true,
        hash,
        text,
        choices: Vec::new(),
        merged: None,
        params: cost.params,
        madds: cost.madds,
        activation_memory: cost.activation_memory,
        adapted: None,
    };
    Ok((record, network))
}
