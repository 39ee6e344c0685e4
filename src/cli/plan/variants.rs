//! The variants of an experiment as candidates.

use super::Planned;
use crate::arch::Shape;
use crate::arch::zoo::Named;
use crate::cli::place::Place;
use crate::cli::profiled;
use crate::config::yaml::Step;
use crate::config::{Experiment, Variant};
use crate::cost;
use crate::error::Result;
use crate::study::event::CandidateRecord;

/// The variants of an experiment as candidates, for images of shape `input` in `classes` classes; `place` is its file.
///
/// # Errors
/// A sentence where a variant is no network, or none for such images, or the network of another variant: its trials
/// would be the other's to the bit, so a difference between the two could only mislead.
pub fn variants(experiment: &Experiment, place: Place, input: Shape, classes: usize) -> Result<Vec<Planned>> {
    let mut variants: Vec<Planned> = Vec::new();
    for (number, variant) in experiment.variants.iter().enumerate() {
        let planned = self::variant(variant, number, place, input, classes)?;
        if let Some((other, _)) = variants.iter().find(|(other, _)| other.hash == planned.0.hash) {
            let steps = [Step::Key("variants".into()), Step::Item(number), Step::Key("network".into())];
            let message = format!(
                "variant {} is the same network as variant {}, so it can tell nothing new; change it or take it away",
                variant.name, other.label
            );
            return Err(place.error(&steps, &message));
        }
        variants.push(planned);
    }
    Ok(variants)
}

/// A variant as a candidate, its name the label.
fn variant(variant: &Variant, number: usize, place: Place, input: Shape, classes: usize) -> Result<Planned> {
    let Named { mut network, text } = profiled::variant(variant, number, place, input, classes)?;
    network.name = variant.network.clone();
    let cost = cost::of(&network);
    let record = CandidateRecord {
        label: variant.name.clone(),
        is_variant: true,
        hash: crate::space::hash(&text),
        text,
        choices: Vec::new(),
        params: cost.params,
        madds: cost.madds,
        activation_memory: cost.activation_memory,
        adapted: None,
    };
    Ok((record, network))
}
