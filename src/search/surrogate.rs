//! What a candidate will come to, guessed from those that were trained: a linear model of its choices and costs.

use std::collections::HashMap;

use super::made::Made;
use super::standing::{EXACT, is_due};

/// Weight of the penalty on every coefficient, in candidates: what was seen once moves a guess little.
const PENALTY: f64 = 1.0;
/// How much of what the model cannot explain of a candidate is taken for the candidate's own, and not for chance.
const OWN: f64 = 0.25;
/// Outcomes of one rung that its mean and spread can be taken of.
const FEW: usize = 3;

/// Ridge regression of one measured value over one-hot levels of choices and the logarithms of costs.
///
/// Values of each rung are put on one scale (mean 0, spread 1), and each rung has a mean of its own in the model, since who
/// reaches a higher rung was chosen. Fewer epochs count less: by the square root of their share of a whole training.
///
/// Up to [`EXACT`] candidates it is fitted to all outcomes; beyond, each time there [are enough more](is_due), and what comes in between is
/// explained by what was fitted last.
#[derive(Debug)]
pub struct Surrogate {
    /// Epochs of a whole training.
    whole: usize,
    columns: HashMap<(String, String), usize>,
    places: HashMap<String, usize>,
    seen: Vec<Seen>,
    /// Outcomes that were heard of, and how many those were that it was fitted to last, where that is put off.
    heard: usize,
    fitted_to: usize,
    fitted: Option<Fitted>,
}

/// A candidate with its outcomes: the epochs after which, and the value.
#[derive(Debug)]
struct Seen {
    levels: Vec<usize>,
    costs: [f64; 3],
    outcomes: Vec<(usize, f64)>,
}

#[derive(Debug)]
struct Fitted {
    /// Of the levels' columns, then the costs.
    coefficients: Vec<f64>,
    /// Mean and spread of the costs' logarithms.
    scales: [(f64, f64); 3],
    /// What each candidate seen has of its own next to what its choices explain.
    own: Vec<f64>,
    rungs: Vec<Scale>,
}

/// How outcomes of a rung are put on the one scale, and the rung's own mean there.
#[derive(Debug)]
struct Scale {
    epochs: usize,
    mean: f64,
    spread: f64,
    coefficient: f64,
}

/// A row of the regression: the columns that are not zero, the value, its weight, whose it is and its rung.
struct Row {
    of: usize,
    rung: usize,
    value: f64,
    weight: f64,
}

impl Surrogate {
    /// For candidates whose whole training has so many epochs.
    pub fn new(whole: usize) -> Self {
        Self {
            whole: whole.max(1),
            columns: HashMap::new(),
            places: HashMap::new(),
            seen: Vec::new(),
            heard: 0,
            fitted_to: 0,
            fitted: None,
        }
    }

    /// Takes what became of a candidate after so many epochs; a value that is no number teaches nothing.
    pub fn hear(&mut self, made: &Made, epochs: usize, value: f64) {
        if !value.is_finite() {
            return;
        }
        let place = match self.places.get(&made.hash) {
            Some(place) => *place,
            None => {
                let next = self.columns.len();
                let mut levels = Vec::new();
                for choice in &made.choices {
                    let new = next.max(self.columns.len());
                    levels.push(*self.columns.entry(choice.clone()).or_insert(new));
                }
                self.places.insert(made.hash.clone(), self.seen.len());
                self.seen.push(Seen { levels, costs: logarithms(made), outcomes: Vec::new() });
                self.seen.len() - 1
            }
        };
        self.seen[place].outcomes.push((epochs, value));
        self.heard += 1;
        if self.seen.len() <= EXACT {
            self.fitted = None;
        } else if is_due(self.heard, self.fitted_to) {
            (self.fitted, self.fitted_to) = (self.fit(), self.heard);
        } else if let Some(fitted) = &mut self.fitted {
            fitted.hear(place, &self.seen[place], weight(epochs, self.whole), (epochs, value));
        }
    }

    /// The value that a candidate will have, in spreads from the mean; `None` while too little is known.
    pub fn guess(&mut self, made: &Made) -> Option<f64> {
        let place = self.places.get(&made.hash).copied();
        let levels = made.choices.iter().filter_map(|choice| self.columns.get(choice).copied()).collect();
        let unseen = Seen { levels, costs: logarithms(made), outcomes: Vec::new() };
        let fitted = self.fitted()?;
        let own = place.map_or(0.0, |place| fitted.own_of(place));
        Some(fitted.explained(&unseen) + own)
    }

    /// As [`guess`](Self::guess), of a candidate that was heard of.
    pub fn belief(&mut self, hash: &str) -> Option<f64> {
        let place = *self.places.get(hash)?;
        self.fitted()?;
        let fitted = self.fitted.as_ref()?;
        Some(fitted.explained(&self.seen[place]) + fitted.own_of(place))
    }

