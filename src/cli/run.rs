//! `blocksmith run`: an experiment from its file to its report.

mod baseline;
mod over;
mod phased;
mod unused;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::adapted;
use super::break_lock::break_lock;
use super::claim;
use super::dry_run::{self, Fits};
use super::interrupt::Training;
use super::measured::{self, Step};
use super::memory::{self, Budget};
use super::place::Place;
use super::plan::{self, ExperimentPlan};
use super::recorded::Recorded;
use super::searched::Earlier;
use super::shares::{self, Count, Shares, Wanted};
use super::start::Start;
use super::trained::Trained;
use super::{output, progress, rungs, searched};
use crate::arch::Network;
use crate::config::{Experiment, TrainConfig, phases};
use crate::cost;
use crate::engine::measure::Work;
use crate::error::Result;
use crate::report;
use crate::study::difference::{accepted_changes, keeps_trials};
use crate::study::{Plan, RunSettings, Study, StudyState, environment, folder, state};

/// Run an experiment: train its variants and searched candidates, and write the report.
///
/// Everything goes to the study's folder as it happens. The same command again continues a study that was stopped or
/// killed; of one that is finished the report is written again where it is missing or older. Numbers depend neither on
/// --jobs nor on --threads.
///
/// A network that is foretold to need more memory than there is does not start: the run is refused where it is a variant,
/// or where nothing of the search fits, and the trial fails where it is one candidate of several.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    blocksmith run experiments/quickstart.yaml\n  \
    blocksmith run experiments/mix-ablation.yaml --data DIR --set train.epochs=10\n  \
    blocksmith run experiments/mix-sweep.yaml --data DIR --dry-run\n  \
    blocksmith run experiments/mix-sweep.yaml --jobs 4 --threads 2 --memory 8GiB --out reports/sweep-a")]
pub struct Args {
    /// The experiment file
    #[arg(value_name = "EXPERIMENT.yaml")]
    experiment: PathBuf,
    /// Trials trained at once; auto: up to as many as there are cores, trials, and memory for the largest of them, fewer on
    /// more threads where a few measured steps are faster so
    #[arg(long, value_name = "N|auto", default_value_t = Count::Auto)]
    jobs: Count,
    /// Threads of each trial; auto: the cores shared among the jobs
    #[arg(long, value_name = "N|auto", default_value_t = Count::Auto)]
    threads: Count,
    /// Memory that all trials may take together, such as 8GiB [default: 90 % of what is available]
    #[arg(long, value_name = "SIZE", value_parser = memory::size)]
    memory: Option<u64>,
    /// Seconds between the checkpoints of a running trial: what a kill can cost it at most [default: 30]
    #[arg(long, value_name = "SECONDS")]
    checkpoint_every: Option<u64>,
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
    /// Safetensors file that every trial starts from, instead of the experiment's `train.weights`, in our names, torchvision's or
    /// timm's; with `--set train.classifier=fresh` all but the classifier, for data of other classes
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// File or folder of the images, instead of the experiment's `data.path`
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// Say what it will cost (trials, epochs, time from a few measured steps, disk, memory); train nothing, write nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON at the end: `dir`, `trials`, `done`, `failed`, `results_hash` (with `reproducible`: false where a timeout
    /// ended something, since no two runs are then the same), `report`
    #[arg(long)]
    json: bool,
    /// Take over a study whose lock a process of another machine holds that is known to be gone
    #[arg(long, conflicts_with = "dry_run")]
    break_lock: bool,
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
    if let Some(phases) = phases::phases(&args.experiment, &args.set)? {
        return phased::execute(args, &phases);
    }
    let experiment = Experiment::load(&args.experiment, &args.set)?;
    let place = Place { file: &args.experiment, what: "experiment file", set: &args.set, phase: None };
    let dir = args.out.clone().unwrap_or_else(|| Path::new("reports").join(&experiment.name));
    let data = args.data.as_deref().or(experiment.data.path.as_deref());
    claim::check(&dir, &[], data, args.out.is_some())?;
    match run_study(args, experiment, &dir, place)? {
        Some(said) => output::print_json(&said),
        None => Ok(()),
    }
}

