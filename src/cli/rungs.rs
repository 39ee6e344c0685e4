//! The rungs of a search, before it begins: how many candidates reach each, and what that costs.

use crate::config::{BudgetKind, Experiment};
use crate::report::format::{counted, thousands};
use crate::report::table::{Table, number};
use crate::search::Ladder;

/// Epochs of each rung, and candidates that reach it where all that is asked for is trained.
pub fn survivors(experiment: &Experiment) -> Option<Vec<(usize, usize)>> {
    let search = experiment.search.as_ref().filter(|search| search.budget.kind != BudgetKind::Full)?;
    let epochs = search.budget.epochs(experiment.train.epochs);
    let survivors = Ladder::new(epochs.clone(), search.budget.eta).survivors(search.trials?);
    Some(epochs.into_iter().zip(survivors).collect())
}

/// Epochs that the candidates of a search are trained for, of one seed; `None` where all are trained whole.
pub fn epochs(experiment: &Experiment) -> Option<usize> {
    let rungs = survivors(experiment)?;
    let mut before = 0;
    Some(
        rungs
            .iter()
            .map(|(epochs, survivors)| (epochs - std::mem::replace(&mut before, *epochs)) * survivors)
            .sum(),
    )
}

/// What a candidate of the search is trained for in the mean, as a share of a whole training.
pub fn share(experiment: &Experiment) -> f64 {
    let first = survivors(experiment).and_then(|rungs| Some(rungs.first()?.1)).unwrap_or(0);
    let whole = (first * experiment.train.epochs).max(1);
    epochs(experiment).map_or(1.0, |epochs| epochs as f64 / whole as f64)
}

/// The table, for people; `None` where there are no rungs.
pub fn table(experiment: &Experiment) -> Option<String> {
    let rungs = survivors(experiment)?;
    let seeds = experiment.seeds.len();
    let mut table = Table::new(["epochs", "candidates", "epochs trained"].map(number).into());
    let mut before = 0;
    for (epochs, survivors) in &rungs {
        let trained = (epochs - before) * survivors * seeds;
        table.push(vec![epochs.to_string(), survivors.to_string(), thousands(trained as u64)]);
        before = *epochs;
    }
    let first = rungs.first().map_or(0, |(_, survivors)| *survivors);
    let (whole, in_rungs) = (first * experiment.train.epochs * seeds, self::epochs(experiment)? * seeds);
    Some(format!(
        "rungs of {} with {} each:\n{}\n{} epochs about, where whole trainings would take {}\n",
        counted(first, "candidate"),
        counted(seeds, "seed"),
        table.terminal(),
        thousands(in_rungs as u64),
        thousands(whole as u64)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Budget, SearchConfig, StrategyKind};
    use crate::study::simulated;

    #[test]
    fn rungs_say_what_they_cost() {
        let mut experiment = simulated::experiment(&[], &[1, 2]);
        experiment.train.epochs = 9;
        let mut search = SearchConfig::new("s.yaml".into(), StrategyKind::Random, Some(27));
        experiment.search = Some(search.clone());
        assert_eq!((table(&experiment), epochs(&experiment)), (None, None));
        search.budget = Budget { kind: BudgetKind::Asha, min_epochs: 1, eta: 3, ..Budget::default() };
        experiment.search = Some(search);
        assert_eq!(survivors(&experiment), Some(vec![(1, 27), (3, 9), (9, 3)]));
        // 27 for one epoch, 9 for two more, 3 for six more.
        assert_eq!(epochs(&experiment), Some(27 + 18 + 18));
        assert_eq!(share(&experiment), 63.0 / 243.0);
        let text = table(&experiment).unwrap();
        assert!(text.contains("126 epochs about, where whole trainings would take 486"), "{text}");
    }
}
