//! `blocksmith compare`: strategies against one another on a table, over many seeds.

mod race;

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use self::race::{Course, Run};
use super::output;
use crate::analysis::stats;
use crate::config::{Objective, RewardConfig, SearchConfig, StrategyKind};
use crate::error::{Error, Result};
use crate::file::Output;
use crate::report::escape;
use crate::report::figure::canvas;
use crate::report::figure::race::{Race, Runner};
use crate::report::files;
use crate::report::format::counted;
use crate::report::table::{self, Table as Text};
use crate::report::warnings;
use crate::space::SearchSpace;
use crate::train::Table;

/// Race strategies on a table of trials: what each has found after so many evaluations, over many seeds.
///
/// A budget counts whole trainings: a trial that stops after a third of its epochs costs a third. Found is what was trained for
/// all epochs; it is scored by its mean accuracy over the table's seeds, which no strategy sees: a run with seed s sees
/// those of one seed of the table.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    blocksmith compare reports/tabular/table.csv.gz --space search-spaces/tabular.yaml\n  \
    blocksmith compare table.csv.gz --space s.yaml --strategies sh_emoa,random --seeds 20 --budgets 25,50\n  \
    blocksmith compare table.csv.gz --space s.yaml --out reports/strategies --curves ours.json")]
pub struct Args {
    /// Table of every candidate of the space, as `blocksmith table` writes it
    #[arg(value_name = "TABLE")]
    table: PathBuf,
    /// The search space that the table is of
    #[arg(long, value_name = "SPACE.yaml")]
    space: PathBuf,
    /// Strategies to compare
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "NAMES",
        default_value = "sh_emoa,random,local,evolution,nsga2,tpe,mnas"
    )]
    strategies: Vec<String>,
    /// Runs of each strategy
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    seeds: u64,
    /// Evaluations after which they are compared
    #[arg(long, value_delimiter = ',', value_name = "NUMBERS", default_value = "50,100,150,200,300")]
    budgets: Vec<usize>,
    /// The cost beside accuracy: params, madds or activation_memory
    #[arg(long, default_value = "params")]
    cost: String,
    /// Orders that are open at once
    #[arg(long, default_value_t = 4)]
    ahead: usize,
    /// Folder for a report with plots
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// File for every run's hypervolume: {"strategy": {"budget": [values over seeds]}}
    #[arg(long, value_name = "FILE")]
    curves: Option<PathBuf>,
    /// Replace files that are there already
    #[arg(long)]
    force: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is written with `--out`, the report first, which begins with the title.
const FILES: [&str; 3] = ["strategies.md", "strategies.svg", "strategies.png"];
const TITLE: &str = "# Strategies on a table";

/// One strategy at every budget.
struct Raced {
    name: &'static str,
    runs: Vec<Run>,
}

/// Runs the strategies and prints how they stand.
///
/// # Errors
/// A sentence for what is wrong with the table, the space or the strategies' names.
pub fn execute(args: &Args) -> Result<()> {
    if let Some(path) = args.curves.as_ref().filter(|path| path.extension().is_some_and(|end| end != "json"))
    {
        return Err(Error::request(format!(
            "--curves {}: curves are written as JSON: end the name in .json",
            path.display()
        )));
    }
    let curves_file =
        args.curves.as_ref().map(|path| Output::new(path, "--curves", args.force)).transpose()?;
    if let Some(dir) = &args.out {
        files::claim(dir, &FILES, TITLE, args.force)?;
    }
    let table = Table::read(&args.table)?;
    let warnings = table.warnings();
    let space = SearchSpace::load(&args.space)?;
    let cost = named("a cost", &args.cost, &Objective::NAMES)?;
    if !cost.is_exact() || cost == Objective::Size {
        return Err(Error::request(
            "--cost: give params, madds or activation_memory: costs that a table has",
        ));
    }
    let mut budgets = args.budgets.clone();
    budgets.sort_unstable();
    budgets.dedup();
    if budgets.first().is_none_or(|least| *least == 0) {
        return Err(Error::request("--budgets: give numbers of evaluations from 1, such as 50,100"));
    }
    let course = Course::new(table, space, cost, budgets)?;
    for warning in &warnings {
        output::complain(&format!("warning: {}: {warning}", args.table.display()));
    }
    let mut results = Vec::new();
    for name in &args.strategies {
        let strategy = named("a strategy", name, &StrategyKind::NAMES)?;
        if strategy == StrategyKind::NetAdapt {
            return Err(Error::request(
                "--strategies: netadapt shrinks a network to others that no table has; leave it out",
            ));
        }
        let config = config(strategy, &course, args);
        results.push(Raced { name: strategy.name(), runs: course.race(&config, args.seeds) });
    }
    if let Some(file) = &curves_file {
        file.write(curves(&course, &results).to_string().as_bytes())?;
    }
    if let Some(dir) = &args.out {
        let scene = figure(&course, &results, args).scene();
        files::write(dir, FILES[1], canvas::svg(&scene)?.as_bytes())?;
        files::write(dir, FILES[2], &canvas::png(&scene)?)?;
        files::write(dir, FILES[0], markdown(&course, &results, args, &warnings).as_bytes())?;
    }
    if curves_file.is_some_and(|file| file.is_stdout()) {
        return Ok(());
    }
    if args.json {
        return output::print_json(&as_json(&course, &results, &warnings));
    }
    output::print(&text(&course, &results, args))
}

