//! New candidates for every strategy: distinct, buildable, within the constraints.
//!
//! Strategies say which genome they would like; whether it may be trained is decided here. Where chance finds nothing that
//! keeps to the constraints, candidates are led towards them, one change after another.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::netadapt::Adapted;
use super::shuffle::Shuffle;
use crate::config::Objective;
use crate::error::{Error, Result};
use crate::space::{Candidate, Choices, Genome, Merged, SearchSpace, text_hash};

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
    /// What it costs, and what its network is known by.
    Fits(Costs, String),
    /// It breaks constraints, by so much: what it is above or below them, each as a share of the constraint, summed.
    Breaks { excess: f64, reason: String },
    /// It is no network at all.
    NoNetwork { reason: String },
    /// The same network came before, spelled otherwise.
    Repeats,
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
    /// What the breeder knows this spelling of it by.
    pub(super) spelling: String,
    pub costs: Costs,
    /// Whose weights it inherits, where it does not begin anew.
    pub adapted: Option<Box<Adapted>>,
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

/// Uniform draws in a row that fail before candidates are led to the constraints: were one candidate in a thousand
/// acceptable, this would happen once in 20,000 searches.
const PATIENCE: u64 = 10_000;
/// Candidates that fail, and none that does not, before it is looked whether any can keep to the constraints.
const LOOK: u64 = 200;
/// A space of so many candidates is gone through sooner than that is found out.
const LISTED: u128 = 2000;
/// Descents for that, each from another draw.
const DESCENTS: usize = 5;
/// Times that a candidate is led to the constraints, each from another draw.
const WALKS: usize = 30;
/// Children of two parents, or changes of one, that are tried before chance takes over.
const CHILDREN: usize = 200;

/// Makes candidates of a space, each once.
pub struct Breeder {
    space: Arc<SearchSpace>,
    genes: Vec<usize>,
    judge: Judge,
    shuffle: Shuffle,
    rng: ChaCha8Rng,
    taken: HashSet<String>,
    /// Candidates that were made and not wanted, by their spellings; they may be made again.
    spare: BTreeMap<String, Made>,
    made: u64,
    rejected: u64,
    /// Whether it was looked at all whether anything can keep to the constraints.
    looked: bool,
    /// Of those that break the constraints the one that does so least, and its reason; before it the first that is no network.
    least: Option<(f64, String)>,
}

impl std::fmt::Debug for Breeder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Breeder")
            .field("made", &self.made)
            .field("rejected", &self.rejected)
            .finish_non_exhaustive()
    }
}

