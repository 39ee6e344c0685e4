//! `blocksmith run`: an experiment from its file to its report.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::memory::{self, Budget};
use super::place::Place;
use super::plan::{self, ExperimentPlan};
use super::report::ReportArgs;
use super::shares::{self, Count, Shares, Wanted};
use super::start::Start;
use super::{interrupt, output, progress, searched};
use crate::arch::{Network, Shape};
use crate::config::Experiment;
use crate::data::{self, Data};
use crate::engine::units;
use crate::error::{Error, Result};
use crate::study::{Plan, RunSettings, Study, StudyState, TrialStatus, environment, folder};
use crate::train::memory::trial_bytes;
use crate::train::{Memory, NetworkTrainer};

/// Run an experiment: train its variants and searched candidates, and write the report.
///
/// Everything goes to the study's folder as it happens. The same command again continues a study that was stopped or
/// killed; one that is finished gets its report written again. Numbers depend neither on --jobs nor on --threads.
///
/// A network that is foretold to need more memory than there is does not start: the run is refused where it is a variant,
/// or where nothing of the search fits, and the trial fails where it is one candidate of several.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    blocksmith run experiments/quickstart.yaml\n  \
    blocksmith run experiments/mix-ablation.yaml --data DIR --set train.epochs=10\n  \
    blocksmith run experiments/mix-sweep.yaml --jobs 4 --threads 2 --memory 8GiB --out reports/sweep-a")]
pub struct Args {
    /// The experiment file
    #[arg(value_name = "EXPERIMENT.yaml")]
    experiment: PathBuf,
    /// Trials trained at once; auto: as many as there are cores, trials, and memory for the largest of them
    #[arg(long, value_name = "N|auto", default_value_t = Count::Auto)]
    jobs: Count,
    /// Threads of each trial; auto: the cores shared among the jobs
    #[arg(long, value_name = "N|auto", default_value_t = Count::Auto)]
    threads: Count,
    /// Memory that all trials may take together, such as 8GiB [default: 90 % of what is available]
    #[arg(long, value_name = "SIZE", value_parser = memory::size)]
    memory: Option<u64>,
    /// Seconds between the checkpoints of a running trial: what a kill can cost it at most
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    checkpoint_every: u64,
    /// What to train on
    #[arg(long, value_enum, default_value_t = Device::Cpu)]
    device: Device,
    /// Add to a study that exists what its file has more of now: seeds, variants, levels of the search space, trials, or
    /// epochs (not with a cosine schedule, which would change every learning rate). What is trained stays and counts
    #[arg(long)]
    extend: bool,
    /// Change a setting of the experiment file, such as train.epochs=5; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Folder of the study [default: reports/NAME, after the experiment's name]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Safetensors file that every trial starts from, instead of the experiment's `train.weights`
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// File or folder of the images, instead of the experiment's `data.path`
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
}

/// Devices that trials can be trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Device {
    Cpu,
}