/// Runs one study to its report; what `--json` says of it, where it is asked for.
///
/// # Errors
/// As [`execute`].
pub fn run_study(args: &Args, mut experiment: Experiment, dir: &Path, place: Place) -> Result<Option<Value>> {
    unused::check(args, &experiment, place)?;
    let start = Start::read(&mut experiment, args.weights.as_ref(), Budget::new(args.memory), place)?;
    if args.break_lock && folder::journal(dir).exists() {
        break_lock(dir)?;
    }
    // A study that exists is claimed before anything is read; the folder of a new one is made only once all that can be
    // known to be wrong is known, so that a mistake leaves nothing behind.
    let exists = folder::journal(dir).exists();
    searched::note_content(&mut experiment, !exists || args.extend)?;
    adapted::note_origin(&mut experiment, exists.then_some(dir), place)?;
    let claim = if args.extend { Study::extend } else { Study::open };
    let existing = (exists && !args.dry_run).then(|| claim(dir, &experiment)).transpose()?;
    let adds = existing.as_ref().is_none_or(Study::adds);
    for notice in unused::notices(args, &experiment, dir, exists, adds) {
        progress::display().on_notice(&notice);
    }
    if let Some(state) = existing.as_ref().and_then(Study::finished_as_it_is) {
        return over::end(args, &experiment, dir, place, (state, true));
    }
    let earlier = Earlier {
        candidates: match &existing {
            Some(study) => study.searched()?,
            None if exists && args.extend => state::searched(dir)?,
            None => Vec::new(),
        },
        proposals: match &experiment.search {
            Some(search) if exists && search.listens() => state::proposals(dir)?,
            _ => Vec::new(),
        },
    };
    let trained = Trained::load(&experiment, args.data.as_deref(), Budget::new(args.memory), place)?;
    let (input, classes) = trained.shape();
    let replayed = if exists && args.dry_run { state::replay(dir)?.0 } else { None };
    let begun = existing.as_ref().and_then(Study::state).or(replayed.as_ref());
    let recorded = Recorded::of(begun, input, classes);
    let variants = plan::variants(&experiment, place, (input, classes), &recorded)?;
    trained.check(&variants, place)?;
    let record = trained.record();
    let warnings = report::warnings::of(&experiment, variants.iter().map(|(of, _)| of), &record);
    let searched = searched::candidates(&experiment, &variants, (&earlier, &recorded), input, classes)
        .map_err(|error| place.located(error))?;
    let mut plan = ExperimentPlan::new(&experiment.seeds, experiment.train.epochs, variants, searched);
    let notes = start.check(plan.look_ahead(LOOK_AHEAD).map(|(_, network)| network), place)?;
    if args.dry_run {
        let study = (dir, replayed.as_ref());
        return dry_run(args, study, (&experiment, &warnings), &trained, &mut plan, place).map(|()| None);
    }
    let before = existing.as_ref().and_then(Study::state);
    let shares = shares(args, &experiment, &trained, &mut plan, before, place);
    let study = match existing {
        Some(study) => study,
        None => {
            shares.clone()?;
            claim(dir, &experiment)?
        }
    };

    let state = match study.finished(&mut plan)? {
        Some(state) => return over::end(args, &experiment, dir, place, (&state, true)),
        None => {
            let shares = fastest(args, &experiment, &trained, &mut plan, (study.state(), shares?))?;
            let trainer = match args.device {
                Device::Cpu => trained.trainer(&experiment, &start, shares.threads, shares.memory),
            };
            if !args.json
                && let Some(text) = rungs::table(&experiment)
            {
                output::print(&text)?;
            }
            let display = progress::display();
            let unbuildable = report::unbuildable::of(&experiment);
            warnings.iter().for_each(|warning| display.on_warning(warning));
            let reading = trained.images().map(|data| data.record.reading.sentences()).unwrap_or_default();
            let notices = reading.iter().chain(&notes).chain(&unbuildable).chain(&shares.notices);
            notices.for_each(|notice| display.on_notice(notice));
            if trained.images().is_some() {
                let epoch = report::recipe::epoch(&experiment.train, record.train);
                display.on_notice(&format!("an epoch takes {epoch}"));
            }
            let training = Training::begin();
            let settings = RunSettings {
                jobs: shares.jobs,
                checkpoint_every: Duration::from_secs(args.checkpoint_every.unwrap_or(30)),
                environment: environment::detect(shares.jobs, shares.threads, record),
                stop: training.stop(),
                display: display.as_ref(),
            };
            study.run(&mut plan, trainer.as_ref(), &settings)?
        }
    };
    over::end(args, &experiment, dir, place, (&state, false))
}

