//! `blocksmith run --dry-run`: what an experiment will cost, before anything is trained or written.

mod disk;
mod timing;

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use self::disk::Disk;
use self::timing::{Timing, makespan};
use super::numbers::bytes;
use super::output;
use super::plan::ExperimentPlan;
use super::progress::text::duration;
use super::rungs;
use super::shares::Shares;
use super::trained::Trained;
use super::view::simulated;
use crate::arch::Network;
use crate::config::{Experiment, TrainConfig};
use crate::data::{CHANNELS, Data, DataRecord, epoch_images};
use crate::error::Result;
use crate::report::format::{counted, thousands};
use crate::report::{recipe, unbuildable};
use crate::study::event::CandidateRecord;
use crate::study::{Next, Plan, StudyState};

/// Candidates that are looked at one by one, and the time that may take: the rest of a larger study is taken to be like them.
const LOOKED_AT: usize = 5000;
const LOOKING: Duration = Duration::from_secs(3);

/// What is to be run, and how.
pub struct Request<'a> {
    /// The experiment file, for people.
    pub file: &'a Path,
    pub dir: &'a Path,
    pub experiment: &'a Experiment,
    /// What looks wrong with it.
    pub warnings: &'a [String],
    pub trained: &'a Trained<'a>,
    pub shares: &'a Shares,
    /// Whether the study that the folder has goes on with this experiment.
    pub fits: Fits,
    /// What an earlier run of the study did.
    pub before: Option<&'a StudyState>,
}

/// How an experiment goes with the study that its folder has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fits {
    /// It goes on, or there is none.
    Yes,
    /// With --extend, which was not given.
    Extended,
    /// It was begun with other settings.
    No,
}

/// A candidate of the plan.
struct Looked {
    record: CandidateRecord,
    network: Network,
    /// Trials of it that are left.
    left: usize,
    /// All its trials.
    trials: usize,
    /// Bytes of memory that a trial needs; it is not trained where that is too much.
    need: u64,
}

/// What a study will cost.
struct Foretold {
    candidates: usize,
    /// All trials; those that have ended; whether the number is exact or the most there can be.
    trials: usize,
    ended: usize,
    is_exact: bool,
    /// Trials that are looked at one by one, of those that are left.
    looked_at: usize,
    epochs: u64,
    /// Of training, where there are images.
    steps: Option<u64>,
    seconds: f64,
    timing: Timing,
    disk: Disk,
    memory: u64,
    images: u64,
}

/// Prints what `plan` will cost.
///
/// # Errors
/// What the plan ends with, or a system that gives no threads to measure with.
pub fn execute(request: &Request<'_>, plan: &mut ExperimentPlan, json: bool) -> Result<()> {
    let foretold = foretell(request, plan)?;
    if json { output::print_json(&foretold.json(request)) } else { output::print(&foretold.text(request)) }
}

