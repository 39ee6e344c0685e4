//! Trials in which nothing is trained: their epochs are told one after the other.

use std::collections::BTreeMap;

use super::{TrialEnd, TrialObserver, TrialTask};
use crate::engine::weights::serialise;
use crate::error::{Error, Result};
use crate::study::event::EpochMetrics;

/// Tells the epochs of a trial up to `epochs`, from where an earlier attempt stopped; `of_epoch` gives one of them, or why the
/// trial fails in it.
///
/// # Errors
/// A checkpoint that is not one of such a trial; what the observer ends the study with.
pub fn replay(
    epochs: usize,
    weights: Vec<u8>,
    observer: &mut dyn TrialObserver,
    of_epoch: impl Fn(usize) -> std::result::Result<EpochMetrics, String>,
) -> Result<TrialEnd> {
    let over = observer.continues().map_or(Ok(0), |kept| epochs_over(&kept))?;
    for epoch in over + 1..=epochs {
        let stop = observer.should_stop();
        if stop || observer.wants_checkpoint() {
            observer.keep((epoch - 1).to_string().as_bytes())?;
        }
        if stop {
            return Ok(TrialEnd::Interrupted);
        }
        match of_epoch(epoch) {
            Ok(metrics) => {
                observer.on_step(epoch, 1, 1);
                observer.on_epoch(&metrics)?;
                if epoch < epochs && observer.is_over_time() {
                    observer.keep(epoch.to_string().as_bytes())?;
                    return Ok(TrialEnd::TimedOut);
                }
            }
            Err(reason) => return Ok(TrialEnd::Failed { epoch, reason }),
        }
    }
    if observer.wants_last_checkpoint() {
        observer.keep(epochs.to_string().as_bytes())?;
    }
    Ok(TrialEnd::Finished { weights })
}

/// A checkpoint is the number of epochs that are over.
fn epochs_over(kept: &[u8]) -> Result<usize> {
    let text = std::str::from_utf8(kept).ok();
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| Error::request("not a checkpoint of a simulated trial"))
}

/// A safetensors file without tensors that says whose it is; `kind` is the trainer's.
pub fn weights(kind: &str, task: &TrialTask) -> Vec<u8> {
    let pairs = [
        (kind, task.text.clone()),
        ("seed", task.seed.to_string()),
        ("study_seed", task.study_seed.to_string()),
    ];
    serialise(&[], &BTreeMap::from(pairs.map(|(key, value)| (key.to_owned(), value))))
}

/// Whether weights are those that [`weights`] gave for the trial.
///
/// # Errors
/// A sentence where they are not.
pub fn check(kind: &str, task: &TrialTask, kept: &[u8]) -> Result<()> {
    if kept == weights(kind, task) {
        return Ok(());
    }
    Err(Error::request(format!(
        "the weights of trial {} are not those that the simulation left: remove them, and it is simulated again",
        task.trial
    )))
}
