//! What is asked of a run and would have no effect: refused where another run is meant than this one would be, else said.

use std::path::Path;

use super::Args;
use crate::cli::place::Place;
use crate::cli::shares::Count;
use crate::config::yaml::Step;
use crate::config::{DataFormat, Experiment};
use crate::error::{Error, Result};

/// Refuses images that are named and would not be read: whoever names them means to train on them.
///
/// # Errors
/// A sentence with the place of the setting that keeps them from being read, and what to set instead.
pub fn check(args: &Args, experiment: &Experiment, place: Place) -> Result<()> {
    let (is_network, is_built_in) =
        (experiment.trainer.is_network(), experiment.data.format == DataFormat::Shapes);
    if let Some(path) = &args.data {
        let shown = path.display();
        if !is_network {
            return Err(Error::request(format!(
                "--data {shown}: no image would be read, since the experiment's `trainer` trains no network: leave --data out, or \
                 train with --set trainer=network"
            )));
        }
        if is_built_in {
            return Err(Error::request(format!(
                "--data {shown}: nothing of it would be read, since data.format is shapes, the built-in images: add --set \
                 data.format={}, or leave --data out",
                looks_like(path)
            )));
        }
    }
    match &experiment.data.path {
        Some(path) if is_network && is_built_in => {
            let steps = ["data", "path"].map(|key| Step::Key(key.into()));
            let message = format!(
                "nothing of {} would be read, since data.format is shapes, the built-in images: take `format: {}`, or take the \
                 path away (--set data.path=)",
                path.display(),
                looks_like(path)
            );
            Err(place.error(&steps, &message))
        }
        _ => Ok(()),
    }
}

/// The format that files of this name are likely to have.
fn looks_like(path: &Path) -> &'static str {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let has_batches =
        ["data_batch_1.bin", "cifar-10-batches-bin"].iter().any(|part| path.join(part).exists());
    let is_named = ["cifar-10-binary", "cifar-10-batches-bin"].iter().any(|part| name.starts_with(part));
    if has_batches || is_named { "cifar10" } else { "images" }
}

/// Sentences about flags that change nothing in this run. `exists`: there is a study; `adds`: it gets more to do.
pub fn notices(args: &Args, experiment: &Experiment, dir: &Path, exists: bool, adds: bool) -> Vec<String> {
    let mut said = Vec::new();
    let dir = dir.display();
    match (args.extend, exists, adds) {
        (true, false, _) => said.push(format!("--extend has no effect: there is no study in {dir} yet")),
        (true, true, false) => said.push(format!(
            "--extend has no effect: the experiment has nothing that the study in {dir} does not have already"
        )),
        _ => {}
    }
    if args.break_lock && !exists {
        said.push(format!("--break-lock has no effect: there is no study in {dir} yet"));
    }
    if !experiment.trainer.is_network() {
        let flags = [
            ("--threads", args.threads != Count::Auto),
            ("--memory", args.memory.is_some()),
            ("--checkpoint-every", args.checkpoint_every.is_some()),
        ];
        let given: Vec<&str> = flags.iter().filter(|(_, given)| *given).map(|(flag, _)| *flag).collect();
        if !given.is_empty() {
            let have = if given.len() == 1 { "has" } else { "have" };
            said.push(format!("{} {have} no effect: no network is trained", given.join(", ")));
        }
    }
    said
}