fn foretell(request: &Request<'_>, plan: &mut ExperimentPlan) -> Result<Foretold> {
    let Request { experiment, trained, shares, .. } = request;
    let total = plan.total();
    let (looked, ended_plan) = look(request, plan)?;
    let seen: usize = looked.iter().map(|c| c.trials).sum();
    let trials = if ended_plan { seen } else { total.unwrap_or(seen).max(seen) };
    let ended = seen - looked.iter().map(|c| c.left).sum::<usize>();
    let left = trials - ended;
    let looked_at: usize = looked.iter().map(|c| c.left).sum();
    // Of what was not looked at, the mean of what was.
    let scale = left as f64 / looked_at.max(1) as f64;

    let fits = |c: &&Looked| shares.memory.is_none_or(|most| c.need <= most);
    let trainable: Vec<&Looked> = looked.iter().filter(|c| c.left > 0).filter(fits).collect();
    let timing = match trained.images() {
        Some(data) => {
            let networks: Vec<(&CandidateRecord, &Network)> =
                trainable.iter().map(|c| (&c.record, &c.network)).collect();
            Timing::measured(experiment, data, &networks, shares)?
        }
        None => Timing::default(),
    };
    let epochs = experiment.train.epochs;
    let of_trial = |c: &Looked| {
        trained
            .simulated_seconds(&c.record, epochs)
            .unwrap_or_else(|| timing.of_trial(c.record.madds, epochs))
    };
    // Of what stops at rungs, the mean share of a whole training.
    let share_of_rungs = rungs::share(experiment);
    let share = |c: &Looked| if c.record.is_variant { 1.0 } else { share_of_rungs };
    let seconds: Vec<f64> =
        trainable.iter().flat_map(|c| std::iter::repeat_n(share(c) * of_trial(c), c.left)).collect();
    let per_epoch = trained.images().map(|data| steps(experiment, data));
    let whole: f64 = looked.iter().map(|c| share(c) * c.left as f64).sum();
    let all_epochs = (whole * scale * epochs as f64).round() as u64;
    let largest = trainable.iter().map(|c| c.need).max().unwrap_or(0);
    let networks: Vec<(&CandidateRecord, &Network, usize)> =
        looked.iter().map(|c| (&c.record, &c.network, c.trials)).collect();
    Ok(Foretold {
        candidates: trials / experiment.seeds.len().max(1),
        trials,
        ended,
        is_exact: ended_plan,
        looked_at,
        epochs: all_epochs,
        steps: per_epoch.map(|steps| all_epochs * steps),
        seconds: makespan(&seconds, shares.jobs) * scale,
        timing,
        disk: Disk::of(experiment, &networks, trials as f64 / seen.max(1) as f64, shares.jobs, trained),
        memory: largest.saturating_mul(shares.jobs.min(left.max(1)) as u64),
        images: trained.images().map_or(0, image_bytes),
    })
}

/// The first candidates of the plan, and whether they are all.
fn look(request: &Request<'_>, plan: &mut ExperimentPlan) -> Result<(Vec<Looked>, bool)> {
    let (start, batch) = (Instant::now(), request.experiment.train.batch);
    let ended: HashSet<(&str, u64)> = request.before.map_or_else(HashSet::new, |state| {
        let epochs = request.experiment.train.epochs;
        let ended = state.trials.iter().filter(|trial| trial.ended() && !trial.is_short_of(epochs));
        ended.map(|trial| (trial.candidate.hash.as_str(), trial.seed)).collect()
    });
    let mut looked: Vec<Looked> = Vec::new();
    loop {
        let next = match plan.next()? {
            Next::New(next) => next,
            // What goes on is a candidate of before.
            Next::Continue(_) => continue,
            Next::Wait => return Ok((looked, false)),
            Next::End => return Ok((looked, true)),
        };
        let is_left = usize::from(!ended.contains(&(next.candidate.hash.as_str(), next.seed)));
        match looked.last_mut().filter(|last| last.record.hash == next.candidate.hash) {
            Some(last) => {
                last.trials += 1;
                last.left += is_left;
            }
            None => {
                if looked.len() >= LOOKED_AT || start.elapsed() > LOOKING {
                    return Ok((looked, false));
                }
                let need = request.trained.need(&next.network, batch);
                let (record, network) = (next.candidate, next.network);
                looked.push(Looked { record, network, left: is_left, trials: 1, need });
            }
        }
    }
}

/// Steps of an epoch.
fn steps(experiment: &Experiment, data: &Data) -> u64 {
    let TrainConfig { batch, drop_last, .. } = experiment.train;
    epoch_images(data.train.len(), batch, drop_last).div_ceil(batch) as u64
}

fn image_bytes(data: &Data) -> u64 {
    let images = data.record.train + data.record.validation + data.record.test;
    (images * data.side.0 * data.side.1 * CHANNELS) as u64
}

