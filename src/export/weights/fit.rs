//! Which tensor of a file is which of a network: whose names they have, what stands before the names, and whether the
//! classifier is one of them.

use std::collections::BTreeSet;

use crate::arch::Network;
use crate::engine::weights::{Entry, Part, Slot, Views, misfit_sentence, misfits, slots};
use crate::export::Naming;

/// Tensors of a file that a network takes.
pub struct Fitted<'a> {
    pub tensors: Views<'a>,
    /// What of the network is taken from them, and under which names.
    pub slots: Vec<Slot>,
    pub entries: Vec<Entry>,
    /// What the user should know, each a sentence.
    pub notes: Vec<String>,
}

/// Why a file does not fit a network.
pub enum Misfit {
    /// Its classifier is for so many classes, and else nothing is wrong with it.
    Classes(usize),
    /// A sentence.
    Tensors(String),
}

/// Finds the tensors of a network in those of a file; without those of its classifier where that is to start anew.
pub fn fit<'a>(tensors: Views<'a>, network: &Network, fresh_classifier: bool) -> Result<Fitted<'a>, Misfit> {
    let slots = slots(network);
    let Reading { naming, prefix, entries } = reading(&tensors, network, &slots);
    let mut notes = Vec::new();
    if !prefix.is_empty() {
        notes.push(format!("the names of its tensors begin with `{prefix}`, which is passed over"));
    }
    if naming == Naming::Timm && network.layers.iter().any(|layer| layer.name == "pre_classifier") {
        notes.push(
            "timm's MobileNetV3 has 0.00001 as the epsilon of its batch norms, and this network torchvision's 0.001: what \
             it computes differs a little until it is trained further"
                .into(),
        );
    }
    let mut tensors: Views<'a> = tensors
        .into_iter()
        .map(|(name, view)| (name.strip_prefix(&prefix).map(str::to_owned).unwrap_or(name), view))
        .collect();
    // What tells classes apart is what comes last.
    let classifier = slots.last().map(|slot| slot.layer);
    let mut wanted: Vec<(Slot, Entry)> = slots.into_iter().zip(entries).collect();
    if fresh_classifier {
        let left = wanted.extract_if(.., |(slot, _)| Some(slot.layer) == classifier);
        let names: Vec<String> = left.map(|(_, entry)| entry.name).collect();
        names.iter().for_each(|name| {
            tensors.remove(name);
        });
        notes.push(format!("the classifier starts fresh: {} are not taken from it", names.join(" and ")));
    }
    let (slots, entries): (Vec<_>, Vec<_>) = wanted.into_iter().unzip();
    let problems = misfits(&tensors, &entries, &network.name);
    if problems.is_empty() {
        return Ok(Fitted { tensors, slots, entries, notes });
    }
    let of_classifier: BTreeSet<&str> = slots
        .iter()
        .zip(&entries)
        .filter(|(slot, _)| Some(slot.layer) == classifier)
        .map(|(_, entry)| entry.name.as_str())
        .collect();
    match other_classes(&tensors, &slots, &entries) {
        Some(classes) if problems.len() <= of_classifier.len() => Err(Misfit::Classes(classes)),
        _ => Err(Misfit::Tensors(misfit_sentence(&problems))),
    }
}

/// How the names of a file are read.
struct Reading {
    naming: Naming,
    /// What stands before every name, such as `module.`.
    prefix: String,
    entries: Vec<Entry>,
}

/// The naming of which the file has more names, after what it may have before them: wrappers of modules (DataParallel's
/// `module.`, torch.compile's `_orig_mod.`, Lightning's `model.`) write their own name first.
fn reading(tensors: &Views<'_>, network: &Network, slots: &[Slot]) -> Reading {
    let mut best: Option<(usize, Reading)> = None;
    for naming in Naming::ALL {
        let Ok(entries) = naming.entries(network, slots) else { continue };
        let first = entries.first().map(|entry| format!(".{}", entry.name)).unwrap_or_default();
        let stripped = |name: &String| name.strip_suffix(&first).map(|prefix| format!("{prefix}."));
        let prefixes: BTreeSet<String> =
            std::iter::once(String::new()).chain(tensors.keys().filter_map(stripped)).collect();
        for prefix in prefixes {
            let is_there = |entry: &&Entry| tensors.contains_key(&format!("{prefix}{}", entry.name));
            let hits = entries.iter().filter(is_there).count();
            if best.as_ref().is_none_or(|(most, _)| hits > *most) {
                best = Some((hits, Reading { naming, prefix, entries: entries.clone() }));
            }
        }
    }
    let nothing = || Reading { naming: Naming::Ours, prefix: String::new(), entries: Vec::new() };
    best.map_or_else(nothing, |(_, reading)| reading)
}

/// How many classes the file's classifier has, where these are others.
fn other_classes(tensors: &Views<'_>, slots: &[Slot], entries: &[Entry]) -> Option<usize> {
    let (_, entry) = slots.iter().zip(entries).rfind(|(slot, _)| slot.part == Part::Weight)?;
    let view = tensors.get(&entry.name)?;
    match (view.shape(), &entry.shape[..]) {
        ([theirs, rest @ ..], [ours, same @ ..]) if rest == same && theirs != ours => Some(*theirs),
        _ => None,
    }
}
