//! `blocksmith report`: tables and plots of a study, from its journal.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::output;
use crate::error::Result;
use crate::report::{self, Findings, Headline, files};
use crate::study::event::Record;
use crate::study::{folder, journal};

/// Write the report of a study: tables, plots, report.md and trials.csv
///
/// Reads the journal that `run` wrote, and nothing else: no data, no training. A study that is still running or was
/// interrupted gives a report of what is finished, and says so. The same journal gives the same files.
///
/// Writes report.md, trials.csv, and as SVG and PNG: pareto-params and pareto-madds (the Pareto fronts),
/// learning-curves, ablation (where the experiment has variants), effects (where it has a search).
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  blocksmith report reports/quickstart
  blocksmith report reports/mix-ablation --json
  blocksmith report reports/mix-ablation --out look")]
pub struct ReportArgs {
    /// Folder of the study: the one `run` wrote its journal.jsonl into
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,

    /// Write the report into this folder instead of the study's own
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,

    /// Replace files of other reports that are in that folder already
    #[arg(long, requires = "out")]
    pub force: bool,

    /// Print the figures as JSON instead of tables (the files are written all the same)
    #[arg(long)]
    pub json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Output<'a> {
    #[serde(flatten)]
    headline: Headline<'a>,
    files: Vec<String>,
}

/// Writes the report and prints its headline.
///
/// # Errors
/// There is no readable journal in the folder, or the report cannot be written.
pub fn run(args: &ReportArgs) -> Result<()> {
    let records = read(&args.dir)?;
    let out = args.out.as_deref().unwrap_or(&args.dir);
    let random = random(&args.dir)?;
    if args.out.is_some() && !is_same(out, &args.dir) {
        files::claim(out, &report::FILES, &report::title(&records), args.force)?;
    }
    let findings = Findings::beside(&records, random.as_deref());
    let written = report::write_findings(&findings, out)?;
    if args.json {
        let figures = Output {
            headline: findings.headline(),
            files: written.files.iter().map(|f| f.display().to_string()).collect(),
        };
        return output::print_json(&figures);
    }
    output::print(&format!("{}\n\nreport: {}", written.summary, written.report.display()))
}

/// Whether two paths name one folder.
fn is_same(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// Folder within a study's of random search at the same cost.
pub const RANDOM: &str = "random";

/// The records of random search at the same cost, where the study has it.
///
/// # Errors
/// Its journal does not read.
pub fn random(dir: &Path) -> Result<Option<Vec<Record>>> {
    let dir = dir.join(RANDOM);
    if folder::journal(&dir).exists() { read(&dir).map(Some) } else { Ok(None) }
}

/// The records of a study's journal.
///
/// # Errors
/// There is no journal in the folder, or it does not read.
pub fn read(dir: &Path) -> Result<Vec<Record>> {
    let path = folder::journal(dir);
    if !path.exists() {
        return Err(folder::no_study(dir));
    }
    let mut records = Vec::new();
    journal::replay(&path, |record| {
        records.push(record);
        Ok(())
    })?;
    Ok(records)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::study::Link;

    #[test]
    fn a_folder_without_a_study_is_named_with_a_remedy() {
        let folder = tempfile::tempdir().expect("a folder");
        let args = ReportArgs { dir: folder.path().join("nothing"), out: None, force: false, json: false };
        let error = run(&args).expect_err("no study");
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("name the folder that `blocksmith run` wrote"));
    }

    #[test]
    fn a_journal_is_read_up_to_a_torn_line_and_reported_elsewhere() {
        let (study, out) = (tempfile::tempdir().expect("a"), tempfile::tempdir().expect("b"));
        let records = crate::report::synthetic::mix().records();
        let mut lines = journal::chained(&records, &mut Link::default()).expect("lines");
        lines.extend(b"{\"at\":17");
        fs::write(folder::journal(study.path()), lines).expect("the journal");
        assert_eq!(read(study.path()).expect("records"), records);
        let args = ReportArgs {
            dir: study.path().to_owned(),
            out: Some(out.path().to_owned()),
            force: false,
            json: true,
        };
        run(&args).expect("a report");
        run(&args).expect("its own report is replaced");
        assert!(out.path().join("report.md").exists());
        assert!(!study.path().join("report.md").exists());
    }
}
