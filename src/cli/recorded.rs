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

    /// What the journal knows a searched candidate by, where it has it as it is written.
    pub fn hash(&self, candidate: &Candidate) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        let hash = text_hash(&candidate.text());
        self.by_hash.get(&hash).is_some_and(|record| !record.is_variant).then_some(hash)
    }

    /// The candidate that the journal knows by a hash, and its network with the names that its checkpoints have.
    pub fn named(&self, hash: &str) -> Option<(&CandidateRecord, Network)> {
        let record = self.by_hash.get(hash)?;
        Some((record, self.network(record)?))
    }

    /// The variant of this name, where it is this network.
    pub fn variant(&self, label: &str, network: &Network) -> Option<(&CandidateRecord, Network)> {
        let mut variants = self.by_hash.values();
        let record = variants.find(|record| record.is_variant && record.label == label)?;
        let recorded = self.network(record).filter(|recorded| recorded.hash() == network.hash())?;
        Some((record, recorded))
    }

    fn network(&self, record: &CandidateRecord) -> Option<Network> {
        let (input, classes) = self.images?;
        let options = zoo::Options { input: Some(input), classes: Some(classes), ..Default::default() };
        zoo::as_written(&record.text, &options).ok().map(|named| named.network)
    }
}
