//! `blocksmith ls`: the studies of a folder.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::output;
use super::view::View;
use crate::error::{Error, Result};
use crate::report::format::utc;
use crate::report::table::{Table, number, text};
use crate::study::{TrialStatus, folder};

/// List the studies of a folder: state, trials, best accuracy, when they began and changed
///
/// A study is a folder with a journal.jsonl. One whose journal does not read is listed with the reason.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    blocksmith ls\n  \
    blocksmith ls reports/ --json | jq -r '.[] | select(.state == \"stopped\") | .dir'\n\n\
    --json prints a list: of each study `dir`, and `study`, `state` (running, stopped or finished), `simulated`, `trials`, `total`,\n  \
    `done`, `failed`, `best` (validation accuracy), `begun` and `changed` (milliseconds since 1970, UTC), or `error`.")]
pub struct Args {
    /// Folder with the studies' folders
    #[arg(value_name = "FOLDER", default_value = "reports")]
    folder: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the list.
///
/// # Errors
/// A sentence where the folder cannot be read.
pub fn execute(args: &Args) -> Result<()> {
    let found: Vec<Found> = studies(&args.folder)?.into_iter().map(Found::look).collect();
    if args.json {
        return output::print_json(&found.iter().map(Found::json).collect::<Vec<_>>());
    }
    if found.is_empty() {
        return output::print(&format!(
            "{}: no studies here; `blocksmith run EXPERIMENT.yaml` makes one",
            args.folder.display()
        ));
    }
    output::print(&as_text(&found))
}

/// The study folders in a folder by their names; the folder alone where it is one itself.
fn studies(folder: &Path) -> Result<Vec<PathBuf>> {
    if folder::journal(folder).exists() {
        return Ok(vec![folder.to_owned()]);
    }
    let list = || -> io::Result<Vec<PathBuf>> {
        let mut studies = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if folder::journal(&path).exists() {
                studies.push(path);
            }
        }
        studies.sort();
        Ok(studies)
    };
    list().map_err(|e| {
        Error::request(format!(
            "{}: cannot list the studies here ({e}): name a folder of studies",
            folder.display()
        ))
    })
}

/// A study's folder and what is in it, or why nobody can say.
struct Found {
    dir: PathBuf,
    view: Result<View>,
}

impl Found {
    fn look(dir: PathBuf) -> Self {
        let view = View::now(&dir);
        Self { dir, view }
    }

    fn json(&self) -> Value {
        let view = match &self.view {
            Ok(view) => view,
            Err(error) => return json!({"dir": self.dir, "error": error.to_string()}),
        };
        let state = &view.state;
        json!({
            "dir": self.dir,
            "study": state.experiment.name,
            "state": view.word(),
            "simulated": view.is_simulated(),
            "trials": state.trials.len(),
            "total": view.tally.trials(),
            "done": state.count(TrialStatus::Finished),
            "failed": state.count(TrialStatus::Failed),
            "best": view.tally.best.map(|(_, accuracy)| accuracy),
            "begun": state.first_at,
            "changed": state.last_at,
        })
    }
}

fn as_text(found: &[Found]) -> String {
    let mut table = Table::new(vec![
        text("folder"),
        text("study"),
        text("state"),
        number("done"),
        number("failed"),
        number("trials"),
        number("best val acc"),
        text("begun"),
        text("changed"),
    ]);
    let mut damaged = Vec::new();
    for Found { dir, view } in found {
        let name = dir.file_name().unwrap_or(dir.as_os_str()).to_string_lossy().into_owned();
        match view {
            Ok(view) => {
                let count = |status| view.state.count(status).to_string();
                let simulated = if view.is_simulated() { " (simulated)" } else { "" };
                table.push(vec![
                    name,
                    view.state.experiment.name.clone(),
                    format!("{}{simulated}", view.word()),
                    count(TrialStatus::Finished),
                    count(TrialStatus::Failed),
                    view.tally.trials().to_string(),
                    view.tally.best.map_or_else(|| "-".into(), |(_, accuracy)| format!("{accuracy:.1}%")),
                    utc(view.state.first_at),
                    utc(view.state.last_at),
                ]);
            }
            Err(error) => {
                let mut row = vec![name, "-".into(), "unreadable".into()];
                row.resize(9, "-".into());
                table.push(row);
                damaged.push(error.to_string());
            }
        }
    }
    let lines = [vec![table.terminal().trim_end().to_owned()], damaged].concat();
    lines.join("\n")
}