impl Foretold {
    fn text(&self, request: &Request<'_>) -> String {
        let Request { experiment, shares, .. } = request;
        let number = |n: usize| thousands(n as u64);
        let mut lines = vec![format!("{}: nothing is trained, nothing is written", request.file.display())];
        let mut line = |name: &str, text: String| lines.push(format!("{name:<8}{text}"));
        let adapts = experiment.search.as_ref().is_some_and(|search| search.netadapt.is_some());
        let at_most = match (self.is_exact, adapts) {
            (true, _) => "",
            // How many steps it takes shows as it goes.
            (false, true) => "at least ",
            (false, false) => "at most ",
        };
        line(
            "trials",
            format!(
                "{at_most}{}: {} with {} each",
                number(self.trials),
                counted(self.candidates, "candidate"),
                counted(experiment.seeds.len(), "seed")
            ),
        );
        let dir = request.dir.display();
        let extend = if request.fits == Fits::Extended { "; give --extend to add them to it" } else { "" };
        line(
            "study",
            match (request.before, self.ended) {
                (None, _) if request.fits == Fits::No => {
                    format!("{dir}: there is a study of other settings here; name another folder with --out")
                }
                (None, _) => format!("{dir}: new"),
                (Some(_), 0) => format!("{dir}: begun, no trial of these has ended{extend}"),
                (Some(_), ended) => format!(
                    "{dir}: {} ended, {} left, to which the following applies{extend}",
                    number(ended),
                    number(self.trials - ended)
                ),
            },
        );
        let steps = self.steps.map_or_else(String::new, |steps| {
            format!(", {} steps of {} images", thousands(steps), experiment.train.batch)
        });
        line("epochs", format!("{}{steps}", thousands(self.epochs)));
        if let Some(data) = request.trained.images() {
            line("", format!("each takes {}", recipe::epoch(&experiment.train, data.train.len())));
            let DataRecord { train, validation, test, classes, reading, .. } = &data.record;
            line(
                "images",
                format!(
                    "{} for training, {} for validation, {} for the test, {} classes",
                    number(*train),
                    number(*validation),
                    number(*test),
                    number(classes.len())
                ),
            );
            reading.sentences().into_iter().for_each(|text| line("", text));
        }
        if let Some(text) = unbuildable::of(experiment) {
            line("space", text);
        }
        let what = if self.steps.is_none() { " of simulated time" } else { "" };
        let shared = format!(
            "{} at once on {} each",
            counted(shares.jobs, "trial"),
            counted(shares.threads, "thread")
        );
        line("time", format!("about {}{what}, {shared}", duration(self.seconds)));
        self.timing.lines().into_iter().for_each(|text| line("", text));
        if !self.is_exact {
            line("", format!("(from the first {} trials that are left)", number(self.looked_at)));
        }
        line("disk", self.disk.text());
        if self.steps.is_some() {
            line(
                "memory",
                format!(
                    "about {} for the trials that run at once, {} for the images",
                    bytes(self.memory),
                    bytes(self.images)
                ),
            );
        }
        shares.notices.iter().for_each(|notice| line("", notice.clone()));
        lines.extend(request.warnings.iter().map(|warning| format!("warning: {warning}")));
        if self.steps.is_none() {
            lines.push(simulated(&experiment.trainer).into());
        }
        lines.join("\n")
    }

    fn json(&self, request: &Request<'_>) -> Value {
        let Request { experiment, shares, .. } = request;
        json!({
            "study": experiment.name,
            "dir": request.dir,
            "simulated": self.steps.is_none(),
            "candidates": self.candidates,
            "seeds": experiment.seeds.len(),
            "trials": self.trials,
            "exact": self.is_exact,
            "ended": self.ended,
            "epochs": self.epochs,
            "steps": self.steps,
            "warnings": request.warnings,
            "jobs": shares.jobs,
            "threads": shares.threads,
            "seconds": self.seconds,
            "measured": self.timing.json(),
            "disk": self.disk.json(),
            "memory_bytes": self.memory,
            "image_bytes": self.images,
            "images": request.trained.images().map(|data| json!({
                "train": data.record.train, "validation": data.record.validation, "test": data.record.test,
                "notes": data.record.reading.sentences(),
            })),
            "unbuildable": unbuildable::of(experiment),
        })
    }
}
