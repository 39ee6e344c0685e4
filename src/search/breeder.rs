//! New candidates for every strategy: distinct, buildable, within the constraints.
//!
//! Strategies say which genome they would like; whether it may be trained is decided here. Where chance finds nothing that
//! keeps to the constraints, candidates are led towards them, one change after another.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::made::{Costs, Judge, Judged, Made, Proposal, Tried};
use super::netadapt::Adapted;
use super::shuffle::Shuffle;
use crate::error::{Error, Result};
use crate::space::{Candidate, Choices, Genome, SearchSpace};

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
/// Candidates that are remembered for when they are wanted after all, and genomes of what may not be trained.
const SPARE: usize = 4096;
const BROKEN: usize = 1 << 16;

/// Makes candidates of a space, each once.
pub struct Breeder {
    space: Arc<SearchSpace>,
    genes: Vec<usize>,
    judge: Judge,
    shuffle: Shuffle,
    rng: ChaCha8Rng,
    taken: HashSet<String>,
    /// The network that a genome makes, of those that were taken when it was tried, by its hash.
    genomes: HashMap<Genome, String>,
    /// Some genomes of candidates that were made and not wanted, so that they need not be judged again.
    spare: HashMap<Genome, (Costs, String)>,
    /// Some genomes that break the constraints, and by how much, so that they need not be judged again either.
    broken: HashMap<Genome, f64>,
    rest: Rest,
    /// Whether anything was ever made and not wanted.
    was_put_back: bool,
    made: u64,
    rejected: u64,
    /// Whether it was looked at all whether anything can keep to the constraints.
    looked: bool,
    /// Of those that break the constraints the one that does so least, and its reason; before it the first that is no network.
    least: Option<(f64, String)>,
}

/// Where all of the space was drawn, what is new is looked for from its first candidate to its last: that which was drawn,
/// and not wanted then.
#[derive(Debug, Default)]
struct Rest {
    /// All before this number is taken, or may not be trained, or was put back.
    next: u128,
    /// Numbers of candidates that were found here.
    found: HashMap<String, u128>,
    put_back: BTreeSet<u128>,
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
            genomes: HashMap::new(),
            spare: HashMap::new(),
            broken: HashMap::new(),
            rest: Rest::default(),
            was_put_back: false,
            made: 0,
            rejected: 0,
            looked: false,
            least: None,
        }
    }

    /// Makes none of these networks, which are trained already, by their hashes.
    pub fn leave_out(&mut self, networks: HashSet<String>) {
        self.taken.extend(networks);
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
        if self.genomes.get(genome).is_some_and(|hash| self.taken.contains(hash)) {
            return Tried::Taken;
        }
        if let Some(excess) = self.broken.get(genome) {
            self.rejected += 1;
            return Tried::Breaks(*excess);
        }
        let Some((candidate, choices)) = self.space.make(genome) else {
            return Tried::Breaks(f64::INFINITY);
        };
        let judged = match self.spare.remove(genome) {
            Some((costs, hash)) => Judged::Fits(costs, hash),
            None => (self.judge)(&candidate),
        };
        let tried = self.judged(genome, (candidate, choices), judged, None);
        if let Tried::Breaks(excess) = tried {
            if self.broken.len() >= BROKEN {
                self.broken.clear();
            }
            self.broken.insert(genome.to_vec(), excess);
        }
        tried
    }

    /// Where the search stands after it has proposed the candidate of a genome.
    pub fn proposal(&self, genome: &[usize]) -> Proposal {
        // A stream of 2^64 words is longer than any search.
        let words = u64::try_from(self.rng.get_word_pos()).unwrap_or(u64::MAX);
        Proposal { genome: genome.to_vec(), words, draws: self.shuffle.drawn() }
    }

    /// The candidate that was proposed before, with all as it stood after that; `None` where the space makes no such candidate
    /// any more.
    pub fn recall(&mut self, proposal: &Proposal) -> Option<Made> {
        let Tried::Made(made) = self.make(&proposal.genome) else { return None };
        self.shuffle.go_on_to(proposal.draws);
        self.rng.set_word_pos(proposal.words.into());
        self.was_put_back = true;
        Some(*made)
    }

    /// A candidate that is not of the space, where it is new and may be trained.
    pub fn offer(&mut self, candidate: Candidate, choices: Choices, adapted: Option<Adapted>) -> Tried {
        let judged = (self.judge)(&candidate);
        self.judged(&[], (candidate, choices), judged, adapted)
    }

    /// What a candidate costs, where it may be trained; it is not taken by that.
    pub fn price(&mut self, candidate: &Candidate) -> Option<Costs> {
        match (self.judge)(candidate) {
            Judged::Fits(costs, _) => Some(costs),
            Judged::Breaks { .. } | Judged::NoNetwork { .. } => None,
        }
    }

    /// Why a candidate may not be trained, where it may not.
    pub fn why_not(&mut self, candidate: &Candidate) -> Option<String> {
        match (self.judge)(candidate) {
            Judged::Breaks { reason, .. } | Judged::NoNetwork { reason } => Some(reason),
            Judged::Fits(..) => None,
        }
    }

    fn judged(
        &mut self,
        genome: &[usize],
        (candidate, choices): (Candidate, Choices),
        judged: Judged,
        adapted: Option<Adapted>,
    ) -> Tried {
        match judged {
            Judged::Fits(_, hash) if self.taken.contains(&hash) => {
                self.genomes.insert(genome.to_vec(), hash);
                Tried::Taken
            }
            Judged::Fits(costs, hash) => {
                let (genome, adapted) = (genome.to_vec(), adapted.map(Box::new));
                let made =
                    Made { genome, candidate, choices, merged: None, hash, costs, adapted, proposal: None };
                Tried::Made(Box::new(self.take(made)))
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
        self.taken.insert(made.hash.clone());
        self.genomes.insert(made.genome.clone(), made.hash.clone());
        self.made += 1;
        made
    }

    /// Takes back a candidate that is not to be trained now: all is as though it had never been made.
    pub fn put_back(&mut self, made: Made) {
        self.taken.remove(&made.hash);
        self.genomes.remove(&made.genome);
        self.made -= 1;
        self.was_put_back = true;
        self.rest.put_back.extend(self.rest.found.remove(&made.hash));
        if self.spare.len() >= SPARE {
            self.spare.clear();
        }
        self.spare.insert(made.genome, (made.costs, made.hash));
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

    /// Nothing new is drawn: what was, and was not wanted then, is left.
    fn exhausted(&mut self) -> Result<Option<Made>> {
        while self.was_put_back && self.shuffle.is_over() {
            let next = self.rest.put_back.pop_first().or_else(|| {
                let next = self.rest.next;
                self.rest.next += 1;
                (next < self.space.size()).then_some(next)
            });
            let Some(next) = next else { break };
            if let Some(made) = self.numbered(next) {
                self.rest.found.insert(made.hash.clone(), next);
                return Ok(Some(made));
            }
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
}
