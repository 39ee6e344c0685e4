//! Which weights a study keeps, and how much of the disk they may take.

use serde::{Deserialize, Serialize};

use super::yaml::{At, Read};

/// Weights that are left when the study is over. Until the test split has been read, all are needed for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// Of every finished trial.
    #[default]
    All,
    /// Of the trial with the best validation accuracy.
    Best,
    /// Of the trial that finished last.
    Last,
    /// Of the candidates on the Pareto front of params against validation accuracy, all their seeds.
    Front,
}

impl std::fmt::Display for Keep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Keep::All => "all",
            Keep::Best => "best",
            Keep::Last => "last",
            Keep::Front => "front",
        })
    }
}

/// What a study does about the files of its trials. No number depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Checkpoints {
    pub keep: Keep,
    /// Bytes that the folder of weights and checkpoints may take; `None` is as many as there are.
    pub disk_budget: Option<u64>,
}

impl Checkpoints {
    pub(super) fn read(at: &At<'_>) -> Read<Self> {
        const KEEP: [(&str, Keep); 4] =
            [("all", Keep::All), ("best", Keep::Best), ("last", Keep::Last), ("front", Keep::Front)];
        let keys = at.keys("checkpoints", &["keep", "disk_budget"])?;
        let budget = |at: At<'_>| {
            let bytes = at.amount("a size on the disk (such as 2GiB, 500MB or 1000000)")?;
            if bytes < 1.0 {
                return Err(at.problem("a disk budget is from 1 byte; leave it out for none"));
            }
            Ok(bytes as u64)
        };
        Ok(Self {
            keep: keys.or("keep", Keep::All, |at| at.one_of("what to keep", &KEEP))?,
            disk_budget: keys.optional("disk_budget").map(budget).transpose()?,
        })
    }
}