    fn fitted(&mut self) -> Option<&Fitted> {
        if self.fitted.is_none() && self.seen.len() <= EXACT {
            self.fitted = self.fit();
        }
        self.fitted.as_ref()
    }

    fn fit(&self) -> Option<Fitted> {
        let (rows, mut rungs) = self.rows();
        if rows.is_empty() {
            return None;
        }
        let scales = self.scales();
        let levels = self.columns.len();
        let columns = levels + scales.len() + rungs.len();
        let fill = |row: &Row, features: &mut Vec<(usize, f64)>| {
            let seen = &self.seen[row.of];
            features.clear();
            features.extend(seen.levels.iter().map(|column| (*column, 1.0)));
            features.extend((levels..).zip(scaled(seen, &scales)));
            features.push((levels + scales.len() + row.rung, 1.0));
        };
        let mut features = Vec::new();
        // (X'WX + penalty) b = X'Wy.
        let mut matrix = vec![vec![0.0; columns]; columns];
        let mut right = vec![0.0; columns];
        for row in &rows {
            fill(row, &mut features);
            for (i, a) in &features {
                right[*i] += row.weight * a * row.value;
                let line = &mut matrix[*i];
                for (j, b) in &features {
                    line[*j] += row.weight * a * b;
                }
            }
        }
        for (i, line) in matrix.iter_mut().enumerate() {
            // The means of the rungs are free.
            line[i] += if i < levels + scales.len() { PENALTY } else { 1e-6 };
        }
        let mut coefficients = solve(matrix, right)?;
        let mut own = vec![0.0; self.seen.len()];
        for row in &rows {
            fill(row, &mut features);
            let explained: f64 = features.iter().map(|(i, a)| coefficients[*i] * a).sum();
            // The last is that of most epochs.
            own[row.of] = OWN * row.weight * (row.value - explained);
        }
        let of_rungs = coefficients.split_off(levels + scales.len());
        rungs.iter_mut().zip(of_rungs).for_each(|(rung, coefficient)| rung.coefficient = coefficient);
        Some(Fitted { coefficients, scales, own, rungs })
    }

    /// All outcomes on one scale, by rising epochs, and the rungs they are of.
    fn rows(&self) -> (Vec<Row>, Vec<Scale>) {
        let outcomes = || self.seen.iter().flat_map(|seen| &seen.outcomes);
        let mut rungs: Vec<usize> = outcomes().map(|(epochs, _)| *epochs).collect();
        rungs.sort_unstable();
        rungs.dedup();
        let mut rows = Vec::new();
        let mut used = Vec::new();
        for epochs in rungs {
            let of_rung: Vec<(usize, f64)> = (self.seen.iter().enumerate())
                .flat_map(|(of, seen)| seen.outcomes.iter().map(move |outcome| (of, outcome)))
                .filter(|(_, (after, _))| *after == epochs)
                .map(|(of, (_, value))| (of, *value))
                .collect();
            let values: Vec<f64> = of_rung.iter().map(|(_, value)| *value).collect();
            let (mean, spread) = mean_and_spread(&values);
            if values.len() < FEW || spread <= 0.0 {
                continue;
            }
            let weight = weight(epochs, self.whole);
            rows.extend(of_rung.into_iter().map(|(of, value)| Row {
                of,
                rung: used.len(),
                value: (value - mean) / spread,
                weight,
            }));
            used.push(Scale { epochs, mean, spread, coefficient: 0.0 });
        }
        (rows, used)
    }

    fn scales(&self) -> [(f64, f64); 3] {
        std::array::from_fn(|cost| {
            let values: Vec<f64> = self.seen.iter().map(|seen| seen.costs[cost]).collect();
            mean_and_spread(&values)
        })
    }
}

impl Fitted {
    /// What choices and costs explain; a level that was not seen before the fit explains nothing.
    fn explained(&self, seen: &Seen) -> f64 {
        let levels = self.coefficients.len() - self.scales.len();
        let of_level = |column: &usize| self.coefficients[..levels].get(*column);
        let of_levels: f64 = seen.levels.iter().filter_map(of_level).sum();
        let of_costs = scaled(seen, &self.scales).zip(&self.coefficients[levels..]);
        of_levels + of_costs.map(|(cost, coefficient)| cost * coefficient).sum::<f64>()
    }

    fn own_of(&self, place: usize) -> f64 {
        self.own.get(place).copied().unwrap_or(0.0)
    }

    /// Takes an outcome that came after the fit.
    fn hear(&mut self, place: usize, seen: &Seen, weight: f64, (after, value): (usize, f64)) {
        let Some(rung) = self.rungs.iter().find(|rung| rung.epochs == after) else { return };
        let explained = self.explained(seen) + rung.coefficient;
        let own = OWN * weight * ((value - rung.mean) / rung.spread - explained);
        self.own.resize(self.own.len().max(place + 1), 0.0);
        self.own[place] = own;
    }
}

