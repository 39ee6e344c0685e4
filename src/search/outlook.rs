//! The front of a large population, and which of some guesses would widen it most.

use super::dominance::{self, Point};
use super::pareto::Staircase;
use super::sh_emoa::MARGIN;
use super::volume::hypervolume;

/// Members of a front of three and more values that are looked at: the least crowded.
const MOST: usize = 100;

/// What is known, as far as a front is widened against it.
#[derive(Debug)]
pub struct Outlook {
    /// Least and highest of each value.
    ranges: Vec<(f64, f64)>,
    front: Front,
}

#[derive(Debug)]
enum Front {
    Pairs(Staircase),
    Many(Vec<Vec<f64>>),
}

impl Outlook {
    /// Of points with so many values each.
    pub fn of(values: usize, known: Vec<Vec<f64>>) -> Self {
        let mut outlook =
            Self { ranges: vec![(f64::INFINITY, f64::NEG_INFINITY); values], front: Front::Many(Vec::new()) };
        known.iter().for_each(|point| outlook.widen_ranges(point));
        if values == 2 {
            let mut stairs = Staircase::default();
            for point in &known {
                stairs.add((point[0], point[1]));
            }
            outlook.front = Front::Pairs(stairs);
        } else {
            let points: Vec<Point> =
                known.into_iter().map(|values| Point { values, violation: 0.0 }).collect();
            let fronts = dominance::fronts(&points);
            let front: Vec<Point> =
                points.into_iter().zip(fronts).filter(|(_, front)| *front == 0).map(|(p, _)| p).collect();
            let best = dominance::ranking(&front).into_iter().take(MOST);
            outlook.front = Front::Many(best.map(|i| front[i].values.clone()).collect());
        }
        outlook
    }

    fn widen_ranges(&mut self, point: &[f64]) {
        for ((low, high), value) in self.ranges.iter_mut().zip(point) {
            (*low, *high) = (low.min(*value), high.max(*value));
        }
    }

    /// Takes a point that came since.
    pub fn add(&mut self, point: &[f64]) {
        self.widen_ranges(point);
        match &mut self.front {
            Front::Pairs(stairs) => {
                stairs.add((point[0], point[1]));
            }
            Front::Many(front) if !front.iter().any(|other| dominance::dominates(other, point)) => {
                front.retain(|other| !dominance::dominates(point, other));
                front.push(point.to_vec());
                // The one that came first of them makes room.
                if front.len() > MOST {
                    front.remove(0);
                }
            }
            Front::Many(_) => {}
        }
    }

    /// The first of the guesses that adds most to what the front dominates; `None` where none adds anything.
    pub fn widest(&self, guesses: &[Vec<f64>]) -> Option<usize> {
        let mut all = Self { ranges: self.ranges.clone(), front: Front::Many(Vec::new()) };
        guesses.iter().for_each(|guess| all.widen_ranges(guess));
        let far =
            |(low, high): &(f64, f64)| if high > low { high + MARGIN * (high - low) } else { high + 1.0 };
        let reference: Vec<f64> = all.ranges.iter().map(far).collect();
        let mut best = (None, 0.0);
        for (number, guess) in guesses.iter().enumerate() {
            let gain = self.gain(guess, &reference);
            if gain > best.1 {
                best = (Some(number), gain);
            }
        }
        best.0
    }

    fn gain(&self, guess: &[f64], reference: &[f64]) -> f64 {
        match &self.front {
            Front::Pairs(stairs) => stairs.gain((guess[0], guess[1]), (reference[0], reference[1])),
            // All that the guess dominates, less what the front has of that.
            Front::Many(front) => {
                let within = |point: &Vec<f64>| -> Vec<f64> {
                    point.iter().zip(guess).map(|(a, b)| a.max(*b)).collect()
                };
                let within: Vec<Vec<f64>> = front.iter().map(within).collect();
                let whole: f64 =
                    guess.iter().zip(reference).map(|(value, far)| (far - value).max(0.0)).product();
                whole - hypervolume(&within, reference)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// What a guess adds is the hypervolume with it less that without it.
    #[test]
    fn the_widest_is_what_hypervolumes_say() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        for values in [2, 3] {
            for _ in 0..50 {
                let mut draw = || -> Vec<f64> { (0..values).map(|_| rng.random_range(0.0..1.0)).collect() };
                let known: Vec<Vec<f64>> = (0..12).map(|_| draw()).collect();
                let guesses: Vec<Vec<f64>> = (0..5).map(|_| draw()).collect();
                let mut outlook = Outlook::of(values, known[..8].to_vec());
                known[8..].iter().for_each(|point| outlook.add(point));
                let all = || known.iter().chain(&guesses);
                let far: Vec<f64> = (0..values)
                    .map(|i| {
                        let high = all().map(|p| p[i]).fold(f64::NEG_INFINITY, f64::max);
                        high + 0.1 * (high - all().map(|p| p[i]).fold(f64::INFINITY, f64::min))
                    })
                    .collect();
                let with = |guess: &Vec<f64>| {
                    hypervolume(&[known.clone(), vec![guess.clone()]].concat(), &far)
                        - hypervolume(&known, &far)
                };
                let gains: Vec<f64> = guesses.iter().map(with).collect();
                let most = gains.iter().copied().fold(0.0, f64::max);
                match outlook.widest(&guesses) {
                    Some(found) => assert!((gains[found] - most).abs() < 1e-9, "{gains:?} {found}"),
                    None => assert!(most < 1e-9, "{gains:?}"),
                }
            }
        }
    }
}
