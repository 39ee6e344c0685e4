//! Candidates of journals that knew a network by the text it was written as. A study that began so goes on so: random streams,
//! checkpoints and results go by what the journal says.

use std::collections::{HashMap, HashSet};

use crate::arch::{Network, Shape, zoo};
use crate::space::{Candidate, text_hash};
use crate::study::StudyState;
use crate::study::event::CandidateRecord;

/// The candidates of such a journal; of one that knows networks by their layers there are none.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    candidates: Vec<CandidateRecord>,
    images: Option<(Shape, usize)>,
}

impl Recorded {
    /// Of a study, where there is one, for images of a shape in so many classes.
    pub fn of(state: Option<&StudyState>, input: Shape, classes: usize) -> Self {
        let trials = state.map_or(&[][..], |state| &state.trials);
        let mut hashes = HashSet::new();
        let is_of_text = |record: &&CandidateRecord| {
            hashes.insert(record.hash.clone()) && record.hash == text_hash(&record.text)
        };
        let candidates = trials.iter().map(|trial| &trial.candidate).filter(is_of_text).cloned().collect();
        Self { candidates, images: Some((input, classes)) }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.candidates.is_empty()
    }

    /// What candidates are known by in such a study, `trained` being the variants' networks; in any other it is their layers.
    pub fn known(&self, trained: &HashSet<String>) -> Known {
        let mut known = Known {
            by_text: !self.is_empty(),
            searched: HashSet::new(),
            texts: trained.iter().map(|network| (network.clone(), network.clone())).collect(),
        };
        for record in self.candidates.iter().filter(|record| !record.is_variant) {
            known.searched.insert(record.hash.clone());
            if let Some(network) = self.network(&record.text) {
                known.texts.entry(network.hash()).or_insert_with(|| record.hash.clone());
            }
        }
        known
    }

    /// What such a study knows a variant by, its text, and its network with the names that its checkpoints have: as the journal
    /// has the variant of this name where it is this network, else as it is `written`.
    pub fn variant(&self, label: &str, written: &str, network: &Network) -> Option<(String, Network)> {
        if self.is_empty() {
            return None;
        }
        let mut variants = self.candidates.iter();
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

/// What candidates are known by.
#[derive(Debug, Clone)]
pub struct Known {
    /// In a study that knows networks by their texts.
    by_text: bool,
    /// Hashes of the texts that such a study has searched. What it trained as two networks it goes on to know as two.
    searched: HashSet<String>,
    /// What stands for a network, by its hash: the text that came first, or the variant itself.
    texts: HashMap<String, String>,
}

impl Known {
    /// What this candidate is known by: the hash of its layers; in a study of before, of its text, or of the text by which the
    /// same network came first.
    pub fn hash(&mut self, candidate: &Candidate, network: &Network) -> String {
        if !self.by_text {
            return network.hash();
        }
        let text = text_hash(&candidate.text());
        if self.searched.contains(&text) {
            return text;
        }
        self.texts.entry(network.hash()).or_insert(text).clone()
    }
}