/// How much an outcome after so many epochs counts.
fn weight(epochs: usize, whole: usize) -> f64 {
    (epochs as f64 / whole as f64).sqrt()
}

fn logarithms(made: &Made) -> [f64; 3] {
    let costs = made.costs;
    [costs.params, costs.madds, costs.activation_memory].map(|cost| (cost.max(1) as f64).ln())
}

fn scaled(seen: &Seen, scales: &[(f64, f64); 3]) -> impl Iterator<Item = f64> {
    let scaled = |(cost, (mean, spread)): (f64, (f64, f64))| {
        if spread > 0.0 { (cost - mean) / spread } else { 0.0 }
    };
    seen.costs.into_iter().zip(*scales).map(scaled)
}

fn mean_and_spread(values: &[f64]) -> (f64, f64) {
    let n = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n;
    (mean, variance.sqrt())
}

/// Solves a symmetric positive definite system by Cholesky's decomposition; `None` where it is not one.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Option<Vec<f64>> {
    let n = right.len();
    for i in 0..n {
        for j in 0..=i {
            let sum: f64 = matrix[i][..j].iter().zip(&matrix[j][..j]).map(|(a, b)| a * b).sum();
            let left = matrix[i][j] - sum;
            matrix[i][j] = if i > j { left / matrix[j][j] } else { left.sqrt() };
        }
        if matrix[i][i].is_nan() || matrix[i][i] <= 0.0 {
            return None;
        }
        let sum: f64 = matrix[i][..i].iter().zip(&right).map(|(a, y)| a * y).sum();
        right[i] = (right[i] - sum) / matrix[i][i];
    }
    for i in (0..n).rev() {
        let sum: f64 = (i + 1..n).map(|j| matrix[j][i] * right[j]).sum();
        right[i] = (right[i] - sum) / matrix[i][i];
    }
    Some(right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::made::Costs;

    fn made(levels: &[&str], params: u64) -> Made {
        let choices = levels.iter().enumerate().map(|(i, level)| (format!("f{i}"), (*level).to_owned()));
        Made {
            merged: None,
            choices: choices.collect(),
            hash: format!("{levels:?} {params}"),
            costs: Costs { params, madds: params, activation_memory: 1, size: 1 },
            ..Made::of_text("ir_e2_k3_s1_c16")
        }
    }

    /// Matrix and right side of x = (1, -2, 3).
    #[test]
    fn systems_are_solved() {
        let matrix = vec![vec![4.0, 2.0, 1.0], vec![2.0, 5.0, 3.0], vec![1.0, 3.0, 6.0]];
        let found = solve(matrix, vec![3.0, 1.0, 13.0]).unwrap();
        for (found, expected) in found.iter().zip([1.0, -2.0, 3.0]) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        assert_eq!(solve(vec![vec![1.0, 2.0], vec![2.0, 1.0]], vec![1.0, 1.0]), None);
    }

    /// What is never seen together is guessed from what is seen apart; rungs of other scales do not mislead.
    #[test]
    fn choices_are_told_apart() {
        let mut surrogate = Surrogate::new(9);
        assert_eq!(surrogate.guess(&made(&["a", "x"], 10)), None);
        let mut number = 0;
        for (first, second, value) in [
            ("a", "x", 1.0),
            ("a", "y", 2.0),
            ("b", "x", 4.0),
            ("b", "z", 6.0),
            ("c", "y", 8.0),
            ("c", "z", 9.0),
        ] {
            for chance in [0.1, -0.1, 0.0] {
                number += 1;
                let mut made = made(&[first, second], 100);
                made.hash = number.to_string();
                surrogate.hear(&made, 3, 50.0 + value + chance);
                if value > 5.0 {
                    surrogate.hear(&made, 9, value + chance);
                }
            }
        }
        let mut guess = |first, second| surrogate.guess(&made(&[first, second], 100)).unwrap();
        assert!(guess("a", "z") > guess("a", "x"));
        assert!(guess("c", "z") > guess("b", "z"));
        assert!(guess("b", "y") > guess("a", "x") && guess("b", "y") < guess("c", "z"));
        // A level that was never seen is no better and no worse.
        assert!(guess("new", "z") > guess("a", "z"));
        assert_eq!(surrogate.belief("unknown"), None);
    }

    /// A candidate that did better than its like is thought better, by a part of it.
    #[test]
    fn what_is_a_candidates_own_counts_in_part() {
        let mut surrogate = Surrogate::new(1);
        for (number, value) in [1.0, 2.0, 3.0, 10.0].into_iter().enumerate() {
            let mut made = made(&["a"], 100);
            made.hash = number.to_string();
            surrogate.hear(&made, 1, value);
            surrogate.hear(&made, 1, f64::NAN);
        }
        let spread = (50.0_f64 / 4.0).sqrt();
        let mut belief = |hash| surrogate.belief(hash).unwrap();
        assert!((belief("3") - belief("0") - OWN * 9.0 / spread).abs() < 1e-6);
    }
}
