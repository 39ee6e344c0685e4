//! What a search had found after so much training, and whether that is more than chance finds for the same.

use std::collections::{BTreeMap, HashMap};

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::front::Cost;
use super::hypervolume::hypervolume;
use crate::search::pareto::Staircase;
use crate::study::event::{Event, Record};

/// A candidate once all that was begun of it is trained.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Known {
    cost: f64,
    /// Mean validation accuracy over its finished trials, percent.
    accuracy: f64,
    /// Spent on the whole study by then.
    epochs: usize,
    seconds: f64,
}

impl Known {
    fn is_within(&self, spent: Spent, most: f64) -> bool {
        match spent {
            Spent::Epochs => self.epochs as f64 <= most,
            Spent::Seconds => self.seconds <= most,
        }
    }
}

/// The candidates of a search in the order in which they became known.
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    known: Vec<Known>,
    /// Spent in all: epochs, and seconds of training summed over trials.
    pub epochs: usize,
    pub seconds: f64,
}

/// What was found by some point.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Standing {
    pub hypervolume: f64,
    /// Highest mean validation accuracy, percent; `None` where nothing is known yet.
    pub accuracy: Option<f64>,
    pub candidates: usize,
}

/// What is counted along the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Spent {
    Epochs,
    Seconds,
}

/// Two searches at the same cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Against {
    pub search: Standing,
    pub random: Standing,
    /// Epochs that both spent at least: what they are compared at.
    pub epochs: usize,
    /// How often a division by chance of all candidates among the two gives a difference of hypervolumes as large.
    pub p: f64,
}

/// Divisions by chance for [`Against::p`].
const DIVISIONS: usize = 2000;

impl Course {
    /// That of the searched candidates of a journal; variants are no find of the search, and do not count. An epoch that was run
    /// again after a kill counts once.
    pub fn of(records: &[Record], cost: Cost) -> Self {
        let mut trials: HashMap<usize, (String, f64)> = HashMap::new();
        let mut trained: HashMap<usize, usize> = HashMap::new();
        let mut accuracies: HashMap<String, BTreeMap<usize, f64>> = HashMap::new();
        let mut course = Self { known: Vec::new(), epochs: 0, seconds: 0.0 };
        let mut places: HashMap<String, usize> = HashMap::new();
        let whole = records.iter().rev().find_map(|record| match &record.event {
            Event::StudyStarted { experiment, .. } | Event::StudyExtended { experiment, .. } => {
                Some(experiment.train.epochs)
            }
            _ => None,
        });
        for record in records {
            match &record.event {
                Event::TrialQueued { trial, candidate, .. } if !candidate.is_variant => {
                    trials.insert(*trial, (candidate.hash.clone(), cost.of(candidate) as f64));
                }
                Event::EpochFinished { trial, epoch } if trials.contains_key(trial) => {
                    let reached = trained.entry(*trial).or_default();
                    if epoch.epoch > *reached {
                        *reached = epoch.epoch;
                        course.epochs += 1;
                        course.seconds += epoch.seconds;
                    }
                }
                Event::TrialFinished { trial, result } if Some(result.epochs) == whole => {
                    let Some((hash, cost)) = trials.get(trial) else { continue };
                    let of_it = accuracies.entry(hash.clone()).or_default();
                    of_it.insert(*trial, result.validation.accuracy);
                    let accuracy = of_it.values().sum::<f64>() / of_it.len() as f64;
                    let known =
                        Known { cost: *cost, accuracy, epochs: course.epochs, seconds: course.seconds };
                    // It counts from its last seed on.
                    if let Some(place) = places.get(hash) {
                        course.known[*place].accuracy = f64::NAN;
                    }
                    places.insert(hash.clone(), course.known.len());
                    course.known.push(known);
                }
                _ => {}
            }
        }
        course.known.retain(|known| known.accuracy.is_finite());
        course
    }

    /// Candidates that were trained for all epochs.
    pub fn candidates(&self) -> usize {
        self.known.len()
    }

    /// What was found by the time that so much was spent; `reference` is the cost and the accuracy that all must be better than.
    pub fn at(&self, spent: Spent, most: f64, reference: (f64, f64)) -> Standing {
        standing(self.known.iter().filter(|known| known.is_within(spent, most)), reference)
    }

    /// What was found by each of some points along the way, which rise: in one pass.
    pub fn along(&self, spent: Spent, points: &[f64], reference: (f64, f64)) -> Vec<Standing> {
        let mut known = self.known.iter().peekable();
        let (mut front, mut best, mut candidates) = (Staircase::default(), f64::NEG_INFINITY, 0);
        let mut standing = |most: &f64| {
            while let Some(known) = known.next_if(|known| known.is_within(spent, *most)) {
                front.add((known.cost, -known.accuracy));
                best = best.max(known.accuracy);
                candidates += 1;
            }
            Standing {
                hypervolume: front.area((reference.0, -reference.1)),
                accuracy: best.is_finite().then_some(best),
                candidates,
            }
        };
        points.iter().map(&mut standing).collect()
    }

