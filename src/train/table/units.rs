//! Figures of a table that look like those of another unit. Tables are also written by other programs.

use super::{End, Row, Table};
use crate::arch::build;
use crate::cost;
use crate::space::notation;
use crate::text::thousands;

/// Classes from which an accuracy below 1 % is nothing unusual: chance is.
const MANY_CLASSES: usize = 50;
/// How many times an accuracy is below its fellow of the same trial that is read as a fraction of it.
const FAR_BELOW: f64 = 20.0;
/// Candidates whose costs are counted again.
const COUNTED: usize = 50;

impl Table {
    /// What looks wrong with its units: a sentence each, with its remedy.
    pub fn warnings(&self) -> Vec<String> {
        self.fractions().into_iter().chain(self.costs()).collect()
    }

    /// Accuracies that look like fractions.
    fn fractions(&self) -> Option<String> {
        let columns = ["acc_N (validation)", "train_acc_N", "test_acc"];
        let (mut counts, mut all) = ([0; 3], 0);
        let mut all_small = true;
        for row in &self.rows {
            let accuracies = accuracies(row);
            let most = accuracies.iter().flatten().copied().fold(0.0, f64::max);
            all_small &= most <= 1.0;
            for (count, column) in counts.iter_mut().zip(&accuracies) {
                // A half or more of a percent is far from chance of few classes, and little of many.
                let is_odd = |value: f64| self.about.classes < MANY_CLASSES || value * FAR_BELOW < most;
                *count +=
                    column.iter().filter(|value| **value > 0.0 && **value <= 1.0 && is_odd(**value)).count();
                all += column.len();
            }
        }
        let small: usize = counts.iter().sum();
        if all_small && self.rows.iter().flat_map(accuracies).flatten().any(|value| value > 0.0) {
            return Some(
                "no accuracy of the table is above 1 %, as though they were fractions: multiply them by 100"
                    .into(),
            );
        }
        // One image in thousands is a percentage of a hopeless network; a column of them is not.
        let named: Vec<&str> =
            columns.into_iter().zip(counts).filter(|(_, n)| *n > 0).map(|(name, _)| name).collect();
        (small > 0).then(|| {
            format!(
                "{} of the {} accuracies in the table are above 0 and at most 1 %, as though they were fractions among \
                 percentages (columns {}): multiply those by 100",
                thousands(small as u64),
                thousands(all as u64),
                named.join(", ")
            )
        })
    }

    /// Costs in other units than ones.
    fn costs(&self) -> Vec<String> {
        let mut seen = std::collections::HashSet::new();
        let first = self.rows.iter().filter(|row| seen.insert(row.candidate.as_str())).take(COUNTED);
        let mut ratios: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
        for row in first {
            let network = notation::parse(&row.candidate)
                .and_then(|candidate| build::network(&candidate, self.about.input, self.about.classes));
            if let Ok(network) = network {
                let own = cost::of(&network);
                ratios[0].push(row.params as f64 / own.params as f64);
                ratios[1].push(row.madds as f64 / own.madds as f64);
            }
        }
        let [params, madds] = ratios;
        let all =
            |ratios: &[f64], is: fn(f64) -> bool| !ratios.is_empty() && ratios.iter().all(|ratio| is(*ratio));
        let is_far = |ratio| !(0.01..=100.0).contains(&ratio);
        let far = |name: &str| {
            format!("the {name} of the table are far from those of its networks: count them in ones")
        };
        let twice = "the madds of the table are twice those of its networks, as operation counts (FLOPs) are: halve them";
        [
            all(&params, is_far).then(|| far("params")),
            all(&madds, is_far).then(|| far("madds")),
            all(&madds, |ratio| (1.95..=2.05).contains(&ratio)).then(|| twice.to_owned()),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Validation, training and test accuracies of a trial.
fn accuracies(row: &Row) -> [Vec<f64>; 3] {
    let test = match row.end {
        End::Finished { accuracy, .. } => vec![accuracy],
        End::Failed { .. } => Vec::new(),
    };
    let of = |of: fn(&super::Epoch) -> f64| row.epochs.iter().map(of).collect();
    [of(|epoch| epoch.accuracy), of(|epoch| epoch.train_accuracy), test]
}

#[cfg(test)]
mod tests {
    use super::super::read::parse;
    use super::*;

    /// `mix` of the counts that its definition has, with accuracies and costs of the caller's.
    fn table(classes: usize, rows: &[(f64, f64, f64)], factor: (f64, f64)) -> Table {
        let candidate = "stem_k3_s2_c8 ir_r1_k3_s2_e2_c16";
        let parsed = notation::parse(candidate).unwrap();
        let network = build::network(&parsed, crate::arch::Shape::new(3, 32, 32), classes).unwrap();
        let own = cost::of(&network);
        let (params, madds) = (own.params as f64 * factor.0, own.madds as f64 * factor.1);
        let mut text = format!(
            "# blocksmith table 1\n# input: 3x32x32\n# classes: {classes}\n\
             candidate,params,madds,activation_memory,seed,seconds,acc_1,loss_1,train_acc_1,train_loss_1,test_acc,test_loss\n"
        );
        for (seed, (validation, train, test)) in rows.iter().enumerate() {
            text +=
                &format!("{candidate},{params:.0},{madds:.0},1,{seed},1,{validation},1,{train},1,{test},1\n");
        }
        parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn fractions_among_percentages_are_counted() {
        let warned = |classes, rows: &[(f64, f64, f64)]| table(classes, rows, (1.0, 1.0)).warnings().concat();
        assert_eq!(warned(10, &[(55.0, 60.0, 54.0), (10.0, 9.5, 0.0)]), "");
        // A column, a row, one cell, and all.
        let column = warned(10, &[(0.87, 86.9, 86.0), (0.91, 90.1, 90.0)]);
        assert!(
            column.starts_with("2 of the 6 accuracies") && column.contains("(columns acc_N (validation))"),
            "{column}"
        );
        assert!(warned(10, &[(87.0, 86.9, 86.0), (0.9, 0.91, 0.88)]).starts_with("3 of the 6"));
        assert!(warned(2, &[(87.0, 86.9, 1.0)]).contains("(columns test_acc)"));
        assert!(warned(10, &[(0.87, 0.9, 0.86)]).contains("no accuracy of the table is above 1 %"));
        // Of a thousand classes 0.3 % is more than chance, but not beside 80 %.
        assert_eq!(warned(1000, &[(0.3, 1.4, 0.2), (20.0, 22.0, 19.0)]), "");
        assert!(warned(1000, &[(0.7, 80.0, 70.0)]).starts_with("1 of the 3"));
        assert_eq!(warned(1000, &[(0.0, 0.0, 0.0)]), "");
    }

    #[test]
    fn costs_are_in_ones() {
        let rows = [(50.0, 50.0, 50.0)];
        assert_eq!(table(10, &rows, (1.0, 1.0)).warnings(), [""; 0]);
        assert_eq!(table(10, &rows, (1.3, 0.8)).warnings(), [""; 0]);
        assert!(
            table(10, &rows, (0.001, 1.0)).warnings().concat().starts_with("the params of the table are far")
        );
        assert!(
            table(10, &rows, (1.0, 0.001)).warnings().concat().starts_with("the madds of the table are far")
        );
        assert!(table(10, &rows, (1.0, 2.0)).warnings().concat().contains("halve them"));
    }
}
