//! The choices of a space that lead to one network: what a search trains once counts for all of them.
//!
//! A space that can be listed is: what is said of it is exact. Of a larger one, each network that is asked about is looked at with
//! one factor changed, then each spelling of it that this gives, and so on: every spelling that is found is one, and all are
//! found that can be reached by changes of one factor each, up to 64.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::arch::{Shape, build};
use crate::space::{Choices, Genome, Merged, SearchSpace};

/// Candidates of a space that is listed.
pub const LISTED: u128 = 20_000;
/// Spellings of one network that are looked for in a larger space.
const MOST: usize = 64;
/// Candidates by which it is learned which factors of a larger space coincide at all, where there is no time to try all of
/// them with each candidate.
const PROBED: usize = 128;

/// Finds the spellings of networks.
#[derive(Debug)]
pub struct Spellings {
    space: Arc<SearchSpace>,
    images: (Shape, usize),
    found: Found,
}

#[derive(Debug)]
enum Found {
    /// Every candidate that is not the only one of its network, by what the network is known by.
    Listed(HashMap<String, Vec<u128>>),
    /// The genes that are varied.
    Varied(Vec<usize>),
}

impl Spellings {
    /// Of a space for such images. Where a candidate takes longer than looking for its spellings (`thorough`), each factor of a
    /// large space is tried with each of them; else those that were seen to coincide with some.
    pub fn new(space: Arc<SearchSpace>, images: (Shape, usize), thorough: bool) -> Self {
        let found = if space.size() <= LISTED {
            Found::Listed(listed(&space, images))
        } else {
            Found::Varied((0..space.genes().len()).collect())
        };
        let mut spellings = Self { space, images, found };
        if let (Found::Varied(genes), false) = (&spellings.found, thorough) {
            let genes = spellings.seen_to_coincide(genes);
            spellings.found = Found::Varied(genes);
        }
        spellings
    }

    /// All the choices that lead to the network of a genome, given what it is known by; `None` where there are no others.
    pub fn of(&self, genome: &[usize], hash: &str) -> Option<Merged> {
        match &self.found {
            Found::Listed(listed) => {
                let choices = |index: &u128| Some(self.space.get(*index)?.choices);
                Merged::of(&listed.get(hash)?.iter().filter_map(choices).collect::<Vec<_>>())
            }
            Found::Varied(genes) => {
                let all = self.spread(genes, genome, hash);
                Merged::of(&all.into_iter().map(|(choices, _)| choices).collect::<Vec<_>>())
            }
        }
    }

    /// The spellings that are reached from one by changing one gene after another.
    fn spread(&self, genes: &[usize], genome: &[usize], hash: &str) -> Vec<(Choices, Genome)> {
        let levels = self.space.genes();
        let Some((first, choices)) = self.space.make(genome) else { return Vec::new() };
        let mut texts = HashSet::from([first.text()]);
        let mut all = vec![(choices, genome.to_vec())];
        let mut waiting = VecDeque::from([genome.to_vec()]);
        while let Some(genome) = waiting.pop_front() {
            for &gene in genes {
                for level in (0..levels[gene]).filter(|level| *level != genome[gene]) {
                    let mut other = genome.clone();
                    other[gene] = level;
                    let Some((candidate, choices)) = self.space.make(&other) else { continue };
                    // Its text tells of a factor without effect that nothing has changed.
                    if all.len() == MOST || !texts.insert(candidate.text()) {
                        continue;
                    }
                    let (input, classes) = self.images;
                    if build::network(&candidate, input, classes).is_ok_and(|other| other.hash() == hash) {
                        all.push((choices, other.clone()));
                        waiting.push_back(other);
                    }
                }
            }
        }
        all
    }

    /// The genes that coincide with some of a sample of candidates.
    fn seen_to_coincide(&self, genes: &[usize]) -> Vec<usize> {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let drawn: Vec<u128> =
            (0..PROBED).filter_map(|_| self.space.sample(&mut rng).map(|drawn| drawn.index)).collect();
        let coincide = |index: u128| -> HashSet<usize> {
            let (input, classes) = self.images;
            let built = || {
                let genome = self.space.genome(index)?;
                let (candidate, _) = self.space.make(&genome)?;
                Some((build::network(&candidate, input, classes).ok()?.hash(), genome))
            };
            let Some((hash, genome)) = built() else { return HashSet::new() };
            let all = self.spread(genes, &genome, &hash);
            let differs = |gene: &usize| all.iter().any(|(_, other)| other[*gene] != genome[*gene]);
            genes.iter().copied().filter(differs).collect()
        };
        let seen: Vec<HashSet<usize>> = drawn.into_par_iter().map(coincide).collect();
        genes.iter().copied().filter(|gene| seen.iter().any(|seen| seen.contains(gene))).collect()
    }
}

/// What each of these candidates of a space is known by, where it can be built, in their order.
pub fn hashes(
    space: &SearchSpace,
    numbers: &[u128],
    (input, classes): (Shape, usize),
) -> Vec<(u128, String)> {
    let hash = |number: &u128| {
        let network = build::network(&space.get(*number)?.candidate, input, classes).ok()?;
        Some((*number, network.hash()))
    };
    numbers.par_iter().filter_map(hash).collect()
}

/// What every candidate of a space is known by.
pub fn all(space: &SearchSpace, images: (Shape, usize)) -> Vec<(u128, String)> {
    hashes(space, &(0..space.size()).collect::<Vec<_>>(), images)
}

fn listed(space: &SearchSpace, images: (Shape, usize)) -> HashMap<String, Vec<u128>> {
    let mut listed: HashMap<String, Vec<u128>> = HashMap::new();
    for (index, hash) in all(space, images) {
        listed.entry(hash).or_default().push(index);
    }
    listed.retain(|_, same| same.len() > 1);
    listed
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The space of the issue: 16 hidden channels squeeze to 8 at each of the ratios, 48 to 8, 16 and 24 (torchvision's
    /// rounding, by hand).
    const SPACE: &str = "name: t\ninput: 3x32x32\nclasses: 10\nstem: {channels: 8}\nhead: none\n\
        stages: [{block: ir, expand: [2, 6], se: [0.125, 0.25, 0.5], channels: 8}]\n";

    fn merged(space: &str, index: u128, listed: bool) -> Option<Merged> {
        let space = Arc::new(SearchSpace::parse("s.yaml", space).unwrap());
        let images = (Shape::new(3, 32, 32), 10);
        let genome = space.genome(index).unwrap();
        let network = build::network(&space.make(&genome).unwrap().0, images.0, images.1).unwrap();
        let mut spellings = Spellings::new(Arc::clone(&space), images, true);
        if !listed {
            let genes = spellings.seen_to_coincide(&[0, 1]);
            assert_eq!(genes, [1], "only the squeeze coincides");
            spellings.found = Found::Varied(genes);
        }
        spellings.of(&genome, &network.hash())
    }

    #[test]
    fn a_network_has_every_level_that_leads_to_it() {
        let level =
            |factor: &str, level: &str, count| (format!("stages[0].{factor}"), level.to_owned(), count);
        for listed in [true, false] {
            let found = merged(SPACE, 1, listed).expect("three choices are one network");
            assert_eq!(found.spellings, 3);
            let mut levels = found.levels.clone();
            levels.sort();
            let expected = [
                level("expand", "2", 3),
                level("se", "0.125", 1),
                level("se", "0.25", 1),
                level("se", "0.5", 1),
            ];
            assert_eq!(levels, expected);
            assert_eq!(merged(SPACE, 4, listed), None, "with 48 hidden channels all differ");
        }
    }
}
