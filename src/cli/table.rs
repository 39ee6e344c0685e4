//! `blocksmith table`: a study as a table, to be replayed.

use std::path::{Path, PathBuf};

use super::{output, profiled, report};
use crate::analysis::StudySummary;
use crate::arch::{Shape, zoo};
use crate::config::Experiment;
use crate::cost;
use crate::error::{Error, Result};
use crate::file::Output;
use crate::report::format::{counted, thousands};
use crate::report::tabulated::{self, Tabulated};
use crate::space::SearchSpace;
use crate::study::StudyState;
use crate::study::event::CandidateRecord;
use crate::train::table::End;

/// Write a study as a table that `trainer: tabular` replays
///
/// Reads the journal that `run` wrote. The table is CSV with a row for every candidate and seed: its choices, params,
/// multiply-adds and activation memory, seconds of an epoch, and after every epoch the accuracy and loss on the validation
/// and the training split; then those on the test split. Lines before it say which study it is of.
///
/// A search over the same space with `trainer: {kind: tabular, table: FILE}` then takes moments: strategies can be compared on
/// figures of networks that were trained once. Trials that failed are in the table, and fail again. Trials that have not
/// finished are left out, and counted.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    blocksmith table reports/tabular\n  \
    blocksmith table reports/tabular --out tabular.csv.gz")]
pub struct Args {
    /// Folder of the study, as `run` wrote it
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// File to write, in gzip where its name ends in .gz [default: table.csv in the study's folder]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file where it is there already
    #[arg(long)]
    force: bool,
    /// Print JSON: `file`, `bytes`, `hash`, `trials`, `failed`, `candidates`, `seeds`, `epochs`, `left_out`
    #[arg(long)]
    json: bool,
}

/// Writes the table and says what is in it.
///
/// # Errors
/// A sentence where there is no study, no trial of it can be in a table, or the file cannot be written.
pub fn execute(args: &Args) -> Result<()> {
    let dir = args.dir.display();
    let out = args.out.clone().unwrap_or_else(|| args.dir.join("table.csv"));
    let records = report::read(&args.dir)?;
    check_ending(&out)?;
    let file = Output::new(&out, "--out", args.force)?;
    let study = StudySummary::fold(&records);
    let placed = |error: Error| match error {
        Error::Request(message) => Error::request(format!("{dir}: {message}")),
        other => other,
    };
    let input = input(&study).map_err(placed)?;
    let results = results(records)?;
    let made = tabulated::table(&study, input, &results).map_err(placed)?;
    let gzip = out.extension().is_some_and(|end| end == "gz");
    let bytes = made.table.bytes(gzip)?;
    file.write(&bytes)?;
    for warning in made.table.warnings() {
        output::complain(&format!("warning: {}: {warning}", out.display()));
    }
    if file.is_stdout() {
        return Ok(());
    }
    say(args, &out, bytes.len(), &made)
}

/// Refuses a name whose ending says another format.
fn check_ending(out: &Path) -> Result<()> {
    // A name without an end says nothing that is not so.
    let shown = out.to_string_lossy().to_ascii_lowercase();
    let is_other = out.extension().is_some() && ![".csv", ".csv.gz"].iter().any(|end| shown.ends_with(end));
    if is_other && !out.is_dir() {
        return Err(Error::request(format!(
            "--out {}: a table is written as .csv or .csv.gz: end the name in one of these",
            out.display()
        )));
    }
    Ok(())
}

fn say(args: &Args, out: &Path, bytes: usize, made: &Tabulated) -> Result<()> {
    let Tabulated { table, unfinished, short, untested } = made;
    let failed = table.rows().iter().filter(|row| matches!(row.end, End::Failed { .. })).count();
    if args.json {
        return output::print_json(&serde_json::json!({
            "file": out,
            "bytes": bytes,
            "hash": table.hash()?,
            "trials": table.rows().len(),
            "failed": failed,
            "candidates": table.candidates(),
            "seeds": table.seeds(),
            "epochs": table.epochs,
            "left_out": unfinished + short + untested,
        }));
    }
    let number = |n: usize| thousands(n as u64);
    let mut text = format!(
        "{}: {} of {}, {}, {}",
        out.display(),
        counted(table.rows().len(), "trial"),
        counted(table.candidates(), "candidate"),
        counted(table.seeds().len(), "seed"),
        counted(table.epochs, "epoch")
    );
    let mut line = |count: usize, what: &str| {
        if count > 0 {
            text.push_str(&format!("\n{} {what}", number(count)));
        }
    };
    line(failed, "of them failed, and will fail again");
    line(*unfinished, "left out that have not ended");
    line(*short, "left out with fewer epochs");
    line(*untested, "left out for which the test split has not been read");
    output::print(&text)
}

/// The study's results hash.
fn results(records: Vec<crate::study::event::Record>) -> Result<String> {
    let mut records = records.into_iter();
    let Some(first) = records.next() else { return Ok(String::new()) };
    let mut state = StudyState::begin(first).map_err(Error::run)?;
    records.try_for_each(|record| state.apply(record)).map_err(Error::run)?;
    Ok(state.results_hash())
}

/// Sides of images that people use.
const SIDES: [usize; 12] = [32, 28, 64, 224, 16, 96, 48, 24, 128, 256, 160, 192];

/// The shape of the study's images, which its journal does not always name: the one for which its largest candidate has the
/// multiply-adds and the activation memory that the journal says.
fn input(study: &StudySummary) -> Result<Shape> {
    let largest = study.trials.iter().map(|trial| &trial.candidate).max_by_key(|candidate| candidate.madds);
    let (Some(experiment), Some(largest)) = (&study.experiment, largest) else {
        return Err(Error::request(
            "the study has no trials yet: its table can be made once it has finished",
        ));
    };
    let classes = study.environments.first().map_or(0, |environment| environment.data.classes.len());
    guesses(experiment).into_iter().find(|input| is_of(largest, *input, classes)).ok_or_else(|| {
        Error::request(format!(
            "the shape of its images cannot be told from the journal: put back the search space that it names, or run it \
             again with this blocksmith ({} has {} multiply-adds)",
            largest.text,
            thousands(largest.madds)
        ))
    })
}

fn guesses(experiment: &Experiment) -> Vec<Shape> {
    let space = experiment.search.as_ref().and_then(|search| SearchSpace::load(&search.space).ok());
    let of_space = space.map(|space| Shape::new(space.input[0], space.input[1], space.input[2]));
    let of_side = SIDES.map(|side| Shape::new(3, side, side));
    of_space.into_iter().chain(profiled::images_of(experiment)).chain(of_side).collect()
}

fn is_of(candidate: &CandidateRecord, input: Shape, classes: usize) -> bool {
    let options = zoo::Options { classes: Some(classes), input: Some(input), ..Default::default() };
    zoo::resolve(&candidate.text, &options).is_ok_and(|named| {
        let cost = cost::of(&named.network);
        let found = (cost.params, cost.madds, cost.activation_memory);
        found == (candidate.params, candidate.madds, candidate.activation_memory)
    })
}