    /// A tenth above the highest cost of two courses, and `chance` in percent.
    pub fn reference(&self, other: &Self, chance: f64) -> (f64, f64) {
        let highest = self.known.iter().chain(&other.known).map(|known| known.cost).fold(0.0, f64::max);
        (1.1 * highest, chance)
    }
}

impl Against {
    /// A search against random search, after the epochs that both have spent. Candidates are divided anew among the two, with
    /// as many for each as they have, by a permutation test: were the search no better than chance at choosing candidates,
    /// every division would be as likely as the real one. `None` where either has no candidate.
    pub fn of(search: &Course, random: &Course, reference: (f64, f64)) -> Option<Self> {
        let epochs = search.epochs.min(random.epochs);
        let within = |course: &Course| -> Vec<Known> {
            course.known.iter().filter(|known| known.epochs <= epochs).copied().collect()
        };
        let (ours, theirs) = (within(search), within(random));
        if ours.is_empty() || theirs.is_empty() {
            return None;
        }
        let search = standing(ours.iter(), reference);
        let random = standing(theirs.iter(), reference);
        let difference = (search.hypervolume - random.hypervolume).abs();
        let divided = Divided::new(ours.iter().chain(&theirs), reference);
        let mut all = divided.places.clone();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut as_large = 0_usize;
        let mut is_first = vec![false; all.len()];
        for _ in 0..DIVISIONS {
            all.shuffle(&mut rng);
            let (first, second) = all.split_at(ours.len());
            first.iter().for_each(|place| is_first[*place as usize] = true);
            second.iter().for_each(|place| is_first[*place as usize] = false);
            let [first, second] = divided.hypervolumes(&is_first);
            as_large += usize::from((first - second).abs() >= difference);
        }
        // The real division is one of those that might have been.
        let p = (as_large + 1) as f64 / (DIVISIONS + 1) as f64;
        Some(Self { search, random, epochs, p })
    }

    /// Whether the difference may well be chance, at 5 %.
    pub fn is_chance(&self) -> bool {
        self.p >= 0.05
    }
}

/// Points that are divided again and again: sorted once, so that a division costs as much as there are points.
struct Divided {
    /// Place of each point among the sorted.
    places: Vec<u32>,
    /// Cost, and accuracy turned round, by falling accuracy.
    sorted: Vec<(f64, f64)>,
    reference: (f64, f64),
}

impl Divided {
    fn new<'a>(known: impl Iterator<Item = &'a Known>, (cost, accuracy): (f64, f64)) -> Self {
        let points: Vec<(f64, f64)> = known.map(|known| (known.cost, -known.accuracy)).collect();
        let mut order: Vec<u32> = (0..).take(points.len()).collect();
        order.sort_by(|a, b| points[*a as usize].1.total_cmp(&points[*b as usize].1));
        let mut places = vec![0; points.len()];
        (0..).zip(&order).for_each(|(place, i)| places[*i as usize] = place);
        let sorted = order.iter().map(|i| points[*i as usize]).collect();
        Self { places, sorted, reference: (cost, -accuracy) }
    }

    /// The hypervolumes of the first and the second part, to the bit as each alone has it.
    fn hypervolumes(&self, is_first: &[bool]) -> [f64; 2] {
        #[derive(Clone, Copy)]
        struct Part {
            area: f64,
            least: f64,
            from: f64,
        }
        impl Part {
            fn up_to(&mut self, end: f64, most: f64) {
                if end > self.from {
                    self.area += (end - self.from) * (most - self.least);
                }
                self.from = end;
            }
        }
        let (most, end) = self.reference;
        // From where nothing is known there is no slice to the first point.
        let mut parts = [Part { area: 0.0, least: f64::INFINITY, from: f64::INFINITY }; 2];
        for ((cost, value), is_first) in self.sorted.iter().zip(is_first) {
            if *cost < most && *value < end {
                let part = &mut parts[usize::from(!is_first)];
                part.up_to(*value, most);
                part.least = part.least.min(*cost);
            }
        }
        parts.map(|mut part| {
            part.up_to(end, most);
            part.area
        })
    }
}