impl Breeder {
    /// The same seed makes the same candidates of the same requests.
    pub fn new(space: Arc<SearchSpace>, seed: u64, judge: Judge) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        // Draws have the seed's first stream, all else the second.
        rng.set_stream(1);
        let shuffle = Shuffle::new(space.size(), seed);
        let genes = space.genes();
        Self {
            space,
            genes,
            judge,
            shuffle,
            rng,
            taken: HashSet::new(),
            spare: BTreeMap::new(),
            made: 0,
            rejected: 0,
            looked: false,
            least: None,
        }
    }

    pub fn space(&self) -> &SearchSpace {
        &self.space
    }

    /// How many levels each gene has.
    pub fn genes(&self) -> &[usize] {
        &self.genes
    }

    pub fn rng(&mut self) -> &mut ChaCha8Rng {
        &mut self.rng
    }

    /// The candidate of a genome, where it is new and may be trained.
    pub fn make(&mut self, genome: &[usize]) -> Tried {
        let Some((candidate, choices)) = self.space.make(genome) else {
            return Tried::Breaks(f64::INFINITY);
        };
        self.judged(genome, candidate, choices, None)
    }

    /// A candidate that is not of the space, where it is new and may be trained.
    pub fn offer(&mut self, candidate: Candidate, choices: Choices, adapted: Option<Adapted>) -> Tried {
        self.judged(&[], candidate, choices, adapted)
    }

    /// What a candidate costs, where it may be trained; it is not taken by that. For a judge that knows no repeats.
    pub fn price(&mut self, candidate: &Candidate) -> Option<Costs> {
        match (self.judge)(candidate) {
            Judged::Fits(costs, _) => Some(costs),
            Judged::Breaks { .. } | Judged::NoNetwork { .. } | Judged::Repeats => None,
        }
    }

    /// Why a candidate may not be trained, where it may not.
    pub fn why_not(&mut self, candidate: &Candidate) -> Option<String> {
        match (self.judge)(candidate) {
            Judged::Breaks { reason, .. } | Judged::NoNetwork { reason } => Some(reason),
            Judged::Fits(..) | Judged::Repeats => None,
        }
    }

    fn judged(
        &mut self,
        genome: &[usize],
        candidate: Candidate,
        choices: Choices,
        adapted: Option<Adapted>,
    ) -> Tried {
        let spelling = text_hash(&candidate.text());
        if self.taken.contains(&spelling) {
            return Tried::Taken;
        }
        if let Some(made) = self.spare.remove(&spelling) {
            return Tried::Made(Box::new(self.take(made)));
        }
        match (self.judge)(&candidate) {
            Judged::Fits(costs, hash) => {
                let (genome, adapted) = (genome.to_vec(), adapted.map(Box::new));
                let made = Made { genome, candidate, choices, merged: None, hash, spelling, costs, adapted };
                Tried::Made(Box::new(self.take(made)))
            }
            Judged::Repeats => {
                self.taken.insert(spelling);
                Tried::Taken
            }
            Judged::Breaks { excess, reason } => {
                self.reject(excess, || format!("{} with {reason}", candidate.text()));
                Tried::Breaks(excess)
            }
            Judged::NoNetwork { reason } => {
                self.reject(f64::INFINITY, || reason);
                Tried::Breaks(f64::INFINITY)
            }
        }
    }

    fn take(&mut self, made: Made) -> Made {
        self.taken.insert(made.spelling.clone());
        self.made += 1;
        made
    }

    /// Takes back a candidate that is not to be trained now.
    pub fn put_back(&mut self, made: Made) {
        self.taken.remove(&made.spelling);
        self.made -= 1;
        self.spare.insert(made.spelling.clone(), made);
    }

    fn reject(&mut self, excess: f64, reason: impl FnOnce() -> String) {
        self.rejected += 1;
        if self.least.as_ref().is_none_or(|(least, _)| excess < *least) {
            self.least = Some((excess, reason()));
        }
    }

    /// The candidate with a number in the space, where it is new and may be trained.
    pub fn numbered(&mut self, index: u128) -> Option<Made> {
        let genome = self.space.genome(index)?;
        match self.make(&genome) {
            Tried::Made(made) => Some(*made),
            Tried::Taken | Tried::Breaks(_) => None,
        }
    }

    /// A new candidate by chance: uniformly among all that may be trained, unless those are one in thousands; then one to
    /// which a draw was led. `None` where the space has no new one.
    ///
    /// # Errors
    /// A sentence with the least violating candidate, where none was ever found that keeps to the constraints.
    pub fn random(&mut self) -> Result<Option<Made>> {
        for _ in 0..PATIENCE {
            let Some(index) = self.shuffle.next() else { return self.exhausted() };
            if let Some(made) = self.numbered(index) {
                return Ok(Some(made));
            }
            self.look()?;
        }
        for _ in 0..WALKS {
            let Some(index) = self.shuffle.next() else { return self.exhausted() };
            if let Some(made) = self.space.genome(index).and_then(|genome| self.led(genome)) {
                return Ok(Some(made));
            }
        }
        self.exhausted()
    }

    /// Once many candidates have failed and none has not, looks whether any can keep to the constraints: descents from several
    /// draws, one gene at a time, that all end at the same least violation say that none can. Costs rise and fall with each gene
    /// by itself, so a descent ends at the least there is; where two constraints pull against each other the ends may differ,
    /// and the search goes on by chance.
    ///
    /// # Errors
    /// As [`random`](Self::random), where none can.
    pub fn look(&mut self) -> Result<()> {
        if self.looked || self.made > 0 || self.rejected < LOOK || self.space.size() <= LISTED {
            return Ok(());
        }
        self.looked = true;
        // A stream of its own: what is proposed does not depend on the look.
        let mut rng = self.rng.clone();
        rng.set_stream(2);
        let mut least: Option<f64> = None;
        for _ in 0..DESCENTS {
            let index = rng.random_range(0..self.space.size());
            let Some(excess) = self.space.genome(index).and_then(|genome| self.descend(genome)) else {
                return Ok(());
            };
            if least.is_some_and(|least| (least - excess).abs() > 1e-9 * least) {
                return Ok(());
            }
            least = Some(excess);
        }
        Err(self.unsatisfiable())
    }

    /// How far from the constraints a candidate stays though each gene has its best level; `None` where one was found that keeps
    /// to them, or that cannot be built.
    fn descend(&mut self, mut genome: Genome) -> Option<f64> {
        let mut excess = self.excess(&genome)?;
        loop {
            let before = excess;
            for gene in 0..self.genes.len() {
                for level in 0..self.genes[gene] {
                    let mut other = genome.clone();
                    other[gene] = level;
                    let next = if other == genome { excess } else { self.excess(&other)? };
                    if next < excess {
                        (excess, genome) = (next, other);
                    }
                }
            }
            if excess >= before {
                return excess.is_finite().then_some(excess);
            }
        }
    }

    /// By how much a candidate breaks the constraints; `None` where it does not. It is not taken by that.
    fn excess(&mut self, genome: &[usize]) -> Option<f64> {
        match self.make(genome) {
            Tried::Breaks(excess) => Some(excess),
            Tried::Made(made) => {
                self.put_back(*made);
                None
            }
            Tried::Taken => None,
        }
    }

    /// Nothing new can be found.
    fn exhausted(&mut self) -> Result<Option<Made>> {
        if let Some((_, made)) = self.spare.pop_first() {
            return Ok(Some(self.take(made)));
        }
        if self.made == 0 { Err(self.unsatisfiable()) } else { Ok(None) }
    }

    /// What to say where nothing keeps to the constraints.
    pub fn unsatisfiable(&self) -> Error {
        let size = self.space.size();
        let tried = if u128::from(self.rejected) >= size {
            format!("none of the {size} candidates")
        } else {
            format!("none of {} candidates tried", self.rejected)
        };
        let (what, closest) = match &self.least {
            Some((excess, reason)) if excess.is_finite() => {
                ("satisfies the constraints", format!(" (the closest: {reason})"))
            }
            Some((_, reason)) => ("can be built", format!(" (the first: {reason})")),
            None => ("is left", String::new()),
        };
        Error::request(format!(
            "{tried} {what}{closest}; loosen the search space's constraints or widen its choices"
        ))
    }

    /// Whether anything that was tried could be built.
    pub fn built_any(&self) -> bool {
        self.made > 0 || self.least.as_ref().is_some_and(|(excess, _)| excess.is_finite())
    }

    /// Changes one gene after another, each time one that brings the candidate nearer to the constraints, until it keeps to them.
    pub fn led(&mut self, mut genome: Genome) -> Option<Made> {
        let mut excess = match self.make(&genome) {
            Tried::Made(made) => return Some(*made),
            Tried::Taken => return None,
            Tried::Breaks(excess) => excess,
        };
        loop {
            let mut best: Option<(f64, Genome)> = None;
            for neighbour in self.neighbours(&genome) {
                match self.make(&neighbour) {
                    Tried::Made(made) => return Some(*made),
                    Tried::Breaks(next) if next < best.as_ref().map_or(excess, |(least, _)| *least) => {
                        best = Some((next, neighbour));
                    }
                    Tried::Breaks(_) | Tried::Taken => {}
                }
            }
            (excess, genome) = best?;
        }
    }

    /// All genomes that differ in one gene, in an order by chance.
    pub fn neighbours(&mut self, genome: &[usize]) -> Vec<Genome> {
        let mut neighbours = Vec::new();
        for (gene, levels) in self.genes.iter().enumerate() {
            for level in (0..*levels).filter(|level| *level != genome[gene]) {
                let mut neighbour = genome.to_vec();
                neighbour[gene] = level;
                neighbours.push(neighbour);
            }
        }
        neighbours.shuffle(&mut self.rng);
        neighbours
    }

    /// A new candidate that differs from a genome in one gene; in more where all of these are taken, and by chance where
    /// nothing near is left.
    ///
    /// # Errors
    /// As [`random`](Self::random).
    pub fn mutated(&mut self, genome: &[usize]) -> Result<Option<Made>> {
        self.child(|breeder, attempt| {
            let mut child = genome.to_vec();
            for _ in 0..=attempt / 20 {
                breeder.change_one(&mut child);
            }
            child
        })
    }

    /// A new candidate that has each gene of one of its parents, by chance, and about one changed.
    ///
    /// # Errors
    /// As [`random`](Self::random).
    pub fn crossed(&mut self, mother: &[usize], father: &[usize]) -> Result<Option<Made>> {
        self.child(|breeder, attempt| {
            let mut child: Genome = mother
                .iter()
                .zip(father)
                .map(|(m, f)| if breeder.rng.random_bool(0.5) { *m } else { *f })
                .collect();
            let changes = breeder.rng.random_range(0..=2) + attempt / 50;
            for _ in 0..changes {
                breeder.change_one(&mut child);
            }
            child
        })
    }

    /// The first of some children that may be trained, else one led to the constraints, else one by chance.
    ///
    /// # Errors
    /// As [`random`](Self::random).
    pub fn child(&mut self, mut next: impl FnMut(&mut Self, usize) -> Genome) -> Result<Option<Made>> {
        let mut least: Option<(f64, Genome)> = None;
        for attempt in 0..CHILDREN {
            let child = next(self, attempt);
            match self.make(&child) {
                Tried::Made(made) => return Ok(Some(*made)),
                Tried::Breaks(excess) if least.as_ref().is_none_or(|(least, _)| excess < *least) => {
                    least = Some((excess, child));
                }
                Tried::Breaks(_) | Tried::Taken => {}
            }
        }
        match least.and_then(|(_, genome)| self.led(genome)) {
            Some(made) => Ok(Some(made)),
            None => self.random(),
        }
    }

    /// Another level for one gene.
    pub fn change_one(&mut self, genome: &mut Genome) {
        if self.genes.is_empty() {
            return;
        }
        let gene = self.rng.random_range(0..self.genes.len());
        let step = self.rng.random_range(1..self.genes[gene]);
        genome[gene] = (genome[gene] + step) % self.genes[gene];
    }
}