/// Runs the experiment to its report.
///
/// # Errors
/// A sentence for what is wrong with the request, before anything is trained where it can be known; what ended the run.
pub fn execute(args: &Args) -> Result<()> {
    let mut experiment = Experiment::load(&args.experiment, &args.set)?;
    let place = Place { file: &args.experiment, what: "experiment file", set: &args.set };
    let start = Start::read(&mut experiment, args.weights.as_ref(), Budget::new(args.memory), place)?;
    let dir = args.out.clone().unwrap_or_else(|| Path::new("reports").join(&experiment.name));
    // A study that exists is claimed before anything is read; the folder of a new one is made only once all that can be
    // known to be wrong is known, so that a mistake leaves nothing behind.
    searched::note_content(&mut experiment)?;
    let claim = if args.extend { Study::extend } else { Study::open };
    let existing = folder::journal(&dir).exists().then(|| claim(&dir, &experiment)).transpose()?;
    units(experiment.train.precision)
        .map_err(|error| place.located(Error::request(format!("train.precision: {error}"))))?;
    let data = load_data(&experiment, args.data.as_deref(), place)?;
    let (input, classes) = (Shape::new(3, data.side.0, data.side.1), data.classes.len());
    let variants = plan::variants(&experiment, place, input, classes)?;
    let earlier = existing.as_ref().map_or_else(Vec::new, Study::searched);
    let searched = searched::candidates(&experiment, &variants, &earlier, input, classes)?;
    let mut plan = ExperimentPlan::new(&experiment.seeds, variants, searched);
    start.check(plan.look_ahead(LOOK_AHEAD).map(|(_, network)| network), place)?;
    let shares = shares(args, &experiment, &data, &mut plan, existing.as_ref(), place);
    let study = match existing {
        Some(study) => study,
        None => {
            shares.clone()?;
            claim(&dir, &experiment)?
        }
    };

    let state = match study.finished(&mut plan)? {
        Some(state) => {
            output::print(&format!("{}: this study is finished; writing its report again", dir.display()))?;
            state
        }
        None => {
            let shares = shares?;
            let trainer = match args.device {
                Device::Cpu => NetworkTrainer {
                    data: data.clone(),
                    config: experiment.train.clone(),
                    augment: experiment.data.augment,
                    threads: shares.threads,
                    memory: Memory::new(shares.memory),
                    start: start.weights.clone(),
                },
            };
            let stop = interrupt::watch()?;
            let display = progress::display();
            if let Some(notice) = &shares.notice {
                display.on_notice(notice);
            }
            let settings = RunSettings {
                jobs: shares.jobs,
                checkpoint_every: Duration::from_secs(args.checkpoint_every),
                environment: environment::detect(shares.jobs, shares.threads, data.record.clone()),
                stop: &stop,
                display: display.as_ref(),
            };
            study.run(&mut plan, &trainer, &settings)?
        }
    };
    report(&dir, &state)
}

/// Writes the report and prints its headline; a study in which nothing finished has failed.
fn report(dir: &Path, state: &StudyState) -> Result<()> {
    super::report::run(&ReportArgs { dir: dir.to_path_buf(), out: None, json: false })?;
    let failed = state.count(TrialStatus::Failed);
    if failed > 0 && state.count(TrialStatus::Finished) == 0 {
        let reason = state.trials.iter().find_map(|t| t.failure.as_ref());
        let reason = reason.map_or("", |failure| &failure.reason);
        return Err(Error::run(format!(
            "{}: none of the {failed} trials finished (the first: {reason}): change the recipe and start another study \
             with --out FOLDER",
            dir.display()
        )));
    }
    Ok(())
}

/// The data set, brought in once for all trials; a mistake in the `data` section is given its place in the file.
fn load_data(experiment: &Experiment, path: Option<&Path>, place: Place) -> Result<Arc<Data>> {
    let loaded = data::load(&experiment.data, experiment.seed, path);
    loaded.map(Arc::new).map_err(|error| match (&experiment.data.path, path) {
        // What is wrong with the file that `data.path` names is wrong there.
        (Some(named), None) if error.to_string().starts_with(&*named.to_string_lossy()) => {
            place.located(Error::request(format!("data.path: {error}")))
        }
        _ => place.located(error),
    })
}

/// Trials that are looked at before the first one starts: as many as a study queues at once.
const LOOK_AHEAD: usize = 1024;

/// What each trial gets of the machine; of those that an earlier run ended none gets anything.
fn shares(
    args: &Args,
    experiment: &Experiment,
    data: &Data,
    plan: &mut ExperimentPlan,
    existing: Option<&Study>,
    place: Place,
) -> Result<Shares> {
    let memory = Budget::new(args.memory);
    let batch = experiment.train.batch;
    let mut trials: HashMap<String, usize> = HashMap::new();
    for trial in existing.and_then(Study::state).map_or(&[][..], |state| &state.trials) {
        let goes_on = trial.result.as_ref().is_some_and(|result| result.epochs < experiment.train.epochs);
        if trial.ended() && !goes_on {
            *trials.entry(trial.candidate.hash.clone()).or_default() += 1;
        }
    }
    let all_seeds = |(hash, trials): (String, usize)| (trials >= experiment.seeds.len()).then_some(hash);
    let ended = trials.into_iter().filter_map(all_seeds).collect();
    let need = |network: &Network| trial_bytes(network, batch, data);
    let largest = shares::largest(plan.look_ahead(LOOK_AHEAD), &ended, need, memory, batch, place)?;
    let wanted = Wanted {
        jobs: args.jobs,
        threads: args.threads,
        cores: environment::cores(),
        trials: plan.total(),
        memory,
    };
    Ok(Shares::new(&wanted, largest))
}