fn standing<'a>(known: impl Iterator<Item = &'a Known> + Clone, reference: (f64, f64)) -> Standing {
    let points: Vec<(f64, f64)> = known.map(|known| (known.cost, known.accuracy)).collect();
    let best = points.iter().map(|point| point.1).fold(f64::NEG_INFINITY, f64::max);
    Standing {
        hypervolume: hypervolume(&points, reference),
        accuracy: best.is_finite().then_some(best),
        candidates: points.len(),
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;

    fn course(points: &[(f64, f64)]) -> Course {
        let known = points.iter().enumerate().map(|(i, (cost, accuracy))| Known {
            cost: *cost,
            accuracy: *accuracy,
            epochs: 2 * (i + 1),
            seconds: 0.5 * (i + 1) as f64,
        });
        Course { known: known.collect(), epochs: 2 * points.len(), seconds: 0.5 * points.len() as f64 }
    }

    #[test]
    fn what_is_found_grows_with_what_is_spent() {
        let course = course(&[(5.0, 50.0), (9.0, 40.0), (2.0, 30.0)]);
        let at = |spent, most| course.at(spent, most, (10.0, 10.0));
        assert_eq!(at(Spent::Epochs, 1.0), Standing { hypervolume: 0.0, accuracy: None, candidates: 0 });
        // (10 - 5) * (50 - 10); then (5 - 2) * (30 - 10) more.
        assert_eq!(
            at(Spent::Epochs, 5.0),
            Standing { hypervolume: 200.0, accuracy: Some(50.0), candidates: 2 }
        );
        assert_eq!(at(Spent::Seconds, 1.5).hypervolume, 260.0);
    }

    /// What is computed in one pass is what each point gives alone; divisions are what two standings are, to the bit.
    #[test]
    fn one_pass_is_as_many() {
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        for _ in 0..40 {
            let mut draw = |most: u32| f64::from(rng.random_range(0..most)) / 7.0;
            let points: Vec<(f64, f64)> = (0..40).map(|_| (draw(60), draw(300))).collect();
            let (course, reference) = (course(&points), (7.5, 5.0));
            let budgets: Vec<f64> = (0..12).map(|i| f64::from(i) * 7.3).collect();
            for (found, most) in course.along(Spent::Epochs, &budgets, reference).iter().zip(&budgets) {
                let alone = course.at(Spent::Epochs, *most, reference);
                assert!((found.hypervolume - alone.hypervolume).abs() < 1e-9, "{found:?} {alone:?}");
                assert_eq!((found.accuracy, found.candidates), (alone.accuracy, alone.candidates));
            }
            let divided = Divided::new(course.known.iter(), reference);
            let mut is_first = vec![false; 40];
            let (mut first, mut second) = (Vec::new(), Vec::new());
            for (known, place) in course.known.iter().zip(&divided.places) {
                is_first[*place as usize] = draw(2) > 0.1;
                if is_first[*place as usize] { first.push(*known) } else { second.push(*known) }
            }
            let of = |known: &[Known]| standing(known.iter(), reference).hypervolume.to_bits();
            let [a, b] = divided.hypervolumes(&is_first);
            assert_eq!([a.to_bits(), b.to_bits()], [of(&first), of(&second)]);
        }
    }

    #[test]
    fn chance_is_told_from_a_find() {
        // The same numbers in two orders: whatever the division, nothing is to be found.
        let spread = |shift: f64| -> Vec<(f64, f64)> {
            (0..30)
                .map(|i| (10.0 + f64::from(i * 7 % 30), 40.0 + shift + f64::from(i * 11 % 30) / 10.0))
                .collect()
        };
        let (random, alike, better) = (course(&spread(0.0)), course(&spread(0.01)), course(&spread(15.0)));
        let against = |course: &Course| Against::of(course, &random, (50.0, 10.0)).unwrap();
        assert!(against(&alike).is_chance(), "{:?}", against(&alike));
        assert!(!against(&better).is_chance(), "{:?}", against(&better));
        assert!(Against::of(&better, &course(&[]), (50.0, 10.0)).is_none());
        // At the cost of the cheaper one.
        let short = Against::of(&course(&spread(0.0)[..4]), &random, (50.0, 10.0)).unwrap();
        assert_eq!((short.epochs, short.random.candidates), (8, 4));
    }

    /// A journal of two seeds: a candidate counts once, from its last trial on, and what is run again counts once.
    #[test]
    fn a_journal_is_counted() {
        let mut records = crate::report::synthetic::search(12, 3).records();
        let once = Course::of(&records, Cost::Params);
        assert!(once.candidates() > 1);
        let again: Vec<Record> = (records.iter())
            .flat_map(|record| match record.event {
                Event::EpochFinished { .. } => vec![record.clone(), record.clone()],
                _ => vec![record.clone()],
            })
            .collect();
        assert_eq!(Course::of(&again, Cost::Params), once);
        let hashes: std::collections::HashSet<String> = (records.iter())
            .filter_map(|record| match &record.event {
                Event::TrialQueued { candidate, .. } if !candidate.is_variant => Some(candidate.hash.clone()),
                _ => None,
            })
            .collect();
        assert_eq!(once.candidates(), hashes.len());
        records.retain(|record| !matches!(record.event, Event::TrialFinished { .. }));
        assert_eq!(Course::of(&records, Cost::Params).candidates(), 0);
    }
}
