//! Candidates of journals that knew a network by the text it was written as. A study that began so goes on so: random streams,
//! checkpoints and results go by what the journal says.

use std::collections::HashMap;

use crate::arch::{Network, Shape, zoo};
use crate::space::{Candidate, text_hash};
use crate::study::StudyState;
use crate::study::event::CandidateRecord;

/// The candidates of such a journal; of one that knows networks by their layers there are none.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    by_hash: HashMap<String, CandidateRecord>,
    images: Option<(Shape, usize)>,
}

impl Recorded {
    /// Of a study, where there is one, for images of a shape in so many classes.
    pub fn of(state: Option<&StudyState>, input: Shape, classes: usize) -> Self {
        let trials = state.map_or(&[][..], |state| &state.trials);
        let mut by_hash = HashMap::new();
        for record in trials.iter().map(|trial| &trial.candidate) {
            if !by_hash.contains_key(&record.hash) && record.hash == text_hash(&record.text) {
                by_hash.insert(record.hash.clone(), record.clone());
            }
        }
        Self { by_hash, images: Some((input, classes)) }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }

    /// What such a study knows a candidate by, and whether it has searched it already; `None` where it knows networks by their
    /// layers. What it has yet to train goes by its text too, as it would have done.
    pub fn hash(&self, candidate: &Candidate) -> Option<(String, bool)> {
        if self.is_empty() {
            return None;
        }
        let hash = text_hash(&candidate.text());
        let is_searched = self.by_hash.get(&hash).is_some_and(|record| !record.is_variant);
        Some((hash, is_searched))
    }

    /// What such a study knows a variant by, its text, and its network with the names that its checkpoints have: as the journal
    /// has the variant of this name where it is this network, else as it is `written`.
    pub fn variant(&self, label: &str, written: &str, network: &Network) -> Option<(String, Network)> {
        if self.is_empty() {
            return None;
        }
        let mut variants = self.by_hash.values();
        let known = variants.find(|record| record.is_variant && record.label == label).and_then(|record| {
            let recorded = self.network(&record.text)?;
            (recorded.hash() == network.hash()).then(|| (record.text.clone(), recorded))
        });
        known.or_else(|| Some((written.to_owned(), self.network(written)?)))
    }

    fn network(&self, text: &str) -> Option<Network> {
        let (input, classes) = self.images?;
        let options = zoo::Options { input: Some(input), classes: Some(classes), ..Default::default() };
        zoo::as_written(text, &options).ok().map(|named| named.network)
    }
}
