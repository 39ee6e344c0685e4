//! `blocksmith run`: an experiment from its file to its report.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use super::plan::{ExperimentPlan, Searched};
use super::{interrupt, output, progress};
use crate::arch::Shape;
use crate::config::Experiment;
use crate::error::{Error, Result};
use crate::study::event::DataRecord;
use crate::study::{Plan, RunSettings, Study, StudyState, TrialStatus, environment};
use crate::train::contract::Trainer;

/// Run an experiment: train its variants and searched candidates, and write the report.
///
/// Everything goes to the study's folder as it happens. The same command again continues a study that was stopped or
/// killed; one that is finished gets its report written again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    blocksmith run experiments/quickstart.yaml\n  \
    blocksmith run experiments/mix-ablation.yaml --data DIR --set train.epochs=10\n  \
    blocksmith run experiments/mix-sweep.yaml --jobs 4 --out reports/sweep-a")]
pub struct Args {
    /// The experiment file
    #[arg(value_name = "EXPERIMENT.yaml")]
    experiment: PathBuf,
    /// Trials trained at once, each on one thread [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// What to train on
    #[arg(long, value_enum, default_value_t = Device::Cpu)]
    device: Device,
    /// Change a setting of the experiment file, such as train.epochs=5; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Folder of the study [default: reports/NAME, after the experiment's name]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
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
    let experiment = load_experiment(&args.experiment, &args.set)?;
    let dir = args.out.clone().unwrap_or_else(|| Path::new("reports").join(&experiment.name));
    let study = Study::open(&dir, &experiment)?;
    let data = load_data(&experiment, args.data.as_deref())?;
    let searched = search(&experiment, data.input, data.record.classes.len())?;
    let mut plan = ExperimentPlan::new(&experiment, data.input, data.record.classes.len(), searched)?;

    let state = match study.finished(&mut plan)? {
        Some(state) => {
            output::print(&format!("{}: this study is finished; writing its report again", dir.display()))?;
            state
        }
        None => {
            let trainer = trainer(&experiment, &data, args.device)?;
            let stop = interrupt::watch()?;
            run_study(study, &mut plan, trainer.as_ref(), args.jobs, &data, &stop)?
        }
    };
    report(&dir, &state)
}

/// Runs the study under the live display.
fn run_study(
    study: Study,
    plan: &mut dyn Plan,
    trainer: &dyn Trainer,
    jobs: Option<u16>,
    data: &Data,
    stop: &AtomicBool,
) -> Result<StudyState> {
    let jobs = jobs.map_or_else(environment::cores, usize::from);
    // More workers than trials would only stand in the environment's record.
    let jobs = plan.total().map_or(jobs, |total| jobs.min(total.max(1)));
    let display = progress::display();
    let settings = RunSettings {
        jobs,
        environment: environment::detect(jobs, 1, data.record.clone()),
        stop,
        display: display.as_ref(),
    };
    study.run(plan, trainer, &settings)
}

/// Writes the report and prints its headline; a study in which nothing finished has failed.
fn report(dir: &Path, state: &StudyState) -> Result<()> {
    write_report(dir)?;
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

/// The data set as the study needs to know it.
struct Data {
    record: DataRecord,
    /// Shape of one image.
    input: Shape,
}

fn load_experiment(path: &Path, _set: &[String]) -> Result<Experiment> {
    Err(missing(&format!("{}: reading experiment files", path.display())))
}

fn load_data(_experiment: &Experiment, _path: Option<&Path>) -> Result<Data> {
    Err(missing("loading data"))
}

fn search(experiment: &Experiment, _input: Shape, _classes: usize) -> Result<Searched> {
    match &experiment.search {
        None => Ok(Searched { candidates: Box::new(std::iter::empty()), total: Some(0) }),
        Some(_) => Err(missing("searching a space")),
    }
}

fn trainer(_experiment: &Experiment, _data: &Data, device: Device) -> Result<Box<dyn Trainer>> {
    match device {
        Device::Cpu => Err(missing("training on the CPU")),
    }
}

fn write_report(_dir: &Path) -> Result<()> {
    Err(missing("writing the report"))
}

fn missing(what: &str) -> Error {
    Error::run(format!("{what} is not part of this build"))
}
