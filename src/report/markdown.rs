//! `report.md`: what was found, then how it was run.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::escape::{self, code, inline};
use super::format::{self, counted, thousands};
use super::pictures::Picture;
use super::{Findings, best, latency, netadapt, recipe, tables, unbuildable, warnings};
use crate::analysis::{Cost, Progress, Split};
use crate::config::TrainerConfig;
use crate::study::TrialStatus;
use crate::study::event::Environment;

/// What figures of a simulation are, wherever they are shown.
pub fn simulated(findings: &Findings) -> Option<&'static str> {
    match findings.study.experiment.as_ref()?.trainer {
        TrainerConfig::Network => None,
        TrainerConfig::Simulated(_) => Some(
            "Simulated: no network was trained; accuracies and times are computed from a formula, not measured",
        ),
        TrainerConfig::Tabular(_) => Some(
            "Replayed: no network was trained in this study; accuracies and times are those that a table recorded",
        ),
    }
}

/// Its first line.
pub fn title(findings: &Findings) -> String {
    format!("# {}", inline(findings.name()))
}

/// The report's text.
pub fn report(findings: &Findings, pictures: &[Picture]) -> String {
    let mut out = format!("{}\n\n", title(findings));
    let experiment = findings.study.experiment.as_ref();
    if let Some(simulated) = simulated(findings) {
        let _ = writeln!(out, "**{simulated}.**\n");
    }
    if let Some(description) = experiment.and_then(|e| e.description.as_ref()) {
        let _ = writeln!(out, "{}\n", escape::paragraphs(description));
    }
    let _ = writeln!(out, "{}\n", progress(findings));
    out.push_str(&warnings::section(&findings.warnings()));
    // An ablation has no best trial: it compares means.
    if let Some(best) = best::sentences(findings, escape::inline).filter(|_| findings.searches()) {
        let _ = writeln!(out, "{}\n", best.replace('\n', "\n\n"));
    }
    let figure = |out: &mut String, file: &str| {
        if let Some(p) = pictures.iter().find(|p| p.file == file) {
            let _ = writeln!(out, "![{}]({file}.svg)\n", p.caption);
        }
    };
    if let Some(ablation) = &findings.ablation {
        let _ = writeln!(out, "## Ablation\n\n{}", tables::ablation(ablation).markdown());
        let _ = writeln!(out, "{}\n", ablation_notes(findings));
        figure(&mut out, "ablation");
    }
    if let Some(adaptation) = &findings.adaptation {
        let is_finished = findings.study.progress == Progress::Finished;
        out.push_str(&netadapt::section(adaptation, is_finished));
    }
    if findings.has_results() {
        fronts(&mut out, findings, figure);
    }
    if let Some(against) = &findings.against {
        out.push_str(&against.section(pictures));
    }
    if let Some(section) = latency::section(&findings.study) {
        out.push_str(&section);
    }
    if pictures.iter().any(|p| p.file == "learning-curves") {
        out.push_str("## Learning curves\n\n");
        figure(&mut out, "learning-curves");
    }
    if !findings.effects.is_empty() {
        let split = findings.study.comparison_split().name();
        let table = tables::effects(&findings.effects, split).markdown();
        let merged = super::merged::sentence(&findings.study);
        let what = if findings.is_grid {
            "Every combination of these levels was trained, so what is compared differs in the one factor alone, and is the mean over \
             all levels of the others; an effect that depends on another factor is averaged out."
        } else {
            "This is what was seen, not what changing one factor alone would do: candidates with another level may differ in the other \
             factors too, since not every combination of the levels was trained."
        };
        let _ = writeln!(
            out,
            "## Effects of the factors\n\nMean {split} accuracy of the candidates with each level; a candidate counts once, with its mean over \
             seeds.{merged} {what} The largest of many ranges is large by chance: read differences against the spread.\n\n{table}"
        );
        figure(&mut out, "effects");
    }
    let failures = tables::failures(&findings.study);
    if !failures.is_empty() {
        let _ = writeln!(out, "## Failed trials\n\n{}", failures.markdown());
    }
    out.push_str(&how(findings));
    out
}

