//! A study as its journal tells it: every trial, and every candidate over its seeds.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::stats::{self, Spread};
use crate::config::{Experiment, Published};
use crate::study::event::{CandidateRecord, Environment, Latency, Record};
use crate::study::{Trial, TrialStatus, state};
use crate::text::cut;

/// How far a study has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// The journal has no first line: nothing was started.
    Empty,
    /// Started, neither finished nor stopped by the user: running, or killed.
    Unfinished,
    /// Stopped by the user.
    Interrupted,
    Finished,
}

/// The split an accuracy was measured on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    Validation,
    Test,
}

impl Split {
    /// The word for tables and axes.
    pub fn name(self) -> &'static str {
        match self {
            Split::Validation => "validation",
            Split::Test => "test",
        }
    }
}

/// Most characters of a name: a journal of others may have any, and every table and picture shows them.
const LONGEST_NAME: usize = 120;

/// One candidate with all its trials.
#[derive(Debug, Clone)]
pub struct CandidateSummary<'a> {
    pub record: &'a CandidateRecord,
    /// A name that no other candidate of the study has.
    pub name: String,
    pub trials: Vec<&'a Trial>,
}

impl CandidateSummary<'_> {
    /// Seed and accuracy of every finished trial, by seed.
    pub fn accuracies(&self, split: Split) -> BTreeMap<u64, f64> {
        self.trials.iter().filter_map(|t| Some((t.seed, accuracy(t, split)?))).collect()
    }

    /// Mean and spread of the accuracy over seeds, in percent.
    pub fn accuracy(&self, split: Split) -> Option<Spread> {
        let values: Vec<f64> = self.accuracies(split).into_values().collect();
        stats::spread(&values)
    }
}

/// The whole study.
#[derive(Debug, Clone)]
pub struct StudySummary {
    pub experiment: Option<Experiment>,
    /// Where it was started, then where it was resumed.
    pub environments: Vec<Environment>,
    pub progress: Progress,
    /// The seeds that it had before more were added to it with figures to be seen.
    pub seeds_begun: Option<Vec<u64>>,
    /// Milliseconds since the Unix epoch of the first and the last record.
    pub span: Option<(u64, u64)>,
    /// By trial number.
    pub trials: Vec<Trial>,
    /// Latencies by the hashes of candidates.
    pub latencies: BTreeMap<String, Latency>,
    /// The search ended for its time.
    pub search_timed_out: bool,
}

impl StudySummary {
    /// Folds the records in their order. What cannot follow the events before it is passed over: whoever read the journal
    /// has said so already.
    pub fn fold(records: &[Record]) -> Self {
        let mut records = records.iter().cloned();
        let Some(Ok(mut state)) = records.next().map(state::StudyState::begin) else {
            return Self {
                experiment: None,
                environments: Vec::new(),
                progress: Progress::Empty,
                seeds_begun: None,
                span: None,
                trials: Vec::new(),
                latencies: BTreeMap::new(),
                search_timed_out: false,
            };
        };
        for record in records {
            let _ = state.apply(record);
        }
        Self::of(state)
    }

    /// A study whose events are folded already.
    pub fn of(state: state::StudyState) -> Self {
        Self {
            progress: match (state.finished, state.interrupted) {
                (true, _) => Progress::Finished,
                (false, true) => Progress::Interrupted,
                (false, false) => Progress::Unfinished,
            },
            experiment: Some(state.experiment),
            seeds_begun: state.seeds_begun,
            environments: state.environments,
            span: Some((state.first_at, state.last_at)),
            trials: state.trials,
            latencies: state.latencies,
            search_timed_out: state.search_timed_out,
        }
    }

    /// Candidates in the order of their first trial: variants by label, others by hash.
    pub fn candidates(&self) -> Vec<CandidateSummary<'_>> {
        let mut found: Vec<CandidateSummary<'_>> = Vec::new();
        let mut index: HashMap<(bool, &str), usize> = HashMap::new();
        for trial in &self.trials {
            let record = &trial.candidate;
            let key =
                if record.is_variant { (true, record.label.as_str()) } else { (false, record.hash.as_str()) };
            let at = *index.entry(key).or_insert_with(|| {
                let name = cut(&record.label, LONGEST_NAME).into_owned();
                found.push(CandidateSummary { record, name, trials: Vec::new() });
                found.len() - 1
            });
            found[at].trials.push(trial);
        }
        let mut uses: HashMap<String, usize> = HashMap::new();
        for candidate in &found {
            *uses.entry(candidate.name.clone()).or_default() += 1;
        }
        for candidate in &mut found {
            if candidate.name.is_empty() || uses[&candidate.name] > 1 {
                let short: String = candidate.record.hash.chars().take(6).collect();
                candidate.name = format!("{} {short}", candidate.name).trim().to_owned();
            }
        }
        found
    }

    /// Whether its strategy is NetAdapt, whose proposals are fine-tuned.
    pub fn adapts(&self) -> bool {
        let search = self.experiment.as_ref().and_then(|experiment| experiment.search.as_ref());
        search.is_some_and(|search| search.netadapt.is_some())
    }

    /// Finished trials.
    pub fn finished(&self) -> impl Iterator<Item = &Trial> {
        self.trials.iter().filter(|t| t.result.is_some())
    }

    /// How many trials stand at `status`.
    pub fn count(&self, status: TrialStatus) -> usize {
        self.trials.iter().filter(|t| t.status == status).count()
    }

    /// The split on which candidates are compared, one for all so that they are comparable.
    ///
    /// A search chooses its front, so it must do so on the validation split, or the test accuracy of what it chose would be
    /// too good. An ablation compares networks fixed beforehand: test, once it was read for every finished trial.
    pub fn comparison_split(&self) -> Split {
        let searches = self.trials.iter().any(|t| !t.candidate.is_variant);
        if searches { Split::Validation } else { self.variant_split() }
    }

    /// The split of the ablation table: test where it was read for every finished trial of a variant, else validation.
    pub fn variant_split(&self) -> Split {
        let mut variants = self.finished().filter(|t| t.candidate.is_variant).peekable();
        if variants.peek().is_some() && variants.all(|t| t.test.is_some()) {
            Split::Test
        } else {
            Split::Validation
        }
    }

    /// Published figures of a variant.
    pub fn published(&self, record: &CandidateRecord) -> Option<Published> {
        if !record.is_variant {
            return None;
        }
        let variants = &self.experiment.as_ref()?.variants;
        variants.iter().find(|v| v.name == record.label)?.published
    }
}

/// Accuracy of a finished trial on a split, in percent.
pub fn accuracy(trial: &Trial, split: Split) -> Option<f64> {
    let result = trial.result.as_ref()?;
    match split {
        Split::Validation => Some(result.validation.accuracy),
        Split::Test => trial.test.map(|m| m.accuracy),
    }
}
