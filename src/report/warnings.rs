//! What about a study looks wrong: settings, published figures and data that read like numbers of another unit.

use std::fmt::Write as _;

use crate::config::{Experiment, warnings};
use crate::data::DataRecord;
use crate::study::event::CandidateRecord;

/// Sentences, each with its remedy: of the settings, the published figures of the variants, and the data.
pub fn of<'a>(
    experiment: &Experiment,
    variants: impl Iterator<Item = &'a CandidateRecord>,
    data: &DataRecord,
) -> Vec<String> {
    let published = variants.flat_map(|of| warnings::published(experiment, &of.label, of.params, of.madds));
    warnings::of(experiment)
        .into_iter()
        .chain(published)
        .chain(data.reading.warnings.iter().cloned())
        .collect()
}

/// The part of a report that lists them; nothing where all looks right.
pub fn section(warnings: &[String]) -> String {
    let mut text = String::new();
    if !warnings.is_empty() {
        text.push_str("**Warnings**: what was asked for was done, but this looks wrong.\n\n");
        for warning in warnings {
            let _ = writeln!(text, "- {warning}");
        }
        text.push('\n');
    }
    text
}