/// Where the study stands, in a sentence or two.
pub fn progress(findings: &Findings) -> String {
    let study = &findings.study;
    if study.progress == Progress::Empty {
        return "**The journal is empty: nothing was run.**".to_owned();
    }
    let (all, done) = (study.trials.len(), study.count(TrialStatus::Finished));
    let failed = study.count(TrialStatus::Failed);
    let timed_out = study.trials.iter().filter(|trial| trial.timed_out.is_some()).count();
    let mut text = format!(
        "{} of {} finished{}{}.",
        thousands(done as u64),
        counted(all, "trial"),
        match study.count(TrialStatus::Stopped) - timed_out {
            tuned @ 1.. if findings.adaptation.is_some() =>
                format!(", {} fine-tuned", thousands(tuned as u64)),
            _ => String::new(),
        },
        if failed > 0 { format!(", {} failed", thousands(failed as u64)) } else { String::new() },
    );
    match study.progress {
        Progress::Finished => {}
        Progress::Interrupted => {
            text = format!(
                "**This study was interrupted: {text}** The same `run` command continues it; every figure below is of what is finished."
            );
        }
        _ => {
            text = format!(
                "**This study is not finished: {text}** It is still running, or the same `run` command continues it; every figure below is of what is finished."
            );
        }
    }
    if study.search_timed_out {
        text.push_str(" The search had no more time (`search.timeout`): candidates that it had not trained are left out.");
    }
    if timed_out > 0 {
        let _ = write!(
            text,
            " {} had no more time and stopped before the last epoch: their figures are in trials.csv, and in no table or front.",
            counted(timed_out, "trial")
        );
    }
    if study.search_timed_out || timed_out > 0 {
        text.push_str(" Where a limit on time ends something, another run gives other figures and another results hash.");
    }
    if !findings.has_results() {
        text.push_str(" **No trial has finished, so there is no accuracy to report yet.**");
    }
    text
}

fn ablation_notes(findings: &Findings) -> String {
    let Some(ablation) = &findings.ablation else {
        return String::new();
    };
    let mut notes = match ablation.split {
        Split::Test => String::from("Accuracy is on the test split, read once per trial after all training"),
        Split::Validation if findings.tested() > 0 => format!(
            "Accuracy is on the validation split: the test split has been read for {} of {} only, and rows must compare",
            findings.tested(),
            counted(findings.study.finished().count(), "finished trial")
        ),
        Split::Validation => {
            String::from("Accuracy is on the validation split, since the test split has not been read")
        }
    };
    notes.push_str("; mean ± sample standard deviation over seeds. ");
    let differences = ablation.rows.iter().filter_map(|r| r.difference);
    match differences.filter(|d| d.interval.is_some()).count() {
        0 => notes.push_str("One seed, or seeds that do not vary, give no interval. "),
        n => {
            notes.push_str(
                "Intervals (95 %) and two-sided p-values are of Welch's t-test against the baseline",
            );
            notes.push_str(match n {
                1 => ". ",
                _ => "; they are not corrected for the number of variants. ",
            });
        }
    }
    notes.push_str(&seeds_added(findings));
    let seeds = ablation.rows.iter().filter_map(|r| r.accuracy).map(|a| a.n).max().unwrap_or(0);
    if (2..5).contains(&seeds) {
        let _ = write!(
            notes,
            "With {seeds} seeds the intervals are wide: they say what these runs can and cannot tell apart. "
        );
    }
    if ablation.rows.iter().any(|r| r.published.is_some()) {
        notes.push_str(
            "Published figures are as their authors print them, with their own training, not this budget. ",
        );
    }
    notes.trim_end().to_owned()
}

/// What seeds that were added to a study whose figures could be seen do to p, where there is a p.
pub fn seeds_added(findings: &Findings) -> String {
    let rows = findings.ablation.iter().flat_map(|ablation| &ablation.rows);
    let has_p = rows.filter_map(|row| row.difference).any(|difference| difference.p.is_some());
    let (Some(begun), true) = (&findings.study.seeds_begun, has_p) else { return String::new() };
    let list = |seeds: &mut dyn Iterator<Item = u64>| {
        seeds.map(|seed| seed.to_string()).collect::<Vec<_>>().join(", ")
    };
    let now = findings.study.experiment.iter().flat_map(|experiment| &experiment.seeds).copied();
    format!(
        "The study began with {} {}; {} {} added later (`--extend`), when figures could be seen. Where seeds are added until a \
         difference shows, p comes out too small and intervals too narrow; p as printed holds only if their number was decided \
         beforehand. ",
        if begun.len() == 1 { "the seed" } else { "the seeds" },
        list(&mut begun.iter().copied()),
        list(&mut now.clone().filter(|seed| !begun.contains(seed))),
        if now.filter(|seed| !begun.contains(seed)).count() == 1 { "was" } else { "were" },
    )
}

