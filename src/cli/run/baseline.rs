//! Random search at the cost of a search.

use crate::config::{Budget, Experiment, StrategyKind};
use crate::study::StudyState;

/// The experiment of random search for as many epochs as a finished search has spent on its candidates, each trained whole.
pub fn random(experiment: &Experiment, state: &StudyState) -> Experiment {
    let searched = state.trials.iter().filter(|trial| !trial.candidate.is_variant);
    let spent: usize = searched.map(|trial| trial.epochs.len()).sum();
    let whole = experiment.train.epochs * experiment.seeds.len().max(1);
    let mut random = experiment.clone();
    random.name = format!("{}-random", experiment.name);
    random.description = Some(format!("Random search at the cost of {}.", experiment.name));
    (random.variants, random.baseline) = (Vec::new(), None);
    if let Some(search) = &mut random.search {
        search.strategy = StrategyKind::Random;
        search.budget = Budget::default();
        (search.reward, search.baseline, search.timeout) = (None, None, None);
        // A space that is used up ends it earlier.
        search.trials = Some(spent.div_ceil(whole.max(1)).max(1));
    }
    random
}
