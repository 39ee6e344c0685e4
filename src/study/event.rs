//! What can happen in a study. The journal is a list of these, one JSON object a line; what is not in it did not happen.

use serde::{Deserialize, Serialize};

use crate::config::Experiment;
pub use crate::data::DataRecord;
pub use crate::engine::Latency;
use crate::search::{Adapted, Proposal};
use crate::space::Merged;

/// Version of the journal's format, written in its first line.
pub const FORMAT: u32 = 3;

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Milliseconds since the Unix epoch, UTC.
    pub at: u64,
    #[serde(flatten)]
    pub event: Event,
}

impl Record {
    /// The record without its candidate's choices, which are most of what a candidate takes in memory, and how it was found.
    pub fn without_choices(mut self) -> Self {
        if let Event::TrialQueued { candidate, proposal, .. } = &mut self.event {
            (candidate.choices, candidate.merged, *proposal) = (Vec::new(), None, None);
        }
        self
    }
}

/// An event. `trial` is the number given by `TrialQueued`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// First line: what this study is.
    StudyStarted {
        format: u32,
        experiment: Box<Experiment>,
        environment: Box<Environment>,
    },
    /// The same command was given again, on a machine that may differ.
    StudyResumed {
        environment: Box<Environment>,
    },
    /// The experiment file was edited where no trial depends on it (description, published figures, paths).
    ExperimentEdited {
        experiment: Box<Experiment>,
    },
    /// More was added to the study with `--extend`: seeds, variants, candidates or epochs. Trials that finished with fewer
    /// epochs wait to go on.
    StudyExtended {
        experiment: Box<Experiment>,
        changes: Vec<Change>,
    },
    /// A trial was planned: one candidate, one seed.
    TrialQueued {
        trial: usize,
        candidate: CandidateRecord,
        seed: u64,
        /// Epochs after which it stops, where these are not all; it may then go on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<usize>,
        /// Where its search stands after it, at the first trial of a candidate: a search that goes on need not find it again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proposal: Option<Box<Proposal>>,
    },
    /// A trial that stopped at a rung is to go on, to so many epochs or to the end.
    TrialContinued {
        trial: usize,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<usize>,
    },
    /// The latency of the trial's candidate, before its first trial is trained: what a search hears of it from then on. Not part
    /// of the results hash, since no two measurements are the same.
    LatencyMeasured {
        trial: usize,
        latency: Latency,
    },
    /// The trial is not trained: a measured cost of its candidate is above its constraint.
    TrialRejected {
        trial: usize,
        reason: String,
    },
    TrialStarted {
        trial: usize,
    },
    /// The trial goes on from its last checkpoint, in which so many epochs were over; later ones are run again.
    TrialResumed {
        trial: usize,
        epochs: usize,
    },
    EpochFinished {
        trial: usize,
        epoch: EpochMetrics,
    },
    /// Training is over, or has reached the rung at which it stops; figures of the last epoch.
    TrialFinished {
        trial: usize,
        result: TrialResult,
    },
    /// The trial has no more time, and stops after its last epoch, whose figures these are. It goes on where it is given more.
    TrialTimedOut {
        trial: usize,
        limit: TimeLimit,
        result: TrialResult,
    },
    TrialFailed {
        trial: usize,
        epoch: usize,
        reason: String,
        /// It is tried again at once: a kill between this event and the next must not make the failure final.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        again: bool,
    },
    /// The trial is tried again: a retry of its own study, or one that the user asked for.
    TrialRetried {
        trial: usize,
    },
    /// The test split was read for this trial, once, after every search decision was made.
    TestEvaluated {
        trial: usize,
        test: Metrics,
    },
    /// The search has no more time: nothing more of it is trained in this run.
    SearchTimedOut {
        /// Seconds that were spent.
        seconds: f64,
    },
    StudyInterrupted,
    StudyFinished,
}

/// What limits the time of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeLimit {
    Train,
    Search,
}

