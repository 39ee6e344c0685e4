//! Choices that lead to one network, as a report tells of them.

use super::format::{counted, thousands};
use crate::analysis::StudySummary;
use crate::analysis::coincide::{Levels, coincidences};
use crate::space::Merged;

/// Most coincidences that are told.
const TOLD: usize = 8;

/// How many networks the candidates are, and which levels coincide; nothing where each candidate is a network of its own.
pub fn sentence(study: &StudySummary) -> String {
    let candidates = study.candidates();
    let records = || candidates.iter().map(|c| c.record).filter(|record| !record.is_variant);
    let merged: Vec<&Merged> = records().filter_map(|record| record.merged.as_deref()).collect();
    if merged.is_empty() {
        return String::new();
    }
    let networks = records().count() as u64;
    let more = merged.iter().fold(0_u64, |n, merged| n.saturating_add(merged.spellings.saturating_sub(1)));
    let levels: Vec<Levels<'_>> = records()
        .map(|record| {
            let mut levels = Levels::new();
            for (factor, level, _) in record.levels() {
                levels.entry(factor).or_default().insert(level);
            }
            levels
        })
        .collect();
    let told = coincidences(&levels);
    let shown: Vec<String> = told.iter().take(TOLD).map(|one| format!("`{one}`")).collect();
    let rest = if told.len() > TOLD { format!("; and {} more", told.len() - TOLD) } else { String::new() };
    format!(
        " The {} candidates are {}: combinations of levels that lead to one network are trained once, and count for each of them \
         ({}{rest}).",
        thousands(networks.saturating_add(more)),
        counted(networks as usize, "distinct network"),
        shown.join("; ")
    )
}