/// Says what it will cost, beside what an earlier run of the study did.
fn dry_run(
    args: &Args,
    (dir, before): (&Path, Option<&StudyState>),
    (experiment, warnings): (&Experiment, &[String]),
    trained: &Trained,
    plan: &mut ExperimentPlan,
    place: Place,
) -> Result<()> {
    let is_accepted = |extend| {
        let changes = |state: &StudyState| accepted_changes(dir, &state.experiment, experiment, extend);
        before.is_none_or(|state| changes(state).is_ok())
    };
    let fits = if is_accepted(args.extend) {
        Fits::Yes
    } else if is_accepted(true) && before.is_none_or(|state| keeps_trials(dir, &state.experiment, experiment))
    {
        Fits::Extended
    } else {
        Fits::No
    };
    let ended = before.filter(|_| fits != Fits::No);
    let shares = shares(args, experiment, trained, plan, ended, place)?;
    let shares = fastest(args, experiment, trained, plan, (ended, shares))?;
    let request = dry_run::Request {
        file: &args.experiment,
        dir,
        experiment,
        warnings,
        trained,
        shares: &shares,
        fits,
        before: ended,
    };
    dry_run::execute(&request, plan, args.json)
}

/// Trials that are looked at before the first one starts: as many as a study queues at once.
const LOOK_AHEAD: usize = 1024;

/// What each trial gets of the machine; of those that an earlier run ended none gets anything.
fn shares(
    args: &Args,
    experiment: &Experiment,
    trained: &Trained,
    plan: &mut ExperimentPlan,
    before: Option<&StudyState>,
    place: Place,
) -> Result<Shares> {
    let memory = Budget::new(args.memory);
    let batch = experiment.train.batch;
    let mut trials: HashMap<String, usize> = HashMap::new();
    for trial in before.map_or(&[][..], |state| &state.trials) {
        if trial.ended() && !trial.is_short_of(experiment.train.epochs) {
            *trials.entry(trial.candidate.hash.clone()).or_default() += 1;
        }
    }
    let all_seeds = |(hash, trials): (String, usize)| (trials >= experiment.seeds.len()).then_some(hash);
    let ended = trials.into_iter().filter_map(all_seeds).collect();
    let need = |network: &Network| trained.need(network, batch);
    let largest = shares::largest(plan.look_ahead(LOOK_AHEAD), &ended, need, memory, batch, place)?;
    let wanted = Wanted {
        jobs: args.jobs,
        threads: args.threads,
        cores: environment::cores(),
        trials: plan.total(),
        memory,
    };
    let shares = Shares::new(&wanted, largest);
    shares.check_threads(wanted.cores)?;
    Ok(shares)
}

/// Seconds of a study for which it is measured how it is fastest.
const WORTH_MEASURING: f64 = 60.0;

/// Fewer trials at once, on more threads each, where that was measured to be faster and the user has left it to us.
fn fastest(
    args: &Args,
    experiment: &Experiment,
    trained: &Trained,
    plan: &mut ExperimentPlan,
    (before, shares): (Option<&StudyState>, Shares),
) -> Result<Shares> {
    let cores = environment::cores();
    let (Count::Auto, Count::Auto, Some(data)) = (args.jobs, args.threads, trained.images()) else {
        return Ok(shares);
    };
    let trials = plan.total();
    let mut networks: Vec<&Network> = plan.look_ahead(LOOK_AHEAD).map(|(_, network)| network).collect();
    networks.sort_by_cached_key(|network| cost::of(network).madds);
    let (true, Some(network)) = (shares.jobs > 1, networks.get(networks.len() / 2)) else {
        return Ok(shares);
    };
    let TrainConfig { epochs, batch, precision, .. } = experiment.train;
    let images = (data.train.len() * epochs) as f64;
    let trials = trials.unwrap_or(networks.len() * experiment.seeds.len());
    let ended = before.map_or(0, |state| state.trials.iter().filter(|trial| trial.ended()).count());
    if trials.saturating_sub(ended) as f64 * images * measured::seconds(network) / (cores as f64)
        < WORTH_MEASURING
    {
        return Ok(shares);
    }
    let step = Step { network, work: Work::Train, batch: batch.min(data.train.len()), precision };
    measured::fastest(step, cores, shares)
}
