//! What a search knows of a candidate before it is trained.

use serde::{Deserialize, Serialize};

use super::netadapt::Adapted;
use crate::config::Objective;
use crate::space::{Candidate, Choices, Genome, Merged};

/// What is known of a candidate before it is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Costs {
    pub params: u64,
    /// Multiply-adds of one image.
    pub madds: u64,
    /// Peak bytes of activations for one image.
    pub activation_memory: u64,
    /// Bytes of its weights in a file.
    pub size: u64,
}

impl Costs {
    /// One of them; `None` for what is known after training alone.
    pub fn of(&self, cost: Objective) -> Option<u64> {
        match cost {
            Objective::Params => Some(self.params),
            Objective::Madds => Some(self.madds),
            Objective::ActivationMemory => Some(self.activation_memory),
            Objective::Size => Some(self.size),
            Objective::Accuracy | Objective::Loss | Objective::Latency => None,
        }
    }
}

/// Whether a candidate may be trained. Its network is known further down than here, so the judgement is passed in.
#[derive(Debug, Clone, PartialEq)]
pub enum Judged {
    /// What it costs, and the hash that its network is known by.
    Fits(Costs, String),
    /// It breaks constraints, by so much: what it is above or below them, each as a share of the constraint, summed.
    Breaks { excess: f64, reason: String },
    /// It is no network at all.
    NoNetwork { reason: String },
}

pub type Judge = Box<dyn FnMut(&Candidate) -> Judged + Send>;

/// A candidate that may be trained.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    pub genome: Genome,
    pub candidate: Candidate,
    /// The choices that made it: (`stages[3].cap`, `8`).
    pub choices: Choices,
    /// All the choices that lead to its network, where they are several and known.
    pub merged: Option<Merged>,
    /// What its network is known by.
    pub hash: String,
    pub costs: Costs,
    /// Whose weights it inherits, where it does not begin from chance.
    pub adapted: Option<Box<Adapted>>,
    /// Where its search stood once it was proposed, in a search that listens.
    pub proposal: Option<Box<Proposal>>,
}

/// Where a search stands after a proposal: what another run takes to go on from there without computing it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// A level for each factor.
    pub genome: Genome,
    /// Words that were drawn of the random stream.
    pub words: u64,
    /// Candidates that were drawn uniformly.
    pub draws: u64,
}

/// What became of a genome.
#[derive(Debug, Clone, PartialEq)]
pub enum Tried {
    Made(Box<Made>),
    /// It has been proposed, or is another spelling of one that has.
    Taken,
    /// It breaks the constraints by so much; infinitely where it is no network.
    Breaks(f64),
}

#[cfg(test)]
impl Made {
    /// A candidate that nothing else is known of.
    pub fn of_text(text: &str) -> Self {
        let costs = Costs { params: 1, madds: 1, activation_memory: 1, size: 1 };
        let candidate = crate::space::notation::parse(text).expect("a candidate");
        Self {
            genome: Vec::new(),
            merged: None,
            hash: crate::space::text_hash(&candidate.text()),
            candidate,
            choices: Vec::new(),
            costs,
            adapted: None,
            proposal: None,
        }
    }
}