fn fronts(out: &mut String, findings: &Findings, figure: impl Fn(&mut String, &str)) {
    out.push_str("## Pareto fronts\n\n");
    if findings.searches() {
        out.push_str(
            "The fronts are chosen on the validation split, so that the test accuracy of what is on them stays honest.\n\n",
        );
    }
    let mut shown: Option<BTreeSet<&str>> = None;
    for front in &findings.fronts {
        let file = match front.cost {
            Cost::Params => "pareto-params",
            Cost::Madds => "pareto-madds",
        };
        let n = front.front().count();
        let _ = writeln!(
            out,
            "### {} against accuracy\n\n{} of {} on the front. Hypervolume: {:.1} % of the box from 0 to 1.1 times the largest cost and from chance to 100 %.\n",
            match front.cost {
                Cost::Params => "Params",
                Cost::Madds => "Multiply-adds",
            },
            n,
            counted(front.points.len(), if findings.searches() { "candidate" } else { "variant" }),
            front.hypervolume_percent
        );
        let set: BTreeSet<&str> = front.front().map(|p| p.hash.as_str()).collect();
        if !findings.searches() {
            // Their figures stand in the ablation table.
            let names: Vec<String> = front.front().map(|p| inline(&p.name)).collect();
            let _ = writeln!(out, "On the front, cheapest first: {}.\n", names.join("; "));
        } else if shown.as_ref() == Some(&set) {
            out.push_str("The same candidates are on this front.\n\n");
        } else {
            let _ = writeln!(out, "{}", tables::front(front).markdown());
            if n > tables::MOST_ROWS {
                let _ = writeln!(
                    out,
                    "The table has {} of them, evenly spread; all candidates are in [trials.csv](trials.csv).\n",
                    tables::MOST_ROWS
                );
            }
            shown.get_or_insert(set);
        }
        figure(out, file);
    }
}

/// Machine, versions, command, data and recipe.
fn how(findings: &Findings) -> String {
    let study = &findings.study;
    let mut out = String::from("## How this was run\n\n");
    let mut item = |name: &str, text: String| {
        let _ = writeln!(out, "- **{name}**: {text}");
    };
    if let Some(environment) = study.environments.first() {
        item("Command", code(&environment.command));
        item("Machine", machine(environment));
        item("Version", format!("blocksmith {}", inline(&environment.version)));
    }
    for (i, environment) in study.environments.iter().enumerate().skip(1) {
        let first = &study.environments[i - 1];
        let mut text = code(&environment.command);
        if machine(environment) != machine(first) || environment.version != first.version {
            let _ = write!(text, " on {}, blocksmith {}", machine(environment), inline(&environment.version));
        }
        item("Resumed", text);
    }
    if let Some((from, to)) = study.span {
        item(
            "Time",
            format!(
                "{} to {}; {} of training summed over trials",
                format::utc(from),
                format::utc(to),
                format::duration(findings.seconds())
            ),
        );
    }
    if let Some(e) = &study.experiment {
        let seeds: Vec<String> = e.seeds.iter().map(ToString::to_string).collect();
        let searched = study.candidates().iter().filter(|c| !c.record.is_variant).count();
        item("Candidates", recipe::candidates(e, (study.progress == Progress::Finished).then_some(searched)));
        if let Some(sentence) = unbuildable::of(e) {
            item("Not built", sentence);
        }
        if let Some(definitions) = recipe::definitions(e) {
            item("Definitions", definitions);
        }
        item("Seeds", format!("{} (study seed {})", seeds.join(", "), e.seed));
        item("Training", recipe::any(e));
        if let Some(environment) = study.environments.last().filter(|_| e.trainer.is_network()) {
            item("Epoch", recipe::epoch(&e.train, environment.data.train));
        }
    }
    let is_tabular = study.experiment.as_ref().is_some_and(|e| e.trainer.tabular().is_some());
    if let Some(environment) = study.environments.last().filter(|_| !findings.is_simulated() || is_tabular) {
        let data = &environment.data;
        item(
            "Data",
            format!(
                "{}; {} classes; {} training, {} validation, {} test images",
                inline(&data.description),
                data.classes.len(),
                thousands(data.train as u64),
                thousands(data.validation as u64),
                thousands(data.test as u64)
            ),
        );
        item("Data hash", format!("SHA-256 {}", code(&data.hash)));
        for sentence in data.reading.sentences() {
            item("Images", format!("{}.", inline(&sentence)));
        }
    }
    let trained = study.experiment.as_ref().filter(|_| !findings.is_simulated());
    if let Some(subset) = trained.and_then(|e| recipe::subset(&e.data)) {
        item("Subset", subset);
    }
    item("Test split", test_split(findings));
    item("Every trial", "[trials.csv](trials.csv)".to_owned());
    out
}

fn test_split(findings: &Findings) -> String {
    let (read, finished) = (findings.tested(), findings.study.finished().count());
    match read {
        0 => "not read yet; every choice was made on the validation split".to_owned(),
        _ if read == finished => {
            "read once for every finished trial, after all training and every choice were done".to_owned()
        }
        _ => format!(
            "read once for {read} of {}, after all training and every choice were done",
            counted(finished, "finished trial")
        ),
    }
}

fn machine(e: &Environment) -> String {
    format!(
        "{}, {}, {}; {} with {} each",
        inline(&e.cpu),
        counted(e.cores, "core"),
        inline(&e.os),
        counted(e.jobs, "job"),
        counted(e.threads_per_job, "thread")
    )
}
