//! Which weights stay, and what weights and checkpoints take on the disk.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::means::Means;
use super::state::{StudyState, Trial, TrialStatus};
use super::worker::lock;
use super::{disk, folder};
use crate::config::{Checkpoints, Experiment, Keep};
use crate::error::{Error, Result};
use crate::text;
use crate::train::goes_on;

/// Whether finished trials keep the checkpoints from which they can go on (with `netadapt` nothing can be added): where more epochs can be added, nothing else is
/// to be removed, and no budget would be spent on it.
pub fn keeps_checkpoints(experiment: &Experiment) -> bool {
    let Checkpoints { keep, disk_budget } = experiment.checkpoints;
    let adapts = experiment.search.as_ref().is_some_and(|search| search.netadapt.is_some());
    !adapts && goes_on(&experiment.train.schedule) && keep == Keep::All && disk_budget.is_none()
}

/// Removes the weights that `keep` does not name, of trials whose test figures are in the journal; what cannot be removed
/// is told to `notice`, and tried again by the next run.
pub fn prune(dir: &Path, state: &StudyState, keep: Keep, notice: impl Fn(&str)) {
    let Some(kept) = kept(state, keep) else { return };
    // What is gone already is not looked for.
    let there: HashSet<PathBuf> = fs::read_dir(dir.join("checkpoints"))
        .map(|files| files.flatten().map(|file| file.path()).collect())
        .unwrap_or_default();
    let over = |trial: &&Trial| trial.status == TrialStatus::Finished && trial.test.is_some();
    for trial in state.trials.iter().filter(over).filter(|trial| !kept.contains(&trial.number)) {
        let path = folder::checkpoint(dir, trial.number);
        if !there.contains(&path) {
            continue;
        }
        match disk::remove(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                notice(&format!("{}: cannot remove these weights ({e})", path.display()));
            }
            _ => {}
        }
    }
}

/// Numbers of the trials whose weights stay; `None` is all.
fn kept(state: &StudyState, keep: Keep) -> Option<BTreeSet<usize>> {
    match keep {
        Keep::All => None,
        Keep::Best => Some(state.best().map(|trial| trial.number).into_iter().collect()),
        Keep::Last => Some(state.last_finished.into_iter().collect()),
        Keep::Front => Some(on_front(state)),
    }
}

/// Numbers of the finished trials of the candidates that no other beats in params and mean validation accuracy.
pub fn on_front(state: &StudyState) -> BTreeSet<usize> {
    Means::of(state).front().into_iter().flat_map(|mean| mean.trials.iter().copied()).collect()
}

/// What the files of trials take, within a budget.
pub struct Room {
    budget: Option<u64>,
    taken: Mutex<Taken>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Taken {
    weights: u64,
    unfinished: u64,
}

impl Taken {
    fn of(&mut self, path: &Path) -> &mut u64 {
        let unfinished = path.extension().is_some_and(|extension| extension == "unfinished");
        if unfinished { &mut self.unfinished } else { &mut self.weights }
    }
}

impl Room {
    /// What is in the study's folder, and may be.
    pub fn new(dir: &Path, budget: Option<u64>) -> Self {
        let mut taken = Taken::default();
        if budget.is_some() {
            for entry in fs::read_dir(dir.join("checkpoints")).into_iter().flatten().flatten() {
                *taken.of(&entry.path()) += entry.metadata().map_or(0, |file| file.len());
            }
        }
        Self { budget, taken: Mutex::new(taken) }
    }

    /// Writes a file, whole or not at all, where the budget has room for it.
    ///
    /// # Errors
    /// A sentence with the numbers where it has not, or where the disk refuses.
    pub fn write(&self, path: &Path, what: &str, bytes: &[u8]) -> Result<()> {
        let new = bytes.len() as u64;
        let written = || folder::write_whole(path, bytes).map_err(|e| folder::unwritten(path, what, new, &e));
        let Some(budget) = self.budget else { return written() };
        let old = fs::metadata(path).map_or(0, |file| file.len());
        {
            let mut taken = lock(&self.taken);
            let before = taken.weights + taken.unfinished;
            if before.saturating_sub(old) + new > budget {
                return Err(Error::run(format!(
                    "{}: no room for {what}, which takes {}: checkpoints.disk_budget is {}, and {} of it are taken; the study \
                     pauses and nothing that it finished is lost; raise the budget in the experiment file, or with \
                     --set checkpoints.disk_budget=SIZE, and give the same command again",
                    path.display(),
                    text::bytes(new),
                    text::bytes(budget),
                    text::bytes(before)
                )));
            }
            let counted = taken.of(path);
            *counted = counted.saturating_sub(old) + new;
        }
        written().inspect_err(|_| {
            let mut taken = lock(&self.taken);
            let counted = taken.of(path);
            *counted = counted.saturating_sub(new) + old;
        })
    }

    /// A trial's checkpoint of so many bytes was removed.
    pub fn freed(&self, bytes: u64) {
        let mut taken = lock(&self.taken);
        taken.unfinished = taken.unfinished.saturating_sub(bytes);
    }

    /// Looks whether the weights of trials with these params will find room.
    ///
    /// # Errors
    /// A sentence with the numbers where they will not.
    pub fn foresee(&self, dir: &Path, params: impl Iterator<Item = u64>) -> Result<()> {
        let Some(budget) = self.budget else { return Ok(()) };
        let (mut trials, mut need) = (0_usize, lock(&self.taken).weights);
        for params in params {
            trials += 1;
            need = need.saturating_add(params.saturating_mul(4));
        }
        if trials == 0 || need <= budget {
            return Ok(());
        }
        Err(Error::request(format!(
            "{}: checkpoints.disk_budget is {}, and with the weights of the next {trials} trials this study takes {} at least \
             (all weights are needed until the test split has been read at the end, whatever checkpoints.keep says): raise \
             the budget, or train fewer or smaller candidates",
            dir.display(),
            text::bytes(budget),
            text::bytes(need)
        )))
    }
}
