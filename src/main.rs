//! Parse, run, exit code: 0 done, 1 the run failed, 2 the request was wrong, and 128 + the signal that interrupted: 130, 143 or 129.

use std::io::{Write, stderr};
use std::process::ExitCode;

use blocksmith::cli::{self, Cli};
use blocksmith::error::Error;
use clap::Parser;

fn main() -> ExitCode {
    let Err(e) = cli::execute(Cli::parse()) else {
        return ExitCode::SUCCESS;
    };
    // Where nobody reads stderr any more there is nobody to tell.
    let _ = match &e {
        Error::Interrupted(_) => writeln!(stderr(), "{e}"),
        e => writeln!(stderr(), "error: {e}"),
    };
    ExitCode::from(e.exit_code())
}
