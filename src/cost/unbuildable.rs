//! Candidates of a space that are no networks, counted by the reason and the key of the space that it is about.

use crate::config::{Unbuildable, UnbuildableReason};

/// Reasons that are kept by themselves; those of fewer candidates are counted together.
const KEPT: usize = 20;

/// Reasons with their counts, as they are met.
#[derive(Debug, Default)]
pub struct Tally {
    /// In the order in which they were met.
    reasons: Vec<UnbuildableReason>,
    places: std::collections::HashMap<(String, String), usize>,
}

impl Tally {
    /// Counts a sentence that begins with the layer that cannot be.
    pub fn add(&mut self, sentence: &str) {
        let (layer, reason) = sentence.split_once(": ").unwrap_or(("input", sentence));
        // What to do about it stands once, where the space is refused.
        let reason = reason.split(';').next().unwrap_or(reason);
        let key = (key(layer, reason), reason.to_owned());
        if let Some(&at) = self.places.get(&key) {
            self.reasons[at].count += 1;
            return;
        }
        self.places.insert(key.clone(), self.reasons.len());
        self.reasons.push(UnbuildableReason { key: key.0, reason: key.1, count: 1 });
    }

    /// The reasons of most candidates first, of `judged` candidates, which are `all` of the space or a sample.
    pub fn finish(self, judged: u64, all: bool) -> Unbuildable {
        let mut reasons = self.reasons;
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.count));
        let count = reasons.iter().map(|reason| reason.count).sum();
        reasons.truncate(KEPT);
        Unbuildable { judged, all, count, reasons }
    }
}

/// The key of the space file that a reason is about: `stages[1].reduction` for a layer of its blocks, `head.groups`.
fn key(layer: &str, reason: &str) -> String {
    let mut parts = layer.split(['.', '_']);
    let unit = match (parts.next(), parts.next().and_then(|part| part.parse::<usize>().ok())) {
        (Some("stages"), Some(stage)) => format!("stages[{stage}]"),
        (Some(part @ ("stem" | "head")), _) => part.to_owned(),
        _ => return "input".to_owned(),
    };
    let field = [
        ("groups", "groups"),
        ("reduction", "reduction"),
        ("expansion", "expand"),
        ("kernel", if layer.ends_with(".down") { "stride" } else { "kernel" }),
    ];
    let field = field.iter().find(|(word, _)| reason.contains(word));
    field.map_or_else(|| unit.clone(), |(_, field)| format!("{unit}.{field}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_under_their_keys() {
        let mut tally = Tally::default();
        for sentence in [
            "head: 24 input and 64 output channels do not divide into 48 groups",
            "stages.1.0: the 4x4 map has fewer pixels than the reduction 64; lower `reduction` or stride later",
            "stages.1.3: the 4x4 map has fewer pixels than the reduction 64; lower `reduction` or stride later",
            "stages.2.0.down: a 2x2 kernel is larger than the 1x1 map; use fewer strides",
            "the input 3x0x9 has no pixels or too many",
        ] {
            tally.add(sentence);
        }
        let found = tally.finish(9, true);
        assert_eq!((found.count, found.judged), (5, 9));
        let reasons: Vec<_> =
            found.reasons.iter().map(|r| (r.count, r.key.as_str(), r.reason.as_str())).collect();
        assert_eq!(
            reasons,
            [
                (2, "stages[1].reduction", "the 4x4 map has fewer pixels than the reduction 64"),
                (1, "head.groups", "24 input and 64 output channels do not divide into 48 groups"),
                (1, "stages[2].stride", "a 2x2 kernel is larger than the 1x1 map"),
                (1, "input", "the input 3x0x9 has no pixels or too many"),
            ]
        );
    }

    #[test]
    fn the_number_of_reasons_is_bounded_and_their_sum_is_not() {
        let mut tally = Tally::default();
        (0..100).for_each(|n| tally.add(&format!("head: {n} groups")));
        let found = tally.finish(100, false);
        assert_eq!((found.reasons.len(), found.count), (KEPT, 100));
    }
}