fn named<T: Copy>(what: &str, name: &str, names: &[(&'static str, T)]) -> Result<T> {
    let found = names.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    found.ok_or_else(|| {
        let known: Vec<&str> = names.iter().map(|(known, _)| *known).collect();
        Error::request(format!("`{name}` is not {what} ({})", known.join(", ")))
    })
}

/// The search of a strategy as a user who names it alone gets it, without an end of its own.
fn config(strategy: StrategyKind, course: &Course, args: &Args) -> SearchConfig {
    let mut config = SearchConfig::new(args.space.clone(), strategy, None);
    config.objectives = vec![Objective::Accuracy, course.cost];
    config.ahead = args.ahead;
    config.budget = SearchConfig::usual_budget(strategy, course.epochs());
    if strategy == StrategyKind::Mnas {
        let (cost, target) = (course.cost, course.median_cost());
        config.reward = Some(RewardConfig { cost, target, alpha: -0.07, beta: -0.07 });
    }
    config
}

/// Median with its interval: `0.912 [0.901, 0.920]`.
fn cell(values: &[f64]) -> String {
    let median = stats::median(values).unwrap_or(f64::NAN);
    match stats::median_interval(values) {
        Some(interval) => format!("{median:.4} [{:.4}, {:.4}]", interval.low, interval.high),
        None => format!("{median:.4}"),
    }
}

fn at(result: &Raced, budget: usize, of: fn(&race::Standing) -> f64) -> Vec<f64> {
    result.runs.iter().map(|run| of(&run[budget])).collect()
}

/// A table of one measure: a row for each strategy, a column for each budget.
fn measure(course: &Course, results: &[Raced], of: fn(&race::Standing) -> f64) -> Text {
    let budgets = course.budgets.iter().map(|budget| table::number(&format!("after {budget}")));
    let mut text = Text::new(std::iter::once(table::text("strategy")).chain(budgets).collect());
    for result in results {
        let cells = (0..course.budgets.len()).map(|budget| cell(&at(result, budget, of)));
        text.push(std::iter::once(result.name.to_owned()).chain(cells).collect());
    }
    text
}

/// Which strategies are told apart from random search at which budgets.
fn against_random(course: &Course, results: &[Raced]) -> Vec<String> {
    let Some(random) = results.iter().find(|result| result.name == StrategyKind::Random.name()) else {
        return Vec::new();
    };
    let others = results.iter().filter(|result| result.name != random.name);
    let verdict = |result: &Raced| {
        let mut alike = Vec::new();
        let mut worse = Vec::new();
        for (budget, evaluations) in course.budgets.iter().enumerate() {
            let of = |standing: &race::Standing| standing.hypervolume;
            match stats::welch(&at(random, budget, of), &at(result, budget, of)) {
                Some(test) if test.p < 0.05 && test.difference > 0.0 => {}
                Some(test) if test.p < 0.05 => worse.push(evaluations.to_string()),
                _ => alike.push(evaluations.to_string()),
            }
        }
        let at = |budgets: &[String]| format!("after {} evaluations", budgets.join(", "));
        match (alike.is_empty(), worse.is_empty()) {
            (true, true) => format!("{} is better than random at every budget", result.name),
            (false, true) => format!("{} is not distinguishable from random {}", result.name, at(&alike)),
            (true, false) => format!("{} is worse than random {}", result.name, at(&worse)),
            (false, false) => format!(
                "{} is not distinguishable from random {}, and worse {}",
                result.name,
                at(&alike),
                at(&worse)
            ),
        }
    };
    others.map(verdict).collect()
}

fn about(course: &Course, args: &Args) -> String {
    format!(
        "{} of {} each on {} ({}, {} epochs)",
        counted(args.strategies.len(), "strategy"),
        counted(args.seeds as usize, "run"),
        args.table.display(),
        counted(course.candidates(), "candidate"),
        course.epochs()
    )
}

const HYPERVOLUME: &str =
    "Share of the hypervolume of the table's front, median over runs with its 95 % interval";
const REGRET: &str = "Regret: the table's best mean accuracy less that of the candidate found best, points, median with its 95 % interval";

fn text(course: &Course, results: &[Raced], args: &Args) -> String {
    let verdicts: String = against_random(course, results).iter().map(|line| format!("\n{line}")).collect();
    format!(
        "{}\n\n{HYPERVOLUME}\n{}\n\n{REGRET}\n{}\n{verdicts}",
        about(course, args),
        measure(course, results, |standing| standing.hypervolume).terminal(),
        measure(course, results, |standing| standing.regret).terminal(),
    )
}

fn markdown(course: &Course, results: &[Raced], args: &Args, warnings: &[String]) -> String {
    let verdicts: String = against_random(course, results).iter().map(|line| format!("- {line}\n")).collect();
    format!(
        "{TITLE}\n\n{}.\n\n{}![Strategies](strategies.svg)\n\n{HYPERVOLUME}:\n\n{}\n\n{REGRET}:\n\n{}\n\n\
         By Welch's test at 5 % of the hypervolumes:\n\n{verdicts}",
        escape::inline(&about(course, args)),
        warnings::section(warnings),
        measure(course, results, |standing| standing.hypervolume).markdown(),
        measure(course, results, |standing| standing.regret).markdown(),
    )
}

/// Every run's hypervolume.
fn curves(course: &Course, results: &[Raced]) -> Value {
    let of = |result: &Raced| {
        let budgets = course.budgets.iter().enumerate();
        let budgets = budgets.map(|(budget, evaluations)| {
            (evaluations.to_string(), at(result, budget, |standing| standing.hypervolume).into())
        });
        Value::Object(Map::from_iter(budgets))
    };
    Value::Object(results.iter().map(|result| (result.name.to_owned(), of(result))).collect())
}

fn as_json(course: &Course, results: &[Raced], warnings: &[String]) -> Value {
    let summary = |values: &[f64]| {
        let interval = stats::median_interval(values);
        json!({
            "median": stats::median(values),
            "low": interval.map(|interval| interval.low),
            "high": interval.map(|interval| interval.high),
        })
    };
    let of = |result: &Raced| {
        let budgets = course.budgets.iter().enumerate().map(|(budget, evaluations)| {
            json!({
                "evaluations": evaluations,
                "hypervolume": summary(&at(result, budget, |standing| standing.hypervolume)),
                "regret": summary(&at(result, budget, |standing| standing.regret)),
                "trained": summary(&at(result, budget, |standing| standing.trained as f64)),
            })
        });
        json!({"strategy": result.name, "budgets": budgets.collect::<Vec<_>>()})
    };
    json!({
        "candidates": course.candidates(),
        "epochs": course.epochs(),
        "strategies": results.iter().map(of).collect::<Vec<_>>(),
        "verdicts": against_random(course, results),
        "warnings": warnings,
    })
}

fn figure(course: &Course, results: &[Raced], args: &Args) -> Race {
    let line = |result: &Raced, of: fn(&race::Standing) -> f64| {
        let point = |budget: usize| {
            let values = at(result, budget, of);
            let median = stats::median(&values).unwrap_or(f64::NAN);
            let (low, high) = stats::median_interval(&values).map_or((median, median), |i| (i.low, i.high));
            (median, low, high)
        };
        (0..course.budgets.len()).map(point).collect()
    };
    let runner = |result: &Raced| Runner {
        name: result.name.to_owned(),
        lines: vec![line(result, |standing| standing.hypervolume), line(result, |standing| standing.regret)],
    };
    Race {
        title: "Strategies on a table".into(),
        subtitle: about(course, args),
        axis: "Evaluations (whole trainings)".into(),
        budgets: course.budgets.iter().map(|budget| *budget as f64).collect(),
        panels: vec![
            "Share of the front's hypervolume".into(),
            "Regret of the best accuracy (points)".into(),
        ],
        runners: results.iter().map(runner).collect(),
    }
}
