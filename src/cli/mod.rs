//! The command line: one file per subcommand. With the progress display the only room that prints.

mod adapted;
pub mod bench;
mod break_lock;
mod breakdown;
mod claim;
pub mod compare;
pub mod draw;
mod dry_run;
pub mod enumerate;
pub mod export;
mod follow;
pub mod interrupt;
pub mod latency;
mod loaded;
pub mod ls;
mod measured;
mod memory;
mod numbers;
pub mod output;
mod place;
pub mod plan;
pub mod predict;
pub mod profile;
mod profiled;
pub mod progress;
mod recorded;
pub mod report;
pub mod retry;
pub mod run;
mod rungs;
pub mod searched;
mod shares;
mod start;
pub mod status;
mod studied;
pub mod table;
mod threads;
mod trained;
mod view;
pub mod zoo;

use clap::{Parser, Subcommand};

use crate::config::yaml::read_once;
use crate::error::{Error, Result};
use crate::study::caught;
use crate::text;

/// Neural architecture search and ablation for small image networks.
///
/// Write down in YAML what may vary in a network and how to train it; blocksmith trains the candidates and says what each
/// choice is worth, with the spread over seeds: Pareto fronts, ablation tables and learning curves.
#[derive(Debug, Parser)]
#[command(
    // Not what the file happens to be called: help and messages say it.
    bin_name = "blocksmith",
    version,
    propagate_version = true,
    max_term_width = 100,
    after_help = "Examples:\n  \
        blocksmith run experiments/quickstart.yaml               search a small space, no download needed\n  \
        blocksmith status reports/quickstart                     how far it has come\n  \
        blocksmith ls                                            every study in reports/\n  \
        blocksmith report reports/quickstart                     its tables and plots again\n  \
        blocksmith enumerate search-spaces/quickstart.yaml       how large a search space is\n  \
        blocksmith profile mix                                   the layers of a network and their cost\n  \
        blocksmith zoo --table                                   every named network beside its published figures\n  \
        blocksmith bench --network mix                           how fast it trains here\n  \
        blocksmith latency mix optimized                         which network takes less time for an image\n  \
        blocksmith export reports/quickstart --out best.onnx     a trained network for other programs\n  \
        blocksmith predict --weights reports/quickstart cat.png  what it takes an image for\n  \
        blocksmith draw mix                                      its stages and blocks as a figure\n\n\
        Exit codes: 0 done, 1 the run failed, 2 the request was wrong, 130 interrupted (SIGTERM 143, SIGHUP 129)."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Args),
    Status(status::Args),
    Ls(ls::Args),
    Report(report::ReportArgs),
    Retry(retry::Args),
    Table(table::Args),
    Enumerate(enumerate::Args),
    Profile(profile::Args),
    Zoo(zoo::Args),
    Bench(bench::Args),
    Latency(latency::Args),
    Export(export::Args),
    Predict(predict::Args),
    Draw(draw::Args),
    Compare(compare::Args),
}

/// The command line; its exit code where it is wrong or asks for help, which is printed.
///
/// # Errors
/// 0 after help, 2 after a message about what is wrong.
pub fn parse() -> std::result::Result<Cli, u8> {
    Cli::try_parse().map_err(|error| {
        let error = plain(error);
        // Where no one reads any more there is no one to tell.
        let _ = error.print();
        u8::try_from(error.exit_code()).unwrap_or(2)
    })
}

/// A message about the command line in which what it quotes cannot steer the terminal; clap's own colours stay.
fn plain(mut error: clap::Error) -> clap::Error {
    use clap::error::ContextValue;
    let line = |text: &String| text::line(text).into_owned();
    let quoted: Vec<_> = error
        .context()
        .filter_map(|(kind, value)| match value {
            ContextValue::String(text) => Some((kind, ContextValue::String(line(text)))),
            ContextValue::Strings(texts) => {
                Some((kind, ContextValue::Strings(texts.iter().map(line).collect())))
            }
            _ => None,
        })
        .collect();
    for (kind, value) in quoted {
        error.insert(kind, value);
    }
    error
}

/// Carries out what the command line asks.
///
/// # Errors
/// A sentence for the user; its exit code is the program's.
pub fn execute(cli: Cli) -> Result<()> {
    read_once();
    interrupt::watch()?;
    threads::start()?;
    let done = caught(|| dispatch(cli.command)).unwrap_or_else(|panic| {
        Err(Error::run(format!("{panic}: nothing that was finished is lost; if memory was not the reason, this is a mistake in blocksmith")))
    });
    done.map_err(interrupt::named)
}

fn dispatch(command: Command) -> Result<()> {
    match command {
        Command::Run(args) => run::execute(&args),
        Command::Status(args) => status::execute(&args),
        Command::Ls(args) => ls::execute(&args),
        Command::Report(args) => report::run(&args),
        Command::Retry(args) => retry::execute(&args),
        Command::Table(args) => table::execute(&args),
        Command::Enumerate(args) => enumerate::execute(&args),
        Command::Profile(args) => profile::execute(&args),
        Command::Zoo(args) => zoo::execute(&args),
        Command::Bench(args) => bench::execute(&args),
        Command::Latency(args) => latency::execute(&args),
        Command::Export(args) => export::execute(&args),
        Command::Predict(args) => predict::execute(&args),
        Command::Draw(args) => draw::execute(&args),
        Command::Compare(args) => compare::execute(&args),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::Cli;

    #[test]
    fn command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        for command in Cli::command().get_subcommands() {
            let help = command.clone().render_long_help().to_string();
            let example = format!("  blocksmith {} ", command.get_name());
            assert!(help.contains(&example), "{help}");
        }
    }

    #[test]
    fn nonsense_exits_with_2() {
        let nonsense: [&[&str]; 7] = [
            &["blocksmith"],
            &["blocksmith", "fly"],
            &["blocksmith", "run", "x.yaml", "--jobs", "0"],
            &["blocksmith", "run", "x.yaml", "--device", "abacus"],
            &["blocksmith", "enumerate"],
            &["blocksmith", "profile", "mix", "--classes", "1"],
            &["blocksmith", "profile", "mix", "--layers", "none"],
        ];
        for args in nonsense {
            assert_eq!(Cli::try_parse_from(args).unwrap_err().exit_code(), 2, "{args:?}");
        }
    }
}