impl TimeLimit {
    /// Its key in an experiment file.
    pub fn key(self) -> &'static str {
        match self {
            Self::Train => "train.timeout",
            Self::Search => "search.timeout",
        }
    }
}

impl Event {
    /// Whether it says that a run begins, or was written by a command that trains nothing: what passed before it was no time
    /// of the study.
    pub fn is_between_runs(&self) -> bool {
        matches!(self, Self::StudyResumed { .. } | Self::ExperimentEdited { .. } | Self::TrialRetried { .. })
    }

    /// Whether a run may end with it, or a command that adds a line to a study.
    pub fn may_be_last(&self) -> bool {
        matches!(
            self,
            Self::StudyFinished
                | Self::StudyInterrupted
                | Self::ExperimentEdited { .. }
                | Self::TrialRetried { .. }
        )
    }
}

/// A setting of the experiment, before and after it was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Dotted path, such as `train.epochs` or `variants[wide].network`.
    pub path: String,
    /// JSON; `nothing` where it is absent.
    pub before: String,
    pub after: String,
}

/// A candidate as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CandidateRecord {
    /// Name of the variant, or a short label of the candidate's choices.
    pub label: String,
    /// True where `label` is the name of a variant of the experiment file.
    pub is_variant: bool,
    /// Block notation, or a name with its options: the one text of the network. In journals of before as it was written.
    pub text: String,
    /// What the network is known by, a hash of its layers ([`Network::hash`](crate::arch::Network::hash)). In journals of
    /// before a hash of `text`, which stays what random streams and checkpoints go by.
    pub hash: String,
    /// The choices that made it: (factor, level), such as (`stages[3].cap`, `8`). Empty for variants.
    pub choices: Vec<(String, String)>,
    /// All the choices that lead to its network, where they are several and known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged: Option<Box<Merged>>,
    pub params: u64,
    pub madds: u64,
    /// Peak activation memory of inference, bytes for one image.
    pub activation_memory: u64,
    /// Whose weights its trials inherit, where they do not begin anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapted: Option<Box<Adapted>>,
}

impl CandidateRecord {
    /// Every level that leads to its network: factor, level, and how many combinations of levels have it, 1 where its own are
    /// the only ones.
    pub fn levels(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        let merged = self.merged.as_deref().map_or(&[][..], |merged| &merged.levels);
        let own = if merged.is_empty() { &self.choices[..] } else { &[] };
        let merged = merged.iter().map(|(factor, level, count)| (factor.as_str(), level.as_str(), *count));
        own.iter().map(|(factor, level)| (factor.as_str(), level.as_str(), 1)).chain(merged)
    }

    /// The level of a factor; all that lead to its network, `0.125|0.25` say, where they are several. `None` where it has none.
    pub fn level(&self, factor: &str) -> Option<String> {
        let levels: Vec<&str> =
            self.levels().filter(|(name, ..)| *name == factor).map(|(_, level, _)| level).collect();
        (!levels.is_empty()).then(|| levels.join("|"))
    }
}

/// Loss and accuracy over one pass.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Mean cross entropy (training loss includes label smoothing).
    #[serde(with = "super::number")]
    pub loss: f64,
    /// Percent of images classified rightly.
    #[serde(with = "super::number")]
    pub accuracy: f64,
    pub images: usize,
}

/// One epoch of one trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// Counted from 1.
    pub epoch: usize,
    /// Learning rate of the epoch's last step.
    pub lr: f64,
    pub train: Metrics,
    pub validation: Metrics,
    pub seconds: f64,
}

/// What a finished trial reached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrialResult {
    pub epochs: usize,
    pub train: Metrics,
    pub validation: Metrics,
    /// Seconds of training, summed over epochs.
    pub seconds: f64,
}

/// Where a study ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// Version of blocksmith.
    pub version: String,
    /// The command line, as given.
    pub command: String,
    pub os: String,
    pub cpu: String,
    pub cores: usize,
    pub jobs: usize,
    pub threads_per_job: usize,
    pub data: DataRecord,
}
